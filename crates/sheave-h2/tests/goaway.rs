//! The end of a connection (RFC 9113 §5.4.1, §6.8).

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::{CUTS, GET, Wire};
use http::Request;
use sheave_h2::frame::flag::{END_HEADERS, END_STREAM};
use sheave_h2::frame::{Kind, flag};
use sheave_h2::{Config, Error, ErrorCode, Event};

const LAST: u32 = (1 << 31) - 1;

/// A server ends in two steps: what the client opened meanwhile is served.
#[test]
fn a_server_ends() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        let first = wire.request(1, END_STREAM);
        wire.connection.shutdown(wire.now);
        wire.connection.shutdown(wire.now);
        assert_eq!(wire.frames(), [format!("GOAWAY {LAST} NO_ERROR"), "PING".into()]);
        // On its way.
        let second = wire.request(3, END_STREAM);
        assert!(!wire.connection.is_finished());
        wire.pong();
        assert_eq!(wire.frames(), ["GOAWAY 3 NO_ERROR"]);
        assert_eq!(wire.connection.timeout(), None);
        // Too late: neither served nor held against the connection, and the tables stay the same.
        wire.headers(5, &[&GET[..], &[("a", "b")]].concat(), 0);
        wire.data(5, b"late", END_STREAM);
        wire.window_update(5, 10);
        wire.reset(5, ErrorCode::CANCEL);
        assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
        // What was there goes on.
        for key in [first, second] {
            assert!(!wire.connection.is_finished());
            wire.respond(key, true);
            wire.frames();
        }
        assert!(wire.connection.is_finished());
        wire.connection.recv_end().unwrap();
    }
}

/// A client that does not answer the PING has five seconds.
#[test]
fn a_server_ends_though_the_client_is_silent() {
    let mut wire = Wire::server(Config::default());
    wire.request(1, 0);
    wire.connection.shutdown(wire.now);
    wire.frames();
    assert_eq!(wire.connection.timeout(), Some(wire.now + Duration::from_secs(5)));
    wire.advance(Duration::from_secs(5));
    wire.connection.handle_timeout(wire.now).unwrap();
    assert_eq!(wire.frames(), ["GOAWAY 1 NO_ERROR"]);
    assert_eq!(wire.connection.timeout(), None);
    // Its answer comes late.
    wire.pong();
    assert_eq!(wire.frames(), [""; 0]);
    wire.reset(1, ErrorCode::CANCEL);
    assert!(wire.connection.is_finished());
}

/// A client that has taken its leave and does not go is not kept, once it has no streams.
#[test]
fn a_server_ends_after_its_client() {
    let mut wire = Wire::server(Config::default());
    let key = wire.request(1, END_STREAM);
    wire.goaway(0, ErrorCode::NO_ERROR);
    let look = |wire: &mut Wire| {
        assert_eq!(wire.connection.timeout(), Some(wire.now + Duration::from_secs(5)));
        wire.advance(Duration::from_secs(5));
        wire.connection.handle_timeout(wire.now).unwrap();
        wire.frames()
    };
    assert_eq!(look(&mut wire), [""; 0]);
    // What it still wants is answered.
    wire.ping(0, *b"are you?");
    assert_eq!(wire.frames(), ["PING ACK"]);
    wire.respond(key, true);
    wire.frames();
    assert!(!wire.connection.is_finished());
    assert_eq!(look(&mut wire), [format!("GOAWAY {LAST} NO_ERROR"), "PING".into()]);
    assert_eq!(look(&mut wire), ["GOAWAY 1 NO_ERROR"]);
    assert!(wire.connection.is_finished());
}

/// A request of which the fields have not all come when the time is over is served.
#[test]
fn a_server_ends_while_fields_arrive() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        wire.connection.shutdown(wire.now);
        let block = wire.block(&GET);
        wire.frame(Kind::HEADERS, END_STREAM, 1, &block[..2]);
        wire.frames();
        wire.advance(Duration::from_secs(5));
        wire.connection.handle_timeout(wire.now).unwrap();
        assert_eq!(wire.frames(), ["GOAWAY 1 NO_ERROR"]);
        assert!(!wire.connection.is_finished());
        wire.frame(Kind::CONTINUATION, END_HEADERS, 1, &block[2..]);
        assert_eq!(wire.events(), ["request 1 GET https://example.org/ end"]);
        let key = wire.stream(1);
        wire.respond(key, true);
        wire.frames();
        assert!(wire.connection.is_finished());
    }
}

/// "Endpoints MUST NOT increase the value they send in the last stream identifier": also when an error follows.
#[test]
fn the_last_stream_does_not_go_up() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        wire.request(1, 0);
        wire.connection.shutdown(wire.now);
        wire.frames();
        wire.pong();
        assert_eq!(wire.frames(), ["GOAWAY 1 NO_ERROR"]);
        wire.headers(7, &GET, END_STREAM);
        wire.window_update(0, LAST);
        assert_eq!(wire.frames(), ["GOAWAY 1 FLOW_CONTROL_ERROR"]);
    }
}

/// A client ends: it opens nothing more, and is done once its streams are.
#[test]
fn a_client_ends() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default()).cut(cut);
        wire.open(true);
        assert!(wire.connection.takes_streams());
        wire.connection.shutdown(wire.now);
        assert_eq!(wire.frames(), ["GOAWAY 0 NO_ERROR"]);
        assert!(!wire.connection.takes_streams() && !wire.connection.can_open());
        let request = || Request::get("https://example.org/").body(()).unwrap().into_parts().0;
        assert!(matches!(wire.connection.open(request(), true), Err(Error::Closed)));
        assert!(!wire.connection.is_finished());
        wire.headers(1, &[(":status", "200")], END_STREAM);
        assert!(wire.connection.is_finished());
    }
}

/// One that takes pushes does it in two steps, too.
#[test]
fn a_client_that_takes_pushes_ends() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default().enable_push(true)).cut(cut);
        wire.open(true);
        wire.connection.shutdown(wire.now);
        assert_eq!(wire.frames(), [format!("GOAWAY {LAST} NO_ERROR"), "PING".into()]);
        wire.promise(1, 2, &GET);
        assert_eq!(wire.events(), ["promise 1 2 https://example.org/"]);
        wire.pong();
        assert_eq!(wire.frames(), ["GOAWAY 2 NO_ERROR"]);
        // Too late.
        wire.promise(1, 4, &GET);
        wire.headers(4, &[(":status", "200")], 0);
        wire.data(4, b"late", END_STREAM);
        assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
        wire.headers(2, &[(":status", "200")], END_STREAM);
        wire.headers(1, &[(":status", "200")], END_STREAM);
        assert_eq!(wire.events(), ["response 2 200 end", "response 1 200 end"]);
        assert!(wire.connection.is_finished());
    }
}

/// A server's GOAWAY tells what it has not done anything with: those streams can be made again.
#[test]
fn a_server_is_about_to_end() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default()).cut(cut);
        for _ in 0..4 {
            wire.open(true);
        }
        // Made, and not sent: it never will be.
        let request = Request::get("https://example.org/").body(()).unwrap();
        wire.connection.open(request.into_parts().0, true).unwrap();
        wire.goaway(LAST, ErrorCode::NO_ERROR);
        assert_eq!(wire.events(), [format!("goaway {LAST} NO_ERROR"), "reset 9 unprocessed".into()]);
        assert_eq!(wire.frames(), [""; 0]);
        assert!(!wire.connection.can_open() && !wire.connection.is_finished());
        wire.goaway(3, ErrorCode::NO_ERROR);
        assert_eq!(wire.events(), ["goaway 3 NO_ERROR", "reset 5 unprocessed", "reset 7 unprocessed"]);
        // It does not go up again.
        wire.goaway(LAST, ErrorCode::NO_ERROR);
        assert_eq!(wire.events(), ["goaway 3 NO_ERROR"]);
        wire.headers(1, &[(":status", "200")], END_STREAM);
        wire.headers(3, &[(":status", "200")], 0);
        assert!(!wire.connection.is_finished());
        wire.data(3, b"done", END_STREAM);
        assert_eq!(wire.events(), ["response 1 200 end", "response 3 200", "data 3 done end"]);
        assert!(wire.connection.is_finished());
        wire.connection.recv_end().unwrap();
    }
}

/// Why it ends is told, of what is said for people only a little is kept.
#[test]
fn what_it_says() {
    let mut wire = Wire::client(Config::default());
    wire.open(true);
    let mut input = bytes::BytesMut::new();
    let debug_data = [b'x'; 5000];
    sheave_h2::frame::GoAway {
        last_stream: sheave_h2::StreamId::new(1),
        code: ErrorCode::new(0x1234),
        debug_data: &debug_data,
    }
    .write(&mut input);
    let Ok(Some(Event::GoAway { reason, .. })) = wire.connection.recv(&mut input, wire.now) else {
        panic!("no GOAWAY");
    };
    // §7: an unknown code means nothing special.
    assert_eq!((reason.code.get(), reason.debug_data.len()), (0x1234, 1024));
    // The end that follows is by that, not by chance.
    let error = wire.connection.recv_end().unwrap_err();
    assert!(matches!(error, Error::GoAway(reason) if reason.code.get() == 0x1234));
}

/// A client's GOAWAY: it takes no more pushes. Its requests go on.
#[test]
fn a_client_is_about_to_end() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        let key = wire.request(1, END_STREAM);
        wire.goaway(0, ErrorCode::NO_ERROR);
        assert_eq!(wire.events(), ["goaway 0 NO_ERROR"]);
        let request = Request::get("https://example.org/").body(()).unwrap();
        assert!(wire.connection.promise(key, request.into_parts().0).is_err());
        wire.headers(3, &GET, END_STREAM);
        assert_eq!(wire.events(), ["request 3 GET https://example.org/ end"]);
    }
}

/// §5.4.1: an error ends the connection with GOAWAY, which tells what was processed, and nothing follows upon it.
#[test]
fn an_error_ends_it() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        let key = wire.request(5, 0);
        wire.respond(key, false);
        wire.connection.send(key, "content".into()).unwrap();
        wire.data(9, b"x", 0);
        assert_eq!(wire.frames(), ["GOAWAY 5 PROTOCOL_ERROR"]);
        assert!(wire.connection.is_finished() && !wire.connection.takes_streams());
        assert_eq!(wire.connection.timeout(), None);
        // Whatever is done then says nothing more.
        wire.connection.reset(key, ErrorCode::CANCEL);
        wire.connection.release(key, 100_000, wire.now);
        wire.connection.ping(wire.now);
        wire.connection.shutdown(wire.now);
        wire.connection.abort(ErrorCode::CANCEL);
        wire.connection.set_max_concurrent_streams(3, wire.now);
        assert_eq!(wire.frames(), [""; 0]);
        let mut input = bytes::BytesMut::from(&b"whatever"[..]);
        assert!(matches!(wire.connection.recv(&mut input, wire.now), Err(Error::Protocol(_))));
        assert!(matches!(wire.connection.handle_timeout(wire.now), Err(Error::Protocol(_))));
        assert!(matches!(wire.connection.recv_end(), Err(Error::Protocol(_))));
    }
}

/// What is on its way already leaves whole before GOAWAY does.
#[test]
fn an_error_behind_what_is_sent() {
    let mut wire = Wire::server(Config::default());
    let key = wire.request(1, END_STREAM);
    wire.respond(key, false);
    wire.connection.send(key, "content".into()).unwrap();
    // Made ready, and not taken out.
    assert!(!wire.connection.transmit(wire.now).is_empty());
    wire.connection.abort(ErrorCode::INTERNAL_ERROR);
    assert_eq!(wire.frames(), ["HEADERS 1 :status=200", "DATA 1 content", "GOAWAY 1 INTERNAL_ERROR"]);
}

/// The end of the transport.
#[test]
fn the_transport_ends() {
    let unexpected = |result: Result<(), Error>| matches!(result, Err(Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof);
    // Nothing is under way, whether GOAWAY came or not.
    for goaway in [false, true] {
        let mut wire = Wire::client(Config::default());
        wire.open(true);
        wire.headers(1, &[(":status", "200")], END_STREAM);
        if goaway {
            wire.goaway(1, ErrorCode::NO_ERROR);
        }
        wire.connection.recv_end().unwrap();
        assert!(wire.connection.is_finished() && !wire.connection.takes_streams());
        assert_eq!(wire.connection.timeout(), None);
    }
    // Something is.
    let mut wire = Wire::client(Config::default());
    wire.open(true);
    wire.goaway(1, ErrorCode::NO_ERROR);
    assert!(unexpected(wire.connection.recv_end()));
    assert!(unexpected(wire.connection.recv_end()));
    assert!(wire.connection.is_finished());
    // A part of the preface, of a frame, or nothing at all, is nothing.
    for bytes in [&b""[..], b"PRI"] {
        let mut wire = Wire::new(sheave_h2::Role::Server, Config::default());
        wire.bytes(bytes);
        wire.connection.recv_end().unwrap();
    }
}

/// Many GOAWAYs cost something; a few do not.
#[test]
fn again_and_again() {
    let mut wire = Wire::client(Config::default());
    wire.open(true);
    for _ in 0..20_000 {
        wire.goaway(1, ErrorCode::NO_ERROR);
        if wire.error.is_some() {
            break;
        }
    }
    assert_eq!(wire.code(), Some(ErrorCode::ENHANCE_YOUR_CALM));
}

/// An acknowledged PING ends nothing that was not begun.
#[test]
fn foreign_pongs() {
    let mut wire = Wire::server(Config::default());
    wire.connection.shutdown(wire.now);
    wire.ping(flag::ACK, [7; 8]);
    assert_eq!(wire.frames(), [format!("GOAWAY {LAST} NO_ERROR"), "PING".into()]);
    wire.request(1, END_STREAM);
    wire.pong();
    assert_eq!(wire.frames(), ["GOAWAY 1 NO_ERROR"]);
}
