//! What messages are made of.

/// Octets that look like chance and are always the same.
pub(crate) fn octets(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let octet = || {
        // Knuth's linear congruential generator for MMIX; its high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(octet).take(length).collect()
}

/// Text of so many octets, mostly ASCII.
pub(crate) fn text(length: usize) -> String {
    let mut text =
        r#"{"name":"Zoë","city":"Kraków","price":"12 €","note":"the quick brown fox jumps over it"},"#
            .repeat(length / 80 + 1);
    while !text.is_char_boundary(length) {
        text.insert(0, ' ');
    }
    text.truncate(length);
    text
}

/// ASCII of so many octets, as a field's value has it.
pub(crate) fn value(length: usize) -> String {
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ".chars().cycle().take(length).collect()
}
