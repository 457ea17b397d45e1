//! Closing a WebSocket from elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use crate::close::CloseFrame;

/// Asks a WebSocket that some other task uses to close itself; a clone asks the same one.
///
/// Its owner sees the end of the stream once the peer has answered; nothing can be sent any more.
#[derive(Clone, Debug)]
pub struct CloseHandle(Arc<Request>);

#[derive(Debug, Default)]
struct Request {
    pending: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    close: Option<Box<CloseFrame>>,
    waker: Option<Waker>,
}

impl CloseHandle {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Has a Close sent the next time that the WebSocket is used, waking its receiver if it waits. A second
    /// call is ignored.
    pub fn close(&self, close: impl Into<CloseFrame>) {
        let waker = {
            let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.close.get_or_insert_with(|| Box::new(close.into()));
            self.0.pending.store(true, Ordering::Release);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The Close that was asked for, once.
    #[inline]
    pub(super) fn take(&self) -> Option<CloseFrame> {
        if self.0.pending.load(Ordering::Acquire) { self.take_pending() } else { None }
    }

    #[cold]
    fn take_pending(&self) -> Option<CloseFrame> {
        self.0.pending.store(false, Ordering::Release);
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).close.as_deref().cloned()
    }

    /// Has `waker` woken by [`close`](Self::close). True if it was called meanwhile.
    pub(super) fn register(&self, waker: &Waker) -> bool {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        self.0.pending.load(Ordering::Acquire)
    }
}
