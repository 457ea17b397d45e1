use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::Connection;
use crate::error::{Error, Violation};
use crate::error_code::ErrorCode;
use crate::event::{Event, SMALL};
use crate::frame::{self, Data, Head, Kind, PriorityUpdate, RstStream, WindowUpdate};
use crate::priority::Priority;
use crate::stream::{self, Closed, Expects, Received, State};
use crate::stream_id::StreamId;
use crate::streams::StreamKey;

/// How many frames may wait to acknowledge something before the peer reads.
const MAX_ACKS: u32 = 1000;
/// Of how many streams that are still to come the priority is kept, however many there may be.
const MAX_ANNOUNCED: usize = 1000;
/// How much may wait in answer to what came, in bytes.
const MAX_ANSWERS: usize = 256 << 10;

impl Connection {
    /// Takes frames from the front of `input` until there is something to tell. `None`: it needs more.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the peer breaks the protocol in a way that ends the connection. It is final.
    pub fn recv(&mut self, input: &mut BytesMut, now: Instant) -> Result<Option<Event>, Error> {
        if let Some(error) = self.error() {
            return Err(error.clone());
        }
        self.recv_events(input, now).map_err(|violation| self.connection_error(violation))
    }

    fn recv_events(&mut self, input: &mut BytesMut, now: Instant) -> Result<Option<Event>, Violation> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if !self.preface.is_empty() && !self.recv_preface(input)? {
                return Ok(None);
            }
            let Some(head) = self.next_frame(input)? else { return Ok(None) };
            let control = self.control.len();
            self.pings.heard(now);
            let received = match head.kind {
                Kind::DATA => self.receive_data(head, input, now),
                _ => {
                    let whole = Head::LENGTH + head.length as usize;
                    let received = self.receive_frame(head, &input[Head::LENGTH..whole], now);
                    input.advance(whole);
                    received
                }
            };
            let received = match received {
                Err(violation) if !violation.ends_connection() => self.stream_error(violation, now)?,
                received => received?,
            };
            self.answers += self.control.len().saturating_sub(control);
            if self.answers > MAX_ANSWERS {
                let why = "too much to answer without being read";
                return Err(Violation::connection(ErrorCode::ENHANCE_YOUR_CALM, why));
            }
            if received.is_some() {
                return Ok(received);
            }
        }
    }

    /// RFC 9113 §3.4. False if it is not whole.
    fn recv_preface(&mut self, input: &mut BytesMut) -> Result<bool, Violation> {
        let length = self.preface.len().min(input.len());
        if input[..length] != self.preface[..length] {
            return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, "not the preface of HTTP/2"));
        }
        self.preface = &self.preface[length..];
        input.advance(length);
        Ok(self.preface.is_empty())
    }

    /// The head of the next frame, if that is whole and in order.
    fn next_frame(&self, input: &BytesMut) -> Result<Option<Head>, Violation> {
        let Some(head) = Head::read(input) else { return Ok(None) };
        // RFC 9113 §3.4
        if !self.local.has_heard() && (head.kind != Kind::SETTINGS || head.has(frame::flag::ACK)) {
            return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, "SETTINGS do not come first"));
        }
        // RFC 9113 §4.2
        if head.length > self.local.acknowledged().max_frame_size {
            return Err(Violation::connection(ErrorCode::FRAME_SIZE_ERROR, "a frame above MAX_FRAME_SIZE"));
        }
        self.expects_block(head)?;
        Ok((input.len() >= Head::LENGTH + head.length as usize).then_some(head))
    }

    fn receive_frame(
        &mut self,
        head: Head,
        payload: &[u8],
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        match frame::Frame::read(head, payload)? {
            frame::Frame::Headers(frame) => return self.receive_headers(frame, now),
            frame::Frame::PushPromise(frame) => return self.receive_promise(frame, now),
            frame::Frame::Continuation(frame) => return self.receive_continuation(frame, now),
            frame::Frame::Settings(frame) => return self.receive_settings(frame, now),
            frame::Frame::GoAway(frame) => return self.receive_goaway(frame, now),
            frame::Frame::RstStream(frame) => return self.receive_reset(frame, now),
            frame::Frame::Ping(frame) if frame.ack => return self.receive_pong(frame.payload, now),
            frame::Frame::Ping(frame) => {
                frame::Ping { ack: true, payload: frame.payload }.write(&mut self.control);
                self.count_ack()?;
            }
            frame::Frame::WindowUpdate(frame) => self.receive_window_update(frame, now)?,
            frame::Frame::PriorityUpdate(frame) => self.receive_priority_update(frame, now)?,
            frame::Frame::Priority(frame) => self.receive_priority(frame, now)?,
            // RFC 9113 §5.5: without effect.
            frame::Frame::Unknown(_) => self.glitch(now)?,
            // It was taken before.
            frame::Frame::Data(_) => {}
        }
        Ok(None)
    }

    /// Something was acknowledged, which waits to be sent.
    pub(super) fn count_ack(&mut self) -> Result<(), Violation> {
        self.acks += 1;
        match self.acks <= MAX_ACKS {
            true => Ok(()),
            false => Err(Violation::connection(ErrorCode::ENHANCE_YOUR_CALM, "too many PINGs or SETTINGS")),
        }
    }

    fn receive_data(
        &mut self,
        head: Head,
        input: &mut BytesMut,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        let whole = head.length as usize;
        let Data { end_stream, data, .. } = Data::read(head, &input[Head::LENGTH..Head::LENGTH + whole])?;
        let length = data.len();
        let taken = self.take_data(head, length, end_stream, now);
        let start = Head::LENGTH + usize::from(head.has(frame::flag::PADDED));
        let Ok(Some(stream)) = taken else {
            input.advance(Head::LENGTH + whole);
            return taken.map(|_| None);
        };
        let data = match length {
            0..=SMALL => {
                let data = BytesMut::from(&input[start..start + length]);
                input.advance(Head::LENGTH + whole);
                data
            }
            _ => {
                let mut data = input.split_to(Head::LENGTH + whole);
                data.advance(start);
                data.truncate(length);
                data
            }
        };
        Ok(Some(Event::Data { stream, data, end_stream }))
    }

    /// Content of this length has come. The stream, if that is to be told of it.
    fn take_data(
        &mut self,
        head: Head,
        length: usize,
        end_stream: bool,
        now: Instant,
    ) -> Result<Option<StreamKey>, Violation> {
        // RFC 9113 §6.9.1: the padding counts, whether or not the stream can take it.
        let whole = head.length as usize;
        if !self.budget.arrived(whole) {
            let why = "more DATA than the connection's window allows";
            return Err(Violation::connection(ErrorCode::FLOW_CONTROL_ERROR, why));
        }
        match self.look_up_data(head.stream, whole, length, end_stream) {
            Ok(Some(stream)) => {
                if length < whole {
                    self.release(stream, whole - length, now);
                }
                if length == 0 && !end_stream {
                    return self.glitch(now).map(|()| None);
                }
                if self.streams.get(stream).is_some_and(|stream| stream.state.is_closed()) {
                    self.close(stream, Closed::Ended);
                }
                Ok(Some(stream))
            }
            refused => {
                self.budget.released(whole);
                // Content for a stream that we reset is no wonder, however much it is.
                if refused.is_ok() && length == 0 {
                    self.late(now)?;
                }
                refused.map(|_| None)
            }
        }
    }

    /// The stream that DATA is for. `None` if it means nothing any more.
    fn look_up_data(
        &mut self,
        id: StreamId,
        whole: usize,
        length: usize,
        end_stream: bool,
    ) -> Result<Option<StreamKey>, Violation> {
        let Some(key) = self.receive_on(id, stream::Frame::Data { end_stream })? else { return Ok(None) };
        let Some(stream) = self.streams.get_mut(key) else { return Ok(None) };
        let error = |code, why| Err(Violation::stream(id, code, why));
        let receiving = &mut stream.receiving;
        // RFC 9113 §6.9.1
        if !receiving.window.take(whole) {
            return error(ErrorCode::FLOW_CONTROL_ERROR, "more DATA than the stream's window allows");
        }
        match receiving.expects {
            Expects::Content => {}
            // RFC 9113 §8.1
            Expects::Head | Expects::HeadWithoutContent => {
                return error(ErrorCode::PROTOCOL_ERROR, "DATA before HEADERS");
            }
            Expects::NoContent if length == 0 => {}
            Expects::NoContent => return error(ErrorCode::PROTOCOL_ERROR, "content where there is none"),
        }
        if let Some(left) = &mut receiving.content_left {
            // RFC 9113 §8.1.1
            match left.checked_sub(length as u64) {
                Some(0) => *left = 0,
                Some(_) if end_stream => return error(ErrorCode::PROTOCOL_ERROR, "less than content-length"),
                Some(rest) => *left = rest,
                None => return error(ErrorCode::PROTOCOL_ERROR, "more than content-length"),
            }
        }
        Ok(Some(key))
    }

    /// A frame comes for a stream: to the state that it has then. `None` if the frame means nothing any more.
    pub(super) fn receive_on(
        &mut self,
        id: StreamId,
        frame: stream::Frame,
    ) -> Result<Option<StreamKey>, Violation> {
        let Some((key, state)) = self.look_up(id, frame)? else { return Ok(None) };
        if let Some(stream) = self.streams.get_mut(key) {
            stream.state = state;
        }
        Ok(Some(key))
    }

    /// The stream that a frame comes for, and the state that it will have by it. `None` if the frame means nothing any more.
    pub(super) fn look_up(
        &self,
        id: StreamId,
        frame: stream::Frame,
    ) -> Result<Option<(StreamKey, State)>, Violation> {
        let key = self.streams.key(id);
        let state = match key.and_then(|key| self.streams.get(key)) {
            Some(stream) => stream.state,
            None if self.leaves_out(id) => State::Closed(Closed::ResetHere),
            None if self.is_idle(id) => State::Idle,
            None => State::Closed(self.streams.closed(id)),
        };
        match (state.receive(frame), key) {
            (Received::To(to), Some(key)) if state != State::Idle => Ok(Some((key, to))),
            // RFC 9113 §5.1.1: the other side is who opens it.
            (Received::To(_), _) => {
                Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, "HEADERS on an idle stream"))
            }
            (Received::Ignored, _) => Ok(None),
            (Received::StreamError(code), _) => {
                Err(Violation::stream(id, code, "a frame that the stream's state excludes"))
            }
            (Received::ConnectionError(code), _) => {
                Err(Violation::connection(code, "a frame that the stream's state excludes"))
            }
        }
    }

    fn receive_reset(&mut self, frame: RstStream, now: Instant) -> Result<Option<Event>, Violation> {
        let Some(stream) = self.receive_on(frame.stream, stream::Frame::Reset)? else {
            if matches!(self.streams.closed(frame.stream), Closed::Ended | Closed::ResetHere) {
                // It was on its way. Nothing follows upon it.
                self.streams.remember(frame.stream, Closed::ResetThere);
            }
            return self.late(now).map(|()| None);
        };
        let is_answered = self.streams.get(stream).is_some_and(|stream| {
            let sending = &stream.sending;
            // A tunnel has served its purpose once it is open: it is what the peer makes of it that ends so.
            sending.has_ended || stream.is_tunnel && sending.is_answered && sending.sections.is_empty()
        });
        if self.is_remote(frame.stream) && !is_answered {
            // A server bears only so many requests that are taken back (CVE-2023-44487).
            self.count_reset(now)?;
        }
        self.close(stream, Closed::ResetThere);
        let error = match frame.code {
            // RFC 9113 §8.7
            ErrorCode::REFUSED_STREAM => Error::Unprocessed,
            code => Error::Reset(code),
        };
        Ok(Some(Event::Reset { stream, error }))
    }

    fn receive_window_update(&mut self, frame: WindowUpdate, now: Instant) -> Result<(), Violation> {
        // RFC 9113 §6.9.1
        let overflow = "a window above 2^31 - 1";
        if frame.stream.is_connection() {
            return self
                .send_window
                .grow(frame.increment)
                .map_err(|_| Violation::connection(ErrorCode::FLOW_CONTROL_ERROR, overflow));
        }
        let Some(key) = self.receive_on(frame.stream, stream::Frame::WindowUpdate)? else {
            return self.late(now);
        };
        if let Some(stream) = self.streams.get_mut(key) {
            let window = &mut stream.sending.window;
            window
                .grow(frame.increment)
                .map_err(|_| Violation::stream(frame.stream, ErrorCode::FLOW_CONTROL_ERROR, overflow))?;
        }
        self.scheduler.ready(key, &mut self.streams);
        Ok(())
    }

    /// Without effect (RFC 9113 §5.3.2), but for what makes no sense.
    fn receive_priority(&mut self, frame: frame::Priority, now: Instant) -> Result<(), Violation> {
        self.glitch(now)?;
        let frame::Priority { stream: id, dependency } = frame;
        let may_be_open = self.streams.key(id).is_some() || self.is_idle(id) && !self.leaves_out(id);
        match dependency.of(id) {
            // Nothing is sent on a closed stream.
            Err(violation) if may_be_open => Err(violation),
            _ => Ok(()),
        }
    }

    fn receive_priority_update(&mut self, frame: PriorityUpdate<'_>, now: Instant) -> Result<(), Violation> {
        self.glitch(now)?;
        let id = frame.prioritized;
        // RFC 9218 §7.1
        if !self.is_server() {
            return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, "PRIORITY_UPDATE from a server"));
        }
        if id.is_server_initiated() && self.is_idle(id) {
            return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, "PRIORITY_UPDATE for an idle push"));
        }
        let priority = Priority::read(frame.value);
        if let Some(key) = self.streams.key(id) {
            self.scheduler.reprioritize(key, priority, &mut self.streams);
        } else if self.is_idle(id) {
            // It may come before the request.
            self.announced.insert(id, priority);
            let active = self.announced.len() as u64 + u64::from(self.open[1]);
            // RFC 9218 §7.1: so many streams, open or not, "MUST NOT exceed the value of the
            // SETTINGS_MAX_CONCURRENT_STREAMS parameter", once it is known.
            if active > u64::from(self.local.acknowledged().max_concurrent_streams) {
                let why = "PRIORITY_UPDATE for more streams than there may be";
                return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, why));
            }
            let most = u64::from(self.local.told().max_concurrent_streams);
            if active > most || self.announced.len() > MAX_ANNOUNCED {
                self.announced.pop_last();
            }
        }
        Ok(())
    }
}
