//! Frames, each in a file of its own (RFC 9113 §4, §6).
//!
//! A frame is read from a whole payload, and borrows it. It is written behind what is in a buffer already.

mod continuation;
mod data;
mod goaway;
mod head;
mod headers;
mod ping;
mod priority;
mod priority_update;
mod push_promise;
mod rst_stream;
mod settings;
mod window_update;

pub use self::continuation::Continuation;
pub use self::data::Data;
pub use self::goaway::GoAway;
pub use self::head::{Head, Kind, flag};
pub use self::headers::Headers;
pub use self::ping::Ping;
pub use self::priority::{Dependency, Priority};
pub use self::priority_update::PriorityUpdate;
pub use self::push_promise::PushPromise;
pub use self::rst_stream::RstStream;
pub use self::settings::{Setting, Settings};
pub use self::window_update::WindowUpdate;

use crate::error::Violation;
use crate::error_code::ErrorCode;

const FRAME_SIZE_ERROR: ErrorCode = ErrorCode::FRAME_SIZE_ERROR;
const PROTOCOL_ERROR: ErrorCode = ErrorCode::PROTOCOL_ERROR;

/// Any frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// What a stream carries.
    Data(Data<'a>),
    /// Opens a stream, or ends it with trailers.
    Headers(Headers<'a>),
    /// Deprecated (RFC 9113 §5.3.2).
    Priority(Priority),
    /// Ends a stream at once.
    RstStream(RstStream),
    /// What the sender wants of the peer.
    Settings(Settings<'a>),
    /// Announces a stream that a server opens.
    PushPromise(PushPromise<'a>),
    /// Measures a round trip, or asks for a sign of life.
    Ping(Ping),
    /// Ends the connection, or is about to.
    GoAway(GoAway<'a>),
    /// Lets the peer send more.
    WindowUpdate(WindowUpdate),
    /// More of a field block.
    Continuation(Continuation<'a>),
    /// How urgent a stream is (RFC 9218).
    PriorityUpdate(PriorityUpdate<'a>),
    /// To be ignored (RFC 9113 §4.1).
    Unknown(Head),
}

impl<'a> Frame<'a> {
    /// Reads a frame from its head and its whole payload.
    ///
    /// # Errors
    ///
    /// What it breaks, and whether that ends the stream or the connection.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        Ok(match head.kind {
            Kind::DATA => Self::Data(Data::read(head, payload)?),
            Kind::HEADERS => Self::Headers(Headers::read(head, payload)?),
            Kind::PRIORITY => Self::Priority(Priority::read(head, payload)?),
            Kind::RST_STREAM => Self::RstStream(RstStream::read(head, payload)?),
            Kind::SETTINGS => Self::Settings(Settings::read(head, payload)?),
            Kind::PUSH_PROMISE => Self::PushPromise(PushPromise::read(head, payload)?),
            Kind::PING => Self::Ping(Ping::read(head, payload)?),
            Kind::GOAWAY => Self::GoAway(GoAway::read(head, payload)?),
            Kind::WINDOW_UPDATE => Self::WindowUpdate(WindowUpdate::read(head, payload)?),
            Kind::CONTINUATION => Self::Continuation(Continuation::read(head, payload)?),
            Kind::PRIORITY_UPDATE => Self::PriorityUpdate(PriorityUpdate::read(head, payload)?),
            _ => Self::Unknown(head),
        })
    }
}

/// What a payload begins with, what follows, and how much padding there is: its length is in front of all, and itself
/// behind.
type Unpadded<'a, const N: usize> = ([u8; N], &'a [u8], Option<u8>);

/// Takes the padding off.
fn unpad<const N: usize>(head: Head, payload: &[u8]) -> Result<Unpadded<'_, N>, Violation> {
    // RFC 9113 §4.2
    let too_short = Violation::connection(FRAME_SIZE_ERROR, "too short for the fields that it must have");
    let (padding, rest) = match payload.split_first() {
        _ if !head.has(flag::PADDED) => (None, payload),
        Some((&padding, rest)) => (Some(padding), rest),
        None => return Err(too_short),
    };
    let (fixed, rest) = rest.split_first_chunk().ok_or(too_short)?;
    // RFC 9113 §6.1, §6.2, §6.6: "Padding that exceeds the size remaining" is a connection error.
    match rest.len().checked_sub(padding.unwrap_or(0).into()) {
        Some(length) => Ok((*fixed, &rest[..length], padding)),
        None => Err(Violation::connection(PROTOCOL_ERROR, "more padding than payload")),
    }
}

/// How much longer a payload is by its padding.
fn padded_by(padding: Option<u8>) -> usize {
    padding.map_or(0, |padding| 1 + usize::from(padding))
}

/// Those of the flags that are set.
fn flags<const N: usize>(flags: [(bool, u8); N]) -> u8 {
    flags.into_iter().filter(|(set, _)| *set).fold(0, |flags, (_, flag)| flags | flag)
}

/// A payload that has exactly this many bytes, or else RFC 9113 §4.2.
fn exactly<const N: usize>(payload: &[u8], why: &'static str) -> Result<[u8; N], Violation> {
    payload.try_into().map_err(|_| Violation::connection(FRAME_SIZE_ERROR, why))
}

/// The first four bytes as a number, and the rest.
fn split_u32(payload: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = payload.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}
