use std::fmt;

use bytes::{BufMut, BytesMut};
use zlib_rs::{Deflate, DeflateFlush};

use crate::config::DeflateConfig;
use crate::negotiation::Direction;
use crate::pool::{self, Kind, Permit, with_scratch};

/// Turns messages into payloads (RFC 7692 §7.2.1).
///
/// Until its first message, and after [`release`](Self::release), it holds no memory.
pub struct Compressor {
    kind: Kind,
    takeover: bool,
    budget: usize,
    context: Option<Context>,
}

/// What a [`Compressor`] remembers of earlier messages, apart from it.
pub struct Context {
    kind: Kind,
    /// There until dropped.
    deflate: Option<Deflate>,
    /// To be kept between messages.
    permit: Option<Permit>,
}

/// What ends each flush, and is left out at the end of a message (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

impl Compressor {
    /// A compressor for what this side sends, as was agreed on for it. A window of 8 bits, which no negotiation of
    /// ours comes to, counts as 9.
    pub fn new(config: &DeflateConfig, agreed: Direction) -> Self {
        let kind = Kind {
            level: config.level,
            window_bits: config.window_bits.min(agreed.window_bits).max(9),
            memory_level: config.memory_level,
        };
        Self {
            kind,
            takeover: config.context_takeover && agreed.context_takeover,
            budget: config.context_budget,
            context: None,
        }
    }

    /// Appends the payload of a whole message to `output`.
    pub fn compress_message(&mut self, message: &[u8], output: &mut BytesMut) {
        let before = output.len();
        if !message.is_empty() {
            self.run(message, DeflateFlush::SyncFlush, output);
        }
        self.end(before, output);
    }

    /// Compresses the next part of a message, and appends to `output` what comes out of it so far.
    pub fn compress(&mut self, part: &[u8], output: &mut BytesMut) {
        if !part.is_empty() {
            self.run(part, DeflateFlush::NoFlush, output);
        }
    }

    /// Appends to `output` all that was compressed so far, so that the receiver can inflate it: the end of a
    /// fragment that is not to wait for the next one.
    pub fn flush(&mut self, output: &mut BytesMut) {
        if self.context.is_some() {
            self.run(&[], DeflateFlush::SyncFlush, output);
        }
    }

    /// Ends the message: appends the rest of its payload to `output`.
    pub fn finish(&mut self, output: &mut BytesMut) {
        let before = output.len();
        self.flush(output);
        self.end(before, output);
    }

    /// Ends the message whose last flush began at `before`.
    fn end(&mut self, before: usize, output: &mut BytesMut) {
        match output.len().checked_sub(TAIL.len()) {
            Some(end) if output.len() > before => {
                debug_assert_eq!(output[end..], TAIL);
                output.truncate(end);
            }
            // RFC 7692 §7.2.3.6: nothing, or nothing since the last flush, is an empty block.
            _ => output.put_u8(0x00),
        }
        let Self { takeover, budget, kind, context, .. } = self;
        context.take_if(|context| {
            if *takeover && context.permit.is_none() {
                context.permit = Permit::new(kind.size(), *budget);
            }
            context.permit.is_none()
        });
    }

    /// Gives the memory back. The next message refers back to nothing, which every receiver can take. Not to be
    /// called inside a message.
    pub fn release(&mut self) {
        self.context = None;
    }

    /// Whether it holds memory.
    pub fn is_holding(&self) -> bool {
        self.context.is_some()
    }

    /// Takes out what it remembers, as [`release`](Self::release) does, but keeps it for
    /// [`set_context`](Self::set_context).
    pub fn take_context(&mut self) -> Option<Context> {
        self.context.take()
    }

    /// Goes on with what [`take_context`](Self::take_context) took out, if nothing was compressed since.
    pub fn set_context(&mut self, context: Context) {
        self.context.get_or_insert(context);
    }

    /// How far back its messages refer, as a power of two.
    pub fn window_bits(&self) -> u8 {
        self.kind.window_bits
    }

    fn run(&mut self, mut input: &[u8], flush: DeflateFlush, output: &mut BytesMut) {
        let kind = self.kind;
        let context = self.context.get_or_insert_with(|| Context { kind, deflate: None, permit: None });
        let deflate = context.deflate.get_or_insert_with(|| pool::deflate(kind));
        with_scratch(|scratch| {
            loop {
                let (read, written) = (deflate.total_in(), deflate.total_out());
                let done = deflate.compress(input, scratch, flush);
                // There is no input that cannot be compressed.
                debug_assert!(done.is_ok(), "{done:?}");
                let (read, written) = (deflate.total_in() - read, deflate.total_out() - written);
                input = &input[read as usize..];
                output.extend_from_slice(&scratch[..written as usize]);
                if (written as usize) < scratch.len() && (input.is_empty() || read == 0) {
                    return;
                }
            }
        });
    }
}

/// For whichever connection of the thread compresses next.
impl Drop for Context {
    fn drop(&mut self) {
        if let Some(deflate) = self.deflate.take() {
            pool::keep_deflate(self.kind, deflate);
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").field("kind", &self.kind).finish_non_exhaustive()
    }
}
