//! Timers that cost nothing until they are needed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::{Error, Timeout};

/// One timer, made on first use.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready, with the time, once `deadline` has passed.
    ///
    /// A deadline that moves away is not set anew each time: the timer goes off early once, and then again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<Instant> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            let now = Instant::now();
            if now >= deadline {
                return Poll::Ready(now);
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

/// Fails a write that makes no progress.
#[derive(Debug)]
pub(super) struct Stall {
    timeout: Option<Duration>,
    /// Until when what waits has to move again.
    deadline: Option<Instant>,
    timer: Timer,
}

impl Stall {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, deadline: None, timer: Timer::default() }
    }

    /// Everything was written: holds nothing any more.
    pub(super) fn clear(&mut self) {
        if self.deadline.is_some() {
            *self = Self::new(self.timeout);
        }
    }

    /// A write has to wait, and has `progressed` before: Ready once it has not for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, progressed: bool) -> Poll<Error> {
        let Some(timeout) = self.timeout else { return Poll::Pending };
        if progressed || self.deadline.is_none() {
            self.deadline = Instant::now().checked_add(timeout);
        }
        let Some(deadline) = self.deadline else { return Poll::Pending };
        self.timer.poll(cx, deadline).map(|_| Error::Timeout(Timeout::Write))
    }
}
