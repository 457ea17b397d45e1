//! A connection as it is before anything is known of what is spoken on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::plain::Plain;
use crate::stream::Stream;
use crate::tls::{self, TlsStream};

/// A stream with TLS or without, and what was read of it already.
pub(crate) struct Line {
    kind: Kind,
    early: BytesMut,
}

enum Kind {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
}

impl From<Plain> for Line {
    fn from(plain: Plain) -> Self {
        Self { kind: Kind::Plain(plain), early: BytesMut::new() }
    }
}

impl From<TlsStream<Plain>> for Line {
    fn from(tls: TlsStream<Plain>) -> Self {
        Self { kind: Kind::Tls(Box::new(tls)), early: BytesMut::new() }
    }
}

impl Line {
    /// What the two sides agreed on by ALPN.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Plain(_) => None,
            Kind::Tls(tls) => tls::alpn_protocol(&**tls),
        }
    }

    /// What is known of TLS, if it has that.
    pub(crate) fn session(&self) -> Option<tls::Session> {
        match &self.kind {
            Kind::Plain(_) => None,
            Kind::Tls(tls) => Some(tls::Session::of(&**tls)),
        }
    }

    /// Whether the peer begins with these bytes. What was read for that is read once more later.
    pub(crate) async fn begins_with(&mut self, start: &[u8]) -> io::Result<bool> {
        /// Most requests are not longer, and come with one read then.
        const ROOM: usize = 2 << 10;
        self.early.reserve(ROOM);
        loop {
            let have = self.early.len().min(start.len());
            if self.early[..have] != start[..have] {
                return Ok(false);
            }
            if have == start.len() {
                return Ok(true);
            }
            let Self { kind, early } = self;
            let read = match kind {
                Kind::Plain(plain) => plain.read_buf(early).await?,
                Kind::Tls(tls) => tls.read_buf(early).await?,
            };
            if read == 0 {
                return Ok(false);
            }
        }
    }

    /// For one WebSocket, or HTTP/1.1; and what is to be read first.
    pub(crate) fn into_stream(self) -> (Stream, BytesMut) {
        let stream = match self.kind {
            Kind::Plain(plain) => plain.into(),
            Kind::Tls(tls) => tls.into(),
        };
        (stream, self.early)
    }
}

/// Calls a method of the stream that it is.
macro_rules! each {
    ($line:expr, $stream:ident => $call:expr) => {
        match &mut $line.get_mut().kind {
            Kind::Plain($stream) => $call,
            Kind::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.has_remaining() {
            let count = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early[..count]);
            self.early.advance(count);
            if self.early.is_empty() {
                self.early = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Plain(plain) => plain.is_write_vectored(),
            Kind::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
