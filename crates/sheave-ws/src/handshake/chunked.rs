//! The chunked transfer coding (RFC 9112 §7.1).

use bytes::{Buf as _, BytesMut};

use super::{BodyPiece, HandshakeError};

/// Takes the content out of a chunked body. Chunk extensions and trailers are skipped, 16 KiB of both at
/// most.
///
/// It is strict where laxness has let requests be smuggled: lines end in CRLF and in nothing else, and a size
/// is hexadecimal digits alone.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// Bytes of extensions and trailers so far.
    skipped: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// In a chunk's size, after so many digits.
    Size { size: u64, digits: u8 },
    /// In what follows a chunk's size on its line.
    Extension { size: u64, named: bool },
    /// After the CR of a size line.
    SizeLineFeed { size: u64 },
    /// In a chunk.
    Data { left: u64 },
    /// After a chunk.
    DataCarriageReturn,
    /// After a chunk and its CR.
    DataLineFeed,
    /// In a line of the trailer section; whether it is still empty.
    Trailer { empty: bool },
    /// After the CR of a trailer line.
    TrailerLineFeed { empty: bool },
    /// After the whole body.
    End,
}

impl ChunkedDecoder {
    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self { state: START, skipped: 0 }
    }

    /// Takes the next piece of content from the front of `input`, or `None` when more bytes are needed.
    ///
    /// A chunk that has not arrived whole is handed out in parts. What follows the body stays in `input`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MalformedBody`], after which there is no going on.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<BodyPiece>, HandshakeError> {
        loop {
            match self.state {
                State::End => return Ok(Some(BodyPiece::End)),
                State::Data { left } => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    if length == 0 {
                        return Ok(None);
                    }
                    let left = left - length as u64;
                    self.state = if left == 0 { State::DataCarriageReturn } else { State::Data { left } };
                    return Ok(Some(BodyPiece::Data(input.split_to(length).freeze())));
                }
                state => {
                    let Some(&byte) = input.first() else { return Ok(None) };
                    self.state = self.step(state, byte)?;
                    input.advance(1);
                }
            }
        }
    }

    /// Whether the whole body was decoded.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// The state after a byte that is no content.
    fn step(&mut self, state: State, byte: u8) -> Result<State, HandshakeError> {
        Ok(match (state, byte) {
            (State::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // RFC 9112 §7.1: recipients MUST prevent overflows
                if digits == MAX_DIGITS {
                    return Err(malformed("chunk too large"));
                }
                let digit = u64::from(char::from(byte).to_digit(16).unwrap_or_default());
                State::Size { size: size << 4 | digit, digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => return Err(malformed("chunk without a size")),
            (State::Size { size, .. } | State::Extension { size, .. }, b'\r') => State::SizeLineFeed { size },
            (State::Size { size, .. }, b' ' | b'\t' | b';') => State::Extension { size, named: byte == b';' },
            (State::Extension { size, named: false }, b' ' | b'\t' | b';') => {
                self.skip()?;
                State::Extension { size, named: byte == b';' }
            }
            // RFC 9112 §7.1.1: a recipient MUST ignore unrecognized chunk extensions
            (State::Extension { size, named: true }, b'\t' | b' '..=b'~' | 128..) => {
                self.skip()?;
                State::Extension { size, named: true }
            }
            (State::Size { .. } | State::Extension { .. }, _) => return Err(malformed("chunk size")),
            (State::SizeLineFeed { size: 0 }, b'\n') => State::Trailer { empty: true },
            (State::SizeLineFeed { size }, b'\n') => State::Data { left: size },
            (State::DataCarriageReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => START,
            (State::DataCarriageReturn | State::DataLineFeed, _) => return Err(malformed("chunk end")),
            (State::Trailer { empty }, b'\r') => State::TrailerLineFeed { empty },
            (State::Trailer { .. }, b'\t' | b' '..=b'~' | 128..) => {
                self.skip()?;
                State::Trailer { empty: false }
            }
            (State::TrailerLineFeed { empty: true }, b'\n') => State::End,
            (State::TrailerLineFeed { empty: false }, b'\n') => State::Trailer { empty: true },
            (State::SizeLineFeed { .. } | State::Trailer { .. } | State::TrailerLineFeed { .. }, _) => {
                return Err(malformed("line end"));
            }
            (State::Data { .. } | State::End, _) => state,
        })
    }

    fn skip(&mut self) -> Result<(), HandshakeError> {
        self.skipped += 1;
        if self.skipped > MAX_SKIPPED { Err(malformed("too many extensions or trailers")) } else { Ok(()) }
    }
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self::new()
    }
}

fn malformed(what: &'static str) -> HandshakeError {
    HandshakeError::MalformedBody(what)
}

const START: State = State::Size { size: 0, digits: 0 };
const MAX_SKIPPED: usize = 16 * 1024;
/// What a `u64` holds, leading zeros included.
const MAX_DIGITS: u8 = 16;
