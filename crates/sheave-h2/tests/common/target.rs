//! A connection whose peer sends whatever it likes, and what that costs.
#![allow(dead_code, reason = "each test uses a part")]

use std::alloc::System;
use std::ops::RangeBounds;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use http::Request;
use sheave_h2::frame::flag::{ACK, END_HEADERS};
use sheave_h2::frame::{GoAway, Head, Kind, RstStream};
use sheave_h2::{Config, Connection, Error, ErrorCode, Event, PREFACE, Role, StreamKey};
use sheave_hpack::{Encoder, Field};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::common::{GET, frame, ok, settings};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counts are of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes are allocated now.
pub(crate) fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];
pub(crate) const KIB: usize = 1 << 10;
pub(crate) const CALM: Option<ErrorCode> = Some(ErrorCode::ENHANCE_YOUR_CALM);
pub(crate) const REFUSAL: Option<ErrorCode> = Some(ErrorCode::PROTOCOL_ERROR);

/// A connection whose peer attacks it.
pub(crate) struct Target {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    pub(crate) input: BytesMut,
    pub(crate) encoder: Encoder,
    /// Whether the peer reads what is sent to it.
    pub(crate) reads: bool,
    /// Frames that were sent, by kind, and the code of the last GOAWAY and RST_STREAM.
    pub(crate) sent: [usize; 17],
    pub(crate) goaway: Option<ErrorCode>,
    pub(crate) reset: Option<ErrorCode>,
    pub(crate) error: Option<Error>,
    /// Streams that the user was told of, the last one first, and how much content came on the first stream.
    pub(crate) opened: Vec<StreamKey>,
    pub(crate) neighbour: usize,
    /// What was allocated before, and the most since.
    pub(crate) before: usize,
    pub(crate) peak: usize,
    /// What came and went, in bytes.
    pub(crate) came: usize,
    pub(crate) went: usize,
}

impl Target {
    pub(crate) fn new(role: Role, config: Config) -> Self {
        let now = Instant::now();
        let mut target = Self {
            connection: Connection::new(role, config, now),
            now,
            input: BytesMut::new(),
            encoder: Encoder::with_max_table_size(0),
            reads: true,
            sent: [0; 17],
            goaway: None,
            reset: None,
            error: None,
            opened: Vec::new(),
            neighbour: 0,
            before: 0,
            peak: 0,
            came: 0,
            went: 0,
        };
        if role == Role::Server {
            target.feed(PREFACE);
        }
        target.feed(&settings(&[]));
        target.feed(&frame(Kind::SETTINGS, ACK, 0, &[]));
        target
    }

    /// A server with a request on stream 1 that goes on.
    pub(crate) fn server(config: Config) -> Self {
        let mut target = Self::new(Role::Server, config);
        let post = target.headers(1, &POST, 0);
        target.feed(&post);
        target.connection.respond(target.opened[0], ok(), false).unwrap();
        target.start()
    }

    /// A client with a request on stream 1, of which the response goes on.
    pub(crate) fn client(config: Config) -> Self {
        let mut target = Self::new(Role::Client, config);
        target.open();
        target.read();
        let response = target.headers(1, &[(":status", "200")], 0);
        target.feed(&response);
        target.start()
    }

    pub(crate) fn of(role: Role) -> Self {
        match role {
            Role::Server => Self::server(Config::default()),
            Role::Client => Self::client(Config::default()),
        }
    }

    pub(crate) fn start(mut self) -> Self {
        self.opened.reserve(1 << 17);
        self.read();
        self.before = held();
        self.peak = self.before;
        self.came = 0;
        self.went = 0;
        self
    }

    pub(crate) fn deaf(mut self) -> Self {
        self.reads = false;
        self
    }

    pub(crate) fn open(&mut self) {
        let request = Request::post("https://example.org/").body(()).unwrap().into_parts().0;
        let key = self.connection.open(request, false).unwrap();
        self.opened.push(key);
    }

    pub(crate) fn headers(&mut self, id: u32, fields: &[(&str, &str)], flags: u8) -> Vec<u8> {
        let mut block = BytesMut::new();
        self.encoder.encode(fields.iter().map(|(name, value)| Field::new(*name, *value)), &mut block);
        frame(Kind::HEADERS, flags | END_HEADERS, id, &block)
    }

    /// A client's request that the user answers at once.
    pub(crate) fn request(&mut self, id: u32, fields: &[(&str, &str)], flags: u8) -> StreamKey {
        let request = self.headers(id, fields, flags);
        self.feed(&request);
        self.opened.pop().unwrap()
    }

    /// Gives it bytes, and lets it answer. False once it has failed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> bool {
        self.came += bytes.len();
        self.input.extend_from_slice(bytes);
        while self.error.is_none() {
            match self.connection.recv(&mut self.input, self.now) {
                Ok(Some(event)) => self.event(event),
                Ok(None) => break,
                Err(error) => self.error = Some(error),
            }
        }
        self.peak = self.peak.max(held());
        while self.connection.progress().is_some() {}
        if self.reads || self.error.is_some() {
            self.read();
        }
        self.error.is_none()
    }

    pub(crate) fn event(&mut self, event: Event) {
        match event {
            Event::Request { stream, .. } => self.opened.push(stream),
            Event::Data { stream, data, .. } => {
                if stream.id().get() == 1 {
                    self.neighbour += data.len();
                }
                self.connection.release(stream, data.len(), self.now);
            }
            _ => {}
        }
    }

    /// The peer reads all that was sent.
    pub(crate) fn read(&mut self) {
        loop {
            let output = self.connection.transmit(self.now);
            let mut bytes = output.copy_to_bytes(output.remaining());
            if bytes.is_empty() {
                return;
            }
            self.went += bytes.len();
            if bytes.starts_with(PREFACE) {
                bytes.advance(PREFACE.len());
            }
            while let Some(head) = Head::read(&bytes) {
                let payload = &bytes[Head::LENGTH..][..head.length as usize];
                self.sent[usize::from(head.kind.get())] += 1;
                match head.kind {
                    Kind::GOAWAY => self.goaway = Some(GoAway::read(head, payload).unwrap().code),
                    Kind::RST_STREAM => self.reset = Some(RstStream::read(head, payload).unwrap().code),
                    _ => {}
                }
                bytes.advance(Head::LENGTH + payload.len());
            }
        }
    }

    /// Whether both halves of the stream that is there from the beginning still work.
    pub(crate) fn assert_neighbour(&mut self) {
        let (before, sent) = (self.neighbour, self.sent[0]);
        let reads = std::mem::replace(&mut self.reads, true);
        assert!(self.feed(&frame(Kind::DATA, 0, 1, b"neighbour")), "{:?}", self.error);
        assert_eq!(self.neighbour, before + 9);
        self.connection.send(self.opened[0], "answer".into()).unwrap();
        self.read();
        assert_eq!(self.sent[0], sent + 1);
        self.reads = reads;
    }

    /// How much more is held than at the beginning, at most.
    pub(crate) fn growth(&self) -> usize {
        self.peak - self.before
    }

    /// Feeds until it fails. Gives how often.
    pub(crate) fn attack(&mut self, most: usize, mut frames: impl FnMut(&mut Self, u32) -> Vec<u8>) -> usize {
        for round in 0..most {
            let bytes = frames(self, round as u32);
            if !self.feed(&bytes) {
                return round + 1;
            }
        }
        most
    }

    /// Bears so many rounds of it, of which the neighbour notices nothing, and then ends within so many more.
    pub(crate) fn assert_borne(
        &mut self,
        name: &str,
        borne: u32,
        more: impl RangeBounds<usize>,
        mut frames: impl FnMut(&mut Self, u32) -> Vec<u8>,
    ) {
        let rounds = self.attack(borne as usize, &mut frames);
        assert_eq!(rounds, borne as usize, "{name} {:?}", self.error);
        self.assert_neighbour();
        let rounds = self.attack(10_000, |target, round| frames(target, borne + round));
        assert!(more.contains(&rounds), "{name} {rounds}");
        assert_eq!(self.goaway, CALM, "{name}");
    }
}

pub(crate) const POST: [(&str, &str); 4] = [(":method", "POST"), GET[1], GET[2], GET[3]];

pub(crate) fn reset(id: u32, code: ErrorCode) -> Vec<u8> {
    frame(Kind::RST_STREAM, 0, id, &code.get().to_be_bytes())
}

pub(crate) fn window_update(id: u32, increment: u32) -> Vec<u8> {
    frame(Kind::WINDOW_UPDATE, 0, id, &increment.to_be_bytes())
}

/// The number of a client's stream, behind the first.
pub(crate) fn id(round: u32) -> u32 {
    3 + 2 * round
}

/// How often something was allocated.
pub(crate) fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}
