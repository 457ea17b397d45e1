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

/// Takes the padding off: its length in front, and itself behind. Gives the rest, and how much there was of the padding
/// without its length.
fn unpad(head: Head, payload: &[u8]) -> Result<(&[u8], Option<u8>), Violation> {
    if !head.has(flag::PADDED) {
        return Ok((payload, None));
    }
    // RFC 9113 §4.2: too short for what it must hold.
    let Some((&padding, rest)) = payload.split_first() else {
        return Err(Violation::connection(FRAME_SIZE_ERROR, "no room for the length of the padding"));
    };
    // RFC 9113 §6.1: padding that is as long as the payload or longer is a connection error.
    match rest.len().checked_sub(usize::from(padding)) {
        Some(length) => Ok((&rest[..length], Some(padding))),
        None => Err(Violation::connection(PROTOCOL_ERROR, "more padding than payload")),
    }
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

use crate::error_code::ErrorCode;
const FRAME_SIZE_ERROR: ErrorCode = ErrorCode::FRAME_SIZE_ERROR;
const PROTOCOL_ERROR: ErrorCode = ErrorCode::PROTOCOL_ERROR;
