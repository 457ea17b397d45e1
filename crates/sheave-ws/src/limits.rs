//! What an open WebSocket heeds of its [`Config`].

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;

/// Limits and times, which all WebSockets of one configuration have in common, so that each holds a pointer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) max_message_size: usize,
    pub(crate) max_streamed_size: u64,
    pub(crate) max_frame_size: usize,
    pub(crate) max_fragments: usize,
    pub(crate) high_water_mark: usize,
    pub(crate) max_sent_frame_size: usize,
    pub(crate) close_timeout: Duration,
    pub(crate) write_timeout: Option<Duration>,
}

thread_local! {
    /// Those that this thread was last asked for: mostly they are asked for again.
    static LAST: RefCell<Option<Arc<Limits>>> = const { RefCell::new(None) };
}

impl Limits {
    /// Those of `config`.
    pub(crate) fn of(config: &Config) -> Arc<Self> {
        let limits = Self {
            max_message_size: config.max_message_size,
            max_streamed_size: config.max_streamed_size,
            max_frame_size: config.max_frame_size,
            max_fragments: config.max_fragments.max(1),
            high_water_mark: config.high_water_mark,
            max_sent_frame_size: config.max_sent_frame_size.unwrap_or(usize::MAX).max(1),
            close_timeout: config.close_timeout,
            write_timeout: config.write_timeout,
        };
        // There is none any more while the thread ends.
        let last = LAST.try_with(|last| last.borrow().clone()).ok().flatten();
        if let Some(last) = last.filter(|last| **last == limits) {
            return last;
        }
        let limits = Arc::new(limits);
        let _ = LAST.try_with(|last| last.replace(Some(Arc::clone(&limits))));
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_one_configuration_are_the_same() {
        let config = Config::default().max_message_size(1);
        let limits = Limits::of(&config);
        assert!(Arc::ptr_eq(&limits, &Limits::of(&config)));
        let other = Limits::of(&config.clone().max_message_size(2));
        assert_eq!((limits.max_message_size, other.max_message_size), (1, 2));
        assert_eq!(Limits::of(&config), limits);
    }
}
