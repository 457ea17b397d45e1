//! A client and a server that make random exchanges, in random pieces.

mod common;
#[path = "common/numbers.rs"]
mod numbers;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::pair::Pair;
use http::{HeaderMap, Method, Request, Response};
use numbers::Random;
use sheave_h2::{Config, ErrorCode, Event, Progress, Protocol, Role, StreamKey};

#[test]
fn random_exchanges() {
    for seed in 0..12 {
        Exchanges::new(seed).run();
    }
}

struct Exchanges {
    pair: Pair,
    random: Random,
    sides: [Side; 2],
    opened: usize,
    late: HashSet<u32>,
}

#[derive(Default)]
struct Side {
    streams: HashMap<u32, Half>,
    /// Content that was received and not released yet.
    unread: Vec<(StreamKey, usize)>,
    /// How many streams have ended in their time.
    whole: usize,
}

/// What one side has to do with a stream.
struct Half {
    key: StreamKey,
    /// How much there is to send still; how much was sent and has left.
    left: usize,
    sent: usize,
    trailers: bool,
    may_send: bool,
    /// How much was received, and whether all of it.
    received: usize,
    has_received: bool,
}

const STREAMS: usize = 60;

/// The content of a stream at a place, by who sends it.
fn byte(id: u32, from: Role, place: usize) -> u8 {
    (id as usize * 31 + place * 7 + place / 251 + usize::from(from == Role::Client)) as u8
}

fn content(id: u32, from: Role, start: usize, length: usize) -> Vec<u8> {
    (start..start + length).map(|place| byte(id, from, place)).collect()
}

fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

impl Exchanges {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed + 1);
        let mut config = || {
            let config = Config::default().max_concurrent_streams(1 + random.below(20) as u32);
            let config = config.initial_window_size([0, 1, 100, 5000, 65_535, 1 << 20][random.below(6)]);
            let config = config.connection_window_size([65_535, 100_000, 1 << 20][random.below(3)]);
            config.max_frame_size([16_384, 20_000, 1 << 20][random.below(3)]).enable_connect_protocol(true)
        };
        let (client, server) = (config(), config());
        Self {
            pair: Pair::new(client, server),
            random,
            sides: Default::default(),
            opened: 0,
            late: HashSet::new(),
        }
    }

    fn run(mut self) {
        let mut idle = 0;
        while self.opened < STREAMS || idle < 5 {
            let before = self.pair.passed;
            let resets = self.opened < STREAMS;
            self.step(resets);
            if self.pair.passed == before && self.opened == STREAMS {
                // Nothing is held up for ever: what waits to be read is read, and what is to be sent is sent.
                for role in [Role::Client, Role::Server] {
                    self.open_windows(role);
                    self.read(role, true);
                    self.send_all(role);
                    self.pass(role, usize::MAX);
                }
            }
            idle = if self.pair.passed == before { idle + 1 } else { 0 };
        }
        let [client, server] = &self.sides;
        assert!(client.whole > 0, "something came of it");
        for (side, from) in [(client, Role::Server), (server, Role::Client)] {
            assert!(side.streams.is_empty(), "{from:?} has not sent it all");
        }
        let now = self.pair.now;
        assert_eq!(self.pair.client.open_streams(), 0);
        assert_eq!(self.pair.server.open_streams(), 0);
        self.pair.server.shutdown(now);
        for _ in 0..10 {
            self.pass(Role::Client, usize::MAX);
            self.pass(Role::Server, usize::MAX);
        }
        assert!(self.pair.client.is_finished() && self.pair.server.is_finished());
        assert!(self.pair.is_quiet());
        assert!(self.pair.client.recv_end().is_ok() && self.pair.server.recv_end().is_ok());
    }

    fn step(&mut self, resets: bool) {
        self.pair.advance(Duration::from_millis(self.random.below(3) as u64));
        let role = if self.random.one_in(2) { Role::Client } else { Role::Server };
        match self.random.below(10) {
            0 if self.opened < STREAMS => self.open(),
            1 | 2 => self.send(role),
            3 => self.read(role, false),
            4 if resets && self.random.one_in(20) => self.reset(role),
            5 if resets && self.random.one_in(20) => {
                let size = [0, 10, 70_000][self.random.below(3)];
                let now = self.pair.now;
                self.pair.side(role).set_initial_window_size(size, now);
            }
            _ => {
                let most = [1, 9, 100, 10_000, usize::MAX][self.random.below(5)];
                self.pass(role, most);
            }
        }
    }

    fn half(&mut self, key: StreamKey, may_send: bool, end_stream: bool) -> Half {
        let left = [0, 1, 1000, 20_000, 100_000][self.random.below(5)];
        let trailers = self.random.one_in(3);
        Half { key, left, sent: 0, trailers, may_send, received: 0, has_received: end_stream }
    }

    fn open(&mut self) {
        if !self.pair.client.can_open() || !self.pair.client.has_peer_settings() {
            return;
        }
        let method = [Method::GET, Method::POST, Method::CONNECT][self.random.below(3)].clone();
        let mut request = Request::builder().method(&method).uri("https://example.org/a").body(()).unwrap();
        if method == Method::CONNECT {
            request.extensions_mut().insert(Protocol::websocket());
        }
        let has_content = method != Method::GET;
        let key = self.pair.client.open(request.into_parts().0, !has_content).unwrap();
        let mut half = self.half(key, has_content, false);
        half.trailers &= method == Method::POST;
        self.opened += 1;
        self.sides[0].streams.insert(key.id().get(), half);
    }

    fn respond(&mut self, key: StreamKey, is_tunnel: bool, end_stream: bool) {
        let mut half = self.half(key, true, end_stream);
        half.trailers &= !is_tunnel;
        let mut response = Response::builder();
        if !is_tunnel && self.random.one_in(2) {
            response = response.header("content-length", half.left);
        }
        let interim = Response::builder().status(103).body(()).unwrap();
        if self.random.one_in(3) && self.pair.server.respond(key, interim.into_parts().0, false).is_err() {
            // It was reset as soon as it came.
            self.late.insert(key.id().get());
            return;
        }
        let ends = half.left == 0 && !half.trailers;
        half.may_send = !ends;
        if self.pair.server.respond(key, response.body(()).unwrap().into_parts().0, ends).is_err() {
            self.late.insert(key.id().get());
            return;
        }
        self.sides[1].streams.insert(key.id().get(), half);
    }

    /// Some more of the content of a stream.
    fn send(&mut self, role: Role) {
        let side = &mut self.sides[role as usize];
        let mut ids: Vec<_> =
            side.streams.iter().filter(|(_, half)| half.may_send).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return;
        }
        ids.sort_unstable();
        let id = ids[self.random.below(ids.len())];
        let most = [1, 10, 3000, 50_000][self.random.below(4)];
        self.send_on(role, id, most);
    }

    fn send_all(&mut self, role: Role) {
        let mut ids: Vec<_> = self.sides[role as usize].streams.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.send_on(role, id, usize::MAX);
            self.send_on(role, id, usize::MAX);
        }
    }

    fn send_on(&mut self, role: Role, id: u32, most: usize) {
        let half = self.sides[role as usize].streams.get_mut(&id).unwrap();
        if !half.may_send {
            return;
        }
        let connection = self.pair.side(role);
        if half.left > 0 {
            let length = half.left.min(most);
            connection.send(half.key, content(id, role, half.sent, length).into()).unwrap();
            half.left -= length;
            half.sent += length;
        } else {
            half.may_send = false;
            match half.trailers {
                true => {
                    let trailers: HeaderMap =
                        [("sent".parse().unwrap(), half.sent.into())].into_iter().collect();
                    connection.send_trailers(half.key, trailers).unwrap();
                }
                false => connection.finish(half.key).unwrap(),
            }
        }
    }

    fn open_windows(&mut self, role: Role) {
        let now = self.pair.now;
        self.pair.side(role).set_initial_window_size(100_000, now);
    }

    fn read(&mut self, role: Role, all: bool) {
        let unread = &mut self.sides[role as usize].unread;
        let count = if all { unread.len() } else { unread.len().min(1 + self.random.below(3)) };
        for (key, length) in unread.drain(..count) {
            let now = self.pair.now;
            self.pair.side(role).release(key, length, now);
        }
    }

    fn reset(&mut self, role: Role) {
        let mut keys: Vec<_> = self.sides[role as usize].streams.values().map(|half| half.key).collect();
        keys.sort_unstable_by_key(|key| key.id());
        if !keys.is_empty() {
            let key = keys[self.random.below(keys.len())];
            self.pair.side(role).reset(key, ErrorCode::CANCEL);
            self.sides[role as usize].streams.remove(&key.id().get());
            self.progress(role);
        }
    }

    fn pass(&mut self, from: Role, most: usize) {
        let to = other(from);
        for event in self.pair.pass(from, most) {
            self.event(to, from, event);
        }
        self.progress(from);
        self.progress(to);
    }

    fn event(&mut self, to: Role, from: Role, event: Event) {
        let side = &mut self.sides[to as usize];
        if let Event::Data { stream, .. } | Event::Trailers { stream, .. } = &event
            && self.late.contains(&stream.id().get())
        {
            return;
        }
        match event {
            Event::Request { stream, request, end_stream, .. } => {
                self.respond(stream, request.method() == Method::CONNECT, end_stream);
            }
            Event::Response { stream, end_stream, .. } => {
                // We may have given it up.
                if let Some(half) = side.streams.get_mut(&stream.id().get()) {
                    half.has_received = end_stream;
                }
            }
            Event::Data { stream, data, end_stream } => {
                let id = stream.id().get();
                let half = side.streams.get_mut(&id).expect("a stream that is known");
                assert_eq!(data, content(id, from, half.received, data.len()));
                half.received += data.len();
                half.has_received = end_stream;
                side.unread.push((stream, data.len()));
            }
            Event::Trailers { stream, trailers } => {
                let half = side.streams.get_mut(&stream.id().get()).expect("a stream that is known");
                assert_eq!(trailers["sent"], half.received.to_string());
                half.has_received = true;
            }
            Event::Reset { stream, .. } => {
                side.streams.remove(&stream.id().get());
            }
            Event::Settings | Event::Informational { .. } | Event::GoAway { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn progress(&mut self, role: Role) {
        while let Some(progress) = self.pair.side(role).progress() {
            if let Progress::Closed(key) = progress
                && let Some(half) = self.sides[role as usize].streams.remove(&key.id().get())
            {
                // Not reset: so all was sent, and all received.
                assert!(!half.may_send && half.has_received);
                self.sides[role as usize].whole += 1;
            }
        }
    }
}
