//! Messages to bytes (RFC 6455 §5, §6.1; RFC 7692 §6.1): the sending half of a connection.

mod parts;

use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use sheave_deflate::Compressor;

use self::parts::Open;
use crate::close::CloseFrame;
use crate::config::{Config, Role};
use crate::error::{Error, Usage};
use crate::extension::ReservedBits;
use crate::frame::{FrameHeader, MaskingKey, OpCode};
use crate::incoming::Replies;
use crate::limits::Limits;
use crate::mask;
use crate::message::Message;
use crate::output::Output;
use crate::prepared::Prepared;

/// Where a client's masking keys come from: "a strong source of entropy" (RFC 6455 §5.3).
pub type MaskingKeys = fn() -> io::Result<MaskingKey>;

/// A control frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A Ping of at most 125 bytes.
    Ping(Bytes),
    /// A Pong of at most 125 bytes.
    Pong(Bytes),
    /// The Close; nothing follows it.
    Close(CloseFrame),
}

/// Whether a message is compressed, where permessage-deflate was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Compress {
    /// If it is as long as [`DeflateConfig::threshold`](sheave_deflate::DeflateConfig::threshold), or is sent
    /// in parts.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No: for what is compressed already, and for secrets beside what others wrote.
    Never,
}

/// The sending half: takes messages and control frames, gives bytes.
#[derive(Debug)]
pub struct Outgoing {
    role: Role,
    keys: MaskingKeys,
    limits: Arc<Limits>,
    /// A client need not mask.
    no_masking: bool,
    deflate: Option<Box<Deflate>>,
    output: Output,
    /// What is not in the queue yet: mostly nothing.
    later: Option<Box<Later>>,
    /// A Close has been queued.
    closed: bool,
}

#[derive(Debug)]
struct Deflate {
    compressor: Compressor,
    threshold: usize,
    /// It was used since [`Outgoing::age`] was last called.
    used: bool,
}

#[derive(Debug, Default)]
struct Later {
    /// What found no room in the queue.
    owed: Option<Owed>,
    /// The message that is sent in parts.
    open: Option<Open>,
    /// The rest of a message that leaves in several frames.
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    opcode: OpCode,
    reserved: ReservedBits,
    payload: Bytes,
}

/// Control frames that wait for room: at most one of a kind.
#[derive(Debug, Default)]
struct Owed {
    /// The newest Pong.
    pong: Option<Bytes>,
    /// The newest Ping of those that ask for no room.
    ping: Option<Bytes>,
}

/// From this length on a payload is not copied into the header's buffer.
const LARGE: usize = 8 << 10;

impl Outgoing {
    /// The sending half of a fresh connection. `keys` is asked once a frame if this is a client.
    pub fn new(role: Role, config: &Config, keys: MaskingKeys) -> Self {
        Self {
            role,
            keys,
            limits: Limits::of(config),
            no_masking: false,
            deflate: None,
            output: Output::default(),
            later: None,
            closed: false,
        }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Compresses from now on, as was agreed on (RFC 7692): messages of at least `threshold` bytes, unless it is
    /// told otherwise.
    pub fn set_compressor(&mut self, compressor: Compressor, threshold: usize) {
        self.deflate = Some(Box::new(Deflate { compressor, threshold, used: false }));
    }

    /// Does not mask from now on, even as a client.
    pub fn set_no_masking(&mut self) {
        self.no_masking = true;
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`Error::Closed`] after a Close; [`Error::Usage`] inside a message that is sent in parts; [`Error::Io`] if
    /// there are no masking keys.
    #[inline]
    pub fn message(&mut self, message: Message, compress: Compress) -> Result<(), Error> {
        if self.is_plain() && message.len() < LARGE.min(self.limits.max_sent_frame_size) {
            return self.short(OpCode::of(message.is_text()), message.as_bytes());
        }
        self.any(message, compress)
    }

    /// As [`message`](Self::message), whatever it is and wherever.
    fn any(&mut self, message: Message, compress: Compress) -> Result<(), Error> {
        self.check_free()?;
        let opcode = OpCode::of(message.is_text());
        let payload = message.into_bytes();
        if self.compresses(payload.len(), compress) {
            self.compressed(opcode, &payload)
        } else {
            self.frames(opcode, ReservedBits::NONE, payload)
        }
    }

    /// Queues a message that was prepared for many connections.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    pub fn prepared(&mut self, prepared: &Prepared, compress: Compress) -> Result<(), Error> {
        self.check_free()?;
        let mut window_bits = None;
        if self.compresses(prepared.message().len(), compress)
            && let Some(deflate) = &mut self.deflate
        {
            // The receiver will have seen what our compressor has not: it must not refer back behind that.
            deflate.compressor.release();
            window_bits = Some(deflate.compressor.window_bits());
        }
        let frame = prepared.frame(window_bits);
        if frame.payload().len() <= self.limits.max_sent_frame_size && !self.masks() {
            self.output.push_shared(frame.bytes());
            return Ok(());
        }
        let reserved = if window_bits.is_some() { ReservedBits::RSV1 } else { ReservedBits::NONE };
        self.frames(OpCode::of(prepared.message().is_text()), reserved, frame.payload())
    }

    /// Queues a Ping.
    ///
    /// # Errors
    /// [`Error::Usage`] if the payload is over 125 bytes, [`Error::Closed`] after a Close,
    /// [`Error::Io`] if there are no masking keys.
    pub fn ping(&mut self, payload: Bytes) -> Result<(), Error> {
        check_ping(&payload)?;
        if self.closed {
            return Err(Error::Closed);
        }
        self.frame(true, OpCode::Ping, ReservedBits::NONE, payload)
    }

    /// Queues the Close. A second one is ignored.
    pub fn close(&mut self, close: &CloseFrame) {
        if !self.closed {
            // Without masking keys nothing can be said any more; the connection ends without it.
            let _ = self.all_frames();
            let _ = self.frame(true, OpCode::Close, ReservedBits::NONE, close.encode());
            self.end();
        }
    }

    /// Whether a Close has been queued: nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether there is room in the queue for a message: not while one that leaves in several frames has frames
    /// to come. Once [`transmit`](Self::transmit) has nothing to give, there always is.
    pub fn has_room(&self) -> bool {
        !self.has_rest() && (self.output.is_empty() || self.output.len() < self.limits.high_water_mark)
    }

    /// Whether [`transmit`](Self::transmit) has nothing to give.
    #[inline]
    pub fn is_idle(&self) -> bool {
        let is_idle = |later: &Later| later.owed.is_none() && later.rest.is_none();
        self.output.is_empty() && self.later.as_deref().is_none_or(is_idle)
    }

    /// The bytes to write next; empty if nothing is owed.
    #[inline]
    pub fn transmit(&mut self) -> &mut Output {
        while let Some(later) = &mut self.later
            && (self.output.is_empty() || self.output.len() < self.limits.high_water_mark)
        {
            let result = if let Some(owed) = later.owed.take() {
                self.forget_later();
                self.controls(owed)
            } else if later.rest.is_some() {
                self.next_frame()
            } else {
                break;
            };
            if result.is_err() {
                // Without masking keys nothing can be said any more.
                self.end();
            }
        }
        &mut self.output
    }

    /// Queues what was owed. Room for one is room for both: they are short.
    fn controls(&mut self, owed: Owed) -> Result<(), Error> {
        let pong = owed.pong.map(|payload| (OpCode::Pong, payload));
        let ping = owed.ping.map(|payload| (OpCode::Ping, payload));
        for (opcode, payload) in [pong, ping].into_iter().flatten() {
            self.frame(true, opcode, ReservedBits::NONE, payload)?;
        }
        Ok(())
    }

    /// Gives the memory for compressing back, if no message was compressed since the last call. Tells whether
    /// some is held still.
    pub fn age(&mut self) -> bool {
        let inside = self.is_inside_message();
        let Some(deflate) = &mut self.deflate else { return false };
        if !std::mem::take(&mut deflate.used) && !inside {
            deflate.compressor.release();
        }
        deflate.compressor.is_holding()
    }

    /// Whether there is memory for [`age`](Self::age) to give back.
    pub fn is_holding(&self) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| deflate.compressor.is_holding())
    }

    /// What compresses, while it is not inside a message; `None` also if nothing was agreed on.
    #[cfg(feature = "tokio")]
    pub(crate) fn compressor(&mut self) -> Option<&mut Compressor> {
        let free = !self.is_inside_message();
        self.deflate.as_mut().filter(|_| free).map(|deflate| &mut deflate.compressor)
    }

    /// One for the same connection that goes on with messages, while this one keeps what is queued.
    #[cfg(feature = "tokio")]
    pub(crate) fn fork(&mut self) -> Self {
        let _ = self.all_frames();
        let open = self.later.as_mut().and_then(|later| later.open.take());
        Self {
            output: Output::default(),
            later: open.map(|open| Box::new(Later { open: Some(open), ..Later::default() })),
            deflate: self.deflate.take(),
            closed: false,
            limits: Arc::clone(&self.limits),
            ..*self
        }
    }

    /// Moves all that `other` has queued behind what is queued here.
    #[cfg(feature = "tokio")]
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.output.append(&mut other.output);
    }

    /// Queues what is left of a message that leaves in several frames.
    #[cfg(feature = "tokio")]
    pub(crate) fn queue_all(&mut self) {
        let _ = self.all_frames();
    }

    /// The transport is gone: throws away what is queued and takes nothing any more.
    pub fn abandon(&mut self) {
        self.end();
        self.output.clear();
    }

    /// Nothing is queued any more.
    fn end(&mut self) {
        self.closed = true;
        self.later = None;
    }

    fn later(&mut self) -> &mut Later {
        self.later.get_or_insert_default()
    }

    fn owed(&mut self) -> Option<&mut Owed> {
        self.later.as_mut()?.owed.as_mut()
    }

    #[inline]
    fn has_rest(&self) -> bool {
        self.later.as_ref().is_some_and(|later| later.rest.is_some())
    }

    /// Something of it is queued: holds no memory for nothing.
    fn forget_later(&mut self) {
        self.later.take_if(|later| later.owed.is_none() && later.open.is_none() && later.rest.is_none());
    }

    /// Makes sure that a message may begin here.
    #[inline]
    fn check_free(&mut self) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        if self.is_inside_message() {
            return Err(Usage::InsideMessage.into());
        }
        self.all_frames()
    }

    #[inline]
    fn compresses(&self, length: usize, compress: Compress) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| match compress {
            Compress::Auto => length >= deflate.threshold,
            Compress::Always => true,
            Compress::Never => false,
        })
    }

    #[inline]
    fn masks(&self) -> bool {
        self.role == Role::Client && !self.no_masking
    }

    /// Queues a message, in as many frames as it takes.
    #[inline]
    fn frames(&mut self, opcode: OpCode, reserved: ReservedBits, payload: Bytes) -> Result<(), Error> {
        if payload.len() <= self.limits.max_sent_frame_size {
            return self.frame(true, opcode, reserved, payload);
        }
        self.later().rest = Some(Rest { opcode, reserved, payload });
        self.next_frame()
    }

    /// Whether a message is not compressed, and may begin here.
    #[inline]
    fn is_plain(&self) -> bool {
        let is_free = |later: &Later| later.open.is_none() && later.rest.is_none();
        !self.closed && self.later.as_deref().is_none_or(is_free) && self.deflate.is_none()
    }

    /// Queues a short message that is not compressed: so do most leave.
    #[inline]
    fn short(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), Error> {
        let mask = self.key()?;
        let (first, masked) = (0x80 | opcode as u8, u8::from(mask.is_some()) << 7);
        let tail = self.output.tail();
        tail.reserve(FrameHeader::MAX_SIZE + payload.len());
        match u16::try_from(payload.len()) {
            Ok(length) if length >= 126 => {
                let [high, low] = length.to_be_bytes();
                tail.extend_from_slice(&[first, masked | 126, high, low]);
            }
            _ => tail.extend_from_slice(&[first, masked | payload.len() as u8]),
        }
        let Some(key) = mask else {
            tail.extend_from_slice(payload);
            return Ok(());
        };
        tail.extend_from_slice(&key);
        let start = tail.len();
        tail.extend_from_slice(payload);
        mask::apply(key, 0, &mut tail[start..]);
        Ok(())
    }

    /// Queues the next frame of the message that leaves in several.
    fn next_frame(&mut self) -> Result<(), Error> {
        let Some(Later { rest, .. }) = self.later.as_deref_mut() else { return Ok(()) };
        let Some(Rest { opcode, reserved, payload }) = rest else { return Ok(()) };
        let part = payload.split_to(self.limits.max_sent_frame_size.min(payload.len()));
        let opcode = std::mem::replace(opcode, OpCode::Continuation);
        let reserved = std::mem::take(reserved);
        let fin = payload.is_empty();
        if fin {
            *rest = None;
            self.forget_later();
        }
        self.frame(fin, opcode, reserved, part)
    }

    /// Queues what is left of the message that leaves in several frames.
    #[inline]
    fn all_frames(&mut self) -> Result<(), Error> {
        while self.has_rest() {
            self.next_frame()?;
        }
        Ok(())
    }

    /// Queues a message compressed. It is compressed to where it will lie, behind the longest header.
    fn compressed(&mut self, opcode: OpCode, message: &[u8]) -> Result<(), Error> {
        const ROOM: usize = FrameHeader::MAX_SIZE;
        let mask = self.key()?;
        let Some(deflate) = &mut self.deflate else { return Ok(()) };
        deflate.used = true;
        let tail = self.output.tail();
        let start = tail.len();
        tail.put_bytes(0, ROOM);
        deflate.compressor.compress_message(message, tail);
        let length = tail.len() - start - ROOM;
        if length > self.limits.max_sent_frame_size {
            let payload = tail.split_off(start + ROOM).freeze();
            tail.truncate(start);
            return self.frames(opcode, ReservedBits::RSV1, payload);
        }
        let header =
            FrameHeader { fin: true, reserved: ReservedBits::RSV1, opcode, mask, length: length as u64 };
        let (bytes, size) = header.to_bytes();
        let frame = &mut tail[start..];
        frame[..size].copy_from_slice(&bytes[..size]);
        frame.copy_within(ROOM.., size);
        if let Some(key) = mask {
            mask::apply(key, 0, &mut frame[size..size + length]);
        }
        tail.truncate(start + size + length);
        Ok(())
    }

    #[inline]
    fn key(&self) -> io::Result<Option<MaskingKey>> {
        // RFC 6455 §5.3: a fresh key for each frame.
        if self.masks() { (self.keys)().map(Some) } else { Ok(None) }
    }

    fn frame(
        &mut self,
        fin: bool,
        opcode: OpCode,
        reserved: ReservedBits,
        payload: Bytes,
    ) -> Result<(), Error> {
        let mask = self.key()?;
        let (header, size) =
            FrameHeader { fin, reserved, opcode, mask, length: payload.len() as u64 }.to_bytes();
        let tail = self.output.tail();
        if payload.len() < LARGE {
            tail.reserve(size + payload.len());
            tail.extend_from_slice(&header[..size]);
            let start = tail.len();
            tail.extend_from_slice(&payload);
            if let Some(key) = mask {
                mask::apply(key, 0, &mut tail[start..]);
            }
            return Ok(());
        }
        tail.extend_from_slice(&header[..size]);
        let Some(key) = mask else {
            self.output.push(payload);
            return Ok(());
        };
        // Masked in place if nobody else holds the payload, in a copy otherwise.
        let mut payload = payload.try_into_mut().unwrap_or_else(|shared| shared[..].into());
        mask::apply(key, 0, &mut payload);
        self.output.push(payload.freeze());
        Ok(())
    }
}

impl Replies for Outgoing {
    fn post(&mut self, control: Control) {
        match control {
            Control::Close(close) => self.close(&close),
            _ if self.closed => {}
            Control::Pong(payload) if !self.has_room() => {
                self.later().owed.get_or_insert_default().pong = Some(payload);
            }
            Control::Ping(payload) if !self.has_room() => {
                self.later().owed.get_or_insert_default().ping = Some(payload);
            }
            // A Pong that is newer than the one owed makes that one needless.
            Control::Pong(payload) => {
                if let Some(owed) = self.owed() {
                    owed.pong = None;
                }
                let _ = self.frame(true, OpCode::Pong, ReservedBits::NONE, payload);
            }
            Control::Ping(payload) => {
                if let Some(owed) = self.owed() {
                    owed.ping = None;
                }
                let _ = self.frame(true, OpCode::Ping, ReservedBits::NONE, payload);
            }
        }
    }
}

/// RFC 6455 §5.5: control frames carry at most 125 bytes.
pub(crate) fn check_ping(payload: &[u8]) -> Result<(), Usage> {
    if payload.len() > 125 { Err(Usage::ControlTooLong) } else { Ok(()) }
}
