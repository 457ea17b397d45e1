use std::time::Instant;

use sheave_hpack::FieldList;

use super::Connection;
use crate::error::Violation;
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::frame::{Continuation, Head, Headers, Kind, PushPromise};
use crate::stream::{self, Closed};
use crate::stream_id::StreamId;
use crate::streams::StreamKey;

/// A field block that is arriving (RFC 9113 §4.3).
#[derive(Debug)]
pub(super) struct Block {
    stream: StreamId,
    /// How many CONTINUATIONs have come.
    continuations: u32,
    fields: FieldList,
    fate: Fate,
}

/// The largest list of fields whose memory is kept for the next, in bytes.
const KEPT: usize = 4 << 10;

/// What a block is for. It is decompressed in any case: the tables of both sides have to stay the same (RFC 9113 §4.3).
#[derive(Debug)]
pub(super) enum Fate {
    /// A request.
    Request { end_stream: bool },
    /// A response, or trailers.
    Message { end_stream: bool },
    /// The request that a push answers.
    Promise { stream: StreamKey, promised: StreamId },
    /// It ends the stream.
    Error(Violation),
    /// Nothing.
    Ignored,
}

impl Connection {
    /// RFC 9113 §4.3: nothing comes between the frames of a block.
    pub(super) fn expects_block(&self, head: Head) -> Result<(), Violation> {
        let why = match &self.block {
            Some(block) if head.kind == Kind::CONTINUATION && head.stream == block.stream => return Ok(()),
            Some(_) => "a field block interrupted",
            // RFC 9113 §6.10
            None if head.kind == Kind::CONTINUATION => "CONTINUATION of nothing",
            None => return Ok(()),
        };
        Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, why))
    }

    pub(super) fn receive_headers(
        &mut self,
        frame: Headers<'_>,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        let Headers { stream: id, end_stream, end_headers, dependency, fragment, .. } = frame;
        let mut fate = if self.leaves_out(id) {
            self.glitch(now)?;
            Fate::Ignored
        } else if self.is_server() && self.is_remote(id) && self.is_idle(id) {
            // RFC 9113 §5.1.1: streams below that were not opened are closed by it.
            self.highest = id;
            Fate::Request { end_stream }
        } else {
            match self.look_up(id, stream::Frame::Headers { end_stream }) {
                Ok(Some(_)) => Fate::Message { end_stream },
                Ok(None) => {
                    self.late(now)?;
                    Fate::Ignored
                }
                Err(violation) if violation.ends_connection() => return Err(violation),
                Err(violation) => Fate::Error(violation),
            }
        };
        if let (Fate::Request { .. } | Fate::Message { .. }, Some(dependency)) = (&fate, dependency)
            && let Err(violation) = dependency.of(id)
        {
            fate = Fate::Error(violation);
        }
        self.begin_block(id, fate);
        self.continue_block(fragment, end_headers, now)
    }

    pub(super) fn receive_promise(
        &mut self,
        frame: PushPromise<'_>,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        let PushPromise { stream: id, promised, end_headers, fragment, .. } = frame;
        let error = |why| Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, why));
        // RFC 9113 §8.4
        if self.is_server() {
            return error("PUSH_PROMISE from a client");
        }
        // RFC 9113 §6.6
        if !self.local.acknowledged().enable_push {
            return error("PUSH_PROMISE though it is not enabled");
        }
        // RFC 9113 §5.1.1, §6.6
        if !self.is_idle(promised) {
            return error("a promise of a stream that is not idle");
        }
        if self.is_idle(id) || !id.is_client_initiated() {
            return error("a promise on a stream that is not open");
        }
        let refused = |code, why| Fate::Error(Violation::stream(promised, code, why));
        let fate = match self.streams.key(id) {
            Some(stream) if !self.streams.get(stream).is_some_and(|stream| stream.state.is_receiving()) => {
                return error("a promise on a stream that is half-closed");
            }
            None if !matches!(self.streams.closed(id), Closed::ResetHere | Closed::Forgotten) => {
                return error("a promise on a closed stream");
            }
            _ if self.leaves_out(promised) => Fate::Ignored,
            // The server does not know that yet.
            _ if !self.local.told().enable_push => {
                refused(ErrorCode::REFUSED_STREAM, "a promise unasked for")
            }
            None => refused(ErrorCode::CANCEL, "a promise on a stream that was reset"),
            Some(stream) => Fate::Promise { stream, promised },
        };
        match fate {
            Fate::Ignored => self.glitch(now)?,
            _ => self.highest = promised,
        }
        self.begin_block(id, fate);
        self.continue_block(fragment, end_headers, now)
    }

    pub(super) fn receive_continuation(
        &mut self,
        frame: Continuation<'_>,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        if let Some(block) = &mut self.block {
            block.continuations += 1;
            if block.continuations > self.config.max_continuations {
                // CVE-2024-27316
                return Err(Violation::connection(ErrorCode::ENHANCE_YOUR_CALM, "too many CONTINUATIONs"));
            }
        }
        self.continue_block(frame.fragment, frame.end_headers, now)
    }

    fn begin_block(&mut self, stream: StreamId, fate: Fate) {
        let new = || FieldList::new(self.config.max_header_list_size as usize);
        let fields = self.fields.take().unwrap_or_else(new);
        self.block = Some(Block { stream, continuations: 0, fields, fate });
    }

    fn continue_block(
        &mut self,
        fragment: &[u8],
        end: bool,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        let Some(block) = &mut self.block else { return Ok(None) };
        if self.decoder.decode(fragment, end, &mut block.fields).is_err() {
            // RFC 9113 §4.3
            let why = "a field block that cannot be decompressed";
            return Err(Violation::connection(ErrorCode::COMPRESSION_ERROR, why));
        }
        let Some(Block { stream, fate, mut fields, .. }) = self.block.take_if(|_| end) else {
            return Ok(None);
        };
        let received = self.end_block(stream, fate, &fields, now);
        if fields.capacity() <= KEPT {
            fields.clear();
            self.fields = Some(fields);
        }
        received
    }

    fn end_block(
        &mut self,
        id: StreamId,
        fate: Fate,
        fields: &FieldList,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        match fate {
            Fate::Request { end_stream } => self.receive_request(id, fields, end_stream, now),
            Fate::Message { end_stream } => {
                // RFC 9113 §6.2: CONTINUATIONs are part of HEADERS, which end the stream only here.
                match self.receive_on(id, stream::Frame::Headers { end_stream })? {
                    Some(stream) => self.receive_message(stream, fields, end_stream),
                    None => Ok(None),
                }
            }
            Fate::Promise { stream, promised } => self.receive_promised(stream, promised, fields),
            Fate::Error(violation) => Err(violation),
            Fate::Ignored => Ok(None),
        }
    }
}
