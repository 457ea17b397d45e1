//! What can go wrong in an opening handshake, by who is to blame.

use std::fmt;

use http::{HeaderName, StatusCode};

use super::Refusal;

/// Why an opening handshake failed.
///
/// A handshake that the server *declined* with an answer of its own is no error here but a
/// [`Rejection`](super::Rejection), and a request that a server declines is a [`Refusal`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer sent something that is no HTTP/1.1 head.
    MalformedHead(&'static str),
    /// The peer's head is longer than the limit, in bytes.
    HeadTooLarge {
        /// The limit that was passed.
        limit: usize,
    },
    /// The peer's head has more header lines than the limit.
    TooManyHeaders {
        /// The limit that was passed.
        limit: usize,
    },
    /// The peer speaks a version of HTTP other than 1.0 and 1.1.
    UnsupportedHttpVersion,
    /// The peer's body is delimited in a malformed or ambiguous way.
    MalformedBody(&'static str),
    /// The peer's body has a transfer coding other than `chunked`.
    UnsupportedTransferEncoding,
    /// The peer's `Sec-WebSocket-Protocol` is malformed.
    MalformedSubprotocols(&'static str),
    /// The peer's `Sec-WebSocket-Extensions` is malformed.
    MalformedExtensions(&'static str),
    /// The connection ended before the handshake did.
    ClosedEarly,

    /// The server sent too many interim (1xx) responses.
    TooManyInterimResponses {
        /// The limit that was passed.
        limit: usize,
    },
    /// The server's 101 answer does not switch to `websocket`.
    MissingUpgrade,
    /// The server's 101 answer lacks `Connection: Upgrade`.
    MissingConnection,
    /// The server's 101 answer lacks `Sec-WebSocket-Accept`.
    MissingAccept,
    /// The server's `Sec-WebSocket-Accept` is not the answer to the key that was sent.
    WrongAccept,
    /// The server chose a subprotocol that was not offered, or more than one.
    UnexpectedSubprotocol(String),
    /// The server chose an extension that was not offered, chose it twice or in a way that cannot be kept.
    UnexpectedExtension(String),

    /// The caller's URI does not name a WebSocket.
    InvalidUri(&'static str),
    /// The caller gave something that is no header's name.
    InvalidHeaderName,
    /// The caller's value for this header cannot be sent.
    InvalidHeader(HeaderName),
    /// The caller set a header that the handshake itself decides on.
    ReservedHeader(HeaderName),
    /// The caller's subprotocol is no token, or was given twice.
    InvalidSubprotocol(String),
    /// The caller's extension has a name, a parameter or a value that is no token.
    InvalidExtension(String),
    /// The caller accepted with a subprotocol that the client did not offer.
    SubprotocolNotOffered(String),
    /// The caller went on with a handshake that had ended.
    Finished,
}

impl HandshakeError {
    /// The status with which a server answers this, or `None` where no answer is possible.
    ///
    /// What the server's own code did wrong is a 500; what only a client meets has no status.
    pub fn status(&self) -> Option<StatusCode> {
        Some(match self {
            Self::MalformedHead(_)
            | Self::MalformedBody(_)
            | Self::MalformedSubprotocols(_)
            | Self::MalformedExtensions(_) => StatusCode::BAD_REQUEST,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::UnsupportedHttpVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::UnsupportedTransferEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::InvalidHeaderName
            | Self::InvalidHeader(_)
            | Self::ReservedHeader(_)
            | Self::InvalidSubprotocol(_)
            | Self::InvalidExtension(_)
            | Self::SubprotocolNotOffered(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ClosedEarly
            | Self::TooManyInterimResponses { .. }
            | Self::MissingUpgrade
            | Self::MissingConnection
            | Self::MissingAccept
            | Self::WrongAccept
            | Self::UnexpectedSubprotocol(_)
            | Self::UnexpectedExtension(_)
            | Self::InvalidUri(_)
            | Self::Finished => return None,
        })
    }

    /// The answer that a server owes for this, where one is possible.
    ///
    /// It closes the connection: where the next request begins is not known after an error in a head. The
    /// mistakes of the server's own code are not told to the client.
    pub fn refusal(&self) -> Option<Refusal> {
        let status = self.status()?;
        let reason = if status == StatusCode::INTERNAL_SERVER_ERROR {
            "internal server error".to_owned()
        } else {
            self.to_string()
        };
        Some(Refusal::new(status, reason).closing())
    }

    /// Whether this is a mistake of the code that uses this crate, not of the peer.
    pub fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::InvalidUri(_)
                | Self::InvalidHeaderName
                | Self::InvalidHeader(_)
                | Self::ReservedHeader(_)
                | Self::InvalidSubprotocol(_)
                | Self::InvalidExtension(_)
                | Self::SubprotocolNotOffered(_)
                | Self::Finished
        )
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedHead(what) => write!(f, "malformed HTTP head: {what}"),
            Self::HeadTooLarge { limit } => write!(f, "HTTP head longer than {limit} bytes"),
            Self::TooManyHeaders { limit } => write!(f, "more than {limit} HTTP headers"),
            Self::UnsupportedHttpVersion => f.write_str("HTTP version neither 1.0 nor 1.1"),
            Self::MalformedBody(what) => write!(f, "malformed HTTP body: {what}"),
            Self::UnsupportedTransferEncoding => f.write_str("transfer coding other than chunked"),
            Self::MalformedSubprotocols(what) => write!(f, "malformed Sec-WebSocket-Protocol: {what}"),
            Self::MalformedExtensions(what) => write!(f, "malformed Sec-WebSocket-Extensions: {what}"),
            Self::ClosedEarly => f.write_str("connection closed during the opening handshake"),
            Self::TooManyInterimResponses { limit } => write!(f, "more than {limit} interim responses"),
            Self::MissingUpgrade => f.write_str("101 answer without Upgrade: websocket"),
            Self::MissingConnection => f.write_str("101 answer without Connection: Upgrade"),
            Self::MissingAccept => f.write_str("101 answer without Sec-WebSocket-Accept"),
            Self::WrongAccept => f.write_str("Sec-WebSocket-Accept does not answer the key"),
            Self::UnexpectedSubprotocol(name) => write!(f, "server chose subprotocol {name:?}, not offered"),
            Self::UnexpectedExtension(name) => write!(f, "server chose extension {name:?} against the offer"),
            Self::InvalidUri(what) => write!(f, "invalid WebSocket URI: {what}"),
            Self::InvalidHeaderName => f.write_str("not a header's name"),
            Self::InvalidHeader(name) => write!(f, "invalid value for header {name}"),
            Self::ReservedHeader(name) => write!(f, "header {name} belongs to the handshake"),
            Self::InvalidSubprotocol(name) => write!(f, "subprotocol {name:?} is no token or not unique"),
            Self::InvalidExtension(name) => write!(f, "extension {name:?} is not made of tokens"),
            Self::SubprotocolNotOffered(name) => write!(f, "client did not offer subprotocol {name:?}"),
            Self::Finished => f.write_str("opening handshake has ended already"),
        }
    }
}

impl std::error::Error for HandshakeError {}
