//! What the tests share: frames as bytes, the core run at every cut, and a transport with a script.
#![allow(dead_code, unreachable_pub, unused_imports, unused_macros)]

#[cfg(feature = "tokio")]
mod alone;
pub mod compressed;
mod core;
mod deflate;
#[cfg(feature = "tokio")]
mod drive;
mod random;
#[cfg(feature = "tokio")]
mod transport;
mod wire;

#[cfg(feature = "tokio")]
pub use self::alone::alone;
pub use self::core::{Outcome, run, run_agreed, run_every_cut, run_every_cut_agreed};
#[cfg(feature = "tokio")]
pub use self::deflate::scripted_agreed;
pub use self::deflate::{FULL, Posted, Squeeze, agreed, drain, halves, other, receive, squeeze, words};
#[cfg(feature = "tokio")]
pub(crate) use self::drive::insist;
#[cfg(feature = "tokio")]
pub use self::drive::{bounded, no_time, polled, scripted, websocket};
pub use self::random::Random;
#[cfg(feature = "tokio")]
pub use self::transport::{Peer, Script};
pub use self::wire::{Frame, Got, frame, parse, parse_some, wire};
