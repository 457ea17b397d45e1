//! A stream without TLS, and how it is cut.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, split};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

use crate::own::Own;
use crate::stream::Io;
use crate::ws::io::ReadHalf;

/// TCP, a Unix socket or a stream of the caller's, its directions apart: those of a socket need no lock of each
/// other.
pub(crate) struct Plain {
    pub(crate) receiving: ReadHalf<Own>,
    pub(crate) sending: Sending,
}

/// The sending direction.
pub(crate) struct Sending {
    end: Arc<End>,
    /// There if it is no socket.
    own: Option<tokio::io::WriteHalf<Own>>,
}

/// What others than the one who sends have to do with the sending direction. A socket is written to without a
/// lock, so a server can get hold of it as well.
pub(crate) struct End {
    socket: Option<Socket>,
    departed: AtomicU64,
    /// Whether the socket's own half was ended.
    has_ended: AtomicBool,
}

enum Socket {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
}

/// Calls a method of the socket that it is.
macro_rules! each {
    ($socket:expr, $half:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($half) => $call,
            #[cfg(unix)]
            Socket::Unix($half) => $call,
        }
    };
}

/// Cuts a connection, whoever holds it.
#[derive(Clone)]
pub(crate) struct Cutter(Weak<End>);

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
        Self::apart(ReadHalf::Shared(receiving), None, Some(sending))
    }

    pub(crate) fn tcp(tcp: TcpStream) -> Self {
        let (receiving, sending) = tcp.into_split();
        Self::apart(ReadHalf::Tcp(receiving), Some(Socket::Tcp(sending)), None)
    }

    #[cfg(unix)]
    pub(crate) fn unix(unix: UnixStream) -> Self {
        let (receiving, sending) = unix.into_split();
        Self::apart(ReadHalf::Unix(receiving), Some(Socket::Unix(sending)), None)
    }

    fn apart(
        receiving: ReadHalf<Own>,
        socket: Option<Socket>,
        own: Option<tokio::io::WriteHalf<Own>>,
    ) -> Self {
        let end = Arc::new(End { socket, departed: AtomicU64::new(0), has_ended: AtomicBool::new(false) });
        Self { receiving, sending: Sending { end, own } }
    }

    pub(crate) fn cutter(&self) -> Cutter {
        Cutter(Arc::downgrade(&self.sending.end))
    }

    pub(crate) fn end(&self) -> &Arc<End> {
        &self.sending.end
    }
}

impl End {
    /// How many bytes were written.
    pub(crate) fn departed(&self) -> u64 {
        self.departed.load(Ordering::Relaxed)
    }

    /// Writes to the socket, if it is one; `None` if not.
    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&Socket) -> io::Result<usize>,
    ) -> Option<Poll<io::Result<usize>>> {
        let socket = self.socket.as_ref()?;
        Some(loop {
            match each!(socket, half => half.as_ref().poll_write_ready(cx)) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
            match write(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => break Poll::Ready(written),
            }
        })
    }

    fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        each!(socket, half => SockRef::from(half.as_ref()).shutdown(how))?;
        self.has_ended.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// A half that is dropped ends its direction, unless it has ended.
impl Drop for End {
    fn drop(&mut self) {
        if *self.has_ended.get_mut()
            && let Some(socket) = self.socket.take()
        {
            each!(socket, half => half.forget());
        }
    }
}

impl Cutter {
    /// Ends both directions of a socket. The system does it: so it wakes whoever waits, and the peer learns of
    /// it even if nobody ever looks at the connection again. What is gone is let be, as is a stream of the
    /// caller's.
    pub(crate) fn cut(&self) -> io::Result<()> {
        self.0.upgrade().map_or(Ok(()), |end| end.shut_down(Shutdown::Both))
    }
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

impl AsyncWrite for Sending {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { end, own } = self.get_mut();
        let write = |socket: &Socket| match slices {
            [slice] => each!(socket, half => half.try_write(slice)),
            slices => each!(socket, half => half.try_write_vectored(slices)),
        };
        let written = match (end.poll_write(cx, write), own) {
            (Some(written), _) => ready!(written)?,
            (None, Some(own)) => ready!(Pin::new(own).poll_write_vectored(cx, slices))?,
            (None, None) => 0,
        };
        end.departed.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.own.as_ref().is_none_or(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().own {
            Some(own) => Pin::new(own).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { end, own } = self.get_mut();
        match own {
            Some(own) => Pin::new(own).poll_shutdown(cx),
            None => Poll::Ready(end.shut_down(Shutdown::Write)),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.sending).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.sending).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.sending.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sending).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sending).poll_shutdown(cx)
    }
}
