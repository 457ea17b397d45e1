//! Integers and strings (RFC 7541 §5).

use bytes::{BufMut, BytesMut};

use crate::error::Error;
use crate::huffman;

/// Why nothing could be read.
pub(crate) enum Stop {
    /// There is not enough. This many octets from the representation's beginning on are the least it takes.
    Needs(usize),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Reads from where a representation begins.
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// How much has been read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// An integer whose first part is the last `prefix` bits of the next octet.
    #[inline(always)]
    pub(crate) fn integer(&mut self, prefix: u32) -> Result<usize, Stop> {
        let all_ones = (1 << prefix) - 1;
        let first = self.octet()? & all_ones;
        if first < all_ones {
            return Ok(first.into());
        }
        self.long_integer(first)
    }

    fn long_integer(&mut self, first: u8) -> Result<usize, Stop> {
        let mut value = u64::from(first);
        for shift in [0, 7, 14, 21, 28] {
            let octet = self.octet()?;
            value += u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                let fits = u32::try_from(value).ok().and_then(|value| value.try_into().ok());
                return fits.ok_or(Stop::Failed(Error::IntegerOverflow));
            }
        }
        // RFC 7541 §5.1: "Integer encodings that exceed implementation limits -- in value or octet length -- MUST
        // be treated as decoding errors."
        Err(Stop::Failed(Error::IntegerOverflow))
    }

    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<StringLiteral<'a>, Stop> {
        let huffman = self.peek()? & 0x80 != 0;
        let length = self.integer(7)?;
        let start = self.at;
        let end = start.saturating_add(length);
        if end > self.input.len() {
            return Err(Stop::Needs(end));
        }
        self.at = end;
        Ok(StringLiteral { huffman, length, input: &self.input[start..] })
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Result<u8, Stop> {
        self.input.get(self.at).copied().ok_or(Stop::Needs(self.at + 1))
    }

    #[inline(always)]
    fn octet(&mut self) -> Result<u8, Stop> {
        let octet = self.peek()?;
        self.at += 1;
        Ok(octet)
    }
}

/// A string as it came.
#[derive(Clone, Copy)]
pub(crate) struct StringLiteral<'a> {
    huffman: bool,
    length: usize,
    /// It begins with the string, which is all there.
    input: &'a [u8],
}

impl StringLiteral<'_> {
    /// The longest that it can be, without looking at it.
    #[inline]
    pub(crate) fn longest(&self) -> usize {
        match self.huffman {
            true => huffman::longest(self.length),
            false => self.length,
        }
    }

    /// How long it is.
    pub(crate) fn len(&self) -> Result<usize, Error> {
        match self.huffman {
            true => huffman::decoded_len(self.input, self.length),
            false => Ok(self.length),
        }
    }

    /// Writes it to `output`, which has room for it and for [`huffman::SLACK`] behind it. Tells how long it is.
    #[inline]
    pub(crate) fn decode(&self, output: &mut [u8]) -> Result<usize, Error> {
        match self.huffman {
            true => huffman::decode(self.input, self.length, output),
            false => {
                output[..self.length].copy_from_slice(&self.input[..self.length]);
                Ok(self.length)
            }
        }
    }
}

/// Writes an integer behind the bits of `pattern`, of which it leaves `prefix` to the integer.
#[inline]
pub(crate) fn put_integer(value: usize, pattern: u8, prefix: u32, block: &mut BytesMut) {
    let all_ones = (1 << prefix) - 1;
    if value < usize::from(all_ones) {
        return block.put_u8(pattern | value as u8);
    }
    block.put_u8(pattern | all_ones);
    let mut rest = value - usize::from(all_ones);
    while rest >= 0x80 {
        block.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.put_u8(rest as u8);
}

/// Writes a string, Huffman encoded where that is shorter.
#[inline]
pub(crate) fn put_string(data: &[u8], block: &mut BytesMut) {
    let Some(most) = data.len().checked_sub(1) else { return block.put_u8(0) };
    // If the length of the code takes one octet, it can be filled in behind.
    let known = if most < 0x7f { most } else { huffman::encoded_len(data) };
    if known <= most {
        let prefix = block.len();
        put_integer(known, 0x80, 7, block);
        let start = block.len();
        block.resize(start + known + huffman::SLACK, 0);
        if let Some(length) = huffman::encode(data, known, &mut block[start..]) {
            if length < known {
                block[prefix] = 0x80 | length as u8;
            }
            return block.truncate(start + length);
        }
        block.truncate(prefix);
    }
    put_integer(data.len(), 0x00, 7, block);
    block.extend_from_slice(data);
}
