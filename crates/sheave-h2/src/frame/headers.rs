use bytes::{BufMut, BytesMut};

use super::{Dependency, Head, Kind, PROTOCOL_ERROR, flag, flags, padded_by, unpad};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// Opens a stream, answers on it, or ends it with trailers (RFC 9113 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// The stream.
    pub stream: StreamId,
    /// Nothing more comes on the stream.
    pub end_stream: bool,
    /// No CONTINUATION follows.
    pub end_headers: bool,
    /// Deprecated, and without effect (RFC 9113 §5.3.2), if it makes sense.
    pub dependency: Option<Dependency>,
    /// The field block, or the beginning of it.
    pub fragment: &'a [u8],
    /// How much padding there is. `None` for none, and no length of it either.
    pub padding: Option<u8>,
}

impl<'a> Headers<'a> {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For the connection as a whole, and for padding that does not fit: PROTOCOL_ERROR. Too short for what it must
    /// hold: FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.2
        if head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "HEADERS on stream 0"));
        }
        let (dependency, fragment, padding) = if head.has(flag::PRIORITY) {
            let (fields, fragment, padding) = unpad(head, payload)?;
            (Some(Dependency::read(fields)), fragment, padding)
        } else {
            let ([], fragment, padding) = unpad(head, payload)?;
            (None, fragment, padding)
        };
        Ok(Self {
            stream: head.stream,
            end_stream: head.has(flag::END_STREAM),
            end_headers: head.has(flag::END_HEADERS),
            dependency,
            fragment,
            padding,
        })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let dependency = self.dependency.map_or(0, |_| Dependency::LENGTH);
        let flags = flags([
            (self.end_stream, flag::END_STREAM),
            (self.end_headers, flag::END_HEADERS),
            (self.padding.is_some(), flag::PADDED),
            (self.dependency.is_some(), flag::PRIORITY),
        ]);
        let length = (self.fragment.len() + padded_by(self.padding) + dependency) as u32;
        Head { length, kind: Kind::HEADERS, flags, stream: self.stream }.write(out);
        out.extend(self.padding);
        if let Some(dependency) = self.dependency {
            dependency.write(out);
        }
        out.put_slice(self.fragment);
        out.put_bytes(0, usize::from(self.padding.unwrap_or(0)));
    }
}
