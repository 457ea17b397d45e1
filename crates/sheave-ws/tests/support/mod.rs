//! What the tests share: frames as bytes, the core run at every cut, and a transport with a script.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod core;
#[cfg(feature = "tokio")]
mod drive;
mod random;
#[cfg(feature = "tokio")]
mod transport;
mod wire;

pub use self::core::{Outcome, run, run_every_cut};
#[cfg(feature = "tokio")]
pub use self::drive::{bounded, no_time, polled, scripted, websocket};
pub use self::random::Random;
#[cfg(feature = "tokio")]
pub use self::transport::{Peer, Script};
pub use self::wire::{Frame, Got, frame, parse, parse_some, wire};
