//! A stream of the caller's.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Io;

/// Any stream, which need not be `Sync` and becomes it here: else no handler could lend its request to an
/// async function. The mutex is never locked, since whoever reads or writes has it to himself.
pub(crate) struct Own {
    io: Box<Mutex<dyn Io>>,
    vectored: bool,
}

impl Own {
    pub(crate) fn new(io: impl Io) -> Self {
        Self { vectored: io.is_write_vectored(), io: Box::new(Mutex::new(io)) }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn Io> {
        Pin::new(self.get_mut().io.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncRead for Own {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Own {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
