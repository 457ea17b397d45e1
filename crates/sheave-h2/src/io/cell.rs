//! What a stream's handles and its connection share.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use http::{HeaderMap, Request, Response};

use super::client::ResponseFuture;
use super::rest::Rest;
use super::shared::{Notice, Shared};
use super::state::State;
use super::wants::{End, Section, Taken, Wants};
use super::woken::Woken;
use crate::chunks::Chunks;
use crate::error::Error;
use crate::error_code::ErrorCode;
use crate::message::Protocol;
use crate::stream_id::StreamId;
use crate::streams::StreamKey;

/// A stream, as its handles see it. They put down here what they want, and the first to do so tells the connection, which
/// puts down here what has come. Neither waits for the other.
#[derive(Debug)]
pub(super) struct Cell {
    state: Mutex<State>,
    pub(super) shared: Shared,
}

/// A state to look at and to change. Whoever is to be woken is, once it is let go of: wakers may do anything.
pub(super) struct Locked<'a> {
    pub(super) state: MutexGuard<'a, State>,
    pub(super) woken: Woken,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Cell {
    pub(super) fn new(shared: Shared, key: Option<StreamKey>) -> Arc<Self> {
        let state = Mutex::new(State::new(key));
        Arc::new(Self { state, shared })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To change what others may wait for.
    pub(super) fn lock_to_wake(&self) -> Locked<'_> {
        Locked { state: self.lock(), woken: Woken::default() }
    }

    /// Asks the connection for something.
    fn want(self: &Arc<Self>, want: impl FnOnce(&mut Locked<'_>)) {
        let asked = self.try_want(|state| {
            want(state);
            Ok(())
        });
        debug_assert!(asked.is_ok());
    }

    /// Asks the connection for something, if that can be done.
    fn try_want(
        self: &Arc<Self>,
        want: impl FnOnce(&mut Locked<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let first = {
            let mut state = self.lock_to_wake();
            want(&mut state)?;
            !mem::replace(&mut state.noticed, true)
        };
        if first {
            self.notice();
        }
        Ok(())
    }

    /// Tells the connection that something is wanted.
    pub(super) fn notice(self: &Arc<Self>) {
        if !self.shared.notice(Notice::Stream(Arc::clone(self))) {
            // It has ended without having known of this one.
            self.cut(&self.shared.error());
        }
    }
}

/// For who sends.
impl Cell {
    /// Ready once there is room for more.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.lock().poll_room(cx, self.shared.max_send_queue).map_ok(|_| ())
    }

    /// Sends as much of `content` as there is room for. Ready with how much that is, once there is some.
    pub(super) fn poll_send(
        self: &Arc<Self>,
        cx: &Context<'_>,
        content: &mut impl Buf,
    ) -> Poll<Result<usize, Error>> {
        let (length, first) = {
            let mut state = self.lock();
            let room = ready!(state.poll_room(cx, self.shared.max_send_queue))?;
            let length = room.min(content.remaining());
            state.send(content, length);
            (length, length > 0 && !mem::replace(&mut state.noticed, true))
        };
        if first {
            self.notice();
        }
        Poll::Ready(Ok(length))
    }

    /// Ready once all that was given to be sent has left.
    pub(super) fn poll_sent(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        if state.sending.unsent == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = state.error() {
            return Poll::Ready(Err(error.clone()));
        }
        state.sending.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ready once the stream has failed, or was reset by the peer.
    pub(super) fn poll_failed(&self, cx: &Context<'_>) -> Poll<Error> {
        let mut state = self.lock();
        match state.error() {
            Some(error) => Poll::Ready(error.clone()),
            None => {
                state.sending.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Sends this much of `content`, whether or not there is room.
    pub(super) fn send(self: &Arc<Self>, content: &mut impl Buf, length: usize) {
        self.want(|state| state.send(content, length));
    }

    /// Ends what is sent.
    pub(super) fn finish(self: &Arc<Self>, end: End) -> Result<(), Error> {
        self.try_want(|state| {
            state.check_sending()?;
            state.sending.finished = true;
            state.sending.untried = true;
            match end {
                End::Finish if state.key.is_some() && state.wants.more.is_none() => state.sending.ends = true,
                end => state.wants.more().end = Some(end),
            }
            Ok(())
        })
    }

    pub(super) fn send_section(self: &Arc<Self>, section: Section) -> Result<(), Error> {
        self.try_want(|state| {
            if let Some(error) = state.error() {
                return Err(error.clone());
            }
            state.sending.finished |=
                matches!(section, Section::Request(_, true) | Section::Response(_, true));
            state.wants.more().sections.push(section);
            Ok(())
        })
    }

    /// Nobody sends any more.
    pub(super) fn drop_sender(self: &Arc<Self>) {
        let mut state = self.lock();
        state.sending.waker = None;
        let finished = state.sending.finished || state.has_failed();
        drop(state);
        if !finished {
            self.reset(ErrorCode::CANCEL);
        }
    }

    pub(super) fn reset(self: &Arc<Self>, code: ErrorCode) {
        self.want(|state| {
            state.wants.more().reset = Some(code);
            state.fail(Error::Closed);
        });
    }

    /// Whether nothing more is given to be sent.
    pub(super) fn is_finished(&self) -> bool {
        self.lock().sending.finished
    }

    /// There is nothing to send on it.
    pub(super) fn finish_unasked(&self) {
        self.lock().sending.finished = true;
    }

    pub(super) fn id(&self) -> Option<StreamId> {
        self.lock().key.map(StreamKey::id)
    }

    /// How much was given to be sent and has not left yet.
    pub(super) fn unsent(&self) -> usize {
        self.lock().sending.unsent
    }
}

/// For who receives.
impl Cell {
    /// The next content, which is released if that `releases`; `None` when all has come.
    pub(super) fn poll_content(
        self: &Arc<Self>,
        cx: &Context<'_>,
        releases: bool,
    ) -> Poll<Option<Result<BytesMut, Error>>> {
        let mut state = self.lock();
        if let Some(content) = state.receiving.pop() {
            let is_due = releases && state.release(content.len(), &self.shared);
            let first = is_due && !mem::replace(&mut state.noticed, true);
            drop(state);
            if first {
                self.notice();
            }
            return Poll::Ready(Some(Ok(content)));
        }
        if state.receiving.complete {
            return Poll::Ready(None);
        }
        if let Some(error) = state.error() {
            return Poll::Ready(Some(Err(error.clone())));
        }
        state.receiving.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Puts the rest of what was taken back.
    pub(super) fn unread(&self, rest: BytesMut) {
        if !rest.is_empty() {
            self.lock().receiving.put_back(rest);
        }
    }

    /// So much was read: the peer may send more.
    pub(super) fn release(self: &Arc<Self>, length: usize) {
        let is_due = self.lock().release(length, &self.shared);
        if is_due {
            self.want(|_| ());
        }
    }

    /// Whether nothing more comes; what has come may not have been read.
    pub(super) fn has_all(&self) -> bool {
        self.lock().receiving.complete
    }

    pub(super) fn is_complete(&self) -> bool {
        let state = self.lock();
        state.receiving.complete && state.receiving.content.is_empty()
    }

    /// The response, once it has come.
    pub(super) fn poll_response(&self, cx: &Context<'_>) -> Poll<Result<Response<()>, Error>> {
        self.poll_rest(cx, |rest| rest.response.take().map(Ok))
    }

    /// The next interim response; `None` if it is not one that comes next.
    pub(super) fn poll_informational(&self, cx: &Context<'_>) -> Poll<Result<Option<Response<()>>, Error>> {
        self.poll_rest(cx, |rest| match rest.informational.pop_front() {
            Some(response) => Some(Ok(Some(response))),
            None => rest.response.is_some().then_some(Ok(None)),
        })
    }

    fn poll_rest<T>(
        &self,
        cx: &Context<'_>,
        find: impl FnOnce(&mut Rest) -> Option<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        let mut state = self.lock();
        if let Some(found) = state.rest.as_deref_mut().and_then(find) {
            state.rest.take_if(|rest| rest.is_empty());
            return Poll::Ready(found);
        }
        if let Some(error) = state.error() {
            return Poll::Ready(Err(error.clone()));
        }
        state.receiving.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The trailers, once all content has come.
    pub(super) fn take_trailers(&self) -> Option<HeaderMap> {
        self.lock().rest.as_mut()?.trailers.take()
    }

    /// The next promise; `None` when no more come.
    pub(super) fn poll_promise(&self, cx: &Context<'_>) -> Poll<Option<(Request<()>, ResponseFuture)>> {
        let mut state = self.lock();
        let ended = state.has_failed() || state.receiving.complete || state.receiving.unwanted;
        let rest = state.rest.get_or_insert_default();
        match rest.promises.pop_front() {
            Some(promise) => Poll::Ready(Some(promise)),
            None if ended => Poll::Ready(None),
            None => {
                rest.promised = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Nobody receives any more. So much was read and not released.
    pub(super) fn drop_receiver(self: &Arc<Self>, code: ErrorCode, held: usize) {
        let mut state = self.lock_to_wake();
        let mut unread = held;
        while let Some(content) = state.receiving.pop() {
            unread += content.len();
        }
        state.receiving.unwanted = true;
        state.receiving.waker = None;
        state.wants.released += unread;
        if !state.receiving.complete && !state.has_failed() {
            if code == ErrorCode::NO_ERROR && state.key.is_some() {
                state.receiving.stops = true;
            } else {
                state.wants.more().stop = Some(code);
            }
        }
        let wants = state.wants.more.is_some() || state.wants.released > 0 || state.receiving.stops;
        state.no_more_promises();
        drop(state);
        if wants {
            self.want(|_| ());
        }
    }

    /// Ready once the stream is opened.
    pub(super) fn poll_opened(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.key.is_some() || state.has_failed() {
            return Poll::Ready(());
        }
        state.rest.get_or_insert_default().opened = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// For the connection.
impl Cell {
    /// What is wanted by now. What of it is often is done at once, by `send`, which sends content and perhaps its end: content
    /// is sent where it lies, so that its memory is used again.
    pub(super) fn take_wants(
        &self,
        send: impl FnOnce(StreamKey, &mut Chunks, bool) -> Result<(), Error>,
    ) -> Taken {
        let mut state = self.lock();
        let State { key, noticed, wants, sending, receiving, .. } = &mut *state;
        *noticed = false;
        let (ends, stops) = (mem::take(&mut sending.ends), mem::take(&mut receiving.stops));
        let Some(key) = key.filter(|_| wants.more.is_none()) else {
            let mut wants = mem::take(wants);
            if ends {
                wants.more().end = Some(End::Finish);
            }
            if stops {
                wants.more().stop = Some(ErrorCode::NO_ERROR);
            }
            return Taken::All(*key, wants);
        };
        let released = mem::take(&mut wants.released);
        let sent =
            if wants.content.is_empty() && !ends { Ok(()) } else { send(key, &mut wants.content, ends) };
        if sent.is_err() {
            wants.content = Chunks::default();
        }
        Taken::Content { key, sent, released, stops }
    }

    /// What is wanted of a stream that is to be opened.
    pub(super) fn take_all(&self) -> Wants {
        let mut state = self.lock();
        state.noticed = false;
        mem::take(&mut state.wants)
    }

    /// Puts back what has to wait until the stream is opened.
    pub(super) fn put_back(&self, wants: Wants) {
        let mut state = self.lock();
        let mut later = mem::replace(&mut state.wants, wants);
        let now = &mut state.wants;
        later.content.append_to(&mut now.content);
        if let Some(later) = later.more {
            let now = now.more();
            later.sections.for_each(|section| now.sections.push(section));
            now.end = later.end.or(now.end.take());
            now.stop = later.stop.or(now.stop);
            now.reset = later.reset.or(now.reset);
        }
    }

    /// Has it wait to be opened, or not. Whether it did before.
    pub(super) fn set_waiting(&self, is_waiting: bool) -> bool {
        mem::replace(&mut self.lock().is_waiting, is_waiting)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.lock().is_waiting
    }

    /// Whether it is a request that only some servers take (RFC 8441 §3).
    pub(super) fn wants_extended_connect(&self) -> bool {
        match self.lock().wants.more.as_ref().and_then(|more| more.sections.first()) {
            Some(Section::Request(request, _)) => request.extensions.get::<Protocol>().is_some(),
            _ => false,
        }
    }

    pub(super) fn opened(&self, key: StreamKey) {
        let mut state = self.lock_to_wake();
        state.key = Some(key);
        let Locked { state, woken } = &mut state;
        if let Some(rest) = &mut state.rest {
            woken.add(&mut rest.opened);
        }
    }

    /// So much has left.
    pub(super) fn sent(&self, length: usize) {
        let waker = {
            let sending = &mut self.lock().sending;
            sending.unsent = sending.unsent.saturating_sub(length);
            sending.waker.take_if(|_| sending.unsent < self.shared.max_send_queue)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Content has come. False if nobody wants it.
    pub(super) fn received(&self, content: BytesMut, complete: bool) -> bool {
        let (wanted, waker) = {
            let receiving = &mut self.lock().receiving;
            receiving.complete |= complete;
            let wanted = !receiving.unwanted;
            if wanted && !content.is_empty() {
                receiving.push(content);
            }
            (wanted, receiving.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        if complete {
            self.lock_to_wake().no_more_promises();
        }
        wanted
    }

    pub(super) fn received_trailers(&self, trailers: HeaderMap) {
        let mut state = self.lock_to_wake();
        state.receiving.complete = true;
        state.rest.get_or_insert_default().trailers = Some(trailers);
        state.wake_receiver();
    }

    pub(super) fn received_response(&self, response: Response<()>, complete: bool) {
        let mut state = self.lock_to_wake();
        state.receiving.complete |= complete;
        let rest = state.rest.get_or_insert_default();
        if response.status().is_informational() {
            rest.informational.push_back(response);
        } else {
            rest.response = Some(response);
        }
        state.wake_receiver();
    }

    /// A response is promised. If nobody wants it, it is dropped.
    pub(super) fn received_promise(&self, request: Request<()>, response: ResponseFuture) {
        let mut state = self.lock_to_wake();
        if state.receiving.unwanted {
            drop(state);
            return;
        }
        let Locked { state, woken } = &mut state;
        let rest = state.rest.get_or_insert_default();
        rest.promises.push_back((request, response));
        woken.add(&mut rest.promised);
    }

    /// It has ended before its time. What was received stays.
    pub(super) fn fail(&self, error: Error) {
        self.lock_to_wake().fail(error);
    }

    /// The connection has ended.
    pub(super) fn cut(&self, error: &Error) {
        // What was not opened the peer has never heard of.
        let key = self.lock().key;
        self.give_up(&key.map_or(Error::Unprocessed, |_| error.clone()));
    }

    /// It has failed, and with it what was to be promised on it.
    pub(super) fn give_up(&self, error: &Error) {
        let wants = {
            let mut state = self.lock_to_wake();
            state.fail(error.clone());
            mem::take(&mut state.wants)
        };
        for section in wants.more.map(|more| more.sections).into_iter().flatten() {
            if let Section::Promise(_, promised) = section {
                promised.cut(error);
            }
        }
    }

    /// The stream is closed, in both directions. Returns how much was read since the connection was told.
    pub(super) fn closed(&self) -> usize {
        let mut state = self.lock_to_wake();
        state.fail(Error::Closed);
        mem::take(&mut state.wants.released)
    }
}

impl Locked<'_> {
    fn fail(&mut self, error: Error) {
        self.ended(error);
        let Locked { state, woken } = self;
        let State { sending, receiving, rest, .. } = &mut **state;
        woken.add(&mut sending.waker);
        woken.add(&mut receiving.waker);
        if let Some(rest) = rest {
            woken.add(&mut rest.opened);
            woken.add(&mut rest.promised);
        }
    }

    fn wake_receiver(&mut self) {
        self.woken.add(&mut self.state.receiving.waker);
        if self.receiving.complete {
            self.no_more_promises();
        }
    }

    fn no_more_promises(&mut self) {
        let Locked { state, woken } = self;
        if let Some(rest) = &mut state.rest {
            woken.add(&mut rest.promised);
        }
    }
}
