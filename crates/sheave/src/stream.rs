//! What a connection runs over: TCP, a Unix socket, any stream, each with TLS or without.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::own::Own;
use crate::plain::{Plain, Sending};
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
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
}

impl From<Plain> for Stream {
    fn from(plain: Plain) -> Self {
        Self { kind: Kind::Plain(plain), place: None }
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
            Kind::Plain(_) => None,
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Plain(plain) => write!(f, "Stream({plain:?})"),
            Kind::Tls(_) => f.write_str("Stream(TLS)"),
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
        match &mut self.kind {
            Kind::Plain(plain) => plain.receiving.poll_receive(cx, input, missing),
            Kind::Tls(tls) => tls.poll_receive(cx, input, missing),
        }
    }
}

impl Transmit for Stream {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(plain) => plain.sending.half().poll_transmit(cx, output),
            Kind::Tls(tls) => tls.poll_transmit(cx, output),
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(plain) => plain.sending.half().poll_finish(cx),
            Kind::Tls(tls) => tls.poll_finish(cx),
        }
    }
}

impl Transport for Stream {
    type Reader = Reader;
    type Writer = Writer;

    fn split(self) -> (Reader, Writer) {
        let (reader, writer) = match self.kind {
            Kind::Plain(plain) => (ReaderKind::Plain(plain.receiving), WriterKind::Plain(plain.sending)),
            Kind::Tls(tls) => {
                let (reader, writer) = Transport::split(tls);
                (ReaderKind::Tls(reader), WriterKind::Tls(writer))
            }
        };
        let place = self.place;
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
}

enum WriterKind {
    Plain(Sending),
    Tls(WriteHalf<Box<TlsStream<Plain>>>),
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
        }
    }
}

impl Transmit for Writer {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        match &mut self.kind {
            WriterKind::Plain(sending) => sending.half().poll_transmit(cx, output),
            WriterKind::Tls(half) => half.poll_transmit(cx, output),
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            WriterKind::Plain(sending) => sending.half().poll_finish(cx),
            WriterKind::Tls(half) => half.poll_finish(cx),
        }
    }
}
#[cfg(test)]
mod sz {
    use super::*;
    #[test]
    fn sizes() {
        println!(
            "Stream {} Kind {} ReadHalf {} WriteHalf {} Mutex<WH> {} TcpStream {} WS {} Place {} http1 {}",
            size_of::<Stream>(),
            size_of::<Kind>(),
            size_of::<ReadHalf<Own>>(),
            size_of::<WriteHalf<Own>>(),
            size_of::<std::sync::Mutex<WriteHalf<Own>>>(),
            size_of::<tokio::net::TcpStream>(),
            size_of::<crate::ws::io::WebSocket<Stream>>(),
            size_of::<Place>(),
            size_of::<crate::ws::io::Http1<Stream>>()
        );
    }
}
