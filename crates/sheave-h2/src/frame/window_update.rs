use bytes::{BufMut, BytesMut};

use super::{Head, Kind, PROTOCOL_ERROR, exactly};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// Lets the peer send more, on a stream or in all (RFC 9113 §6.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowUpdate {
    /// The stream, or the connection as a whole.
    pub stream: StreamId,
    /// How much more, in bytes: 1 to 2^31 - 1.
    pub increment: u32,
}

impl WindowUpdate {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// Of another length than 4: FRAME_SIZE_ERROR. An increment of 0: PROTOCOL_ERROR, of the stream if it is for one.
    pub fn read(head: Head, payload: &[u8]) -> Result<Self, Violation> {
        let increment =
            u32::from_be_bytes(exactly(payload, "WINDOW_UPDATE is not of 4 bytes")?) & (u32::MAX >> 1);
        // RFC 9113 §6.9
        match (increment, head.stream) {
            (0, StreamId::CONNECTION) => Err(Violation::connection(PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")),
            (0, stream) => Err(Violation::stream(stream, PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")),
            (increment, stream) => Ok(Self { stream, increment }),
        }
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        Head { length: 4, kind: Kind::WINDOW_UPDATE, flags: 0, stream: self.stream }.write(out);
        out.put_u32(self.increment);
    }
}
