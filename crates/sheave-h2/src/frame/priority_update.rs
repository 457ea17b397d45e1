use bytes::{BufMut, BytesMut};

use super::{FRAME_SIZE_ERROR, Head, Kind, PROTOCOL_ERROR, split_u32};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// How urgent a response is, said by the client (RFC 9218 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityUpdate<'a> {
    /// The stream of the response.
    pub prioritized: StreamId,
    /// As in the field `priority`.
    pub value: &'a [u8],
}

impl<'a> PriorityUpdate<'a> {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// On a stream, or for stream 0: PROTOCOL_ERROR. Shorter than 4: FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        // RFC 9218 §7.1
        if !head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "PRIORITY_UPDATE on a stream"));
        }
        let Some((prioritized, value)) = split_u32(payload) else {
            return Err(Violation::connection(FRAME_SIZE_ERROR, "PRIORITY_UPDATE is shorter than 4 bytes"));
        };
        let prioritized = StreamId::new(prioritized);
        if prioritized.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "PRIORITY_UPDATE for stream 0"));
        }
        Ok(Self { prioritized, value })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let length = (4 + self.value.len()) as u32;
        Head { length, kind: Kind::PRIORITY_UPDATE, flags: 0, stream: StreamId::CONNECTION }.write(out);
        out.put_u32(self.prioritized.get());
        out.put_slice(self.value);
    }
}
