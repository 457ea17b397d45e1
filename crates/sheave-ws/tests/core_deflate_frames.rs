//! Compressed frames that are not what RFC 7692 §6 and §7.2 allow.

mod support;

use sheave_ws::{Event, ProtocolError, Role};
use support::compressed::{assert_error, config, every_cut};
use support::{Frame, frame, run_every_cut, squeeze, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const RSV1: u8 = 0x40;

#[test]
fn a_reserved_bit_where_it_means_nothing() {
    let hello = squeeze("Hello");
    let begun = frame().text(&hello[..3]).unfinished().reserved(RSV1);
    for role in ROLES {
        let cases: Vec<Vec<Frame>> = vec![
            vec![frame().ping("x").reserved(RSV1)],
            vec![frame().pong("x").reserved(RSV1)],
            vec![frame().close(1000, "").reserved(RSV1)],
            vec![begun.clone(), frame().continuation(&hello[3..]).reserved(RSV1)],
            vec![begun.clone(), frame().ping("").reserved(RSV1)],
            vec![frame().text("plain").unfinished(), frame().continuation("").reserved(RSV1)],
            vec![frame().text(&hello).reserved(0x20)],
            vec![frame().text(&hello).reserved(0x10)],
            vec![frame().text(&hello).reserved(RSV1 | 0x20)],
            vec![frame().binary(&hello).reserved(0x70)],
            vec![begun.clone(), frame().continuation(&hello[3..]).reserved(0x10)],
        ];
        for frames in cases {
            let outcome = every_cut(role, &config(), &frames);
            assert_error(&outcome, ProtocolError::ReservedBits);
            assert!(outcome.events.is_empty(), "{frames:?}");
        }
        // Without having agreed, whatever the configuration says.
        let compressed = wire(role, &[frame().text(&hello).reserved(RSV1)]);
        let outcome = run_every_cut(role, &config(), &compressed);
        assert_error(&outcome, ProtocolError::ReservedBits);
    }
}

#[test]
fn corrupt_data() {
    for role in ROLES {
        let cases: [&[u8]; 7] = [
            // A block type that there is none of, a stored block with lengths that do not match, a distance
            // beyond the start, a code that was not given.
            b"\x07",
            b"\x00\x05\x00\x00\x00hello",
            b"\x02\x03\x00",
            b"\xff\xff\xff\xff",
            b"\x4a\x04\x52\x00",
            // Two that end inside a block, with and without compression.
            b"\xf2\x48\xcd",
            b"\x00\x05\x00\xfa\xffHel",
        ];
        for payload in cases {
            for frames in [
                vec![frame().binary(payload).reserved(RSV1)],
                vec![
                    frame().binary(&payload[..1]).reserved(RSV1).unfinished(),
                    frame().ping("still in order"),
                    frame().continuation(&payload[1..]),
                ],
            ] {
                let outcome = every_cut(role, &config(), &frames);
                if outcome.error.is_none() {
                    // The vector is of no use.
                    panic!("{payload:x?} is good: {:?}", outcome.events);
                }
                assert_error(&outcome, ProtocolError::Deflate);
                assert!(outcome.events.iter().all(|event| matches!(event, Event::Ping(_))));
            }
        }
        // After a good message, and nothing is taken after it.
        let frames = [
            frame().text(squeeze("good")).reserved(RSV1),
            frame().text(b"\xff\xff\xff").reserved(RSV1),
            frame().text("too late"),
        ];
        let outcome = every_cut(role, &config(), &frames);
        assert_error(&outcome, ProtocolError::Deflate);
        assert_eq!(outcome.events, [Event::Message("good".into())]);
    }
}
