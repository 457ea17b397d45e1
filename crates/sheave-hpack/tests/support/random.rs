//! The same numbers each time.

/// xorshift64*.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from((self.next() >> 32) % u64::try_from(limit).unwrap()).unwrap()
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn noise(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    pub fn text(&mut self, length: usize) -> Vec<u8> {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz-/=. 0";
        (0..length).map(|_| LETTERS[self.below(32)]).collect()
    }

    /// A field: one of a few, one with a name of a few, or any.
    pub fn field(&mut self) -> super::Line {
        const NAMES: [&str; 12] = [
            ":path",
            ":status",
            "accept",
            "cookie",
            "date",
            "x-a",
            "x-b",
            "x-c",
            "user-agent",
            "via",
            "x-request-id",
            "",
        ];
        let name = match self.below(8) {
            0 => {
                let length = self.below(20);
                self.text(length)
            }
            _ => NAMES[self.below(NAMES.len())].into(),
        };
        let length = match self.below(20) {
            0 => self.below(2_000),
            1..4 => self.below(200),
            _ => self.below(30),
        };
        let value = match self.below(6) {
            0 => self.noise(length),
            1 => self.text(length),
            _ => self.below(12).to_string().into(),
        };
        (name, value, self.one_in(20))
    }

    pub fn fields(&mut self) -> Vec<super::Line> {
        (0..self.below(24)).map(|_| self.field()).collect()
    }
}
