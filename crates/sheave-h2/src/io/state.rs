//! The state of a stream that its handles and its connection share.

use std::task::{Context, Poll, Waker};

use bytes::Buf;

use super::receiving::Receiving;
use super::rest::Rest;
use super::shared::Shared;
use super::wants::Wants;
use crate::chunks::LARGE;
use crate::error::{Error, Usage};
use crate::streams::StreamKey;

#[derive(Debug, Default)]
pub(super) struct State {
    /// `None` until the stream is opened.
    pub(super) key: Option<StreamKey>,
    /// Whether the connection was told that something is wanted.
    pub(super) noticed: bool,
    /// Whether the connection has it among those that wait to be opened.
    pub(super) is_waiting: bool,
    pub(super) wants: Wants,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
    /// Whether it has ended, and why, if that is not [`Error::Closed`].
    has_failed: bool,
    error: Option<Box<Error>>,
    /// What few streams have, or not for long.
    pub(super) rest: Option<Box<Rest>>,
}

#[derive(Debug, Default)]
pub(super) struct Sending {
    /// How much was given to be sent and has not left yet, in bytes.
    pub(super) unsent: usize,
    /// Whether nothing more is given to be sent.
    pub(super) finished: bool,
    /// Whether the connection has not tried yet to send the last of it.
    pub(super) untried: bool,
    /// Whether the connection is to end it, on an opened stream of which nothing else is wanted that is seldom.
    pub(super) ends: bool,
    pub(super) waker: Option<Waker>,
}

impl State {
    pub(super) fn new(key: Option<StreamKey>) -> Self {
        Self { key, ..Self::default() }
    }

    /// Whether it has ended, in order or before its time.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Why it has ended.
    pub(super) fn error(&self) -> Option<&Error> {
        static CLOSED: Error = Error::Closed;
        self.has_failed.then(|| self.error.as_deref().unwrap_or(&CLOSED))
    }

    /// It has ended. The first reason is what counts.
    pub(super) fn ended(&mut self, error: Error) {
        if !std::mem::replace(&mut self.has_failed, true) && !matches!(error, Error::Closed) {
            // Most end with that alone, which takes no memory.
            self.error = Some(error.into());
        }
    }

    pub(super) fn check_sending(&self) -> Result<(), Error> {
        match self.error() {
            Some(error) => Err(error.clone()),
            None if self.sending.finished => Err(Usage::NotSending.into()),
            None => Ok(()),
        }
    }

    /// How much room there is, once there is some.
    pub(super) fn poll_room(&mut self, cx: &Context<'_>, most: usize) -> Poll<Result<usize, Error>> {
        self.check_sending()?;
        match most.saturating_sub(self.sending.unsent) {
            0 => {
                self.sending.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    /// Takes this much of `content`, to be sent.
    pub(super) fn send(&mut self, content: &mut impl Buf, length: usize) {
        self.sending.unsent += length;
        let mut left = length;
        while left > 0 {
            let piece = content.chunk().len().min(left);
            if piece < LARGE {
                self.wants.content.push_slice(&content.chunk()[..piece]);
                content.advance(piece);
            } else {
                self.wants.content.push(content.copy_to_bytes(piece));
            }
            left -= piece;
        }
    }

    /// So much was read. Whether the connection is to be told now.
    pub(super) fn release(&mut self, length: usize, shared: &Shared) -> bool {
        self.wants.released += length;
        // Once the stream is closed, the connection does not look at it by itself.
        let is_last = self.has_failed && self.receiving.content.is_empty();
        is_last || self.wants.released >= shared.release_at || shared.is_congested()
    }
}
