use super::code::{BY_LENGTH, LONGEST, ORDER};

/// How many bits are looked at in one step. Two codes of text mostly fit in.
pub(super) const BITS: u32 = 12;

/// What the next bits begin with: 16 KiB, made when sheave is compiled.
pub(super) static TABLE: [Step; 1 << BITS] = table();

/// One or two octets, how many they are and how many bits they take: all 0 where a code is longer than [`BITS`].
///
/// The bits that they take are lowest: everything waits for them, and they can be shifted by without being unpacked. Above
/// them is how many bits the octets have, so that several steps can be added up.
#[derive(Clone, Copy)]
pub(super) struct Step(u32);

impl Step {
    const fn new(octets: u32, count: u32, length: u32) -> Self {
        Self(length | count << 11 | octets << 16)
    }

    /// No steps.
    pub(super) const NONE: Self = Self(0);

    /// Several steps together, up to fifteen: only their length and their octets' bits are right.
    #[inline]
    pub(super) fn and(self, next: Self) -> Self {
        Self(self.0.wrapping_add(next.0))
    }

    /// How many bits are taken.
    #[inline]
    pub(super) fn length(self) -> u32 {
        self.0 & 0xff
    }

    /// How many bits the octets have.
    #[inline]
    pub(super) fn octet_bits(self) -> u32 {
        self.0 >> 8 & 0xff
    }

    /// The first octet is the lowest.
    #[inline]
    pub(super) fn octets(self) -> u64 {
        u64::from(self.0 >> 16)
    }
}

const fn table() -> [Step; 1 << BITS] {
    let mut table = [Step(0); 1 << BITS];
    let mut index = 0;
    while index < 1 << BITS {
        if let Some((first, length)) = code_at_front(index, BITS) {
            // What follows the first code has to be looked up as if nothing were behind it.
            let behind = index << length & ((1 << BITS) - 1);
            table[index as usize] = match code_at_front(behind, BITS - length) {
                Some((second, more)) => Step::new(first | second << 8, 2, length + more),
                None => Step::new(first, 1, length),
            };
        }
        index += 1;
    }
    table
}

/// The octet with whose code `bits`, [`BITS`] of them, begin, and the length of that, if it is at most `room`.
const fn code_at_front(bits: u32, room: u32) -> Option<(u32, u32)> {
    let bits = (bits as u64) << (32 - BITS);
    let mut length = 0;
    while length <= room as usize && length <= LONGEST {
        let codes = &BY_LENGTH[length];
        if bits < codes.end {
            let nth = (bits >> (32 - length)) as u32 - codes.first;
            return Some((ORDER[codes.at + nth as usize] as u32, length as u32));
        }
        length += 1;
    }
    None
}
