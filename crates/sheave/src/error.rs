//! What can go wrong, by whose fault.

use std::net::SocketAddr;
use std::{fmt, io};

use crate::ws::handshake::{HandshakeError, Refusal, Rejection};
use crate::{tls, ws};

/// Why a client or a server failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The WebSocket failed: the peer's protocol violation, a limit, a timeout, the transport; or the opening
    /// handshake was rejected.
    WebSocket(ws::Error),
    /// TLS failed: the configuration, the peer's certificate, the peer's handshake.
    Tls(tls::Error),
    /// The host's name could not be resolved.
    Resolve(io::Error),
    /// None of the host's addresses could be reached: why, for each that was tried.
    Unreachable(Vec<(SocketAddr, io::Error)>),
    /// Connecting took longer than [`ClientBuilder::connect_timeout`](crate::ClientBuilder::connect_timeout).
    ConnectTimeout,
    /// A redirect that is not followed: from TLS to plain text, to another scheme, or without a place to go.
    Redirect(Rejection),
    /// The body of a request is longer than [`ServerBuilder::max_body_size`](crate::ServerBuilder::max_body_size).
    BodyTooLarge,
    /// Something with the operating system: binding, listening, a Unix socket that cannot be connected to.
    Io(io::Error),
    /// The caller's own error, of a handler.
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Any error of a handler's own.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    /// The server's answer, if it answered the opening handshake with something other than a WebSocket.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::WebSocket(ws::Error::Rejected(rejection)) | Self::Redirect(rejection) => Some(rejection),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebSocket(error) => error.fmt(f),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Resolve(error) => write!(f, "the host's name could not be resolved: {error}"),
            Self::Unreachable(attempts) => {
                f.write_str("no address of the host could be reached")?;
                for (address, error) in attempts {
                    write!(f, "; {address}: {error}")?;
                }
                Ok(())
            }
            Self::ConnectTimeout => f.write_str("connecting took too long"),
            Self::Redirect(rejection) => {
                let location = rejection.location().unwrap_or("nowhere");
                write!(f, "a redirect to {location} is not followed")
            }
            Self::BodyTooLarge => f.write_str("the request's body is too large"),
            Self::Io(error) => error.fmt(f),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::WebSocket(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Resolve(error) | Self::Io(error) => Some(error),
            Self::Other(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<ws::Error> for Error {
    fn from(error: ws::Error) -> Self {
        Self::WebSocket(error)
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        Self::WebSocket(error.into())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::WebSocket(ws::Error::Refused(refusal))
    }
}

impl From<ws::Usage> for Error {
    fn from(usage: ws::Usage) -> Self {
        Self::WebSocket(usage.into())
    }
}

impl From<tls::Error> for Error {
    fn from(error: tls::Error) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
