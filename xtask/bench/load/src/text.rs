//! Texts like the JSON that applications send: the same keys again and again, values that differ.

/// A generator of numbers that repeat with its seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

const KINDS: [&str; 6] = ["created", "updated", "deleted", "viewed", "shared", "archived"];
const NAMES: [&str; 12] = [
    "amelia", "bruno", "chiara", "dmitri", "elif", "farah", "goran", "hana", "ingrid", "joão", "kenji",
    "łukasz",
];
const WORDS: [&str; 20] = [
    "report",
    "invoice",
    "sketch",
    "meeting",
    "ticket",
    "release",
    "budget",
    "contract",
    "draft",
    "photo",
    "for",
    "of",
    "and",
    "with",
    "the",
    "new",
    "old",
    "quarterly",
    "internal",
    "final",
];

/// A text of exactly `length` bytes.
pub(crate) fn json(random: &mut Random, length: usize) -> String {
    const END: &str = "\"}]}";
    let mut text = format!("{{\"batch\":\"{:016x}\",\"events\":[", random.next());
    while text.len() + 300 < length {
        let words: Vec<_> = (0..3 + random.below(4)).map(|_| random.one_of(&WORDS)).collect();
        text += &format!(
            "{{\"id\":{},\"type\":\"{}\",\"user\":\"{}\",\"title\":\"{}\",\"at\":\"2025-{:02}-{:02}T{:02}:{:02}:{:02}Z\",\
             \"size\":{},\"score\":{}.{:03},\"public\":{}}},",
            1_000_000 + random.below(9_000_000),
            random.one_of(&KINDS),
            random.one_of(&NAMES),
            words.join(" "),
            1 + random.below(12),
            1 + random.below(28),
            random.below(24),
            random.below(60),
            random.below(60),
            random.below(100_000),
            random.below(100),
            random.below(1000),
            random.below(2) == 0,
        );
    }
    text += "{\"token\":\"";
    if text.len() + END.len() > length {
        // Too short for an event. What is there is ASCII.
        text += END;
        text.truncate(length);
        return text;
    }
    while text.len() < length - END.len() {
        text.push(char::from(b"0123456789abcdef"[random.below(16) as usize]));
    }
    text + END
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_length_that_was_asked_for() {
        let mut random = Random(1);
        for length in (0..700).chain([1024, 4096, 65_536]) {
            assert_eq!(json(&mut random, length).len(), length);
        }
        // The words that are not ASCII occur.
        assert!(!json(&mut random, 65_536).is_ascii());
    }
}
