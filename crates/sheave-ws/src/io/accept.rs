//! The opening handshake as a server.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

use super::http1::{Http1, within};
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::config::Config;
use crate::error::Error;
use crate::handshake::{HeadLimits, ServerHandshake};

/// Opens a WebSocket on a connection that a client has just made, with the defaults of [`Accept`].
///
/// # Errors
/// As [`Accept::accept`].
///
/// # Cancel safety
/// Not safe: dropping it drops the connection.
pub async fn accept<S: Transport>(io: S) -> Result<WebSocket<S>, Error> {
    Accept::default().accept(io).await
}

/// How to open a WebSocket as a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accept {
    /// The WebSocket's limits and times.
    pub config: Config,
    /// Which requests are accepted. Default: browsers only from the same origin.
    pub handshake: ServerHandshake,
    /// The limits of the request's head. Default: 64 KiB, 100 headers.
    pub limits: HeadLimits,
    /// How long all of the handshake may take. Default: 10 s.
    pub timeout: Duration,
    /// The subprotocols that are supported. Default: none.
    pub subprotocols: Vec<String>,
}

impl Default for Accept {
    fn default() -> Self {
        Self {
            config: Config::default(),
            handshake: ServerHandshake::default(),
            limits: HeadLimits::default(),
            timeout: Duration::from_secs(10),
            subprotocols: Vec::new(),
        }
    }
}

impl Accept {
    /// Sets [`Self::config`].
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Sets [`Self::handshake`].
    #[must_use]
    pub fn handshake(self, handshake: ServerHandshake) -> Self {
        Self { handshake, ..self }
    }

    /// Sets [`Self::limits`].
    #[must_use]
    pub fn limits(self, limits: HeadLimits) -> Self {
        Self { limits, ..self }
    }

    /// Sets [`Self::timeout`].
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Adds to [`Self::subprotocols`].
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Reads the request on `io` and answers it. To look at the request first, use [`Http1`].
    ///
    /// # Errors
    /// [`Error::Refused`] if the request was not in order; it has been answered then. [`Error::Handshake`],
    /// [`Error::Timeout`], [`Error::Io`].
    ///
    /// # Cancel safety
    /// Not safe: dropping it drops the connection.
    pub async fn accept<S: Transport>(&self, io: S) -> Result<WebSocket<S>, Error> {
        let started = Instant::now();
        let mut http = Http1::new(io, self.limits.clone());
        let request = match within(self.timeout, http.request()).await {
            Ok(request) => request.ok_or(Error::Disconnected)?,
            Err(Error::Handshake(error)) => {
                if let Some(refusal) = error.refusal() {
                    http.refuse(&refusal, self.config.close_timeout).await;
                }
                return Err(error.into());
            }
            Err(error) => return Err(error),
        };
        match self.handshake.check(&request) {
            Ok(upgrade) => {
                let subprotocol = upgrade.choose(&self.subprotocols);
                let extensions = self.config.extensions(self.handshake.secure == Some(true));
                let (response, agreed) = upgrade.accept(subprotocol, &extensions, HeaderMap::new())?;
                http.feed(&response, Bytes::new());
                within(self.timeout.saturating_sub(started.elapsed()), http.flush()).await?;
                Ok(http.into_websocket(agreed, &self.config))
            }
            Err(refusal) => {
                let refusal = refusal.closing();
                http.refuse(&refusal, self.config.close_timeout).await;
                Err(Error::Refused(refusal))
            }
        }
    }
}
