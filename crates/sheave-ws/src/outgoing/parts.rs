//! Messages that are sent in parts (RFC 6455 §5.4).

use bytes::BytesMut;

use super::{Later, Outgoing};
use crate::error::{Error, Usage};
use crate::extension::ReservedBits;
use crate::frame::OpCode;
use crate::message::Message;
use crate::outgoing::Compress;
use crate::utf8::Utf8Validator;

/// A message of which parts are sent as they come.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) kind: OpCode,
    pub(super) compressed: bool,
    pub(super) frame_size: usize,
    /// No frame of it has been queued.
    pub(super) first: bool,
    pub(super) utf8: Utf8Validator,
    /// The payload of the next frame, as far as it has come.
    pub(super) payload: BytesMut,
}

impl Outgoing {
    /// Queues a fragment of a message; the first says whether it is text, `fin` that this is the last.
    ///
    /// # Errors
    /// As [`message`](Self::message); [`Error::Usage`] if it is not of the first one's kind, or inside a
    /// character that was [written](Self::write) in part.
    pub fn fragment(&mut self, fragment: Message, fin: bool) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        match self.open() {
            None => self.begin(fragment.is_text(), Compress::Auto, usize::MAX)?,
            // A writer may have left it inside a character.
            Some(open) if open.kind == OpCode::of(fragment.is_text()) && open.utf8.is_complete() => {}
            Some(_) => return Err(Usage::InsideMessage.into()),
        }
        // Checked already, and each of them whole characters.
        self.put(fragment.as_bytes())?;
        if fin { self.finish() } else { self.cut(true) }
    }

    /// Begins a message of which the content is [written](Self::write) in parts, and leaves in frames of
    /// `frame_size`, or of [`Config::max_sent_frame_size`](crate::Config::max_sent_frame_size) if that is less.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    pub fn begin(&mut self, text: bool, compress: Compress, frame_size: usize) -> Result<(), Error> {
        self.check_free()?;
        self.later().open = Some(Open {
            kind: OpCode::of(text),
            compressed: self.compresses(usize::MAX, compress),
            frame_size: frame_size.clamp(1, self.limits.max_sent_frame_size),
            first: true,
            utf8: Utf8Validator::default(),
            payload: BytesMut::new(),
        });
        Ok(())
    }

    /// Adds to the message that was [begun](Self::begin), and queues the frames that are full.
    ///
    /// # Errors
    /// As [`message`](Self::message); [`Error::Usage`] if none was begun, or if it is text and this is not. Then
    /// nothing was added.
    pub fn write(&mut self, part: &[u8]) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let open = self.open_mut().ok_or(Usage::Incomplete)?;
        if open.kind == OpCode::Text {
            let mut utf8 = open.utf8.clone();
            utf8.push(part).map_err(|_| Usage::InvalidUtf8)?;
            open.utf8 = utf8;
        }
        self.put(part)
    }

    /// Queues what was written of the message that was begun, as a fragment.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    pub fn cut(&mut self, even_if_empty: bool) -> Result<(), Error> {
        let Some(Later { open: Some(open), .. }) = self.later.as_deref_mut() else { return Ok(()) };
        if let (true, Some(deflate)) = (open.compressed, &mut self.deflate) {
            deflate.compressor.flush(&mut open.payload);
        }
        self.full_frames()?;
        match self.open() {
            Some(open) if even_if_empty || !open.payload.is_empty() => self.part(usize::MAX, false),
            _ => Ok(()),
        }
    }

    /// Ends the message that was begun.
    ///
    /// # Errors
    /// As [`message`](Self::message); [`Error::Usage`] if none was begun, or if it would end inside a character.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let open = self.later.as_mut().and_then(|later| later.open.as_mut());
        let open = open.filter(|open| open.utf8.is_complete()).ok_or(Usage::Incomplete)?;
        if let (true, Some(deflate)) = (open.compressed, &mut self.deflate) {
            deflate.compressor.finish(&mut open.payload);
        }
        self.full_frames()?;
        self.part(usize::MAX, true)?;
        self.later().open = None;
        self.forget_later();
        Ok(())
    }

    /// Whether a message was begun and not finished.
    pub fn is_inside_message(&self) -> bool {
        self.open().is_some()
    }

    fn open(&self) -> Option<&Open> {
        self.later.as_ref()?.open.as_ref()
    }

    fn open_mut(&mut self) -> Option<&mut Open> {
        self.later.as_mut()?.open.as_mut()
    }

    /// Adds to the message that was begun.
    fn put(&mut self, part: &[u8]) -> Result<(), Error> {
        let Some(Later { open: Some(open), .. }) = self.later.as_deref_mut() else { return Ok(()) };
        match &mut self.deflate {
            Some(deflate) if open.compressed => {
                deflate.used = true;
                deflate.compressor.compress(part, &mut open.payload);
            }
            _ => open.payload.extend_from_slice(part),
        }
        self.full_frames()
    }

    /// Queues all frames of the message that was begun that more will follow.
    fn full_frames(&mut self) -> Result<(), Error> {
        while let Some(open) = self.open()
            && open.payload.len() > open.frame_size
        {
            self.part(open.frame_size, false)?;
        }
        Ok(())
    }

    /// Queues a frame, of at most this size, of the message that was begun.
    fn part(&mut self, size: usize, fin: bool) -> Result<(), Error> {
        let Some(open) = self.open_mut() else { return Ok(()) };
        let first = std::mem::take(&mut open.first);
        let opcode = if first { open.kind } else { OpCode::Continuation };
        // RFC 7692 §6.1: only the first frame tells.
        let reserved = if first && open.compressed { ReservedBits::RSV1 } else { ReservedBits::NONE };
        let size = size.min(open.payload.len());
        let payload = open.payload.split_to(size).freeze();
        self.frame(fin, opcode, reserved, payload)
    }
}
