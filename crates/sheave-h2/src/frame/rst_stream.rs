use bytes::{BufMut, BytesMut};

use super::{Head, Kind, PROTOCOL_ERROR, exactly};
use crate::error::Violation;
use crate::error_code::ErrorCode;
use crate::stream_id::StreamId;

/// Ends a stream at once (RFC 9113 §6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RstStream {
    /// The stream.
    pub stream: StreamId,
    /// Why.
    pub code: ErrorCode,
}

impl RstStream {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For the connection as a whole: PROTOCOL_ERROR. Of another length than 4: FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &[u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.4
        if head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "RST_STREAM on stream 0"));
        }
        let code = exactly(payload, "RST_STREAM is not of 4 bytes")?;
        Ok(Self { stream: head.stream, code: ErrorCode::new(u32::from_be_bytes(code)) })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        Head { length: 4, kind: Kind::RST_STREAM, flags: 0, stream: self.stream }.write(out);
        out.put_u32(self.code.get());
    }
}
