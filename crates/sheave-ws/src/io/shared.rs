//! What the two halves of a split WebSocket share: the transport's sending direction, and who may use it.
//!
//! The direction is behind a mutex that is only ever *tried* while messages flow: nobody waits for it. Who
//! does not get it leaves its wish where the holder finds it (an owed control frame in [`Slot`], a waker in
//! [`Shared::turn`]) and the holder, having let go, looks there. Both sides put a full fence between their
//! two steps, so at least one of them sees the other. Only at an end (a half is dropped, the connection
//! fails) is it taken outright, for the time of a call that does not block.

use std::io;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use sheave_deflate::Context as CompressorContext;
use tokio::time::Instant;

use super::resting::Resting;
use super::sync::{AtomicBool, AtomicU64, Mutex, Tried, TriedGuard, fence};
use super::timer::Stall;
use super::transport::Transmit;
use super::websocket::poll_write;
use crate::close::CloseFrame;
use crate::error::Error;
use crate::incoming::Replies;
use crate::outgoing::{Control, Outgoing};

/// Which half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Sender,
    Receiver,
}

#[derive(Debug)]
pub(super) struct Shared<W> {
    pub(super) direction: Tried<Direction<W>>,
    slot: Slot,
    /// What the sender's compressor remembers, between its messages.
    pub(super) resting: Resting,
    /// Who waits for the turn.
    turn: Wakers,
    /// Who waits for the transport to take more.
    writable: Arc<Wakers>,
    /// The receiver, while it waits for the peer: the sender may leave it something to do.
    attention: Wakers,
    /// Something that was taken over from a half is not written yet.
    unwritten: AtomicBool,
    /// A Close was queued, or the transport failed.
    closed: AtomicBool,
    /// When a message was last sent, in microseconds since `since`; kept only if somebody wants to know.
    last_sent: AtomicU64,
    since: Option<Instant>,
    /// Changes when the peer has taken something of what waited.
    progress: AtomicU64,
    /// See [`Transmit::lingers`].
    pub(super) lingers: bool,
}

/// The sending direction.
#[derive(Debug)]
pub(super) struct Direction<W> {
    io: W,
    /// Whole frames, in their order on the wire.
    pub(super) outgoing: Outgoing,
    stall: Stall,
    /// The transport has taken all, but has not flushed it yet.
    unflushed: bool,
    /// What ended the direction before all was written, for the half that did not see it happen.
    failure: Option<Error>,
}

impl<W: Transmit> Shared<W> {
    pub(super) fn new(io: W, outgoing: Outgoing, stall: Stall, timed: bool) -> Self {
        Self {
            closed: AtomicBool::new(outgoing.is_closed()),
            lingers: io.lingers(),
            direction: Tried::new(Direction { io, outgoing, stall, unflushed: false, failure: None }),
            slot: Slot::default(),
            resting: Resting::default(),
            turn: Wakers::default(),
            writable: Arc::default(),
            attention: Wakers::default(),
            // Perhaps: something may have been fed before the split.
            unwritten: AtomicBool::new(true),
            last_sent: AtomicU64::new(0),
            since: timed.then(Instant::now),
            progress: AtomicU64::new(0),
        }
    }

    /// Whether nothing can be sent any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether something is queued that is not written, or never will be.
    pub(super) fn is_unwritten(&self) -> bool {
        // In this order: what leaves the slot is unwritten before.
        self.slot.is_owed() || self.unwritten.load(Ordering::Acquire)
    }

    /// A message was sent.
    pub(super) fn sent(&self) {
        if let Some(since) = self.since {
            let micros = since.elapsed().as_micros() as u64;
            self.last_sent.store(micros, Ordering::Relaxed);
        }
    }

    /// When a message was last sent; the time of the split if none was.
    pub(super) fn last_sent(&self) -> Option<Instant> {
        self.since?.checked_add(Duration::from_micros(self.last_sent.load(Ordering::Relaxed)))
    }

    /// Changes when the peer has taken something of what waited to be written.
    pub(super) fn progress(&self) -> u64 {
        // A transport may have gone on with what it has by itself.
        self.look();
        self.progress.load(Ordering::Relaxed)
    }

    /// Takes a control frame to send: the turn's holder, this half or the other, will queue it.
    pub(super) fn post(&self, control: Control) {
        self.slot.put(control);
        fence(Ordering::SeqCst);
        self.look();
    }

    /// Takes up what was posted, and notes how things stand; whoever else has the turn does so when he ends it.
    fn look(&self) {
        while let Some(direction) = self.try_turn() {
            if !self.release(direction) {
                break;
            }
        }
    }

    /// Does `work` on the direction when it is this half's turn, with a context that wakes both halves.
    /// Pending while the other half is at it.
    pub(super) fn poll_turn<T>(
        &self,
        half: Half,
        cx: &mut Context<'_>,
        mut work: impl FnMut(&mut Direction<W>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let waker = Waker::from(Arc::clone(&self.writable));
        let both = &mut Context::from_waker(&waker);
        // Only who has to wait pays for being woken: registers, and looks once more.
        let (mut awaits_turn, mut awaits_transport) = (false, false);
        loop {
            let Some(mut direction) = self.try_turn() else {
                if mem::replace(&mut awaits_turn, true) {
                    return Poll::Pending;
                }
                self.turn.register(half, cx.waker());
                fence(Ordering::SeqCst);
                continue;
            };
            let done = work(&mut direction, both);
            if self.release(direction) {
                continue;
            }
            if done.is_ready() {
                // The other half may have waited for the same bytes to leave.
                self.writable.wake_waiting();
                return done;
            }
            if mem::replace(&mut awaits_transport, true) {
                return done;
            }
            self.writable.register(half, cx.waker());
        }
    }

    /// Leaves the rest of a half that goes away for the other to write.
    pub(super) fn bequeath(&self, rest: &mut Outgoing) {
        // The holder is inside a call that does not block.
        let mut direction = self.direction.lock().unwrap_or_else(PoisonError::into_inner);
        rest.queue_all();
        direction.take_over(rest);
        self.release(direction);
        self.attention.wake_waiting();
    }

    /// Has the receiver woken when the sender leaves it something: a rest to write, a Close, or a context to give
    /// back some time.
    pub(super) fn attend(&self, cx: &Context<'_>) {
        self.attention.register(Half::Receiver, cx.waker());
        fence(Ordering::SeqCst);
    }

    /// Has the compressor's context rest until the next message.
    pub(super) fn rest(&self, context: CompressorContext) {
        if self.resting.put(context) {
            self.attention.wake_waiting();
        }
    }

    /// A future of the sender was dropped: the receiver goes on with what it left half written.
    pub(super) fn interrupted(&self) {
        if self.is_unwritten() {
            self.attention.wake_waiting();
        }
    }

    /// The connection is over: throws away what is queued, and tells so who waits for it to be written.
    pub(super) fn abandon(&self, error: &Error) {
        // The holder is inside a call that does not block.
        let mut direction = self.direction.lock().unwrap_or_else(PoisonError::into_inner);
        if direction.failure.is_none() && direction.is_unwritten() {
            direction.failure = Some(repeat(error));
        }
        direction.outgoing.abandon();
        self.release(direction);
        self.writable.wake_waiting();
    }

    fn try_turn(&self) -> Option<TriedGuard<'_, Direction<W>>> {
        let mut direction = match self.direction.try_lock() {
            Ok(direction) => direction,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if self.slot.is_owed() {
            self.unwritten.store(true, Ordering::Release);
            self.slot.empty_into(&mut direction.outgoing);
        }
        Some(direction)
    }

    /// Ends the turn. True if a control frame was posted meanwhile, which the caller has to take up.
    fn release(&self, mut direction: TriedGuard<'_, Direction<W>>) -> bool {
        self.unwritten.store(direction.is_unwritten(), Ordering::Release);
        self.progress.store(direction.progress(), Ordering::Relaxed);
        let closed = direction.outgoing.is_closed();
        let closes = closed && !self.closed.swap(closed, Ordering::AcqRel);
        drop(direction);
        fence(Ordering::SeqCst);
        self.turn.wake_waiting();
        if closes {
            // Closing may not take for ever, and the receiver is who watches that.
            self.attention.wake_waiting();
        }
        self.slot.is_owed()
    }
}

impl<W: Transmit> Direction<W> {
    /// Writes all that is queued and owed.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(error) = &self.failure {
            return Poll::Ready(Err(repeat(error)));
        }
        let written = poll_write(&mut self.io, &mut self.outgoing, &mut self.stall, cx);
        self.unflushed = written.is_pending();
        if let Poll::Ready(Err(error)) = &written {
            self.failure = Some(repeat(error));
        }
        written
    }

    fn progress(&self) -> u64 {
        self.stall.progress().wrapping_add(self.io.departed())
    }

    /// Whether there is something to write or to flush, or something that cannot be any more.
    fn is_unwritten(&mut self) -> bool {
        self.unflushed || self.failure.is_some() || !self.outgoing.transmit().is_empty()
    }

    /// Ends the direction.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The other half may have been the one to queue the last word.
        if ready!(self.poll_write(cx)).is_err() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.io.poll_finish(cx)
    }

    /// Takes over all that `outgoing` has queued; throws it away if nothing may follow any more.
    pub(super) fn take_over(&mut self, outgoing: &mut Outgoing) {
        if self.outgoing.is_closed() {
            outgoing.abandon();
        } else {
            // An owed Pong goes first: a sender that always has more would keep it waiting for ever.
            self.outgoing.transmit();
            self.outgoing.append(outgoing);
        }
    }
}

/// A failure, once more for the other half.
fn repeat(error: &Error) -> Error {
    match error {
        Error::Io(error) => io::Error::from(error.kind()).into(),
        Error::Timeout(timeout) => Error::Timeout(*timeout),
        Error::Disconnected => Error::Disconnected,
        _ => Error::Closed,
    }
}

/// The control frames that are owed but found no turn: at most one of a kind.
#[derive(Debug, Default)]
struct Slot {
    owed: AtomicBool,
    frames: Mutex<Owed>,
}

#[derive(Debug, Default)]
struct Owed {
    ping: Option<Bytes>,
    pong: Option<Bytes>,
    close: Option<CloseFrame>,
}

impl Slot {
    fn is_owed(&self) -> bool {
        self.owed.load(Ordering::SeqCst)
    }

    fn put(&self, control: Control) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        match control {
            Control::Ping(payload) => frames.ping = Some(payload),
            Control::Pong(payload) => frames.pong = Some(payload),
            Control::Close(close) => {
                frames.close.get_or_insert(close);
            }
        }
        self.owed.store(true, Ordering::SeqCst);
    }

    fn empty_into(&self, outgoing: &mut Outgoing) {
        let owed = {
            let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            self.owed.store(false, Ordering::SeqCst);
            mem::take(&mut *frames)
        };
        let controls =
            [owed.pong.map(Control::Pong), owed.ping.map(Control::Ping), owed.close.map(Control::Close)];
        for control in controls.into_iter().flatten() {
            outgoing.post(control);
        }
    }
}

/// The wakers of the halves that wait for one thing.
#[derive(Debug, Default)]
struct Wakers {
    waiting: AtomicBool,
    wakers: Mutex<[Option<Waker>; 2]>,
}

impl Wakers {
    fn register(&self, half: Half, waker: &Waker) {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut wakers[half as usize];
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
        self.waiting.store(true, Ordering::SeqCst);
    }

    fn wake_waiting(&self) {
        if self.waiting.load(Ordering::SeqCst) {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        let wakers = {
            let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
            self.waiting.store(false, Ordering::SeqCst);
            mem::take(&mut *wakers)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
