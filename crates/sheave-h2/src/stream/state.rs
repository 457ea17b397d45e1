//! The states of a stream (RFC 9113 §5.1).

use crate::error_code::ErrorCode;

/// ```text
///                              +--------+
///                      send PP |        | recv PP
///                     ,--------+  Idle  +--------.
///                    v         +---+----+         v
///           ReservedLocal     send/recv H     ReservedRemote
///              |                   v                   |
///              | send H        +--------+        recv H |
///              v          ,----+  Open  +----.          v
///       HalfClosedRemote <-----+        +-----> HalfClosedLocal
///              |       recv ES +---+----+ send ES      |
///              '----------------.  | send/recv R  .----'
///                send ES, R      v v             v  recv ES, R
///                               +--------+
///                               | Closed |
///                               +--------+
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing was sent or received.
    #[default]
    Idle,
    /// We promised it.
    ReservedLocal,
    /// The peer promised it.
    ReservedRemote,
    /// Both may send.
    Open,
    /// We have ended our half.
    HalfClosedLocal,
    /// The peer has ended its half.
    HalfClosedRemote,
    /// It has ended, in this way.
    Closed(Closed),
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Both ended their halves.
    Ended,
    /// We reset it. What the peer sent before it knew is ignored.
    ResetHere,
    /// The peer reset it.
    ResetThere,
    /// It was never opened: one with a higher number was (RFC 9113 §5.1.1).
    Skipped,
    /// In one of these ways, too long ago to know.
    Forgotten,
}

/// A frame that a stream's state has to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// HEADERS, the field block whole; or its last frame has END_STREAM.
    Headers { end_stream: bool },
    /// DATA.
    Data { end_stream: bool },
    /// RST_STREAM.
    Reset,
    /// WINDOW_UPDATE.
    WindowUpdate,
    /// PUSH_PROMISE: of the stream that is promised.
    Promise,
}

/// What a received frame comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The stream goes to this state.
    To(State),
    /// It came too late to mean anything.
    Ignored,
    /// It ends the stream with this code.
    StreamError(ErrorCode),
    /// It ends the connection with this code.
    ConnectionError(ErrorCode),
}

impl State {
    /// A frame comes from the peer.
    pub(crate) fn receive(self, frame: Frame) -> Received {
        use self::Closed::{Ended, Forgotten, ResetHere, ResetThere, Skipped};
        use Frame::{Data, Headers, Promise, Reset, WindowUpdate};
        use Received::{ConnectionError, Ignored, StreamError, To};
        use State::{Closed, HalfClosedLocal, HalfClosedRemote, Idle, Open, ReservedLocal, ReservedRemote};
        match (self, frame) {
            (Idle, Headers { end_stream: false }) => To(Open),
            (Idle, Headers { end_stream: true }) => To(HalfClosedRemote),
            (Idle, Promise) => To(ReservedRemote),
            // "Receiving any frame other than HEADERS or PRIORITY on a stream in this state MUST be treated as a
            // connection error of type PROTOCOL_ERROR."
            (Idle, _) => ConnectionError(ErrorCode::PROTOCOL_ERROR),

            (ReservedRemote, Headers { end_stream: false }) => To(HalfClosedLocal),
            (ReservedRemote, Headers { end_stream: true }) => To(Closed(Ended)),
            (ReservedRemote | ReservedLocal, Reset) => To(Closed(ResetThere)),
            (ReservedLocal, WindowUpdate) => To(self),
            // "Receiving any type of frame other than [these] on a stream in this state MUST be treated as a connection
            // error of type PROTOCOL_ERROR."
            (ReservedRemote | ReservedLocal, _) => ConnectionError(ErrorCode::PROTOCOL_ERROR),

            (Open, Headers { end_stream: true } | Data { end_stream: true }) => To(HalfClosedRemote),
            (HalfClosedLocal, Headers { end_stream: true } | Data { end_stream: true }) => To(Closed(Ended)),
            (Open | HalfClosedLocal, Headers { .. } | Data { .. } | WindowUpdate) => To(self),
            (HalfClosedRemote, WindowUpdate) => To(self),
            (Open | HalfClosedLocal | HalfClosedRemote, Reset) => To(Closed(ResetThere)),
            // "If an endpoint receives additional frames, other than WINDOW_UPDATE, PRIORITY, or RST_STREAM, for a stream
            // that is in this state, it MUST respond with a stream error of type STREAM_CLOSED."
            (HalfClosedRemote, Headers { .. } | Data { .. }) => StreamError(ErrorCode::STREAM_CLOSED),

            // "An endpoint MUST minimally process and then discard any frames it receives in this state", once it has
            // sent RST_STREAM; which may be of every stream that is not known any more.
            (Closed(ResetHere | Forgotten), Headers { .. } | Data { .. }) => Ignored,
            // "WINDOW_UPDATE or RST_STREAM frames can be received in this state for a short period".
            (Closed(_), WindowUpdate | Reset) => Ignored,
            // RFC 9113 §6.1, of DATA. RFC 7540 §5.1, of both: "An endpoint that receives any frame other than PRIORITY after
            // receiving a RST_STREAM MUST treat that as a stream error of type STREAM_CLOSED."
            (Closed(ResetThere), Headers { .. } | Data { .. }) => StreamError(ErrorCode::STREAM_CLOSED),
            // RFC 9113 §5.1.1: "An endpoint that receives an unexpected stream identifier MUST respond with a connection
            // error of type PROTOCOL_ERROR."
            (Closed(Skipped), Headers { .. }) => ConnectionError(ErrorCode::PROTOCOL_ERROR),
            // RFC 9113 §6.1
            (Closed(Skipped), Data { .. }) => StreamError(ErrorCode::STREAM_CLOSED),
            // "An endpoint MAY treat receipt of any other type of frame on a closed stream as a connection error of type
            // STREAM_CLOSED"; it was a MUST in RFC 7540 §5.1.
            (Closed(Ended), Headers { .. } | Data { .. }) => ConnectionError(ErrorCode::STREAM_CLOSED),

            // RFC 9113 §6.6: a promise of a stream that is not idle.
            (_, Promise) => ConnectionError(ErrorCode::PROTOCOL_ERROR),
        }
    }

    /// We want to send a frame. `None` if we must not.
    pub(crate) fn send(self, frame: Frame) -> Option<Self> {
        use self::Closed::{Ended, ResetHere};
        use Frame::{Data, Headers, Promise, Reset, WindowUpdate};
        use State::{Closed, HalfClosedLocal, HalfClosedRemote, Idle, Open, ReservedLocal, ReservedRemote};
        match (self, frame) {
            (Idle, Headers { end_stream: false }) => Some(Open),
            (Idle, Headers { end_stream: true }) => Some(HalfClosedLocal),
            (Idle, Promise) => Some(ReservedLocal),
            (ReservedLocal, Headers { end_stream: false }) => Some(HalfClosedRemote),
            (ReservedLocal, Headers { end_stream: true }) => Some(Closed(Ended)),
            (Open, Headers { end_stream: true } | Data { end_stream: true }) => Some(HalfClosedLocal),
            (HalfClosedRemote, Headers { end_stream: true } | Data { end_stream: true }) => {
                Some(Closed(Ended))
            }
            (Open | HalfClosedRemote, Headers { .. } | Data { .. }) => Some(self),
            (ReservedRemote | Open | HalfClosedLocal, WindowUpdate) => Some(self),
            // RFC 9113 §6.4: not for an idle stream.
            (Idle | Closed(_), Reset) => None,
            (_, Reset) => Some(Closed(ResetHere)),
            _ => None,
        }
    }

    /// Whether the peer may send content still.
    pub(crate) fn is_receiving(self) -> bool {
        matches!(self, Self::Open | Self::HalfClosedLocal | Self::ReservedRemote)
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::Closed::{Ended, Forgotten, ResetHere, ResetThere, Skipped};
    use super::Received::{ConnectionError, Ignored, StreamError, To};
    use super::State::{
        Closed, HalfClosedLocal, HalfClosedRemote, Idle, Open, ReservedLocal, ReservedRemote,
    };
    use super::*;

    const HEADERS: Frame = Frame::Headers { end_stream: false };
    const HEADERS_END: Frame = Frame::Headers { end_stream: true };
    const DATA: Frame = Frame::Data { end_stream: false };
    const DATA_END: Frame = Frame::Data { end_stream: true };
    const FRAMES: [Frame; 7] =
        [HEADERS, HEADERS_END, DATA, DATA_END, Frame::Reset, Frame::WindowUpdate, Frame::Promise];

    const PROTOCOL: Received = ConnectionError(ErrorCode::PROTOCOL_ERROR);
    const CLOSED: Received = StreamError(ErrorCode::STREAM_CLOSED);
    const GONE: Received = ConnectionError(ErrorCode::STREAM_CLOSED);

    /// Every state × every frame, received.
    #[test]
    #[rustfmt::skip]
    fn receive() {
        let table = [
            //                  HEADERS              + END_STREAM          DATA             + END_STREAM         RST_STREAM              WINDOW_UPDATE         PUSH_PROMISE
            (Idle,              [To(Open),            To(HalfClosedRemote), PROTOCOL,        PROTOCOL,            PROTOCOL,               PROTOCOL,             To(ReservedRemote)]),
            (ReservedLocal,     [PROTOCOL,            PROTOCOL,             PROTOCOL,        PROTOCOL,            To(Closed(ResetThere)), To(ReservedLocal),    PROTOCOL]),
            (ReservedRemote,    [To(HalfClosedLocal), To(Closed(Ended)),    PROTOCOL,        PROTOCOL,            To(Closed(ResetThere)), PROTOCOL,             PROTOCOL]),
            (Open,              [To(Open),            To(HalfClosedRemote), To(Open),        To(HalfClosedRemote), To(Closed(ResetThere)), To(Open),             PROTOCOL]),
            (HalfClosedLocal,   [To(HalfClosedLocal), To(Closed(Ended)),    To(HalfClosedLocal), To(Closed(Ended)), To(Closed(ResetThere)), To(HalfClosedLocal), PROTOCOL]),
            (HalfClosedRemote,  [CLOSED,              CLOSED,               CLOSED,          CLOSED,              To(Closed(ResetThere)), To(HalfClosedRemote), PROTOCOL]),
            (Closed(Ended),     [GONE,                GONE,                 GONE,            GONE,                Ignored,                Ignored,              PROTOCOL]),
            (Closed(ResetHere), [Ignored,             Ignored,              Ignored,         Ignored,             Ignored,                Ignored,              PROTOCOL]),
            (Closed(ResetThere), [CLOSED,             CLOSED,               CLOSED,          CLOSED,              Ignored,                Ignored,              PROTOCOL]),
            (Closed(Skipped),   [PROTOCOL,            PROTOCOL,             CLOSED,          CLOSED,              Ignored,                Ignored,              PROTOCOL]),
            (Closed(Forgotten), [Ignored,             Ignored,              Ignored,         Ignored,             Ignored,                Ignored,              PROTOCOL]),
        ];
        for (state, expected) in table {
            for (frame, expected) in FRAMES.into_iter().zip(expected) {
                assert_eq!(state.receive(frame), expected, "{state:?} {frame:?}");
            }
        }
    }

    /// Every state × every frame, sent.
    #[test]
    #[rustfmt::skip]
    fn send() {
        let reset = Some(Closed(ResetHere));
        let table = [
            //                   HEADERS               + END_STREAM          DATA                  + END_STREAM          RST_STREAM  WINDOW_UPDATE          PUSH_PROMISE
            (Idle,              [Some(Open),             Some(HalfClosedLocal), None,                   None,                  None,   None,                  Some(ReservedLocal)]),
            (ReservedLocal,     [Some(HalfClosedRemote), Some(Closed(Ended)),   None,                   None,                  reset,  None,                  None]),
            (ReservedRemote,    [None,                   None,                  None,                   None,                  reset,  Some(ReservedRemote),  None]),
            (Open,              [Some(Open),             Some(HalfClosedLocal), Some(Open),             Some(HalfClosedLocal), reset,  Some(Open),            None]),
            (HalfClosedLocal,   [None,                   None,                  None,                   None,                  reset,  Some(HalfClosedLocal), None]),
            (HalfClosedRemote,  [Some(HalfClosedRemote), Some(Closed(Ended)),   Some(HalfClosedRemote), Some(Closed(Ended)),   reset,  None,                  None]),
            (Closed(Ended),     [None,                   None,                  None,                   None,                  None,   None,                  None]),
            (Closed(ResetHere), [None,                   None,                  None,                   None,                  None,   None,                  None]),
            (Closed(ResetThere), [None,                  None,                  None,                   None,                  None,   None,                  None]),
            (Closed(Skipped),   [None,                   None,                  None,                   None,                  None,   None,                  None]),
            (Closed(Forgotten), [None,                   None,                  None,                   None,                  None,   None,                  None]),
        ];
        for (state, expected) in table {
            for (frame, expected) in FRAMES.into_iter().zip(expected) {
                assert_eq!(state.send(frame), expected, "{state:?} {frame:?}");
            }
        }
    }
}
