//! The last that is given to be sent on a stream, and who waits for it to leave.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::response;

use super::cell::{Cell, Locked};
use super::shared::{Answer, Notice};
use super::wants::{End, Section};
use crate::error::Error;

impl Cell {
    /// Answers, with all of `content` if there is room for that: then nothing follows.
    pub(super) fn respond(
        self: &Arc<Self>,
        head: Box<response::Parts>,
        content: &mut Bytes,
        mut end_stream: bool,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        if let Some(error) = state.error() {
            return Err(error.clone());
        }
        let is_whole = !content.is_empty() && content.len() <= self.shared.max_send_queue;
        let mut content = if is_whole { mem::take(content) } else { Bytes::new() };
        end_stream |= is_whole;
        state.sending.finished |= end_stream;
        state.sending.untried = is_whole;
        let Some(key) = state.key.filter(|_| !state.noticed) else {
            // It has to stay behind what is wanted already.
            let first = !mem::replace(&mut state.noticed, true);
            state.wants.more().sections.push(Section::Response(head, end_stream && !is_whole));
            if is_whole {
                let length = content.len();
                state.send(&mut content, length);
                state.wants.more().end = Some(End::Finish);
            }
            drop(state);
            if first {
                self.notice();
            }
            return Ok(());
        };
        state.sending.unsent += content.len();
        drop(state);
        let answer = Answer { cell: Arc::clone(self), key, head, content, end_stream };
        if !self.shared.notice(Notice::Answer(answer)) {
            self.cut(&self.shared.error());
        }
        Ok(())
    }

    /// The connection has tried to send the last of what was given. If it could not, whoever waits for that is told.
    pub(super) fn tried(&self) {
        let mut state = self.lock_to_wake();
        if mem::take(&mut state.sending.untried) {
            let Locked { state, woken } = &mut state;
            woken.add(&mut state.sending.waker);
        }
    }

    /// Whether the connection has not tried yet to send the last of what was given.
    pub(super) fn is_untried(&self) -> bool {
        self.lock().sending.untried
    }
}
