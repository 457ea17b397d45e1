//! Who is measured: libraries, what each can do, and the ways in which it is used.

use super::suites::{Kind, Protocol, Workload};

/// A library behind a program of `xtask/bench/peers`.
pub(super) struct Library {
    /// What it is called in the tables.
    pub(super) name: &'static str,
    /// Its program, which is also its package.
    pub(super) program: &'static str,
    /// The packages whose versions are told, if they are not of this repository.
    pub(super) packages: &'static [&'static str],
    can: &'static [Can],
    /// Workloads, or suites, that it does not survive, and why.
    fails: &'static [(&'static str, &'static str)],
    /// What a reader of the numbers has to know.
    pub(super) note: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Can {
    Http1,
    Http2,
    Tls,
    Deflate,
    /// Several messages in a write.
    Batch,
    Client,
    /// Plain requests over HTTP/2.
    Get,
}

use Can::{Batch, Client, Deflate, Get, Http1, Http2, Tls};

pub(super) const SHEAVE: &str = "sheave";
pub(super) const FLOOR: &str = "floor";
/// Debian's, which is no program of the benchmark.
pub(super) const NGHTTPD: &str = "nghttpd";

const NONE: Library = Library { name: "", program: "", packages: &[], can: &[], fails: &[], note: "" };
const CUTS: &str = "takes what one read brought for one frame";

pub(super) const LIBRARIES: [Library; 18] = [
    Library {
        name: SHEAVE,
        program: "bench_sheave",
        can: &[Http1, Http2, Tls, Deflate, Batch, Client, Get],
        ..NONE
    },
    Library {
        name: FLOOR,
        program: "floor",
        can: &[Http1, Http2, Batch, Get],
        note: "a loop over epoll that checks nothing: how little the kernel leaves",
        ..NONE
    },
    Library {
        name: "tokio-tungstenite",
        program: "bench_tokio_tungstenite",
        packages: &["tokio-tungstenite"],
        can: &[Http1, Tls, Batch, Client],
        ..NONE
    },
    Library {
        name: "tokio-websockets",
        program: "bench_tokio_websockets",
        packages: &["tokio-websockets"],
        can: &[Http1, Tls, Batch, Client],
        ..NONE
    },
    Library {
        name: "fastwebsockets",
        program: "bench_fastwebsockets",
        packages: &["fastwebsockets"],
        can: &[Http1, Tls, Batch, Client],
        ..NONE
    },
    Library {
        name: "soketto",
        program: "bench_soketto",
        packages: &["soketto"],
        can: &[Http1, Tls, Batch, Client],
        note: "its deflate fails with today's flate2, so it is left out there",
        ..NONE
    },
    Library {
        name: "wtx",
        program: "bench_wtx",
        packages: &["wtx"],
        can: &[Http1, Http2, Tls, Deflate, Client],
        fails: &[("h2/8x64", CUTS), ("h2/100x4", CUTS), ("h2/64k", CUTS), ("h2/fair", CUTS)],
        note: "writes after each message; its own TLS",
    },
    Library {
        name: "yawc",
        program: "bench_yawc",
        packages: &["yawc"],
        can: &[Http1, Tls, Deflate, Batch, Client],
        note: "UTF-8 checks are turned on, as in its own benchmark",
        ..NONE
    },
    Library {
        name: "sockudo-ws",
        program: "bench_sockudo",
        packages: &["sockudo-ws"],
        can: &[Http1, Http2, Tls, Deflate, Batch, Client],
        fails: &[("churn/h2", "ends a connection after some thousand sockets (GOAWAY 11)")],
        ..NONE
    },
    Library {
        name: "sockudo-ws, raw loop",
        program: "bench_sockudo_raw",
        packages: &["sockudo-ws"],
        can: &[Http1, Tls, Batch],
        note: "does not check UTF-8",
        ..NONE
    },
    Library {
        name: "axum",
        program: "bench_axum",
        packages: &["axum", "hyper"],
        can: &[Http1, Http2, Tls, Batch],
        ..NONE
    },
    Library {
        name: "hyper + tokio-tungstenite",
        program: "bench_hyper_tungstenite",
        packages: &["hyper", "tokio-tungstenite"],
        can: &[Http2, Tls, Batch],
        ..NONE
    },
    Library {
        name: "hyper + fastwebsockets",
        program: "bench_hyper_fastwebsockets",
        packages: &["hyper", "fastwebsockets"],
        can: &[Http2, Tls, Batch],
        ..NONE
    },
    Library {
        name: "hyper + yawc",
        program: "bench_hyper_yawc",
        packages: &["hyper", "yawc"],
        can: &[Http2, Tls, Batch],
        ..NONE
    },
    Library { name: "hyper", program: "bench_hyper_get", packages: &["hyper"], can: &[Get], ..NONE },
    Library { name: "h2", program: "bench_h2_get", packages: &["h2"], can: &[Get], ..NONE },
    Library { name: "wtx, HTTP/2 server", program: "bench_wtx_get", packages: &["wtx"], can: &[Get], ..NONE },
    Library { name: NGHTTPD, program: NGHTTPD, can: &[Get], note: "Debian's, in C", ..NONE },
];

/// A row of a table: a library, used in one way.
#[derive(Clone, Copy)]
pub(super) struct Contender {
    pub(super) library: &'static Library,
    /// Answers what one read brought in one write.
    pub(super) batch: bool,
    /// The level of compression, where there is one.
    pub(super) level: Option<u8>,
}

impl Contender {
    /// All that can do this.
    pub(super) fn of(workload: &Workload) -> Vec<Self> {
        let able = LIBRARIES.iter().filter(|library| library.can_do(workload));
        // What is one message at a time for each socket gains nothing by it.
        let batches =
            workload.kind == Kind::Client || (workload.kind == Kind::Echo && workload.in_flight > 1);
        let ways = |library: &'static Library| {
            let batch = batches && library.can.contains(&Batch);
            // The floor knows no other way.
            let each = library.name != FLOOR || !batch;
            [each.then_some(false), batch.then_some(true)].into_iter().flatten()
        };
        let levels = if workload.deflate.is_some() { &[Some(6), Some(1)][..] } else { &[None] };
        able.flat_map(|library| {
            levels
                .iter()
                .flat_map(move |level| ways(library).map(move |batch| Self { library, batch, level: *level }))
        })
        .collect()
    }

    pub(super) fn is_peer(&self) -> bool {
        self.library.name != SHEAVE && self.library.name != FLOOR
    }

    /// Whether the other is what this one is to be compared with: who writes for each message is compared with those who
    /// do so too, who does not with everybody.
    pub(super) fn is_compared_with(&self, other: &Self) -> bool {
        other.is_peer() && self.level == other.level && (self.batch || !other.batch)
    }

    /// Why it is left out under this workload, if it is.
    pub(super) fn fails(&self, workload: &Workload) -> Option<&'static str> {
        let whole = format!("{}/{}", workload.suite, workload.name);
        let fails = self.library.fails.iter().find(|(what, _)| *what == whole);
        fails.map(|(_, why)| *why)
    }

    /// How it is called in a table.
    pub(super) fn title(&self) -> String {
        let level = self.level.map(|level| format!(", level {level}")).unwrap_or_default();
        let name = self.library.name;
        if name == SHEAVE { format!("**{name}{level}**") } else { format!("{name}{level}") }
    }
}

impl Library {
    fn can_do(&self, workload: &Workload) -> bool {
        let protocol = match (workload.kind, workload.protocol) {
            (Kind::Client, _) => Client,
            (Kind::Get, _) => Get,
            (_, Protocol::Http1) => Http1,
            (_, Protocol::Http2) => Http2,
        };
        let needed = [Some(protocol), workload.tls.then_some(Tls), workload.deflate.map(|_| Deflate)];
        needed.iter().flatten().all(|needed| self.can.contains(needed))
    }
}
