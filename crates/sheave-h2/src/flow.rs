//! Flow control (RFC 9113 §5.2, §6.9).

use crate::settings::MAX_WINDOW_SIZE;

/// How much may be sent, on a stream or in all, in bytes. A change of settings can make it negative (RFC 9113 §6.9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window(i32);

/// A window above 2^31 - 1 (RFC 9113 §6.9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Window {
    /// RFC 9113 §6.9.2
    pub(crate) const DEFAULT: u32 = 65_535;

    pub(crate) fn new(size: u32) -> Self {
        Self(size.min(MAX_WINDOW_SIZE) as i32)
    }

    /// How much may be sent now.
    pub(crate) fn available(self) -> usize {
        self.0.max(0) as usize
    }

    /// What was sent counts. Who sends asks first; of what is received, false if it was more than allowed.
    pub(crate) fn take(&mut self, length: usize) -> bool {
        match i32::try_from(length) {
            Ok(length) if length <= self.0.max(0) => {
                self.0 -= length;
                true
            }
            _ => length == 0,
        }
    }

    /// More may be sent.
    pub(crate) fn grow(&mut self, increment: u32) -> Result<(), Overflow> {
        self.change(i64::from(increment))
    }

    /// The size that it began with is another now, by `difference`.
    pub(crate) fn change(&mut self, difference: i64) -> Result<(), Overflow> {
        self.0 = i32::try_from(i64::from(self.0) + difference).map_err(|_| Overflow)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_above_the_maximum() {
        let mut window = Window::new(MAX_WINDOW_SIZE - 1);
        assert_eq!(window.grow(1), Ok(()));
        assert_eq!(window.grow(1), Err(Overflow));
        assert_eq!(window.available(), MAX_WINDOW_SIZE as usize);
        assert!(window.take(MAX_WINDOW_SIZE as usize));
        assert!(!window.take(1));
        assert!(window.take(0));
    }

    #[test]
    fn a_setting_can_make_it_negative() {
        let mut window = Window::new(100);
        assert!(window.take(60));
        window.change(-90).unwrap();
        assert_eq!(window, Window(-50));
        assert_eq!(window.available(), 0);
        assert!(!window.take(1));
        assert!(window.take(0));
        window.grow(51).unwrap();
        assert_eq!(window.available(), 1);
    }
}
