/// A hash of `bytes`, which goes on from `seed`.
///
/// It is made to be fast and is not keyed: whoever chooses the bytes can make hashes collide. What is found by
/// a hash is therefore compared, and not looked for long, so that a flood of collisions costs compression and
/// nothing else.
#[inline]
pub(crate) const fn hash(seed: u64, bytes: &[u8]) -> u64 {
    // The length keeps what is padded apart from what is not.
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(LENGTH);
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk::<16>() {
        let chunk = u128::from_le_bytes(*chunk);
        state = fold(chunk as u64 ^ ODD, (chunk >> 64) as u64 ^ state);
        rest = behind;
    }
    // The last octets, some of them twice.
    let (low, high) = if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
        (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64)
    } else if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
        (*first as u64 | (rest[rest.len() / 2] as u64) << 8, *last as u64)
    } else {
        (0, 0)
    };
    fold(low ^ ODD, high ^ state)
}

/// Any numbers without a pattern in their bits; these are the first ones of π.
const ODD: u64 = 0x243f_6a88_85a3_08d3;
const LENGTH: u64 = 0x1319_8a2e_0370_7345;

/// Both halves of the product, so that every bit has an effect on every other.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    product as u64 ^ (product >> 64) as u64
}
