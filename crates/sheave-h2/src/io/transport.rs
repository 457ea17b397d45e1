//! Bytes from and to a tokio stream.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::chunks::Chunks;
use crate::spare::{self, LARGEST_LARGE};

/// The least and the most that is made room for before a read, in bytes. Content that nobody reads holds what it was read with,
/// so more is not always better.
const LEAST_READ: usize = 16 << 10;
const MOST_READ: usize = 128 << 10;
/// Less than this does not hold what it was read with, in bytes.
const ROOM: usize = 4 << 10;

/// What has arrived and was not understood yet.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: BytesMut,
    /// How much is made room for: more while reads fill it.
    size: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { bytes: BytesMut::new(), size: LEAST_READ }
    }
}

impl Input {
    /// Reads what has come; 0 is the end. `missing` is how much more the frame that is arriving says it has: room is made for
    /// no more of it than has come so far.
    pub(super) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut S,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        let Self { bytes, size } = self;
        let length = bytes.len();
        if bytes.capacity() - length < *size / 2 {
            let room = missing.min(length.max(LEAST_READ)).max(*size / 2);
            if !bytes.try_reclaim(room.max(size.saturating_sub(ROOM + length))) {
                // All of a size, so that one is used again for the other.
                let whole = (*size).max(length + room);
                let mut buffer =
                    spare::large(whole, LARGEST_LARGE).unwrap_or_else(|| BytesMut::with_capacity(whole));
                buffer.extend_from_slice(bytes);
                spare::recycle(std::mem::replace(bytes, buffer));
            }
        }
        let room = bytes.capacity() - bytes.len();
        let read = pin!(io.read_buf(bytes)).poll(cx);
        match &read {
            Poll::Ready(Ok(count)) if *count == room => *size = (*size * 2).min(MOST_READ),
            Poll::Ready(Ok(count)) if *count < *size / 4 => *size = (*size / 2).max(LEAST_READ),
            Poll::Ready(_) => {}
            Poll::Pending => self.rest(),
        }
        read
    }

    /// Nothing more comes for now: what is not needed goes.
    fn rest(&mut self) {
        if self.bytes.len() < ROOM {
            let start = BytesMut::from(&self.bytes[..]);
            let mut rest = std::mem::replace(&mut self.bytes, start);
            rest.clear();
            // Nobody holds any of it.
            if rest.try_reclaim(LEAST_READ) {
                spare::give(rest);
            }
        }
    }
}

/// Writes some of `output`, which is not empty.
pub(super) fn poll_write<S: AsyncWrite + Unpin>(
    cx: &mut Context<'_>,
    io: &mut S,
    output: &mut Chunks,
) -> Poll<io::Result<usize>> {
    const GATHERED: usize = 64;
    let mut slices = [IoSlice::new(&[]); GATHERED];
    let used = if io.is_write_vectored() { output.chunks_vectored(&mut slices) } else { 0 };
    let written = match used {
        0 | 1 => Pin::new(io).poll_write(cx, output.chunk()),
        _ => Pin::new(io).poll_write_vectored(cx, &slices[..used]),
    };
    match written {
        Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        Poll::Ready(Ok(count)) => {
            output.advance(count);
            Poll::Ready(Ok(count))
        }
        other => other,
    }
}

/// Has a buffer at hand for what is to be sent.
pub(super) fn lend(output: &mut Chunks) {
    output.lend(|| spare::large(LEAST_READ, LARGEST_LARGE).unwrap_or_else(spare::take));
}

/// Takes back what was lent.
pub(super) fn recall(output: &mut Chunks) {
    if let Some(buffer) = output.recall() {
        spare::give(buffer);
    }
}
