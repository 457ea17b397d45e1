//! RFC 6455 §5.2: masked frames in, the same frames unmasked out, as they come.

/// Where one WebSocket is within its frames.
#[derive(Default)]
pub(crate) struct Echo {
    /// A header that has not come whole.
    header: [u8; 14],
    come: u8,
    key: [u8; 4],
    /// What has not come of a payload.
    left: u64,
    closing: bool,
}

impl Echo {
    /// Appends the echo of what came. Whether a Close has come and was answered.
    pub(crate) fn receive(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> bool {
        while !input.is_empty() {
            if self.left > 0 {
                let count = input.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                let (piece, rest) = input.split_at(count);
                self.unmask(piece, output);
                self.left -= count as u64;
                input = rest;
            } else if self.come == 0
                && let Some(header) = self.begin(input, output)
            {
                input = &input[header..];
            } else {
                self.header[usize::from(self.come)] = input[0];
                self.come += 1;
                input = &input[1..];
                let header = self.header;
                if self.begin(&header[..usize::from(self.come)], output).is_some() {
                    self.come = 0;
                }
            }
        }
        self.closing && self.left == 0
    }

    /// Answers a header, and gives its length if it is whole.
    fn begin(&mut self, input: &[u8], output: &mut Vec<u8>) -> Option<usize> {
        let [first, second, rest @ ..] = input else { return None };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let (length, key) = rest.split_at_checked(extended)?;
        self.key = *key.first_chunk()?;
        self.left = match length {
            [] => u64::from(second & 0x7f),
            length => length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let opcode = first & 0x0f;
        self.closing = opcode == 8;
        // A Ping is answered with a Pong.
        output.extend([if opcode == 9 { first + 1 } else { *first }, second & 0x7f]);
        output.extend(length);
        Some(2 + extended + 4)
    }

    fn unmask(&mut self, piece: &[u8], output: &mut Vec<u8>) {
        let start = output.len();
        output.extend_from_slice(piece);
        let [a, b, c, d] = self.key;
        let key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = output[start..].as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(self.key.iter().cycle()) {
            *byte ^= key;
        }
        self.key.rotate_left(piece.len() % 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_cut_at_every_byte_are_the_same() {
        let key = [1, 2, 3, 4];
        let (mut input, mut expected) = (Vec::new(), Vec::new());
        for (first, length) in
            [(0x82_u8, 5_usize), (0x81, 0), (0x82, 125), (0x82, 126), (0x02, 70_000), (0x88, 2)]
        {
            let head = match length {
                0..126 => vec![length as u8],
                126..0x1_0000 => [&[126][..], &(length as u16).to_be_bytes()].concat(),
                _ => [&[127][..], &(length as u64).to_be_bytes()].concat(),
            };
            let payload: Vec<_> = (0..length).map(|at| at as u8).collect();
            expected.extend([&[first][..], &head, &payload].concat());
            input.extend([first, head[0] | 0x80]);
            input.extend(&head[1..]);
            input.extend(key);
            input.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        for cut in (0..400).chain(input.len() - 400..input.len()) {
            let (mut echo, mut output) = (Echo::default(), Vec::new());
            assert!(!echo.receive(&input[..cut], &mut output));
            assert!(echo.receive(&input[cut..], &mut output));
            assert!(output == expected, "cut at {cut}");
        }
        let (mut echo, mut output) = (Echo::default(), Vec::new());
        for byte in &input {
            echo.receive(&[*byte], &mut output);
        }
        assert!(output == expected);
    }
}
