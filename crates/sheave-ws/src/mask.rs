//! Masking (RFC 6455 §5.3).

use crate::frame::MaskingKey;

/// Masks or unmasks `bytes`, which start at the payload's byte `offset`.
///
/// The operation is its own inverse.
#[inline]
pub fn apply(key: MaskingKey, offset: usize, bytes: &mut [u8]) {
    // What stands first in memory is in the lowest bits.
    let narrow = u32::from_le_bytes(key).rotate_right(8 * (offset % 4) as u32);
    let wide = u128::from(narrow) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    // As many bytes at a time as fit into a vector, in a form that the compiler turns into instructions on them.
    let (words, rest) = bytes.as_chunks_mut::<16>();
    for word in words {
        *word = (u128::from_le_bytes(*word) ^ wide).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_le_bytes()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn equals_the_definition_at_every_offset_and_length() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for offset in 0..9 {
            for length in 0..70 {
                let plain: Vec<u8> = (0..length).map(|i| i as u8).collect();
                // RFC 6455 §5.3: transformed-octet-i = original-octet-i XOR key-octet-(i MOD 4)
                let expected: Vec<u8> =
                    plain.iter().enumerate().map(|(i, byte)| byte ^ key[(offset + i) % 4]).collect();
                let mut bytes = plain;
                apply(key, offset, &mut bytes);
                assert_eq!(bytes, expected, "offset {offset}, length {length}");
            }
        }
    }
}
