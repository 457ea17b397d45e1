//! What a client of HTTP/2 sends, again and again.

use bytes::BytesMut;
use sheave::Message;
use sheave::h2::frame::Kind;
use sheave::ws::OpCode;
use sheave_hpack::{Encoder, Field};

use super::PAGE;
use crate::websocket::{any_frame, frame};

const CONNECT: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":authority", "example.org"),
    (":path", "/chat"),
    ("sec-websocket-version", "13"),
];

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "example.org"), (":path", "/page")];

/// What a client does.
pub(super) struct Script {
    /// At first.
    pub(super) opening: Vec<Step>,
    /// In each pass.
    pub(super) pass: Vec<Step>,
    /// How many streams there are at a time.
    pub(super) streams: usize,
    /// Whether each pass has streams of its own.
    pub(super) renews: bool,
}

/// Frames that may be sent together, and what has to come before the next ones.
pub(super) struct Step {
    pub(super) frames: Vec<Sent>,
    pub(super) expected: Tally,
    /// What each stream is answered, in DATA.
    pub(super) answer: Vec<u8>,
}

/// HEADERS, or DATA in as many frames as it takes.
pub(super) struct Sent {
    pub(super) kind: Kind,
    pub(super) end_stream: bool,
    /// Which of the streams it is on.
    pub(super) stream: usize,
    pub(super) payload: Vec<u8>,
}

/// What has come.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Tally {
    pub(super) headers: usize,
    pub(super) data: usize,
    pub(super) ends: usize,
}

/// Messages that are sent together, on each of some sockets.
pub(super) struct Batch<'a> {
    pub(super) sockets: usize,
    pub(super) count: usize,
    pub(super) message: &'a Message,
}

impl Script {
    /// WebSockets that stay open.
    pub(super) fn echoes(batch: Batch<'_>) -> Self {
        let mut encoder = Encoder::new();
        Self {
            opening: vec![Step::open(batch.sockets, &mut encoder)],
            pass: vec![Step::echo(&batch)],
            streams: batch.sockets,
            renews: false,
        }
    }

    /// WebSockets that are opened, echo a message and are closed.
    pub(super) fn lives(sockets: usize, message: &Message) -> Self {
        let mut encoder = Encoder::new();
        let mut life = || {
            let batch = Batch { sockets, count: 1, message };
            vec![
                Step::open(sockets, &mut encoder),
                Step::echo(&batch),
                Step::close(sockets),
                Step::end(sockets),
            ]
        };
        Self { opening: life(), pass: life(), streams: sockets, renews: true }
    }

    /// Ordinary requests.
    pub(super) fn gets(requests: usize) -> Self {
        let mut encoder = Encoder::new();
        let mut gets = || vec![Step::get(requests, &mut encoder)];
        Self { opening: gets(), pass: gets(), streams: requests, renews: true }
    }
}

impl Step {
    fn new(streams: usize, bytes: impl FnMut(usize) -> Vec<Sent>, answer: Vec<u8>) -> Self {
        let frames = (0..streams).flat_map(bytes).collect();
        let expected = Tally { data: streams * answer.len(), ..Tally::default() };
        Self { frames, expected, answer }
    }

    /// Opens WebSockets. Each block is what the encoder makes of it then: the third is like all that follow.
    fn open(sockets: usize, encoder: &mut Encoder) -> Self {
        let mut step =
            Self::new(sockets, |stream| vec![headers(stream, &CONNECT, false, encoder)], Vec::new());
        step.expected.headers = sockets;
        step
    }

    fn echo(batch: &Batch<'_>) -> Self {
        let messages = frame(batch.message, true).repeat(batch.count);
        let echoes = frame(batch.message, false).repeat(batch.count);
        let sent = |stream| vec![data(stream, &messages, false)];
        Self::new(batch.sockets, sent, echoes)
    }

    /// The closing handshake, and the end of the server's direction.
    fn close(sockets: usize) -> Self {
        let code = 1000_u16.to_be_bytes();
        let close = any_frame(OpCode::Close, &code, true);
        let sent = |stream| vec![data(stream, &close, false)];
        let mut step = Self::new(sockets, sent, any_frame(OpCode::Close, &code, false));
        step.expected.ends = sockets;
        step
    }

    /// The end of our direction.
    fn end(sockets: usize) -> Self {
        Self::new(sockets, |stream| vec![data(stream, &[], true)], Vec::new())
    }

    fn get(requests: usize, encoder: &mut Encoder) -> Self {
        let sent = |stream| vec![headers(stream, &GET, true, encoder)];
        let mut step = Self::new(requests, sent, PAGE.into());
        (step.expected.headers, step.expected.ends) = (requests, requests);
        step
    }
}

fn headers(stream: usize, fields: &[(&str, &str)], end_stream: bool, encoder: &mut Encoder) -> Sent {
    let mut block = BytesMut::new();
    encoder.encode(fields.iter().map(|(name, value)| Field::new(name, value)), &mut block);
    Sent { kind: Kind::HEADERS, end_stream, stream, payload: block.into() }
}

fn data(stream: usize, data: &[u8], end_stream: bool) -> Sent {
    Sent { kind: Kind::DATA, end_stream, stream, payload: data.to_vec() }
}
