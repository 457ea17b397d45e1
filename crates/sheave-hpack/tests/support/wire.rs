//! Blocks, written down part by part.

use super::codes::CODES;

/// The octets of a hex dump.
pub fn hex(dump: &str) -> Vec<u8> {
    let digits: Vec<u8> = dump.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// An integer behind the bits of `pattern` (RFC 7541 §5.1).
pub fn integer(pattern: u8, prefix: u32, value: usize) -> Vec<u8> {
    let most = (1 << prefix) - 1;
    if value < most {
        return vec![pattern | value as u8];
    }
    let mut octets = vec![pattern | most as u8];
    let mut rest = value - most;
    while rest >= 128 {
        octets.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    octets.push(rest as u8);
    octets
}

/// A string as it is (RFC 7541 §5.2).
pub fn string(text: &[u8]) -> Vec<u8> {
    [integer(0x00, 7, text.len()), text.to_vec()].concat()
}

/// A string that says of itself that it is Huffman encoded.
pub fn huffman(code: &[u8]) -> Vec<u8> {
    [integer(0x80, 7, code.len()), code.to_vec()].concat()
}

/// The Huffman code of `text`.
pub fn encode_huffman(text: &[u8]) -> Vec<u8> {
    pack(&text.iter().map(|&octet| CODES[usize::from(octet)]).collect::<Vec<_>>())
}

/// Codes of so many bits, one behind the other, and ones up to the end of the octet.
pub fn pack(codes: &[(u32, u32)]) -> Vec<u8> {
    let mut bits = Vec::new();
    for &(code, length) in codes {
        bits.extend((0..length).rev().map(|at| (code >> at) as u8 & 1));
    }
    bits.chunks(8).map(|bits| (0..8).fold(0, |octet, at| octet << 1 | bits.get(at).unwrap_or(&1))).collect()
}

/// A field of a table (RFC 7541 §6.1).
pub fn indexed(index: usize) -> Vec<u8> {
    integer(0x80, 7, index)
}

/// The pattern and the prefix of each kind of literal (RFC 7541 §6.2).
pub const INCREMENTAL: (u8, u32) = (0x40, 6);
pub const WITHOUT: (u8, u32) = (0x00, 4);
pub const NEVER: (u8, u32) = (0x10, 4);

pub fn literal((pattern, prefix): (u8, u32), name: &[u8], value: &[u8]) -> Vec<u8> {
    [integer(pattern, prefix, 0), string(name), string(value)].concat()
}

pub fn literal_named((pattern, prefix): (u8, u32), index: usize, value: &[u8]) -> Vec<u8> {
    [integer(pattern, prefix, index), string(value)].concat()
}

/// A size update (RFC 7541 §6.3).
pub fn update(size: usize) -> Vec<u8> {
    integer(0x20, 5, size)
}
