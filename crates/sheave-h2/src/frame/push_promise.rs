use bytes::{BufMut, BytesMut};

use super::{Head, Kind, PROTOCOL_ERROR, flag, flags, padded_by, unpad};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// Announces a stream that a server opens (RFC 9113 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushPromise<'a> {
    /// The stream of the request that it goes with.
    pub stream: StreamId,
    /// The stream that will be opened.
    pub promised: StreamId,
    /// No CONTINUATION follows.
    pub end_headers: bool,
    /// The field block of the request that is answered by it, or the beginning.
    pub fragment: &'a [u8],
    /// How much padding there is. `None` for none, and no length of it either.
    pub padding: Option<u8>,
}

impl<'a> PushPromise<'a> {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For the connection as a whole, for padding that does not fit, and for a promise of a stream that is not a
    /// server's: PROTOCOL_ERROR. Too short for what it must hold: FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.6
        if head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "PUSH_PROMISE on stream 0"));
        }
        let (promised, fragment, padding) = unpad(head, payload)?;
        let promised = StreamId::new(u32::from_be_bytes(promised));
        // RFC 9113 §5.1.1
        if !promised.is_server_initiated() {
            return Err(Violation::connection(
                PROTOCOL_ERROR,
                "a promise of a stream that is not a server's",
            ));
        }
        let end_headers = head.has(flag::END_HEADERS);
        Ok(Self { stream: head.stream, promised, end_headers, fragment, padding })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let flags = flags([(self.end_headers, flag::END_HEADERS), (self.padding.is_some(), flag::PADDED)]);
        let length = (4 + self.fragment.len() + padded_by(self.padding)) as u32;
        Head { length, kind: Kind::PUSH_PROMISE, flags, stream: self.stream }.write(out);
        out.extend(self.padding);
        out.put_u32(self.promised.get());
        out.put_slice(self.fragment);
        out.put_bytes(0, usize::from(self.padding.unwrap_or(0)));
    }
}
