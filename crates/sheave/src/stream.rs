//! What a WebSocket runs over: TCP, a Unix socket, any stream, each with TLS or without, or a stream of HTTP/2.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use http::Version;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::carrier::ConnectionId;
use crate::own::Own;
use crate::plain::{End, Plain, Sending};
use crate::server::Place;
use crate::tls::{TlsSession, TlsStream};
use crate::tunnel::{Tunnel, TunnelReader, TunnelWriter};
use crate::ws::Output;
use crate::ws::io::{CloseHandle, ReadHalf, Receive, Transmit, Transport, WriteHalf};

/// Any stream of bytes: what sheave can run over.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for S {}

/// The transport of a [`WebSocket`](crate::WebSocket).
pub struct Stream(Kind);

enum Kind {
    Plain(Plain, Whole),
    Tls(Box<TlsStream<Plain>>, Whole),
    /// It has what is in [`Whole`] by way of its connection.
    Tunnel(Tunnel),
}

/// A connection that is all the stream's.
struct Whole {
    id: ConnectionId,
    /// A server's.
    place: Option<Arc<Place>>,
}

impl Whole {
    fn new() -> Self {
        Self { id: ConnectionId::new(), place: None }
    }
}

impl From<Plain> for Stream {
    fn from(plain: Plain) -> Self {
        Self(Kind::Plain(plain, Whole::new()))
    }
}

impl From<Box<TlsStream<Plain>>> for Stream {
    fn from(tls: Box<TlsStream<Plain>>) -> Self {
        Self(Kind::Tls(tls, Whole::new()))
    }
}

impl From<Tunnel> for Stream {
    fn from(tunnel: Tunnel) -> Self {
        Self(Kind::Tunnel(tunnel))
    }
}

impl Stream {
    /// The same, which keeps its place in a server for as long as some of it is there.
    pub(crate) fn at(mut self, place: Arc<Place>) -> Self {
        if let Kind::Plain(_, whole) | Kind::Tls(_, whole) = &mut self.0 {
            whole.place = Some(place);
        }
        self
    }

    /// The version of HTTP: 2 for a stream of an HTTP/2 connection, else 1.1.
    pub fn version(&self) -> Version {
        match self.0 {
            Kind::Tunnel(_) => Version::HTTP_2,
            _ => Version::HTTP_11,
        }
    }

    /// The connection, which streams of HTTP/2 share.
    pub fn connection_id(&self) -> ConnectionId {
        match &self.0 {
            Kind::Plain(_, whole) | Kind::Tls(_, whole) => whole.id,
            Kind::Tunnel(tunnel) => tunnel.berth.carrier().id(),
        }
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls().is_some()
    }

    /// The TLS session, for [`tls::peer_certificates`](crate::tls::peer_certificates) and the like.
    pub fn tls(&self) -> Option<&dyn TlsSession> {
        match &self.0 {
            Kind::Tls(tls, _) => Some(&**tls),
            Kind::Plain(..) => None,
            Kind::Tunnel(tunnel) => tunnel.berth.carrier().session().map(|session| session as _),
        }
    }

    /// Has a shutdown of the server close the WebSocket over this stream of HTTP/2.
    pub(crate) fn track(&self, handle: CloseHandle) {
        if let Kind::Tunnel(tunnel) = &self.0 {
            tunnel.berth.track(handle);
        }
    }

    /// The stream of HTTP/2 that it is; an error if it is none.
    pub(crate) fn tunnel(&mut self) -> io::Result<&mut Tunnel> {
        match &mut self.0 {
            Kind::Tunnel(tunnel) => Ok(tunnel),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Plain(plain, _) => write!(f, "Stream({plain:?})"),
            Kind::Tls(..) => f.write_str("Stream(TLS)"),
            Kind::Tunnel(tunnel) => write!(f, "Stream(HTTP/2, {:?})", tunnel.receiving.stream.id()),
        }
    }
}

impl Receive for Stream {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Plain(plain, _) => plain.receiving.poll_receive(cx, input, missing),
            Kind::Tls(tls, _) => tls.poll_receive(cx, input, missing),
            Kind::Tunnel(tunnel) => tunnel.receiving.poll_receive(cx, input, missing),
        }
    }
}

impl Transmit for Stream {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(plain, _) => plain.sending.poll_transmit(cx, output),
            Kind::Tls(tls, _) => tls.poll_transmit(cx, output),
            Kind::Tunnel(tunnel) => tunnel.outlet().poll_transmit(cx, output),
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(plain, _) => plain.sending.poll_finish(cx),
            Kind::Tls(tls, _) => tls.poll_finish(cx),
            Kind::Tunnel(tunnel) => tunnel.outlet().poll_finish(cx),
        }
    }

    fn departed(&self) -> u64 {
        match &self.0 {
            Kind::Plain(..) => 0,
            Kind::Tls(tls, _) => tls.get_ref().0.end().departed(),
            Kind::Tunnel(tunnel) => tunnel.departed(),
        }
    }

    fn lingers(&self) -> bool {
        matches!(self.0, Kind::Tunnel(_))
    }

    fn is_untried(&self) -> bool {
        matches!(&self.0, Kind::Tunnel(tunnel) if tunnel.is_untried())
    }
}

impl Transport for Stream {
    type Reader = Reader;
    type Writer = Writer;

    fn split(self) -> (Reader, Writer) {
        let (reader, writer, place) = match self.0 {
            Kind::Plain(plain, whole) => {
                (ReaderKind::Plain(plain.receiving), WriterKind::Plain(plain.sending), whole.place)
            }
            Kind::Tls(tls, whole) => {
                let end = Arc::clone(tls.get_ref().0.end());
                let (reader, writer) = Transport::split(tls);
                (ReaderKind::Tls(reader), WriterKind::Tls(writer, end), whole.place)
            }
            Kind::Tunnel(tunnel) => {
                let (reader, writer) = tunnel.split();
                (ReaderKind::Tunnel(reader), WriterKind::Tunnel(writer), None)
            }
        };
        (Reader { kind: reader, _place: place.clone() }, Writer { kind: writer, _place: place })
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
    Plain(ReadHalf<Own>),
    Tls(ReadHalf<Box<TlsStream<Plain>>>),
    Tunnel(TunnelReader),
}

enum WriterKind {
    Plain(Sending),
    Tls(WriteHalf<Box<TlsStream<Plain>>>, Arc<End>),
    Tunnel(TunnelWriter),
}

impl Receive for Reader {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            ReaderKind::Plain(half) => half.poll_receive(cx, input, missing),
            ReaderKind::Tls(half) => half.poll_receive(cx, input, missing),
            ReaderKind::Tunnel(half) => half.receiving.poll_receive(cx, input, missing),
        }
    }
}

impl Transmit for Writer {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        match &mut self.kind {
            WriterKind::Plain(sending) => sending.poll_transmit(cx, output),
            WriterKind::Tls(half, _) => half.poll_transmit(cx, output),
            WriterKind::Tunnel(half) => half.sending.poll_transmit(cx, output),
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            WriterKind::Plain(sending) => sending.poll_finish(cx),
            WriterKind::Tls(half, _) => half.poll_finish(cx),
            WriterKind::Tunnel(half) => half.sending.poll_finish(cx),
        }
    }

    fn departed(&self) -> u64 {
        match &self.kind {
            WriterKind::Plain(_) => 0,
            WriterKind::Tls(_, end) => end.departed(),
            WriterKind::Tunnel(half) => half.sending.departed(),
        }
    }

    fn lingers(&self) -> bool {
        matches!(self.kind, WriterKind::Tunnel(_))
    }
}
