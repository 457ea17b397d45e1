//! HPACK, the header compression of HTTP/2 (RFC 7541).
//!
//! An [`Encoder`] turns [`Field`]s into header blocks, a [`Decoder`] turns blocks, in whatever fragments they come, into
//! [`FieldList`]s. Each belongs to one direction of one connection.
//!
//! ```
//! use bytes::BytesMut;
//! use sheave_hpack::{Decoder, Encoder, Field, FieldList};
//!
//! let fields = [
//!     Field::new(":method", "CONNECT"),
//!     Field::new(":protocol", "websocket"),
//!     Field::new("authorization", "Bearer mF_9.B5f-4.1JqM").sensitive(),
//! ];
//! let (mut encoder, mut block) = (Encoder::new(), BytesMut::new());
//! encoder.encode(fields, &mut block);
//!
//! let (mut decoder, mut list) = (Decoder::default(), FieldList::new(64 * 1024));
//! let (headers, continuation) = block.split_at(20);
//! decoder.decode(headers, false, &mut list)?;
//! decoder.decode(continuation, true, &mut list)?;
//! assert!(list.iter().eq(fields));
//! assert!(!list.is_overflowed());
//! # Ok::<(), sheave_hpack::Error>(())
//! ```
//!
//! # Memory
//!
//! Without having been used, an encoder and a decoder have no memory of their own. Used, a dynamic table takes up to three
//! times its size; the encoder adds 1.5 KiB and half the table's size at most. A list takes a small multiple of its limit,
//! whatever a block refers to. Nothing is reserved by a length that the peer claims.
//!
//! # Is it safe to compress?
//!
//! HPACK only ever compares whole values, so that a secret can be guessed only at once (RFC 7541 §7.1). Mark
//! what could be guessed like that as [sensitive](Field::sensitive), and what must not be told from other people's fields on
//! the same connection.
#![no_std]

extern crate alloc;

mod decoder;
mod dynamic_table;
mod encoder;
mod entry;
mod error;
mod field;
mod hash;
mod huffman;
mod list;
mod lookup;
mod primitive;
mod representation;
mod static_table;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::Error;
pub use field::Field;
pub use list::{FieldList, Fields, SharedFields};

/// The size of a dynamic table at the beginning of an HTTP/2 connection (RFC 9113 §6.5.2).
const DEFAULT_TABLE_SIZE: usize = 4096;

/// What any size may be at most: they are settings of 32 bits (RFC 9113 §6.5.2).
const MAX_SIZE: usize = u32::MAX as usize;
