//! Where a connection, or a stream of one, comes back to when a handler is done with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::wire::Wire;
use crate::websocket::Inner;
use crate::ws::handshake::Refusal;

/// The place that its task looks at after the handler has ended. Boxed: it is mostly empty for long.
#[derive(Debug, Default)]
pub(crate) struct Home(Mutex<Option<Box<Returned>>>);

/// What came back.
#[derive(Debug)]
pub(crate) enum Returned {
    /// A request that was dropped without an answer.
    Unanswered {
        wire: Wire,
        head: Box<http::Request<()>>,
        /// What was wrong with its body.
        fault: Option<Refusal>,
    },
    /// What a request came by that was answered.
    Answered {
        wire: Wire,
        /// Whether it may have another request.
        keep_alive: bool,
    },
    /// A WebSocket that was dropped; it may be open.
    WebSocket(Box<Inner>),
}

impl Home {
    pub(crate) fn put(&self, returned: Returned) {
        *self.contents() = Some(Box::new(returned));
    }

    pub(super) fn take(&self) -> Option<Returned> {
        self.contents().take().map(|returned| *returned)
    }

    fn contents(&self) -> MutexGuard<'_, Option<Box<Returned>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
