//! The priorities of RFC 7540, which are without effect (RFC 9113 §5.3.2).

mod common;

use common::{CUTS, GET, Wire};
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::{END_HEADERS, END_STREAM, PRIORITY};
use sheave_h2::{Config, ErrorCode};

/// What is said of a stream: which other it depends on, and its weight.
fn dependency(on: u32) -> [u8; 5] {
    let [a, b, c, d] = on.to_be_bytes();
    [a, b, c, d, 15]
}

fn headers(wire: &mut Wire, id: u32, on: u32, fields: &[(&str, &str)], flags: u8) {
    let payload = [&dependency(on)[..], &wire.block(fields)].concat();
    wire.frame(Kind::HEADERS, END_HEADERS | PRIORITY | flags, id, &payload);
}

/// §5.3.2, §6.3: whatever stream it is of, and on whichever it depends, it changes nothing.
#[test]
fn without_effect() {
    const EXCLUSIVE: u32 = 1 << 31;
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        let priorities = |wire: &mut Wire| {
            for id in [1, 2, 3, 9, 1 << 30] {
                for on in [0, 5, EXCLUSIVE, 7 | EXCLUSIVE] {
                    wire.frame(Kind::PRIORITY, 0, id, &dependency(on));
                }
            }
        };
        priorities(&mut wire);
        assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
        // A lower stream than one that was spoken of is idle still.
        headers(&mut wire, 1, 3, &GET, 0);
        headers(&mut wire, 1, 3 | EXCLUSIVE, &[("a", "b")], END_STREAM);
        assert_eq!(wire.events(), ["request 1 GET https://example.org/", "trailers 1 1"]);
        let key = wire.stream(1);
        wire.respond(key, true);
        wire.frames();
        priorities(&mut wire);
        assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
    }
}

/// RFC 7540 §5.3.1: "A stream cannot depend on itself." The stream alone ends by it, and only one that is not idle can.
#[test]
fn a_stream_that_depends_on_itself() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        headers(&mut wire, 1, 1, &[&GET[..], &[("a", "b")]].concat(), 0);
        assert_eq!(wire.frames(), ["RST_STREAM 1 PROTOCOL_ERROR"]);
        wire.data(1, b"on its way", END_STREAM);
        wire.frame(Kind::PRIORITY, 0, 1, &dependency(1));
        headers(&mut wire, 1, 1, &[("a", "b")], END_STREAM);
        assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
        // The tables of both sides are the same.
        headers(&mut wire, 3, 1, &[&GET[..], &[("a", "b")]].concat(), 0);
        assert_eq!(wire.events(), ["request 3 GET https://example.org/"]);
        wire.frame(Kind::PRIORITY, 0, 3, &dependency(3));
        assert_eq!(wire.events(), ["reset 3 PROTOCOL_ERROR"]);
        assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"]);
        wire.request(5, 0);
        headers(&mut wire, 5, 5, &[("a", "b")], END_STREAM);
        assert_eq!(wire.events(), ["reset 5 PROTOCOL_ERROR"]);
        assert_eq!(wire.frames(), ["RST_STREAM 5 PROTOCOL_ERROR"]);
        // §5.1: nothing is sent on a closed stream.
        let key = wire.request(7, END_STREAM);
        wire.respond(key, true);
        wire.frames();
        wire.frame(Kind::PRIORITY, 0, 7, &dependency(7));
        assert_eq!((wire.events(), wire.frames()), (vec![], vec![]));
        // §6.4: nor is RST_STREAM on one that is idle.
        wire.frame(Kind::PRIORITY, 0, 9, &dependency(9));
        assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR));
    }
}
