//! What the tests of compressed messages in the core have in common.

use sheave_ws::deflate::DeflateConfig;
use sheave_ws::handshake::Agreed;
use sheave_ws::{Config, Error, Limit, ProtocolError, Role};

use super::{Frame, Outcome, agreed, run_every_cut_agreed, wire};

/// The default.
pub fn config() -> Config {
    Config::default().deflate(DeflateConfig::default())
}

/// What it comes to.
pub fn full() -> Agreed {
    agreed(&DeflateConfig::default())
}

/// What comes of these frames however they are cut, where permessage-deflate was agreed on.
pub fn every_cut(role: Role, config: &Config, frames: &[Frame]) -> Outcome {
    run_every_cut_agreed(role, config, &full(), &wire(role, frames))
}

/// It ended with this, and the peer was told.
pub fn assert_error(outcome: &Outcome, expected: ProtocolError) {
    match &outcome.error {
        Some(Error::Protocol(error)) => assert_eq!(*error, expected),
        other => panic!("{other:?} instead of {expected:?}"),
    }
    assert_eq!(outcome.close_code(), Some(expected.close_code().get()));
}

/// It ended with 1009, and with nothing before.
pub fn assert_too_big(outcome: &Outcome) {
    assert!(matches!(outcome.error, Some(Error::Limit(Limit::MessageSize))), "{:?}", outcome.error);
    assert_eq!(outcome.close_code(), Some(1009));
    assert!(outcome.events.is_empty());
}
