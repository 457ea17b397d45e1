//! The HTTP/2 connections of a client, and what it has learnt of servers.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, Notify};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument as _;

use super::builder::ClientBuilder;
use crate::carrier::{Berth, Carrier, ConnectionId};
use crate::h2::io::client::{Connection, SendRequest};
use crate::line::Line;
use crate::ws::handshake::ClientRequest;

/// What leads to each place. Whoever opens a WebSocket somewhere is a visitor there.
pub(super) struct Pool {
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    by_authority: HashMap<Authority, Place>,
    /// When those that nobody has visited are looked through for what is to be forgotten.
    sweep: Option<Instant>,
}

/// Where a WebSocket is, as far as its connection goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Authority {
    secure: bool,
    host: String,
    port: u16,
    /// The Unix socket that it is reached by.
    socket: Option<PathBuf>,
}

#[derive(Default)]
struct Place {
    connections: Vec<Pooled>,
    /// Until when it is known that WebSockets are HTTP/1.1 there.
    http1_until: Option<Instant>,
    /// Held by who dials.
    dialling: Arc<AsyncMutex<()>>,
    visitors: usize,
}

struct Pooled {
    requests: SendRequest,
    carrier: Arc<Carrier>,
    trust: Arc<Trust>,
}

/// Whether the server is still there.
#[derive(Default)]
struct Trust {
    questioned: Notify,
    /// Somebody has waited in vain for as long as an answer may take: it is not used until it is known.
    is_shaken: AtomicBool,
}

/// What is known of how to go to a place.
pub(super) enum Known {
    Http1,
    Http2(SendRequest, Berth),
}

/// How long it is remembered that a server does not take WebSockets over HTTP/2.
const MEMORY: Duration = Duration::from_secs(600);

impl Authority {
    pub(super) fn of(request: &ClientRequest, socket: Option<&Path>) -> Self {
        Self {
            secure: request.is_secure(),
            host: request.host().to_ascii_lowercase(),
            port: request.port(),
            socket: socket.map(Into::into),
        }
    }
}

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { places: Mutex::default() })
    }

    pub(super) fn visit(self: &Arc<Self>, authority: Authority) -> Visit {
        let mut places = self.places();
        places.forget();
        let place = places.by_authority.entry(authority.clone()).or_default();
        place.visitors += 1;
        let dialling = Arc::clone(&place.dialling);
        Visit { pool: Arc::clone(self), authority, dialling }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of a connection, if it has been idle since then or in any case. False if it is to stay.
    fn leave(&self, authority: &Authority, carrier: &Carrier, idle_since: Option<Instant>) -> bool {
        let mut places = self.places();
        if idle_since.is_some() && carrier.idle_since() != idle_since {
            return false;
        }
        if let Some(place) = places.by_authority.get_mut(authority) {
            place.connections.retain(|pooled| pooled.carrier.id() != carrier.id());
        }
        places.tidy(authority);
        true
    }
}

impl Places {
    /// Takes out places of which nothing is known any more.
    fn forget(&mut self) {
        let now = Instant::now();
        if self.sweep.is_none_or(|sweep| sweep <= now) {
            self.by_authority.retain(|_, place| place.is_worth_keeping(now));
            self.sweep = now.checked_add(MEMORY);
        }
    }

    fn tidy(&mut self, authority: &Authority) {
        if self.by_authority.get(authority).is_some_and(|place| !place.is_worth_keeping(Instant::now())) {
            self.by_authority.remove(authority);
        }
    }
}

impl Place {
    fn is_worth_keeping(&self, now: Instant) -> bool {
        self.visitors > 0 || !self.connections.is_empty() || self.is_http1(now)
    }

    fn is_http1(&self, now: Instant) -> bool {
        self.http1_until.is_some_and(|until| until > now)
    }
}

impl Pooled {
    /// Room for a WebSocket, as far as the server's settings allow as they are now.
    fn berth(&self) -> Option<Berth> {
        let settings = self.requests.known_settings()?;
        let most = usize::try_from(settings.max_concurrent_streams).unwrap_or(usize::MAX);
        self.carrier.berth(most.min(ClientBuilder::MAX_STREAMS))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} places)", self.places().by_authority.len())
    }
}

/// An attempt to open a WebSocket somewhere.
pub(super) struct Visit {
    pool: Arc<Pool>,
    authority: Authority,
    dialling: Arc<AsyncMutex<()>>,
}

impl Visit {
    /// What is known of the way, but for connections that were tried.
    pub(super) fn known(&self, tried: &[ConnectionId]) -> Option<Known> {
        let mut places = self.pool.places();
        let place = places.by_authority.get_mut(&self.authority)?;
        if place.is_http1(Instant::now()) {
            return Some(Known::Http1);
        }
        // Those that take no more are let go of: they end after their last stream.
        place.connections.retain(|pooled| pooled.requests.is_open());
        let is_good = |pooled: &&Pooled| {
            !tried.contains(&pooled.carrier.id()) && !pooled.trust.is_shaken.load(Ordering::Relaxed)
        };
        let mut untried = place.connections.iter().filter(is_good);
        untried.find_map(|pooled| Some(Known::Http2(pooled.requests.clone(), pooled.berth()?)))
    }

    /// Waits until nobody else dials.
    pub(super) async fn turn(&self) -> AsyncMutexGuard<'_, ()> {
        self.dialling.lock().await
    }

    /// It has shown that WebSockets are HTTP/1.1 there.
    pub(super) fn remember_http1(&self) {
        if let Some(place) = self.pool.places().by_authority.get_mut(&self.authority) {
            place.http1_until = Instant::now().checked_add(MEMORY);
        }
    }

    /// Shares a connection, and has it driven to its end. The first berth is for who dialled, however many the server allows.
    pub(super) fn share(
        &self,
        requests: SendRequest,
        connection: Connection<Line>,
        carrier: Arc<Carrier>,
        settings: &ClientBuilder,
    ) -> Berth {
        let berth = carrier.berth(usize::MAX).expect("there is none yet");
        let trust = Arc::new(Trust::default());
        let watch = Watch {
            pool: Arc::downgrade(&self.pool),
            authority: self.authority.clone(),
            carrier: Arc::clone(&carrier),
            trust: Arc::clone(&trust),
            handle: requests.handle(),
            idle_timeout: settings.pool_idle_timeout,
            answer_timeout: settings.handshake_timeout,
        };
        if let Some(place) = self.pool.places().by_authority.get_mut(&self.authority) {
            place.connections.push(Pooled { requests, carrier, trust });
        }
        let span = tracing::debug_span!("connection", id = %watch.carrier.id(), host = %self.authority.host);
        tokio::spawn(watch.drive(connection).instrument(span));
        berth
    }

    /// Has it found out whether anybody is still there, because somebody has waited in vain.
    ///
    /// In vain for as long as an answer may take, or given up before: that is no reason not to use it meanwhile.
    pub(super) fn doubt(&self, id: ConnectionId, is_grave: bool) {
        let places = self.pool.places();
        let place = places.by_authority.get(&self.authority);
        let mut pooled = place.iter().flat_map(|place| &place.connections);
        if let Some(pooled) = pooled.find(|pooled| pooled.carrier.id() == id) {
            pooled.trust.is_shaken.fetch_or(is_grave, Ordering::Relaxed);
            pooled.trust.questioned.notify_one();
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut places = self.pool.places();
        if let Some(place) = places.by_authority.get_mut(&self.authority) {
            place.visitors -= 1;
        }
        places.tidy(&self.authority);
    }
}

/// What a shared connection's task has to do with the pool, which it does not keep.
struct Watch {
    pool: Weak<Pool>,
    authority: Authority,
    carrier: Arc<Carrier>,
    trust: Arc<Trust>,
    handle: crate::h2::io::Handle,
    idle_timeout: Duration,
    answer_timeout: Duration,
}

impl Watch {
    async fn drive(self, mut connection: Connection<Line>) {
        let ended = tokio::select! {
            ended = &mut connection => ended,
            // It ends by itself after its last stream.
            () = self.of_no_more_use() => connection.await,
        };
        self.leave(None);
        if let Err(error) = ended {
            tracing::debug!(%error, "connection failed");
        }
    }

    /// Returns once it has left the pool.
    async fn of_no_more_use(&self) {
        tokio::select! {
            () = self.idle() => {}
            () = self.silent() => {}
        }
    }

    /// It has carried nothing for too long.
    async fn idle(&self) {
        loop {
            let since = self.carrier.idle().await;
            let Some(end) = since.checked_add(self.idle_timeout) else { return pending().await };
            sleep_until(end).await;
            if self.leave(Some(since)) {
                return;
            }
        }
    }

    /// The server does not answer.
    async fn silent(&self) {
        loop {
            self.trust.questioned.notified().await;
            if !matches!(timeout(self.answer_timeout, self.handle.ping()).await, Ok(Ok(_))) {
                self.leave(None);
                return;
            }
            self.trust.is_shaken.store(false, Ordering::Relaxed);
        }
    }

    fn leave(&self, idle_since: Option<Instant>) -> bool {
        self.pool.upgrade().is_none_or(|pool| pool.leave(&self.authority, &self.carrier, idle_since))
    }
}
