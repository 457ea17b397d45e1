//! A client's settings.

use std::time::Duration;

use super::Client;
use crate::carrier::{MAX_STREAMS, h2_config, without_keepalive};
use crate::versions::Versions;
use crate::ws::Config;
use crate::ws::handshake::HeadLimits;
use crate::{h2, tls};

/// The settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    pub(super) config: Config,
    pub(super) tls: Option<tls::ClientConfig>,
    pub(super) versions: Versions,
    pub(super) connect_timeout: Duration,
    pub(super) settings_timeout: Duration,
    pub(super) handshake_timeout: Duration,
    pub(super) pool_idle_timeout: Duration,
    pub(super) max_redirects: usize,
    pub(super) nodelay: bool,
    pub(super) limits: HeadLimits,
    pub(super) http2: h2::Config,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            tls: None,
            versions: Versions::Auto,
            connect_timeout: Duration::from_secs(30),
            settings_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            pool_idle_timeout: Duration::from_secs(60),
            max_redirects: 0,
            nodelay: true,
            limits: HeadLimits::default(),
            http2: h2_config(),
        }
    }
}

impl ClientBuilder {
    /// The most WebSockets on one HTTP/2 connection, where the server would take more.
    pub(super) const MAX_STREAMS: usize = MAX_STREAMS as usize;

    /// Sets the limits and times of the WebSockets. Default: [`Config::default`].
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Pings the peer after this long without a sign of life ([`Config::keepalive_interval`]). Default:
    /// never.
    ///
    /// Over HTTP/2 it is the connection that does so, once for all of its WebSockets (RFC 9113 §6.7), whose
    /// [`rtt`](crate::ws::io::WebSocket::rtt) does not tell of it.
    #[must_use]
    pub fn keepalive(mut self, interval: Duration) -> Self {
        self.config.keepalive_interval = Some(interval);
        self
    }

    /// Sets the TLS configuration for `wss://`. Default: the platform's roots, no client certificate.
    /// Its ALPN protocols are replaced by those of the [versions](Self::versions).
    #[must_use]
    pub fn tls(self, tls: tls::ClientConfig) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Sets which versions of HTTP are spoken. Default: [`Versions::Auto`].
    ///
    /// So `wss://` is HTTP/2 with a server that takes WebSockets over it (RFC 8441 §3). To any other it is
    /// HTTP/1.1, which is remembered for ten minutes. `ws://` is HTTP/1.1 unless it is to be HTTP/2 alone.
    #[must_use]
    pub fn versions(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }

    /// Sets how long resolving, the TCP connection and TLS may take together; and waiting for another
    /// attempt that makes an HTTP/2 connection to the same place. Default: 30 s.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// Sets how long an HTTP/2 server may take after that for its first SETTINGS. Default: 10 s.
    #[must_use]
    pub fn settings_timeout(self, timeout: Duration) -> Self {
        Self { settings_timeout: timeout, ..self }
    }

    /// Sets how long the opening handshake may take after that. Default: 10 s.
    #[must_use]
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        Self { handshake_timeout: timeout, ..self }
    }

    /// Sets how long an HTTP/2 connection without a WebSocket is kept for the next one. Default: 60 s.
    #[must_use]
    pub fn pool_idle_timeout(self, timeout: Duration) -> Self {
        Self { pool_idle_timeout: timeout, ..self }
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
    ///
    /// Over HTTP/2 the size is limited by [`h2::Config::max_header_list_size`].
    #[must_use]
    pub fn head_limits(self, limits: HeadLimits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the settings of HTTP/2 connections, but for those of the keepalive, of writing and the handshake's time,
    /// which are set here. Default: windows of 16 KiB a stream at first, and 32 MiB a connection.
    ///
    /// A connection carries as many WebSockets as its server lets it, 1000 at most.
    #[must_use]
    pub fn http2(self, http2: h2::Config) -> Self {
        Self { http2, ..self }
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        let http2 = self
            .http2
            .keepalive(self.config.keepalive_interval)
            .keepalive_timeout(self.config.keepalive_timeout)
            .write_timeout(self.config.write_timeout)
            .handshake_timeout(Some(self.settings_timeout));
        Client::new(Self { http2, ..self })
    }

    /// The settings of a WebSocket over HTTP/2.
    pub(super) fn shared_config(&self) -> Config {
        without_keepalive(&self.config, &self.config).into_owned()
    }
}
