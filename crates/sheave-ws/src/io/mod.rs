//! WebSockets over tokio streams.
//!
//! [`accept`] and [`connect`] do the opening handshake over HTTP/1.1 on any stream and give a [`WebSocket`].
//! Timeouts need the runtime's timer (`enable_time`).

mod close_handle;
mod entropy;
mod receive;
mod shared;
mod split;
mod timer;
mod transport;
mod websocket;

pub use close_handle::CloseHandle;
pub use entropy::{handshake_key, masking_key};
pub use split::{Receiver, Sender};
pub use transport::{ReadHalf, Receive, Transmit, Transport, WriteHalf};
pub use websocket::WebSocket;
