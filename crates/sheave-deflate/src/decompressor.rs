use std::fmt;

use bytes::BytesMut;
use zlib_rs::{Inflate, InflateFlush, Status};

use crate::config::DeflateConfig;
use crate::error::DeflateError;
use crate::history::History;
use crate::negotiation::Direction;
use crate::pool::{self, INFLATE_SIZE, Permit, with_scratch};

/// Turns payloads back into messages (RFC 7692 §7.2.2).
///
/// It never writes more than it is given room for. Until its first message it holds no memory, and after
/// [`release`](Self::release) only what the peer may refer back to. An error is final.
pub struct Decompressor {
    /// How far the peer may refer back, in bytes; 0 if not beyond the message.
    window: usize,
    budget: usize,
    history: History,
    inflate: Option<Inflate>,
    /// To keep `inflate` between messages.
    permit: Option<Permit>,
    /// Something of the message has come.
    begun: bool,
    final_blocks: usize,
    /// A final block has ended what `inflate` can take.
    ended: bool,
}

/// What is appended to each message (RFC 7692 §7.2.2), and a byte more, which is left over if that was all.
const TAIL_AND_MORE: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes of the input were used up.
    pub read: usize,
    /// How many bytes of the output were filled. If that is all of it, there may be more.
    pub written: usize,
}

impl Decompressor {
    /// How many blocks with BFINAL (RFC 7692 §7.2.3.4) a message may have.
    pub const MAX_FINAL_BLOCKS: usize = 1000;

    /// A decompressor for what the peer sends, as was agreed on for it.
    pub fn new(config: &DeflateConfig, agreed: Direction) -> Self {
        Self {
            window: if agreed.context_takeover { 1 << agreed.window_bits } else { 0 },
            budget: config.context_budget,
            history: History::default(),
            inflate: None,
            permit: None,
            begun: false,
            final_blocks: 0,
            ended: false,
        }
    }

    /// Appends a whole message to `output`.
    ///
    /// # Errors
    /// [`DeflateError::TooLarge`] if it is longer than `limit`, before more than that is appended; those of
    /// [`decompress`](Self::decompress).
    pub fn decompress_message(
        &mut self,
        payload: &[u8],
        limit: usize,
        output: &mut BytesMut,
    ) -> Result<(), DeflateError> {
        let mut room = limit;
        let mut take = |piece: &[u8]| {
            room = room.checked_sub(piece.len()).ok_or(DeflateError::TooLarge)?;
            output.extend_from_slice(piece);
            Ok(())
        };
        self.decompress_with(payload, &mut take)?;
        self.finish_with(take)
    }

    /// Inflates the next part of a message and gives what comes out of it to `take`, in small pieces.
    ///
    /// # Errors
    /// Those of [`decompress`](Self::decompress), and what `take` refuses the piece with.
    pub fn decompress_with<E: From<DeflateError>>(
        &mut self,
        mut part: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        with_scratch(|scratch| {
            loop {
                let Progress { read, written } = self.decompress(part, scratch)?;
                part = &part[read..];
                if written > 0 {
                    take(&scratch[..written])?;
                }
                if part.is_empty() && written < scratch.len() {
                    return Ok(());
                }
            }
        })
    }

    /// Ends the message and gives the rest of it to `take`, in small pieces.
    ///
    /// # Errors
    /// Those of [`finish`](Self::finish), and what `take` refuses the piece with.
    pub fn finish_with<E: From<DeflateError>>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        with_scratch(|scratch| {
            loop {
                let (written, done) = self.finish(scratch)?;
                if written > 0 {
                    take(&scratch[..written])?;
                }
                if done {
                    return Ok(());
                }
            }
        })
    }

    /// Inflates from the next part of a message into `output`, until the one is used up or the other is full.
    ///
    /// # Errors
    /// [`DeflateError::Corrupt`], [`DeflateError::TooManyFinalBlocks`].
    pub fn decompress(&mut self, part: &[u8], output: &mut [u8]) -> Result<Progress, DeflateError> {
        let mut progress = Progress { read: 0, written: 0 };
        self.begun |= !part.is_empty();
        while progress.written < output.len() {
            let (input, output) = (&part[progress.read..], &mut output[progress.written..]);
            if self.ended && input.is_empty() {
                break;
            }
            let inflate = self.prepare()?;
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(input, output, InflateFlush::SyncFlush);
            let status = status.map_err(|_| DeflateError::Corrupt)?;
            let read = (inflate.total_in() - read) as usize;
            let written = (inflate.total_out() - written) as usize;
            if self.window > 0 {
                self.history.push(&output[..written], self.window);
            }
            progress.read += read;
            progress.written += written;
            self.ended = status == Status::StreamEnd;
            if self.ended {
                self.final_blocks += 1;
                if self.final_blocks > Self::MAX_FINAL_BLOCKS {
                    return Err(DeflateError::TooManyFinalBlocks);
                }
            }
            if !self.ended && (read == 0 && written == 0 || read == input.len()) {
                break;
            }
        }
        Ok(progress)
    }

    /// Ends the message: inflates what is left of it into `output`. Tells how much that was, and whether it was
    /// all; if not, call it again.
    ///
    /// # Errors
    /// As [`decompress`](Self::decompress); [`DeflateError::Corrupt`] also if something is missing of the message.
    pub fn finish(&mut self, output: &mut [u8]) -> Result<(usize, bool), DeflateError> {
        let mut written = 0;
        // Some end a message with a final block and nothing behind it, or send nothing for an empty one.
        if self.begun && !self.ended {
            // What waited for room: a final block may end behind it.
            written = self.decompress(&[], output)?.written;
            if written == output.len() {
                return Ok((written, false));
            }
            if !self.ended {
                self.append_tail(&mut output[written..])?;
            }
        }
        self.begun = false;
        self.final_blocks = 0;
        if self.window == 0 || self.inflate.is_some() && self.permit.is_none() && !self.may_keep() {
            self.release();
        }
        Ok((written, true))
    }

    /// RFC 7692 §7.2.1: it was taken from the end of an empty block, so it ends one and is nothing else.
    fn append_tail(&mut self, output: &mut [u8]) -> Result<(), DeflateError> {
        let inflate = self.prepare()?;
        let (read, written) = (inflate.total_in(), inflate.total_out());
        // Up to the end of a block. What is inside one would read more, or give output.
        let status = inflate.decompress(&TAIL_AND_MORE, output, InflateFlush::Block);
        let whole = inflate.total_in() - read == 4 && inflate.total_out() == written;
        if status.is_ok() && whole { Ok(()) } else { Err(DeflateError::Corrupt) }
    }

    /// Gives back all memory but what the peer may refer back to. Not to be called inside a message.
    pub fn release(&mut self) {
        self.permit = None;
        self.ended = false;
        if let Some(inflate) = self.inflate.take() {
            pool::keep_inflate(inflate);
        }
    }

    /// Whether there is something to [`release`](Self::release).
    pub fn is_holding(&self) -> bool {
        self.inflate.is_some()
    }

    fn may_keep(&mut self) -> bool {
        self.permit = Permit::new(INFLATE_SIZE, self.budget);
        self.permit.is_some()
    }

    /// What inflates, ready to go on.
    fn prepare(&mut self) -> Result<&mut Inflate, DeflateError> {
        if std::mem::take(&mut self.ended)
            && let Some(inflate) = self.inflate.take()
        {
            pool::keep_inflate(inflate);
        }
        match &mut self.inflate {
            Some(inflate) => Ok(inflate),
            none => {
                let inflate = none.insert(pool::inflate());
                for piece in self.history.pieces().into_iter().filter(|piece| !piece.is_empty()) {
                    inflate.set_dictionary(piece).map_err(|_| DeflateError::Corrupt)?;
                }
                Ok(inflate)
            }
        }
    }
}

/// For whichever connection of the thread inflates next.
impl Drop for Decompressor {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor").field("window", &self.window).finish_non_exhaustive()
    }
}
