//! WebSockets over tokio streams.
//!
//! [`accept`] and [`connect`] do the opening handshake over HTTP/1.1 on any stream and give a [`WebSocket`].
//! Timeouts need the runtime's timer (`enable_time`).

mod accept;
mod byte_stream;
mod close_handle;
mod connect;
mod entropy;
mod http1;
#[cfg(all(test, sheave_loom))]
mod model;
mod parts;
mod receive;
mod resting;
mod shared;
mod split;
mod sync;
mod timer;
mod transport;
mod websocket;

pub use accept::{Accept, accept};
pub use byte_stream::ByteStream;
pub use close_handle::CloseHandle;
pub use connect::{Connect, connect};
pub use entropy::{handshake_key, masking_key};
pub use http1::Http1;
pub use parts::{MessageReader, MessageWriter, ReadParts, WriteParts};
pub use split::{Receiver, Sender};
pub use transport::{ReadHalf, Receive, Transmit, Transport, WriteHalf};
pub use websocket::WebSocket;
