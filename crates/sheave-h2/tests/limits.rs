//! Limits that are set to other than their defaults: one reaches them, and no less.

mod common;

use std::time::Duration;

use common::{GET, Wire};
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, ErrorCode, Rate};

const FEW: Rate = Rate { burst: 3, per_second: 1 };

/// How often `attack` is borne.
fn borne(config: Config, attack: impl Fn(&mut Wire, u32)) -> u32 {
    let mut wire = Wire::server(config);
    let rounds = (0..100).find(|&round| {
        attack(&mut wire, round);
        wire.frames();
        wire.code().is_some()
    });
    assert_eq!(wire.code(), Some(ErrorCode::ENHANCE_YOUR_CALM));
    rounds.unwrap()
}

#[test]
fn resets() {
    let reset = |wire: &mut Wire, round: u32| {
        wire.headers(1 + 2 * round, &GET, END_STREAM);
        wire.reset(1 + 2 * round, ErrorCode::CANCEL);
    };
    assert_eq!(borne(Config::default().resets(FEW), reset), 3);
    // One more for each second, but the first half, when there is room for no more.
    let slowly = |wire: &mut Wire, round| {
        wire.advance(Duration::from_millis(500));
        reset(wire, round);
    };
    assert_eq!(borne(Config::default().resets(FEW), slowly), 5);
}

#[test]
fn glitches() {
    let glitch = |wire: &mut Wire, _| wire.frame(Kind::new(0x42), 0, 0, b"of no use");
    assert_eq!(borne(Config::default().glitches(FEW), glitch), 3);
}

#[test]
fn interim_responses() {
    let mut wire = Wire::client(Config::default().max_informational(2));
    wire.open(true);
    for _ in 0..3 {
        wire.headers(1, &[(":status", "103")], 0);
    }
    assert_eq!(wire.events(), ["informational 1 103", "informational 1 103", "reset 1 ENHANCE_YOUR_CALM"]);
    assert_eq!(wire.frames(), ["RST_STREAM 1 ENHANCE_YOUR_CALM"]);
}

/// RFC 7541 §4.2: what is remembered of a request makes the next one shorter.
#[test]
fn the_encoders_table() {
    for (size, remembers) in [(0, false), (4096, true)] {
        let mut wire = Wire::client(Config::default().max_encoder_table_size(size));
        let lengths: Vec<u32> = (0..3)
            .map(|_| {
                wire.lengths();
                wire.open(true);
                wire.lengths()[0]
            })
            .collect();
        assert_eq!(lengths[2] < lengths[0] - 1, remembers, "{lengths:?}");
        assert_eq!(lengths[2], lengths[1]);
    }
}
