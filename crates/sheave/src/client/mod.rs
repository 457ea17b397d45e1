//! Opening WebSockets.

mod attempt;
mod builder;
mod dial;
mod http2;
mod pool;
mod redirect;

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use self::attempt::Attempt;
pub use self::builder::ClientBuilder;
use self::pool::Pool;
use crate::error::Error;
use crate::plain::Plain;
use crate::stream::Io;
use crate::websocket::WebSocket;
use crate::ws;
use crate::ws::handshake::{ClientRequest, HandshakeError};

/// Opens the WebSocket at `url` (`ws://` or `wss://`) with the defaults of [`ClientBuilder`].
///
/// # Errors
/// As [`ConnectRequest::connect`].
///
/// # Cancel safety
/// Dropping it gives up the attempt; nothing is left behind.
pub async fn connect(url: impl AsRef<str>) -> Result<WebSocket, Error> {
    Client::default().connect(url).await
}

/// Opens WebSockets, all with the same settings.
///
/// It keeps its HTTP/2 connections: the WebSockets of one authority share them, as many as the server takes
/// on each ([`ClientBuilder::versions`]). One that carries none is closed
/// [after a time](ClientBuilder::pool_idle_timeout). A clone shares settings and connections. The WebSockets live on
/// without it.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: ClientBuilder,
    pool: Arc<Pool>,
}

impl Default for Client {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Client {
    /// A client with other settings than the default ones.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    fn new(settings: ClientBuilder) -> Self {
        Self { shared: Arc::new(Shared { settings, pool: Pool::new() }) }
    }

    /// Opens the WebSocket at `url`.
    ///
    /// # Errors
    /// As [`ConnectRequest::connect`].
    ///
    /// # Cancel safety
    /// As [`ConnectRequest::connect`].
    pub async fn connect(&self, url: impl AsRef<str>) -> Result<WebSocket, Error> {
        self.request(url).connect().await
    }

    /// A request for the WebSocket at `url`, to be given headers and more.
    pub fn request(&self, url: impl AsRef<str>) -> ConnectRequest {
        let request = url.as_ref().parse::<ClientRequest>();
        let request = request.map(|request| request.limits(self.shared.settings.limits.clone()));
        ConnectRequest { client: self.clone(), request, socket: None }
    }
}

/// A request for a WebSocket. What is wrong with it is told by [`connect`](Self::connect).
#[derive(Debug)]
#[must_use = "nothing happens before it is connected"]
pub struct ConnectRequest {
    client: Client,
    request: Result<ClientRequest, HandshakeError>,
    socket: Option<PathBuf>,
}

impl ConnectRequest {
    /// Offers a subprotocol; the most preferred first.
    pub fn subprotocol(self, name: impl AsRef<str>) -> Self {
        self.with(|request| request.subprotocol(name.as_ref()))
    }

    /// Adds a header; several of one name are all sent, but `Host`, `Origin` and `Authorization` replace what was
    /// there.
    ///
    /// Refused, when it comes to [`connect`](Self::connect), with [`HandshakeError::ReservedHeader`]:
    /// `Connection`, `Upgrade`, any `Sec-WebSocket-*` (see [`subprotocol`](Self::subprotocol)),
    /// `Content-Length`, `Transfer-Encoding`, `Trailer`, `Expect`, `TE`, `Keep-Alive`, `Proxy-Connection` and
    /// `HTTP2-Settings`; with [`HandshakeError::InvalidHeader`] what no header can hold.
    pub fn header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        self.with(|request| {
            let name = name.try_into().map_err(|_| HandshakeError::InvalidHeaderName)?;
            let value = value.try_into().map_err(|_| HandshakeError::InvalidHeader(name.clone()))?;
            request.header(name, value)
        })
    }

    /// Sets the `Origin`.
    pub fn origin(self, origin: impl AsRef<str>) -> Self {
        self.with(|request| request.origin(origin.as_ref()))
    }

    /// Connects to a Unix socket instead of the URL's host; the URL's scheme still decides on TLS.
    #[cfg(unix)]
    pub fn unix_socket(self, path: impl Into<PathBuf>) -> Self {
        Self { socket: Some(path.into()), ..self }
    }

    /// Opens the WebSocket.
    ///
    /// All of the host's addresses are tried, a quarter of a second apart (RFC 8305). Over HTTP/2, a connection that there
    /// is already is used. A request that the server has not processed is made again on another, three times at most in all
    /// (RFC 9113 §8.7).
    ///
    /// # Errors
    /// [`Error::WebSocket`] with [`ws::Error::Rejected`], which has status, headers and body, if the server
    /// did not open a WebSocket, and with [`ws::Error::Timeout`] if it did not answer; [`Error::Resolve`],
    /// [`Error::Unreachable`], [`Error::ConnectTimeout`] and [`Error::Tls`] if it could not be asked,
    /// [`Error::Io`] if a Unix socket could not be connected to; [`Error::Http2`] if the connection failed or the server
    /// reset the stream, [`Error::NoHttp2`] and [`Error::NoExtendedConnect`] if HTTP/1.1 would do but is not
    /// [wanted](ClientBuilder::versions); [`Error::Redirect`] for a redirect that is not to be followed; what
    /// is wrong with the request.
    ///
    /// # Cancel safety
    /// Dropping it gives up the attempt. At most an HTTP/2 connection is left behind, for the next one.
    pub async fn connect(self) -> Result<WebSocket, Error> {
        let Shared { settings, pool } = &*self.client.shared;
        let (mut request, mut socket) = (self.request?, self.socket);
        let mut redirects = 0;
        loop {
            let attempt = Attempt { settings, request: &request };
            // Boxed: it is large, and short.
            match Box::pin(attempt.open(pool, socket.as_deref())).await {
                Err(Error::WebSocket(ws::Error::Rejected(rejection)))
                    if rejection.location().is_some() && redirects < settings.max_redirects =>
                {
                    redirects += 1;
                    let next = redirect::follow(&request, rejection)?;
                    if !redirect::is_same_origin(&request, &next) {
                        // Another host is not behind this socket.
                        socket = None;
                    }
                    request = next;
                }
                result => return result,
            }
        }
    }

    /// Opens the WebSocket over a stream that leads to the server already; with TLS for `wss://`.
    ///
    /// It is spoken HTTP/1.1, unless HTTP/2 is [asked for](crate::Versions::Http2Only). The connection is not shared.
    /// Redirects are not followed.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping it drops the stream, or has HTTP/2 on it end in order.
    pub async fn connect_over(self, io: impl Io) -> Result<WebSocket, Error> {
        let request = self.request?;
        let attempt = Attempt { settings: &self.client.shared.settings, request: &request };
        Box::pin(attempt.open_over(Plain::new(io))).await
    }

    fn with(mut self, change: impl FnOnce(ClientRequest) -> Result<ClientRequest, HandshakeError>) -> Self {
        self.request = self.request.and_then(change);
        self
    }
}
