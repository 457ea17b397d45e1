#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod carrier;
mod client;
mod error;
mod line;
mod own;
mod plain;
mod server;
mod stream;
mod table;
mod tunnel;
mod versions;
mod websocket;

pub use carrier::ConnectionId;
pub use client::{Client, ClientBuilder, ConnectRequest, connect};
pub use error::{Error, stream_error};
pub use server::{Accepting, Request, Serve, Server, ServerBuilder};
pub use stream::{Io, Reader, Stream, Writer};
pub use versions::Versions;
pub use websocket::{Receiver, Sender, WebSocket};

pub use http;
pub use sheave_h2 as h2;
pub use sheave_tls as tls;
pub use sheave_ws as ws;
pub use sheave_ws::deflate;

pub use sheave_ws::deflate::DeflateConfig;
pub use sheave_ws::handshake::OriginPolicy;
pub use sheave_ws::io::ByteStream;
pub use sheave_ws::{
    CloseCode, CloseFrame, Compress, Config, Message, MessageRef, NoMasking, Prepared, Utf8Bytes,
};

/// The repository's README, whose examples have to compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
