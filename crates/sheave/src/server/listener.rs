//! What connections come from.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::plain::Plain;

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer(pub(super) Option<SocketAddr>);

impl Listener {
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    pub(super) async fn accept(&self, nodelay: bool) -> io::Result<(Plain, Peer)> {
        match self {
            Self::Tcp(tcp) => {
                let (stream, address) = tcp.accept().await?;
                stream.set_nodelay(nodelay)?;
                Ok((Plain::tcp(stream), Peer(Some(address))))
            }
            #[cfg(unix)]
            Self::Unix(unix) => Ok((Plain::unix(unix.accept().await?.0), Peer(None))),
        }
    }
}
