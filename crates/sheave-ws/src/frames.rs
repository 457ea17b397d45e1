//! Frames in their order (RFC 6455 §5): headers held against the connection, payloads unmasked where they lie.

use bytes::{Buf, Bytes, BytesMut};

use crate::config::Role;
use crate::error::ProtocolError;
use crate::extension::ReservedBits;
use crate::frame::{FrameHeader, OpCode};
use crate::mask;
use crate::utf8::Utf8Validator;

/// What the peer's frames may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Ours.
    pub(crate) role: Role,
    /// Whether a message may be compressed.
    pub(crate) deflate: bool,
    /// Whether a client may leave frames unmasked.
    pub(crate) no_masking: bool,
}

/// The frame that is arriving, and its message.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    frame: Option<Frame>,
    /// How much of the frame's payload, at the start of the input, is unmasked.
    ready: usize,
    /// The data message that is arriving.
    message: Option<Open>,
    /// Checks plain text as it is unmasked.
    pub(crate) utf8: Utf8Validator,
}

/// A frame of which the header has come.
#[derive(Clone, Copy, Debug)]
struct Frame {
    header: FrameHeader,
    /// How much of the payload has not been taken out of the input.
    left: u64,
}

/// A data message of which the first header has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) text: bool,
    pub(crate) compressed: bool,
    /// How many of its frames have begun.
    pub(crate) frames: usize,
}

/// A data frame that is arriving.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    pub(crate) message: Open,
    /// How long it is.
    pub(crate) length: u64,
    /// How much of it has not been taken out of the input.
    pub(crate) left: u64,
    /// Whether it ends its message.
    pub(crate) fin: bool,
    /// Whether it is all of its message.
    pub(crate) only: bool,
}

/// A whole message that lies in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    pub(crate) text: bool,
    /// Behind its header.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    Control(OpCode, Bytes),
    Data(Data),
}

impl Rules {
    /// The whole of a message that is one short frame, if that is what comes next and all of it is there: so do most come,
    /// and it takes a fraction of the way that all others go. It stays in the input, unmasked and checked, behind its
    /// header. Asked while nothing is arriving.
    #[inline]
    pub(crate) fn short(self, input: &mut [u8], most: usize) -> Result<Option<Short>, ProtocolError> {
        /// What is unmasked and then checked, and is still in the processor's cache.
        const SHORT: usize = 8 << 10;
        const FIN: u8 = 0x80;
        const TEXT: u8 = FIN | OpCode::Text as u8;
        const BINARY: u8 = FIN | OpCode::Binary as u8;
        let &mut [first @ (TEXT | BINARY), second, ..] = input else { return Ok(None) };
        let masked = second & 0x80 != 0;
        if masked != (self.role == Role::Server) {
            return Ok(None);
        }
        let (length, start) = match (usize::from(second & 0x7F), &input[2..]) {
            (length @ ..126, _) => (length, 2),
            // RFC 6455 §5.2: in the fewest bytes, which is found to be broken elsewhere.
            (126, &[high, low, ..]) => match usize::from(u16::from_be_bytes([high, low])) {
                length @ 126.. => (length, 4),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        if length > most.min(SHORT) {
            return Ok(None);
        }
        let rest = &mut input[start..];
        let (key, rest, start) = match rest.split_first_chunk_mut() {
            Some((key, rest)) if masked => (Some(*key), rest, start + 4),
            None if masked => return Ok(None),
            _ => (None, &mut input[start..], start),
        };
        let Some(payload) = rest.get_mut(..length) else { return Ok(None) };
        if let Some(key) = key {
            mask::apply(key, 0, payload);
        }
        let text = first == TEXT;
        if text && simdutf8::basic::from_utf8(payload).is_err() {
            return Err(ProtocolError::InvalidUtf8);
        }
        Ok(Some(Short { text, start, end: start + length }))
    }

    /// Checks what depends on the connection in a header's first bytes, as far as they are there; byte by
    /// byte, so that the verdict is the same however the input was cut.
    #[inline]
    fn check_start(self, input: &[u8]) -> Result<(), ProtocolError> {
        let Some(first) = input.first() else { return Ok(()) };
        // RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated". RFC 7692 §6: only the first frame of a
        // data message has RSV1.
        let allowed = match OpCode::from_bits(first & 0x0F) {
            Some(OpCode::Text | OpCode::Binary) if self.deflate => ReservedBits::RSV1,
            _ => ReservedBits::NONE,
        };
        if !allowed.contains(ReservedBits::of_first_byte(*first)) {
            return Err(ProtocolError::ReservedBits);
        }
        FrameHeader::decode(&[*first])?;
        // RFC 6455 §5.1.
        match (self.role, input.get(1).map(|second| second & 0x80 != 0)) {
            (Role::Server, Some(false)) if !self.no_masking => Err(ProtocolError::Unmasked),
            (Role::Client, Some(true)) => Err(ProtocolError::Masked),
            _ => Ok(()),
        }
    }
}

impl Frames {
    /// Whether nothing is arriving.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.frame.is_none() && self.message.is_none()
    }

    /// The data message that is arriving.
    #[inline]
    pub(crate) fn message(&self) -> Option<Open> {
        self.message
    }

    /// How much the frame that is arriving lacks beyond `input`.
    pub(crate) fn missing(&self, input: &[u8]) -> usize {
        self.frame.map_or(0, |frame| (frame.left as usize).saturating_sub(input.len()))
    }

    /// A whole control frame, or a data frame as soon as its header is there. `None` if more bytes are needed.
    #[inline]
    pub(crate) fn next(&mut self, rules: Rules, input: &mut BytesMut) -> Result<Option<Next>, ProtocolError> {
        let frame = match self.frame {
            Some(frame) => frame,
            None => {
                rules.check_start(input)?;
                let Some((header, size)) = FrameHeader::decode(input)? else { return Ok(None) };
                if !header.opcode.is_control() {
                    self.begin(&header)?;
                }
                input.advance(size);
                *self.frame.insert(Frame { header, left: header.length })
            }
        };
        let Frame { header, left } = frame;
        if let (false, Some(message)) = (header.opcode.is_control(), self.message) {
            let only = header.fin && message.frames == 1;
            let (length, fin) = (header.length, header.fin);
            return Ok(Some(Next::Data(Data { message, length, left, fin, only })));
        }
        if self.unmask(input)? as u64 != left {
            return Ok(None);
        }
        let payload = Bytes::copy_from_slice(&input[..self.ready]);
        input.advance(self.ready);
        self.end_frame();
        Ok(Some(Next::Control(header.opcode, payload)))
    }

    /// Unmasks and checks what has newly come of the frame's payload, block by block while it is in cache. Tells
    /// how much at the start of the input is ready.
    #[inline]
    pub(crate) fn unmask(&mut self, input: &mut [u8]) -> Result<usize, ProtocolError> {
        const BLOCK: usize = 8 << 10;
        let Some(Frame { header, left }) = self.frame else { return Ok(0) };
        let data = !header.opcode.is_control();
        let text = data && self.message.is_some_and(|message| message.text && !message.compressed);
        let taken = (header.length - left) as usize;
        let here = left.min(input.len() as u64) as usize;
        for block in input[self.ready..here].chunks_mut(BLOCK) {
            if let Some(key) = header.mask {
                mask::apply(key, taken + self.ready, block);
            }
            if text {
                self.utf8.push(block).map_err(|_| ProtocolError::InvalidUtf8)?;
            }
            self.ready += block.len();
        }
        // RFC 6455 §8.1: a message must not end inside a character.
        if text && header.fin && self.ready as u64 == left && !self.utf8.is_complete() {
            return Err(ProtocolError::InvalidUtf8);
        }
        Ok(self.ready)
    }

    /// Takes `count` bytes, which are ready, out of the input. Tells how much of the frame is left.
    #[inline]
    pub(crate) fn take(&mut self, input: &mut BytesMut, count: usize) -> u64 {
        input.advance(count);
        self.ready -= count;
        let Some(frame) = &mut self.frame else { return 0 };
        frame.left -= count as u64;
        frame.left
    }

    /// The frame's payload is taken, or lies at the start of the input for somebody else to take.
    #[inline]
    pub(crate) fn end_frame(&mut self) {
        self.frame = None;
        self.ready = 0;
    }

    /// As [`end_frame`](Self::end_frame), of the last frame of its message.
    #[inline]
    pub(crate) fn end_message(&mut self) {
        self.end_frame();
        self.message = None;
    }

    /// Puts a data frame in its place.
    #[inline]
    fn begin(&mut self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // RFC 6455 §5.4: fragments of one message are not interleaved with those of another.
        let message = match (&mut self.message, header.opcode) {
            (Some(message), OpCode::Continuation) => message,
            (None, OpCode::Continuation) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), _) => return Err(ProtocolError::ExpectedContinuation),
            (message, opcode) => message.insert(Open {
                text: opcode == OpCode::Text,
                compressed: header.reserved.contains(ReservedBits::RSV1),
                frames: 0,
            }),
        };
        message.frames = message.frames.saturating_add(1);
        Ok(())
    }
}
