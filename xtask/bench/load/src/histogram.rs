//! Latencies, counted in classes that are about one percent wide.

/// Each power of two has so many classes.
const CLASSES: u64 = 128;
const BITS: u32 = CLASSES.trailing_zeros();

/// How often each latency was seen.
pub(crate) struct Histogram {
    counts: Vec<u64>,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; class(u64::MAX) + 1] }
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
    }

    pub(crate) fn record(&mut self, nanoseconds: u64, count: u64) {
        self.counts[class(nanoseconds)] += count;
    }

    /// The latency that so many of a thousand do not exceed: the middle of its class. 0 if nothing was recorded.
    pub(crate) fn permille(&self, permille: u64) -> u64 {
        let all: u64 = self.counts.iter().sum();
        let rank = (all * permille).div_ceil(1000).max(1);
        let mut below = 0;
        for (class, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return middle(class);
            }
        }
        0
    }
}

fn class(value: u64) -> usize {
    // Small values have a class each; of others the leading bits count.
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS + 1);
    (u64::from(shift) * CLASSES + (value >> shift)) as usize
}

fn middle(class: usize) -> u64 {
    let class = class as u64;
    let shift = (class / CLASSES).saturating_sub(1);
    let low = (class - shift * CLASSES) << shift;
    low + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_near_the_middle_of_its_class() {
        let mut last = 0;
        for value in (0..100_000).chain((17..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let class = class(value);
            assert!(class >= last, "{value} went back");
            last = class;
            assert!(middle(class).abs_diff(value) <= value / 128, "{value} is not near {}", middle(class));
        }
        assert_eq!(middle(class(u64::MAX)) >> 56, 0xff);
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.permille(500), 0);
        for value in 1..=100 {
            histogram.record(value, 10);
        }
        assert_eq!(
            [0, 1, 10, 11, 500, 501, 990, 999, 1000].map(|permille| histogram.permille(permille)),
            [1, 1, 1, 2, 50, 51, 99, 100, 100]
        );
        histogram.record(1_000_000, 9_000);
        assert_eq!(histogram.permille(100), 100);
        assert!(histogram.permille(101).abs_diff(1_000_000) < 10_000);
        histogram.clear();
        assert_eq!(histogram.permille(999), 0);
    }
}
