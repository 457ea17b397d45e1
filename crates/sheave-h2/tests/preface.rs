//! How a connection begins (RFC 9113 §3.4).

mod common;

use common::{CUTS, GET, Wire};
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::{ACK, END_STREAM};
use sheave_h2::{Config, ErrorCode, PREFACE, Role};

#[test]
fn each_side_begins_with_settings() {
    let config = Config::default().initial_window_size(1000).enable_connect_protocol(true);
    let mut server = Wire::new(Role::Server, config.clone());
    assert_eq!(
        server.frames(),
        ["SETTINGS 3=100 4=1000 6=65536 8=1 9=1", "WINDOW_UPDATE 0 16711681"],
        "before anything came"
    );
    let mut client = Wire::new(Role::Client, config);
    assert!(client.sent().starts_with(PREFACE));
    // A client offers no protocols (RFC 8441 §3), and says whether it can be pushed to.
    assert_eq!(client.frames(), ["SETTINGS 2=0 3=100 4=1000 6=65536 9=1", "WINDOW_UPDATE 0 16711681"]);
}

#[test]
fn with_requests_at_once() {
    for cut in CUTS {
        let mut wire = Wire::new(Role::Server, Config::default()).cut(cut);
        wire.bytes(PREFACE);
        assert!(wire.events().is_empty());
        wire.settings(&[]);
        wire.headers(1, &GET, END_STREAM);
        assert_eq!(wire.events(), ["settings", "request 1 GET https://example.org/ end"]);
        assert_eq!(wire.frames()[1..], ["SETTINGS ACK", "WINDOW_UPDATE 0 16711681"]);
    }
}

/// "A client or server that receives an invalid connection preface MUST treat it as a connection error of type
/// PROTOCOL_ERROR." Our own preface is sent all the same, before what says so.
#[test]
fn not_the_preface() {
    let other: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
        b"PRI * HTTP/2.0\n\nSM\n\n",
        b"pri * http/2.0\r\n\r\nsm\r\n\r\n",
        b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\x04\0\0\0\0\0",
        b"X",
    ];
    for cut in CUTS {
        for bytes in other {
            let mut wire = Wire::new(Role::Server, Config::default()).cut(cut);
            wire.bytes(bytes);
            assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR), "{}", bytes.escape_ascii());
            assert_eq!(wire.frames(), ["SETTINGS 3=100 6=65536 9=1", "GOAWAY 0 PROTOCOL_ERROR"]);
        }
    }
}

/// It is found out at the first byte that is wrong.
#[test]
fn as_early_as_can_be() {
    for length in 0..PREFACE.len() {
        let mut wire = Wire::new(Role::Server, Config::default());
        wire.bytes(&PREFACE[..length]);
        assert!(wire.error.is_none());
        wire.bytes(&[!PREFACE[length]]);
        assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR), "{length}");
    }
}

/// The first frame is SETTINGS, and no acknowledgement.
#[test]
fn not_settings() {
    let frames: [(Kind, u8, u32, &[u8]); 8] = [
        (Kind::SETTINGS, ACK, 0, b""),
        (Kind::PING, 0, 0, b"12345678"),
        (Kind::WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"),
        (Kind::HEADERS, 5, 1, b"\x82"),
        (Kind::GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0"),
        (Kind::PRIORITY, 0, 1, b"\0\0\0\0\0"),
        (Kind::new(0xbe), 0, 0, b""),
        // Above MAX_FRAME_SIZE, as whatever is not HTTP/2 may be.
        (Kind::new(b'P'), 0, 0, &[0; 20_000]),
    ];
    for cut in CUTS {
        for (kind, flags, id, payload) in frames {
            for role in [Role::Server, Role::Client] {
                let mut wire = Wire::new(role, Config::default()).cut(cut);
                if role == Role::Server {
                    wire.bytes(PREFACE);
                }
                wire.frame(kind, flags, id, payload);
                assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR), "{role:?} {kind:?}");
                let sent = wire.frames();
                assert!(sent[0].starts_with("SETTINGS "), "{sent:?}");
                assert_eq!(sent[1..], ["GOAWAY 0 PROTOCOL_ERROR"], "{role:?} {kind:?}");
            }
        }
    }
}

/// A server that speaks something else.
#[test]
fn http_1_answers() {
    for cut in CUTS {
        let mut wire = Wire::new(Role::Client, Config::default()).cut(cut);
        wire.bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR));
    }
}

/// A client that is given up before it has said anything still says it in HTTP/2.
#[test]
fn given_up_at_once() {
    let mut wire = Wire::new(Role::Client, Config::default());
    wire.connection.abort(ErrorCode::CANCEL);
    assert!(wire.sent().starts_with(PREFACE));
    assert_eq!(wire.frames(), ["SETTINGS 2=0 3=100 6=65536 9=1", "GOAWAY 0 CANCEL"]);
}
