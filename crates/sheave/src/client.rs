//! Opening WebSockets.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::dial::dial;
use crate::error::Error;
use crate::plain::Plain;
use crate::redirect;
use crate::stream::{Io, Stream};
use crate::websocket::WebSocket;
use crate::ws::handshake::{ClientRequest, HandshakeError, HeadLimits};
use crate::ws::{self, Config};
use crate::{tls, ws::io::Connect};

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

/// Opens WebSockets, all with the same settings. A clone shares them.
#[derive(Clone, Debug, Default)]
pub struct Client {
    settings: Arc<ClientBuilder>,
}

/// The settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    config: Config,
    tls: Option<tls::ClientConfig>,
    connect_timeout: Duration,
    handshake_timeout: Duration,
    max_redirects: usize,
    nodelay: bool,
    limits: HeadLimits,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            tls: None,
            connect_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            max_redirects: 0,
            nodelay: true,
            limits: HeadLimits::default(),
        }
    }
}

impl ClientBuilder {
    /// Sets the limits and times of the WebSockets. Default: [`Config::default`].
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Pings the peer after this long without a sign of life ([`Config::keepalive_interval`]). Default:
    /// never.
    #[must_use]
    pub fn keepalive(mut self, interval: Duration) -> Self {
        self.config.keepalive_interval = Some(interval);
        self
    }

    /// Sets the TLS configuration for `wss://`. Default: the platform's roots, no client certificate.
    /// Its ALPN protocols are replaced by `http/1.1`.
    #[must_use]
    pub fn tls(self, tls: tls::ClientConfig) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Sets how long resolving, the TCP connection and TLS may take together. Default: 30 s.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// Sets how long the opening handshake may take after that. Default: 10 s.
    #[must_use]
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        Self { handshake_timeout: timeout, ..self }
    }

    /// Sets how many redirects are followed. Default: 0, a redirect is a rejection.
    ///
    /// A redirect from `wss` to `ws` is never followed. `Authorization` and `Cookie` are sent to the origin
    /// that they were meant for alone.
    #[must_use]
    pub fn max_redirects(self, redirects: usize) -> Self {
        Self { max_redirects: redirects, ..self }
    }

    /// Sets TCP_NODELAY. Default: set.
    #[must_use]
    pub fn nodelay(self, nodelay: bool) -> Self {
        Self { nodelay, ..self }
    }

    /// Sets the limits of the head of the server's answer. Default: 64 KiB, 100 headers.
    #[must_use]
    pub fn head_limits(self, limits: HeadLimits) -> Self {
        Self { limits, ..self }
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        let tls = self.tls.map(|tls| tls.with_alpn(&[b"http/1.1"]));
        Client { settings: Arc::new(Self { tls, ..self }) }
    }
}

impl Client {
    /// A client with other settings than the default ones.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Opens the WebSocket at `url`.
    ///
    /// # Errors
    /// As [`ConnectRequest::connect`].
    ///
    /// # Cancel safety
    /// Dropping it gives up the attempt; nothing is left behind.
    pub async fn connect(&self, url: impl AsRef<str>) -> Result<WebSocket, Error> {
        self.request(url).connect().await
    }

    /// A request for the WebSocket at `url`, to be given headers and more.
    pub fn request(&self, url: impl AsRef<str>) -> ConnectRequest {
        let request = url.as_ref().parse::<ClientRequest>();
        let request = request.map(|request| request.limits(self.settings.limits.clone()));
        let settings = Arc::clone(&self.settings);
        ConnectRequest {
            settings,
            request,
            #[cfg(unix)]
            unix: None,
        }
    }
}

/// A request for a WebSocket. What is wrong with it is told by [`connect`](Self::connect).
#[derive(Debug)]
#[must_use = "nothing happens before it is connected"]
pub struct ConnectRequest {
    settings: Arc<ClientBuilder>,
    request: Result<ClientRequest, HandshakeError>,
    #[cfg(unix)]
    unix: Option<PathBuf>,
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
        Self { unix: Some(path.into()), ..self }
    }

    /// Opens the WebSocket.
    ///
    /// All of the host's addresses are tried, a quarter of a second apart (RFC 8305).
    ///
    /// # Errors
    /// [`Error::WebSocket`] with [`ws::Error::Rejected`], which has status, headers and body, if the server
    /// did not open a WebSocket; [`Error::Resolve`], [`Error::Unreachable`], [`Error::ConnectTimeout`] and
    /// [`Error::Tls`] if it could not be asked, [`Error::Io`] if a Unix socket could not be connected to;
    /// [`Error::Redirect`] for a redirect that is not to be followed; what is wrong with the request.
    ///
    /// # Cancel safety
    /// Dropping it gives up the attempt; nothing is left behind.
    pub async fn connect(self) -> Result<WebSocket, Error> {
        let mut request = self.request?;
        #[cfg(unix)]
        let mut unix = self.unix;
        let mut redirects = 0;
        loop {
            let reach = async {
                #[cfg(unix)]
                if let Some(path) = &unix {
                    let socket = tokio::net::UnixStream::connect(path).await?;
                    return secure(&self.settings, &request, Plain::unix(socket)).await;
                }
                let tcp = dial(request.host(), request.port(), self.settings.nodelay).await?;
                secure(&self.settings, &request, Plain::tcp(tcp)).await
            };
            let stream = tokio::time::timeout(self.settings.connect_timeout, reach).await;
            let stream = stream.map_err(|_| Error::ConnectTimeout)??;
            match open(&self.settings, &request, stream).await {
                Err(Error::WebSocket(ws::Error::Rejected(rejection)))
                    if rejection.location().is_some() && redirects < self.settings.max_redirects =>
                {
                    redirects += 1;
                    let next = redirect::follow(&request, rejection)?;
                    #[cfg(unix)]
                    if !redirect::is_same_origin(&request, &next) {
                        // Another host is not behind this socket.
                        unix = None;
                    }
                    request = next;
                }
                result => return result,
            }
        }
    }

    /// Opens the WebSocket over a stream that leads to the server already; with TLS for `wss://`.
    ///
    /// Redirects are not followed.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// Dropping it drops the stream.
    pub async fn connect_over(self, io: impl Io) -> Result<WebSocket, Error> {
        let request = self.request?;
        let reach = secure(&self.settings, &request, Plain::new(io));
        let stream = tokio::time::timeout(self.settings.connect_timeout, reach).await;
        open(&self.settings, &request, stream.map_err(|_| Error::ConnectTimeout)??).await
    }

    fn with(mut self, change: impl FnOnce(ClientRequest) -> Result<ClientRequest, HandshakeError>) -> Self {
        self.request = self.request.and_then(change);
        self
    }
}

/// Puts TLS on a connection where the URL asks for it.
async fn secure(settings: &ClientBuilder, request: &ClientRequest, plain: Plain) -> Result<Stream, Error> {
    if !request.is_secure() {
        return Ok(plain.into());
    }
    let config = match &settings.tls {
        Some(config) => config.clone(),
        None => default_tls().await?,
    };
    let stream = config.connect(request.host(), plain).await?;
    Ok(Stream::from(Box::new(tls::TlsStream::from(stream))))
}

/// The platform's roots, read once.
async fn default_tls() -> Result<tls::ClientConfig, Error> {
    static DEFAULT: OnceLock<tls::ClientConfig> = OnceLock::new();
    if let Some(config) = DEFAULT.get() {
        return Ok(config.clone());
    }
    // Reads files.
    let built = tokio::task::spawn_blocking(|| tls::ClientConfig::builder().build()).await;
    let config = built.map_err(Error::other)??.with_alpn(&[b"http/1.1"]);
    Ok(DEFAULT.get_or_init(|| config).clone())
}

async fn open(settings: &ClientBuilder, request: &ClientRequest, stream: Stream) -> Result<WebSocket, Error> {
    let connect = Connect::default().config(settings.config.clone()).timeout(settings.handshake_timeout);
    Ok(WebSocket::new(connect.connect(request, stream).await?, None))
}
