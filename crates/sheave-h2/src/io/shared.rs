//! What all handles of a connection have in common.

use std::mem;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::response;
use tokio::sync::{oneshot, watch};

use super::cell::Cell;
use crate::config::Config;
use crate::error::Error;
use crate::settings::Settings;
use crate::streams::StreamKey;

/// A way to the connection.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Common>);

#[derive(Debug)]
pub(super) struct Common {
    notices: Mutex<Notices>,
    /// How much may wait to be sent on a stream, in bytes.
    pub(super) max_send_queue: usize,
    /// How much is read before the connection is told, in bytes.
    pub(super) release_at: usize,
    /// Whether it is told of the least.
    congested: AtomicBool,
    pub(super) known: watch::Receiver<Known>,
}

/// What the connection was told and has not looked at. A lock is held for it as long as it takes to add to a list: all tasks
/// of a connection's streams tell it something when it has read something, and it looks at that at once.
#[derive(Debug, Default)]
struct Notices {
    list: Vec<Notice>,
    /// The connection's, if it waits.
    waker: Option<Waker>,
    is_closed: bool,
}

/// What a connection is told.
#[derive(Debug)]
pub(super) enum Notice {
    /// A stream wants something.
    Stream(Arc<Cell>),
    /// A request is answered.
    Answer(Answer),
    /// Send a PING, and say how long the answer took.
    Ping(oneshot::Sender<Duration>),
    /// End, once all streams have.
    Shutdown,
    /// The same: nobody can make requests any more. What was made so far is still waited for.
    Unneeded,
}

/// A response, and all of the content that there is with it; with `end_stream`, nothing follows.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) cell: Arc<Cell>,
    pub(super) key: StreamKey,
    pub(super) head: Box<response::Parts>,
    pub(super) content: Bytes,
    pub(super) end_stream: bool,
}

/// What is known of the connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// What the peer lets us do, once it has said so.
    pub(super) settings: Option<Settings>,
    /// Whether it takes no new streams any more.
    pub(super) is_ending: bool,
    /// Why it has ended, if it has.
    pub(super) error: Option<Error>,
}

impl Shared {
    pub(super) fn new(config: &Config, known: watch::Receiver<Known>) -> Self {
        /// More is not kept from the peer for nothing.
        const MOST: usize = 32 << 10;
        Self(Arc::new(Common {
            notices: Mutex::default(),
            max_send_queue: config.max_send_queue.max(1),
            release_at: (config.initial_window_size as usize / 2).clamp(1, MOST),
            congested: AtomicBool::new(false),
            known,
        }))
    }
}

impl Deref for Shared {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.0
    }
}

impl Common {
    /// Tells the connection. False if that has ended.
    pub(super) fn notice(&self, notice: Notice) -> bool {
        let waker = {
            let mut notices = self.notices();
            if notices.is_closed {
                return false;
            }
            notices.list.push(notice);
            notices.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Takes what the connection was told, into a list that is empty; if that is nothing, it is woken by the next notice.
    pub(super) fn take_notices(&self, cx: &Context<'_>, into: &mut Vec<Notice>) {
        let mut notices = self.notices();
        mem::swap(&mut notices.list, into);
        if into.is_empty() && !notices.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            let before = notices.waker.replace(cx.waker().clone());
            // Whatever it does when it is dropped, it does not find the list locked.
            drop(notices);
            drop(before);
        }
    }

    /// The connection has ended: takes what it was told last, and nothing more.
    pub(super) fn close(&self) -> Vec<Notice> {
        let mut notices = self.notices();
        notices.is_closed = true;
        let (list, waker) = (mem::take(&mut notices.list), notices.waker.take());
        drop(notices);
        drop(waker);
        list
    }

    /// Holds no memory for notices that may come.
    pub(super) fn rest(&self) {
        let mut notices = self.notices();
        if notices.list.is_empty() {
            notices.list = Vec::new();
        }
    }

    /// Why the connection has ended.
    pub(super) fn error(&self) -> Error {
        self.known.borrow().error.clone().unwrap_or(Error::Closed)
    }

    /// Whether the connection is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.notices().is_closed
    }

    fn notices(&self) -> MutexGuard<'_, Notices> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_congested(&self) -> bool {
        self.congested.load(Ordering::Relaxed)
    }

    pub(super) fn set_congested(&self, congested: bool) {
        self.congested.store(congested, Ordering::Relaxed);
    }
}
