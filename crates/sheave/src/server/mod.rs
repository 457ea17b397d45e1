//! Serving WebSockets and ordinary requests.

mod builder;
mod connection;
mod exchanges;
mod handled;
mod home;
mod http2;
mod limit;
mod listener;
mod place;
mod request;
mod response;
mod serve;
mod tasks;
mod wire;

use std::sync::Arc;

pub use builder::ServerBuilder;
pub(crate) use home::{Home, Returned};
pub(crate) use place::Place;
pub use request::{Accepting, Request};
pub use serve::Serve;

use crate::error::Error;
use crate::plain::Plain;
use crate::stream::Io;
use builder::Settings;
use listener::{Listener, Peer};
use place::Tracker;

/// A server of WebSockets, and of ordinary requests beside them.
///
/// ```no_run
/// # async fn example() -> Result<(), sheave::Error> {
/// let server = sheave::Server::bind("127.0.0.1:8080").build().await?;
/// server
///     .serve(|request: sheave::Request| async move {
///         let mut ws = request.accept().await?;
///         while let Some(message) = ws.recv().await? {
///             ws.send(message).await?;
///         }
///         Ok(())
///     })
///     .await
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: Option<Listener>,
    settings: Arc<Settings>,
}

impl Server {
    /// A server that listens on a TCP address; `[::]:PORT` for all of IPv6 and IPv4, port 0 for a free one.
    ///
    /// What is wrong with it is told by [`ServerBuilder::build`].
    pub fn bind(address: impl std::net::ToSocketAddrs) -> ServerBuilder {
        ServerBuilder::tcp(address)
    }

    /// A server that listens on a Unix socket, made anew at this path; a socket that is left there from
    /// before is in the way and has to be removed first.
    #[cfg(unix)]
    pub fn bind_unix(path: impl Into<std::path::PathBuf>) -> ServerBuilder {
        ServerBuilder::unix(path.into())
    }

    /// A server on a listener that there is already.
    pub fn from_listener(listener: tokio::net::TcpListener) -> ServerBuilder {
        ServerBuilder::listener(listener)
    }

    /// A server that does not listen: it serves the streams that
    /// [`serve_connection`](Self::serve_connection) is given.
    pub fn detached() -> ServerBuilder {
        ServerBuilder::detached()
    }

    /// Where it listens, with the port that the system chose; `None` for a Unix socket or a detached server.
    pub fn local_addr(&self) -> Option<std::net::SocketAddr> {
        self.listener.as_ref()?.local_addr()
    }

    /// Serves every connection with `handler`, one task each, and with HTTP/2 one for each request, until the shutdown.
    ///
    /// The handler is given each ordinary request, and each request for a WebSocket that is in order, over whichever version
    /// of HTTP it came; others have been refused, as is CONNECT for anything else. What it returns as an error, or its panic,
    /// ends its own connection, or with HTTP/2 its own stream, only.
    pub fn serve<H, F>(self, handler: H) -> Serve<H>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Serve::new(self, handler)
    }

    /// Serves one stream of the caller's, with TLS if the server has it, until the connection ends.
    ///
    /// # Errors
    /// What ended the connection.
    ///
    /// # Cancel safety
    /// Dropping it cuts the connection.
    pub async fn serve_connection<H, F>(&self, io: impl Io, handler: H) -> Result<(), Error>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let tracker = Arc::new(Tracker::default());
        let plain = Plain::new(io);
        let place = tracker.admit(&plain, &self.settings, Peer::default(), None);
        connection::serve(plain, place, Arc::new(handler)).await
    }
}
