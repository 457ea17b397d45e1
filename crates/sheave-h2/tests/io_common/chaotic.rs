use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::numbers::Random;

/// A stream that takes and gives by fits and starts, holds back what was not flushed as TLS does, and may fail.
pub(crate) struct Chaotic {
    io: DuplexStream,
    random: Random,
    held: Vec<u8>,
    /// Whether what is written waits for a flush.
    holds: bool,
    /// How much is moved before it fails, in bytes.
    left: Option<usize>,
}

impl Chaotic {
    pub(crate) fn new(io: DuplexStream, seed: u64, left: Option<usize>) -> Self {
        let mut random = Random::new(seed);
        let holds = random.one_in(2);
        Self { io, random, held: Vec::new(), holds, left }
    }

    fn is_pending(&mut self, cx: &Context<'_>) -> bool {
        let is_pending = self.random.one_in(3);
        if is_pending {
            cx.waker().wake_by_ref();
        }
        is_pending
    }

    fn most(&mut self) -> usize {
        match self.random.below(4) {
            0 => 1,
            1 => 1 + self.random.below(30),
            _ => 1 << 14,
        }
    }

    /// Fails once enough was moved.
    fn count(&mut self, moved: usize) -> io::Result<()> {
        let Some(left) = &mut self.left else { return Ok(()) };
        *left = left.saturating_sub(moved);
        if *left == 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, &self.held))?;
            self.held.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Chaotic {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_pending(cx) {
            return Poll::Pending;
        }
        let most = self.most().min(buffer.remaining());
        let mut bytes = vec![0; most];
        let mut some = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut some))?;
        let some = some.filled();
        self.count(some.len())?;
        buffer.put_slice(some);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Chaotic {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_pending(cx) {
            return Poll::Pending;
        }
        let most = self.most().min(bytes.len());
        if !self.holds {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, &bytes[..most]))?;
            self.count(count)?;
            return Poll::Ready(Ok(count));
        }
        if self.held.len() > 10_000 {
            ready!(self.poll_drain(cx))?;
        }
        self.held.extend_from_slice(&bytes[..most]);
        self.count(most)?;
        Poll::Ready(Ok(most))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_pending(cx) {
            return Poll::Pending;
        }
        self.poll_drain(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_pending(cx) {
            return Poll::Pending;
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
