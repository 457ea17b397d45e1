use std::time::Instant;

use http::{HeaderMap, Method, StatusCode};
use sheave_hpack::{Field, FieldList};

use super::Connection;
use crate::error::Violation;
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::frame::{Headers, RstStream};
use crate::message::{self, Malformed, Read};
use crate::priority::Priority;
use crate::stream::{Closed, Expects, State, Stream};
use crate::stream_id::StreamId;
use crate::streams::StreamKey;

/// RFC 9113 §8.1.1
fn malformed(id: StreamId) -> impl Fn(Malformed) -> Violation {
    move |why| Violation::stream(id, ErrorCode::PROTOCOL_ERROR, why)
}

impl Connection {
    /// A request, whole.
    pub(super) fn receive_request(
        &mut self,
        id: StreamId,
        fields: &FieldList,
        end_stream: bool,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        let malformed = malformed(id);
        let announced = self.take_announced(id);
        if self.open[1] >= self.local.told().max_concurrent_streams {
            // RFC 9113 §5.1.2: the request can be made again.
            return Err(Violation::stream(id, ErrorCode::REFUSED_STREAM, "above MAX_CONCURRENT_STREAMS"));
        }
        if fields.is_overflowed() {
            return self.refuse_large(id, end_stream, now);
        }
        let Read { request, protocol, length, priority } =
            message::read_request(fields).map_err(&malformed)?;
        // RFC 8441 §3
        if protocol.is_some() && !self.local.told().enable_connect_protocol {
            return Err(malformed("an extended CONNECT, which was not offered"));
        }
        let mut stream = self.new_stream(id);
        stream.state = if end_stream { State::HalfClosedRemote } else { State::Open };
        stream.is_counted = true;
        stream.is_tunnel = request.method() == Method::CONNECT;
        stream.receiving.expects = Expects::Content;
        stream.receiving.content_left = length.filter(|_| !stream.is_tunnel);
        if end_stream && stream.receiving.content_left.is_some_and(|left| left > 0) {
            return Err(malformed("less than content-length"));
        }
        // RFC 9110 §9.3.2
        stream.sending.content_left = (request.method() == Method::HEAD).then_some(0);
        // RFC 9218 §5, §7: the frame has the last word.
        if let Some(priority) = announced.or(priority) {
            stream.sending.priority = priority;
            stream.sending.is_prioritized = true;
        }
        self.open[1] += 1;
        let stream = self.streams.insert(stream);
        Ok(Some(Event::Request { stream, request: request.into(), protocol, end_stream }))
    }

    /// The priority that was announced of a stream that opens now. Those below it never will.
    fn take_announced(&mut self, id: StreamId) -> Option<Priority> {
        let mut announced = None;
        while let Some(first) = self.announced.first_entry().filter(|first| *first.key() <= id) {
            let (of, priority) = first.remove_entry();
            announced = Some(priority).filter(|_| of == id);
        }
        announced
    }

    /// A request with more fields than are borne: its sender is told so, and nobody else (RFC 9113 §10.5.1).
    fn refuse_large(
        &mut self,
        id: StreamId,
        end_stream: bool,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        self.count_reset(now)?;
        // What goes first is encoded before all that is encoded later.
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        self.encoder.encode([Field::new(":status", status.as_str())], &mut self.encoded);
        let (fragment, dependency, padding) = (&self.encoded[..], None, None);
        Headers { stream: id, end_stream: true, end_headers: true, dependency, fragment, padding }
            .write(&mut self.control);
        self.encoded.clear();
        if end_stream {
            self.streams.remember(id, Closed::Ended);
        } else {
            // RFC 9113 §8.1
            RstStream { stream: id, code: ErrorCode::NO_ERROR }.write(&mut self.control);
            self.streams.remember(id, Closed::ResetHere);
        }
        Ok(None)
    }

    /// Whatever fields come on a stream that is there.
    pub(super) fn receive_message(
        &mut self,
        key: StreamKey,
        fields: &FieldList,
        end_stream: bool,
    ) -> Result<Option<Event>, Violation> {
        let malformed = malformed(key.id());
        let Some(stream) = self.streams.get(key) else { return Ok(None) };
        if fields.is_overflowed() {
            return Err(malformed("more fields than MAX_HEADER_LIST_SIZE"));
        }
        let event = match stream.receiving.expects {
            Expects::Head | Expects::HeadWithoutContent => self.receive_response(key, fields, end_stream)?,
            Expects::Content | Expects::NoContent => self.receive_trailers(key, fields, end_stream)?,
        };
        if self.streams.get(key).is_some_and(|stream| stream.state.is_closed()) {
            self.close(key, Closed::Ended);
        }
        Ok(Some(event))
    }

    fn receive_response(
        &mut self,
        key: StreamKey,
        fields: &FieldList,
        end_stream: bool,
    ) -> Result<Event, Violation> {
        let malformed = malformed(key.id());
        let response = message::read_response(fields).map_err(&malformed)?;
        let most = self.config.max_informational;
        let max_concurrent = self.local.told().max_concurrent_streams;
        let Some(stream) = self.streams.get_mut(key) else { return Err(malformed("no stream")) };
        let status = response.status();
        if status.is_informational() {
            // RFC 9113 §8.1
            if end_stream {
                return Err(malformed("an interim response that ends the stream"));
            }
            stream.receiving.informational = stream.receiving.informational.saturating_add(1);
            if stream.receiving.informational > most {
                let why = "too many interim responses";
                return Err(Violation::stream(key.id(), ErrorCode::ENHANCE_YOUR_CALM, why));
            }
            return Ok(Event::Informational { stream: key, response: response.into() });
        }
        // RFC 9113 §5.1.2: a push counts from here on.
        if !stream.is_counted {
            if self.open[1] >= max_concurrent {
                let why = "above MAX_CONCURRENT_STREAMS";
                return Err(Violation::stream(key.id(), ErrorCode::REFUSED_STREAM, why));
            }
            stream.is_counted = true;
            self.open[1] += 1;
        }
        let without = stream.receiving.expects == Expects::HeadWithoutContent;
        if stream.is_tunnel && status.is_success() {
            // RFC 9110 §9.3.6: its length means nothing.
            stream.receiving.expects = Expects::Content;
            return Ok(Event::Response { stream: key, response: response.into(), end_stream });
        }
        stream.is_tunnel = false;
        let length = message::content_length(response.headers()).map_err(&malformed)?;
        // RFC 9113 §8.1.1: it says what the length would be.
        if without || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            stream.receiving.expects = Expects::NoContent;
        } else {
            stream.receiving.expects = Expects::Content;
            stream.receiving.content_left = length;
            if end_stream && length.is_some_and(|length| length > 0) {
                return Err(malformed("less than content-length"));
            }
        }
        Ok(Event::Response { stream: key, response: response.into(), end_stream })
    }

    fn receive_trailers(
        &mut self,
        key: StreamKey,
        fields: &FieldList,
        end_stream: bool,
    ) -> Result<Event, Violation> {
        let malformed = malformed(key.id());
        let Some(stream) = self.streams.get_mut(key) else { return Err(malformed("no stream")) };
        // RFC 9113 §8.1
        if !end_stream {
            return Err(malformed("trailers that do not end the stream"));
        }
        // RFC 9113 §8.5
        if stream.is_tunnel {
            return Err(malformed("trailers on a CONNECT"));
        }
        if stream.receiving.content_left.is_some_and(|left| left > 0) {
            return Err(malformed("less than content-length"));
        }
        let trailers: HeaderMap = message::read_trailers(fields).map_err(&malformed)?;
        Ok(Event::Trailers { stream: key, trailers: trailers.into() })
    }

    /// The request that a push answers, whole.
    pub(super) fn receive_promised(
        &mut self,
        parent: StreamKey,
        id: StreamId,
        fields: &FieldList,
    ) -> Result<Option<Event>, Violation> {
        let malformed = malformed(id);
        if fields.is_overflowed() {
            return Err(malformed("more fields than MAX_HEADER_LIST_SIZE"));
        }
        let Read { request, length, .. } = message::read_request(fields).map_err(&malformed)?;
        // RFC 9113 §8.4: cacheable, safe, without content.
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(malformed("a promise of something unsafe"));
        }
        if request.uri().authority().is_none() {
            return Err(malformed("a promise without :authority"));
        }
        if length.is_some_and(|length| length > 0) {
            return Err(malformed("a promise of a request with content"));
        }
        // RFC 9113 §10.5: those that are reserved are not counted, but limited all the same.
        if self.streams.len() as u64 >= 2 * u64::from(self.local.told().max_concurrent_streams) {
            return Err(Violation::stream(id, ErrorCode::REFUSED_STREAM, "too many promises"));
        }
        let mut stream = self.new_stream(id);
        if *request.method() == Method::HEAD {
            stream.receiving.expects = Expects::HeadWithoutContent;
        }
        stream.state = State::ReservedRemote;
        // RFC 9113 §5.1: we have no half of it.
        stream.sending.has_ended = true;
        let promised = self.streams.insert(stream);
        Ok(Some(Event::Promise { stream: parent, promised, request: request.into() }))
    }

    /// A stream with windows of the sizes that hold now.
    pub(super) fn new_stream(&self, id: StreamId) -> Stream {
        Stream::new(id, self.remote.initial_window_size, self.local.acknowledged().initial_window_size)
    }
}
