//! Streams: their states, their numbers and how many there may be (RFC 9113 §5.1).

mod common;

use common::{CUTS, GET, Wire, ok};
use http::Request;
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::{END_HEADERS, END_STREAM};
use sheave_h2::{Config, Error, ErrorCode, Role, StreamKey};

/// What came of a frame on a stream.
fn outcome(wire: &mut Wire, id: u32) -> String {
    let (events, mut frames) = (wire.events(), wire.frames());
    // What was still to be sent is no answer.
    frames.retain(|frame| !frame.starts_with("HEADERS "));
    if let Some(code) = wire.code() {
        assert!(frames.last().unwrap().ends_with(&code.to_string()), "{frames:?}");
        return format!("connection {code}");
    }
    if let Some(reset) = frames.iter().find_map(|frame| frame.strip_prefix(&format!("RST_STREAM {id} "))) {
        return format!("stream {reset}");
    }
    assert_eq!(frames, [""; 0], "nothing else is answered");
    if events.is_empty() { "nothing".into() } else { "told".into() }
}

const FRAMES: [&str; 8] = [
    "HEADERS",
    "HEADERS END_STREAM",
    "DATA",
    "DATA END_STREAM",
    "RST_STREAM",
    "WINDOW_UPDATE",
    "PRIORITY",
    "unknown",
];

fn frame(wire: &mut Wire, frame: &str, id: u32, fields: &[(&str, &str)]) {
    match frame {
        "HEADERS" => wire.headers(id, fields, 0),
        "HEADERS END_STREAM" => wire.headers(id, fields, END_STREAM),
        "DATA" => wire.data(id, b"x", 0),
        "DATA END_STREAM" => wire.data(id, b"x", END_STREAM),
        "RST_STREAM" => wire.reset(id, ErrorCode::CANCEL),
        "WINDOW_UPDATE" => wire.window_update(id, 1),
        "PRIORITY" => wire.frame(Kind::PRIORITY, 0, id, b"\0\0\0\0\x0f"),
        "unknown" => wire.frame(Kind::new(0xbe), 0xff, id, b"x"),
        "PUSH_PROMISE" => wire.promise(id, 6, &GET),
        _ => panic!("{frame}"),
    }
}

/// A server that has a stream in this state, which is told by its number.
fn server(state: &str, cut: usize) -> (Wire, u32) {
    let mut wire = Wire::server(Config::default()).cut(cut);
    let answer = |wire: &mut Wire, key: StreamKey| {
        wire.respond(key, true);
        wire.frames();
    };
    let id = match state {
        "idle" => 1,
        "idle, of the server" => 2,
        "reserved (local)" => {
            let key = wire.request(1, 0);
            promise(&mut wire, key);
            wire.frames();
            2
        }
        "half-closed (remote), promised" => {
            let key = wire.request(1, 0);
            let promised = promise(&mut wire, key);
            wire.respond(promised, false);
            wire.frames();
            2
        }
        "open" => {
            wire.request(1, 0);
            1
        }
        "half-closed (local)" => {
            let key = wire.request(1, 0);
            answer(&mut wire, key);
            1
        }
        "half-closed (remote)" => {
            wire.request(1, END_STREAM);
            1
        }
        "closed, ended there first" => {
            let key = wire.request(1, END_STREAM);
            answer(&mut wire, key);
            1
        }
        "closed, ended here first" => {
            let key = wire.request(1, 0);
            answer(&mut wire, key);
            wire.data(1, b"", END_STREAM);
            1
        }
        "closed, reset here" => {
            let key = wire.request(1, 0);
            wire.connection.reset(key, ErrorCode::CANCEL);
            1
        }
        "closed, reset by an error" => {
            wire.request(1, 0);
            wire.window_update(1, 0);
            1
        }
        "closed, refused" => {
            let now = wire.now;
            wire.connection.set_max_concurrent_streams(0, now);
            wire.headers(1, &GET, 0);
            wire.connection.set_max_concurrent_streams(100, now);
            1
        }
        "closed, reset there" => {
            wire.request(1, 0);
            wire.reset(1, ErrorCode::CANCEL);
            1
        }
        "closed, never opened" => {
            wire.request(5, 0);
            3
        }
        "closed, long ago" => {
            for id in 0..1100 {
                let key = wire.request(2 * id + 1, END_STREAM);
                answer(&mut wire, key);
            }
            1
        }
        "left out" => {
            wire.request(1, 0);
            shut_down(&mut wire);
            3
        }
        _ => panic!("{state}"),
    };
    wire.events();
    wire.frames();
    (wire, id)
}

/// Both steps.
fn shut_down(wire: &mut Wire) {
    wire.connection.shutdown(wire.now);
    wire.frames();
    wire.advance(std::time::Duration::from_secs(60));
    wire.connection.handle_timeout(wire.now).unwrap();
}

fn promise(wire: &mut Wire, key: StreamKey) -> StreamKey {
    let request = Request::get("https://example.org/pushed").body(()).unwrap();
    wire.connection.promise(key, request.into_parts().0).unwrap()
}

const TOLD: &str = "told";
const NOTHING: &str = "nothing";
const PROTOCOL: &str = "connection PROTOCOL_ERROR";
const GONE: &str = "connection STREAM_CLOSED";
const CLOSED: &str = "stream STREAM_CLOSED";
const MALFORMED: &str = "stream PROTOCOL_ERROR";

#[test]
#[rustfmt::skip]
fn of_a_server() {
    let table = [
        //                                 HEADERS    + END_STREAM DATA      + END_STREAM RST_STREAM WINDOW_UPDATE
        ("idle",                           [TOLD,      TOLD,      PROTOCOL, PROTOCOL,    PROTOCOL,  PROTOCOL]),
        ("idle, of the server",            [PROTOCOL,  PROTOCOL,  PROTOCOL, PROTOCOL,    PROTOCOL,  PROTOCOL]),
        ("reserved (local)",               [PROTOCOL,  PROTOCOL,  PROTOCOL, PROTOCOL,    TOLD,      NOTHING]),
        ("half-closed (remote), promised", [CLOSED,    CLOSED,    CLOSED,   CLOSED,      TOLD,      NOTHING]),
        // §8.1: trailers end the stream.
        ("open",                           [MALFORMED, TOLD,      TOLD,     TOLD,        TOLD,      NOTHING]),
        ("half-closed (local)",            [MALFORMED, TOLD,      TOLD,     TOLD,        TOLD,      NOTHING]),
        ("half-closed (remote)",           [CLOSED,    CLOSED,    CLOSED,   CLOSED,      TOLD,      NOTHING]),
        ("closed, ended there first",      [GONE,      GONE,      GONE,     GONE,        NOTHING,   NOTHING]),
        ("closed, ended here first",       [GONE,      GONE,      GONE,     GONE,        NOTHING,   NOTHING]),
        ("closed, reset here",             [NOTHING,   NOTHING,   NOTHING,  NOTHING,     NOTHING,   NOTHING]),
        ("closed, reset by an error",      [NOTHING,   NOTHING,   NOTHING,  NOTHING,     NOTHING,   NOTHING]),
        ("closed, refused",                [NOTHING,   NOTHING,   NOTHING,  NOTHING,     NOTHING,   NOTHING]),
        ("closed, reset there",            [CLOSED,    CLOSED,    CLOSED,   CLOSED,      NOTHING,   NOTHING]),
        ("closed, never opened",           [PROTOCOL,  PROTOCOL,  CLOSED,   CLOSED,      NOTHING,   NOTHING]),
        ("closed, long ago",               [NOTHING,   NOTHING,   NOTHING,  NOTHING,     NOTHING,   NOTHING]),
        ("left out",                       [NOTHING,   NOTHING,   NOTHING,  NOTHING,     NOTHING,   NOTHING]),
    ];
    for (state, outcomes) in table {
        let fields: &[_] = if state == "idle" { &GET } else { &[("a", "b")] };
        check(state, fields, &outcomes, server);
    }
}

fn check(state: &str, fields: &[(&str, &str)], outcomes: &[&str], build: fn(&str, usize) -> (Wire, u32)) {
    for cut in CUTS {
        for (what, expected) in FRAMES.into_iter().zip(outcomes.iter().chain(&[NOTHING; 2])) {
            let (mut wire, id) = build(state, cut);
            frame(&mut wire, what, id, fields);
            assert_eq!(outcome(&mut wire, id), *expected, "{state}: {what}, cut at {cut}");
            if wire.error.is_none() && wire.connection.role() == Role::Server && state != "left out" {
                // All others go on, and the tables of both sides are the same.
                let id = 3001;
                wire.headers(id, &GET, END_STREAM);
                assert_eq!(wire.events(), [format!("request {id} GET https://example.org/ end")]);
            }
        }
    }
}

/// A client that has a stream in this state.
fn client(state: &str, cut: usize) -> (Wire, u32) {
    let mut wire = Wire::client(Config::default().enable_push(true)).cut(cut);
    let id = match state {
        "idle" => 1,
        "idle, of the server" => 4,
        "not sent yet" => {
            let request = Request::get("https://example.org/").body(()).unwrap();
            wire.connection.open(request.into_parts().0, false).unwrap();
            wire.events();
            return (wire, 1);
        }
        "open" => {
            wire.open(false);
            1
        }
        "half-closed (local)" => {
            wire.open(true);
            1
        }
        "half-closed (remote)" => {
            wire.open(false);
            wire.headers(1, &[(":status", "200")], END_STREAM);
            1
        }
        "reserved (remote)" => {
            wire.open(true);
            wire.promise(1, 2, &GET);
            2
        }
        "half-closed (local), promised" => {
            wire.open(true);
            wire.promise(1, 2, &GET);
            wire.headers(2, &[(":status", "200")], 0);
            2
        }
        "closed" => {
            wire.open(true);
            wire.headers(1, &[(":status", "200")], END_STREAM);
            1
        }
        "closed, reset here" => {
            let key = wire.open(false);
            wire.connection.reset(key, ErrorCode::CANCEL);
            1
        }
        "closed, reset there" => {
            wire.open(true);
            wire.reset(1, ErrorCode::CANCEL);
            1
        }
        "closed, refused promise" => {
            wire.open(true);
            wire.reset(1, ErrorCode::CANCEL);
            let key = wire.open(true);
            wire.promise(3, 2, &GET);
            wire.connection.reset(key, ErrorCode::CANCEL);
            // Of a stream that is reset.
            wire.promise(3, 4, &GET);
            4
        }
        "closed, never promised" => {
            wire.open(true);
            wire.promise(1, 4, &GET);
            2
        }
        _ => panic!("{state}"),
    };
    wire.events();
    wire.frames();
    (wire, id)
}

#[test]
#[rustfmt::skip]
fn of_a_client() {
    let table = [
        //                                HEADERS   + END_STREAM DATA      + END_STREAM RST_STREAM WINDOW_UPDATE
        ("idle",                          [PROTOCOL, PROTOCOL,  PROTOCOL,  PROTOCOL,    PROTOCOL,  PROTOCOL]),
        ("idle, of the server",           [PROTOCOL, PROTOCOL,  PROTOCOL,  PROTOCOL,    PROTOCOL,  PROTOCOL]),
        ("not sent yet",                  [PROTOCOL, PROTOCOL,  PROTOCOL,  PROTOCOL,    PROTOCOL,  PROTOCOL]),
        // §8.1: no content before the response.
        ("open",                          [TOLD,     TOLD,      MALFORMED, MALFORMED,   TOLD,      NOTHING]),
        ("half-closed (local)",           [TOLD,     TOLD,      MALFORMED, MALFORMED,   TOLD,      NOTHING]),
        ("half-closed (remote)",          [CLOSED,   CLOSED,    CLOSED,    CLOSED,      TOLD,      NOTHING]),
        ("reserved (remote)",             [TOLD,     TOLD,      PROTOCOL,  PROTOCOL,    TOLD,      PROTOCOL]),
        ("closed",                        [GONE,     GONE,      GONE,      GONE,        NOTHING,   NOTHING]),
        ("closed, reset here",            [NOTHING,  NOTHING,   NOTHING,   NOTHING,     NOTHING,   NOTHING]),
        ("closed, reset there",           [CLOSED,   CLOSED,    CLOSED,    CLOSED,      NOTHING,   NOTHING]),
        ("closed, refused promise",       [NOTHING,  NOTHING,   NOTHING,   NOTHING,     NOTHING,   NOTHING]),
        ("closed, never promised",        [PROTOCOL, PROTOCOL,  CLOSED,    CLOSED,      NOTHING,   NOTHING]),
    ];
    for (state, outcomes) in table {
        check(state, &[(":status", "200")], &outcomes, client);
    }
}

/// §6.6, §8.4: where a promise may be made.
#[test]
fn promises() {
    for cut in CUTS {
        for (state, expected) in [
            ("idle", PROTOCOL),
            ("not sent yet", PROTOCOL),
            ("open", TOLD),
            ("half-closed (local)", TOLD),
            ("half-closed (remote)", PROTOCOL),
            ("reserved (remote)", PROTOCOL),
            ("half-closed (local), promised", PROTOCOL),
            ("closed", PROTOCOL),
            ("closed, reset there", PROTOCOL),
        ] {
            let (mut wire, id) = client(state, cut);
            frame(&mut wire, "PUSH_PROMISE", id, &[]);
            assert_eq!(outcome(&mut wire, id), expected, "{state}");
        }
        let (mut wire, id) = client("closed, reset here", cut);
        frame(&mut wire, "PUSH_PROMISE", id, &[]);
        assert_eq!(outcome(&mut wire, 6), "stream CANCEL");

        // Of a stream that was promised before, or that is below one that was.
        for id in [2, 4] {
            let mut wire = Wire::client(Config::default().enable_push(true)).cut(cut);
            wire.open(true);
            wire.promise(1, 4, &GET);
            assert_eq!(wire.events(), ["promise 1 4 https://example.org/"]);
            wire.promise(1, id, &GET);
            assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR), "{id}");
        }
        // From a client.
        let mut wire = Wire::server(Config::default()).cut(cut);
        wire.request(1, 0);
        wire.promise(1, 2, &GET);
        assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR));
        // §6.5.2: to a client that takes none, and of which the server knows that; or not yet.
        let mut wire = Wire::client(Config::default()).cut(cut);
        wire.open(true);
        wire.promise(1, 2, &GET);
        assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR));
        let mut wire = Wire::new(Role::Client, Config::default()).cut(cut);
        wire.settings(&[]);
        wire.open(true);
        wire.events();
        wire.promise(1, 2, &GET);
        assert_eq!((outcome(&mut wire, 2), wire.events()), ("stream REFUSED_STREAM".into(), vec![]));
    }
}

/// After the end of all it receives, a stream does not hear the same again: one RST_STREAM, then nothing.
#[test]
fn one_error_is_enough() {
    for cut in CUTS {
        let (mut wire, id) = server("half-closed (remote)", cut);
        for _ in 0..3 {
            wire.data(id, b"x", 0);
        }
        wire.headers(id, &[("a", "b")], END_STREAM);
        wire.window_update(id, 0x7fff_ffff);
        assert_eq!(wire.frames(), ["RST_STREAM 1 STREAM_CLOSED"]);
        assert_eq!(wire.events(), ["reset 1 STREAM_CLOSED"]);
    }
}

/// §5.4.2: what is wrong on a closed stream is said once at most.
#[test]
fn errors_on_closed_streams() {
    for cut in CUTS {
        for (state, resets) in [
            ("closed, reset here", 0),
            ("closed, reset by an error", 0),
            ("closed, reset there", 1),
            ("closed, ended here first", 1),
            ("closed, never opened", 1),
        ] {
            let (mut wire, id) = server(state, cut);
            for _ in 0..3 {
                wire.window_update(id, 0);
                wire.frame(Kind::PRIORITY, 0, id, b"");
            }
            assert_eq!(wire.frames(), vec![format!("RST_STREAM {id} PROTOCOL_ERROR"); resets], "{state}");
            assert_eq!(wire.events(), [""; 0]);
            assert!(wire.error.is_none());
        }
    }
}

/// The key of a stream that is closed means nothing, and not the stream that has its place now.
#[test]
fn keys_of_closed_streams() {
    let mut wire = Wire::server(Config::default());
    let old = wire.request(1, 0);
    wire.reset(1, ErrorCode::CANCEL);
    let new = wire.request(3, 0);
    assert_eq!(old.index(), new.index());
    assert_ne!(old, new);
    let closed = |result: Result<(), Error>| matches!(result, Err(Error::Closed));
    assert!(closed(wire.connection.respond(old, ok(), false)));
    assert!(closed(wire.connection.send(old, "x".into())));
    assert!(closed(wire.connection.finish(old)));
    wire.connection.reset(old, ErrorCode::CANCEL);
    wire.connection.stop(old, ErrorCode::CANCEL);
    wire.connection.release(old, 1 << 20, wire.now);
    assert_eq!(wire.frames(), [""; 0]);
    assert_eq!(wire.connection.open_streams(), 1);
}

/// §5.1.1: numbers go up, those of clients are odd, 0 is none.
#[test]
fn stream_identifiers() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        for id in [1, 3, 9, 0x7fff_ffff] {
            wire.headers(id, &GET, END_STREAM);
            assert_eq!(wire.events(), [format!("request {id} GET https://example.org/ end")]);
        }
        for (first, second, code) in [
            (5, 3, ErrorCode::PROTOCOL_ERROR),
            (5, 1, ErrorCode::PROTOCOL_ERROR),
            (1, 2, ErrorCode::PROTOCOL_ERROR),
            (0x7fff_ffff, 0x7fff_fffd, ErrorCode::PROTOCOL_ERROR),
            (1, 0, ErrorCode::PROTOCOL_ERROR),
        ] {
            let mut wire = Wire::server(Config::default()).cut(cut);
            wire.request(first, END_STREAM);
            wire.headers(second, &GET, END_STREAM);
            assert_eq!(wire.code(), Some(code), "{second} behind {first}");
            assert_eq!(wire.frames(), [format!("GOAWAY {first} {code}")]);
        }
    }
}

/// §5.1.2: more streams than may be are refused; each that ends makes room.
#[test]
fn concurrency() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default().max_concurrent_streams(2)).cut(cut);
        let first = wire.request(1, 0);
        wire.request(3, END_STREAM);
        wire.headers(5, &GET, END_STREAM);
        assert_eq!(wire.frames(), ["RST_STREAM 5 REFUSED_STREAM"]);
        assert_eq!(wire.events(), [""; 0]);
        // Half-closed is open still.
        wire.respond(first, true);
        wire.frames();
        wire.headers(7, &GET, END_STREAM);
        assert_eq!(wire.frames(), ["RST_STREAM 7 REFUSED_STREAM"]);
        // Ended, reset there, reset here, an error.
        wire.data(1, b"", END_STREAM);
        wire.request(9, 0);
        wire.reset(9, ErrorCode::CANCEL);
        let key = wire.request(11, 0);
        wire.connection.reset(key, ErrorCode::CANCEL);
        wire.request(13, 0);
        wire.window_update(13, 0);
        wire.request(15, 0);
        wire.frames();
        wire.headers(17, &GET, END_STREAM);
        assert_eq!(wire.frames(), ["RST_STREAM 17 REFUSED_STREAM"]);
        assert_eq!(wire.connection.open_streams(), 2);
    }
}

/// The same for pushes, which count once they are answered.
#[test]
fn concurrency_of_pushes() {
    for cut in CUTS {
        let config = Config::default().enable_push(true).max_concurrent_streams(1);
        let mut wire = Wire::client(config).cut(cut);
        wire.open(true);
        wire.promise(1, 2, &GET);
        wire.headers(2, &[(":status", "200")], 0);
        assert_eq!(wire.events()[1..], ["response 2 200"]);
        wire.settings_ack();
        wire.promise(1, 4, &GET);
        assert_eq!(wire.frames(), ["RST_STREAM 4 REFUSED_STREAM"]);
        wire.data(2, b"", END_STREAM);
        wire.promise(1, 6, &GET);
        wire.headers(6, &[(":status", "200")], END_STREAM);
        assert_eq!(wire.events()[1..], ["promise 1 6 https://example.org/", "response 6 200 end"]);
    }
}

/// A client may open as many as the server says, from when it says so.
#[test]
fn concurrency_of_a_client() {
    let mut wire = Wire::client(Config::default());
    wire.settings(&[(3, 1)]);
    assert!(wire.connection.can_open());
    wire.open(true);
    assert!(!wire.connection.can_open());
    wire.settings(&[(3, 2)]);
    assert!(wire.connection.can_open());
    wire.open(false);
    assert!(!wire.connection.can_open());
    wire.headers(1, &[(":status", "200")], END_STREAM);
    assert!(wire.connection.can_open());
    wire.settings(&[(3, 0)]);
    assert!(!wire.connection.can_open());
}

/// A stream that is reset before it was sent was never there: nothing is said of it.
#[test]
fn reset_before_it_is_sent() {
    let mut wire = Wire::client(Config::default());
    let request = || Request::get("https://example.org/").body(()).unwrap().into_parts().0;
    let first = wire.connection.open(request(), false).unwrap();
    wire.connection.open(request(), true).unwrap();
    wire.connection.reset(first, ErrorCode::CANCEL);
    let frames = wire.frames();
    assert_eq!(frames.len(), 1);
    assert!(frames[0].starts_with("HEADERS 3 END_STREAM"), "{frames:?}");
    assert_eq!(wire.connection.open_streams(), 1);
}

/// The end of a stream by fields that come in several frames is one with them: what is sent meanwhile does not end
/// the stream before they are told.
#[test]
fn ended_here_while_fields_arrive() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default()).cut(cut);
        let key = wire.open(false);
        let block = wire.block(&[(":status", "200")]);
        wire.frame(Kind::HEADERS, END_STREAM, 1, &block);
        wire.connection.finish(key).unwrap();
        assert_eq!(wire.frames(), ["DATA 1  END_STREAM"]);
        assert_eq!(wire.connection.open_streams(), 1);
        wire.frame(Kind::CONTINUATION, END_HEADERS, 1, b"");
        assert_eq!(wire.events(), ["response 1 200 end"]);
        assert_eq!(wire.connection.open_streams(), 0);

        // Reset meanwhile: they mean nothing, but are read.
        let key = wire.open(false);
        let block = wire.block(&[(":status", "200"), ("x", "y")]);
        wire.frame(Kind::HEADERS, END_STREAM, 3, &block);
        wire.connection.reset(key, ErrorCode::CANCEL);
        wire.frame(Kind::CONTINUATION, END_HEADERS, 3, b"");
        assert_eq!((wire.events(), wire.frames()), (vec![], vec!["RST_STREAM 3 CANCEL".into()]));
        wire.open(true);
        wire.headers(5, &[(":status", "200"), ("x", "y")], END_STREAM);
        assert_eq!(wire.events(), ["response 5 200 end"]);
    }
}

/// Honest peers cancel late, grant windows late and send what they had on their way. Ten thousand streams of that, and
/// none of it is held against them.
#[test]
fn late_is_not_wrong() {
    let mut wire = Wire::server(Config::default());
    for id in (1..40_000).step_by(2) {
        let key = wire.request(id, if id % 4 == 1 { END_STREAM } else { 0 });
        match id % 4 {
            1 => {
                wire.respond(key, true);
                wire.frames();
                wire.window_update(id, 100);
                wire.window_update(id, 100);
            }
            _ => {
                wire.connection.reset(key, ErrorCode::CANCEL);
                wire.frames();
                wire.data(id, b"late", 0);
                wire.data(id, b"late", END_STREAM);
            }
        }
        wire.reset(id, ErrorCode::CANCEL);
        assert!(wire.error.is_none(), "{id}: {:?}", wire.error);
    }
    assert_eq!(wire.connection.open_streams(), 0);
}
