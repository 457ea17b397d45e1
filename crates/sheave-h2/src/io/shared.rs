//! What all handles of a connection have in common.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use super::cell::Cell;
use crate::config::Config;
use crate::error::Error;
use crate::settings::Settings;

/// A way to the connection.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    notices: UnboundedSender<Notice>,
    common: Arc<Common>,
}

#[derive(Debug)]
pub(super) struct Common {
    /// How much may wait to be sent on a stream, in bytes.
    pub(super) max_send_queue: usize,
    /// How much is read before the connection is told, in bytes.
    pub(super) release_at: usize,
    /// Whether it is told of the least.
    congested: AtomicBool,
    pub(super) known: watch::Receiver<Known>,
}

/// What a connection is told.
#[derive(Debug)]
pub(super) enum Notice {
    /// A stream wants something.
    Stream(Arc<Cell>),
    /// Send a PING, and say how long the answer took.
    Ping(oneshot::Sender<Duration>),
    /// End, once all streams have.
    Shutdown,
    /// The same: nobody can make requests any more. What was made so far is still waited for.
    Unneeded,
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
    pub(super) fn new(
        config: &Config,
        notices: UnboundedSender<Notice>,
        known: watch::Receiver<Known>,
    ) -> Self {
        /// More is not kept from the peer for nothing.
        const MOST: usize = 32 << 10;
        let common = Common {
            max_send_queue: config.max_send_queue.max(1),
            release_at: (config.initial_window_size as usize / 2).clamp(1, MOST),
            congested: AtomicBool::new(false),
            known,
        };
        Self { notices, common: Arc::new(common) }
    }

    /// Tells the connection. False if that has ended, and may not have heard it.
    pub(super) fn notice(&self, notice: Notice) -> bool {
        let _ = self.notices.send(notice);
        // The connection closes the queue, and then looks into it: either it finds this, or this finds it closed.
        fence(Ordering::SeqCst);
        !self.is_closed()
    }

    /// Why the connection has ended.
    pub(super) fn error(&self) -> Error {
        self.known.borrow().error.clone().unwrap_or(Error::Closed)
    }

    /// Whether the connection is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.notices.is_closed()
    }
}

impl Deref for Shared {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl Common {
    pub(super) fn is_congested(&self) -> bool {
        self.congested.load(Ordering::Relaxed)
    }

    pub(super) fn set_congested(&self, congested: bool) {
        self.congested.store(congested, Ordering::Relaxed);
    }
}
