use bytes::{BufMut, BytesMut};

use super::{Head, Kind, PROTOCOL_ERROR, flag};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// More of a field block (RFC 9113 §6.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continuation<'a> {
    /// The stream.
    pub stream: StreamId,
    /// The field block ends here.
    pub end_headers: bool,
    /// The next piece of the block.
    pub fragment: &'a [u8],
}

impl<'a> Continuation<'a> {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For the connection as a whole: PROTOCOL_ERROR.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.10
        if head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "CONTINUATION on stream 0"));
        }
        Ok(Self { stream: head.stream, end_headers: head.has(flag::END_HEADERS), fragment: payload })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let flags = if self.end_headers { flag::END_HEADERS } else { 0 };
        let length = self.fragment.len() as u32;
        Head { length, kind: Kind::CONTINUATION, flags, stream: self.stream }.write(out);
        out.put_slice(self.fragment);
    }
}
