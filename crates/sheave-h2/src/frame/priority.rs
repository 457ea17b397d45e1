use bytes::{BufMut, BytesMut};

use super::{FRAME_SIZE_ERROR, Head, Kind, PROTOCOL_ERROR};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// The priority of RFC 7540, deprecated and without effect (RFC 9113 §6.3), if it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// The stream.
    pub stream: StreamId,
    /// What is said of it.
    pub dependency: Dependency,
}

impl Priority {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For the connection as a whole: PROTOCOL_ERROR. Of another length than 5: a stream error FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &[u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.3
        if head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "PRIORITY on stream 0"));
        }
        let Ok(fields) = payload.try_into() else {
            return Err(Violation::stream(head.stream, FRAME_SIZE_ERROR, "PRIORITY is not of 5 bytes"));
        };
        Ok(Self { stream: head.stream, dependency: Dependency::read(fields) })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let length = Dependency::LENGTH as u32;
        Head { length, kind: Kind::PRIORITY, flags: 0, stream: self.stream }.write(out);
        self.dependency.write(out);
    }
}

/// Which stream another depends on, in the priorities of RFC 7540.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The stream that it depends on.
    pub stream: StreamId,
    /// Whether it alone depends on that.
    pub exclusive: bool,
    /// One less than its weight.
    pub weight: u8,
}

impl Dependency {
    /// How long the fields are, in bytes.
    pub(super) const LENGTH: usize = 5;
    const EXCLUSIVE: u32 = 1 << 31;

    /// Whether the stream can have it. RFC 9113 leaves its meaning to RFC 7540 (Appendix B), of which §5.3.1 says: "A stream
    /// cannot depend on itself. An endpoint MUST treat this as a stream error of type PROTOCOL_ERROR."
    pub(crate) fn of(self, stream: StreamId) -> Result<(), Violation> {
        match self.stream == stream {
            true => Err(Violation::stream(stream, PROTOCOL_ERROR, "a stream that depends on itself")),
            false => Ok(()),
        }
    }

    pub(super) fn read([a, b, c, d, weight]: [u8; Self::LENGTH]) -> Self {
        let stream = u32::from_be_bytes([a, b, c, d]);
        Self { stream: StreamId::new(stream), exclusive: stream & Self::EXCLUSIVE != 0, weight }
    }

    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u32(self.stream.get() | if self.exclusive { Self::EXCLUSIVE } else { 0 });
        out.put_u8(self.weight);
    }
}
