//! PING (RFC 9113 §6.7), and what takes too long.

mod common;

use std::time::Duration;

use common::{CUTS, GET, Wire};
use sheave_h2::frame::flag::{ACK, END_STREAM};
use sheave_h2::{Config, Error, ErrorCode, Event, PREFACE, Role, Timeout};

const SECOND: Duration = Duration::from_secs(1);

/// It is answered with what it brought, ahead of everything else.
#[test]
fn answered() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        let key = wire.request(1, END_STREAM);
        wire.respond(key, false);
        wire.connection.send(key, "content".into()).unwrap();
        wire.ping(!ACK, *b"12345678");
        assert!(wire.sent().starts_with(b"\0\0\x08\x06\x01\0\0\0\x0012345678"));
        assert_eq!(wire.frames()[0], "PING ACK");
        // An answer is not answered.
        wire.ping(ACK, *b"12345678");
        assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
    }
}

/// One that is asked for tells how long it took.
#[test]
fn asked_for() {
    let mut wire = Wire::client(Config::default());
    assert_eq!(wire.connection.round_trip(), None);
    wire.connection.ping(wire.now);
    wire.advance(SECOND);
    wire.connection.ping(wire.now);
    assert_eq!(wire.frames(), ["PING", "PING"]);
    let mut answers = bytes::BytesMut::new();
    wire.advance(SECOND);
    // The first one has the payload 1.
    sheave_h2::frame::Ping { ack: true, payload: 1u64.to_be_bytes() }.write(&mut answers);
    let event = wire.connection.recv(&mut answers, wire.now);
    assert!(matches!(event, Ok(Some(Event::Pong { round_trip })) if round_trip == 2 * SECOND));
    assert_eq!(wire.connection.round_trip(), Some(2 * SECOND));
    wire.pong();
    // A shorter one is believed, and the same answer twice is none.
    assert_eq!(wire.connection.round_trip(), Some(SECOND));
    assert_eq!(wire.events(), ["pong"]);
    // Not more than 16 at once.
    for _ in 0..100 {
        wire.connection.ping(wire.now);
    }
    assert_eq!(wire.frames().len(), 16);
}

/// After a time without anything a PING is sent; after a time without anything again it is over.
#[test]
fn keepalive() {
    let config = Config::default().keepalive(Some(10 * SECOND)).keepalive_timeout(3 * SECOND);
    let mut wire = Wire::client(config);
    for _ in 0..3 {
        assert_eq!(wire.connection.timeout(), Some(wire.now + 10 * SECOND));
        wire.advance(9 * SECOND);
        wire.connection.handle_timeout(wire.now).unwrap();
        assert_eq!(wire.frames(), [""; 0]);
        // Anything will do.
        wire.window_update(0, 1);
        assert_eq!(wire.connection.timeout(), Some(wire.now + 10 * SECOND));
        wire.advance(10 * SECOND);
        wire.connection.handle_timeout(wire.now).unwrap();
        assert_eq!(wire.frames(), ["PING"]);
        wire.connection.handle_timeout(wire.now).unwrap();
        assert_eq!(wire.frames(), [""; 0]);
        assert_eq!(wire.connection.timeout(), Some(wire.now + 3 * SECOND));
        wire.advance(2 * SECOND);
        wire.pong();
        assert_eq!(wire.events(), [""; 0]);
    }
    wire.advance(10 * SECOND);
    wire.connection.handle_timeout(wire.now).unwrap();
    assert_eq!(wire.frames(), ["PING"]);
    wire.advance(3 * SECOND);
    let error = wire.connection.handle_timeout(wire.now).unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::KeepAlive)));
    assert_eq!(wire.frames(), ["GOAWAY 0 NO_ERROR"]);
    assert_eq!(wire.connection.timeout(), None);
}

/// A peer that never answers a PING, and sends other things, is alive; and as many PINGs as may be under way do not
/// keep the next one from being sent.
#[test]
fn alive_without_answers() {
    let config = Config::default().keepalive(Some(10 * SECOND)).keepalive_timeout(3 * SECOND);
    let mut wire = Wire::server(config);
    for _ in 0..20 {
        wire.connection.ping(wire.now);
    }
    wire.frames();
    for _ in 0..100 {
        wire.advance(10 * SECOND);
        wire.connection.handle_timeout(wire.now).unwrap();
        assert_eq!(wire.frames(), ["PING"]);
        // What is due was done.
        assert_eq!(wire.connection.timeout(), Some(wire.now + 3 * SECOND));
        wire.advance(SECOND);
        wire.window_update(0, 1);
    }
    // At the same time as the PING: it was heard.
    wire.advance(10 * SECOND);
    wire.connection.handle_timeout(wire.now).unwrap();
    wire.window_update(0, 1);
    assert_eq!(wire.connection.timeout(), Some(wire.now + 10 * SECOND));
}

/// Those of the keepalive that were not answered are not remembered: they leave room for others.
#[test]
fn keepalive_without_answers() {
    let config = Config::default().keepalive(Some(10 * SECOND)).keepalive_timeout(3 * SECOND);
    let mut wire = Wire::server(config);
    for _ in 0..100 {
        wire.advance(10 * SECOND);
        wire.connection.handle_timeout(wire.now).unwrap();
        wire.window_update(0, 1);
    }
    for _ in 0..15 {
        assert!(wire.connection.ping(wire.now));
    }
    assert!(!wire.connection.ping(wire.now));
}

/// Times that are as short and as long as can be.
#[test]
fn keepalive_at_its_bounds() {
    let config = Config::default().keepalive(Some(Duration::MAX)).keepalive_timeout(Duration::MAX);
    let config = config.handshake_timeout(Some(Duration::MAX)).settings_timeout(Some(Duration::MAX));
    assert_eq!(Wire::new(Role::Client, config).connection.timeout(), None);
    let config = Config::default().keepalive(Some(Duration::ZERO)).keepalive_timeout(SECOND);
    let mut wire = Wire::client(config);
    wire.connection.handle_timeout(wire.now).unwrap();
    assert_eq!(wire.frames(), ["PING"]);
    assert_eq!(wire.connection.timeout(), Some(wire.now + SECOND));
}

/// §3.4: who does not begin in time, or does not get to its SETTINGS.
#[test]
fn handshake() {
    let config = || Config::default().handshake_timeout(Some(5 * SECOND));
    for (role, bytes) in [
        (Role::Server, &b""[..]),
        (Role::Server, &PREFACE[..7]),
        (Role::Server, PREFACE),
        (Role::Client, b""),
        (Role::Client, b"\0\0\x06\x04\0"),
    ] {
        let mut wire = Wire::new(role, config());
        wire.bytes(bytes);
        assert_eq!(wire.connection.timeout(), Some(wire.now + 5 * SECOND));
        wire.advance(5 * SECOND);
        let error = wire.connection.handle_timeout(wire.now).unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Handshake)), "{error:?}");
        assert_eq!(wire.frames().last().unwrap(), "GOAWAY 0 SETTINGS_TIMEOUT");
    }
    // Whoever has begun has until the acknowledgement then.
    let mut wire = Wire::new(Role::Server, config());
    wire.bytes(PREFACE);
    wire.settings(&[]);
    assert_eq!(wire.connection.timeout(), Some(wire.now + 10 * SECOND));
    wire.settings_ack();
    assert_eq!(wire.connection.timeout(), None);
    // None at all.
    let config = Config::default().handshake_timeout(None).settings_timeout(None);
    assert_eq!(Wire::new(Role::Server, config).connection.timeout(), None);
}

/// §10.5: more than can be answered is too much, if it is not read; and if it is, never.
#[test]
fn floods() {
    for read in [false, true] {
        let mut wire = Wire::server(Config::default());
        for _ in 0..5000 {
            wire.ping(0, [7; 8]);
            if read {
                assert_eq!(wire.frames(), ["PING ACK"]);
            }
        }
        assert_eq!(wire.code(), if read { None } else { Some(ErrorCode::ENHANCE_YOUR_CALM) });
        if read {
            wire.headers(1, &GET, END_STREAM);
            assert_eq!(wire.events(), ["request 1 GET https://example.org/ end"]);
        }
    }
}
