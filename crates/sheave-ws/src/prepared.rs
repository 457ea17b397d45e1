//! Messages that are made once and sent to many.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use sheave_deflate::{Compressor, DeflateConfig, Direction};

use crate::extension::ReservedBits;
use crate::frame::{FrameHeader, OpCode};
use crate::message::Message;

/// A message for many connections: framed once, and compressed once for each window size that they agreed on.
/// A clone shares all of that.
///
/// A server sends it without copying the payload (a small one is copied, which costs less than sharing it). A
/// client has to mask it, and so copies it each time.
///
/// On a connection with context takeover, the next message that is compressed after it refers back to nothing.
#[derive(Clone, Debug)]
pub struct Prepared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    message: Message,
    level: u8,
    plain: OnceLock<Framed>,
    /// By window bits, from 9 to 15.
    compressed: [OnceLock<Framed>; 7],
}

/// A whole frame that is not masked.
#[derive(Clone, Debug)]
pub(crate) struct Framed {
    bytes: Bytes,
    header_size: usize,
}

impl Prepared {
    /// Prepares a message, to be compressed at level 6 where it is.
    pub fn new(message: impl Into<Message>) -> Self {
        Self::with_level(message, 6)
    }

    /// As [`new`](Self::new), with a level from 1, the fastest, to 9, the smallest.
    pub fn with_level(message: impl Into<Message>, level: u8) -> Self {
        let message = message.into();
        Self(Arc::new(Inner { message, level, plain: OnceLock::new(), compressed: Default::default() }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The frame, compressed for a window of so many bits, or plain.
    pub(crate) fn frame(&self, window_bits: Option<u8>) -> &Framed {
        let Inner { message, level, plain, compressed } = &*self.0;
        let Some(bits) = window_bits else {
            return plain.get_or_init(|| Framed::new(message, ReservedBits::NONE, message.as_bytes()));
        };
        let bits = bits.clamp(9, 15);
        compressed[usize::from(bits - 9)].get_or_init(|| {
            let config = DeflateConfig::small().level(*level);
            let direction = Direction { window_bits: bits, context_takeover: false };
            let mut payload = BytesMut::new();
            Compressor::new(&config, direction).compress_message(message.as_bytes(), &mut payload);
            Framed::new(message, ReservedBits::RSV1, &payload)
        })
    }
}

impl Framed {
    fn new(message: &Message, reserved: ReservedBits, payload: &[u8]) -> Self {
        let (opcode, length) = (OpCode::of(message.is_text()), payload.len() as u64);
        let (header, header_size) =
            FrameHeader { fin: true, reserved, opcode, mask: None, length }.to_bytes();
        Self { bytes: [&header[..header_size], payload].concat().into(), header_size }
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The payload alone.
    pub(crate) fn payload(&self) -> Bytes {
        self.bytes.slice(self.header_size..)
    }
}
