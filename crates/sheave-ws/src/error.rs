//! What can go wrong, by whose fault.

use std::{fmt, io};

use sheave_deflate::DeflateError;

use crate::close::{CloseCode, CloseFrame};
use crate::handshake::{HandshakeError, Refusal, Rejection};
use crate::message::Utf8Bytes;

/// Why a WebSocket failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke RFC 6455. It was sent a Close with [`ProtocolError::close_code`].
    Protocol(ProtocolError),
    /// The peer sent more than the configured limit. It was sent Close 1009.
    Limit(Limit),
    /// The opening handshake failed.
    Handshake(HandshakeError),
    /// The server answered the opening handshake with something other than a WebSocket.
    Rejected(Rejection),
    /// The client's request was not an opening handshake that this server takes; it was answered so.
    Refused(Refusal),
    /// The transport ended without a closing handshake (RFC 6455 §7.1.5, code 1006).
    Disconnected,
    /// The transport failed.
    Io(io::Error),
    /// Something took longer than its limit.
    Timeout(Timeout),
    /// The WebSocket is closed: nothing can be sent or received any more.
    Closed,
    /// The caller asked for something that the protocol does not allow.
    Usage(Usage),
}

impl Error {
    /// The code that the peer is told, where this error is the peer's fault.
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Protocol(error) => Some(error.close_code()),
            Self::Limit(_) => Some(CloseCode::TOO_BIG),
            Self::Timeout(Timeout::Idle) => Some(CloseCode::GOING_AWAY),
            _ => None,
        }
    }

    /// The Close that tells the peer.
    pub(crate) fn close_frame(&self) -> CloseFrame {
        let code = self.close_code().unwrap_or(CloseCode::INTERNAL_ERROR);
        let reason = match self {
            Self::Protocol(error) => error.reason(),
            Self::Limit(limit) => limit.reason(),
            _ => "",
        };
        CloseFrame::new(code, Utf8Bytes::from_static(reason)).unwrap_or_else(|_| code.into())
    }
}

/// How the peer broke the framing of RFC 6455.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// An opcode that has no meaning (§5.2).
    ReservedOpCode(u8),
    /// A reserved bit that no extension gave a meaning to there (§5.2).
    ReservedBits,
    /// A length that is not written in the fewest bytes (§5.2).
    NonMinimalLength,
    /// A length with its highest bit set (§5.2).
    LengthOverflow,
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes (§5.5).
    ControlTooLong,
    /// A frame from a client that is not masked (§5.1).
    Unmasked,
    /// A frame from a server that is masked (§5.1).
    Masked,
    /// A continuation frame with nothing to continue (§5.4).
    UnexpectedContinuation,
    /// A new data message inside a fragmented one (§5.4).
    ExpectedContinuation,
    /// Text that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A compressed message that cannot be inflated (RFC 7692 §7.2.2).
    Deflate,
    /// A Close payload of one byte (§5.5.1).
    ClosePayload,
    /// A close code that must not be sent (§7.4).
    CloseCode(u16),
    /// A close reason that is not UTF-8 (§5.5.1).
    CloseReason,
}

impl ProtocolError {
    /// The code of the Close frame that answers this.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::Deflate | Self::CloseReason => CloseCode::INVALID_PAYLOAD,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// What happened, as the Close frame's reason says it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ReservedOpCode(_) => "reserved opcode",
            Self::ReservedBits => "reserved bit set",
            Self::NonMinimalLength => "length not in its shortest form",
            Self::LengthOverflow => "length above 2^63",
            Self::FragmentedControl => "fragmented control frame",
            Self::ControlTooLong => "control frame over 125 bytes",
            Self::Unmasked => "frame from a client not masked",
            Self::Masked => "frame from a server masked",
            Self::UnexpectedContinuation => "continuation of nothing",
            Self::ExpectedContinuation => "new message inside a fragmented one",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::Deflate => "compressed data is corrupt",
            Self::ClosePayload => "close payload of one byte",
            Self::CloseCode(_) => "close code not allowed",
            Self::CloseReason => "close reason is not UTF-8",
        }
    }
}

/// Which limit the peer went over ([`crate::Config`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// A message longer than [`crate::Config::max_message_size`], or read in parts and longer than
    /// [`crate::Config::max_streamed_size`]; of a compressed one, what it inflates to counts.
    MessageSize,
    /// A frame longer than [`crate::Config::max_frame_size`].
    FrameSize,
    /// A message of more frames than [`crate::Config::max_fragments`].
    Fragments,
}

impl Limit {
    /// What happened, as the Close frame's reason says it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::MessageSize => "message too big",
            Self::FrameSize => "frame too big",
            Self::Fragments => "too many fragments",
        }
    }
}

/// What took too long ([`crate::Config`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// The opening handshake.
    Handshake,
    /// The peer's half of the closing handshake.
    Close,
    /// Any sign of life from the peer after a keepalive Ping.
    Keepalive,
    /// No message in either direction.
    Idle,
    /// The peer takes nothing of what is being written.
    Write,
}

/// What the caller did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// A Ping payload over 125 bytes (RFC 6455 §5.5).
    ControlTooLong,
    /// A close reason over 123 bytes (RFC 6455 §5.5).
    CloseReasonTooLong,
    /// A close reason, but no code before it (RFC 6455 §5.5.1).
    ReasonWithoutCode,
    /// A new message, or a fragment of the other kind, inside a message that is sent in fragments
    /// (RFC 6455 §5.4).
    InsideMessage,
    /// A part of a message before [`crate::Outgoing::begin`], or its end inside a character of text.
    Incomplete,
    /// A part of a text message that is not UTF-8.
    InvalidUtf8,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => write!(f, "the peer broke the protocol: {}", error.reason()),
            Self::Limit(limit) => write!(f, "the peer went over a limit: {}", limit.reason()),
            Self::Handshake(error) => write!(f, "the opening handshake failed: {error}"),
            Self::Rejected(rejection) => write!(f, "no WebSocket: {rejection}"),
            Self::Refused(refusal) => write!(f, "the client's request was {refusal}"),
            Self::Disconnected => f.write_str("the connection ended without a closing handshake"),
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::Closed => f.write_str("the WebSocket is closed"),
            Self::Usage(usage) => usage.fmt(f),
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the opening handshake took too long",
            Self::Close => "the peer did not finish the closing handshake in time",
            Self::Keepalive => "the peer did not answer a keepalive Ping in time",
            Self::Idle => "no message for too long",
            Self::Write => "the peer takes no data",
        })
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ControlTooLong => "a control frame carries at most 125 bytes",
            Self::CloseReasonTooLong => "a close reason is at most 123 bytes long",
            Self::ReasonWithoutCode => "a close reason follows a code",
            Self::InsideMessage => "a fragmented message has to be finished first",
            Self::Incomplete => "no message was begun, or it ends inside a character",
            Self::InvalidUtf8 => "a text message is UTF-8",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Handshake(error) => Some(error),
            _ => None,
        }
    }
}

impl std::error::Error for Usage {}

/// For readers and writers, which speak of [`io::Error`]: the WebSocket's error is inside.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Io(error) => return error,
            Error::Protocol(_) | Error::Limit(_) => io::ErrorKind::InvalidData,
            Error::Timeout(_) => io::ErrorKind::TimedOut,
            Error::Disconnected => io::ErrorKind::UnexpectedEof,
            Error::Closed => io::ErrorKind::BrokenPipe,
            Error::Usage(_) => io::ErrorKind::InvalidInput,
            Error::Handshake(_) | Error::Rejected(_) | Error::Refused(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<DeflateError> for Error {
    fn from(error: DeflateError) -> Self {
        match error {
            DeflateError::TooLarge => Limit::MessageSize.into(),
            _ => ProtocolError::Deflate.into(),
        }
    }
}

impl From<Limit> for Error {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Usage> for Error {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}
