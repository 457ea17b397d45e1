use bytes::{BufMut, BytesMut};

use super::{Head, Kind, PROTOCOL_ERROR, flag, flags, padded_by, unpad};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// What a stream carries (RFC 9113 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// The stream.
    pub stream: StreamId,
    /// Nothing more comes on the stream.
    pub end_stream: bool,
    /// What is carried.
    pub data: &'a [u8],
    /// How much padding there is. `None` for none, and no length of it either.
    pub padding: Option<u8>,
}

impl<'a> Data<'a> {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For the connection as a whole, and for padding that does not fit: PROTOCOL_ERROR.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.1
        if head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "DATA on stream 0"));
        }
        let ([], data, padding) = unpad(head, payload)?;
        Ok(Self { stream: head.stream, end_stream: head.has(flag::END_STREAM), data, padding })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let flags = flags([(self.end_stream, flag::END_STREAM), (self.padding.is_some(), flag::PADDED)]);
        let length = (self.data.len() + padded_by(self.padding)) as u32;
        Head { length, kind: Kind::DATA, flags, stream: self.stream }.write(out);
        out.extend(self.padding);
        out.put_slice(self.data);
        out.put_bytes(0, usize::from(self.padding.unwrap_or(0)));
    }
}
