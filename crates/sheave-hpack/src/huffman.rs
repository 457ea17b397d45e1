//! The Huffman code of string literals (RFC 7541 §5.2).

mod code;
mod table;

use crate::error::Error;
use code::{BY_LENGTH, CODES, LONGEST, ORDER};
use table::{Step, TABLE};

/// How much room [`decode`] and [`encode`] need beyond what they write: they write up to eight octets at a time.
pub(crate) const SLACK: usize = 8;

/// How many octets the code of `data` takes.
pub(crate) fn encoded_len(data: &[u8]) -> usize {
    let bits: u64 = data.iter().map(|&octet| u64::from(CODES[usize::from(octet)].length)).sum();
    bits.div_ceil(8) as usize
}

/// Writes the code of `data` to `output` and tells how long it is; nothing if it is longer than `most`. There has to be
/// room for that, and for [`SLACK`] behind it.
#[inline]
pub(crate) fn encode(data: &[u8], most: usize, output: &mut [u8]) -> Option<usize> {
    let (mut bits, mut count, mut at) = (0u64, 0, 0);
    for &octet in data {
        let code = CODES[usize::from(octet)];
        bits = bits << code.length | u64::from(code.bits);
        count += code.length;
        if count >= 32 {
            count -= 32;
            *output.get_mut(at..)?.first_chunk_mut()? = ((bits >> count) as u32).to_be_bytes();
            at += 4;
        }
    }
    // RFC 7541 §5.2: the padding is the beginning of EOS, which is all ones.
    let last = (bits << 32 | u64::from(u32::MAX)) >> count;
    *output.get_mut(at..)?.first_chunk_mut()? = (last as u32).to_be_bytes();
    at += count.div_ceil(8) as usize;
    (at <= most).then_some(at)
}

/// The most octets that `encoded` octets can stand for: the shortest codes have five bits.
pub(crate) fn longest(encoded: usize) -> usize {
    // By parts, since all of it times eight might be too large.
    encoded / 5 * 8 + encoded % 5 * 8 / 5
}

/// How many octets the first `len` of `data` stand for.
pub(crate) fn decoded_len(data: &[u8], len: usize) -> Result<usize, Error> {
    let mut decoded = 0;
    decode_to(data, len, |_, count| decoded += count as usize)?;
    Ok(decoded)
}

/// Writes what the first `len` octets of `data` stand for to `output` and tells how much that is. There has to be room
/// for [`longest`] or [`decoded_len`], and for [`SLACK`] behind that. What follows in `data`, if anything does, only lets
/// the end be read faster.
#[inline]
pub(crate) fn decode(data: &[u8], len: usize, output: &mut [u8]) -> Result<usize, Error> {
    let mut at = 0;
    decode_to(data, len, |octets, count| {
        output[at..at + 8].copy_from_slice(&octets.to_le_bytes());
        at += count as usize;
    })?;
    Ok(at)
}

/// Decodes, and gives `take` up to eight octets at a time, the first one lowest, and how many they are.
#[inline(always)]
fn decode_to(data: &[u8], len: usize, mut take: impl FnMut(u64, u32)) -> Result<(), Error> {
    let mut window = Window { bits: 0, count: 0 };
    let mut rest = &data[..len];
    while let Some(next) = rest.first_chunk() {
        rest = &rest[window.refill(u64::from_be_bytes(*next)) as usize / 8..];
        window.step(&mut take)?;
    }
    // What is left, and behind it the padding goes on.
    let mut left = window.count + 8 * rest.len() as u32;
    let mut next = match data[len - rest.len()..].first_chunk() {
        Some(next) => u64::from_be_bytes(*next),
        None => rest.iter().rev().fold(0, |octets, &octet| octets >> 8 | u64::from(octet) << 56),
    };
    next |= u64::MAX >> (8 * rest.len());
    loop {
        let refilled = window.refill(next);
        next = !(!next << refilled);
        // RFC 7541 §5.2: "A padding strictly longer than 7 bits MUST be treated as a decoding error. A padding not
        // corresponding to the most significant bits of the code for the EOS symbol MUST be treated as" one.
        if left <= 7 && window.bits.leading_ones() >= left {
            return Ok(());
        }
        // There is no code of ones alone but EOS. So what goes on into the padding is not the beginning of that.
        left = left.checked_sub(window.step(&mut take)?).ok_or(Error::InvalidHuffman)?;
    }
}

/// The next bits, from the highest on.
struct Window {
    bits: u64,
    /// How many of them have been taken from the data. Those behind are right as far as they are there.
    count: u32,
}

impl Window {
    /// Takes as many whole octets of `next` as there is room for, so that there are at least 56 bits. Tells how many
    /// bits that are.
    #[inline(always)]
    fn refill(&mut self, next: u64) -> u32 {
        self.bits |= next >> self.count;
        let taken = (63 - self.count) & !7;
        self.count += taken;
        taken
    }

    /// Takes four steps, or one long code. Gives `take` the octets, and tells how many bits were taken, which is no
    /// more than 48.
    #[inline(always)]
    fn step(&mut self, take: &mut impl FnMut(u64, u32)) -> Result<u32, Error> {
        let (mut octets, mut steps) = (0, Step::NONE);
        for _ in 0..4 {
            let step = TABLE[(self.bits >> (64 - table::BITS)) as usize];
            octets |= step.octets() << (steps.octet_bits() & 63);
            steps = steps.and(step);
            self.bits <<= step.length();
        }
        let (mut octet_bits, mut length) = (steps.octet_bits(), steps.length());
        if length == 0 {
            (octets, length) = long_step(self.bits).ok_or(Error::InvalidHuffman)?;
            octet_bits = 8;
            self.bits <<= length;
        }
        take(octets, octet_bits / 8);
        self.count -= length;
        Ok(length)
    }
}

/// The octet, and the length of its code, where that is too long for the table.
///
/// RFC 7541 §5.2: "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a decoding error."
/// For that there is no octet.
#[cold]
fn long_step(bits: u64) -> Option<(u64, u32)> {
    let bits = bits >> 32;
    // Whatever they are, there is a code that they begin with.
    let shorter = |&length: &usize| bits < BY_LENGTH[length].end;
    let length = (table::BITS as usize + 1..LONGEST).find(shorter).unwrap_or(LONGEST);
    let codes = BY_LENGTH[length];
    let nth = (bits >> (32 - length)) as u32 - codes.first;
    let octet = u8::try_from(ORDER[codes.at + nth as usize]).ok()?;
    Some((octet.into(), length as u32))
}
