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
    /// How much waited when it last moved, and until when it has to move again.
    watched: Option<(usize, Instant)>,
    timer: Timer,
}

impl Stall {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, watched: None, timer: Timer::default() }
    }

    /// Everything was written: holds nothing any more.
    pub(super) fn clear(&mut self) {
        if self.watched.is_some() {
            *self = Self::new(self.timeout);
        }
    }

    /// A write has to wait with `waiting` bytes left: Ready once that has lasted too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, waiting: usize) -> Poll<Error> {
        let Some(timeout) = self.timeout else { return Poll::Pending };
        let deadline = match self.watched {
            Some((before, deadline)) if before == waiting => deadline,
            _ => {
                let Some(deadline) = Instant::now().checked_add(timeout) else { return Poll::Pending };
                self.watched = Some((waiting, deadline));
                deadline
            }
        };
        self.timer.poll(cx, deadline).map(|_| Error::Timeout(Timeout::Write))
    }
}
