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
    /// A write has to wait.
    waiting: bool,
    /// How often a write that had to wait had made progress before.
    progress: u64,
    /// How many bytes had left the transport when it last had to wait.
    departed: u64,
    /// Until when what waits has to move again.
    deadline: Option<Instant>,
    timer: Timer,
}

impl Stall {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, waiting: false, progress: 0, departed: 0, deadline: None, timer: Timer::default() }
    }

    /// Changes when the peer has taken something of what waits.
    pub(super) fn progress(&self) -> u64 {
        self.progress
    }

    /// Everything was written: holds nothing any more.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.progress += 1;
            self.deadline = None;
            self.timer = Timer::default();
        }
    }

    /// A write has to wait. It has `taken` something out of the queue before, and so many bytes have
    /// `departed` by now. Ready once there was neither for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, taken: bool, departed: u64) -> Poll<Error> {
        let progressed = taken || departed != self.departed;
        self.departed = departed;
        self.waiting = true;
        self.progress += u64::from(progressed);
        let Some(timeout) = self.timeout else { return Poll::Pending };
        if progressed || self.deadline.is_none() {
            self.deadline = Instant::now().checked_add(timeout);
        }
        let Some(deadline) = self.deadline else { return Poll::Pending };
        self.timer.poll(cx, deadline).map(|_| Error::Timeout(Timeout::Write))
    }
}
