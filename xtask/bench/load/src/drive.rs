//! All connections on one thread: whoever is ready has its turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Registry, Token};

use crate::measure::Report;
use crate::options::{Options, Until, Workload};
use crate::run::Run;
use crate::transport::{Buffers, Transport};
use crate::{bad, http1, http2, process, tls};

/// So many connections are made at a time.
const CONNECTING: usize = 64;
/// A server that sends nothing for so long sends nothing more.
const SILENCE: Duration = Duration::from_secs(10);
/// What a server may still do after the last byte.
const QUIET: Duration = Duration::from_millis(300);

enum Connection {
    Http1(Box<http1::Connection>),
    Http2(Box<http2::Connection>),
}

/// What a server's idle sockets cost.
pub(crate) struct Idle {
    pub(crate) sockets: usize,
    pub(crate) before: u64,
    pub(crate) after: u64,
}

pub(crate) fn measure(options: &Options) -> io::Result<Report> {
    let mut driver = Driver::new(options.clone())?;
    loop {
        driver.turn()?;
        if let Some(report) = driver.run.measure.report()? {
            return Ok(report);
        }
    }
}

pub(crate) fn idle(options: &Options) -> io::Result<Idle> {
    // What the process loads with the first socket is no other's cost.
    let until = Until::Messages(1);
    measure(&Options { workload: Workload::Open, connections: 1, sockets: 1, until, ..options.clone() })?;
    std::thread::sleep(QUIET);
    let before = process::rss(options.pid)?;
    let mut driver = Driver::new(options.clone())?;
    let sockets = options.connections * options.sockets;
    while driver.run.idle < sockets {
        driver.turn()?;
    }
    std::thread::sleep(QUIET);
    Ok(Idle { sockets, before, after: process::rss(options.pid)? })
}

struct Driver {
    run: Run,
    poll: Poll,
    events: Events,
    buffers: Buffers,
    tls: Option<Arc<rustls::ClientConfig>>,
    connections: Vec<Connection>,
    started: bool,
}

impl Driver {
    fn new(options: Options) -> io::Result<Self> {
        let alpn: &[u8] = if options.http2 { b"h2" } else { b"http/1.1" };
        let tls = options.tls.then(|| tls::config(alpn)).transpose().map_err(io::Error::other)?;
        let buffers = Buffers::new(options.tls);
        let mut run = Run::new(options);
        let started = run.starts_at_once();
        if started {
            run.measure.start();
        }
        let (poll, events) = (Poll::new()?, Events::with_capacity(1024));
        Ok(Self { run, poll, events, buffers, tls, connections: Vec::new(), started })
    }

    fn turn(&mut self) -> io::Result<()> {
        let all = self.run.options.connections;
        while self.connections.len() < all && self.connections.len() < self.made() + CONNECTING {
            let token = Token(self.connections.len());
            let connection = connect(&mut self.run, self.tls.as_ref(), self.poll.registry(), token)?;
            self.connections.push(connection);
        }
        match self.poll.poll(&mut self.events, Some(SILENCE)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            done => done?,
        }
        if self.events.is_empty() {
            return Err(bad(format!("the server has been silent for {SILENCE:?}")));
        }
        for event in &self.events {
            let (readable, at_end) = (event.is_readable(), event.is_read_closed() || event.is_error());
            let connection = &mut self.connections[event.token().0];
            let over = match connection {
                Connection::Http1(http1) => {
                    http1.ready(&mut self.run, &mut self.buffers, readable, at_end)?
                }
                Connection::Http2(http2) => {
                    http2.ready(&mut self.run, &mut self.buffers, readable, at_end)?;
                    false
                }
            };
            if over {
                *connection = connect(&mut self.run, self.tls.as_ref(), self.poll.registry(), event.token())?;
            }
        }
        if !self.started && self.run.opened == all * self.run.options.sockets {
            self.started = true;
            self.run.measure.start();
            for connection in &mut self.connections {
                match connection {
                    Connection::Http1(http1) => http1.start(&self.run)?,
                    Connection::Http2(http2) => http2.start(&self.run)?,
                }
            }
        }
        Ok(())
    }

    /// How many connections have all their sockets.
    fn made(&self) -> usize {
        if self.started { self.connections.len() } else { self.run.opened / self.run.options.sockets }
    }
}

fn connect(
    run: &mut Run,
    tls: Option<&Arc<rustls::ClientConfig>>,
    registry: &Registry,
    token: Token,
) -> io::Result<Connection> {
    let transport = Transport::connect(run.options.address, tls, registry, token)?;
    Ok(if run.options.http2 {
        Connection::Http2(Box::new(http2::Connection::new(transport, run)))
    } else {
        Connection::Http1(Box::new(http1::Connection::new(transport, run, token.0 == 0)))
    })
}
