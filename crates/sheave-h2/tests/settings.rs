//! SETTINGS (RFC 9113 §6.5; RFC 8441 §3; RFC 9218 §2.1). What windows make of them is in `flow_control`.

mod common;

use std::time::Duration;

use common::{CUTS, GET, Wire};
use http::{Request, Response};
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, Error, ErrorCode, Role, Settings, Timeout};

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;
const NO_RFC7540_PRIORITIES: u16 = 9;

#[test]
fn what_the_peer_says_holds_and_is_acknowledged() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default()).cut(cut);
        assert_eq!(*wire.connection.peer_settings(), Settings::default());
        wire.settings(&[
            (HEADER_TABLE_SIZE, 0),
            (MAX_CONCURRENT_STREAMS, 1),
            (INITIAL_WINDOW_SIZE, 5),
            (MAX_FRAME_SIZE, 16_385),
            (MAX_HEADER_LIST_SIZE, 1000),
            (ENABLE_CONNECT_PROTOCOL, 1),
            (NO_RFC7540_PRIORITIES, 1),
            // §6.5.2: unknown.
            (0, 7),
            (7, 7),
            (0xffff, u32::MAX),
            // §6.5.3: in their order.
            (MAX_CONCURRENT_STREAMS, 0),
            (MAX_CONCURRENT_STREAMS, 2),
        ]);
        let settings = Settings {
            header_table_size: 0,
            max_concurrent_streams: 2,
            initial_window_size: 5,
            max_frame_size: 16_385,
            max_header_list_size: 1000,
            enable_connect_protocol: true,
            no_rfc7540_priorities: true,
            ..Settings::default()
        };
        assert_eq!(*wire.connection.peer_settings(), settings);
        assert_eq!((wire.events(), wire.frames()), (vec!["settings".into()], vec!["SETTINGS ACK".into()]));
        // What is not said again stays.
        wire.settings(&[(MAX_FRAME_SIZE, 16_384)]);
        assert_eq!(*wire.connection.peer_settings(), Settings { max_frame_size: 16_384, ..settings });
        wire.settings(&[]);
        assert_eq!(wire.frames(), ["SETTINGS ACK"; 2]);
    }
}

/// Values that must not be: `(role of who receives, setting, value, code)`.
#[test]
fn wrong_values() {
    use ErrorCode as Code;
    let both = [Role::Server, Role::Client];
    let table: &[(&[Role], u16, u32, Code)] = &[
        (&both, ENABLE_PUSH, 2, Code::PROTOCOL_ERROR),
        (&both, ENABLE_PUSH, u32::MAX, Code::PROTOCOL_ERROR),
        // A server does not say that it can be pushed to.
        (&both[1..], ENABLE_PUSH, 1, Code::PROTOCOL_ERROR),
        (&both, INITIAL_WINDOW_SIZE, 1 << 31, Code::FLOW_CONTROL_ERROR),
        (&both, INITIAL_WINDOW_SIZE, u32::MAX, Code::FLOW_CONTROL_ERROR),
        (&both, MAX_FRAME_SIZE, 0, Code::PROTOCOL_ERROR),
        (&both, MAX_FRAME_SIZE, 16_383, Code::PROTOCOL_ERROR),
        (&both, MAX_FRAME_SIZE, 1 << 24, Code::PROTOCOL_ERROR),
        (&both, MAX_FRAME_SIZE, u32::MAX, Code::PROTOCOL_ERROR),
        // RFC 8441 §3
        (&both, ENABLE_CONNECT_PROTOCOL, 2, Code::PROTOCOL_ERROR),
        // RFC 9218 §2.1
        (&both, NO_RFC7540_PRIORITIES, 2, Code::PROTOCOL_ERROR),
    ];
    for cut in CUTS {
        for &(roles, id, value, code) in table {
            for &role in roles {
                let mut wire = wire(role).cut(cut);
                wire.settings(&[(MAX_HEADER_LIST_SIZE, 1), (id, value)]);
                assert_eq!(wire.code(), Some(code), "{role:?} {id}={value}");
                assert_eq!(wire.frames(), [format!("GOAWAY 0 {code}")], "{role:?} {id}={value}");
            }
        }
    }
}

/// Values at their bounds.
#[test]
fn right_values() {
    let table: &[(Role, u16, &[u32])] = &[
        (Role::Server, ENABLE_PUSH, &[0, 1]),
        (Role::Client, ENABLE_PUSH, &[0]),
        (Role::Server, HEADER_TABLE_SIZE, &[0, u32::MAX]),
        (Role::Server, MAX_CONCURRENT_STREAMS, &[0, u32::MAX]),
        (Role::Server, INITIAL_WINDOW_SIZE, &[0, u32::MAX >> 1]),
        (Role::Server, MAX_FRAME_SIZE, &[16_384, (1 << 24) - 1]),
        (Role::Server, MAX_HEADER_LIST_SIZE, &[0, u32::MAX]),
        // RFC 8441 §3: from a client it means nothing.
        (Role::Server, ENABLE_CONNECT_PROTOCOL, &[0, 1]),
        (Role::Client, ENABLE_CONNECT_PROTOCOL, &[0, 1, 1]),
        (Role::Client, NO_RFC7540_PRIORITIES, &[0, 1]),
    ];
    for &(role, id, values) in table {
        let mut wire = wire(role);
        for &value in values {
            wire.settings(&[(id, value)]);
            assert!(wire.error.is_none(), "{role:?} {id}={value}");
        }
        assert_eq!(wire.frames(), vec!["SETTINGS ACK"; values.len()]);
    }
}

/// RFC 8441 §3: "A sender MUST NOT send a SETTINGS_ENABLE_CONNECT_PROTOCOL parameter with the value of 0 after
/// previously sending a value of 1."
#[test]
fn connect_protocol_is_not_taken_back() {
    let mut wire = Wire::client(Config::default());
    wire.settings(&[(ENABLE_CONNECT_PROTOCOL, 0)]);
    wire.settings(&[(ENABLE_CONNECT_PROTOCOL, 1)]);
    wire.settings(&[(ENABLE_CONNECT_PROTOCOL, 0)]);
    assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR));
}

/// §6.5.2: the table of our encoder follows, and says so first (RFC 7541 §4.2).
#[test]
fn header_table_size() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default()).cut(cut);
        wire.open(true);
        for size in [0, 100, 0xffff_ffff] {
            wire.settings(&[(HEADER_TABLE_SIZE, size)]);
            wire.set_max_table_size(size as usize);
            let (parts, ()) =
                Request::get("https://example.org/").header("x", "y").body(()).unwrap().into_parts();
            wire.connection.open(parts, true).unwrap();
            let frames = wire.frames();
            assert_eq!(frames[0], "SETTINGS ACK");
            assert!(frames[1].ends_with("x=y"), "{frames:?}");
        }
    }
}

/// §6.5.3, §4.3.1: ours holds from its acknowledgement on; then the peer has to say that its table is smaller.
#[test]
fn our_header_table_size() {
    for cut in CUTS {
        let config = Config::default().header_table_size(0);
        let mut wire = Wire::new(Role::Server, config).cut(cut);
        wire.bytes(sheave_h2::PREFACE);
        wire.settings(&[]);
        // The peer does not know yet.
        wire.headers(1, &GET, END_STREAM);
        wire.headers(3, &GET, END_STREAM);
        assert_eq!(wire.events()[2], "request 3 GET https://example.org/ end");
        wire.settings_ack();
        wire.headers(5, &GET, END_STREAM);
        assert_eq!(wire.code(), Some(ErrorCode::COMPRESSION_ERROR));
    }
}

/// §6.5.2: a smaller MAX_FRAME_SIZE holds for what is sent from then on; field sections are cut to it, too.
#[test]
fn max_frame_size() {
    let mut wire = Wire::server(Config::default());
    wire.settings(&[(MAX_FRAME_SIZE, 20_000), (INITIAL_WINDOW_SIZE, 1 << 20)]);
    wire.window_update(0, 1 << 20);
    let key = wire.request(1, END_STREAM);
    let response = Response::builder().header("x", "y".repeat(50_000)).body(()).unwrap();
    wire.connection.respond(key, response.into_parts().0, false).unwrap();
    wire.connection.send(key, vec![b'x'; 100_000].into()).unwrap();
    wire.connection.finish(key).unwrap();
    wire.frames();
    assert!(wire.lengths().iter().all(|&length| length <= 20_000));
    let key = wire.request(3, END_STREAM);
    wire.settings(&[(MAX_FRAME_SIZE, 16_384)]);
    wire.respond(key, false);
    wire.connection.send(key, vec![b'x'; 100_000].into()).unwrap();
    wire.lengths();
    wire.frames();
    assert!(wire.lengths().iter().all(|&length| length <= 16_384));
}

/// What changes is told, and nothing else; what we let the peer do holds at once.
#[test]
fn ours_change() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default().max_concurrent_streams(1)).cut(cut);
        wire.request(1, 0);
        wire.headers(3, &GET, 0);
        assert_eq!(wire.frames(), ["RST_STREAM 3 REFUSED_STREAM"]);
        let now = wire.now;
        wire.connection.set_max_concurrent_streams(2, now);
        wire.connection.set_max_concurrent_streams(2, now);
        wire.connection.set_enable_connect_protocol(now);
        wire.connection.set_initial_window_size(65_535, now);
        assert_eq!(wire.frames(), ["SETTINGS 3=2", "SETTINGS 8=1"]);
        wire.request(5, 0);
        wire.headers(7, &GET, 0);
        assert_eq!(wire.frames(), ["RST_STREAM 7 REFUSED_STREAM"]);
    }
}

/// §6.5.3: an endpoint "MAY issue a connection error of type SETTINGS_TIMEOUT".
#[test]
fn not_acknowledged_in_time() {
    let config = Config::default().settings_timeout(Some(Duration::from_secs(3)));
    let mut wire = Wire::server(config);
    assert_eq!(wire.connection.timeout(), None);
    wire.advance(Duration::from_secs(100));
    let now = wire.now;
    wire.connection.set_max_concurrent_streams(7, now);
    wire.advance(Duration::from_secs(1));
    let now = wire.now;
    wire.connection.set_max_concurrent_streams(8, now);
    assert_eq!(wire.connection.timeout(), Some(wire.now + Duration::from_secs(2)));
    // The first was acknowledged, the second was not.
    wire.settings_ack();
    wire.frames();
    assert_eq!(wire.connection.timeout(), Some(wire.now + Duration::from_secs(3)));
    wire.advance(Duration::from_millis(2999));
    wire.connection.handle_timeout(wire.now).unwrap();
    wire.advance(Duration::from_millis(1));
    let error = wire.connection.handle_timeout(wire.now).unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Settings)), "{error:?}");
    assert_eq!(wire.frames(), ["GOAWAY 0 SETTINGS_TIMEOUT"]);
    assert_eq!(wire.connection.timeout(), None);
}

/// An acknowledgement of nothing does nothing.
#[test]
fn acknowledged_unasked() {
    let mut wire = Wire::server(Config::default());
    for _ in 0..100 {
        wire.settings_ack();
    }
    assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
}

fn wire(role: Role) -> Wire {
    match role {
        Role::Server => Wire::server(Config::default()),
        Role::Client => Wire::client(Config::default()),
    }
}
