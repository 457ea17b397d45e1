//! WebSockets or requests on one HTTP/2 connection: RFC 9113 and 8441, by hand.

mod blocks;
mod frame;
mod session;
mod settings;
mod stream;
mod windows;

use std::io;

use session::Session;

use crate::bad;
use crate::run::Run;
use crate::transport::{Buffers, Read, Transport};

pub(crate) struct Connection {
    transport: Transport,
    session: Session,
    /// How much of the session's output is written.
    written: usize,
}

impl Connection {
    pub(crate) fn new(transport: Transport, run: &Run) -> Self {
        Self { transport, session: Session::new(run), written: 0 }
    }

    /// The transport is writable, or something has come.
    pub(crate) fn ready(
        &mut self,
        run: &mut Run,
        buffers: &mut Buffers,
        readable: bool,
        at_end: bool,
    ) -> io::Result<()> {
        if !readable {
            return self.flush();
        }
        loop {
            let (bytes, wire, full) = match self.transport.read(buffers)? {
                Read::Some { bytes, wire, full } => (bytes, wire, full),
                Read::Blocked => break,
                Read::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            run.measure.look();
            run.measure.count_bytes(wire);
            self.session.receive(bytes, run)?;
            self.flush()?;
            if !full && !at_end {
                break;
            }
        }
        self.flush()
    }

    /// All sockets are open.
    pub(crate) fn start(&mut self, run: &Run) -> io::Result<()> {
        self.session.start(run);
        self.flush()
    }

    /// Writes what can be written.
    fn flush(&mut self) -> io::Result<()> {
        if self.transport.is_ready() && self.transport.alpn().is_some_and(|protocol| protocol != b"h2") {
            return Err(bad("ALPN did not agree on h2"));
        }
        loop {
            let output = self.session.output();
            if output.is_empty() {
                return Ok(());
            }
            self.written += self.transport.write(&output[self.written..])?;
            if self.written < output.len() {
                output.drain(..std::mem::take(&mut self.written));
                return Ok(());
            }
            output.clear();
            self.written = 0;
        }
    }
}

fn put_window_update(output: &mut Vec<u8>, stream: u32, increment: u32) {
    frame::put(output, frame::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
}

fn number(bytes: &[u8]) -> io::Result<u32> {
    bytes
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes))
        .ok_or_else(|| bad("a frame that is too short"))
}
