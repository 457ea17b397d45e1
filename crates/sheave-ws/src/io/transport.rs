//! The seam to whatever carries the bytes: owned chunks in, gathered chunks out.

use std::any::Any;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

use crate::output::Output;

/// Where bytes come from. Every [`AsyncRead`] is one.
///
/// A call that is Pending has taken nothing, and may be repeated with another waker, or never.
pub trait Receive: Unpin {
    /// Appends what has arrived to `input` and tells how much that is; 0 is the end.
    ///
    /// A transport that owns its chunks may put one in the place of an empty `input`. `missing` is how many
    /// more bytes the frame that is arriving claims to have, or 0.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>>;
}

/// Where bytes go. Every [`AsyncWrite`] is one.
///
/// A call that is Pending has sent exactly what it took out of `output`, and may be repeated with another waker,
/// with more output, or never.
pub trait Transmit: Unpin {
    /// Writes `output` and flushes it, taking out what is written. Ready once it is empty and flushed.
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>>;

    /// Ends this direction: a TCP FIN, an END_STREAM.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// How many bytes have left the transport, if it has a buffer of its own, as TLS does.
    ///
    /// A peer that takes little at a time is told by it from one that takes nothing. Default: 0, whatever is
    /// taken out of `output` has left.
    fn departed(&self) -> u64 {
        0
    }

    /// Whether what was written last reaches the peer however early the transport is dropped after its end, as with a
    /// stream of a connection that goes on.
    ///
    /// Then nothing is read any more only so that nothing is lost; and a client whose peer does not end the transport
    /// after the closing handshake ends it within a second. Default: false, as with TCP.
    fn lingers(&self) -> bool {
        false
    }

    /// Whether what [`poll_finish`](Self::poll_finish) waits for is only that it is this transport's turn, and it will wake
    /// whoever waits if that was not enough: until then there is no need of a timer. Default: false.
    fn is_untried(&self) -> bool {
        false
    }
}

/// Both directions of a connection. Everything that is [`AsyncRead`] and [`AsyncWrite`] is one.
pub trait Transport: Receive + Transmit + Sized {
    /// The receiving direction alone.
    type Reader: Receive;
    /// The sending direction alone.
    type Writer: Transmit;

    /// Takes the directions apart.
    fn split(self) -> (Self::Reader, Self::Writer);
}

/// What an [`AsyncRead`] and [`AsyncWrite`] is read through once split: for TCP and Unix sockets their own
/// half, free of locks; for all else (TLS is one state machine for both directions) a shared one.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadHalf<S> {
    /// Of a [`TcpStream`].
    Tcp(tcp::OwnedReadHalf),
    /// Of a [`UnixStream`].
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
    /// Of any other stream.
    Shared(tokio::io::ReadHalf<S>),
}

/// What an [`AsyncRead`] and [`AsyncWrite`] is written through once split.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteHalf<S> {
    /// Of a [`TcpStream`].
    Tcp(tcp::OwnedWriteHalf),
    /// Of a [`UnixStream`].
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    /// Of any other stream.
    Shared(tokio::io::WriteHalf<S>),
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Transport for S {
    type Reader = ReadHalf<S>;
    type Writer = WriteHalf<S>;

    fn split(self) -> (ReadHalf<S>, WriteHalf<S>) {
        let stream = match downcast::<S, TcpStream>(self) {
            Ok(tcp) => {
                let (reader, writer) = tcp.into_split();
                return (ReadHalf::Tcp(reader), WriteHalf::Tcp(writer));
            }
            Err(stream) => stream,
        };
        #[cfg(unix)]
        let stream = match downcast::<S, UnixStream>(stream) {
            Ok(unix) => {
                let (reader, writer) = unix.into_split();
                return (ReadHalf::Unix(reader), WriteHalf::Unix(writer));
            }
            Err(stream) => stream,
        };
        let (reader, writer) = tokio::io::split(stream);
        (ReadHalf::Shared(reader), WriteHalf::Shared(writer))
    }
}

/// `value` as a `T`, if it is one.
fn downcast<S: 'static, T: 'static>(value: S) -> Result<T, S> {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    match any.downcast_mut::<Option<T>>().and_then(Option::take) {
        Some(value) => Ok(value),
        None => Err(value.expect("only taken as a T")),
    }
}

/// How much is read at once, and how much once reads fill that.
const READ_BUFFER: usize = 128 << 10;
const LARGE_BUFFER: usize = 2 * READ_BUFFER;
/// The least room that is worth a read, and the least start of a frame that is worth a read buffer.
const ROOM: usize = 4 << 10;

thread_local! {
    /// A read buffer for whichever connection of this thread reads next: one that waits for the peer holds none.
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

impl<S: AsyncRead + Unpin> Receive for S {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        make_room(input, missing);
        let received = pin!(self.read_buf(input)).poll(cx);
        if received.is_pending() && input.len() < ROOM {
            let start = BytesMut::from(&input[..]);
            keep(std::mem::replace(input, start));
        }
        received
    }
}

/// Sees to it that a read is worth it.
#[inline]
fn make_room(input: &mut BytesMut, missing: usize) {
    let (length, room) = (input.len(), input.capacity() - input.len());
    if length < ROOM {
        const ENOUGH: usize = READ_BUFFER - ROOM;
        if room < ENOUGH && !input.try_reclaim(ENOUGH) {
            move_to(input, SPARE.take().unwrap_or_default(), READ_BUFFER);
        }
    } else if room < ROOM || room < missing && input.capacity() < READ_BUFFER {
        // It is at the end of its buffer, or has begun there; what was moved for is not moved again before that is full.
        make_room_for(input, missing);
    }
}

/// As much room as the frame that has begun to arrive lacks: but a claimed length earns it only in proportion to what has
/// really come.
fn make_room_for(input: &mut BytesMut, missing: usize) {
    const EARNED: usize = 3;
    let length = input.len();
    let mut room = missing.clamp(ROOM, READ_BUFFER.max(EARNED * length));
    if length == input.capacity() {
        // The last read filled it: more has come, of which not every frame is to be moved.
        room = room.max(LARGE_BUFFER.saturating_sub(length));
    }
    if input.try_reclaim(room) {
        return;
    }
    if length + room > LARGE_BUFFER {
        // It may grow where it is.
        input.reserve(room);
    } else {
        move_to(input, SPARE.take().unwrap_or_default(), length + room);
    }
}

/// Moves `input` to an empty buffer, which has this size.
fn move_to(input: &mut BytesMut, buffer: BytesMut, size: usize) {
    let start = std::mem::replace(input, buffer);
    input.reserve(size);
    input.extend_from_slice(&start);
    keep(start);
}

/// Keeps a read buffer of which nobody holds anything for whichever connection reads next.
fn keep(mut buffer: BytesMut) {
    buffer.clear();
    if buffer.try_reclaim(READ_BUFFER - ROOM) && buffer.capacity() <= LARGE_BUFFER {
        SPARE.set(Some(buffer));
    }
}

impl<S: AsyncWrite + Unpin> Transmit for S {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        const GATHERED: usize = 64;
        while output.has_remaining() {
            let mut slices = [IoSlice::new(&[]); GATHERED];
            let used = if self.is_write_vectored() { output.chunks_vectored(&mut slices) } else { 0 };
            let written = match used {
                0 | 1 => ready!(Pin::new(&mut *self).poll_write(cx, output.chunk()))?,
                _ => ready!(Pin::new(&mut *self).poll_write_vectored(cx, &slices[..used]))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            output.advance(written);
        }
        Pin::new(self).poll_flush(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ReadHalf<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Shared(half) => Pin::new(half).poll_read(cx, buffer),
        }
    }
}

/// Calls the method of the half that it is.
macro_rules! delegate {
    ($half:expr, $method:ident $(, $argument:expr)*) => {
        match $half {
            WriteHalf::Tcp(half) => Pin::new(half).$method($($argument),*),
            #[cfg(unix)]
            WriteHalf::Unix(half) => Pin::new(half).$method($($argument),*),
            WriteHalf::Shared(half) => Pin::new(half).$method($($argument),*),
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WriteHalf<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), poll_write, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), poll_write_vectored, cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(half) => half.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(half) => half.is_write_vectored(),
            Self::Shared(half) => half.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), poll_shutdown, cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    /// However little comes with each read.
    #[test]
    fn what_comes_of_a_long_frame_is_seldom_moved() {
        const CLAIMED: usize = 64 << 20;
        for (step, total) in [(1, 300 << 10), (1460, 2 << 20), (128 << 10, 8 << 20)] {
            // It has begun at the end of a read buffer.
            let mut input = BytesMut::zeroed(READ_BUFFER).split_off(READ_BUFFER - 2 * ROOM);
            let mut moves = 0;
            while input.len() < total {
                let (place, missing) = (input.as_ptr(), CLAIMED - input.len());
                make_room(&mut input, missing);
                moves += usize::from(input.as_ptr() != place);
                let room = input.capacity() - input.len();
                assert!(room >= ROOM, "{room}");
                assert!(input.capacity() <= LARGE_BUFFER.max(10 * input.len()), "{}", input.capacity());
                input.resize(input.len() + step.min(room), 7);
            }
            assert!(moves <= 8, "{step}: {moves}");
        }
    }
}
