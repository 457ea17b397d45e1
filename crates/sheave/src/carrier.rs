//! What the streams of one HTTP/2 connection have in common.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::h2;
use crate::server::Place;
use crate::table::Table;
use crate::tls;
use crate::ws::io::CloseHandle;
use crate::ws::{CloseCode, Config};

/// Tells one connection from another: WebSockets over HTTP/2 that share one have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An HTTP/2 connection, as its streams know it.
#[derive(Debug)]
pub(crate) struct Carrier {
    id: ConnectionId,
    session: Option<tls::Session>,
    /// A server's. Here so that it lasts as long as any stream.
    _place: Option<Arc<Place>>,
    in_use: Mutex<InUse>,
    left: Notify,
}

#[derive(Debug)]
struct InUse {
    /// What closes the streams that are WebSockets. All streams have a place.
    streams: Table<CloseHandle>,
    /// When the last of them went.
    since: Instant,
    /// A shutdown has begun: what comes is closed.
    closing: bool,
    /// There has never been one.
    is_fresh: bool,
}

impl Carrier {
    pub(crate) fn new(session: Option<tls::Session>, place: Option<Arc<Place>>) -> Arc<Self> {
        let in_use =
            InUse { streams: Table::default(), since: Instant::now(), closing: false, is_fresh: true };
        let (id, in_use) = (ConnectionId::new(), Mutex::new(in_use));
        Arc::new(Self { id, session, _place: place, in_use, left: Notify::new() })
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn session(&self) -> Option<&tls::Session> {
        self.session.as_ref()
    }

    /// Room for a stream, if there are fewer than `most`.
    pub(crate) fn berth(self: &Arc<Self>, most: usize) -> Option<Berth> {
        let mut in_use = self.in_use();
        if in_use.streams.len() >= most {
            return None;
        }
        in_use.is_fresh = false;
        Some(Berth { carrier: Arc::clone(self), place: in_use.streams.take_place() })
    }

    /// Since when there has been no stream; `None` while there is one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let in_use = self.in_use();
        in_use.streams.is_empty().then_some(in_use.since)
    }

    /// Waits until there has been no stream for so long; `at_first` as long as there has never been one, if that is more.
    pub(crate) async fn unused_for(&self, time: Duration, at_first: Duration) {
        loop {
            let since = self.idle().await;
            let is_fresh = self.in_use().is_fresh;
            let time = if is_fresh { time.max(at_first) } else { time };
            sleep(time.saturating_sub(since.elapsed())).await;
            if self.idle_since() == Some(since) {
                return;
            }
        }
    }

    /// Waits until there is no stream.
    pub(crate) async fn idle(&self) -> Instant {
        loop {
            let left = self.left.notified();
            if let Some(since) = self.idle_since() {
                return since;
            }
            left.await;
        }
    }

    /// Closes every WebSocket with 1001, those to come as well.
    pub(crate) fn go_away(&self) {
        let closes = {
            let mut in_use = self.in_use();
            in_use.closing = true;
            in_use.streams.empty()
        };
        closes.iter().for_each(|handle| handle.close(CloseCode::GOING_AWAY));
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream's part in its connection. It lasts as long as any part of the stream.
#[derive(Debug)]
pub(crate) struct Berth {
    carrier: Arc<Carrier>,
    place: u32,
}

impl Berth {
    pub(crate) fn carrier(&self) -> &Arc<Carrier> {
        &self.carrier
    }

    /// Has a shutdown close the stream's WebSocket; at once if there is one already.
    pub(crate) fn track(&self, handle: CloseHandle) {
        let mut in_use = self.carrier.in_use();
        if in_use.closing {
            drop(in_use);
            handle.close(CloseCode::GOING_AWAY);
        } else {
            in_use.streams.put(self.place, handle);
        }
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        let mut in_use = self.carrier.in_use();
        let handle = in_use.streams.leave(self.place);
        let is_last = in_use.streams.is_empty();
        if is_last {
            in_use.since = Instant::now();
        }
        drop(in_use);
        drop(handle);
        if is_last {
            // Whoever ends the connection waits for it.
            self.carrier.left.notify_waiters();
        }
    }
}

/// The settings of an HTTP/2 connection that is there for WebSockets, unless the user has others.
///
/// They may be many, and each may go unread: half of the connection's window has to hold the initial ones of all.
pub(crate) fn h2_config() -> h2::Config {
    h2::Config::default()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(16 << 10)
        .connection_window_size(32 << 20)
}

/// How many streams a server lets a client have on a connection.
pub(crate) const MAX_STREAMS: u32 = 1000;

/// What a WebSocket over HTTP/2 does itself, where its connection does the rest: one PING serves all.
pub(crate) fn without_keepalive<'a>(config: &'a Config, connection: &Config) -> Cow<'a, Config> {
    let interval = config.keepalive_interval;
    if interval.is_none() || interval != connection.keepalive_interval {
        return Cow::Borrowed(config);
    }
    let mut config = config.clone();
    config.keepalive_interval = None;
    Cow::Owned(config)
}
