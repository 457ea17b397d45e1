//! The Huffman code of string literals (RFC 7541 §5.2).

mod code;
mod table;

use crate::error::Error;
use code::{BY_LENGTH, CODES, LONGEST, ORDER};
use table::TABLE;

/// How much room [`decode`] needs beyond what it writes: it writes eight octets at a time.
pub(crate) const SLACK: usize = 8;

/// How many octets the code of `data` takes.
pub(crate) fn encoded_len(data: &[u8]) -> usize {
    let bits: u64 = data.iter().map(|&octet| u64::from(CODES[usize::from(octet)].length)).sum();
    bits.div_ceil(8) as usize
}

/// Writes the code of `data` to `output`, which is as long as [`encoded_len`] says.
pub(crate) fn encode(data: &[u8], output: &mut [u8]) {
    let (mut bits, mut count, mut at) = (0u64, 0, 0);
    for &octet in data {
        let code = CODES[usize::from(octet)];
        bits = bits << code.length | u64::from(code.bits);
        count += code.length;
        if count >= 32 {
            count -= 32;
            output[at..at + 4].copy_from_slice(&((bits >> count) as u32).to_be_bytes());
            at += 4;
        }
    }
    // RFC 7541 §5.2: the padding is the beginning of EOS, which is all ones.
    let last = (bits << 32 | u64::from(u32::MAX)) >> count;
    let rest = &mut output[at..];
    rest.copy_from_slice(&(last as u32).to_be_bytes()[..rest.len()]);
}

/// The most octets that `encoded` octets can stand for: the shortest codes have five bits.
pub(crate) fn longest(encoded: usize) -> usize {
    // By parts, since all of it times eight might be too large.
    encoded / 5 * 8 + encoded % 5 * 8 / 5
}

/// How many octets `data` stands for.
pub(crate) fn decoded_len(data: &[u8]) -> Result<usize, Error> {
    let mut len = 0;
    decode_to(data, |_, count| len += count as usize)?;
    Ok(len)
}

/// Writes what `data` stands for to `output` and tells how much that is. There has to be room for
/// [`longest`] or [`decoded_len`], and for [`SLACK`] behind that.
pub(crate) fn decode(data: &[u8], output: &mut [u8]) -> Result<usize, Error> {
    let mut at = 0;
    decode_to(data, |octets, count| {
        output[at..at + 8].copy_from_slice(&octets.to_le_bytes());
        at += count as usize;
    })?;
    Ok(at)
}

/// Decodes, and gives `take` up to eight octets at a time, the first one lowest, and how many they are.
#[inline]
fn decode_to(data: &[u8], mut take: impl FnMut(u64, u32)) -> Result<(), Error> {
    let mut window = Window::default();
    let mut rest = data;
    while let Some(next) = rest.first_chunk() {
        rest = &rest[window.refill(next)..];
        // There are 56 bits, more than these take or any code has.
        let steps = Steps::take(window.bits);
        take(steps.octets, steps.count);
        window.skip(steps.length);
        if steps.length == 0 {
            let (octet, length) = long_step(window.bits);
            take(octet.ok_or(Error::InvalidHuffman)?.into(), 1);
            window.skip(length);
        }
    }

    // Here a code may be cut off. Behind what there is, the padding goes on.
    let mut bits = u128::from(window.bits) << 64 | last_octets(data, rest.len()) >> window.count;
    let mut left = window.count + 8 * rest.len() as u32;
    // RFC 7541 §5.2: "A padding strictly longer than 7 bits MUST be treated as a decoding error. A padding not
    // corresponding to the most significant bits of the code for the EOS symbol MUST be treated as" one.
    while left > 7 || bits.leading_ones() < left {
        let front = (bits >> 64) as u64;
        let steps = Steps::take(front);
        let mut length = steps.length;
        take(steps.octets, steps.count);
        if length == 0 {
            let (octet, long) = long_step(front);
            take(octet.ok_or(Error::InvalidHuffman)?.into(), 1);
            length = long;
        }
        // There is no code of ones alone but EOS. So what goes on into the padding is not the beginning of that.
        left = left.checked_sub(length).ok_or(Error::InvalidHuffman)?;
        bits = !(!bits << length);
    }
    Ok(())
}

/// The last octets of `data`, `count` of them, which are less than eight, with ones behind them.
#[inline]
fn last_octets(data: &[u8], count: usize) -> u128 {
    let octets = match data.last_chunk() {
        Some(last) => u64::from_be_bytes(*last),
        None => data.iter().fold(0, |octets, &octet| octets << 8 | u64::from(octet)),
    };
    !(!u128::from(octets) << 64 << (64 - 8 * count))
}

/// What the table says of some bits.
struct Steps {
    octets: u64,
    count: u32,
    /// How many of the bits that are; none if they begin with a code that is too long for the table.
    length: u32,
}

impl Steps {
    /// Four steps, which take no more than 48 bits.
    #[inline]
    fn take(mut bits: u64) -> Self {
        let mut steps = Self { octets: 0, count: 0, length: 0 };
        for _ in 0..4 {
            let step = TABLE[(bits >> (64 - table::BITS)) as usize];
            steps.octets |= step.octets() << (8 * steps.count);
            steps.count += step.count();
            steps.length += step.length();
            bits <<= step.length();
        }
        steps
    }
}

/// The octet, and the length of its code, where that is too long for the table.
///
/// RFC 7541 §5.2: "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a decoding error."
/// For that there is no octet.
#[cold]
fn long_step(bits: u64) -> (Option<u8>, u32) {
    let bits = bits >> 32;
    // Whatever they are, there is a code that they begin with.
    let shorter = |&length: &usize| bits < BY_LENGTH[length].end;
    let length = (table::BITS as usize + 1..LONGEST).find(shorter).unwrap_or(LONGEST);
    let codes = BY_LENGTH[length];
    let nth = (bits >> (32 - length)) as u32 - codes.first;
    (u8::try_from(ORDER[codes.at + nth as usize]).ok(), length as u32)
}

/// The next bits, from the highest on.
#[derive(Default)]
struct Window {
    bits: u64,
    /// How many of them have been taken from the data. Those behind are right as far as they are there.
    count: u32,
}

impl Window {
    /// Takes as many whole octets as there is room for, so that there are at least 56 bits. Tells how many.
    #[inline]
    fn refill(&mut self, next: &[u8; 8]) -> usize {
        self.bits |= u64::from_be_bytes(*next) >> self.count;
        let octets = (63 - self.count) / 8;
        self.count += octets * 8;
        octets as usize
    }

    #[inline]
    fn skip(&mut self, bits: u32) {
        self.bits <<= bits;
        self.count -= bits;
    }
}
