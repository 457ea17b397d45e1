//! RFC 9113 §5.2: flow control, both ways.

use std::io;

use crate::bad;

/// What the server may send on the connection, and on each stream.
pub(crate) const WINDOW: u32 = 16 << 20;
/// What connections and streams begin with.
pub(crate) const INITIAL: u32 = 65_535;
const LARGEST: i64 = 0x7fff_ffff;

/// What may be sent. It can be less than nothing (§6.9.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendWindow(i64);

impl SendWindow {
    pub(crate) fn new(size: u32) -> Self {
        Self(i64::from(size))
    }

    pub(crate) fn room(self) -> usize {
        self.0.max(0) as usize
    }

    pub(crate) fn take(&mut self, count: usize) {
        self.0 -= count as i64;
    }

    /// WINDOW_UPDATE (§6.9.1), or another SETTINGS_INITIAL_WINDOW_SIZE (§6.9.2).
    pub(crate) fn change(&mut self, by: i64) -> io::Result<()> {
        self.0 += by;
        if self.0 > LARGEST { Err(bad("a window beyond 2^31-1")) } else { Ok(()) }
    }
}

/// What may come. Half of it is given back at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credit {
    size: u32,
    used: u32,
}

impl Credit {
    pub(crate) fn new(size: u32) -> Self {
        Self { size, used: 0 }
    }

    /// So much came. Gives what to send back, if it is time.
    pub(crate) fn receive(&mut self, count: usize) -> io::Result<Option<u32>> {
        let count = u32::try_from(count).ok().filter(|count| *count <= self.size - self.used);
        self.used += count.ok_or_else(|| bad("the server sends beyond the window"))?;
        if self.used < self.size.div_ceil(2) {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.used)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_comes_back_by_updates() {
        let mut window = SendWindow::new(INITIAL);
        window.take(65_000);
        assert_eq!(window.room(), 535);
        // A smaller initial size, and a larger one again.
        window.change(-1000).unwrap();
        assert_eq!(window.room(), 0);
        window.change(100).unwrap();
        assert_eq!(window.room(), 0);
        window.change(1000).unwrap();
        assert_eq!(window.room(), 635);
        window.change(LARGEST - 635).unwrap();
        assert!(window.change(1).is_err());
    }

    #[test]
    fn credit_is_given_back_at_half() {
        let mut credit = Credit::new(1000);
        assert_eq!(credit.receive(499).unwrap(), None);
        assert_eq!(credit.receive(0).unwrap(), None);
        assert_eq!(credit.receive(1).unwrap(), Some(500));
        assert_eq!(credit.receive(499).unwrap(), None);
        assert_eq!(credit.receive(501).unwrap(), Some(1000));
        assert!(credit.receive(1001).is_err());
        assert_eq!(credit.receive(400).unwrap(), None);
        assert!(credit.receive(601).is_err());
    }
}
