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

    /// A message: one like JSON, zeros, noise, or a mix, mostly short, at most 200 KB.
    pub fn message(&mut self) -> Vec<u8> {
        let length = match self.below(1000) {
            0..50 => 0,
            50..100 => 1,
            100..700 => self.below(300),
            700..950 => self.below(4_000),
            950..997 => self.below(40_000),
            _ => self.below(200_000),
        };
        self.message_of(length)
    }

    /// A message of this length.
    pub fn message_of(&mut self, length: usize) -> Vec<u8> {
        match self.below(8) {
            0 => vec![0; length],
            1 => self.noise(length),
            2 => {
                let mut mix = self.json(length / 2);
                mix.extend(self.noise(length - length / 2));
                mix
            }
            _ => self.json(length),
        }
    }

    fn json(&mut self, length: usize) -> Vec<u8> {
        const WORDS: [&str; 8] = ["id", "name", "price", "Größe", "events", "true", "null", "2015-12-01T"];
        let mut text = String::from("{");
        while text.len() < length {
            let (key, value) = (WORDS[self.below(8)], WORDS[self.below(8)]);
            match self.below(3) {
                0 => text += &format!("\"{key}\":{},", self.next() >> 40),
                1 => text += &format!("\"{key}\":\"{value}\","),
                _ => text += &format!("{{\"{key}\":[{},{value}]}},", self.below(10)),
            }
        }
        let mut bytes = text.into_bytes();
        bytes.truncate(length);
        bytes
    }
}
