//! What is measured: the workloads, in suites.

/// A table of its own.
#[derive(Clone, Copy)]
pub(super) struct Workload {
    pub(super) suite: &'static str,
    /// What `--suite SUITE/NAME` calls it.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) protocol: Protocol,
    pub(super) tls: bool,
    /// With or without context takeover.
    pub(super) deflate: Option<Takeover>,
    pub(super) connections: u32,
    /// On each connection; over HTTP/1.1 it is one.
    pub(super) sockets: u32,
    /// On each socket.
    pub(super) in_flight: u32,
    /// Bytes of a message.
    pub(super) length: u32,
    pub(super) text: bool,
    /// How many messages are sent where system calls are counted.
    pub(super) counted: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Messages come back.
    Echo,
    /// Sockets are opened, echo once, and are closed.
    Open,
    /// Sockets that were used once and are kept.
    Idle,
    /// One socket with much to say beside many with little.
    Fairness,
    /// Plain requests.
    Get,
    /// The client is measured, against the floor.
    Client,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Takeover {
    Both,
    Neither,
}

const H1: Workload = Workload {
    suite: "h1",
    name: "",
    title: "",
    kind: Kind::Echo,
    protocol: Protocol::Http1,
    tls: false,
    deflate: None,
    connections: 1,
    sockets: 1,
    in_flight: 1,
    length: 64,
    text: false,
    counted: 6000,
};
const H2: Workload = Workload { suite: "h2", protocol: Protocol::Http2, ..H1 };
const KIB: u32 = 1 << 10;

const ONE: Workload = Workload { name: "1", title: "64 B, one at a time", ..H1 };
const MANY: Workload =
    Workload { name: "64", title: "64 B, 64 in flight", in_flight: 64, counted: 60_000, ..H1 };
const TEXT: Workload = Workload {
    name: "text",
    title: "1 KiB of text, 16 in flight",
    in_flight: 16,
    length: KIB,
    text: true,
    counted: 30_000,
    ..H1
};
const LARGE: Workload = Workload {
    name: "64k",
    title: "64 KiB, 4 in flight",
    in_flight: 4,
    length: 64 * KIB,
    counted: 1500,
    ..H1
};
const DEFLATE: Workload = Workload {
    suite: "deflate",
    name: "takeover",
    title: "1 KiB of JSON, permessage-deflate with context takeover, 16 connections × 4 in flight",
    deflate: Some(Takeover::Both),
    connections: 16,
    in_flight: 4,
    length: KIB,
    text: true,
    ..H1
};

pub(super) const WORKLOADS: [Workload; 25] = [
    ONE,
    MANY,
    TEXT,
    LARGE,
    Workload { name: "1m", title: "1 MiB, one at a time", length: KIB * KIB, counted: 100, ..H1 },
    Workload { name: "conns", title: "64 B, one at a time on each of 64 connections", connections: 64, ..H1 },
    Workload { suite: "tls", tls: true, ..ONE },
    Workload { suite: "tls", tls: true, ..MANY },
    Workload { suite: "tls", tls: true, ..TEXT },
    Workload { suite: "tls", tls: true, ..LARGE },
    Workload { counted: 12_000, ..DEFLATE },
    Workload {
        name: "one",
        title: "1 KiB of JSON, permessage-deflate with context takeover, one at a time",
        connections: 1,
        in_flight: 1,
        ..DEFLATE
    },
    Workload {
        name: "none",
        title: "1 KiB of JSON, permessage-deflate without context takeover, 16 connections × 4 in flight",
        deflate: Some(Takeover::Neither),
        ..DEFLATE
    },
    Workload {
        suite: "churn",
        name: "h1",
        title: "HTTP/1.1: connect, open, one echo, close; 16 at a time",
        kind: Kind::Open,
        connections: 16,
        counted: 1000,
        ..H1
    },
    Workload {
        suite: "idle",
        name: "h1",
        title: "HTTP/1.1: 10 000 sockets, each used once",
        kind: Kind::Idle,
        connections: 10_000,
        ..H1
    },
    Workload { name: "32", title: "32 sockets on one connection, 64 B, one at a time", sockets: 32, ..H2 },
    Workload {
        name: "8x64",
        title: "8 sockets on one connection, 64 B, 64 in flight",
        sockets: 8,
        in_flight: 64,
        counted: 60_000,
        ..H2
    },
    Workload {
        name: "100x4",
        title: "100 sockets on one connection, 1 KiB of text, 4 in flight",
        sockets: 100,
        in_flight: 4,
        length: KIB,
        text: true,
        counted: 30_000,
        ..H2
    },
    Workload {
        name: "64k",
        title: "4 sockets on one connection, 64 KiB, one at a time",
        sockets: 4,
        length: 64 * KIB,
        counted: 1500,
        ..H2
    },
    Workload {
        name: "tls",
        title: "over TLS, 32 sockets on one connection, 64 B, one at a time",
        tls: true,
        sockets: 32,
        ..H2
    },
    Workload {
        suite: "churn",
        name: "h2",
        title: "HTTP/2: open, one echo, close; 32 at a time on one connection",
        kind: Kind::Open,
        sockets: 32,
        counted: 3000,
        ..H2
    },
    Workload {
        suite: "idle",
        name: "h2",
        title: "HTTP/2: 20 connections × 1 000 sockets, each used once",
        kind: Kind::Idle,
        connections: 20,
        sockets: 1000,
        ..H2
    },
    Workload {
        name: "fair",
        title: "one bulk socket (64 KiB × 16) beside 99 small ones (64 B × 1) on one connection: the small ones",
        kind: Kind::Fairness,
        sockets: 100,
        counted: 0,
        ..H2
    },
    Workload {
        suite: "get",
        name: "get",
        title: "HTTP/2: GET of 27 bytes, 100 at a time on one connection",
        kind: Kind::Get,
        sockets: 100,
        length: 27,
        counted: 10_000,
        ..H2
    },
    Workload {
        suite: "client",
        name: "client",
        title: "clients, HTTP/1.1: 64 B, 32 in flight",
        kind: Kind::Client,
        in_flight: 32,
        counted: 0,
        ..H1
    },
];

impl Workload {
    /// Whether `--suite` asks for it: nothing, a suite, or one workload of it.
    pub(super) fn is_in(&self, asked: &[String]) -> bool {
        let whole = format!("{}/{}", self.suite, self.name);
        asked.is_empty() || asked.iter().any(|asked| asked == self.suite || *asked == whole)
    }
}
