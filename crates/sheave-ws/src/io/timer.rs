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
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// How often a write that had to wait had made progress before.
    progress: u64,
    waiting: Option<Box<Waiting>>,
}

/// A write has to wait.
#[derive(Debug)]
struct Waiting {
    /// How many bytes had left the transport when this was last looked at.
    departed: u64,
    /// Until when what waits has to move again.
    deadline: Option<Instant>,
    timer: Timer,
}

impl Stall {
    /// Changes when the peer has taken something of what waits.
    pub(super) fn progress(&self) -> u64 {
        self.progress
    }

    /// Whether the last write has to be gone on with.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Everything was written: holds nothing any more.
    pub(super) fn clear(&mut self) {
        if self.waiting.take().is_some() {
            self.progress += 1;
        }
    }

    /// A write has to wait. It has `taken` something out of the queue before, and so many bytes have
    /// `departed` by now. Ready once there was neither for as long as the timeout.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        timeout: Option<Duration>,
        taken: bool,
        departed: u64,
    ) -> Poll<Error> {
        let deadline = || Instant::now().checked_add(timeout?);
        let waiting = match &mut self.waiting {
            Some(waiting) => {
                if taken || departed != waiting.departed {
                    waiting.departed = departed;
                    waiting.deadline = deadline();
                    self.progress += 1;
                }
                waiting
            }
            none => {
                self.progress += u64::from(taken);
                let deadline = deadline();
                none.insert(Box::new(Waiting { departed, deadline, timer: Timer::default() }))
            }
        };
        let Some(deadline) = waiting.deadline else { return Poll::Pending };
        waiting.timer.poll(cx, deadline).map(|_| Error::Timeout(Timeout::Write))
    }
}
