//! What a split WebSocket's compressor remembers, between its messages.

use std::mem;
use std::sync::atomic::Ordering;

use sheave_deflate::Context;

use super::sync::{AtomicBool, Tried};

/// Where a compressor's context rests: the sender takes it out for a message and puts it back, and the receiver,
/// which has the timer, gives it back once it has long been unused. Both only try: who finds the other at it does
/// without, which costs a message or two that are compressed less.
#[derive(Debug, Default)]
pub(super) struct Resting {
    rested: Tried<Rested>,
    /// The sender could not take it out: it knows nothing of what was sent since. Only the sender looks.
    stale: AtomicBool,
}

#[derive(Debug, Default)]
struct Rested {
    context: Option<Context>,
    /// It was put back since it last aged.
    used: bool,
    /// The receiver has its timer set, or is about to.
    watched: bool,
}

impl Resting {
    pub(super) fn take(&self) -> Option<Context> {
        let Ok(mut rested) = self.rested.try_lock() else {
            self.stale.store(true, Ordering::Relaxed);
            return None;
        };
        let context = rested.context.take();
        context.filter(|_| !self.stale.swap(false, Ordering::Relaxed))
    }

    /// Tells whether the receiver is to be woken, to set its timer.
    #[must_use]
    pub(super) fn put(&self, context: Context) -> bool {
        let Ok(mut rested) = self.rested.try_lock() else { return false };
        rested.context = Some(context);
        rested.used = true;
        self.stale.store(false, Ordering::Relaxed);
        !mem::replace(&mut rested.watched, true)
    }

    /// Whether the receiver is to set its timer.
    pub(super) fn is_holding(&self) -> bool {
        // Who holds it is using it.
        self.rested.try_lock().map_or(true, |mut rested| rested.watch())
    }

    /// Gives up what has not been used since the last call. Tells whether something is there still.
    pub(super) fn age(&self) -> bool {
        let Ok(mut rested) = self.rested.try_lock() else { return true };
        let used = mem::take(&mut rested.used);
        rested.context.take_if(|_| !used);
        rested.watch()
    }
}

impl Rested {
    /// The receiver sets its timer if something is there.
    fn watch(&mut self) -> bool {
        self.watched = self.context.is_some();
        self.watched
    }
}

#[cfg(all(test, not(sheave_loom)))]
mod tests {
    use bytes::BytesMut;
    use sheave_deflate::{Compressor, DeflateConfig, Direction};

    use super::{Context, Resting};

    fn context() -> Context {
        let direction = Direction { window_bits: 15, context_takeover: true };
        let mut compressor = Compressor::new(&DeflateConfig::default(), direction);
        compressor.compress_message(b"message", &mut BytesMut::new());
        compressor.take_context().unwrap()
    }

    #[test]
    fn a_context_that_missed_a_message_is_not_gone_on_with() {
        let resting = Resting::default();
        let _ = resting.put(context());
        let receiver = resting.rested.lock().unwrap();
        // The sender does without for a message, and cannot put back what it has then.
        assert!(resting.take().is_none());
        let _ = resting.put(context());
        drop(receiver);
        assert!(resting.take().is_none());
        let _ = resting.put(context());
        assert!(resting.take().is_some());
        // What could be put back is good.
        let _ = resting.put(context());
        let receiver = resting.rested.lock().unwrap();
        assert!(resting.take().is_none());
        drop(receiver);
        let _ = resting.put(context());
        assert!(resting.take().is_some());
    }

    #[test]
    fn the_receiver_is_woken_when_it_has_no_timer() {
        let resting = Resting::default();
        assert!(!resting.is_holding());
        assert!(resting.put(context()));
        assert!(!resting.put(context()));
        assert!(resting.is_holding());
        assert!(!resting.put(context()));
        assert!(resting.age());
        assert!(!resting.age());
        assert!(resting.put(context()));
    }
}
