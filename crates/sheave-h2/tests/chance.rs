//! Two connections that talk at random: what each sends, the other takes; and whatever happens to it on the way, nobody
//! panics.

#[path = "common/numbers.rs"]
mod numbers;

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use numbers::Random;
use sheave_h2::frame::{Head, Kind};
use sheave_h2::{Config, Connection, Error, ErrorCode, Event, Progress, Protocol, Role, StreamKey};

/// One side, and whoever uses it.
struct Side {
    connection: Connection,
    input: BytesMut,
    streams: Vec<StreamKey>,
    unread: Vec<(StreamKey, usize)>,
    failed: bool,
}

impl Side {
    fn new(role: Role, config: Config, now: Instant) -> Self {
        Self {
            connection: Connection::new(role, config, now),
            input: BytesMut::new(),
            streams: Vec::new(),
            unread: Vec::new(),
            failed: false,
        }
    }

    /// Does something that may be done.
    fn act(&mut self, random: &mut Random, now: Instant) {
        let connection = &mut self.connection;
        let stream = random.pick(&self.streams);
        match (random.below(16), stream) {
            (0..=2, _) if connection.role() == Role::Client && connection.can_open() => {
                let request = Request::builder().uri("https://example.org/a");
                let request = match random.below(4) {
                    0 => request.method("CONNECT").extension(Protocol::websocket()),
                    1 => request.method("POST").header("priority", "u=1, i"),
                    _ => request.header("cookie", "a=b; c=d").header("x", "y".repeat(random.size(40_000))),
                };
                let (parts, ()) = request.body(()).unwrap().into_parts();
                self.streams.extend(connection.open(parts, random.one_in(2)));
            }
            (0..=2, Some(key)) => {
                let mut response = Response::new(());
                if random.one_in(3) {
                    *response.status_mut() = http::StatusCode::EARLY_HINTS;
                }
                let end = !response.status().is_informational() && random.one_in(3);
                let _ = connection.respond(key, response.into_parts().0, end);
            }
            (3..=5, Some(key)) => {
                let _ = connection.send(key, vec![b'x'; random.size(200_000)].into());
            }
            (6, Some(key)) => {
                let _ = connection.finish(key);
            }
            (7, Some(key)) => {
                let trailers = [("a".parse().unwrap(), HeaderValue::from_static("b"))];
                let _ = connection.send_trailers(key, HeaderMap::from_iter(trailers));
            }
            (8, Some(key)) if random.one_in(3) => connection.reset(key, ErrorCode::CANCEL),
            (9, Some(key)) if random.one_in(3) => connection.stop(key, ErrorCode::NO_ERROR),
            (10, Some(key)) => {
                let request = Request::get("https://example.org/pushed").body(()).unwrap();
                self.streams.extend(connection.promise(key, request.into_parts().0));
            }
            (11, _) => {
                connection.ping(now);
            }
            (12, _) if random.one_in(4) => connection.set_max_concurrent_streams(random.size(50) as u32, now),
            (12, _) if random.one_in(4) => {
                connection.set_initial_window_size(random.size(usize::MAX) as u32, now);
            }
            (13, _) if random.one_in(300) => connection.shutdown(now),
            (14, _) => connection.shrink(),
            _ => {
                if !self.unread.is_empty() {
                    let (key, length) = self.unread.swap_remove(random.below(self.unread.len()));
                    connection.release(key, length, now);
                }
            }
        }
    }

    /// Takes what has come.
    fn receive(&mut self, now: Instant) {
        loop {
            match self.connection.recv(&mut self.input, now) {
                Ok(None) => return,
                Ok(Some(Event::Request { stream, .. } | Event::Promise { promised: stream, .. })) => {
                    self.streams.push(stream);
                }
                Ok(Some(Event::Data { stream, data, .. })) => self.unread.push((stream, data.len())),
                Ok(Some(_)) => {}
                Err(error) => {
                    self.failed |= matches!(error, Error::Protocol(_));
                    self.input.clear();
                    return;
                }
            }
        }
    }

    /// What goes out: at most so many bytes at once.
    fn transmit(&mut self, most: usize, now: Instant) -> BytesMut {
        let mut sent = BytesMut::new();
        while sent.len() < most {
            let output = self.connection.transmit(now);
            let length = output.chunk().len().min(most - sent.len());
            if length == 0 {
                break;
            }
            sent.extend_from_slice(&output.chunk()[..length]);
            output.advance(length);
        }
        while let Some(progress) = self.connection.progress() {
            if let Progress::Closed(key) = progress {
                self.streams.retain(|&stream| stream != key);
            }
        }
        sent
    }
}

/// Lets both sides act and talk so many times. Whether `damage` befalls what is on its way is told for each piece.
fn play(seed: u64, turns: usize, mut damage: impl FnMut(&mut Random, &mut BytesMut) -> bool) -> [Side; 2] {
    let mut random = Random::new(seed);
    let mut now = Instant::now();
    let mut config = || {
        Config::default()
            .enable_connect_protocol(true)
            .enable_push(random.one_in(2))
            .initial_window_size(random.size(200_000) as u32)
            .max_window_size(random.size(1 << 31) as u32)
            .connection_window_size(random.size(1 << 20) as u32)
            .max_frame_size(random.size(100_000) as u32)
            .header_table_size(random.size(10_000) as u32)
            .keepalive(random.one_in(2).then(|| Duration::from_secs(10)))
    };
    let mut sides = [Role::Client, Role::Server].map(|role| Side::new(role, config(), now));
    for _ in 0..turns {
        let from = random.below(2);
        for _ in 0..random.below(8) {
            sides[from].act(&mut random, now);
        }
        let most = random.size(300_000);
        let mut sent = sides[from].transmit(most, now);
        let is_damaged = damage(&mut random, &mut sent);
        let to = &mut sides[1 - from];
        to.input.extend_from_slice(&sent);
        to.receive(now);
        assert!(to.connection.open_streams() <= 400, "seed {seed}");
        // What a peer sends that keeps to the rules does not end a stream or the connection by an error.
        assert!(is_damaged || !to.failed, "seed {seed}: {:?}", to.connection.error());
        if random.one_in(10) {
            now += Duration::from_millis(random.size(3000) as u64);
        }
        for side in &mut sides {
            if side.connection.timeout().is_some_and(|timeout| timeout <= now) {
                let _ = side.connection.handle_timeout(now);
                assert!(side.connection.timeout().is_none_or(|timeout| timeout > now), "seed {seed}");
            }
        }
        if sides.iter().any(|side| side.connection.error().is_some()) {
            break;
        }
    }
    sides
}

#[test]
fn what_one_sends_the_other_takes() {
    for seed in 0..60 {
        play(seed, 300, |_, _| false);
    }
}

/// Damages frames: a byte, the order, the length, or more of them.
fn damage(random: &mut Random, bytes: &mut BytesMut) -> bool {
    if bytes.is_empty() || !random.one_in(4) {
        return false;
    }
    match random.below(5) {
        0 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        1 => {
            // Of a head, which is more likely to mean something.
            let at = random.below(bytes.len().min(Head::LENGTH));
            bytes[at] = random.size(255) as u8;
        }
        2 => {
            let twice = bytes.clone();
            bytes.extend_from_slice(&twice[..random.size(twice.len())]);
        }
        3 => bytes.truncate(random.size(bytes.len())),
        _ => {
            let kind = Kind::new(random.size(0x11) as u8);
            let payload: Vec<u8> = (0..random.size(20)).map(|_| random.size(255) as u8).collect();
            let stream = sheave_h2::StreamId::new(random.size(20) as u32);
            let mut frame = BytesMut::new();
            let flags = random.next() as u8;
            Head { length: payload.len() as u32, kind, flags, stream }.write(&mut frame);
            frame.extend_from_slice(&payload);
            frame.extend_from_slice(bytes);
            *bytes = frame;
        }
    }
    true
}

#[test]
fn whatever_happens_on_the_way() {
    for seed in 1000..2500 {
        let mut is_damaged = false;
        let sides = play(seed, 100, |random, bytes| {
            is_damaged |= damage(random, bytes);
            is_damaged
        });
        // Who fails says so, and nothing else after that.
        for mut side in sides {
            if side.failed {
                let sent = side.transmit(usize::MAX, Instant::now());
                // It may begin within a frame.
                let is_last = |at: usize| {
                    let head = Head::read(&sent[at..]).filter(|head| head.kind == Kind::GOAWAY);
                    head.is_some_and(|head| at + Head::LENGTH + head.length as usize == sent.len())
                };
                assert!((0..sent.len()).any(is_last), "seed {seed}: {sent:?}");
                assert!(side.transmit(usize::MAX, Instant::now()).is_empty());
            }
        }
    }
}

/// A frame such as a peer might send, or one in a while such as none would.
/// `next` are the numbers of the streams that a client and a server open next.
fn frame(random: &mut Random, role: Role, next: &mut [u32; 2], out: &mut BytesMut) {
    let known = (1 + 2 * random.below((next[0] as usize / 2).max(1))) as u32;
    let kinds = [0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 8, 8, 0x10, 0xbe];
    let mut kind = if next[0] == 1 { Kind::HEADERS } else { Kind::new(kinds[random.below(kinds.len())]) };
    let (mut flags, mut stream) = (0, known);
    let fields: &[u8] = if role == Role::Server { b"\x82\x86\x84" } else { b"\x88" };
    let block = |random: &mut Random| {
        // Fields of the tables, some of which are pseudo-header fields, or are not there.
        let more = (0..random.size(9))
            .map(|_| if random.one_in(400) { 0xff } else { 0x90 + random.below(0x2e) as u8 });
        fields.iter().copied().chain(more.collect::<Vec<_>>()).collect::<Vec<u8>>()
    };
    let mut payload = match kind {
        Kind::HEADERS if role == Role::Server => {
            let payload = block(random);
            if next[0] == 1 || !random.one_in(3) {
                stream = next[0];
                next[0] += 2;
            }
            flags = 0x4 | random.below(2) as u8;
            payload
        }
        Kind::PUSH_PROMISE if role == Role::Client => {
            next[1] += 2;
            flags = 0x4;
            [&next[1].to_be_bytes()[..], b"\x82\x86\x84\x41\x01a"].concat()
        }
        Kind::HEADERS | Kind::PUSH_PROMISE => {
            kind = Kind::HEADERS;
            flags = 0x4 | random.below(2) as u8;
            block(random)
        }
        Kind::DATA => {
            flags = random.size(1) as u8 | (random.size(1) as u8) << 3;
            vec![random.size(20) as u8; random.size(3000) + 21]
        }
        Kind::PRIORITY => vec![0; 5],
        Kind::RST_STREAM => vec![0, 0, 0, random.below(16) as u8],
        Kind::WINDOW_UPDATE => {
            stream = if random.one_in(2) { 0 } else { stream };
            (1 + random.size(1 << 26) as u32).to_be_bytes().to_vec()
        }
        Kind::SETTINGS => {
            stream = 0;
            flags = random.size(1) as u8 & random.below(2) as u8;
            let setting =
                [0, [1, 3, 4, 6][random.below(4)], 0, random.size(255) as u8, random.next() as u8, 7];
            if flags == 0 { setting.repeat(random.below(3)) } else { vec![] }
        }
        Kind::PING => {
            stream = 0;
            flags = random.below(2) as u8;
            vec![0, 0, 0, 0, 0, 0, 0, random.below(4) as u8]
        }
        Kind::PRIORITY_UPDATE if role == Role::Server => {
            stream = 0;
            [&known.to_be_bytes()[..], b"u=", &[b'0' + random.below(9) as u8]].concat()
        }
        _ => {
            kind = Kind::new(0xbe);
            vec![7; random.size(100)]
        }
    };
    if random.one_in(200) {
        match random.below(4) {
            0 => stream = random.size(u32::MAX as usize) as u32,
            1 => flags = random.next() as u8,
            2 => kind = Kind::new(random.below(12) as u8),
            _ => payload.truncate(random.size(payload.len())),
        }
    }
    let stream = sheave_h2::StreamId::new(stream);
    Head { length: payload.len() as u32, kind, flags, stream }.write(out);
    out.extend_from_slice(&payload);
}

/// Frames by chance, to both roles, until 100 000 were taken. What is answered, but for what was asked for, is in
/// proportion to what came.
#[test]
fn frames_by_chance() {
    let mut random = Random::new(7);
    let mut now = Instant::now();
    let (mut frames, mut rounds) = (0, 0);
    while frames < 100_000 {
        rounds += 1;
        let role = if rounds % 2 == 0 { Role::Server } else { Role::Client };
        let acts = rounds % 4 < 2;
        let mut side = Side::new(role, Config::default().enable_push(true), now);
        side.input.extend_from_slice(if role == Role::Server { &sheave_h2::PREFACE[..] } else { b"" });
        side.input.extend_from_slice(b"\0\0\0\x04\0\0\0\0\0");
        side.receive(now);
        let mut next = [1, 0];
        if role == Role::Client {
            for _ in 0..30 {
                side.act(&mut random, now);
            }
            let ids = side.streams.iter().map(|stream| stream.id().get());
            next[0] = ids.max().unwrap_or(1) + 2;
        }
        side.transmit(usize::MAX, now);
        let (mut came, mut went) = (0, 0);
        for _ in 0..1000 {
            frame(&mut random, role, &mut next, &mut side.input);
            came += side.input.len();
            side.receive(now);
            if acts {
                side.act(&mut random, now);
            }
            if random.one_in(3) {
                went += side.transmit(usize::MAX, now).len();
            }
            now += Duration::from_millis(random.size(100) as u64);
            if side.connection.error().is_some() {
                break;
            }
            frames += 1;
            assert!(side.connection.open_streams() <= 400);
        }
        went += side.transmit(usize::MAX, now).len();
        assert!(acts || role == Role::Client || went <= 2 * came + 100, "{went} for {came}");
    }
    assert!(frames / rounds > 30, "{frames} in {rounds}");
}

/// Bytes that are not even frames.
#[test]
fn bytes_by_chance() {
    let mut random = Random::new(99);
    let now = Instant::now();
    for round in 0..20_000 {
        let mut side =
            Side::new(if round % 2 == 0 { Role::Server } else { Role::Client }, Config::default(), now);
        if round % 4 < 2 {
            side.input.extend_from_slice(if round % 2 == 0 { sheave_h2::PREFACE } else { b"" });
            side.input.extend_from_slice(b"\0\0\0\x04\0\0\0\0\0");
        }
        for _ in 0..random.below(4) {
            let bytes: Vec<u8> = (0..random.below(60)).map(|_| random.size(255) as u8).collect();
            side.input.extend_from_slice(&bytes);
            side.receive(now);
            side.transmit(usize::MAX, now);
        }
        let _ = side.connection.recv_end();
    }
}
