//! What the echo servers and clients on the peers have in common: the command line, TLS, how connections are accepted,
//! how a client keeps messages in flight, and the processor time that it took.
//!
//! A library's own program says in its documentation what that library advises for speed, and does it.

mod client;
mod command;
#[cfg(feature = "hyper")]
pub mod h2;
mod server;
mod stream;
mod wait;

pub use client::{Client, run_client};
pub use command::{ClientOptions, Command, Deflate, ServerOptions};
pub use server::{Io, Serve, certificate, serve, serve_on};
pub use stream::{StreamClient, echo, next};
pub use wait::flush_before_waiting;

/// What may go wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What `GET /` is answered with.
pub const PAGE: &[u8] = b"This server speaks HTTP/2.\n";
