//! What a connection runs over: TCP, a Unix socket, any stream, each with TLS or without.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::own::Own;
use crate::server::Place;
use crate::tls::{TlsSession, TlsStream};
use crate::ws::Output;
use crate::ws::io::{ReadHalf, Receive, Transmit, Transport, WriteHalf};

/// Any stream of bytes: what sheave can run over.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for S {}

/// The transport of a [`WebSocket`](crate::WebSocket).
pub struct Stream {
    kind: Kind,
    /// A server's.
    place: Option<Arc<Place>>,
}

enum Kind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Other(Own),
    Tls(Box<TlsStream<Plain>>),
}

/// A stream without TLS.
pub(crate) enum Plain {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Other(Own),
}

impl Plain {
    /// As the kind that it is: a TCP or a Unix socket needs no lock when it is split.
    pub(crate) fn new(io: impl Io) -> Self {
        let mut io = Some(io);
        if let Some(tcp) = (&mut io as &mut dyn Any).downcast_mut().and_then(Option::take) {
            return Self::Tcp(tcp);
        }
        #[cfg(unix)]
        if let Some(unix) = (&mut io as &mut dyn Any).downcast_mut().and_then(Option::take) {
            return Self::Unix(unix);
        }
        Self::Other(Own::new(io.expect("only taken as the kind that it is")))
    }
}

impl From<Plain> for Stream {
    fn from(plain: Plain) -> Self {
        let kind = match plain {
            Plain::Tcp(tcp) => Kind::Tcp(tcp),
            #[cfg(unix)]
            Plain::Unix(unix) => Kind::Unix(unix),
            Plain::Other(other) => Kind::Other(other),
        };
        Self { kind, place: None }
    }
}

impl From<TlsStream<Plain>> for Stream {
    fn from(tls: TlsStream<Plain>) -> Self {
        Self { kind: Kind::Tls(Box::new(tls)), place: None }
    }
}

impl Stream {
    /// The same, which keeps its place in a server for as long as some of it is there.
    pub(crate) fn at(self, place: Arc<Place>) -> Self {
        Self { place: Some(place), ..self }
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.kind, Kind::Tls(_))
    }

    /// The TLS session, for [`tls::peer_certificates`](crate::tls::peer_certificates) and the like.
    pub fn tls(&self) -> Option<&impl TlsSession> {
        match &self.kind {
            Kind::Tls(tls) => Some(&**tls),
            _ => None,
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Tcp(_) => "Stream(TCP)",
            #[cfg(unix)]
            Kind::Unix(_) => "Stream(Unix)",
            Kind::Other(_) => "Stream",
            Kind::Tls(_) => "Stream(TLS)",
        })
    }
}

/// Calls a method of the stream that it is.
macro_rules! each {
    ($enum:ident, $value:expr, $stream:ident => $call:expr) => {
        match $value {
            $enum::Tcp($stream) => $call,
            #[cfg(unix)]
            $enum::Unix($stream) => $call,
            $enum::Other($stream) => $call,
            $enum::Tls($stream) => $call,
        }
    };
}

impl Receive for Stream {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        each!(Kind, &mut self.kind, stream => stream.poll_receive(cx, input, missing))
    }
}

impl Transmit for Stream {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        each!(Kind, &mut self.kind, stream => stream.poll_transmit(cx, output))
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Kind, &mut self.kind, stream => stream.poll_finish(cx))
    }
}

impl Transport for Stream {
    type Reader = Reader;
    type Writer = Writer;

    fn split(self) -> (Reader, Writer) {
        macro_rules! halves {
            ($kind:ident, $stream:expr) => {{
                let (reader, writer) = Transport::split($stream);
                let (reader, writer) = (ReaderKind::$kind(reader), WriterKind::$kind(writer));
                let place = self.place;
                (Reader { kind: reader, _place: place.clone() }, Writer { kind: writer, _place: place })
            }};
        }
        match self.kind {
            Kind::Tcp(tcp) => halves!(Tcp, tcp),
            #[cfg(unix)]
            Kind::Unix(unix) => halves!(Unix, unix),
            Kind::Other(other) => halves!(Other, other),
            Kind::Tls(tls) => halves!(Tls, tls),
        }
    }
}

/// The receiving direction of a [`Stream`].
pub struct Reader {
    kind: ReaderKind,
    _place: Option<Arc<Place>>,
}

/// The sending direction of a [`Stream`].
pub struct Writer {
    kind: WriterKind,
    _place: Option<Arc<Place>>,
}

enum ReaderKind {
    Tcp(ReadHalf<TcpStream>),
    #[cfg(unix)]
    Unix(ReadHalf<UnixStream>),
    Other(ReadHalf<Own>),
    Tls(ReadHalf<Box<TlsStream<Plain>>>),
}

enum WriterKind {
    Tcp(WriteHalf<TcpStream>),
    #[cfg(unix)]
    Unix(WriteHalf<UnixStream>),
    Other(WriteHalf<Own>),
    Tls(WriteHalf<Box<TlsStream<Plain>>>),
}

impl Receive for Reader {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        each!(ReaderKind, &mut self.kind, half => half.poll_receive(cx, input, missing))
    }
}

impl Transmit for Writer {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        each!(WriterKind, &mut self.kind, half => half.poll_transmit(cx, output))
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(WriterKind, &mut self.kind, half => half.poll_finish(cx))
    }
}

/// Calls a method of the plain stream that it is.
macro_rules! plain {
    ($value:expr, $stream:ident => $call:expr) => {
        match $value {
            Plain::Tcp($stream) => $call,
            #[cfg(unix)]
            Plain::Unix($stream) => $call,
            Plain::Other($stream) => $call,
        }
    };
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        plain!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        plain!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        plain!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        plain!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        plain!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        plain!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
