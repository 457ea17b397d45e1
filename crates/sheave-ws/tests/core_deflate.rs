//! Compressed messages in the core (RFC 7692 §6): what is wrong, what is too long.

mod support;

use sheave_ws::deflate::Decompressor;
use sheave_ws::{Error, Event, Limit, Message, ProtocolError, Role};
use support::compressed::{assert_error, assert_too_big, config, every_cut, full};
use support::{Random, Squeeze, frame, run_agreed, squeeze, wire, words};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const RSV1: u8 = 0x40;

#[test]
fn messages_in_order_are_taken_however_they_are_cut() {
    let last = Squeeze::default().last_message("final block".as_bytes());
    for role in ROLES {
        let mut peer = Squeeze::default();
        let one = peer.message("one βήτα one".as_bytes());
        let two = peer.message("two βήτα two".as_bytes());
        let frames = [
            frame().text(&one).reserved(RSV1),
            frame().text("plain").unfinished(),
            frame().continuation(" still"),
            // The first fragment is empty, and so is one in the middle.
            frame().text("").unfinished().reserved(RSV1),
            frame().ping("between"),
            frame().continuation(&two[..2]).unfinished(),
            frame().continuation("").unfinished(),
            frame().pong("between"),
            frame().continuation(&two[2..]).unfinished(),
            frame().continuation(""),
            // An empty message, as one peer and another has it.
            frame().binary([0]).reserved(RSV1),
            frame().binary([2, 0]).reserved(RSV1),
            frame().text(&last[..4]).unfinished().reserved(RSV1),
            frame().continuation(&last[4..]),
            frame().binary("").reserved(RSV1),
            frame().close(1000, ""),
        ];
        let outcome = every_cut(role, &config(), &frames);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let messages: Vec<Event> =
            outcome.events.iter().filter(|event| matches!(event, Event::Message(_))).cloned().collect();
        let expected: [Message; 7] = [
            "one βήτα one".into(),
            "plain still".into(),
            "two βήτα two".into(),
            Vec::new().into(),
            Vec::new().into(),
            "final block".into(),
            Vec::new().into(),
        ];
        assert_eq!(messages, expected.map(Event::Message));
        assert_eq!(outcome.events.len(), 7 + 3);
        // In their places.
        assert!(matches!(outcome.events[2], Event::Ping(_)) && matches!(outcome.events[3], Event::Pong(_)));
        assert_eq!(outcome.close_code(), Some(1000));
    }
}

#[test]
fn compressed_text_that_is_not_utf8_fails_as_soon_as_it_shows() {
    for role in ROLES {
        let mut long = words(&mut Random::new(1), 300).into_bytes();
        long[280] = 0xff;
        let payload = squeeze(&long);
        let outcome = every_cut(role, &config(), &[frame().text(&payload).reserved(RSV1)]);
        assert_error(&outcome, ProtocolError::InvalidUtf8);
        // Fast: the frame has not come whole, and the message not either.
        let stored = [b"\x00\x06\x00\xf9\xff".as_slice(), b"abc\xffde"].concat();
        for (frames, left) in [
            (vec![frame().text(&stored).reserved(RSV1)], 2),
            (vec![frame().text(&stored[..9]).reserved(RSV1).unfinished()], 0),
        ] {
            let bytes = wire(role, &frames);
            let outcome = run_agreed(role, &config(), &full(), [&bytes[..bytes.len() - left]]);
            assert_error(&outcome, ProtocolError::InvalidUtf8);
        }
        // Inside a character at the end.
        let (start, end) = ("ok".as_bytes(), b"\xf0\x9f\x98");
        let mut peer = Squeeze::default();
        let whole = peer.message(&[start, end].concat());
        for frames in [
            vec![frame().text(&whole).reserved(RSV1)],
            vec![frame().text(&whole[..3]).reserved(RSV1).unfinished(), frame().continuation(&whole[3..])],
            vec![
                frame().text(&whole).reserved(RSV1).unfinished(),
                frame().continuation("").unfinished(),
                frame().continuation(""),
            ],
        ] {
            let outcome = every_cut(role, &config(), &frames);
            assert_error(&outcome, ProtocolError::InvalidUtf8);
            assert!(outcome.events.is_empty());
        }
        // As binary it is good.
        let outcome = every_cut(role, &config(), &[frame().binary(&whole).reserved(RSV1)]);
        assert_eq!(outcome.events.len(), 1);
    }
}

#[test]
fn the_limit_counts_what_is_inflated_to_the_byte() {
    const LIMIT: usize = 300;
    let config = config().max_message_size(LIMIT);
    for role in ROLES {
        for (length, good) in [(LIMIT, true), (LIMIT + 1, false), (100 * LIMIT, false)] {
            for message in [vec![b'x'; length], Random::new(2).bytes(length)] {
                let payload = squeeze(&message);
                if payload.len() > 2000 {
                    continue;
                }
                let (start, end) = payload.split_at(payload.len() / 2);
                for frames in [
                    vec![frame().binary(&payload).reserved(RSV1)],
                    vec![
                        frame().binary(start).reserved(RSV1).unfinished(),
                        frame().continuation(end).unfinished(),
                        frame().continuation(""),
                    ],
                    vec![
                        frame().binary("").reserved(RSV1).unfinished(),
                        frame().continuation(start).unfinished(),
                        frame().continuation(end),
                    ],
                ] {
                    let outcome = every_cut(role, &config, &frames);
                    if good {
                        assert_eq!(outcome.events, [Event::Message(message.clone().into())]);
                    } else {
                        assert_too_big(&outcome);
                    }
                }
            }
        }
        // A payload longer than the limit of a message is none that is too long.
        let padding = [b"\x00\x00\x00\xff\xff".repeat(100), squeeze("x")].concat();
        assert!(padding.len() > LIMIT);
        let outcome = every_cut(role, &config, &[frame().text(&padding).reserved(RSV1)]);
        assert_eq!(outcome.events, [Event::Message("x".into())]);
    }
}

#[test]
fn a_frame_is_limited_as_it_is_on_the_wire() {
    let config = config().max_frame_size(20);
    for role in ROLES {
        let payload = squeeze("x".repeat(5000));
        assert!((21..40).contains(&payload.len()), "{}", payload.len());
        let outcome = every_cut(role, &config, &[frame().text(&payload).reserved(RSV1)]);
        assert!(matches!(outcome.error, Some(Error::Limit(Limit::FrameSize))));
        let (start, end) = payload.split_at(20);
        let frames = [frame().text(start).reserved(RSV1).unfinished(), frame().continuation(end)];
        assert_eq!(every_cut(role, &config, &frames).events.len(), 1);
    }
}

#[test]
fn many_final_blocks_are_refused() {
    // An empty final block each: work without an end for what comes to nothing.
    let payload = b"\x03\x00".repeat(Decompressor::MAX_FINAL_BLOCKS + 1);
    for role in ROLES {
        let bytes = wire(role, &[frame().binary(&payload).reserved(RSV1)]);
        for piece in [1, 1000, 100_000] {
            let outcome = run_agreed(role, &config(), &full(), bytes.chunks(piece));
            assert_error(&outcome, ProtocolError::Deflate);
        }
    }
}
