//! A client of HTTP/2 that speaks frames by hand.

use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use sheave::h2::frame::{self, Frame, Head, Setting};
use sheave::h2::{ErrorCode, PREFACE, StreamId};
use sheave_hpack::{Decoder, Encoder, Field, FieldList};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw;
use super::soon;

/// What is said for a WebSocket (RFC 8441 §5).
pub(crate) const CONNECT: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":authority", "example.org"),
    (":path", "/chat"),
    ("sec-websocket-version", "13"),
];

pub(crate) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "example.org"), (":path", "/page")];

/// A connection, and what of it was read too far.
pub(crate) struct Frames<S> {
    pub(crate) io: S,
    input: BytesMut,
    encoder: Encoder,
    decoder: Decoder,
    /// What the server lets us do, as first said.
    pub(crate) settings: Vec<(u16, u32)>,
    /// How many PINGs have come.
    pub(crate) pings: usize,
    /// Whether they are answered.
    pub(crate) answers_pings: bool,
    /// What was credited: the stream, or 0, and how much.
    pub(crate) credits: Vec<(u32, u32)>,
}

/// A frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Settings(Vec<(u16, u32)>),
    SettingsAck,
    Headers {
        stream: u32,
        status: u16,
        headers: HeaderMap,
        end: bool,
    },
    Data {
        stream: u32,
        data: Bytes,
        end: bool,
    },
    Reset(u32, ErrorCode),
    Ping([u8; 8]),
    Pong([u8; 8]),
    /// The last stream, and the code.
    GoAway(u32, ErrorCode),
    Credit(u32, u32),
}

impl Seen {
    pub(crate) fn stream(&self) -> u32 {
        match self {
            Self::Headers { stream, .. } | Self::Data { stream, .. } => *stream,
            Self::Reset(stream, _) | Self::Credit(stream, _) => *stream,
            _ => 0,
        }
    }
}

/// DATA with the end of the stream.
pub(crate) fn last(stream: u32, data: &[u8]) -> Seen {
    Seen::Data { stream, data: Bytes::copy_from_slice(data), end: true }
}

/// DATA with more to come.
pub(crate) fn some(stream: u32, data: &[u8]) -> Seen {
    Seen::Data { stream, data: Bytes::copy_from_slice(data), end: false }
}

/// A short frame as a server sends it.
pub(crate) fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, u8::try_from(payload.len()).unwrap()];
    assert!(payload.len() <= 125);
    frame.extend_from_slice(payload);
    frame
}

impl Frames<TcpStream> {
    /// A connection on which both sides have begun.
    pub(crate) async fn dial(address: SocketAddr) -> Self {
        Self::begin(soon(TcpStream::connect(address)).await.unwrap()).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    pub(crate) fn new(io: S) -> Self {
        Self {
            io,
            input: BytesMut::new(),
            encoder: Encoder::new(),
            decoder: Decoder::default(),
            settings: Vec::new(),
            pings: 0,
            answers_pings: true,
            credits: Vec::new(),
        }
    }

    /// With the default settings.
    pub(crate) async fn begin(io: S) -> Self {
        Self::begin_with(io, &[]).await
    }

    pub(crate) async fn begin_with(io: S, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::new(io);
        client.send(preface(settings)).await;
        let Some(Seen::Settings(settings)) = client.next().await else { panic!("no SETTINGS") };
        client.settings = settings;
        client.acknowledge().await;
        client
    }

    /// What the server's SETTINGS say.
    pub(crate) fn setting(&self, id: u16) -> Option<u32> {
        self.settings.iter().find(|(known, _)| *known == id).map(|(_, value)| *value)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.io.write_all(bytes.as_ref())).await.unwrap();
        soon(self.io.flush()).await.unwrap();
    }

    pub(crate) async fn acknowledge(&mut self) {
        let mut bytes = BytesMut::new();
        frame::Settings::write_ack(&mut bytes);
        self.send(bytes).await;
    }

    /// A HEADERS frame with these fields.
    pub(crate) fn headers(&mut self, stream: u32, fields: &[(&str, &str)], end_stream: bool) -> BytesMut {
        let (mut block, mut bytes) = (BytesMut::new(), BytesMut::new());
        self.encoder.encode(fields.iter().map(|(name, value)| Field::new(*name, *value)), &mut block);
        let stream = StreamId::new(stream);
        let (end_headers, dependency, padding) = (true, None, None);
        frame::Headers { stream, end_stream, end_headers, dependency, fragment: &block, padding }
            .write(&mut bytes);
        bytes
    }

    pub(crate) async fn request(&mut self, stream: u32, fields: &[(&str, &str)], end_stream: bool) {
        let bytes = self.headers(stream, fields, end_stream);
        self.send(bytes).await;
    }

    /// Asks for a WebSocket, with further fields.
    pub(crate) async fn connect(&mut self, stream: u32, more: &[(&str, &str)]) {
        self.request(stream, &[&CONNECT, more].concat(), false).await;
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&mut self, stream: u32) {
        self.connect(stream, &[]).await;
        self.is_opened(stream).await;
    }

    pub(crate) async fn is_opened(&mut self, expected: u32) {
        let seen = self.see().await;
        let Seen::Headers { stream, status: 200, end: false, .. } = seen else { panic!("{seen:?}") };
        assert_eq!(stream, expected);
    }

    pub(crate) async fn data(&mut self, stream: u32, data: impl AsRef<[u8]>, end_stream: bool) {
        self.send(data_frame(stream, data.as_ref(), end_stream)).await;
    }

    /// A WebSocket frame in a DATA frame.
    pub(crate) async fn frame(&mut self, stream: u32, opcode: u8, payload: &[u8]) {
        self.data(stream, raw::frame(opcode, payload), false).await;
    }

    pub(crate) async fn reset(&mut self, stream: u32, code: ErrorCode) {
        let mut bytes = BytesMut::new();
        frame::RstStream { stream: StreamId::new(stream), code }.write(&mut bytes);
        self.send(bytes).await;
    }

    /// Lets the server send more; on the connection with 0.
    pub(crate) async fn credit(&mut self, stream: u32, increment: u32) {
        let mut bytes = BytesMut::new();
        frame::WindowUpdate { stream: StreamId::new(stream), increment }.write(&mut bytes);
        self.send(bytes).await;
    }

    pub(crate) async fn ping(&mut self, payload: [u8; 8]) {
        let mut bytes = BytesMut::new();
        frame::Ping { ack: false, payload }.write(&mut bytes);
        self.send(bytes).await;
    }

    /// Asks for a page and has its answer; no other stream says something meanwhile.
    pub(crate) async fn get(&mut self, stream: u32) -> (u16, Vec<u8>) {
        self.request(stream, &GET, true).await;
        self.answer(stream).await
    }

    /// The whole answer on this stream.
    pub(crate) async fn answer(&mut self, stream: u32) -> (u16, Vec<u8>) {
        let (status, _, body) = self.whole(stream).await;
        (status, body)
    }

    /// The whole answer on this stream, which is the only one that says something. What comes of it is credited.
    pub(crate) async fn whole(&mut self, expected: u32) -> (u16, HeaderMap, Vec<u8>) {
        let seen = self.see().await;
        let Seen::Headers { stream, status, headers, mut end } = seen else { panic!("{seen:?}") };
        assert_eq!(stream, expected);
        let mut body = Vec::new();
        while !end {
            let seen = self.see().await;
            let Seen::Data { stream, data, end: ended } = seen else { panic!("{seen:?}") };
            assert_eq!(stream, expected);
            body.extend_from_slice(&data);
            end = ended;
            if !end {
                self.credit(stream, data.len() as u32).await;
                self.credit(0, data.len() as u32).await;
            }
        }
        (status, headers, body)
    }

    /// The next frame that a stream or the whole connection has to do with: not what keeps the connection going, which is
    /// answered.
    pub(crate) async fn see(&mut self) -> Seen {
        self.try_see().await.expect("a frame, not the end")
    }

    /// The same; `None` at the end.
    pub(crate) async fn try_see(&mut self) -> Option<Seen> {
        loop {
            match self.next().await? {
                Seen::Settings(_) => self.acknowledge().await,
                Seen::SettingsAck => {}
                Seen::Credit(stream, increment) => self.credits.push((stream, increment)),
                Seen::Ping(payload) => {
                    self.pings += 1;
                    if self.answers_pings {
                        let mut bytes = BytesMut::new();
                        frame::Ping { ack: true, payload }.write(&mut bytes);
                        self.send(bytes).await;
                    }
                }
                seen => return Some(seen),
            }
        }
    }

    /// The next frame that has nothing to do with the settings and windows that a connection begins with.
    pub(crate) async fn next_but_settings(&mut self) -> Option<Seen> {
        loop {
            match self.next().await {
                Some(Seen::Settings(_) | Seen::SettingsAck | Seen::Credit(..)) => {}
                seen => return seen,
            }
        }
    }

    /// So many bytes of DATA of this stream, which is the only one that says something.
    pub(crate) async fn take(&mut self, expected: u32, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            let seen = self.see().await;
            let Seen::Data { stream, data, end: false } = seen else { panic!("{seen:?}") };
            assert_eq!(stream, expected);
            all.extend_from_slice(&data);
        }
        assert_eq!(all.len(), length);
        all
    }

    /// The end of the connection, behind whatever comes before it.
    pub(crate) async fn until_gone(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(frame) = self.next().await {
            seen.push(frame);
        }
        seen
    }

    /// The next frame, whatever it is; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        let head = loop {
            match Head::read(&self.input) {
                Some(head) if self.input.len() >= Head::LENGTH + head.length as usize => break head,
                _ => {}
            }
            if soon(self.io.read_buf(&mut self.input)).await.unwrap_or(0) == 0 {
                return None;
            }
        };
        self.input.advance(Head::LENGTH);
        let payload = self.input.split_to(head.length as usize);
        Some(match Frame::read(head, &payload).unwrap() {
            Frame::Settings(settings) if settings.ack => Seen::SettingsAck,
            Frame::Settings(settings) => {
                Seen::Settings(settings.iter().map(|Setting { id, value }| (id, value)).collect())
            }
            Frame::Headers(frame) => {
                assert!(frame.end_headers, "a small field section");
                let (status, headers) = self.fields(frame.fragment);
                Seen::Headers { stream: frame.stream.get(), status, headers, end: frame.end_stream }
            }
            Frame::Data(frame) => Seen::Data {
                stream: frame.stream.get(),
                data: Bytes::copy_from_slice(frame.data),
                end: frame.end_stream,
            },
            Frame::RstStream(frame) => Seen::Reset(frame.stream.get(), frame.code),
            Frame::Ping(frame) if frame.ack => Seen::Pong(frame.payload),
            Frame::Ping(frame) => Seen::Ping(frame.payload),
            Frame::GoAway(frame) => Seen::GoAway(frame.last_stream.get(), frame.code),
            Frame::WindowUpdate(frame) => Seen::Credit(frame.stream.get(), frame.increment),
            other => panic!("{other:?}"),
        })
    }

    fn fields(&mut self, block: &[u8]) -> (u16, HeaderMap) {
        let mut list = FieldList::new(64 << 10);
        self.decoder.decode(block, true, &mut list).unwrap();
        let (mut status, mut headers) = (0, HeaderMap::new());
        for field in list.iter() {
            if field.name == b":status" {
                status = std::str::from_utf8(field.value).unwrap().parse().unwrap();
            } else {
                let name = HeaderName::from_bytes(field.name).unwrap();
                headers.append(name, HeaderValue::from_bytes(field.value).unwrap());
            }
        }
        (status, headers)
    }
}

/// What a client begins with (RFC 9113 §3.4).
pub(crate) fn preface(settings: &[(u16, u32)]) -> BytesMut {
    let settings: Vec<_> = settings.iter().map(|&(id, value)| Setting { id, value }).collect();
    let mut bytes = BytesMut::from(&PREFACE[..]);
    frame::Settings::write(&settings, &mut bytes);
    bytes
}

pub(crate) fn data_frame(stream: u32, data: &[u8], end_stream: bool) -> BytesMut {
    let mut bytes = BytesMut::new();
    frame::Data { stream: StreamId::new(stream), end_stream, data, padding: None }.write(&mut bytes);
    bytes
}
