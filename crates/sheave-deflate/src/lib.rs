//! permessage-deflate (RFC 7692) without I/O, for any WebSocket.
//!
//! * [`ExtensionOffer`] reads and writes `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
//! * [`DeflateConfig`] says what one side wants: it [offers](DeflateConfig::offer) as a client,
//!   [answers](DeflateConfig::answer) as a server, and [confirms](DeflateConfig::confirm) what the server
//!   answered. The outcome is an [`Agreement`].
//! * [`Compressor`] and [`Decompressor`] turn messages into payloads and back. They hold no state until they
//!   are used, can give it back when they rest, and inflate no more than there is room for.
//!
//! ```
//! use bytes::BytesMut;
//! use sheave_deflate::{Compressor, Decompressor, DeflateConfig};
//!
//! let config = DeflateConfig::default();
//! let offer = config.offer();
//! let (answer, agreement) = config.answer(&offer).expect("our own offer suits us");
//! assert_eq!(config.confirm(&answer), Some(agreement));
//!
//! let mut client = Compressor::new(&config, agreement.client);
//! let mut server = Decompressor::new(&config, agreement.client);
//! let (mut payload, mut message) = (BytesMut::new(), BytesMut::new());
//! client.compress_message(b"Hello", &mut payload);
//! assert_eq!(&payload[..], [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]); // RFC 7692 §7.2.3.1
//! server.decompress_message(&payload, 1 << 20, &mut message)?;
//! assert_eq!(&message[..], b"Hello");
//! # Ok::<(), sheave_deflate::DeflateError>(())
//! ```
//!
//! # Is it safe to compress?
//!
//! Whoever sees how long the compressed messages are, and can have text of his own compressed together with a
//! secret, can guess the secret bit by bit (CRIME, BREACH; RFC 7692 §8). Send secrets uncompressed, or
//! without context takeover and not in one message with what others wrote.

mod compressor;
mod config;
mod decompressor;
mod error;
mod header;
mod history;
mod negotiation;
mod pool;

pub use compressor::{Compressor, Context};
pub use config::DeflateConfig;
pub use decompressor::{Decompressor, Progress};
pub use error::{DeflateError, MalformedExtensions};
pub use header::ExtensionOffer;
pub use negotiation::{Agreement, Direction, NAME};
