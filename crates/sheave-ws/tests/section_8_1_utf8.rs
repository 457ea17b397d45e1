//! RFC 6455 §8.1: text is UTF-8, checked while it arrives.

mod support;

use sheave_ws::{Config, Error, Event, ProtocolError, Role, Utf8Bytes};
use support::{Frame, frame, run, run_every_cut, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Invalid text, and how much of it is needed to tell.
const INVALID: [(&[u8], usize); 8] = [
    (b"ok\xffmore", 3),
    (b"\xc0\xaf", 1),
    (b"\xe0\x80\x80", 2),
    (b"\xed\xa0\x80", 2),
    (b"\xf4\x90\x80\x80", 2),
    (b"\xf8\x88\x80\x80\x80", 1),
    ("κόσμε\u{2028}".as_bytes(), usize::MAX),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 13),
];

fn invalid() -> impl Iterator<Item = (&'static [u8], usize)> {
    INVALID.into_iter().filter(|(_, needed)| *needed != usize::MAX)
}

#[test]
fn text_fails_at_the_first_bad_byte() {
    for role in ROLES {
        for (text, needed) in invalid() {
            let bytes = frame().text(text).claims(1000).to(role).bytes();
            let header = bytes.len() - text.len();
            let enough = run(role, &Config::default(), [&bytes[..header + needed]]);
            assert!(matches!(enough.error, Some(Error::Protocol(ProtocolError::InvalidUtf8))), "{text:x?}");
            assert_eq!(enough.close_code(), Some(1007));
            let before = run(role, &Config::default(), [&bytes[..header + needed - 1]]);
            assert!(before.error.is_none(), "{text:x?}");
        }
    }
}

#[test]
fn invalid_text_is_found_however_it_is_fragmented() {
    for role in ROLES {
        for (text, _) in invalid() {
            for cut in 0..=text.len() {
                let frames = [frame().text(&text[..cut]).unfinished(), frame().continuation(&text[cut..])];
                let outcome = run_every_cut(role, &Config::default(), &wire(role, &frames));
                assert_eq!(outcome.close_code(), Some(1007), "{text:x?} cut at {cut}");
                assert_eq!(outcome.events, []);
            }
        }
    }
}

#[test]
fn text_that_ends_inside_a_character_is_refused() {
    for role in ROLES {
        for end in [&b"\xe2\x82"[..], b"\xf0\x9f\x98", b"a\xc3"] {
            let whole: &[Frame] = &[frame().text(end)];
            let parts: &[Frame] = &[frame().text(end).unfinished(), frame().continuation("")];
            for frames in [whole, parts] {
                let outcome = run_every_cut(role, &Config::default(), &wire(role, frames));
                assert!(matches!(outcome.error, Some(Error::Protocol(ProtocolError::InvalidUtf8))));
                assert_eq!(outcome.close_code(), Some(1007));
            }
        }
    }
}

#[test]
fn characters_may_be_cut_by_fragments_and_control_frames() {
    let text = "aß€😀";
    for role in ROLES {
        for cut in 0..=text.len() {
            let frames = [
                frame().text(&text.as_bytes()[..cut]).unfinished(),
                frame().ping(b"\xff"),
                frame().continuation(&text.as_bytes()[cut..]),
                frame().text("next"),
            ];
            let outcome = run_every_cut(role, &Config::default(), &wire(role, &frames));
            assert_eq!(outcome.events[1..], [text, "next"].map(|text| Event::Message(text.into())));
        }
    }
}

#[test]
fn binary_is_not_checked() {
    for role in ROLES {
        let frames = [frame().binary(b"\xff").unfinished(), frame().continuation(b"\xc0")];
        let outcome = run_every_cut(role, &Config::default(), &wire(role, &frames));
        assert_eq!(outcome.events, [Event::Message(vec![0xff, 0xc0].into())]);
    }
}

#[test]
fn text_over_many_blocks_is_checked_across_their_edges() {
    for offset in 0..4 {
        let text = "x".repeat(offset) + &"€".repeat(20_000);
        let mut bad = text.clone().into_bytes();
        let bytes = frame().text(&text).masked().bytes();
        let outcome = run(Role::Server, &Config::default(), [&bytes[..]]);
        assert_eq!(outcome.events, [Event::Message(text.into())]);
        let middle = bad.len() / 2;
        bad[middle] = 0xff;
        let bytes = frame().text(&bad).masked().bytes();
        let outcome = run(Role::Server, &Config::default(), bytes.chunks(777));
        assert_eq!(outcome.close_code(), Some(1007));
    }
}

#[test]
fn only_utf8_becomes_text() {
    assert!(Utf8Bytes::try_from(bytes::Bytes::from_static(b"\xff")).is_err());
    assert_eq!(Utf8Bytes::try_from(bytes::Bytes::from("é")).unwrap(), "é");
}
