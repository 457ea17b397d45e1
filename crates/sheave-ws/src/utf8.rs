//! UTF-8 that is checked as it arrives (RFC 6455 §8.1).

/// Checks text that comes in pieces, cut anywhere, and fails at the first byte that cannot be right.
#[derive(Clone, Debug, Default)]
pub struct Utf8Validator {
    /// The start of a character whose end has not come yet.
    partial: [u8; 4],
    length: u8,
}

/// The bytes are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

impl Utf8Validator {
    /// Checks the next piece.
    ///
    /// # Errors
    /// If some byte of it can no longer be part of any valid text.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), InvalidUtf8> {
        while self.length > 0 {
            let [byte, rest @ ..] = bytes else { return Ok(()) };
            bytes = rest;
            self.partial[usize::from(self.length)] = *byte;
            self.length += 1;
            match std::str::from_utf8(&self.partial[..usize::from(self.length)]) {
                Ok(_) => self.length = 0,
                // No error length: valid so far, more bytes needed. Four bytes are never that.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8),
            }
        }
        let Err(error) = simdutf8::compat::from_utf8(bytes) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(InvalidUtf8);
        }
        let rest = &bytes[error.valid_up_to()..];
        self.partial[..rest.len()].copy_from_slice(rest);
        self.length = rest.len() as u8;
        Ok(())
    }

    /// Whether the text may end here, not inside a character.
    pub fn is_complete(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidUtf8, Utf8Validator};

    /// The index of the byte at which the check fails, fed one byte at a time.
    fn fails_at(bytes: &[u8]) -> Option<usize> {
        let mut validator = Utf8Validator::default();
        (0..bytes.len()).find(|&i| validator.push(&bytes[i..=i]).is_err())
    }

    #[test]
    fn fails_at_the_first_bad_byte() {
        let cases: &[(&[u8], Option<usize>)] = &[
            (b"plain", None),
            ("κόσμε".as_bytes(), None),
            ("\u{10FFFF}\u{D7FF}\u{E000}\u{0}".as_bytes(), None),
            (b"\x80", Some(0)),
            (b"\xff", Some(0)),
            (b"ab\xc0\xaf", Some(2)),       // overlong
            (b"\xe0\x9f\xbf", Some(1)),     // overlong
            (b"\xf0\x8f\xbf\xbf", Some(1)), // overlong
            (b"\xed\xa0\x80", Some(1)),     // surrogate
            (b"\xf4\x90\x80\x80", Some(1)), // above U+10FFFF
            (b"\xf5", Some(0)),
            (b"\xe2\x82a", Some(2)), // a character broken off
            (b"\xf0\x9f\x98x", Some(3)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(fails_at(bytes), *expected, "{bytes:x?}");
        }
    }

    #[test]
    fn agrees_with_std_wherever_the_text_is_cut() {
        let texts: &[&[u8]] =
            &["aé€😀\u{10FFFF}z".as_bytes(), b"ok\xe2\x82", b"\xf0\x9f\x98\x80\xed\xa0", b"a\xc3(b"];
        for text in texts {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let mut validator = Utf8Validator::default();
                    let pushed: Result<(), InvalidUtf8> =
                        [&text[..first], &text[first..second], &text[second..]]
                            .iter()
                            .try_for_each(|piece| validator.push(piece));
                    let valid = pushed.is_ok() && validator.is_complete();
                    assert_eq!(
                        valid,
                        std::str::from_utf8(text).is_ok(),
                        "{text:x?} cut at {first}, {second}"
                    );
                }
            }
        }
    }
}
