/// The octets, and [`EOS`].
const SYMBOLS: usize = 257;

/// What the padding is taken from; never encoded itself.
const EOS: u16 = 256;

/// The longest code.
pub(super) const LONGEST: usize = 30;

/// The code of one octet, in the low bits.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub(super) bits: u32,
    pub(super) length: u32,
}

/// The code of each octet.
pub(super) static CODES: [Code; 256] = codes();

/// The codes of one length: what decoding a code of any length needs.
#[derive(Clone, Copy)]
pub(super) struct Length {
    /// The first code behind those of this length, in the high bits of 32: codes below it are not longer.
    pub(super) end: u64,
    /// The first code of this length.
    pub(super) first: u32,
    /// Where in [`ORDER`] its symbol is.
    pub(super) at: usize,
}

/// What there is of each length.
pub(super) static BY_LENGTH: [Length; LONGEST + 1] = by_length();

/// The symbols in the order of their codes.
pub(super) static ORDER: [u16; SYMBOLS] = order();

const fn order() -> [u16; SYMBOLS] {
    let mut order = [0; SYMBOLS];
    let (mut at, mut length) = (0, 0);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                order[at] = symbol as u16;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    order
}

const fn by_length() -> [Length; LONGEST + 1] {
    let order = order();
    let mut lengths = [Length { end: 0, first: 0, at: 0 }; LONGEST + 1];
    let (mut code, mut at, mut length) = (0u64, 0, 0);
    while length <= LONGEST {
        code <<= 1;
        lengths[length].first = code as u32;
        lengths[length].at = at;
        while at < SYMBOLS && LENGTHS[order[at] as usize] as usize == length {
            code += 1;
            at += 1;
        }
        lengths[length].end = code << (32 - length);
        length += 1;
    }
    lengths
}

const fn codes() -> [Code; 256] {
    let (order, lengths) = (order(), by_length());
    let mut codes = [Code { bits: 0, length: 0 }; 256];
    let mut at = 0;
    while at < SYMBOLS {
        let symbol = order[at];
        if symbol != EOS {
            let length = LENGTHS[symbol as usize];
            let of_length = lengths[length as usize];
            let bits = of_length.first + (at - of_length.at) as u32;
            codes[symbol as usize] = Code { bits, length: length as u32 };
        }
        at += 1;
    }
    codes
}

/// How many bits the code of each symbol has (RFC 7541 Appendix B). The last one is [`EOS`].
///
/// The code is canonical: shorter codes come first, and those of one length are in the order of their
/// symbols. So the lengths say everything.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
