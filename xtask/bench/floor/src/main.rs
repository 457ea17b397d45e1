//! The floor: an echo server that checks nothing and obeys no window, on one thread over epoll. What it costs is what the
//! system leaves, so it is what other servers are held against. `floor server [--http2]`.
//!
//! Over HTTP/2 every request is answered with status 200, unread: a request that ends with its fields gets a page, all
//! others are WebSockets.

mod echo;
mod http1;
mod http2;

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::process::exit;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const READ: usize = 256 << 10;

enum Protocol {
    Http1(http1::Connection),
    Http2(http2::Connection),
}

struct Connection {
    stream: TcpStream,
    protocol: Protocol,
    /// What the system would not take at once.
    unsent: Vec<u8>,
}

/// What all connections read into, and what they write from, one after the other.
struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::{Long, Value};
    let (mut parser, mut http2) = (lexopt::Parser::from_env(), false);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(mode) if mode == "server" => {}
            Long("http2") => http2 = true,
            Long("batch") => {}
            Long("tls" | "deflate" | "no-takeover") => {
                eprintln!("the floor has no TLS and no compression");
                exit(3);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        exit(0);
    });
    Ok(serve(http2)?)
}

fn serve(http2: bool) -> io::Result<()> {
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    println!("listening on {} {}", listener.local_addr()?, std::process::id());
    io::stdout().flush()?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free = Vec::new();
    let mut buffers = Buffers { input: vec![0; READ], output: Vec::new() };
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let place = free.pop().unwrap_or(connections.len());
                    poll.registry().register(
                        &mut stream,
                        Token(place),
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    if place == connections.len() {
                        connections.push(None);
                    }
                    connections[place] = Some(Connection::new(stream, http2));
                }
                continue;
            }
            let place = event.token().0;
            let Some(connection) = connections.get_mut(place).and_then(Option::as_mut) else { continue };
            let at_end = event.is_read_closed() || event.is_error();
            if connection.ready(&mut buffers, event.is_readable(), at_end).is_err() {
                connections[place] = None;
                free.push(place);
            }
        }
    }
}

impl Connection {
    fn new(stream: TcpStream, http2: bool) -> Self {
        let protocol =
            if http2 { Protocol::Http2(Default::default()) } else { Protocol::Http1(Default::default()) };
        Self { stream, protocol, unsent: Vec::new() }
    }

    /// Echoes what has come. An error if the connection is over.
    fn ready(&mut self, buffers: &mut Buffers, readable: bool, at_end: bool) -> io::Result<()> {
        if !self.unsent.is_empty() {
            let count = self.write(&self.unsent)?;
            self.unsent.drain(..count);
        }
        if !readable {
            return Ok(());
        }
        let Buffers { input, output } = buffers;
        loop {
            let count = match self.stream.read(input) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            output.clear();
            let over = match &mut self.protocol {
                Protocol::Http1(http1) => http1.receive(&input[..count], output),
                Protocol::Http2(http2) => {
                    http2.receive(&input[..count], output);
                    false
                }
            };
            let written = if self.unsent.is_empty() && !output.is_empty() { self.write(output)? } else { 0 };
            self.unsent.extend_from_slice(&output[written..]);
            if over {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if count < input.len() && !at_end {
                return Ok(());
            }
        }
    }

    fn write(&self, output: &[u8]) -> io::Result<usize> {
        match (&self.stream).write(output) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            done => done,
        }
    }
}
