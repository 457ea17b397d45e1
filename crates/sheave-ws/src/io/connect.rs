//! The opening handshake as a client.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;

use super::entropy::handshake_key;
use super::http1::within;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::config::{Config, Role};
use crate::error::Error;
use crate::handshake::{ClientHandshake, ClientOutcome, ClientRequest};
use crate::output::Output;

/// Opens the WebSocket at `uri` on a connection to its server, with the defaults of [`Connect`].
///
/// # Errors
/// As [`Connect::connect`]; [`Error::Handshake`] if `uri` is none of a WebSocket.
///
/// # Cancel safety
/// Not safe: dropping it drops the connection.
pub async fn connect<S: Transport>(uri: &str, io: S) -> Result<WebSocket<S>, Error> {
    Connect::default().connect(&uri.parse()?, io).await
}

/// How to open a WebSocket as a client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connect {
    /// The WebSocket's limits and times.
    pub config: Config,
    /// How long all of the handshake may take. Default: 10 s.
    pub timeout: Duration,
}

impl Default for Connect {
    fn default() -> Self {
        Self { config: Config::default(), timeout: Duration::from_secs(10) }
    }
}

impl Connect {
    /// Sets [`Self::config`].
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Sets [`Self::timeout`].
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends the request on `io` and reads its answer.
    ///
    /// # Errors
    /// [`Error::Rejected`], with status, headers and body, if the server did not open a WebSocket;
    /// [`Error::Handshake`] if its answer breaks RFC 6455 §4.1; [`Error::Timeout`], [`Error::Io`].
    ///
    /// # Cancel safety
    /// Not safe: dropping it drops the connection.
    pub async fn connect<S: Transport>(
        &self,
        request: &ClientRequest,
        mut io: S,
    ) -> Result<WebSocket<S>, Error> {
        let mut output = Output::default();
        let mut input = BytesMut::new();
        let extensions = self.config.extensions(request.is_secure());
        let mut handshake = request.encode(handshake_key()?, &extensions, output.tail())?;
        let exchanged = within(self.timeout, exchange(&mut io, output, &mut handshake, &mut input)).await;
        let outcome = match exchanged {
            // A server that has refused but does not end its body has refused nevertheless.
            Err(Error::Timeout(timeout)) => {
                handshake.read_cut(&mut input).map_err(|_| Error::Timeout(timeout))?
            }
            exchanged => exchanged?,
        };
        match outcome {
            ClientOutcome::Accepted { agreed, response } => {
                let ws = WebSocket::new(io, Role::Client, &self.config, input);
                Ok(ws.agreed(agreed, &self.config).response(response))
            }
            ClientOutcome::Rejected(rejection) => Err(rejection.into()),
        }
    }
}

/// Sends the request and reads its answer.
async fn exchange<S: Transport>(
    io: &mut S,
    mut output: Output,
    handshake: &mut ClientHandshake,
    input: &mut BytesMut,
) -> Result<ClientOutcome, Error> {
    let mut written = None;
    loop {
        if let Some(outcome) = handshake.read(input)? {
            return Ok(outcome);
        }
        let received = poll_fn(|cx| {
            if written.is_none()
                && let Poll::Ready(result) = io.poll_transmit(cx, &mut output)
            {
                written = Some(result);
            }
            // A server that takes no more of the request may have answered already (RFC 9112 §9.5).
            io.poll_receive(cx, input, 0)
        });
        let received = received.await;
        // What the server said before the end counts more than how the connection ended.
        return match received {
            Ok(1..) => continue,
            Ok(0) => match (handshake.read_eof(input), written) {
                (Err(_), Some(Err(error))) => Err(error.into()),
                (ended, _) => Ok(ended?),
            },
            Err(error) => {
                let error = written.and_then(Result::err).unwrap_or(error);
                handshake.read_cut(input).map_err(|_| error.into())
            }
        };
    }
}
