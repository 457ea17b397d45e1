//! The WebSocket of clients and servers.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream as Items;
use futures_sink::Sink;
use http::Version;

use crate::carrier::ConnectionId;
use crate::server::{Home, Returned};
use crate::stream::Stream;
use crate::ws::{self, CloseFrame, Message, io};

/// The sending half of a split [`WebSocket`].
pub type Sender = io::Sender<Stream>;

/// The receiving half of a split [`WebSocket`].
pub type Receiver = io::Receiver<Stream>;

/// An open WebSocket, over whatever carries it.
///
/// Its methods are those of [`ws::io::WebSocket`]: [`recv`](io::WebSocket::recv),
/// [`send`](io::WebSocket::send), [`feed`](io::WebSocket::feed), [`flush`](io::WebSocket::flush),
/// [`ping`](io::WebSocket::ping), [`close`](io::WebSocket::close) and more; it is also a `Stream` and a
/// `Sink` of [`Message`]s.
///
/// What was sent is on its way once [`send`](io::WebSocket::send) or [`flush`](io::WebSocket::flush) has returned; over HTTP/2 it may
/// still wait for the peer's window. To be sure that it arrives, close: dropping an open WebSocket may cut off what was sent last.
///
/// On a server, one that its handler drops while it is open is closed in order after the handler has ended:
/// with 1000 if the handler returned `Ok`, and 1011 if it failed or panicked. On a client, and in another
/// task that outlives the handler, dropping it cuts the connection. Wherever it goes, it counts as one of the
/// server's connections: a shutdown closes it, waits for it, and at last cuts it.
pub struct WebSocket {
    /// There until dropped or split. All of it, so that who holds it holds little.
    inner: Option<Box<Inner>>,
}

/// What there is of a [`WebSocket`].
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) ws: io::WebSocket<Stream>,
    /// Where a server's goes when its handler drops it; there until then.
    home: Option<Arc<Home>>,
}

impl WebSocket {
    pub(crate) fn new(ws: io::WebSocket<Stream>, home: Option<Arc<Home>>) -> Self {
        Self { inner: Some(Box::new(Inner { ws, home })) }
    }

    // These four are here as well as behind `Deref`, or `SinkExt` would be in their way wherever it is
    // imported.

    /// Sends a message: see [`ws::io::WebSocket::send`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Safe, as there.
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), ws::Error>> {
        (**self).send(message)
    }

    /// Queues a message: see [`ws::io::WebSocket::feed`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Safe, as there.
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), ws::Error>> {
        (**self).feed(message)
    }

    /// Writes everything that is queued: see [`ws::io::WebSocket::flush`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Safe, as there.
    pub fn flush(&mut self) -> impl Future<Output = Result<(), ws::Error>> {
        (**self).flush()
    }

    /// Closes, up to the end of the connection: see [`ws::io::WebSocket::close`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Safe, as there.
    pub async fn close(&mut self, close: impl Into<CloseFrame>) -> Result<(), ws::Error> {
        (**self).close(close).await
    }

    /// The version of HTTP that it was opened by: 1.1, or 2 for a stream of an HTTP/2 connection.
    pub fn version(&self) -> Version {
        self.get_ref().version()
    }

    /// The connection, which WebSockets over HTTP/2 share.
    pub fn connection_id(&self) -> ConnectionId {
        self.get_ref().connection_id()
    }

    /// Takes the two directions apart, for two tasks: see [`ws::io::WebSocket::split`].
    ///
    /// Dropping both cuts the connection; to close it in order, call `close` on the sender and receive up to
    /// the `None`. On a server, they count as one of its connections: a shutdown closes them, waits for
    /// them, and at last cuts them.
    pub fn split(mut self) -> (Sender, Receiver) {
        self.inner.take().expect(OPEN).ws.split()
    }
}

const OPEN: &str = "there until dropped or split";

impl Deref for WebSocket {
    type Target = io::WebSocket<Stream>;

    fn deref(&self) -> &Self::Target {
        &self.inner.as_ref().expect(OPEN).ws
    }
}

impl DerefMut for WebSocket {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner.as_mut().expect(OPEN).ws
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take_if(|inner| !inner.ws.has_ended()) else { return };
        if let Some(home) = inner.home.take() {
            home.put(Returned::WebSocket(inner));
        }
    }
}

/// As [`ws::io::WebSocket::recv`]; ends after an error.
impl Items for WebSocket {
    type Item = Result<Message, ws::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut **self).poll_next(cx)
    }
}

/// As [`ws::io::WebSocket::feed`], [`flush`](io::WebSocket::flush) and [`close`](io::WebSocket::close).
impl Sink<Message> for WebSocket {
    type Error = ws::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ws::Error>> {
        Pin::new(&mut **self).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), ws::Error> {
        Pin::new(&mut **self).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ws::Error>> {
        Pin::new(&mut **self).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ws::Error>> {
        Pin::new(&mut **self).poll_close(cx)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.as_ref().map(|inner| &inner.ws).fmt(f)
    }
}
