//! The core run over the same input, whole and cut.

use bytes::{Buf, BytesMut};
use sheave_ws::handshake::Agreed;
use sheave_ws::{Config, Connection, Error, Event, Role};

use super::wire::{Got, parse};

/// What a connection made of its input.
#[derive(Debug)]
pub struct Outcome {
    pub events: Vec<Event>,
    pub error: Option<Error>,
    pub output: Vec<u8>,
}

impl Outcome {
    /// The frames that it answered with.
    pub fn frames(&self) -> Vec<Got> {
        parse(&self.output)
    }

    /// The code of the Close that it answered with.
    pub fn close_code(&self) -> Option<u16> {
        self.frames().last().and_then(Got::close_code)
    }

    fn comparable(&self) -> (&[Event], String, &[u8]) {
        (&self.events, format!("{:?}", self.error), &self.output)
    }
}

/// Runs a fresh connection over an input that arrives in these pieces.
pub fn run<'a>(role: Role, config: &Config, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    run_agreed(role, config, &Agreed::default(), pieces)
}

/// As [`run`], one that has agreed on extensions.
pub fn run_agreed<'a>(
    role: Role,
    config: &Config,
    agreed: &Agreed,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut connection = Connection::new(role, config, || Ok([1, 2, 3, 4])).agreed(config, agreed);
    let mut outcome = Outcome { events: Vec::new(), error: None, output: Vec::new() };
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match connection.recv(&mut input) {
                Ok(Some(event)) => outcome.events.push(event),
                Ok(None) => break,
                Err(error) => assert!(outcome.error.replace(error).is_none(), "an error is final"),
            }
        }
        let output = connection.transmit();
        outcome.output.extend_from_slice(&output.copy_to_bytes(output.remaining()));
    }
    outcome
}

/// Runs it over `wire` whole, byte by byte, and cut in two at each place: always with the same outcome.
pub fn run_every_cut(role: Role, config: &Config, wire: &[u8]) -> Outcome {
    run_every_cut_agreed(role, config, &Agreed::default(), wire)
}

/// As [`run_every_cut`], of one that has agreed on extensions.
pub fn run_every_cut_agreed(role: Role, config: &Config, agreed: &Agreed, wire: &[u8]) -> Outcome {
    let whole = run_agreed(role, config, agreed, [wire]);
    let bytes = run_agreed(role, config, agreed, wire.chunks(1));
    assert_eq!(bytes.comparable(), whole.comparable(), "byte by byte");
    for cut in 1..wire.len() {
        let (first, second) = wire.split_at(cut);
        let pieces = run_agreed(role, config, agreed, [first, second]);
        assert_eq!(pieces.comparable(), whole.comparable(), "cut at {cut} of {}", wire.len());
    }
    whole
}
