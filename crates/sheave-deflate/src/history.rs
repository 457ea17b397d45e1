use std::collections::VecDeque;

/// The last bytes of what was inflated, as far back as the peer may refer.
#[derive(Debug, Default)]
pub(crate) struct History {
    bytes: VecDeque<u8>,
}

impl History {
    /// Appends, and forgets all but the last `most` bytes.
    pub(crate) fn push(&mut self, bytes: &[u8], most: usize) {
        let bytes = &bytes[bytes.len().saturating_sub(most)..];
        let length = self.bytes.len() + bytes.len();
        self.bytes.drain(..length.saturating_sub(most));
        if self.bytes.capacity() < length.min(most) {
            // Doubled, but never beyond what it may hold.
            let capacity = (2 * self.bytes.capacity()).clamp(length.min(most), most);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend(bytes);
    }

    /// The bytes in their order, in two pieces.
    pub(crate) fn pieces(&self) -> [&[u8]; 2] {
        let (first, second) = self.bytes.as_slices();
        [first, second]
    }
}

#[cfg(test)]
mod tests {
    use super::History;

    #[test]
    fn keeps_the_last_bytes_in_order() {
        for most in [1, 7, 256] {
            for step in 1..40 {
                let (mut history, mut all) = (History::default(), Vec::new());
                for round in 0..40_u8 {
                    let piece = vec![round; step];
                    history.push(&piece, most);
                    all.extend_from_slice(&piece);
                    let expected = &all[all.len().saturating_sub(most)..];
                    assert_eq!(history.pieces().concat(), expected, "{most} {step} {round}");
                    assert!(history.bytes.capacity() <= most.max(4));
                }
            }
        }
    }
}
