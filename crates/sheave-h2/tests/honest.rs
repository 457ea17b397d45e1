//! What an honest peer may do, however much of it at once or for however long: it never trips a limit.

mod common;
#[path = "common/target.rs"]
mod target;

use std::time::Duration;

use bytes::Buf;
use common::{GET, frame, ok, settings};
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::{END_HEADERS, END_STREAM};
use sheave_h2::{Config, ErrorCode, Role};
use target::{KIB, POST, ROLES, Target, alone, id, reset, window_update};

fn tunnels(streams: usize) -> Config {
    Config::default().max_concurrent_streams(streams as u32).enable_connect_protocol(true)
}

const CONNECT: [(&str, &str); 5] =
    [(":method", "CONNECT"), GET[1], GET[2], GET[3], (":protocol", "websocket")];

fn with_tunnels(streams: u32) -> Target {
    let mut target = Target::new(Role::Server, tunnels(streams as usize + 1));
    for stream in 0..streams {
        let connect = target.headers(1 + 2 * stream, &CONNECT, 0);
        assert!(target.feed(&connect));
        let key = target.opened[stream as usize];
        target.connection.respond(key, ok(), false).unwrap();
    }
    target.start()
}

/// h2#944: a message on each of many tunnels at once.
#[test]
fn a_message_on_each_of_ten_thousand_tunnels() {
    let _alone = alone();
    let mut target = with_tunnels(10_000);
    let frames: Vec<u8> =
        (0..10_000).flat_map(|round| frame(Kind::DATA, 0, 1 + 2 * round, b"0123456789")).collect();
    for _ in 0..3 {
        assert!(target.feed(&frames), "{:?}", target.error);
        for index in 0..10_000 {
            target.connection.send(target.opened[index], "0123456789".into()).unwrap();
        }
        let sent = target.sent[0];
        target.read();
        // The first time the connection's window is too small for all.
        target.feed(&window_update(0, 1 << 20));
        assert!((10_000..10_003).contains(&(target.sent[0] - sent)));
    }
    assert_eq!(target.neighbour, 30);
}

/// Many small frames on a few tunnels, for long.
#[test]
fn small_frames_on_tunnels() {
    let _alone = alone();
    let mut target = with_tunnels(10);
    for round in 0..300_000 {
        assert!(target.feed(&frame(Kind::DATA, 0, 1 + 2 * (round % 10), b"a")), "{:?}", target.error);
    }
    assert_eq!(target.neighbour, 30_000);
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// All of them end at once, by either side, with whatever is on its way.
#[test]
fn ten_thousand_tunnels_end_at_once() {
    let _alone = alone();
    for ours in [true, false] {
        let mut target = with_tunnels(10_000);
        let frames: Vec<u8> = (1..10_000)
            .flat_map(|round| {
                let id = 1 + 2 * round;
                let close = frame(Kind::DATA, 0, id, b"\x88\x02\x03\xe9");
                let end = frame(Kind::DATA, END_STREAM, id, &[]);
                [close, window_update(id, 9), end, reset(id, ErrorCode::CANCEL)].concat()
            })
            .collect();
        for index in 1..10_000 {
            let key = target.opened[index];
            match ours {
                true => target.connection.reset(key, ErrorCode::CANCEL),
                false => target.connection.finish(key).unwrap(),
            }
        }
        target.read();
        assert!(target.feed(&frames), "{:?}", target.error);
        target.assert_neighbour();
        assert_eq!(target.connection.open_streams(), 1);
    }
    let mut target = with_tunnels(10_000);
    let frames: Vec<u8> = (1..10_000).flat_map(|round| reset(1 + 2 * round, ErrorCode::CANCEL)).collect();
    assert!(target.feed(&frames), "{:?}", target.error);
    target.assert_neighbour();
    // A client, too.
    let mut target = Target::new(Role::Client, Config::default());
    (0..10_000).for_each(|_| target.open());
    target.read();
    let response = target.headers(1, &[(":status", "200")], 0);
    target.feed(&response);
    for index in 1..10_000 {
        let key = target.opened[index];
        target.connection.reset(key, ErrorCode::CANCEL);
    }
    let frames: Vec<u8> = (1..10_000)
        .flat_map(|round| {
            let id = 1 + 2 * round;
            let response = target.headers(id, &[(":status", "200")], 0);
            [
                response,
                window_update(id, 9),
                frame(Kind::DATA, 0, id, b"a"),
                frame(Kind::DATA, END_STREAM, id, &[]),
            ]
            .concat()
        })
        .collect();
    assert!(target.feed(&frames), "{:?}", target.error);
    target.assert_neighbour();
}

/// What we send by ourselves is nothing that the peer has brought about.
#[test]
fn all_tunnels_are_reset_before_anything_is_sent() {
    let _alone = alone();
    let mut target = with_tunnels(30_000);
    for index in 1..30_000 {
        let key = target.opened[index];
        target.connection.reset(key, ErrorCode::CANCEL);
    }
    target.reads = false;
    assert!(target.feed(&frame(Kind::PING, 0, 0, b"12345678")), "{:?}", target.error);
    target.read();
    assert_eq!(target.sent[3], 29_999);
    target.assert_neighbour();
}

/// Whoever has too many streams, and tries again for an hour.
#[test]
fn a_hundred_thousand_refused_streams_in_an_hour() {
    let _alone = alone();
    let mut target = Target::server(Config::default().max_concurrent_streams(1));
    let rounds = target.attack(100_000, |target, round| {
        target.now += Duration::from_millis(36);
        target.headers(id(round), &GET, END_STREAM)
    });
    assert_eq!(rounds, 100_000, "{:?}", target.error);
    assert_eq!(target.sent[3], 100_000);
    target.assert_neighbour();
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
    let mut target = Target::client(Config::default());
    for round in 0..100_000 {
        target.now += Duration::from_millis(36);
        target.open();
        target.read();
        assert!(target.feed(&reset(id(round), ErrorCode::REFUSED_STREAM)), "{:?}", target.error);
    }
    target.assert_neighbour();
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// A peer that measures, for hours.
#[test]
fn a_ping_in_each_round_trip() {
    let _alone = alone();
    for role in ROLES {
        let mut target = Target::of(role);
        let rounds = target.attack(200_000, |target, _| {
            target.now += Duration::from_millis(50);
            frame(Kind::PING, 0, 0, b"12345678")
        });
        assert_eq!(rounds, 200_000);
        assert_eq!(target.sent[6], 200_000);
        target.assert_neighbour();
        assert!(target.growth() < 16 * KIB, "{}", target.growth());
    }
}

/// A client that credits whatever it reads, piece by piece, of responses that have left as a whole long before.
#[test]
fn credits_that_come_late() {
    let _alone = alone();
    let mut target = Target::server(Config::default());
    target.feed(&[settings(&[(4, 1 << 30)]), window_update(0, 1 << 30)].concat());
    for round in 0..200 {
        let key = target.request(id(round), &GET, END_STREAM);
        target.connection.respond(key, ok(), false).unwrap();
        target.connection.send(key, vec![0; 1 << 20].into()).unwrap();
        target.connection.finish(key).unwrap();
        target.read();
        for _ in 0..256 {
            target.feed(&[window_update(0, 4096), window_update(id(round), 4096)].concat());
        }
        assert!(target.error.is_none(), "{round} {:?}", target.error);
    }
    target.assert_neighbour();
}

/// Uploads that are answered before they are whole, and then given up by the client.
#[test]
fn uploads_that_end_with_the_answer() {
    let _alone = alone();
    let mut target = Target::server(Config::default());
    let rounds = target.attack(10_000, |target, round| {
        let key = target.request(id(round), &POST, 0);
        target.connection.respond(key, ok(), true).unwrap();
        target.read();
        [frame(Kind::DATA, 0, id(round), b"content"), reset(id(round), ErrorCode::CANCEL)].concat()
    });
    assert_eq!(rounds, 10_000, "{:?}", target.error);
    target.assert_neighbour();
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// Settings that change now and then, and small requests, for a day.
#[test]
fn a_day_of_requests() {
    let _alone = alone();
    let mut target = Target::server(Config::default());
    let rounds = target.attack(80_000, |target, round| {
        target.now += Duration::from_secs(1);
        let key = target.request(id(round), &GET, END_STREAM);
        target.connection.respond(key, ok(), false).unwrap();
        target.connection.send(key, "body".into()).unwrap();
        target.connection.finish(key).unwrap();
        let mut frames = window_update(0, 4);
        if round % 60 == 0 {
            frames.extend(settings(&[(4, 1 << 20)]));
        }
        frames
    });
    assert_eq!(rounds, 80_000, "{:?}", target.error);
    target.assert_neighbour();
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// What comes in small pieces takes memory of its own, which it is given to its reader with; what goes takes none, if it is
/// that small.
#[test]
fn allocations_of_small_messages() {
    let _alone = alone();
    for (length, most) in [(10, 1), (64, 1), (200, 1), (512, 2), (3000, 1)] {
        let mut target = with_tunnels(10);
        target.reads = false;
        target.feed(&[settings(&[(4, 1 << 30)]), window_update(0, 1 << 30)].concat());
        let message = bytes::Bytes::from(vec![7; length]);
        let frames: Vec<_> = (0..10).map(|stream| frame(Kind::DATA, 0, 1 + 2 * stream, &message)).collect();
        let round = |target: &mut Target| {
            for (index, frame) in frames.iter().enumerate() {
                target.feed(frame);
                target.connection.send(target.opened[index], message.clone()).unwrap();
            }
            let output = target.connection.transmit(target.now);
            output.advance(output.remaining());
        };
        for _ in 0..10 {
            round(&mut target);
        }
        let before = target::allocations();
        for _ in 0..100 {
            round(&mut target);
        }
        let count = target::allocations() - before;
        // Of 1 000 messages in, and as many out.
        assert!(count <= most * 1000 + 20, "{length} {count}");
    }
}

/// A value whose code is as long as codes get, and what is held once the connection rests.
#[test]
fn what_a_field_block_took_is_given_back() {
    let _alone = alone();
    // RFC 7541 appendix B: 249 is 28 bits, all ones but for the last.
    let mut code = String::from("1111111111111111111111111110").repeat(3500);
    code += &"1".repeat((8 - code.len() % 8) % 8);
    let octets: Vec<u8> = code
        .as_bytes()
        .chunks(8)
        .map(|bits| bits.iter().fold(0, |octet, bit| octet << 1 | (bit - b'0')))
        .collect();
    // RFC 7541 §5.1, §6.2.2: a literal of its own name, its value in Huffman's code.
    let mut length = octets.len() - 127;
    let mut block = vec![0, 1, b'x', 0xff];
    while length >= 128 {
        block.push(length as u8 | 0x80);
        length >>= 7;
    }
    block.push(length as u8);
    block.extend(octets);

    let mut held_by = [0; 2];
    for (long, held_by) in [false, true].into_iter().zip(&mut held_by) {
        let before = target::held();
        let mut target = Target::new(Role::Server, Config::default());
        let mut fields = target.headers(1, &GET, 0).split_off(9);
        if long {
            fields.extend_from_slice(&block);
        }
        let request = frame(Kind::HEADERS, END_STREAM | END_HEADERS, 1, &fields);
        assert!(target.feed(&request), "{:?}", target.error);
        let key = target.opened.pop().unwrap();
        target.connection.reset(key, ErrorCode::CANCEL);
        target.read();
        target.input = <_>::default();
        drop((fields, request));
        target.connection.shrink();
        *held_by = target::held() - before;
    }
    assert!(held_by[1] < held_by[0] + 2 * KIB, "{held_by:?}");
}
