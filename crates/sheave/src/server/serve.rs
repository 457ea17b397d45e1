//! The accept loop and the graceful shutdown.

use std::fmt;
use std::future::{Future, IntoFuture, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;

use super::connection;
use super::limit::PerIp;
use super::place::Tracker;
use super::request::Request;
use super::tasks::{AbortAtEnd, Seat, Tasks};
use super::{Listener, Peer, Server};
use crate::error::Error;
use crate::plain::Plain;

/// A server at work: await it.
///
/// # Cancel safety
/// Dropping it cuts every connection, in whatever task.
#[must_use = "nothing is served before it is awaited"]
pub struct Serve<H> {
    server: Server,
    handler: H,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<H> Serve<H> {
    pub(super) fn new(server: Server, handler: H) -> Self {
        Self { server, handler, shutdown: Box::pin(pending()) }
    }

    /// Shuts down in order once `signal` is done: stops accepting, closes every WebSocket with 1001, lets
    /// requests whose head has come be answered, waits for
    /// [`ServerBuilder::shutdown_timeout`](super::ServerBuilder::shutdown_timeout) at most, and cuts the rest,
    /// in whatever task.
    pub fn with_graceful_shutdown<T>(mut self, signal: impl Future<Output = T> + Send + 'static) -> Self {
        self.shutdown = Box::pin(async {
            signal.await;
        });
        self
    }
}

impl<H, F> IntoFuture for Serve<H>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<H, F> Serve<H>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    async fn run(mut self) -> Result<(), Error> {
        let settings = Arc::clone(&self.server.settings);
        let Some(listener) = self.server.listener.take() else {
            return Err(
                io::Error::new(io::ErrorKind::NotConnected, "a detached server has no listener").into()
            );
        };
        let handler = Arc::new(self.handler);
        let tracker = Arc::new(Tracker::default());
        let slots = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
        let per_ip = PerIp::new(settings.max_connections_per_ip);
        // Goes after the tasks and what they hold: what left its handler is not theirs.
        let _cut = CutAtEnd(Arc::clone(&tracker));
        let tasks = Arc::new(Tasks::default());
        let _abort = AbortAtEnd(Arc::clone(&tasks));
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut self.shutdown => break,
                accepted = accept(&listener, &slots, settings.nodelay) => accepted,
            };
            let (plain, peer, slot) = accepted;
            let Some(counted) = per_ip.admit(peer) else {
                tracing::debug!(?peer, "too many connections from this address");
                continue;
            };
            let place = tracker.admit(&plain, &settings, peer, slot.map(|slot| (slot, counted)));
            let handler = Arc::clone(&handler);
            let seat = Seat::take(&tasks);
            let number = seat.place;
            let connection = async move {
                // Goes last.
                let _seat = seat;
                let result = connection::serve(plain, place, handler).await;
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                }
            };
            tasks.spawn(number, connection.instrument(tracing::debug_span!("connection", peer = ?peer.0)));
        }
        drop(listener);
        tracker.shut_down();
        let ended = timeout(settings.shutdown_timeout, async {
            tasks.end().await;
            // What left its handler is not a task of ours.
            tracker.empty().await;
        });
        if ended.await.is_err() {
            tracing::warn!(connections = tracker.connections(), "cut at the end of the shutdown's time");
            tracker.hurry();
            // HTTP/2 resets its streams.
            let _ = timeout(LAST_WORD, tasks.end()).await;
            tasks.abort_all();
            tasks.end().await;
        }
        Ok(())
    }
}

/// How long connections of HTTP/2 have to reset what is left on them.
const LAST_WORD: Duration = Duration::from_millis(200);

/// Cuts what is left of the connections when the server is gone, dropped or at the end of its shutdown.
struct CutAtEnd(Arc<Tracker>);

impl Drop for CutAtEnd {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// The next connection, when there is a slot for it.
async fn accept(
    listener: &Listener,
    slots: &Arc<Semaphore>,
    nodelay: bool,
) -> (Plain, Peer, Option<OwnedSemaphorePermit>) {
    /// Out of file descriptors or the like: others must end first.
    const PAUSE: Duration = Duration::from_millis(50);
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept(nodelay).await {
            Ok((plain, peer)) => return (plain, peer, slot),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the error is of the connection that was to be accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput | NotConnected
    )
}

impl<H> fmt::Debug for Serve<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("server", &self.server).finish_non_exhaustive()
    }
}
