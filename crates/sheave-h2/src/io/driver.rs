//! The one task of a connection.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::cell::Cell;
use super::server::Incoming;
use super::shared::{Answer, Known, Notice, Shared};
use super::timer::Timer;
use super::transport::{self, Input};
use super::waiting::Waiting;
use crate::config::Config;
use crate::connection::{Connection, Role};
use crate::error::{Error, Timeout};
use crate::streams::StreamKey;

/// A connection on a transport: it alone has the protocol's state, so that nobody waits for a lock.
///
/// What handles want reaches it by way of their [`Cell`]s. Before it writes, it lets everyone else run once who has been woken:
/// so the answers to all that one read brought leave in one write.
#[derive(Debug)]
pub(super) struct Driver<T> {
    io: T,
    pub(super) core: Connection,
    /// When it was last polled: what is done then is done at that time.
    pub(super) now: std::time::Instant,
    input: Input,
    /// By the index of their keys.
    pub(super) cells: Vec<Option<(StreamKey, Arc<Cell>)>>,
    /// What it was told and is looking at.
    notices: Vec<Notice>,
    pub(super) shared: Shared,
    pub(super) known: watch::Sender<Known>,
    /// Requests that wait to be let open a stream.
    pub(super) waiting: Waiting,
    /// Requests that were received and not accepted.
    pub(super) incoming: VecDeque<Incoming>,
    /// Streams of which the last was given since something was sent.
    pub(super) untried: Vec<StreamKey>,
    pub(super) pings: VecDeque<oneshot::Sender<Duration>>,
    /// Whether nobody makes requests any more.
    pub(super) is_unneeded: bool,
    /// Whether the others have had their turn before something is written.
    has_yielded: bool,
    needs_flush: bool,
    timer: Timer,
    /// When memory that is kept for more is given back, if there are no streams then; and whether there may be some.
    unused: Option<Instant>,
    pub(super) is_used: bool,
    write_timeout: Option<Duration>,
    /// When the transport has taken nothing for too long.
    stalled: Option<Instant>,
    stage: Stage,
    /// Why the connection has failed, if it has.
    error: Option<Error>,
    has_told_error: bool,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// What is left is written, and then the transport's own half ended.
    Last,
    /// What the peer still sends is passed over until it ends too, or for as long: otherwise TCP would take back what was
    /// written last.
    Linger(Instant),
    Done,
}

/// How long the peer has to end the transport after us.
const LINGER: Duration = Duration::from_secs(1);
/// How long memory is kept for more streams after the last one has ended.
const UNUSED: Duration = Duration::from_secs(1);
/// How often is read before something is written.
const READS: usize = 16;

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    pub(super) fn new(role: Role, io: T, config: Config) -> Self {
        let (known, watched) = watch::channel(Known::default());
        let now = Instant::now().into_std();
        Self {
            shared: Shared::new(&config, watched),
            io,
            write_timeout: config.write_timeout,
            core: Connection::new(role, config, now),
            now,
            input: Input::default(),
            cells: Vec::new(),
            notices: Vec::new(),
            known,
            waiting: Waiting::default(),
            incoming: VecDeque::new(),
            untried: Vec::new(),
            pings: VecDeque::new(),
            is_unneeded: false,
            has_yielded: false,
            needs_flush: false,
            timer: Timer::default(),
            unused: None,
            is_used: true,
            stalled: None,
            stage: Stage::Open,
            error: None,
            has_told_error: false,
        }
    }

    /// Goes on until the connection has ended; or, with something in `incoming`, until that was looked at.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.now = Instant::now().into_std();
        loop {
            if self.stage == Stage::Done {
                return Poll::Ready(self.error.clone().map_or(Ok(()), Err));
            }
            match self.poll_stage(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.fail(error),
                Poll::Pending if self.incoming.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Whether the error was not told before.
    pub(super) fn tell_error_once(&mut self) -> bool {
        !std::mem::replace(&mut self.has_told_error, true)
    }

    /// Ready after something has changed that is worth another look.
    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.stage {
            Stage::Open => {
                let noticed = self.poll_notices(cx);
                let received = self.poll_receive(cx)?;
                self.open_waiting();
                if self.is_unneeded && self.core.open_streams() == 0 && self.waiting.is_empty() {
                    self.core.shutdown(self.now);
                }
                if self.stage == Stage::Open && self.core.is_finished() && self.waiting.is_empty() {
                    self.stage = Stage::Last;
                    self.closed(&Error::Closed);
                }
                if self.stage != Stage::Open {
                    return Poll::Ready(Ok(()));
                }
                let others = self.core.open_streams() > 1 && self.incoming.is_empty();
                if (noticed || received) && others && !self.has_yielded {
                    self.has_yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let before = self.core.open_streams();
                let transmitted = self.poll_transmit(cx);
                self.tell_tried();
                match transmitted {
                    Poll::Ready(Ok(())) => {
                        self.has_yielded = false;
                        self.rest();
                        // Streams have ended by what was written: others may be opened, or nothing is left to do.
                        let open = self.core.open_streams();
                        let is_over = open == 0 && (self.is_unneeded || self.core.is_finished());
                        if open < before && (is_over || !self.waiting.is_empty()) {
                            return Poll::Ready(Ok(()));
                        }
                    }
                    Poll::Ready(Err(error)) => {
                        // What had come by then is not lost, and may say why.
                        self.poll_receive(cx)?;
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => {}
                }
            }
            Stage::Last => {
                if self.poll_transmit(cx)?.is_ready() {
                    if Pin::new(&mut self.io).poll_shutdown(cx)?.is_ready() {
                        self.stage = Stage::Linger(Instant::now() + LINGER);
                        return Poll::Ready(Ok(()));
                    }
                    self.stall();
                }
                // The peer may not read before all that it sends was taken.
                self.pass_over(cx);
            }
            Stage::Linger(deadline) => {
                if self.pass_over(cx) || self.timer.poll(cx, deadline).is_ready() {
                    self.stage = Stage::Done;
                    return Poll::Ready(Ok(()));
                }
                return Poll::Pending;
            }
            Stage::Done => return Poll::Ready(Ok(())),
        }
        self.poll_timeout(cx)
    }

    /// Does what handles want. True if they wanted something.
    fn poll_notices(&mut self, cx: &mut Context<'_>) -> bool {
        /// Others may run meanwhile, and want more and more.
        const ROUNDS: usize = 16;
        for round in 0..ROUNDS {
            let mut notices = std::mem::take(&mut self.notices);
            self.shared.take_notices(cx, &mut notices);
            let is_all = notices.is_empty();
            for notice in notices.drain(..) {
                self.heed(notice);
            }
            self.notices = notices;
            if is_all {
                return round > 0;
            }
        }
        cx.waker().wake_by_ref();
        true
    }

    /// Takes what has come. True if somebody was told of something.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let mut told = false;
        for _ in 0..READS {
            let missing = self.core.missing(&self.input.bytes);
            let Poll::Ready(count) = self.input.poll_read(cx, &mut self.io, missing) else { return Ok(told) };
            if count? == 0 {
                self.core.recv_end()?;
                self.stage = Stage::Last;
                self.closed(&Error::Closed);
                return Ok(told);
            }
            self.is_used = true;
            while let Some(event) = self.core.recv(&mut self.input.bytes, self.now)? {
                told = true;
                self.tell(event);
            }
            self.look_at_budget();
        }
        cx.waker().wake_by_ref();
        Ok(told)
    }

    /// Reads what has come, and does nothing with it. True at its end.
    fn pass_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.input.bytes.clear();
        let read = self.input.poll_read(cx, &mut self.io, 0);
        let ended = matches!(read, Poll::Ready(Ok(0) | Err(_)));
        if read.is_ready() && !ended {
            // There may be no end of it: others have their turn.
            cx.waker().wake_by_ref();
        }
        ended
    }

    /// Writes what there is. Ready once that is everything.
    fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        transport::lend(self.core.output());
        loop {
            let output = self.core.transmit(self.now);
            let has_output = output.has_remaining();
            if has_output {
                match transport::poll_write(cx, &mut self.io, output) {
                    Poll::Ready(written) => {
                        written?;
                        self.needs_flush = true;
                        self.stalled = None;
                    }
                    Poll::Pending => {
                        self.tell_progress();
                        self.stall();
                        return Poll::Pending;
                    }
                }
            }
            self.tell_progress();
            if !has_output {
                break;
            }
        }
        if self.needs_flush {
            let Poll::Ready(flushed) = Pin::new(&mut self.io).poll_flush(cx) else {
                self.stall();
                return Poll::Pending;
            };
            flushed?;
            self.needs_flush = false;
            self.stalled = None;
        }
        Poll::Ready(Ok(()))
    }

    /// The transport takes nothing for now.
    fn stall(&mut self) {
        if self.stalled.is_none() {
            self.stalled = self.write_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let due = self.core.timeout().map(Instant::from_std);
        let deadlines = [due, self.stalled, self.unused];
        let Some(deadline) = deadlines.into_iter().flatten().min() else { return Poll::Pending };
        let now = ready!(self.timer.poll(cx, deadline));
        if self.unused.is_some_and(|unused| unused <= now) {
            self.shrink();
            return Poll::Ready(Ok(()));
        }
        if self.stalled.is_some_and(|stalled| stalled <= now) {
            return Poll::Ready(Err(Error::Timeout(Timeout::Write)));
        }
        self.now = now.into_std();
        Poll::Ready(self.core.handle_timeout(self.now))
    }

    /// Everything is written: holds no memory for what may come, but for streams that may come soon.
    fn rest(&mut self) {
        transport::recall(self.core.output());
        if self.core.open_streams() == 0 && self.is_used && self.unused.is_none() {
            self.unused = Instant::now().checked_add(UNUSED);
        }
    }

    /// Gives back what is kept for streams, if there are none.
    fn shrink(&mut self) {
        self.unused = None;
        if self.core.open_streams() == 0 {
            self.is_used = false;
            self.core.shrink();
            (self.cells, self.notices, self.untried) = <_>::default();
            self.incoming.shrink_to_fit();
            self.shared.rest();
            // Only a new deadline needs one.
            self.timer = Timer::default();
        }
    }

    /// The connection has failed. If that can be said to the peer, it is.
    fn fail(&mut self, error: Error) {
        if self.stage != Stage::Open {
            // Everything was over before.
            self.stage = Stage::Done;
            return;
        }
        let is_over = matches!(error, Error::Io(_) | Error::Timeout(Timeout::Write));
        // What the peer gave for a reason says more than that the transport has failed then.
        let error = match is_over.then(|| self.core.recv_end()) {
            Some(Err(reason @ Error::GoAway(_))) => reason,
            _ => error,
        };
        self.closed(&error);
        self.core.fail_silently(error.clone());
        self.error = Some(error);
        self.stage = if is_over { Stage::Done } else { Stage::Last };
    }
}

impl<T> Driver<T> {
    /// Nothing more comes of anything.
    fn closed(&mut self, error: &Error) {
        self.known.send_modify(|known| {
            known.is_ending = true;
            known.error.get_or_insert_with(|| error.clone());
        });
        for notice in self.shared.close() {
            match notice {
                Notice::Stream(cell) | Notice::Answer(Answer { cell, .. }) => cell.cut(error),
                Notice::Ping(_) | Notice::Shutdown | Notice::Unneeded => {}
            }
        }
        for (key, cell) in self.cells.drain(..).flatten() {
            cell.cut(if self.core.is_announced(key) { error } else { &Error::Unprocessed });
        }
        for cell in self.waiting.drain() {
            cell.cut(error);
        }
        self.incoming.clear();
        self.pings.clear();
    }
}

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.closed(&Error::Closed);
    }
}
