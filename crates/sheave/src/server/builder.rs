//! A server's settings.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use super::Server;
use super::listener::Listener;
use crate::carrier::h2_config;
use crate::error::Error;
use crate::versions::Versions;
use crate::ws::Config;
use crate::ws::handshake::{HeadLimits, OriginPolicy, ServerHandshake};
use crate::{h2, tls};

/// Where and how to serve; made by [`Server::bind`] and its like.
#[derive(Debug)]
#[must_use = "nothing happens before it is built"]
pub struct ServerBuilder {
    source: Source,
    settings: Settings,
}

/// Where connections come from.
#[derive(Debug)]
enum Source {
    Tcp(io::Result<Vec<SocketAddr>>),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
    Listener(tokio::net::TcpListener),
    Detached,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) tls: Option<tls::ServerConfig>,
    pub(super) handshake: ServerHandshake,
    pub(super) subprotocols: Vec<String>,
    pub(super) limits: HeadLimits,
    pub(super) handshake_timeout: Duration,
    pub(super) keep_alive: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) max_connections_per_ip: usize,
    pub(super) max_requests: usize,
    pub(super) max_body_size: usize,
    pub(super) nodelay: bool,
    pub(super) versions: Versions,
    pub(super) websockets: bool,
    pub(super) http2: h2::Config,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config: Config::default(),
            tls: None,
            handshake: ServerHandshake::default(),
            subprotocols: Vec::new(),
            limits: HeadLimits::default(),
            handshake_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(10),
            max_connections: 100_000,
            max_connections_per_ip: usize::MAX,
            max_requests: 1_000,
            max_body_size: 1 << 20,
            nodelay: true,
            versions: Versions::Auto,
            websockets: true,
            http2: h2_config(),
        }
    }
}

impl ServerBuilder {
    pub(super) fn tcp(address: impl ToSocketAddrs) -> Self {
        Self::new(Source::Tcp(address.to_socket_addrs().map(Iterator::collect)))
    }

    #[cfg(unix)]
    pub(super) fn unix(path: std::path::PathBuf) -> Self {
        Self::new(Source::Unix(path))
    }

    pub(super) fn listener(listener: tokio::net::TcpListener) -> Self {
        Self::new(Source::Listener(listener))
    }

    pub(super) fn detached() -> Self {
        Self::new(Source::Detached)
    }

    fn new(source: Source) -> Self {
        Self { source, settings: Settings::default() }
    }

    /// Sets the limits and times of the WebSockets. Default: [`Config::default`].
    pub fn config(mut self, config: Config) -> Self {
        self.settings.config = config;
        self
    }

    /// Pings a peer after this long without a sign of life ([`Config::keepalive_interval`]): each WebSocket over
    /// HTTP/1.1, each connection of HTTP/2 for all its WebSockets. Default: never.
    pub fn keepalive(mut self, interval: Duration) -> Self {
        self.settings.config.keepalive_interval = Some(interval);
        self
    }

    /// Serves with TLS alone; pages of the same origin are then those that came by `https`. Its ALPN
    /// protocols are replaced by those of the [versions](Self::versions). Default: without TLS.
    pub fn tls(mut self, tls: tls::ServerConfig) -> Self {
        self.settings.tls = Some(tls);
        self
    }

    /// Sets which versions of HTTP are spoken. Default: both, on the same port.
    pub fn versions(mut self, versions: Versions) -> Self {
        self.settings.versions = versions;
        self
    }

    /// Sets the limits and times of HTTP/2 connections. [`keepalive`](Self::keepalive), [`handshake_timeout`](Self::handshake_timeout),
    /// [`websockets`](Self::websockets) and what [`config`](Self::config) has for the keepalive and for writing
    /// decide on theirs. Default: 1 000 streams, windows of 16 KiB that grow with need, 32 MiB on their way on all streams;
    /// for the rest as [`h2::Config::default`].
    pub fn http2(mut self, config: h2::Config) -> Self {
        self.settings.http2 = config;
        self
    }

    /// Sets whether there are WebSockets here. If not, HTTP/2 clients are not told that there are (RFC 8441 §3), and a
    /// request for one by HTTP/1.1 is an ordinary one. Default: true.
    pub fn websockets(mut self, websockets: bool) -> Self {
        self.settings.websockets = websockets;
        self
    }

    /// Sets which web pages may open a WebSocket. Default: those of the same origin.
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.settings.handshake.origin = policy;
        self
    }

    /// Sets the subprotocols that are supported: of those that a client offers, its most preferred one is
    /// agreed on. Default: none.
    pub fn subprotocols(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the limits of a request's head over HTTP/1.1; those over HTTP/2 are [its own](h2::Config::max_header_list_size).
    /// Default: 64 KiB, 100 headers.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets how long each may take: TLS, a connection's first byte, a request's head from its first byte, a
    /// pause in a request's body, and a pause of the client in taking an answer. Default: 10 s.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// Sets how long a connection is kept without a request, or with HTTP/2 without any stream: then the client is told
    /// to go, and after the [handshake timeout](Self::handshake_timeout) at last is cut. Default: 60 s.
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.settings.keep_alive = timeout;
        self
    }

    /// Sets how long a graceful shutdown waits before it cuts what is left, whoever holds it. Default: 10 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.settings.shutdown_timeout = timeout;
        self
    }

    /// Sets how many connections are served at once; more wait to be accepted. One counts for as long as any
    /// part of it is open, in whatever task. Default: 100 000.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// Sets how many connections one IP address may have at once; more are dropped. Default: no limit.
    pub fn max_connections_per_ip(mut self, connections: usize) -> Self {
        self.settings.max_connections_per_ip = connections;
        self
    }

    /// Sets how many requests one connection of HTTP/1.1 may make. Default: 1 000.
    pub fn max_requests_per_connection(mut self, requests: usize) -> Self {
        self.settings.max_requests = requests;
        self
    }

    /// Sets the largest body of an ordinary request, in bytes. Default: 1 MiB.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.settings.max_body_size = bytes;
        self
    }

    /// Sets TCP_NODELAY. Default: set.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.settings.nodelay = nodelay;
        self
    }

    /// Binds and listens.
    ///
    /// # Errors
    /// [`Error::Io`] if that is not possible.
    pub async fn build(self) -> Result<Server, Error> {
        let Self { source, mut settings } = self;
        settings.tls = settings.tls.map(|tls| tls.with_alpn(settings.versions.alpn()));
        let Config { keepalive_interval, keepalive_timeout, write_timeout, .. } = settings.config;
        settings.http2 = settings
            .http2
            .enable_connect_protocol(settings.websockets)
            .handshake_timeout(Some(settings.handshake_timeout))
            .keepalive(keepalive_interval)
            .keepalive_timeout(keepalive_timeout)
            .write_timeout(write_timeout);
        // Without TLS of our own, something in front may have ended it.
        settings.handshake.secure = settings.tls.is_some().then_some(true);
        let listener = match source {
            Source::Tcp(addresses) => {
                Some(Listener::Tcp(tokio::net::TcpListener::bind(&addresses?[..]).await?))
            }
            #[cfg(unix)]
            Source::Unix(path) => Some(Listener::Unix(tokio::net::UnixListener::bind(path)?)),
            Source::Listener(listener) => Some(Listener::Tcp(listener)),
            Source::Detached => None,
        };
        Ok(Server { listener, settings: Arc::new(settings) })
    }
}
