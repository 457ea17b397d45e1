//! Masking (RFC 6455 §5.3).

use crate::frame::MaskingKey;

/// Masks or unmasks `bytes`, which start at the payload's byte `offset`.
///
/// The operation is its own inverse.
#[inline]
pub fn apply(key: MaskingKey, offset: usize, bytes: &mut [u8]) {
    /// From here on the preparations are worth it, in bytes.
    const LONG: usize = 4 << 10;
    // What stands first in memory is in the lowest bits.
    let narrow = u32::from_le_bytes(key).rotate_right(8 * (offset % 4) as u32);
    if bytes.len() < LONG { words(narrow, bytes) } else { blocks(narrow, bytes) }
}

/// As many bytes at a time as fit into a vector, in a form that the compiler turns into instructions on them.
#[inline]
fn words(narrow: u32, bytes: &mut [u8]) {
    let wide = u128::from(narrow) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let (words, rest) = bytes.as_chunks_mut::<16>();
    for word in words {
        *word = (u128::from_le_bytes(*word) ^ wide).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_le_bytes()) {
        *byte ^= key;
    }
}

/// Several vectors at a time, none of which lies in two of the cache's lines.
fn blocks(narrow: u32, bytes: &mut [u8]) {
    const LINE: usize = 64;
    let start = bytes.as_ptr().align_offset(LINE).min(bytes.len());
    let (start, bytes) = bytes.split_at_mut(start);
    words(narrow, start);
    let narrow = narrow.rotate_right(8 * (start.len() % 4) as u32);
    let mut line = [0; LINE];
    line.as_chunks_mut().0.fill(narrow.to_le_bytes());
    let (blocks, rest) = bytes.as_chunks_mut::<LINE>();
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(line) {
            *byte ^= key;
        }
    }
    words(narrow, rest);
}

#[cfg(test)]
mod tests {
    use super::apply;

    /// RFC 6455 §5.3: transformed-octet-i = original-octet-i XOR key-octet-(i MOD 4)
    fn expected(key: [u8; 4], offset: usize, plain: &[u8]) -> Vec<u8> {
        plain.iter().enumerate().map(|(i, byte)| byte ^ key[(offset + i) % 4]).collect()
    }

    #[test]
    fn equals_the_definition_at_every_offset_and_length() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for offset in 0..9 {
            for length in 0..70 {
                let plain: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let expected = expected(key, offset, &plain);
                let mut bytes = plain;
                apply(key, offset, &mut bytes);
                assert_eq!(bytes, expected, "offset {offset}, length {length}");
            }
        }
    }

    /// Long ones, wherever they begin and end in memory.
    #[test]
    fn equals_the_definition_at_every_place() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..4500).map(|i| (i * 7) as u8).collect();
        for offset in 0..4 {
            for start in 0..66 {
                for end in [start + 500, start + 4095, start + 4096, start + 4161, 4430, 4499] {
                    let mut bytes = plain.clone();
                    apply(key, offset, &mut bytes[start..end]);
                    assert_eq!(
                        bytes[start..end],
                        expected(key, offset, &plain[start..end]),
                        "{start}..{end}"
                    );
                    assert_eq!((&bytes[..start], &bytes[end..]), (&plain[..start], &plain[end..]));
                }
            }
        }
    }
}
