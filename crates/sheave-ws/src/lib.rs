#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod close;
mod config;
mod connection;
mod error;
pub mod extension;
mod frame;
mod frames;
pub mod handshake;
mod incoming;
#[cfg(feature = "tokio")]
pub mod io;
mod keepalive;
mod limits;
pub mod mask;
mod message;
mod outgoing;
mod output;
mod prepared;
mod spare;
mod utf8;

pub use close::{CloseCode, CloseFrame};
pub use config::{Config, NoMasking, Role};
pub use connection::Connection;
pub use error::{Error, Limit, ProtocolError, Timeout, Usage};
pub use extension::ReservedBits;
pub use frame::{FrameHeader, MaskingKey, OpCode};
pub use incoming::{Event, Incoming, Lent, Replies};
pub use keepalive::{Due, Keepalive};
pub use message::{Message, MessageRef, Utf8Bytes};
pub use outgoing::{Compress, Control, MaskingKeys, Outgoing};
pub use output::Output;
pub use prepared::Prepared;
pub use sheave_deflate as deflate;
pub use utf8::{InvalidUtf8, Utf8Validator};
