use bytes::{BufMut, BytesMut};

use super::{FRAME_SIZE_ERROR, Head, Kind, PROTOCOL_ERROR, flag};
use crate::error::Violation;
use crate::stream_id::StreamId;

/// What the sender wants of the peer, or the acknowledgement of that (RFC 9113 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings<'a> {
    /// The answer to one, which is empty.
    pub ack: bool,
    payload: &'a [u8],
}

/// One setting, which may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub id: u16,
    /// Its value.
    pub value: u32,
}

impl<'a> Settings<'a> {
    /// An acknowledgement.
    pub const ACK: Self = Self { ack: true, payload: &[] };

    /// Reads the frame from its head and its payload.
    ///
    /// # Errors
    ///
    /// For a stream: PROTOCOL_ERROR. Of a length that is no multiple of 6, or an acknowledgement with anything in it:
    /// FRAME_SIZE_ERROR.
    pub fn read(head: Head, payload: &'a [u8]) -> Result<Self, Violation> {
        // RFC 9113 §6.5
        if !head.stream.is_connection() {
            return Err(Violation::connection(PROTOCOL_ERROR, "SETTINGS on a stream"));
        }
        let ack = head.has(flag::ACK);
        if ack && !payload.is_empty() {
            return Err(Violation::connection(FRAME_SIZE_ERROR, "an acknowledgement with settings"));
        }
        if !payload.len().is_multiple_of(Setting::LENGTH) {
            return Err(Violation::connection(FRAME_SIZE_ERROR, "SETTINGS is no multiple of 6 bytes"));
        }
        Ok(Self { ack, payload })
    }

    /// The settings, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Setting> + use<'a> {
        self.payload.chunks_exact(Setting::LENGTH).map(|setting| {
            let (id, value) = setting.split_at(2);
            let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
            Setting { id: number(id) as u16, value: number(value) }
        })
    }

    /// Writes a frame with these settings.
    pub fn write(settings: &[Setting], out: &mut BytesMut) {
        let length = (settings.len() * Setting::LENGTH) as u32;
        Head { length, kind: Kind::SETTINGS, flags: 0, stream: StreamId::CONNECTION }.write(out);
        for setting in settings {
            out.put_u16(setting.id);
            out.put_u32(setting.value);
        }
    }

    /// Writes an acknowledgement.
    pub fn write_ack(out: &mut BytesMut) {
        Head { length: 0, kind: Kind::SETTINGS, flags: flag::ACK, stream: StreamId::CONNECTION }.write(out);
    }
}

impl Setting {
    const LENGTH: usize = 6;
    /// How large the table of the peer's encoder may be, in bytes (RFC 9113 §6.5.2).
    pub const HEADER_TABLE_SIZE: u16 = 0x1;
    /// Whether the server may push (RFC 9113 §6.5.2).
    pub const ENABLE_PUSH: u16 = 0x2;
    /// How many streams the peer may have open (RFC 9113 §6.5.2).
    pub const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    /// How much the peer may send on a new stream, in bytes (RFC 9113 §6.5.2).
    pub const INITIAL_WINDOW_SIZE: u16 = 0x4;
    /// How long a frame's payload may be, in bytes (RFC 9113 §6.5.2).
    pub const MAX_FRAME_SIZE: u16 = 0x5;
    /// How large a field section may be, in bytes (RFC 9113 §6.5.2).
    pub const MAX_HEADER_LIST_SIZE: u16 = 0x6;
    /// Whether the server takes an extended CONNECT (RFC 8441 §3).
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;
    /// Whether the priorities of RFC 7540 go unused (RFC 9218 §2.1).
    pub const NO_RFC7540_PRIORITIES: u16 = 0x9;
}
