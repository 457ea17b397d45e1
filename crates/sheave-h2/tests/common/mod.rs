//! A connection, and a peer of it that speaks frames.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod pair;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use http::{HeaderMap, Request, Response};
use sheave_h2::frame::{self, Frame, Head, Setting, flag};
use sheave_h2::{
    Config, Connection, Error, ErrorCode, Event, PREFACE, Progress, Role, StreamId, StreamKey, Usage,
};
use sheave_hpack::{Decoder, Encoder, Field, FieldList};

/// A connection under test, told as its peer sees it.
pub(crate) struct Wire {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    encoder: Encoder,
    decoder: Decoder,
    /// How many bytes the connection gets at once.
    pub(crate) cut: usize,
    input: BytesMut,
    sent: BytesMut,
    /// The payloads of PINGs that were not answered.
    pings: Vec<[u8; 8]>,
    /// How long the payloads of the frames were that were sent.
    lengths: Vec<u32>,
    pub(crate) events: Vec<String>,
    pub(crate) error: Option<Error>,
    streams: HashMap<u32, StreamKey>,
    /// Content that was received and not released.
    pub(crate) unreleased: Vec<(StreamKey, usize)>,
    /// Whether content is released as it comes.
    pub(crate) releases: bool,
    /// The fields of the message that was told of last.
    pub(crate) headers: HeaderMap,
}

pub(crate) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "example.org"), (":path", "/")];

/// How many bytes the connection gets at once: all there are, each alone, and some that fit nothing.
pub(crate) const CUTS: [usize; 3] = [usize::MAX, 1, 7];

impl Wire {
    /// Where nothing was said yet.
    pub(crate) fn new(role: Role, config: Config) -> Self {
        let now = Instant::now();
        Self {
            connection: Connection::new(role, config, now),
            now,
            encoder: Encoder::new(),
            decoder: Decoder::default(),
            cut: usize::MAX,
            input: BytesMut::new(),
            sent: BytesMut::new(),
            pings: Vec::new(),
            lengths: Vec::new(),
            events: Vec::new(),
            error: None,
            streams: HashMap::new(),
            unreleased: Vec::new(),
            releases: true,
            headers: HeaderMap::new(),
        }
    }

    /// A server whose client has begun, and has acknowledged its settings.
    pub(crate) fn server(config: Config) -> Self {
        let mut wire = Self::new(Role::Server, config);
        wire.bytes(PREFACE);
        wire.begin()
    }

    /// A client whose server has begun, and has acknowledged its settings.
    pub(crate) fn client(config: Config) -> Self {
        Self::new(Role::Client, config).begin()
    }

    /// From here on the connection gets so many bytes at once.
    pub(crate) fn cut(mut self, cut: usize) -> Self {
        self.cut = cut;
        self
    }

    /// The client's request number `id`, which has no content if `flags` say so. Nothing is told of it.
    pub(crate) fn request(&mut self, id: u32, flags: u8) -> StreamKey {
        self.headers(id, &GET, flags);
        self.events();
        self.stream(id)
    }

    /// A request is made, and sent. Nothing is told of it.
    pub(crate) fn open(&mut self, end_stream: bool) -> StreamKey {
        let (parts, ()) = http::Request::get("https://example.org/").body(()).unwrap().into_parts();
        let key = self.connection.open(parts, end_stream).unwrap();
        self.frames();
        key
    }

    /// A response without fields is given. Nothing is sent yet.
    pub(crate) fn respond(&mut self, key: StreamKey, end_stream: bool) {
        self.connection.respond(key, ok(), end_stream).unwrap();
    }

    fn begin(mut self) -> Self {
        self.settings(&[]);
        self.settings_ack();
        self.events();
        self.frames();
        self
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
    }

    /// The peer sends bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.cut) {
            self.input.extend_from_slice(piece);
            while self.error.is_none() {
                match self.connection.recv(&mut self.input, self.now) {
                    Ok(Some(event)) => self.event(event),
                    Ok(None) => break,
                    Err(error) => self.error = Some(error),
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match &event {
            Event::Request { request, .. } | Event::Promise { request, .. } => {
                self.headers = request.headers().clone();
            }
            Event::Response { response, .. } | Event::Informational { response, .. } => {
                self.headers = response.headers().clone();
            }
            Event::Trailers { trailers, .. } => self.headers = (**trailers).clone(),
            _ => {}
        }
        let end = |end_stream| if end_stream { " end" } else { "" };
        let told = match event {
            Event::Settings => "settings".to_owned(),
            Event::Request { stream, request, protocol, end_stream } => {
                self.streams.insert(stream.id().get(), stream);
                let protocol = protocol.map(|protocol| format!(" {protocol:?}")).unwrap_or_default();
                let (method, uri) = (request.method(), request.uri());
                format!("request {} {method} {uri}{protocol}{}", stream.id(), end(end_stream))
            }
            Event::Informational { stream, response } => {
                format!("informational {} {}", stream.id(), response.status().as_u16())
            }
            Event::Response { stream, response, end_stream } => {
                format!("response {} {}{}", stream.id(), response.status().as_u16(), end(end_stream))
            }
            Event::Data { stream, data, end_stream } => {
                if self.releases {
                    self.connection.release(stream, data.len(), self.now);
                } else {
                    self.unreleased.push((stream, data.len()));
                }
                format!("data {} {}{}", stream.id(), shown(&data), end(end_stream))
            }
            Event::Trailers { stream, trailers } => format!("trailers {} {}", stream.id(), trailers.len()),
            Event::Promise { stream, promised, request } => {
                self.streams.insert(promised.id().get(), promised);
                format!("promise {} {} {}", stream.id(), promised.id(), request.uri())
            }
            Event::Reset { stream, error } => format!("reset {} {}", stream.id(), cause(&error)),
            Event::Pong { .. } => "pong".to_owned(),
            Event::GoAway { last_stream, reason } => format!("goaway {last_stream} {}", reason.code),
            other => format!("{other:?}"),
        };
        self.events.push(told);
    }

    /// The stream of this number, as it was last told of.
    pub(crate) fn stream(&self, id: u32) -> StreamKey {
        self.streams[&id]
    }

    /// What was told since the last time.
    pub(crate) fn events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    /// The code of the connection error, which was told.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match &self.error {
            Some(Error::Protocol(violation)) => Some(violation.code),
            _ => None,
        }
    }

    /// What was sent to the peer since the last time, frame by frame.
    pub(crate) fn frames(&mut self) -> Vec<String> {
        self.sent();
        if self.sent.starts_with(PREFACE) {
            self.sent.advance(PREFACE.len());
        }
        let mut frames = Vec::new();
        while let Some(head) = Head::read(&self.sent) {
            let frame = self.sent.split_to(Head::LENGTH + head.length as usize);
            self.lengths.push(head.length);
            let read = Frame::read(head, &frame[Head::LENGTH..]).expect("only what is right is sent");
            frames.push(self.tell(read));
        }
        assert!(self.sent.is_empty(), "only whole frames are sent");
        frames
    }

    /// The same, as bytes; it stays to be told frame by frame.
    pub(crate) fn sent(&mut self) -> &[u8] {
        loop {
            let output = self.connection.transmit(self.now);
            if !output.has_remaining() {
                return &self.sent;
            }
            self.sent.extend_from_slice(output.chunk());
            let length = output.chunk().len();
            output.advance(length);
        }
    }

    /// How long the payloads were of the frames that were told since the last time.
    pub(crate) fn lengths(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.lengths)
    }

    /// The peer's decoder bears another size of its table now.
    pub(crate) fn set_max_table_size(&mut self, size: usize) {
        self.decoder.set_max_table_size(size);
    }

    fn tell(&mut self, frame: Frame<'_>) -> String {
        let end = |end_stream| if end_stream { " END_STREAM" } else { "" };
        match frame {
            Frame::Data(frame) => {
                format!("DATA {} {}{}", frame.stream, shown(frame.data), end(frame.end_stream))
            }
            Frame::Headers(frame) => {
                let fields = self.fields(frame.fragment, frame.end_headers);
                format!("HEADERS {}{}{fields}", frame.stream, end(frame.end_stream))
            }
            Frame::PushPromise(frame) => {
                let fields = self.fields(frame.fragment, frame.end_headers);
                format!("PUSH_PROMISE {} {}{fields}", frame.stream, frame.promised)
            }
            Frame::Continuation(frame) => {
                let fields = self.fields(frame.fragment, frame.end_headers);
                format!("CONTINUATION {}{fields}", frame.stream)
            }
            Frame::RstStream(frame) => format!("RST_STREAM {} {}", frame.stream, frame.code),
            Frame::Settings(frame) if frame.ack => "SETTINGS ACK".to_owned(),
            Frame::Settings(frame) => {
                let settings: String =
                    frame.iter().map(|setting| format!(" {}={}", setting.id, setting.value)).collect();
                format!("SETTINGS{settings}")
            }
            Frame::Ping(frame) if frame.ack => "PING ACK".to_owned(),
            Frame::Ping(frame) => {
                self.pings.push(frame.payload);
                "PING".to_owned()
            }
            Frame::GoAway(frame) => format!("GOAWAY {} {}", frame.last_stream, frame.code),
            Frame::WindowUpdate(frame) => format!("WINDOW_UPDATE {} {}", frame.stream, frame.increment),
            other => format!("{other:?}"),
        }
    }

    fn fields(&mut self, fragment: &[u8], end: bool) -> String {
        let mut list = FieldList::new(usize::MAX);
        self.decoder.decode(fragment, end, &mut list).expect("what is sent can be decompressed");
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        list.iter().map(|field| format!(" {}={}", text(field.name), text(field.value))).collect()
    }

    /// What came of what was sent since the last time.
    pub(crate) fn progress(&mut self) -> Vec<Progress> {
        std::iter::from_fn(|| self.connection.progress()).collect()
    }

    // What the connection is asked for.

    /// A client's request.
    pub(crate) fn open_request(
        &mut self,
        request: Request<()>,
        end_stream: bool,
    ) -> Result<StreamKey, Error> {
        let key = self.connection.open(request.into_parts().0, end_stream)?;
        self.streams.insert(key.id().get(), key);
        Ok(key)
    }

    /// A server's response.
    pub(crate) fn respond_with(
        &mut self,
        id: u32,
        response: Response<()>,
        end_stream: bool,
    ) -> Result<(), Error> {
        let key = self.stream(id);
        self.connection.respond(key, response.into_parts().0, end_stream)
    }

    /// A server's response of this status.
    pub(crate) fn answer(&mut self, id: u32, status: u16, end_stream: bool) {
        let response = Response::builder().status(status).body(()).unwrap();
        self.respond_with(id, response, end_stream).unwrap();
    }

    // What the peer sends.

    pub(crate) fn block(&mut self, fields: &[(&str, &str)]) -> BytesMut {
        let mut block = BytesMut::new();
        self.encoder.encode(fields.iter().map(|(name, value)| Field::new(*name, *value)), &mut block);
        block
    }

    pub(crate) fn headers(&mut self, id: u32, fields: &[(&str, &str)], flags: u8) {
        let block = self.block(fields);
        self.frame(frame::Kind::HEADERS, flags | flag::END_HEADERS, id, &block);
    }

    /// A promise on the stream `id` of the stream `promised`.
    pub(crate) fn promise(&mut self, id: u32, promised: u32, fields: &[(&str, &str)]) {
        let payload = [&promised.to_be_bytes()[..], &self.block(fields)].concat();
        self.frame(frame::Kind::PUSH_PROMISE, flag::END_HEADERS, id, &payload);
    }

    pub(crate) fn data(&mut self, id: u32, data: &[u8], flags: u8) {
        self.frame(frame::Kind::DATA, flags, id, data);
    }

    pub(crate) fn settings(&mut self, values: &[(u16, u32)]) {
        self.bytes(&settings(values));
    }

    pub(crate) fn settings_ack(&mut self) {
        self.frame(frame::Kind::SETTINGS, flag::ACK, 0, &[]);
    }

    pub(crate) fn window_update(&mut self, id: u32, increment: u32) {
        self.frame(frame::Kind::WINDOW_UPDATE, 0, id, &increment.to_be_bytes());
    }

    pub(crate) fn reset(&mut self, id: u32, code: ErrorCode) {
        self.frame(frame::Kind::RST_STREAM, 0, id, &code.get().to_be_bytes());
    }

    pub(crate) fn ping(&mut self, flags: u8, payload: [u8; 8]) {
        self.frame(frame::Kind::PING, flags, 0, &payload);
    }

    /// Answers the PINGs that were told.
    pub(crate) fn pong(&mut self) {
        for payload in std::mem::take(&mut self.pings) {
            self.ping(flag::ACK, payload);
        }
    }

    pub(crate) fn goaway(&mut self, last_stream: u32, code: ErrorCode) {
        let mut bytes = BytesMut::new();
        frame::GoAway { last_stream: StreamId::new(last_stream), code, debug_data: b"" }.write(&mut bytes);
        self.bytes(&bytes);
    }

    /// Any frame, right or wrong.
    pub(crate) fn frame(&mut self, kind: frame::Kind, flags: u8, id: u32, payload: &[u8]) {
        self.bytes(&frame(kind, flags, id, payload));
    }
}

/// Any frame, right or wrong.
pub(crate) fn frame(kind: frame::Kind, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let length = payload.len() as u32;
    Head { length, kind, flags, stream: StreamId::new(id) }.write(&mut bytes);
    bytes.extend_from_slice(payload);
    bytes.to_vec()
}

pub(crate) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let settings: Vec<_> = settings.iter().map(|&(id, value)| Setting { id, value }).collect();
    let mut bytes = BytesMut::new();
    frame::Settings::write(&settings, &mut bytes);
    bytes.to_vec()
}

/// Content as it is told: if there is much of it, its length.
fn shown(data: &[u8]) -> String {
    if data.len() > 32 { format!("[{}]", data.len()) } else { data.escape_ascii().to_string() }
}

fn cause(error: &Error) -> String {
    match error {
        Error::Protocol(violation) => violation.code.to_string(),
        Error::Reset(code) => format!("by peer {code}"),
        Error::Unprocessed => "unprocessed".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What the caller did wrong.
pub(crate) fn usage<T: std::fmt::Debug>(result: Result<T, Error>) -> Usage {
    match result {
        Err(Error::Usage(usage)) => usage,
        other => panic!("{other:?}"),
    }
}

/// A response without anything.
pub(crate) fn ok() -> http::response::Parts {
    Response::new(()).into_parts().0
}
