//! The receiving loop, the same for a whole WebSocket and for the receiving half of a split one.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use tokio::time::Instant;

use super::close_handle::CloseHandle;
use super::timer::Timer;
use crate::close::CloseFrame;
use crate::config::{Config, Role};
use crate::error::{Error, Timeout};
use crate::extension::ExtensionOffer;
use crate::handshake::Agreed;
use crate::incoming::{Event, Incoming, Lent, Replies};
use crate::keepalive::{Due, Keepalive};
use crate::message::{Message, MessageRef};
use crate::outgoing::{Control, Outgoing};

/// What the loop needs of the rest of the connection.
pub(super) trait Link: Replies {
    /// Reads more.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>>;

    /// Writes what is queued and owed; Ready once nothing is.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// Ends the sending direction.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The connection ended with this error: nothing is sent any more, nor taken to be.
    fn abandon(&mut self, error: &Error);

    /// Whether our Close has been queued.
    fn is_closed(&self) -> bool;

    /// When a message was last sent, if that is known to the link alone.
    fn last_sent(&self) -> Option<Instant> {
        None
    }

    /// Changes when the peer has taken something of what waited to be written.
    fn progress(&self) -> u64;

    /// See [`Transmit::lingers`](super::Transmit::lingers).
    fn lingers(&self) -> bool;

    /// See [`Transmit::is_untried`](super::Transmit::is_untried).
    fn is_untried(&self) -> bool {
        false
    }

    /// See [`Outgoing::is_holding`].
    fn is_holding(&self) -> bool;

    /// See [`Outgoing::age`].
    fn age(&mut self) -> bool;
}

/// The state of receiving. It is all here and nothing of it is in a future, so dropping one loses nothing.
#[derive(Debug)]
pub(super) struct ReceiveLoop {
    role: Role,
    incoming: Incoming,
    input: BytesMut,
    phase: Phase,
    handle: Option<CloseHandle>,
    rare: Option<Box<Rare>>,
}

/// What few WebSockets have, or not before their end.
#[derive(Debug, Default)]
struct Rare {
    failure: Option<Error>,
    peer_close: Option<CloseFrame>,
    /// When closing has taken too long.
    deadline: Option<Instant>,
    /// The link's progress when it was last asked.
    progress: u64,
    contexts: Option<Contexts>,
    keepalive: Option<Keepalive>,
    timer: Timer,
    opening: Option<Opening>,
}

/// When the memory for compressing and inflating is given back.
#[derive(Debug)]
struct Contexts {
    idle: Duration,
    /// Set while there is some.
    deadline: Option<Instant>,
}

/// What the opening handshake left to be asked for.
#[derive(Debug, Default)]
pub(super) struct Opening {
    pub(super) agreed: Agreed,
    pub(super) response: Option<Response<()>>,
}

/// How long a client waits for the peer to end a transport that [lingers](Link::lingers).
const LINGER: Duration = Duration::from_secs(1);

/// Where the connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages arrive.
    Open,
    /// The last thing that we say, a Close, is being written.
    Flush,
    /// Our direction is being ended.
    Finish,
    /// The peer's direction is read to its end and thrown away, so that our Close is not lost to a reset.
    Drain,
    /// All is done.
    Ended,
}

impl ReceiveLoop {
    pub(super) fn new(role: Role, config: &Config, input: BytesMut) -> Self {
        let timed = config.keepalive_interval.is_some() || config.idle_timeout.is_some();
        let keepalive = timed.then(|| Keepalive::new(config, Instant::now().into_std()));
        Self {
            role,
            incoming: Incoming::new(role, config),
            input,
            phase: Phase::Open,
            handle: None,
            rare: keepalive.map(|keepalive| Box::new(Rare { keepalive: Some(keepalive), ..Rare::default() })),
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn failure(&self) -> Option<&Error> {
        self.rare.as_ref()?.failure.as_ref()
    }

    fn keepalive(&mut self) -> Option<&mut Keepalive> {
        self.rare.as_mut()?.keepalive.as_mut()
    }

    fn deadline(&self) -> Option<Instant> {
        self.rare.as_ref()?.deadline
    }

    /// Closing may take as long as it may at most, from now on.
    fn set_deadline(&mut self, most: Duration) {
        let timeout = self.incoming.limits().close_timeout.min(most);
        self.rare().deadline = Instant::now().checked_add(timeout);
    }

    /// Takes what was agreed on.
    pub(super) fn agree(&mut self, agreed: Agreed, config: &Config, outgoing: &mut Outgoing) {
        if agreed == Agreed::default() {
            return;
        }
        agreed.apply(config, &mut self.incoming, outgoing);
        if let (Some(deflate), Some(_)) = (&config.deflate, agreed.deflate()) {
            // What is due at once would not go off.
            let idle = deflate.get_context_idle().max(Duration::from_millis(1));
            self.rare().contexts = Some(Contexts { idle, deadline: None });
        }
        self.opening_mut().agreed = agreed;
    }

    /// Whether nothing is left to do, or to tell.
    pub(super) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended && self.failure().is_none()
    }

    pub(super) fn peer_close(&self) -> Option<&CloseFrame> {
        self.rare.as_ref()?.peer_close.as_ref()
    }

    pub(super) fn opening(&self) -> Option<&Opening> {
        self.rare.as_ref()?.opening.as_ref()
    }

    pub(super) fn opening_mut(&mut self) -> &mut Opening {
        self.rare().opening.get_or_insert_default()
    }

    pub(super) fn subprotocol(&self) -> Option<&str> {
        self.opening()?.agreed.subprotocol.as_deref()
    }

    pub(super) fn extensions(&self) -> &[ExtensionOffer] {
        self.opening().map_or(&[], |opening| &opening.agreed.extensions)
    }

    pub(super) fn rtt(&self) -> Option<Duration> {
        self.rare.as_ref()?.keepalive.as_ref()?.rtt()
    }

    pub(super) fn handle(&mut self) -> CloseHandle {
        self.handle.get_or_insert_with(CloseHandle::new).clone()
    }

    /// Whether it matters when messages are sent.
    pub(super) fn is_timed(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.keepalive.is_some())
    }

    /// A message was sent or received.
    #[inline]
    pub(super) fn passed(&mut self) {
        if let Some(keepalive) = self.keepalive() {
            keepalive.message(Instant::now().into_std());
        }
    }

    /// A Ping was sent by the user.
    pub(super) fn pinged(&mut self, payload: Bytes) {
        let now = Instant::now().into_std();
        // Without times of its own it only measures.
        let untimed = || Keepalive::new(&Config::default(), now);
        self.rare().keepalive.get_or_insert_with(untimed).pinged(payload, now);
    }

    /// Queues the Close that a [`CloseHandle`] asked for.
    #[inline]
    pub(super) fn heed_handle(&mut self, link: &mut impl Replies) {
        if let Some(close) = self.handle.as_ref().and_then(CloseHandle::take) {
            link.post(Control::Close(close));
        }
    }

    /// The next message; `None` at the end.
    #[inline]
    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut impl Link,
    ) -> Poll<Result<Option<Message>, Error>> {
        if self.phase == Phase::Open && !self.input.is_empty() {
            let taken = self.incoming.recv_short(&mut self.input, link);
            if let Some(message) = self.taken(link, taken) {
                return Poll::Ready(Ok(Some(message)));
            }
        }
        self.poll_more(cx, link)
    }

    /// The message that was taken, if one was.
    #[inline]
    fn taken(&mut self, link: &impl Link, taken: Result<Option<Message>, Error>) -> Option<Message> {
        match taken {
            Ok(Some(message)) => {
                self.passed();
                Some(message)
            }
            Ok(None) => None,
            Err(error) => {
                self.fail(link, error);
                None
            }
        }
    }

    /// The next message, if it does not lie in the input.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut impl Link,
    ) -> Poll<Result<Option<Message>, Error>> {
        if self.phase == Phase::Open && self.incoming.needs_more(&self.input) {
            ready!(self.poll_open(cx, link));
            if self.phase == Phase::Open {
                let taken = self.incoming.recv_whole(&mut self.input, link);
                if let Some(message) = self.taken(link, taken) {
                    return Poll::Ready(Ok(Some(message)));
                }
            }
        }
        let lent = ready!(self.poll_next(cx, link, Incoming::lend))?;
        Poll::Ready(Ok(lent.map(|lent| self.incoming.keep(&mut self.input, lent))))
    }

    /// The next message, where it lies.
    pub(super) fn poll_lend(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut impl Link,
    ) -> Poll<Result<Option<Lent>, Error>> {
        self.poll_next(cx, link, Incoming::lend)
    }

    /// The message that was just lent.
    pub(super) fn lent(&self, lent: Lent) -> MessageRef<'_> {
        MessageRef::new(self.incoming.lent(&self.input, lent))
    }

    /// The start of the next message: whether it is text.
    pub(super) fn poll_start(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut impl Link,
    ) -> Poll<Result<Option<bool>, Error>> {
        self.poll_next(cx, link, Incoming::start)
    }

    /// The next part of the message that was started; 0 at its end.
    pub(super) fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut impl Link,
        output: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        let part = self.poll_next(cx, link, |incoming, input, link| incoming.read(input, link, output));
        // The connection ended inside the message.
        part.map(|part| part?.ok_or(Error::Closed))
    }

    /// What `take` makes of the input; `None` at the end.
    fn poll_next<T, L: Link>(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut L,
        mut take: impl FnMut(&mut Incoming, &mut BytesMut, &mut L) -> Result<Option<Event<T>>, Error>,
    ) -> Poll<Result<Option<T>, Error>> {
        loop {
            match self.phase {
                Phase::Open => match take(&mut self.incoming, &mut self.input, link) {
                    Ok(Some(Event::Message(message))) => {
                        self.passed();
                        return Poll::Ready(Ok(Some(message)));
                    }
                    Ok(Some(Event::Ping(_))) => {}
                    Ok(Some(Event::Pong(payload))) => {
                        if let Some(keepalive) = self.keepalive() {
                            keepalive.ponged(&payload, Instant::now().into_std());
                        }
                    }
                    Ok(Some(Event::Close(close))) => {
                        let rare = self.rare();
                        rare.peer_close = Some(close);
                        // The peer is done with us: whether it still takes our answer does not matter.
                        rare.failure = None;
                        self.close(link);
                    }
                    Err(error) => self.fail(link, error),
                    Ok(None) if self.poll_open(cx, link).is_pending() => return Poll::Pending,
                    Ok(None) => {}
                },
                Phase::Ended => {
                    let failure = self.rare.as_mut().and_then(|rare| rare.failure.take());
                    return Poll::Ready(failure.map_or(Ok(None), Err));
                }
                _ => {
                    let draining = self.phase == Phase::Drain;
                    let waiting = self.poll_closing(cx, link).is_pending();
                    if waiting && self.phase == Phase::Finish && link.is_untried() {
                        // Mostly it takes no timer.
                        return Poll::Pending;
                    }
                    // A peer that goes on sending is no reason to wait, and takes time all the same.
                    let is_overdue = (waiting || draining) && self.is_overdue(cx, link);
                    if waiting && !is_overdue {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The input is used up: writes what is owed, reads more. Ready if something changed.
    fn poll_open(&mut self, cx: &mut Context<'_>, link: &mut impl Link) -> Poll<()> {
        self.heed_handle(link);
        // A transport that takes nothing any more may still have messages for us.
        if self.failure().is_none() {
            match link.poll_drive(cx) {
                Poll::Ready(Err(error @ Error::Timeout(_))) => {
                    self.end(link, error);
                    return Poll::Ready(());
                }
                Poll::Ready(Err(error)) => self.rare().failure = Some(error),
                _ => {}
            }
        }
        let missing = self.incoming.missing(&self.input);
        match link.poll_receive(cx, &mut self.input, missing) {
            Poll::Ready(Ok(0)) => self.end(link, Error::Disconnected),
            Poll::Ready(Ok(_)) => {
                if let Some(keepalive) = self.keepalive() {
                    keepalive.received(Instant::now().into_std());
                }
            }
            // TLS without a close_notify.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.end(link, Error::Disconnected);
            }
            Poll::Ready(Err(error)) => self.end(link, error.into()),
            Poll::Pending => return self.poll_timeouts(cx, link),
        }
        Poll::Ready(())
    }

    /// Nothing can be done but wait. Ready if some time is up.
    fn poll_timeouts(&mut self, cx: &mut Context<'_>, link: &mut impl Link) -> Poll<()> {
        if self.handle.as_ref().is_some_and(|handle| handle.register(cx.waker())) {
            return Poll::Ready(());
        }
        if link.is_closed() || self.failure().is_some() {
            self.start_deadline(link);
            if self.is_overdue(cx, link) {
                return Poll::Ready(());
            }
            return Poll::Pending;
        }
        self.incoming.rest(&mut self.input);
        self.poll_contexts(cx, link);
        loop {
            let Some(Rare { keepalive: Some(keepalive), timer, .. }) = self.rare.as_deref_mut() else {
                return Poll::Pending;
            };
            if let Some(sent) = link.last_sent() {
                keepalive.message(sent.into_std());
            }
            let Some(deadline) = keepalive.next_timeout() else { return Poll::Pending };
            let Poll::Ready(now) = timer.poll(cx, deadline.into()) else { return Poll::Pending };
            match keepalive.handle_timeout(now.into_std()) {
                None => {}
                Some(Due::Ping(payload)) => {
                    self.has_progressed(link);
                    link.post(Control::Ping(payload));
                    return Poll::Ready(());
                }
                Some(Due::Expired(Timeout::Idle)) => {
                    let error = Error::Timeout(Timeout::Idle);
                    link.post(Control::Close(error.close_frame()));
                    self.fail(link, error);
                    return Poll::Ready(());
                }
                // The Ping is behind what the peer is still taking, or was until now.
                Some(Due::Expired(Timeout::Keepalive)) if self.has_progressed(link) => {
                    if let Some(keepalive) = self.keepalive() {
                        keepalive.taking(now.into_std());
                    }
                }
                Some(Due::Expired(timeout)) => {
                    self.end(link, Error::Timeout(timeout));
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Sees to it that memory for compressing and inflating is given back when it has long not been used.
    fn poll_contexts(&mut self, cx: &mut Context<'_>, link: &mut impl Link) {
        let Some(Rare { contexts: Some(contexts), timer, .. }) = self.rare.as_deref_mut() else { return };
        let due = contexts.deadline.map(|deadline| timer.poll(cx, deadline).is_ready());
        let holding = match due {
            Some(false) => return,
            // What is not used from one time to the next goes.
            Some(true) => self.incoming.age() | link.age(),
            None => self.incoming.is_holding() || link.is_holding(),
        };
        contexts.deadline = if holding { Instant::now().checked_add(contexts.idle) } else { None };
        if let Some(deadline) = contexts.deadline {
            let _ = timer.poll(cx, deadline);
        }
    }

    /// Goes on with closing. Ready if it came further.
    fn poll_closing(&mut self, cx: &mut Context<'_>, link: &mut impl Link) -> Poll<()> {
        // RFC 6455 §7.1.1: the server ends the TCP connection, a client waits for that.
        let wait_first = self.role == Role::Client && self.failure().is_none();
        let (done, next) = match self.phase {
            Phase::Flush => {
                let next = if wait_first { Phase::Drain } else { Phase::Finish };
                let written = link.poll_drive(cx).map(|result| result.is_ok());
                if written.is_ready() && wait_first && link.lingers() {
                    self.set_deadline(LINGER);
                }
                (written, next)
            }
            Phase::Finish => {
                // After a failure the peer may still be sending.
                let drains = self.failure().is_some() && !link.lingers();
                let next = if drains { Phase::Drain } else { Phase::Ended };
                (link.poll_finish(cx).map(|result| result.is_ok()), next)
            }
            Phase::Drain => {
                self.input.clear();
                let received = link.poll_receive(cx, &mut self.input, 0);
                let next = if wait_first { Phase::Finish } else { Phase::Ended };
                match received {
                    Poll::Ready(Ok(1..)) => (Poll::Ready(true), Phase::Drain),
                    received => (received.map(|result| result.is_ok()), next),
                }
            }
            phase @ (Phase::Open | Phase::Ended) => (Poll::Ready(true), phase),
        };
        done.map(|good| self.phase = if good { next } else { Phase::Ended })
    }

    /// The last word was queued: it is to be written and the connection ended, within bounds.
    fn close(&mut self, link: &impl Link) {
        self.phase = Phase::Flush;
        self.start_deadline(link);
    }

    /// As [`close`](Self::close), for this reason.
    fn fail(&mut self, link: &impl Link, error: Error) {
        self.rare().failure = Some(error);
        self.close(link);
    }

    /// The transport is gone, or is not to be waited for.
    fn end(&mut self, link: &mut impl Link, error: Error) {
        link.abandon(self.rare().failure.get_or_insert(error));
        self.phase = Phase::Ended;
    }

    fn start_deadline(&mut self, link: &impl Link) {
        if self.deadline().is_none() {
            self.has_progressed(link);
            self.set_deadline(Duration::MAX);
        }
    }

    /// Whether the peer has taken something of what waited to be written since this was last asked.
    fn has_progressed(&mut self, link: &impl Link) -> bool {
        let progress = link.progress();
        std::mem::replace(&mut self.rare().progress, progress) != progress
    }

    /// Whether closing has taken too long; then it is over.
    fn is_overdue(&mut self, cx: &mut Context<'_>, link: &mut impl Link) -> bool {
        while let Some(deadline) = self.deadline() {
            // A peer that never stops sending uses up the task's budget, without which no tokio timer goes off.
            if Instant::now() < deadline && self.rare().timer.poll(cx, deadline).is_pending() {
                return false;
            }
            if self.phase == Phase::Drain && link.lingers() {
                self.phase = Phase::Finish;
                self.set_deadline(Duration::MAX);
                return true;
            }
            if !self.has_progressed(link) {
                let error = Error::Timeout(Timeout::Close);
                link.abandon(self.failure().unwrap_or(&error));
                // In the later phases the closing handshake is done, or a failure stands already.
                if self.phase == Phase::Open {
                    self.rare().failure.get_or_insert(error);
                }
                self.phase = Phase::Ended;
                return true;
            }
            // The Close is behind what the peer is still taking, or was until now.
            self.set_deadline(Duration::MAX);
        }
        false
    }
}
