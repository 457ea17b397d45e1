//! How much of something odd is borne.

use std::time::{Duration, Instant};

/// A token bucket that fills with time: what is rare never empties it, however long a connection lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    tokens: f64,
    filled: Instant,
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How often at once.
    pub burst: u32,
    /// How often a second, in the long run.
    pub per_second: u32,
}

impl Bucket {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst.into(), filled: now }
    }

    /// It happened. False if it was once too often.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let enough = self.tokens >= 1.0;
        self.tokens -= if enough { 1.0 } else { 0.0 };
        enough
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.checked_duration_since(self.filled).unwrap_or(Duration::ZERO);
        let filled = self.tokens + elapsed.as_secs_f64() * f64::from(self.rate.per_second);
        self.tokens = filled.min(self.rate.burst.into());
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_borne_once_and_a_trickle_for_ever() {
        let start = Instant::now();
        let rate = Rate { burst: 10, per_second: 2 };
        let mut bucket = Bucket::new(rate, start);
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 10);
        let later = start + Duration::from_secs(3);
        assert_eq!((0..20).filter(|_| bucket.take(later)).count(), 6);
        // However long it was full before.
        assert_eq!((0..20).filter(|_| bucket.take(later + Duration::from_secs(60))).count(), 10);
        // For ever: an hour at the rate.
        let mut bucket = Bucket::new(rate, start);
        assert!((0..7200u32).all(|half| bucket.take(start + half * Duration::from_millis(500))));
    }
}
