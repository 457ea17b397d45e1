//! The frame header (RFC 6455 §5.2).

use bytes::{BufMut, BytesMut};

use crate::error::ProtocolError;
use crate::extension::ReservedBits;

/// What a frame carries (RFC 6455 §5.2, §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpCode {
    /// A further frame of a fragmented message.
    Continuation = 0x0,
    /// The first (or only) frame of a text message.
    Text = 0x1,
    /// The first (or only) frame of a binary message.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A question that a Pong answers.
    Ping = 0x9,
    /// The answer to a Ping, or an unasked heartbeat.
    Pong = 0xA,
}

impl OpCode {
    /// That of a message: of text, or of binary data.
    pub(crate) const fn of(text: bool) -> Self {
        if text { Self::Text } else { Self::Binary }
    }

    /// The opcode of these four bits; `None` for the reserved ones.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Whether this is Close, Ping or Pong (RFC 6455 §5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The key that a client's frame is masked with (RFC 6455 §5.3).
pub type MaskingKey = [u8; 4];

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// The reserved bits that are set.
    pub reserved: ReservedBits,
    /// What the frame carries.
    pub opcode: OpCode,
    /// The masking key, where the payload is masked.
    pub mask: Option<MaskingKey>,
    /// How long the payload is, in bytes.
    pub length: u64,
}

impl FrameHeader {
    /// The longest header: two bytes, eight of length, four of key.
    pub const MAX_SIZE: usize = 14;

    /// Reads a header from the start of `bytes`: the header and how many bytes it takes, or `None` if more
    /// bytes are needed.
    ///
    /// # Errors
    /// A reserved opcode, a control frame that is fragmented or longer than 125 bytes, a length that is
    /// not written in the fewest bytes or has its highest bit set. Each is found at the first byte that
    /// shows it. Masking and reserved bits depend on the connection; [`crate::Incoming`] checks them.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        // RFC 6455 §5.2: an unknown opcode fails the connection.
        let opcode = OpCode::from_bits(first & 0x0F).ok_or(ProtocolError::ReservedOpCode(first & 0x0F))?;
        let fin = first & 0x80 != 0;
        // RFC 6455 §5.5: control frames must not be fragmented.
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl);
        }
        let [second, rest @ ..] = rest else { return Ok(None) };
        let short = second & 0x7F;
        // RFC 6455 §5.5: control frames carry at most 125 bytes.
        if opcode.is_control() && short > 125 {
            return Err(ProtocolError::ControlTooLong);
        }
        let (length, rest) = match short {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*length), rest)
            }
            short => (u64::from(short), rest),
        };
        // RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length".
        if (short == 126 && length < 126) || (short == 127 && length <= 0xFFFF) {
            return Err(ProtocolError::NonMinimalLength);
        }
        // RFC 6455 §5.2: "the most significant bit MUST be 0".
        if length >> 63 != 0 {
            return Err(ProtocolError::LengthOverflow);
        }
        let (mask, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*key), rest)
        };
        let header = Self { fin, reserved: ReservedBits::of_first_byte(*first), opcode, mask, length };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Appends the header to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let (bytes, size) = self.to_bytes();
        out.put_slice(&bytes[..size]);
    }

    /// The header, and how many of these bytes it takes.
    pub(crate) fn to_bytes(self) -> ([u8; Self::MAX_SIZE], usize) {
        let first = u8::from(self.fin) << 7 | self.reserved.bits() | self.opcode as u8;
        let masked = u8::from(self.mask.is_some()) << 7;
        let mut bytes = [0; Self::MAX_SIZE];
        bytes[0] = first;
        let mut size = match self.length {
            length @ 0..=125 => {
                bytes[1] = masked | length as u8;
                2
            }
            length @ 126..=0xFFFF => {
                bytes[1] = masked | 126;
                bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                4
            }
            length => {
                bytes[1] = masked | 127;
                bytes[2..10].copy_from_slice(&length.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.mask {
            bytes[size..size + 4].copy_from_slice(&key);
            size += 4;
        }
        (bytes, size)
    }
}
