//! Masking (RFC 6455 §5.3).

use crate::frame::MaskingKey;

/// Masks or unmasks `bytes`, which start at the payload's byte `offset`.
///
/// The operation is its own inverse.
pub fn apply(key: MaskingKey, offset: usize, bytes: &mut [u8]) {
    let mut key = key;
    key.rotate_left(offset % 4);
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    // Eight bytes at a time, in a form that the compiler turns into vector instructions.
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
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
