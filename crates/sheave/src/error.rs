//! What can go wrong, by whose fault.

use std::net::SocketAddr;
use std::{fmt, io};

use crate::ws::handshake::{HandshakeError, Refusal, Rejection};
use crate::{h2, tls, ws};

/// Why a client or a server failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The WebSocket failed: the peer's protocol violation, a limit, a timeout, the transport; or the opening
    /// handshake was rejected.
    WebSocket(ws::Error),
    /// HTTP/2 failed: the connection, or the stream of one WebSocket or request, which the peer may have
    /// [reset](h2::Error::Reset).
    Http2(h2::Error),
    /// HTTP/2 is [asked for](crate::Versions::Http2Only), and the server does not speak it over TLS (ALPN).
    NoHttp2,
    /// HTTP/2 is [asked for](crate::Versions::Http2Only), and the server does not take WebSockets over it (RFC 8441 §3).
    NoExtendedConnect,
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
            Self::Http2(error) => write!(f, "HTTP/2: {error}"),
            Self::NoHttp2 => f.write_str("the server does not speak HTTP/2"),
            Self::NoExtendedConnect => f.write_str("the server does not take WebSockets over HTTP/2"),
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
            Self::Http2(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Resolve(error) | Self::Io(error) => Some(error),
            Self::Other(error) => Some(&**error),
            _ => None,
        }
    }
}

/// What an HTTP/2 stream has failed by becomes [`Error::Http2`].
impl From<ws::Error> for Error {
    fn from(error: ws::Error) -> Self {
        match stream_error(&error) {
            Some(stream) => Self::Http2(stream.clone()),
            None => Self::WebSocket(error),
        }
    }
}

impl From<h2::Error> for Error {
    fn from(error: h2::Error) -> Self {
        Self::Http2(error)
    }
}

/// What a WebSocket's stream of HTTP/2 has failed by, such as [`h2::Error::Reset`] with the peer's code; `None` if that is
/// not what went wrong.
pub fn stream_error(error: &ws::Error) -> Option<&h2::Error> {
    match error {
        ws::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
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
