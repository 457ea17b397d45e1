//! The command line.

use std::net::SocketAddr;
use std::process::exit;

use crate::Error;

/// What a program is told to be.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// `server [--http2] [--tls] [--deflate LEVEL [--no-takeover]] [--batch]`
    Server(ServerOptions),
    /// `client --address HOST:PORT --messages N --in-flight N --length BYTES [--batch]`
    Client(ClientOptions),
}

/// An echo server on a port of 127.0.0.1 that the system chooses, with one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerOptions {
    /// HTTP/2 with prior knowledge, over TLS by ALPN, instead of HTTP/1.1.
    pub http2: bool,
    /// TLS 1.3.
    pub tls: bool,
    /// permessage-deflate with a window of 15 bits in both directions.
    pub deflate: Option<Deflate>,
    /// Echo all messages that one read brought, and flush once. Otherwise, as the library's documentation does it.
    pub batch: bool,
}

/// How to compress.
#[derive(Clone, Copy, Debug)]
pub struct Deflate {
    /// zlib's level.
    pub level: u8,
    /// Context takeover in both directions.
    pub takeover: bool,
}

/// A client over HTTP/1.1 without TLS, which sends binary messages to an echo server.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// The server.
    pub address: SocketAddr,
    /// How many messages are measured. A tenth as many are sent before, to warm up.
    pub messages: usize,
    /// How many of them are under way at a time.
    pub in_flight: usize,
    /// The length of each, in bytes.
    pub length: usize,
    /// Flush once all messages that one read brought are taken. Otherwise, after each message.
    pub batch: bool,
}

impl Command {
    /// The command line.
    ///
    /// # Errors
    /// If it is another.
    pub fn parse() -> Result<Self, Error> {
        use lexopt::prelude::{Long, Value, ValueExt as _};
        let mut parser = lexopt::Parser::from_env();
        let client = match parser.next()? {
            Some(Value(name)) if name == "server" => false,
            Some(Value(name)) if name == "client" => true,
            _ => return Err("say first: server or client".into()),
        };
        let (mut server, mut level, mut takeover) = (ServerOptions::default(), None, true);
        let (mut address, mut messages, mut in_flight, mut length) = (None, 100_000, 1, 64);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("batch") => server.batch = true,
                Long("http2") if !client => server.http2 = true,
                Long("tls") if !client => server.tls = true,
                Long("deflate") if !client => level = Some(parser.value()?.parse()?),
                Long("no-takeover") if !client => takeover = false,
                Long("address") if client => address = Some(parser.value()?.parse()?),
                Long("messages") if client => messages = parser.value()?.parse()?,
                Long("in-flight") if client => in_flight = parser.value()?.parse::<usize>()?.max(1),
                Long("length") if client => length = parser.value()?.parse()?,
                other => return Err(other.unexpected().into()),
            }
        }
        if client {
            let (address, batch) = (address.ok_or("--address is missing")?, server.batch);
            return Ok(Self::Client(ClientOptions { address, messages, in_flight, length, batch }));
        }
        server.deflate = level.map(|level| Deflate { level, takeover });
        Ok(Self::Server(server))
    }

    /// Ends the process of what can be a server only.
    pub fn server(self, library: &str) -> ServerOptions {
        match self {
            Self::Server(options) => options,
            Self::Client(_) => unsupported(&format!("there is no client of {library} for this")),
        }
    }
}

impl ServerOptions {
    /// Ends the process if HTTP/2 is asked for.
    #[must_use]
    pub fn without_http2(self, why: &str) -> Self {
        self.without(self.http2, why)
    }

    /// Ends the process unless HTTP/2 is asked for.
    #[must_use]
    pub fn without_http1(self, why: &str) -> Self {
        self.without(!self.http2, why)
    }

    /// Ends the process if compression is asked for.
    #[must_use]
    pub fn without_deflate(self, why: &str) -> Self {
        self.without(self.deflate.is_some(), why)
    }

    /// Ends the process if messages are to be echoed in batches.
    #[must_use]
    pub fn without_batch(self, why: &str) -> Self {
        self.without(self.batch, why)
    }

    /// Ends the process, with code 3, if something is asked for that the library cannot do.
    #[must_use]
    pub fn without(self, asked: bool, why: &str) -> Self {
        if asked {
            unsupported(why);
        }
        self
    }
}

impl ClientOptions {
    /// Ends the process if messages are to be sent in batches.
    #[must_use]
    pub fn without_batch(self, why: &str) -> Self {
        if self.batch {
            unsupported(why);
        }
        self
    }
}

fn unsupported(why: &str) -> ! {
    eprintln!("not supported: {why}");
    exit(3);
}
