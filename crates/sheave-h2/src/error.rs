//! What can go wrong, by whose fault.

use std::sync::Arc;
use std::{fmt, io};

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::stream_id::StreamId;

/// Why a stream or a connection failed. What fails a connection fails each of its streams.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke RFC 9113, and was told so by RST_STREAM or GOAWAY.
    Protocol(Violation),
    /// The peer ended the stream with RST_STREAM.
    Reset(ErrorCode),
    /// The peer ended the connection with GOAWAY and a code that is not [`ErrorCode::NO_ERROR`].
    GoAway(GoAwayReason),
    /// The peer has not done anything with the request, and will not: it refused it, left it out when it ended the
    /// connection, or was never sent it. It can be made again, on another connection (RFC 9113 §8.7).
    Unprocessed,
    /// The transport failed.
    Io(Arc<io::Error>),
    /// Something took longer than its limit.
    Timeout(Timeout),
    /// The connection has ended, or does not take new requests.
    Closed,
    /// The caller asked for something that the protocol, or the peer, does not allow.
    Usage(Usage),
}

/// How the peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The stream that ends by it, or [`StreamId::CONNECTION`] if the connection does.
    pub stream: StreamId,
    /// What the peer is told.
    pub code: ErrorCode,
    /// What happened.
    pub reason: &'static str,
}

impl Violation {
    /// One that ends the connection (RFC 9113 §5.4.1).
    pub(crate) const fn connection(code: ErrorCode, reason: &'static str) -> Self {
        Self { stream: StreamId::CONNECTION, code, reason }
    }

    /// One that ends a stream (RFC 9113 §5.4.2).
    pub(crate) const fn stream(stream: StreamId, code: ErrorCode, reason: &'static str) -> Self {
        Self { stream, code, reason }
    }

    /// Whether it ends the connection.
    pub const fn ends_connection(self) -> bool {
        self.stream.is_connection()
    }
}

/// What the peer said when it ended the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoAwayReason {
    /// Why.
    pub code: ErrorCode,
    /// For people who look into it; at most 1 KiB of what the peer sent.
    pub debug_data: Bytes,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// The peer's first SETTINGS, or its preface.
    Handshake,
    /// The acknowledgement of SETTINGS.
    Settings,
    /// The acknowledgement of a keepalive PING.
    KeepAlive,
    /// A write that made no progress.
    Write,
}

/// What must not be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// The request or response cannot be said in HTTP/2, for this reason.
    Malformed(&'static str),
    /// An extended CONNECT to a server that did not say that it takes it (RFC 8441 §3).
    NoConnectProtocol,
    /// The server takes no more streams at once (RFC 9113 §5.1.2).
    TooManyStreams,
    /// A push to a client that does not take it (RFC 9113 §8.4).
    NoPush,
    /// The stream's own half is closed already, or not open yet.
    NotSending,
    /// The field section is larger than the peer takes.
    HeaderListTooLarge,
    /// What is sent is not as long as its `content-length` says.
    ContentLength,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(violation) => violation.fmt(f),
            Self::Reset(code) => write!(f, "the peer reset the stream: {code}"),
            Self::GoAway(reason) => write!(f, "the peer ended the connection: {}", reason.code),
            Self::Unprocessed => f.write_str("the peer has not processed the request"),
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::Closed => f.write_str("the connection is closed"),
            Self::Usage(usage) => usage.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<Usage> for Error {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}

/// For [`AsyncRead`](https://docs.rs/tokio/latest/tokio/io/trait.AsyncRead.html) and its like.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(error) => error.kind(),
            Error::Protocol(_) => io::ErrorKind::InvalidData,
            Error::Reset(_) | Error::GoAway(_) | Error::Unprocessed => io::ErrorKind::ConnectionReset,
            Error::Timeout(_) => io::ErrorKind::TimedOut,
            Error::Closed => io::ErrorKind::NotConnected,
            Error::Usage(_) => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer broke the protocol: {} ({})", self.reason, self.code)
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the peer did not begin with HTTP/2 in time",
            Self::Settings => "the peer did not acknowledge the settings in time",
            Self::KeepAlive => "the peer did not answer a PING in time",
            Self::Write => "the peer took nothing for too long",
        })
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "not to be said in HTTP/2: {why}"),
            Self::NoConnectProtocol => f.write_str("the server does not take an extended CONNECT"),
            Self::TooManyStreams => f.write_str("the server takes no more streams at once"),
            Self::NoPush => f.write_str("the client does not take a push"),
            Self::NotSending => f.write_str("nothing can be sent on the stream now"),
            Self::HeaderListTooLarge => f.write_str("the fields are larger than the peer takes"),
            Self::ContentLength => f.write_str("the content is not as long as content-length says"),
        }
    }
}
