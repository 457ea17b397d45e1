//! What a hostile peer can bring about (RFC 9113 §10.5): each attack ends with the code that it should, holds no more memory
//! than it may, and until then nobody else on the connection notices.

mod common;
#[path = "common/target.rs"]
mod target;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use common::{GET, Wire, frame, ok, settings};
use http::Response;
use sheave_h2::frame::flag::{ACK, END_HEADERS, END_STREAM, PADDED};
use sheave_h2::frame::{Head, Kind};
use sheave_h2::{Config, Connection, ErrorCode, PREFACE, Role};
use target::{CALM, KIB, POST, REFUSAL, ROLES, Target, alone, held, id, reset, window_update};

/// CVE-2023-44487: requests that are taken back at once.
#[test]
fn rapid_reset() {
    let _alone = alone();
    for reads in [true, false] {
        // With and without a response that is under way.
        for answers in [true, false] {
            let mut target = Target::server(Config::default());
            target.reads = reads;
            let attack = |target: &mut Target, round: u32| {
                let cancel = reset(id(round), ErrorCode::CANCEL);
                if !answers {
                    return [target.headers(id(round), &GET, END_STREAM), cancel].concat();
                }
                let key = target.request(id(round), &GET, END_STREAM);
                target.connection.respond(key, ok(), false).unwrap();
                target.connection.send(key, vec![0; 10_000].into()).unwrap();
                cancel
            };
            target.assert_borne("", 900, 50..=150, attack);
            assert!(target.growth() < 256 * KIB, "{}", target.growth());
        }
    }
    // What is rare is borne for ever.
    let mut target = Target::server(Config::default());
    target.attack(100_000, |target, round| {
        target.now += Duration::from_millis(40);
        let mut frames = target.headers(id(round), &GET, END_STREAM);
        frames.extend(reset(id(round), ErrorCode::CANCEL));
        frames
    });
    target.assert_neighbour();
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// CVE-2025-8671: requests that we are made to reset.
#[test]
fn made_you_reset() {
    let _alone = alone();
    type Attack = fn(&mut Target, u32) -> Vec<u8>;
    let attacks: &[(&str, Attack)] = &[
        ("a window that overflows", |target, id| {
            let mut frames = target.headers(id, &GET, END_STREAM);
            frames.extend(window_update(id, (1 << 31) - 1));
            frames
        }),
        ("a window increment of 0", |target, id| {
            let mut frames = target.headers(id, &GET, END_STREAM);
            frames.extend(window_update(id, 0));
            frames
        }),
        ("DATA on a half-closed stream", |target, id| {
            let mut frames = target.headers(id, &GET, END_STREAM);
            frames.extend(frame(Kind::DATA, 0, id, b"a"));
            frames
        }),
        ("HEADERS on a half-closed stream", |target, id| {
            let mut frames = target.headers(id, &GET, END_STREAM);
            frames.extend(target.headers(id, &GET, END_STREAM));
            frames
        }),
        ("DATA on a stream that was reset", |target, id| {
            let mut frames = target.headers(id, &GET, END_STREAM);
            frames.extend(reset(id, ErrorCode::CANCEL));
            frames.extend(frame(Kind::DATA, 0, id, b"a"));
            frames
        }),
        ("PRIORITY of a wrong length", |target, id| {
            let mut frames = target.headers(id, &GET, 0);
            frames.extend(frame(Kind::PRIORITY, 0, id, b"abc"));
            frames
        }),
        ("content-length", |target, id| {
            let fields = [&POST[..], &[("content-length", "1")]].concat();
            let mut frames = target.headers(id, &fields, 0);
            frames.extend(frame(Kind::DATA, 0, id, b"ab"));
            frames
        }),
        ("trailers that do not end", |target, id| {
            let mut frames = target.headers(id, &POST, 0);
            frames.extend(target.headers(id, &[("a", "b")], 0));
            frames
        }),
        ("a connection-specific field", |target, id| {
            let fields = [&GET[..], &[("connection", "close")]].concat();
            target.headers(id, &fields, END_STREAM)
        }),
        ("upper case", |target, id| {
            let fields = [&GET[..], &[("Upper", "case")]].concat();
            target.headers(id, &fields, END_STREAM)
        }),
        ("a pseudo-header field twice", |target, id| {
            let fields = [&GET[..], &GET[..1]].concat();
            target.headers(id, &fields, END_STREAM)
        }),
        ("a late pseudo-header field", |target, id| {
            let fields = [&GET[1..], &[("a", "b")], &GET[..1]].concat();
            target.headers(id, &fields, END_STREAM)
        }),
        ("nothing", |target, id| target.headers(id, &[], END_STREAM)),
        ("more fields than are borne", |target, id| {
            let fields = [&GET[..], &vec![("a", ""); 2200]].concat();
            target.headers(id, &fields, END_STREAM)
        }),
        ("more fields than are borne, and content", |target, id| {
            let fields = [&GET[..], &vec![("a", ""); 2200]].concat();
            let mut frames = target.headers(id, &fields, 0);
            frames.extend(frame(Kind::DATA, 0, id, b"a"));
            frames
        }),
    ];
    for (name, attack) in attacks {
        for reads in [true, false] {
            let mut target = Target::server(Config::default());
            target.reads = reads;
            let before = if *name == "DATA on a stream that was reset" { 450 } else { 900 };
            target.assert_borne(name, before, ..=150, |target, round| attack(target, id(round)));
            // Content of one request at a time, and what waits to be sent.
            assert!(target.growth() < 512 * KIB, "{name} {}", target.growth());
        }
    }
}

/// CVE-2024-27316
#[test]
fn continuation_flood() {
    let _alone = alone();
    for role in ROLES {
        for piece in [&[][..], &[0x82][..], &[0x40; 16_384], &[0x82; 16_384]] {
            let mut target = Target::of(role);
            let on = if role == Role::Server { 3 } else { 1 };
            target.feed(&frame(Kind::HEADERS, 0, on, &[]));
            // A name and a value without an end.
            let mut first = vec![0x40, 0x7f, 0x80, 0x80, 0x80, 0x01];
            first.extend(vec![b'a'; 10_000]);
            let first = if piece.first() == Some(&0x40) { first } else { Vec::new() };
            target.feed(&frame(Kind::CONTINUATION, 0, on, &first));
            let rounds = target.attack(100, |_, _| frame(Kind::CONTINUATION, 0, on, piece));
            assert_eq!(rounds, 8, "{:?}", target.error);
            assert_eq!(target.goaway, CALM);
            assert!(target.growth() < 640 * KIB, "{}", target.growth());
        }
    }
}

/// CVE-2019-9512, CVE-2019-9515: what has to be answered, by a peer that reads nothing.
#[test]
fn answers_that_nobody_reads() {
    let _alone = alone();
    for (name, bytes) in [
        ("PING", frame(Kind::PING, 0, 0, b"12345678")),
        ("SETTINGS", settings(&[])),
        ("SETTINGS that change a window", settings(&[(4, 0), (4, 1 << 20)])),
    ] {
        for role in ROLES {
            let mut target = Target::of(role).deaf();
            target.assert_borne(name, 900, 1001..=1001, |_, _| bytes.clone());
            assert!(target.growth() < 64 * KIB, "{name} {}", target.growth());
        }
    }
}

/// Frames that are allowed and mean nothing, read or not.
#[test]
fn frames_for_nothing() {
    let _alone = alone();
    let padding = [&[9][..], &[0; 9]].concat();
    for (name, bytes) in [
        // CVE-2019-9518
        ("empty DATA", frame(Kind::DATA, 0, 1, &[])),
        ("DATA of padding alone", frame(Kind::DATA, PADDED, 1, &padding)),
        ("SETTINGS", settings(&[(1, 0), (1, 4096)])),
        // CVE-2019-9513
        ("PRIORITY", frame(Kind::PRIORITY, 0, 7, &[0, 0, 0, 0, 9])),
        ("PRIORITY of an idle stream", frame(Kind::PRIORITY, 0, 1 << 30, &[0, 0, 0, 0, 9])),
        ("unknown frames", frame(Kind::new(0xbb), 0, 1, b"grease")),
        ("PING ACK", frame(Kind::PING, ACK, 0, b"12345678")),
        ("SETTINGS ACK", frame(Kind::SETTINGS, ACK, 0, &[])),
        ("GOAWAY", frame(Kind::GOAWAY, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
    ] {
        for role in ROLES {
            let mut target = Target::of(role);
            target.assert_borne(name, 9_000, 900..=1100, |_, _| bytes.clone());
            assert!(target.growth() < 64 * KIB, "{name} {}", target.growth());
            assert!(target.went <= 2 * target.came + KIB, "{name} {} {}", target.went, target.came);
        }
    }
    for (name, bytes) in [
        ("RST_STREAM", reset(3, ErrorCode::CANCEL)),
        ("WINDOW_UPDATE", window_update(3, 1)),
        ("END_STREAM", frame(Kind::DATA, END_STREAM, 3, &[])),
        ("PRIORITY_UPDATE", frame(Kind::PRIORITY_UPDATE, 0, 0, &[&[0, 0, 0, 3][..], b"u=1"].concat())),
    ] {
        // Of a stream that we have reset.
        let mut target = Target::server(Config::default());
        let key = target.request(3, &POST, 0);
        target.connection.reset(key, ErrorCode::CANCEL);
        target.assert_borne(name, 9_000, 900..=1100, |_, _| bytes.clone());
        assert!(target.growth() < 64 * KIB, "{name} {}", target.growth());
    }
}

/// RFC 9113 §8.1: HEADERS without fields.
#[test]
fn empty_headers() {
    let _alone = alone();
    // As trailers that do not end they are malformed; as a request too. Both are among those that made us reset; on a stream
    // that has ended they end the connection.
    let mut target = Target::server(Config::default());
    target.feed(&frame(Kind::HEADERS, END_HEADERS, 1, &[]));
    assert_eq!(target.reset, REFUSAL);
    let mut target = Target::server(Config::default());
    let rounds =
        target.attack(10_000, |_, round| frame(Kind::HEADERS, END_HEADERS | END_STREAM, id(round), &[]));
    assert_eq!((rounds, target.goaway), (1001, CALM));
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
    // On streams that were reset.
    let mut target = Target::server(Config::default());
    let rounds = target.attack(100_000, |_, _| frame(Kind::HEADERS, END_HEADERS, 3, &[]));
    assert_eq!(target.goaway, CALM);
    assert!(rounds <= 10_010, "{rounds}");
}

/// The same for hours, where there may be any number of streams.
#[test]
fn priorities_of_any_number_of_streams() {
    let _alone = alone();
    let mut target = Target::server(Config::default().max_concurrent_streams(u32::MAX));
    let rounds = target.attack(100_000, |target, round| {
        target.now += Duration::from_millis(4);
        frame(Kind::PRIORITY_UPDATE, 0, 0, &[&id(round).to_be_bytes()[..], b"u=1"].concat())
    });
    assert_eq!(rounds, 100_000, "{:?}", target.error);
    target.assert_neighbour();
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// Requests behind the GOAWAY that says that none is taken any more: they are neither served nor borne for ever.
#[test]
fn requests_behind_the_end() {
    let _alone = alone();
    let mut target = Target::server(Config::default());
    target.connection.shutdown(target.now);
    target.now += Duration::from_secs(5);
    target.connection.handle_timeout(target.now).unwrap();
    target.read();
    target.assert_borne("", 9_000, 900..=1100, |target, round| target.headers(id(round), &GET, 0));
    assert_eq!(target.opened.len(), 1);
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// A peer that opens no windows, or tiny ones (CVE-2019-9511, CVE-2019-9517).
#[test]
fn windows_that_are_closed() {
    let _alone = alone();
    let mut target = Target::server(Config::default());
    target.feed(&settings(&[(4, 0)]));
    for round in 0..99 {
        let key = target.request(id(round), &GET, END_STREAM);
        target.connection.respond(key, ok(), false).unwrap();
        target.connection.send(key, vec![0; 1000].into()).unwrap();
        target.read();
    }
    assert_eq!(target.sent[0], 0);
    // The user is told how much has left: nothing; so it queues no more. No more streams are taken.
    let request = target.headers(id(99), &GET, END_STREAM);
    target.feed(&request);
    assert_eq!(target.reset, Some(ErrorCode::REFUSED_STREAM));
    // The neighbour gets a window.
    target.feed(&window_update(1, 100));
    target.assert_neighbour();
    // One byte at a time: what goes is in proportion to what comes, and others do not wait.
    let (came, went) = (target.came, target.went);
    assert_eq!(target.attack(50_000, |_, round| window_update(id(round % 99), 1)), 50_000);
    assert!(target.went - went <= target.came - came);
    assert_eq!(target.sent[0], 50_001);
    target.assert_neighbour();
    assert!(target.growth() < 512 * KIB, "{}", target.growth());
}

/// A window that is opened and closed by settings, with many streams that wait for it.
#[test]
fn initial_windows_that_flap() {
    let _alone = alone();
    let mut target = Target::server(Config::default());
    target.feed(&settings(&[(4, 0)]));
    target.feed(&window_update(1, 1 << 20));
    for round in 0..99 {
        let key = target.request(id(round), &GET, END_STREAM);
        target.connection.respond(key, ok(), false).unwrap();
        target.connection.send(key, vec![0; 1000].into()).unwrap();
    }
    let rounds = target.attack(100_000, |_, round| settings(&[(4, round % 2)]));
    assert!(rounds < 10_100, "{rounds}");
    assert_eq!(target.goaway, CALM);
    assert_eq!(target.sent[0], 99);
    assert!(target.growth() < 512 * KIB, "{}", target.growth());
}

/// Few bytes that mean many (RFC 7541 §7.3).
#[test]
fn hpack_bomb() {
    let _alone = alone();
    for role in ROLES {
        let mut target = Target::of(role);
        let on = if role == Role::Server { 3 } else { 1 };
        // An entry as large as the table, and then nothing but its index.
        let length = 4096 - 32 - 1;
        let mut block = vec![0x3f, 0xe1, 0x1f, 0x40, 0x01, b'a', 0x7f];
        block.extend([((length - 127) & 0x7f) as u8 | 0x80, ((length - 127) >> 7) as u8]);
        block.extend(vec![b'b'; length]);
        block.extend(vec![0xbe; 10_000]);
        target.feed(&frame(Kind::HEADERS, END_HEADERS | END_STREAM, on, &block));
        // 41 MB of fields: a stream error, or a status.
        assert!(target.error.is_none(), "{:?}", target.error);
        match role {
            Role::Server => assert_eq!(target.sent[1], 2),
            Role::Client => assert_eq!(target.reset, REFUSAL),
        }
        assert!(target.growth() < 320 * KIB, "{}", target.growth());
        if role == Role::Server {
            target.assert_neighbour();
        }
    }
}

/// Tables that are made large and small again and again.
#[test]
fn tables_that_flap() {
    let _alone = alone();
    // Ours, by the peer's settings, while there is something to encode.
    let mut target = Target::server(Config::default());
    let rounds = target.attack(4_000, |target, round| {
        let mut frames = settings(&[(1, 0), (1, u32::MAX), (1, [0, 100, 4096, 1 << 30][round as usize % 4])]);
        frames.extend(target.headers(id(round), &GET, END_STREAM));
        if let [_, .., key] = target.opened[..] {
            let response = Response::builder().header("large", "v".repeat(round as usize % 3000));
            target.connection.respond(key, response.body(()).unwrap().into_parts().0, true).unwrap();
        }
        target.opened.truncate(1);
        frames
    });
    assert_eq!(rounds, 4_000, "{:?}", target.error);
    target.assert_neighbour();
    assert!(target.growth() < 128 * KIB, "{}", target.growth());
    // The peer's, by updates in front of each block.
    let mut target = Target::server(Config::default());
    let rounds = target.attack(900, |target, round| {
        let mut block = vec![0x20, 0x3f, 0xe1, 0x1f];
        let get = target.headers(id(round), &GET, 0);
        block.extend(&get[Head::LENGTH..]);
        let mut frames = frame(Kind::HEADERS, END_HEADERS | END_STREAM, id(round), &block);
        frames.extend(reset(id(round), ErrorCode::CANCEL));
        frames
    });
    assert_eq!(rounds, 900, "{:?}", target.error);
    target.assert_neighbour();
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// Interim responses without an end.
#[test]
fn interim_responses() {
    let _alone = alone();
    let mut target = Target::client(Config::default());
    target.open();
    target.read();
    let interim = target.headers(3, &[(":status", "103"), ("link", "</a>")], 0);
    target.attack(9, |_, _| interim.clone());
    assert_eq!(target.reset, CALM);
    // What follows is ignored, and borne for a while.
    let rounds = target.attack(100_000, |_, _| interim.clone());
    assert!(rounds <= 10_010, "{rounds}");
    assert_eq!(target.goaway, CALM);
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// RFC 9218 §7.1
#[test]
fn priorities_of_streams_that_never_come() {
    let _alone = alone();
    let priority_update =
        |id: u32| frame(Kind::PRIORITY_UPDATE, 0, 0, &[&id.to_be_bytes()[..], b"u=1"].concat());
    let mut target = Target::server(Config::default());
    // One stream is open of the 100 that may be.
    assert_eq!(target.attack(99, |_, round| priority_update(id(round))), 99);
    target.assert_neighbour();
    assert_eq!(target.attack(99, |_, round| priority_update(id(round))), 99);
    assert!(!target.feed(&priority_update(id(99))));
    assert_eq!(target.goaway, REFUSAL);
    assert!(target.growth() < 16 * KIB, "{}", target.growth());
    // Those that never came do not count once a higher one is open.
    let mut target = Target::server(Config::default());
    target.attack(50, |_, round| priority_update(id(round)));
    let request = target.headers(id(60), &GET, END_STREAM);
    target.feed(&request);
    assert_eq!(target.attack(98, |_, round| priority_update(id(100 + round))), 98);
    assert!(!target.feed(&priority_update(id(200))));
    // A client that does not know the limit yet is not ended by it; nor is all of that kept.
    let now = Instant::now();
    let mut connection = Connection::new(Role::Server, Config::default(), now);
    let mut input = BytesMut::from(&PREFACE[..]);
    input.extend_from_slice(&settings(&[]));
    (0..5000).for_each(|round| input.extend_from_slice(&priority_update(id(round))));
    let before = held();
    while connection.recv(&mut input, now).unwrap().is_some() {}
    assert!(held() < before + 16 * KIB);
    // Churn of one that is open.
    let mut target = Target::server(Config::default());
    let rounds = target.attack(100_000, |_, round| {
        let value = [&b"u=1"[..], b"u=2, i", b""][round as usize % 3];
        frame(Kind::PRIORITY_UPDATE, 0, 0, &[&[0, 0, 0, 1][..], value].concat())
    });
    assert!((9_990..=10_010).contains(&rounds), "{rounds}");
    assert_eq!(target.goaway, CALM);
}

/// RFC 9113 §5.1.1
#[test]
fn streams_of_wrong_numbers() {
    let _alone = alone();
    for wrong in [2, 4, 3, 5] {
        let mut target = Target::server(Config::default());
        let request = target.headers(7, &GET, END_STREAM);
        assert!(target.feed(&request));
        let request = target.headers(wrong, &GET, END_STREAM);
        assert!(!target.feed(&request));
        assert_eq!(target.goaway, REFUSAL, "{wrong}");
    }
    for wrong in [2, 3, 5] {
        let mut target = Target::client(Config::default());
        let response = target.headers(wrong, &[(":status", "200")], 0);
        assert!(!target.feed(&response));
        assert_eq!(target.goaway, REFUSAL, "{wrong}");
    }
}

/// More streams than there may be, by a peer that does not read that they are refused.
#[test]
fn refused_streams() {
    let _alone = alone();
    let mut target = Target::server(Config::default().max_concurrent_streams(1)).deaf();
    let attack = |target: &mut Target, round| target.headers(id(round), &GET, END_STREAM);
    target.assert_borne("", 900, 101..=101, attack);
    assert_eq!(target.reset, Some(ErrorCode::REFUSED_STREAM));
    assert!(target.growth() < 64 * KIB, "{}", target.growth());
}

/// A server that promises and promises.
#[test]
fn push_flood() {
    let _alone = alone();
    let promise = |target: &mut Target, round: u32| {
        let block = target.headers(0, &GET, 0)[Head::LENGTH..].to_vec();
        let payload = [&(2 + 2 * round).to_be_bytes()[..], &block].concat();
        frame(Kind::PUSH_PROMISE, END_HEADERS, 1, &payload)
    };
    let mut target = Target::client(Config::default());
    assert_eq!(target.attack(10, promise), 1);
    assert_eq!(target.goaway, REFUSAL);
    let mut target = Target::client(Config::default().enable_push(true));
    assert_eq!(target.attack(900, promise), 900);
    assert!(target.connection.open_streams() <= 200);
    target.assert_neighbour();
    let rounds = target.attack(10_000, |target, round| promise(target, 900 + round));
    assert!(rounds < 400, "{rounds}");
    assert_eq!(target.goaway, CALM);
    assert!(target.growth() < 256 * KIB, "{}", target.growth());
}

/// Content that nobody reads is no more than the windows: here a stream's, which stops nobody else.
#[test]
fn content_that_nobody_reads() {
    let _alone = alone();
    let mut wire = Wire::server(Config::default());
    wire.request(1, 0);
    wire.request(3, 0);
    wire.releases = false;
    let full = vec![0; 16_384];
    for _ in 0..3 {
        wire.data(1, &full, 0);
    }
    wire.data(1, &full[..16_383], 0);
    assert!(wire.error.is_none());
    wire.releases = true;
    // The sibling reads, and goes on for as long as it likes.
    for _ in 0..10_000 {
        wire.data(3, &full, 0);
        wire.frames();
    }
    assert!(wire.error.is_none(), "{:?}", wire.error);
    wire.events();
    wire.data(1, b"a", 0);
    assert_eq!(wire.events(), ["reset 1 FLOW_CONTROL_ERROR"]);
}
