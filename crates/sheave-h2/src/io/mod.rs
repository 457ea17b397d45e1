//! HTTP/2 over tokio streams.
//!
//! [`server::handshake`] and [`client::handshake`] make a connection of any stream. Somebody has to drive it: its task
//! reads, writes, and keeps the time, for which the runtime's timer is needed (`enable_time`). Streams are used from
//! wherever one likes.

mod cell;
pub mod client;
mod driver;
mod events;
mod handle;
mod last;
mod receiving;
mod recv_stream;
mod rest;
mod send_stream;
pub mod server;
mod shared;
mod state;
mod timer;
mod transport;
mod waiting;
mod wants;
mod woken;

pub use self::handle::Handle;
pub use self::recv_stream::RecvStream;
pub use self::send_stream::SendStream;
