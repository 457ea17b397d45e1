//! A WebSocket over HTTP/1.1: RFC 6455 §4.

use std::io;

use crate::bad;
use crate::options::{Options, Takeover};
use crate::run::Run;
use crate::socket::Socket;
use crate::transport::{Buffers, Read, Transport};

/// What RFC 6455 §1.3 says that the server answers to the key below.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A longer answer is none.
const ANSWER: usize = 16 << 10;

pub(crate) fn request(deflate: Option<Takeover>) -> Vec<u8> {
    let offer = deflate.map_or(String::new(), |it| format!("Sec-WebSocket-Extensions: {}\r\n", offer(it)));
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    );
    request.into_bytes()
}

/// RFC 7692 §7.
pub(crate) fn offer(takeover: Takeover) -> &'static str {
    match takeover {
        Takeover::Yes => "permessage-deflate",
        Takeover::No => "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    }
}

pub(crate) struct Connection {
    transport: Transport,
    /// What is left of the request.
    request: Vec<u8>,
    /// The answer to the handshake until it has come whole.
    answer: Option<Vec<u8>>,
    socket: Socket,
    began: u64,
    ended: bool,
}

impl Connection {
    pub(crate) fn new(transport: Transport, run: &mut Run, first: bool) -> Self {
        run.measure.look();
        let (socket, began) = (run.socket(first), run.measure.now);
        let request = request(run.options.deflate);
        Self { transport, request, answer: Some(Vec::new()), socket, began, ended: false }
    }

    /// The transport is writable, or something has come. Whether the connection is over.
    pub(crate) fn ready(
        &mut self,
        run: &mut Run,
        buffers: &mut Buffers,
        readable: bool,
        at_end: bool,
    ) -> io::Result<bool> {
        if !readable {
            return self.flush().map(|()| false);
        }
        loop {
            let (bytes, wire, full) = match self.transport.read(buffers) {
                Ok(Read::Some { bytes, wire, full }) => (bytes, wire, full),
                Ok(Read::Blocked) => break,
                Ok(Read::End) if self.socket.is_closed() => return Ok(self.end(run)),
                Ok(Read::End) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(_) if self.socket.is_closed() => return Ok(self.end(run)),
                Err(error) => return Err(error),
            };
            run.measure.look();
            run.measure.count_bytes(wire);
            self.receive(bytes, run)?;
            self.flush()?;
            if !full && !at_end {
                break;
            }
        }
        self.flush()?;
        Ok(false)
    }

    /// All sockets are open.
    pub(crate) fn start(&mut self, run: &Run) -> io::Result<()> {
        run.start(&mut self.socket);
        self.flush()
    }

    fn receive(&mut self, mut bytes: &[u8], run: &mut Run) -> io::Result<()> {
        if let Some(answer) = &mut self.answer {
            let before = answer.len();
            answer.extend_from_slice(bytes);
            let Some(end) = answer.windows(4).position(|end| end == b"\r\n\r\n") else {
                return if answer.len() > ANSWER { Err(bad("an endless answer")) } else { Ok(()) };
            };
            check_answer(&answer[..end], &run.options)?;
            bytes = &bytes[end + 4 - before..];
            self.answer = None;
            run.opened(&mut self.socket);
        }
        let messages = self.socket.receive(bytes)?;
        if messages > 0 {
            run.echoed(&mut self.socket, messages)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.request.is_empty() {
            let count = self.transport.write(&self.request)?;
            self.request.drain(..count);
            return Ok(());
        }
        loop {
            let output = self.socket.output();
            if output.is_empty() {
                break;
            }
            let (count, all) = (self.transport.write(output)?, output.len());
            self.socket.advance(count);
            if count < all {
                return Ok(());
            }
        }
        // RFC 6455 §7.1.1: the server ends the connection. It may have, and if it has not, it does so on the FIN.
        if self.socket.is_closed() && !self.ended {
            self.ended = true;
            let _ = self.transport.end();
        }
        Ok(())
    }

    fn end(&self, run: &mut Run) -> bool {
        run.measure.look();
        run.ended(self.began);
        true
    }
}

/// Holds the answer against what the measurement is about.
fn check_answer(answer: &[u8], options: &Options) -> io::Result<()> {
    let answer = String::from_utf8_lossy(answer);
    let fields = || answer.lines().filter_map(|line| line.split_once(':'));
    let field = |name: &str| {
        let mut values =
            fields().filter(|field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1.trim());
        (values.next(), values.next())
    };
    if !answer.starts_with("HTTP/1.1 101 ") || field("sec-websocket-accept") != (Some(ACCEPT), None) {
        return Err(bad(format!("refused: {answer}")));
    }
    let (extensions, None) = field("sec-websocket-extensions") else {
        return Err(bad("extensions in two fields"));
    };
    let agreed: Option<Vec<_>> = extensions.map(|value| value.split(';').map(str::trim).collect());
    let has = |parameter| agreed.as_ref().is_some_and(|agreed| agreed.contains(&parameter));
    let as_asked = match options.deflate {
        None => agreed.is_none(),
        // With context takeover and the largest window, both ways.
        Some(Takeover::Yes) => agreed.as_deref() == Some(&["permessage-deflate"]),
        // The client keeps no context in any case.
        Some(Takeover::No) => has("permessage-deflate") && has("server_no_context_takeover"),
    };
    if as_asked { Ok(()) } else { Err(bad(format!("agreed on {extensions:?}"))) }
}
