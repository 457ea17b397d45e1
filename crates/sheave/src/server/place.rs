//! A connection's place in its server, and what a graceful shutdown has to reach.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::builder::Settings;
use super::limit::Counted;
use super::listener::Peer;
use crate::carrier::Carrier;
use crate::plain::{Cutter, Plain};
use crate::ws::CloseCode;
use crate::ws::io::CloseHandle;

/// The connections of a server, and whether it is shutting down.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    shutting_down: AtomicBool,
    begun: Notify,
    overdue: AtomicBool,
    late: Notify,
    emptied: Notify,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Reach>,
}

/// How a shutdown reaches a connection, wherever it is.
#[derive(Debug)]
struct Reach {
    cutter: Cutter,
    /// Of its WebSocket, until it was used.
    close: Option<CloseHandle>,
    /// Of its streams, if it is one of HTTP/2.
    carrier: Weak<Carrier>,
}

/// What a connection takes up of its server's limits, and what it knows of the server.
///
/// Its transport holds it, in whatever parts and tasks that ends up: a connection counts for as long as some
/// of it is open.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) settings: Arc<Settings>,
    pub(super) peer: Peer,
    pub(super) tracker: Arc<Tracker>,
    id: u64,
    _limits: Option<(OwnedSemaphorePermit, Counted)>,
}

impl Tracker {
    /// Gives a connection its place.
    pub(super) fn admit(
        self: &Arc<Self>,
        plain: &Plain,
        settings: &Arc<Settings>,
        peer: Peer,
        limits: Option<(OwnedSemaphorePermit, Counted)>,
    ) -> Arc<Place> {
        let mut open = self.open();
        open.next += 1;
        let id = open.next;
        open.connections.insert(id, Reach { cutter: plain.cutter(), close: None, carrier: Weak::new() });
        let (settings, tracker) = (Arc::clone(settings), Arc::clone(self));
        Arc::new(Place { settings, peer, tracker, id, _limits: limits })
    }

    /// Closes every WebSocket with 1001 and tells everything else that waits.
    pub(super) fn shut_down(&self) {
        let (handles, carriers): (Vec<CloseHandle>, Vec<Arc<Carrier>>) = {
            // Under the lock: whoever is tracked later sees it.
            let mut open = self.open();
            self.shutting_down.store(true, Ordering::SeqCst);
            let handles = open.connections.values_mut().filter_map(|reach| reach.close.take()).collect();
            (handles, open.connections.values().filter_map(|reach| reach.carrier.upgrade()).collect())
        };
        for handle in handles {
            handle.close(CloseCode::GOING_AWAY);
        }
        carriers.iter().for_each(|carrier| carrier.go_away());
        self.begun.notify_waiters();
    }

    /// The time of the shutdown is over.
    pub(super) fn hurry(&self) {
        self.overdue.store(true, Ordering::SeqCst);
        self.late.notify_waiters();
    }

    /// Cuts every connection that there still is, whoever holds it.
    pub(super) fn cut(&self) {
        let cutters: Vec<Cutter> =
            self.open().connections.values().map(|reach| reach.cutter.clone()).collect();
        for cutter in cutters {
            if let Err(error) = cutter.cut() {
                tracing::debug!(%error, "a connection could not be cut");
            }
        }
    }

    /// How many connections have a place.
    pub(super) fn connections(&self) -> usize {
        self.open().connections.len()
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

    /// Waits for the end of the shutdown's time.
    pub(super) async fn overdue(&self) {
        let late = self.late.notified();
        if !self.overdue.load(Ordering::SeqCst) {
            late.await;
        }
    }

    /// Waits until no connection has a place.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Has a shutdown close the connection's WebSocket; at once if there is one already.
    pub(super) fn track(&self, handle: CloseHandle) {
        let mut open = self.tracker.open();
        if self.tracker.is_shutting_down() {
            handle.close(CloseCode::GOING_AWAY);
        } else if let Some(reach) = open.connections.get_mut(&self.id) {
            reach.close = Some(handle);
        }
    }
}

impl Place {
    /// It is a connection of HTTP/2: has a shutdown close the WebSockets of all its streams.
    pub(super) fn carry(&self, carrier: &Arc<Carrier>) {
        let mut open = self.tracker.open();
        if let Some(reach) = open.connections.get_mut(&self.id) {
            reach.carrier = Arc::downgrade(carrier);
        }
        let late = self.tracker.is_shutting_down();
        drop(open);
        if late {
            carrier.go_away();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.tracker.open();
        open.connections.remove(&self.id);
        if open.connections.is_empty() {
            self.tracker.emptied.notify_waiters();
        }
    }
}
