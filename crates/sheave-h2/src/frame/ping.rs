use bytes::{BufMut, BytesMut};

use super::{Head, Kind, PROTOCOL_ERROR, exactly, flag};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// Measures a round trip, or asks for a sign of life (RFC 9113 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// The answer to one.
    pub ack: bool,
    /// What the answer repeats.
    pub payload: [u8; 8],
}

impl Ping {
    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For a stream: PROTOCOL_ERROR. Of another length than 8: FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &[u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.7
        if !head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "PING on a stream"));
        }
        Ok(Self { ack: head.has(flag::ACK), payload: exactly(payload, "PING is not of 8 bytes")? })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let flags = if self.ack { flag::ACK } else { 0 };
        Head { length: 8, kind: Kind::PING, flags, stream: StreamId::CONNECTION }.write(out);
        out.put_slice(&self.payload);
    }
}
