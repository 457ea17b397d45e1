//! The command line.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// For every message that comes back, one is sent.
    Echo,
    /// A socket is opened, echoes one message and is closed. That counts as one message.
    Open,
    /// Sockets that have echoed one message stay open. What memory they cost is told.
    Idle,
    /// Small messages beside one socket that has many large ones in flight.
    Fairness,
    /// Plain requests over HTTP/2.
    Get,
}

/// permessage-deflate, with context takeover both ways or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeover {
    Yes,
    No,
}

/// When it is over. To warm up, a tenth of that goes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Messages(u64),
    Passed(Duration),
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    pub(crate) http2: bool,
    pub(crate) tls: bool,
    pub(crate) deflate: Option<Takeover>,
    pub(crate) workload: Workload,
    pub(crate) connections: usize,
    /// On each connection.
    pub(crate) sockets: usize,
    /// Messages of each socket.
    pub(crate) in_flight: usize,
    pub(crate) length: usize,
    pub(crate) text: bool,
    pub(crate) until: Until,
}

impl Options {
    pub(crate) fn parse() -> Result<Self, Box<dyn Error>> {
        use lexopt::prelude::{Long, ValueExt as _};
        let (mut address, mut pid, mut http2, mut workload) = (None, None, None, None);
        let (mut tls, mut text, mut deflate, mut until) = (false, false, None, None);
        let (mut connections, mut sockets, mut in_flight, mut length) = (1, 1, 1, None);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("address") => address = Some(parser.value()?.parse()?),
                Long("pid") => pid = Some(parser.value()?.parse()?),
                Long("http1") => http2 = Some(false),
                Long("http2") => http2 = Some(true),
                Long("tls") => tls = true,
                Long("text") => text = true,
                Long("deflate") => deflate = Some(parser.value()?.parse_with(takeover)?),
                Long("workload") => workload = Some(parser.value()?.parse_with(workload_named)?),
                Long("connections") => connections = parser.value()?.parse::<usize>()?.max(1),
                Long("sockets") => sockets = parser.value()?.parse::<usize>()?.max(1),
                Long("in-flight") => in_flight = parser.value()?.parse::<usize>()?.max(1),
                Long("length") => length = Some(parser.value()?.parse()?),
                Long("messages") => until = Some(Until::Messages(parser.value()?.parse::<u64>()?.max(1))),
                Long("millis") => {
                    until = Some(Until::Passed(Duration::from_millis(parser.value()?.parse()?)));
                }
                other => return Err(other.unexpected().into()),
            }
        }
        let workload = workload.ok_or("--workload is missing")?;
        let options = Self {
            address: address.ok_or("--address is missing")?,
            pid: pid.ok_or("--pid is missing")?,
            http2: http2.ok_or("--http1 or --http2 is missing")?,
            tls,
            deflate,
            workload,
            connections,
            sockets,
            in_flight,
            length: length.unwrap_or(if workload == Workload::Get { 27 } else { 64 }),
            text,
            until: match (workload, until) {
                (Workload::Idle, None) => Until::Messages(1),
                (_, until) => until.ok_or("--messages or --millis is missing")?,
            },
        };
        if workload == Workload::Get && !options.http2 {
            return Err("--workload get is for --http2".into());
        }
        if sockets > 1 && !options.http2 {
            return Err("--sockets is for --http2".into());
        }
        Ok(options)
    }
}

#[cfg(test)]
impl Options {
    /// `--http2 --workload … --messages 1000`.
    pub(crate) fn example(workload: Workload) -> Self {
        Self {
            address: ([127, 0, 0, 1], 9).into(),
            pid: std::process::id(),
            http2: true,
            tls: false,
            deflate: None,
            workload,
            connections: 1,
            sockets: 1,
            in_flight: 1,
            length: 64,
            text: false,
            until: Until::Messages(1000),
        }
    }
}

fn takeover(name: &str) -> Result<Takeover, &'static str> {
    match name {
        "takeover" => Ok(Takeover::Yes),
        "no-takeover" => Ok(Takeover::No),
        _ => Err("takeover or no-takeover"),
    }
}

fn workload_named(name: &str) -> Result<Workload, &'static str> {
    match name {
        "echo" => Ok(Workload::Echo),
        "open" => Ok(Workload::Open),
        "idle" => Ok(Workload::Idle),
        "fairness" => Ok(Workload::Fairness),
        "get" => Ok(Workload::Get),
        _ => Err("echo, open, idle, fairness or get"),
    }
}
