//! A server of HTTP/2 that speaks frames.

use bytes::BytesMut;
use sheave::h2::frame::{self, Frame, Head, RstStream, Setting, flag};
use sheave::h2::{ErrorCode, PREFACE, StreamId};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::soon;

/// A connection of a client.
pub(crate) struct Frames<S> {
    io: S,
    input: BytesMut,
    /// The field blocks and the content that were received last.
    pub(crate) payload: Vec<u8>,
    /// How many SETTINGS were sent and not acknowledged.
    unacknowledged: usize,
    /// How many PINGs have come.
    pub(crate) pings: usize,
}

/// `:status: 200` as a field block.
pub(crate) const OK: &[u8] = &[0x88];

pub(crate) const TAKES_WEBSOCKETS: Setting = Setting { id: Setting::ENABLE_CONNECT_PROTOCOL, value: 1 };

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Nothing is sent yet.
    pub(crate) async fn accept(mut io: S) -> Self {
        let mut preface = [0; PREFACE.len()];
        soon(io.read_exact(&mut preface)).await.unwrap();
        assert_eq!(preface, *PREFACE);
        Self { io, input: BytesMut::new(), payload: Vec::new(), unacknowledged: 0, pings: 0 }
    }

    /// A server that takes WebSockets.
    pub(crate) async fn taking(io: S) -> Self {
        let mut frames = Self::accept(io).await;
        frames.settings(&[TAKES_WEBSOCKETS]).await;
        frames
    }

    /// Takes a request and opens its WebSocket.
    pub(crate) async fn open(&mut self) -> u32 {
        let came = self.next().await;
        let stream = came.strip_prefix("HEADERS ").expect("a request").parse().unwrap();
        self.headers(stream, OK, false).await;
        stream
    }

    /// What comes next, but for SETTINGS and WINDOW_UPDATE, which are passed over, and PING, which is answered.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            if let Some(came) = self.step().await {
                return came;
            }
        }
    }

    /// The next frame; `None` if it is passed over.
    async fn step(&mut self) -> Option<String> {
        let Some(head) = self.head().await else { return Some("end".to_owned()) };
        let bytes = self.input.split_to(Head::LENGTH + head.length as usize);
        let ended = if head.has(flag::END_STREAM) { " END_STREAM" } else { "" };
        match Frame::read(head, &bytes[Head::LENGTH..]).unwrap() {
            Frame::Headers(headers) => {
                self.payload = headers.fragment.to_vec();
                return Some(format!("HEADERS {}{ended}", head.stream));
            }
            Frame::Data(data) => {
                self.payload = data.data.to_vec();
                return Some(format!("DATA {}{ended}", head.stream));
            }
            Frame::RstStream(reset) => return Some(format!("RST_STREAM {} {}", head.stream, reset.code)),
            Frame::GoAway(goaway) => return Some(format!("GOAWAY {}", goaway.code)),
            Frame::Ping(ping) if !ping.ack => {
                self.pings += 1;
                self.write(|out| frame::Ping { ack: true, ..ping }.write(out)).await;
            }
            Frame::Settings(settings) if settings.ack => self.unacknowledged -= 1,
            Frame::Settings(_) => self.write(frame::Settings::write_ack).await,
            _ => {}
        }
        None
    }

    /// The head of the next frame, once that is whole; `None` at the end.
    async fn head(&mut self) -> Option<Head> {
        loop {
            let head = Head::read(&self.input);
            if let Some(head) = head.filter(|head| self.input.len() >= Head::LENGTH + head.length as usize) {
                return Some(head);
            }
            if soon(self.io.read_buf(&mut self.input)).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// A frame of a WebSocket's client in a DATA of its own: its first byte and its payload, unmasked.
    pub(crate) fn unmasked(&self) -> (u8, Vec<u8>) {
        let [first, length, mask @ ..] = self.payload.first_chunk::<6>().unwrap();
        let payload = &self.payload[6..];
        assert_eq!(usize::from(*length), 0x80 | payload.len());
        (*first, payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())
    }

    pub(crate) async fn settings(&mut self, settings: &[Setting]) {
        self.unacknowledged += 1;
        self.write(|out| frame::Settings::write(settings, out)).await;
    }

    /// Changes settings, and returns once the client has acknowledged them. Nothing else may come meanwhile.
    pub(crate) async fn change(&mut self, id: u16, value: u32) {
        self.settings(&[Setting { id, value }]).await;
        while self.unacknowledged > 0 {
            assert_eq!(self.step().await, None);
        }
    }

    pub(crate) async fn headers(&mut self, stream: u32, block: &[u8], end_stream: bool) {
        let flags = flag::END_HEADERS | if end_stream { flag::END_STREAM } else { 0 };
        self.frame(frame::Kind::HEADERS, flags, stream, block).await;
    }

    pub(crate) async fn data(&mut self, stream: u32, data: &[u8], end_stream: bool) {
        let flags = if end_stream { flag::END_STREAM } else { 0 };
        self.frame(frame::Kind::DATA, flags, stream, data).await;
    }

    pub(crate) async fn reset(&mut self, stream: u32, code: ErrorCode) {
        self.write(|out| RstStream { stream: StreamId::new(stream), code }.write(out)).await;
    }

    pub(crate) async fn goaway(&mut self, last: u32, code: ErrorCode) {
        let payload = [&last.to_be_bytes()[..], &code.get().to_be_bytes()].concat();
        self.frame(frame::Kind::GOAWAY, 0, 0, &payload).await;
    }

    pub(crate) async fn window_update(&mut self, stream: u32, size: u32) {
        self.frame(frame::Kind::WINDOW_UPDATE, 0, stream, &size.to_be_bytes()).await;
    }

    async fn frame(&mut self, kind: frame::Kind, flags: u8, stream: u32, payload: &[u8]) {
        let head = Head { length: payload.len() as u32, kind, flags, stream: StreamId::new(stream) };
        self.write(|out| {
            head.write(out);
            out.extend_from_slice(payload);
        })
        .await;
    }

    async fn write(&mut self, frame: impl FnOnce(&mut BytesMut)) {
        let mut out = BytesMut::new();
        frame(&mut out);
        // Who has gone is noticed by what comes next.
        let _ = soon(self.io.write_all(&out)).await;
        let _ = soon(self.io.flush()).await;
    }
}

/// A field as it is without any table (RFC 7541 §6.2.2).
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127);
        block.push(text.len() as u8);
        block.extend_from_slice(text.as_bytes());
    }
    block
}
