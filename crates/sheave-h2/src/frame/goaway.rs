use bytes::{BufMut, BytesMut};

use super::{FRAME_SIZE_ERROR, Head, Kind, PROTOCOL_ERROR, split_u32};
use crate::error::Violation;
use crate::error_code::ErrorCode;
use crate::stream_id::StreamId;

/// Ends the connection, or says that it is about to end (RFC 9113 §6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoAway<'a> {
    /// The highest stream of the peer's that the sender has done, or may do, anything with.
    pub last_stream: StreamId,
    /// Why.
    pub code: ErrorCode,
    /// For people who look into it.
    pub debug_data: &'a [u8],
}

impl<'a> GoAway<'a> {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For a stream: PROTOCOL_ERROR. Shorter than 8: FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.8
        if !head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "GOAWAY on a stream"));
        }
        let fields = split_u32(payload).and_then(|(last_stream, rest)| Some((last_stream, split_u32(rest)?)));
        let Some((last_stream, (code, debug_data))) = fields else {
            return Err(Violation::connection(FRAME_SIZE_ERROR, "GOAWAY is shorter than 8 bytes"));
        };
        Ok(Self { last_stream: StreamId::new(last_stream), code: ErrorCode::new(code), debug_data })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let length = (8 + self.debug_data.len()) as u32;
        Head { length, kind: Kind::GOAWAY, flags: 0, stream: StreamId::CONNECTION }.write(out);
        out.put_u32(self.last_stream.get());
        out.put_u32(self.code.get());
        out.put_slice(self.debug_data);
    }
}
