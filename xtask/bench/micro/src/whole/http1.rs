//! A client of HTTP/1.1 with one WebSocket.

use sheave::Message;
use tokio::io::ReadBuf;

use super::transport::Peer;
use crate::websocket::frame;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Sends the same messages with each read, once the last ones have come back.
pub(super) struct Client {
    /// What has not been given of the request.
    request: &'static [u8],
    frames: Vec<u8>,
    /// How much of them has been given.
    given: usize,
    echo: Vec<u8>,
    /// How much of it is still to come.
    missing: usize,
    /// What has come of the answer and of the first echo.
    first: Vec<u8>,
    state: State,
    /// Passes that have not begun.
    passes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The answer to the request has yet to come.
    Answer,
    /// The echo is the first one, which is compared.
    First,
    Echo,
}

impl Client {
    pub(super) fn new(message: &Message, count: usize) -> Self {
        let frames = frame(message, true).repeat(count);
        let echo = frame(message, false).repeat(count);
        let given = frames.len();
        Self {
            request: REQUEST.as_bytes(),
            frames,
            given,
            echo,
            missing: 0,
            first: Vec::new(),
            state: State::Answer,
            passes: 0,
        }
    }

    fn compare(&mut self, written: &[u8]) {
        self.first.extend_from_slice(written);
        if self.state == State::Answer {
            let Some(at) = self.first.windows(4).position(|end| end == b"\r\n\r\n") else { return };
            assert!(self.first.starts_with(b"HTTP/1.1 101 "));
            self.first.drain(..at + 4);
            self.state = State::First;
        }
        assert!(self.echo.starts_with(&self.first), "the echo is another");
        if self.first.len() == self.echo.len() {
            self.missing = 0;
            self.state = State::Echo;
        }
    }
}

impl Peer for Client {
    fn begin(&mut self, passes: u64) {
        self.passes += passes;
    }

    fn is_over(&self) -> bool {
        self.passes == 0 && self.missing == 0
    }

    fn take(&mut self, written: &[u8]) {
        if self.state != State::Echo {
            return self.compare(written);
        }
        self.missing = self.missing.checked_sub(written.len()).expect("more came back than was sent");
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let (part, rest) = self.request.split_at(self.request.len().min(buffer.remaining()));
        buffer.put_slice(part);
        self.request = rest;
        if self.state == State::Answer || !self.has_more() {
            return;
        }
        if self.given == self.frames.len() {
            (self.given, self.missing) = (0, self.echo.len());
            self.passes -= 1;
        }
        let rest = &self.frames[self.given..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.given += count;
    }

    fn has_more(&self) -> bool {
        match self.state {
            State::Answer => !self.request.is_empty(),
            State::First | State::Echo => {
                self.given < self.frames.len() || self.missing == 0 && self.passes > 0
            }
        }
    }
}
