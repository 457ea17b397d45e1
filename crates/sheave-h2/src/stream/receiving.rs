//! The half of a stream that the peer sends.

use std::time::{Duration, Instant};

use crate::flow::Window;

/// What is expected, and how much of it the peer may send.
#[derive(Debug)]
pub(crate) struct Receiving {
    pub(crate) expects: Expects,
    /// How much of the announced `content-length` has not come yet.
    pub(crate) content_left: Option<u64>,
    /// How many interim responses came.
    pub(crate) informational: u8,
    /// How much the peer may still send, as it knows.
    pub(crate) window: Window,
    /// How much it may send when all was read.
    size: u32,
    /// What was read, and the peer not told yet.
    read: u32,
    /// Whether it waits among those of which the peer is to be told.
    pub(crate) is_listed: bool,
    /// When the peer was last told.
    updated: Option<Instant>,
}

/// Which field section comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expects {
    /// A request, or a final response.
    Head,
    /// The response to a HEAD, which has no content.
    HeadWithoutContent,
    /// Content, or trailers.
    Content,
    /// No content.
    NoContent,
}

impl Receiving {
    pub(super) fn new(window: u32) -> Self {
        Self {
            expects: Expects::Head,
            content_left: None,
            informational: 0,
            window: Window::new(window),
            size: window,
            read: 0,
            is_listed: false,
            updated: None,
        }
    }

    /// That much was read, or will never be.
    pub(crate) fn release(&mut self, length: usize) {
        self.read = self.read.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// Whether it is worth to tell the peer what was read.
    pub(crate) fn is_due(&self) -> bool {
        self.read > 0 && self.read >= self.size / 2
    }

    /// How much more the peer is to be let send now. 0 if it is not worth it.
    ///
    /// A reader that empties half of the window within two round trips is held up by the window: it is doubled, up to
    /// `most`, as long as the connection has this much `spare`.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        most: u32,
        spare: &mut u32,
    ) -> u32 {
        if !self.is_due() {
            return 0;
        }
        let mut increment = self.read;
        let fast = |updated: Instant, round_trip| now.saturating_duration_since(updated) < 2 * round_trip;
        if self.updated.zip(round_trip).is_some_and(|(updated, round_trip)| fast(updated, round_trip)) {
            let growth = self.size.min(most.saturating_sub(self.size)).min(*spare);
            *spare -= growth;
            self.size += growth;
            increment = increment.saturating_add(growth);
        }
        self.read = 0;
        self.updated = Some(now);
        match self.window.grow(increment) {
            Ok(()) => increment,
            // More was given back than ever came.
            Err(_) => 0,
        }
    }

    /// How much larger the window became than it was at first.
    pub(crate) fn growth(&self, initial: u32) -> u32 {
        self.size.saturating_sub(initial)
    }

    /// The initial size is another now, by `difference` (RFC 9113 §6.9.2).
    pub(crate) fn resize(&mut self, difference: i64) {
        self.size = u32::try_from(i64::from(self.size) + difference).unwrap_or(0);
        // Nothing larger than a window can be was told, with what it has grown by.
        let _ = self.window.change(difference);
    }
}
