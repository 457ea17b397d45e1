//! What a graceful shutdown has to reach.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ws::CloseCode;
use crate::ws::io::CloseHandle;

/// The open WebSockets of a server, and whether it is shutting down.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    shutting_down: AtomicBool,
    begun: Notify,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    handles: HashMap<u64, CloseHandle>,
}

/// A WebSocket that is tracked until this is dropped.
#[derive(Debug)]
pub(super) struct Tracked {
    tracker: Arc<Tracker>,
    id: u64,
}

impl Tracker {
    /// Tracks a WebSocket; closes it at once if the server is shutting down.
    pub(super) fn track(self: &Arc<Self>, handle: CloseHandle) -> Tracked {
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        if self.is_shutting_down() {
            handle.close(CloseCode::GOING_AWAY);
        } else {
            open.handles.insert(id, handle);
        }
        Tracked { tracker: Arc::clone(self), id }
    }

    /// Closes every WebSocket with 1001 and tells everything else that waits.
    pub(super) fn shut_down(&self) {
        let handles = {
            // Under the lock: whoever is tracked later sees it.
            let mut open = self.open();
            self.shutting_down.store(true, Ordering::SeqCst);
            std::mem::take(&mut open.handles)
        };
        for handle in handles.into_values() {
            handle.close(CloseCode::GOING_AWAY);
        }
        self.begun.notify_waiters();
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::SeqCst)
    }

    /// Waits for the shutdown.
    pub(super) async fn shutdown(&self) {
        let begun = self.begun.notified();
        if !self.is_shutting_down() {
            begun.await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.tracker.open().handles.remove(&self.id);
    }
}
