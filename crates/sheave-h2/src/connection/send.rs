use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode, request, response};

use super::Connection;
use crate::chunks::Chunks;
use crate::error::{Error, Usage};
use crate::error_code::ErrorCode;
use crate::frame::{RstStream, Setting};
use crate::message::{self, Protocol};
use crate::scheduler;
use crate::stream::{Closed, Ending, Expects, Frame, Section, State, Stream};
use crate::streams::StreamKey;

/// What is sent. What has to do with a stream that is closed fails with [`Error::Closed`] and does nothing.
impl Connection {
    /// Whether one more stream can be [opened](Self::open): not more than the peer takes (RFC 9113 §5.1.2), and than 100 as
    /// long as it has not said how many.
    pub fn can_open(&self) -> bool {
        // RFC 9113 §6.5.2: "It is recommended that this value be no smaller than 100".
        let most = if self.has_peer_settings() { u32::MAX } else { 100 };
        self.takes_streams() && self.open[0] < self.remote.max_concurrent_streams.min(most)
    }

    /// A client: makes a request. With `end_stream` it has neither content nor trailers.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the connection takes no new streams; [`Error::Usage`] if it is not one that can be made in
    /// HTTP/2, or to this server, or [not now](Self::can_open).
    pub fn open(&mut self, mut request: request::Parts, end_stream: bool) -> Result<StreamKey, Error> {
        if !self.takes_streams() {
            return Err(Error::Closed);
        }
        message::check_request(&mut request)?;
        // RFC 8441 §3
        if request.extensions.get::<Protocol>().is_some() && !self.remote.enable_connect_protocol {
            return Err(Usage::NoConnectProtocol.into());
        }
        self.check_size(message::request_fields(&request))?;
        // RFC 9113 §5.1.2: "Endpoints MUST NOT exceed the limit set by their peer."
        if !self.can_open() {
            return Err(Usage::TooManyStreams.into());
        }
        let is_tunnel = request.method == Method::CONNECT;
        let length = message::content_length(&request.headers).map_err(Usage::Malformed)?;
        let content_left = length.filter(|_| !is_tunnel);
        if end_stream && content_left.is_some_and(|left| left > 0) {
            return Err(Usage::ContentLength.into());
        }
        let Some(id) = self.next else { return Err(Error::Closed) };
        self.next = id.next();
        let mut stream = self.new_stream(id);
        stream.is_tunnel = is_tunnel;
        stream.is_counted = true;
        if request.method == Method::HEAD {
            stream.receiving.expects = Expects::HeadWithoutContent;
        }
        stream.sending.content_left = content_left;
        stream.sending.ending = end_stream.then_some(Ending::EndStream);
        stream.sending.sections.push(Section::Request(Box::new(request)));
        self.open[0] += 1;
        let key = self.streams.insert(stream);
        self.push_head(key);
        Ok(key)
    }

    /// A server: answers a request, with an interim response (1xx) any number of times and then with the response. With
    /// `end_stream` that has neither content nor trailers.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it is not one that can be said in HTTP/2, or was said before.
    pub fn respond(
        &mut self,
        key: StreamKey,
        response: response::Parts,
        end_stream: bool,
    ) -> Result<(), Error> {
        message::check_response(&response)?;
        self.respond_checked(key, response.into(), end_stream)
    }

    /// As [`respond`](Self::respond), with a response that was [checked](message::check_response).
    pub(crate) fn respond_checked(
        &mut self,
        key: StreamKey,
        mut response: Box<response::Parts>,
        end_stream: bool,
    ) -> Result<(), Error> {
        let status = response.status;
        if end_stream && status.is_informational() {
            return Err(Usage::Malformed("an interim response that ends the stream").into());
        }
        self.check_size(message::response_fields(&response))?;
        if !self.is_server() {
            return Err(Usage::NotSending.into());
        }
        let stream = self.streams.get_mut(key).ok_or(Error::Closed)?;
        if stream.sending.is_answered {
            return Err(Usage::NotSending.into());
        }
        let is_tunnel = stream.is_tunnel && status.is_success();
        if is_tunnel || status.is_informational() || status == StatusCode::NO_CONTENT {
            // RFC 9110 §8.6: "A server MUST NOT send a Content-Length header field" in these.
            response.headers.remove(CONTENT_LENGTH);
        }
        if !status.is_informational() {
            let sending = &mut stream.sending;
            let length = message::content_length(&response.headers).map_err(Usage::Malformed)?;
            let left = match status {
                // RFC 9110 §6.4.1, §15.3.6
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => Some(0),
                _ => sending.content_left.or(length),
            };
            if end_stream && left.is_some_and(|left| left > 0) {
                return Err(Usage::ContentLength.into());
            }
            sending.content_left = left;
            sending.is_answered = true;
            sending.ending = end_stream.then_some(Ending::EndStream);
            stream.is_tunnel = is_tunnel;
        }
        stream.sending.sections.push(Section::Response(response));
        self.push_head(key);
        Ok(())
    }

    /// A server: promises the response to a request that the client would make next (RFC 9113 §8.4), which is then sent
    /// with [`respond`](Self::respond) on the new stream.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the client takes no pushes, or not of this request; [`Error::Closed`] also if the connection
    /// takes no new streams.
    pub fn promise(&mut self, key: StreamKey, mut request: request::Parts) -> Result<StreamKey, Error> {
        if !self.is_server() || !self.remote.enable_push {
            return Err(Usage::NoPush.into());
        }
        message::check_request(&mut request)?;
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(Usage::Malformed("a push of something unsafe").into());
        }
        if message::content_length(&request.headers)
            .map_err(Usage::Malformed)?
            .is_some_and(|length| length > 0)
        {
            return Err(Usage::Malformed("a push of a request with content").into());
        }
        self.check_size(message::request_fields(&request))?;
        if self.ends.received.is_some() || self.open[0] >= self.remote.max_concurrent_streams {
            return Err(Error::Closed);
        }
        let Some(id) = self.next else { return Err(Error::Closed) };
        let parent = self.streams.get(key).ok_or(Error::Closed)?;
        // RFC 9113 §8.4.1: on a stream that the client opened, and of which our half has not ended.
        if !parent.id.is_client_initiated() || parent.sending.ending.is_some() || parent.sending.has_ended {
            return Err(Usage::NotSending.into());
        }
        self.next = id.next();
        let mut stream = self.new_stream(id);
        stream.is_counted = true;
        stream.sending.content_left = (request.method == Method::HEAD).then_some(0);
        self.open[0] += 1;
        let promised = self.streams.insert(stream);
        if let Some(parent) = self.streams.get_mut(key) {
            parent.sending.sections.push(Section::Promise(Box::new((promised, request))));
        }
        self.push_head(key);
        Ok(promised)
    }

    /// Sends content. It is queued without a limit: [`progress`](Self::progress) tells what has left.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the content has ended, a response has not begun, or this is more than its `content-length`.
    pub fn send(&mut self, key: StreamKey, content: Bytes) -> Result<(), Error> {
        let sending = &mut self.sending(key)?.sending;
        sending.count(content.len())?;
        sending.queue.push(content);
        self.scheduler.ready(key, &mut self.streams);
        Ok(())
    }

    /// Sends all of these, and empties them.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_chunks(&mut self, key: StreamKey, content: &mut Chunks) -> Result<(), Error> {
        let sending = &mut self.sending(key)?.sending;
        sending.count(content.len())?;
        content.append_to(&mut sending.queue);
        self.scheduler.ready(key, &mut self.streams);
        Ok(())
    }

    /// Ends the content.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and if there was less than its `content-length`.
    pub fn finish(&mut self, key: StreamKey) -> Result<(), Error> {
        self.end(key, Ending::EndStream)
    }

    /// Ends the content with trailers.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish), and if they cannot be said in HTTP/2.
    pub fn send_trailers(&mut self, key: StreamKey, trailers: HeaderMap) -> Result<(), Error> {
        message::check_trailers(&trailers)?;
        self.check_size(message::trailer_fields(&trailers))?;
        if self.sending(key)?.is_tunnel {
            // RFC 9113 §8.5
            return Err(Usage::Malformed("trailers on a CONNECT").into());
        }
        self.end(key, Ending::Trailers(Box::new(trailers)))
    }

    fn end(&mut self, key: StreamKey, ending: Ending) -> Result<(), Error> {
        let sending = &mut self.sending(key)?.sending;
        // RFC 9113 §8.1.1
        if sending.content_left.is_some_and(|left| left > 0) {
            return Err(Usage::ContentLength.into());
        }
        sending.ending = Some(ending);
        if sending.queue.is_empty() && sending.sections.is_empty() {
            self.push_head(key);
        }
        Ok(())
    }

    /// Has the stream send the next of its sections, or else its end, when it is its turn.
    fn push_head(&mut self, key: StreamKey) {
        scheduler::push(&mut self.heads, key, &self.streams);
    }

    /// Ends a stream at once (RFC 9113 §6.4): what is queued is not sent, and what comes is ignored.
    pub fn reset(&mut self, key: StreamKey, code: ErrorCode) {
        let Some(stream) = self.streams.get(key) else { return };
        // What the peer has never heard of ends without a word.
        if stream.state.send(Frame::Reset).is_some() {
            RstStream { stream: key.id(), code }.write(&mut self.control);
        }
        self.close(key, Closed::ResetHere);
    }

    /// What the peer goes on to send is not wanted: a stream whose own half has ended, or once that has, is reset with
    /// this code (RFC 9113 §8.1: a server that has answered uses [`ErrorCode::NO_ERROR`]). A tunnel is only after
    /// [`Config::tunnel_linger`](crate::Config::tunnel_linger), if the peer has not ended it until then.
    pub fn stop(&mut self, key: StreamKey, code: ErrorCode) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        stream.sending.then_reset = Some(code);
        if matches!(stream.state, State::HalfClosedLocal | State::ReservedRemote) {
            match stream.is_tunnel {
                true => self.linger(key),
                false => self.reset(key, code),
            }
        }
    }

    /// So many bytes of content of the stream were read, or will never be: the peer may send as many more. Also of a
    /// stream that is closed.
    pub fn release(&mut self, key: StreamKey, length: usize, now: Instant) {
        self.budget.released(length);
        let Some(stream) = self.streams.get_mut(key) else { return };
        stream.receiving.release(length);
        if !self.credit(key) {
            return;
        }
        if let Some(payload) = self.pings.measure(now) {
            crate::frame::Ping { ack: false, payload }.write(&mut self.control);
        }
    }

    /// The peer is to be told how much was read, if that is worth it.
    pub(super) fn credit(&mut self, key: StreamKey) -> bool {
        let Some(stream) = self.streams.get_mut(key) else { return false };
        let is_due = stream.receiving.is_due() && stream.state.is_receiving() && !stream.receiving.is_listed;
        if is_due {
            stream.receiving.is_listed = true;
            self.credits.push(key);
        }
        is_due
    }

    /// So many bytes of content will never be read: the peer may send as many more, but not on their stream.
    pub fn discard(&mut self, length: usize) {
        self.budget.released(length);
    }

    /// A stream that content can be sent on.
    fn sending(&mut self, key: StreamKey) -> Result<&mut Stream, Error> {
        let is_server = self.is_server();
        let stream = self.streams.get_mut(key).ok_or(Error::Closed)?;
        let sending = &stream.sending;
        match sending.ending.is_none() && !sending.has_ended && (!is_server || sending.is_answered) {
            true => Ok(stream),
            false => Err(Usage::NotSending.into()),
        }
    }

    /// RFC 9113 §10.5.1: what is larger than the peer takes is not worth sending.
    fn check_size<'a>(&self, fields: impl Iterator<Item = sheave_hpack::Field<'a>>) -> Result<(), Usage> {
        let most = self.remote.max_header_list_size as usize;
        if most == u32::MAX as usize {
            return Ok(());
        }
        let size: usize = fields.map(|field| field.size()).sum();
        if size <= most { Ok(()) } else { Err(Usage::HeaderListTooLarge) }
    }

    /// What the peer is told first (RFC 9113 §3.4).
    pub(super) fn begin(&mut self) {
        if !self.is_server() {
            self.output.push_slice(super::PREFACE);
        }
        let settings = *self.local.told();
        let changes: Vec<Setting> = settings.changes(self.local.acknowledged()).collect();
        // Not among the control frames, which an early failure drops.
        crate::frame::Settings::write(&changes, self.output.tail());
    }
}
