//! A stream without TLS, and how it is cut.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, split};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::own::Own;
use crate::stream::Io;
use crate::ws::io::{ReadHalf, WriteHalf};

/// TCP, a Unix socket or a stream of the caller's, its directions apart: those of a socket need no lock of each
/// other.
pub(crate) struct Plain {
    pub(crate) receiving: ReadHalf<Own>,
    pub(crate) sending: Sending,
}

/// The sending direction, where a server finds what to cut. Nobody else waits for its lock.
pub(crate) struct Sending(Arc<Mutex<WriteHalf<Own>>>);

/// Cuts a connection, whoever holds it.
#[derive(Clone)]
pub(crate) struct Cutter(Weak<Mutex<WriteHalf<Own>>>);

impl Plain {
    /// As the kind that it is.
    pub(crate) fn new(io: impl Io) -> Self {
        let mut io = Some(io);
        if let Some(tcp) = (&mut io as &mut dyn Any).downcast_mut().and_then(Option::take) {
            return Self::tcp(tcp);
        }
        #[cfg(unix)]
        if let Some(unix) = (&mut io as &mut dyn Any).downcast_mut().and_then(Option::take) {
            return Self::unix(unix);
        }
        let (receiving, sending) = split(Own::new(io.expect("only taken as the kind that it is")));
        Self::apart(ReadHalf::Shared(receiving), WriteHalf::Shared(sending))
    }

    pub(crate) fn tcp(tcp: TcpStream) -> Self {
        let (receiving, sending) = tcp.into_split();
        Self::apart(ReadHalf::Tcp(receiving), WriteHalf::Tcp(sending))
    }

    #[cfg(unix)]
    pub(crate) fn unix(unix: UnixStream) -> Self {
        let (receiving, sending) = unix.into_split();
        Self::apart(ReadHalf::Unix(receiving), WriteHalf::Unix(sending))
    }

    fn apart(receiving: ReadHalf<Own>, sending: WriteHalf<Own>) -> Self {
        Self { receiving, sending: Sending(Arc::new(Mutex::new(sending))) }
    }

    pub(crate) fn cutter(&self) -> Cutter {
        Cutter(Arc::downgrade(&self.sending.0))
    }
}

impl Sending {
    pub(crate) fn half(&self) -> MutexGuard<'_, WriteHalf<Own>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cutter {
    /// Ends both directions of a socket. The system does it: so it wakes whoever waits, and the peer learns of
    /// it even if nobody ever looks at the connection again. What is gone is let be, as is a stream of the
    /// caller's.
    pub(crate) fn cut(&self) -> io::Result<()> {
        let Some(half) = self.0.upgrade() else { return Ok(()) };
        match &*Sending(half).half() {
            WriteHalf::Tcp(half) => shut_down_tcp(half.as_ref()),
            #[cfg(unix)]
            WriteHalf::Unix(half) => shut_down_unix(half.as_ref()),
            _ => Ok(()),
        }
    }
}

/// Through a second descriptor for the moment, as tokio has no such method.
fn shut_down_tcp(tcp: &TcpStream) -> io::Result<()> {
    #[cfg(unix)]
    let same = std::os::fd::AsFd::as_fd(tcp).try_clone_to_owned()?;
    #[cfg(windows)]
    let same = std::os::windows::io::AsSocket::as_socket(tcp).try_clone_to_owned()?;
    std::net::TcpStream::from(same).shutdown(Shutdown::Both)
}

#[cfg(unix)]
fn shut_down_unix(unix: &UnixStream) -> io::Result<()> {
    let same = std::os::fd::AsFd::as_fd(unix).try_clone_to_owned()?;
    std::os::unix::net::UnixStream::from(same).shutdown(Shutdown::Both)
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.receiving {
            ReadHalf::Tcp(_) => "TCP",
            #[cfg(unix)]
            ReadHalf::Unix(_) => "Unix",
            _ => "own",
        })
    }
}

impl fmt::Debug for Cutter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cutter")
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().receiving).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.sending.half()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.sending.half()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.sending.half().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.sending.half()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.sending.half()).poll_shutdown(cx)
    }
}
