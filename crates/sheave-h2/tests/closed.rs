//! What comes for streams that are not there any more, and what is told of those that were never begun (RFC 9113 §5.1, §8.7).

mod common;

use common::{CUTS, GET, Wire};
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, ErrorCode};

/// §8.7: a request that is refused was not processed, and can be made again. One that is reset otherwise may have been.
#[test]
fn refused_by_a_server() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default()).cut(cut);
        wire.open(true);
        wire.open(true);
        wire.reset(1, ErrorCode::REFUSED_STREAM);
        wire.reset(3, ErrorCode::CANCEL);
        assert_eq!(wire.events(), ["reset 1 unprocessed", "reset 3 by peer CANCEL"]);
        assert_eq!(wire.connection.open_streams(), 0);
    }
}

/// §5.1: after END_STREAM, whatever comes ends the connection; after RST_STREAM, also one that comes behind the end, it is a
/// stream error.
#[test]
fn a_reset_behind_the_end() {
    for cut in CUTS {
        for resets in [false, true] {
            let mut wire = Wire::server(Config::default()).cut(cut);
            let key = wire.request(1, END_STREAM);
            wire.respond(key, true);
            wire.frames();
            if resets {
                wire.reset(1, ErrorCode::CANCEL);
            }
            wire.data(1, b"x", 0);
            match resets {
                false => assert_eq!(wire.code(), Some(ErrorCode::STREAM_CLOSED)),
                true => assert_eq!(wire.frames(), ["RST_STREAM 1 STREAM_CLOSED"]),
            }
            assert_eq!(wire.error.is_none(), resets);
        }
    }
}

/// RFC 9218 §7.1: a push that was not promised has no priority.
#[test]
fn priorities_of_pushes() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        let key = wire.request(1, END_STREAM);
        let request = http::Request::get("https://example.org/").body(()).unwrap();
        wire.connection.promise(key, request.into_parts().0).unwrap();
        wire.frames();
        for id in [2, 4] {
            let payload = [&u32::to_be_bytes(id)[..], b"u=1"].concat();
            wire.frame(Kind::PRIORITY_UPDATE, 0, 0, &payload);
            assert_eq!(wire.code(), (id == 4).then_some(ErrorCode::PROTOCOL_ERROR));
        }
    }
}

/// §8.4: a promise on a stream that has ended is wrong, but not on one that we have reset, which the server may not know.
#[test]
fn promises_on_closed_streams() {
    for cut in CUTS {
        for (closed, expected) in
            [("ended", None), ("reset there", None), ("reset here", Some("RST_STREAM 2 CANCEL"))]
        {
            let mut wire = Wire::client(Config::default().enable_push(true)).cut(cut);
            let key = wire.open(true);
            match closed {
                "ended" => wire.headers(1, &[(":status", "200")], END_STREAM),
                "reset there" => wire.reset(1, ErrorCode::CANCEL),
                _ => wire.connection.reset(key, ErrorCode::CANCEL),
            }
            wire.frames();
            wire.promise(1, 2, &GET);
            match expected {
                None => assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR), "{closed}"),
                Some(reset) => assert_eq!(wire.frames(), [reset]),
            }
        }
    }
}
