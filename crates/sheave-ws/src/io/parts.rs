//! One message in parts: read and written without being held.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Error;
use crate::outgoing::{Compress, Outgoing};

/// What a [`MessageReader`] reads from: a WebSocket or the receiving half of one. Not to be implemented.
pub trait ReadParts {
    #[doc(hidden)]
    fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<bool>, Error>>;

    #[doc(hidden)]
    fn poll_part(&mut self, cx: &mut Context<'_>, output: &mut [u8]) -> Poll<Result<usize, Error>>;
}

/// What a [`MessageWriter`] writes to: a WebSocket or the sending half of one. Not to be implemented.
pub trait WriteParts {
    /// Queues something once there is room.
    #[doc(hidden)]
    fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        queue: impl FnOnce(&mut Outgoing) -> Result<(), Error>,
    ) -> Poll<Result<(), Error>>;

    #[doc(hidden)]
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// Nobody waits any more for what is half written.
    #[doc(hidden)]
    fn interrupted(&self);
}

/// The content of one message, as it arrives: inflated, and checked if it is text. A character may be cut in
/// two between one part and the next.
///
/// It is an [`AsyncRead`]; its errors have the WebSocket's [`Error`] inside. Dropping it skips the rest of the
/// message.
pub struct MessageReader<'a, W> {
    source: &'a mut W,
    text: bool,
}

impl<'a, W: ReadParts> MessageReader<'a, W> {
    /// A reader of the next message; `None` at the end of the connection.
    pub(super) async fn next(source: &'a mut W) -> Result<Option<Self>, Error> {
        let text = poll_fn(|cx| source.poll_start(cx)).await?;
        Ok(text.map(|text| Self::inside(source, text)))
    }

    /// A reader of the message that was started.
    pub(super) fn inside(source: &'a mut W, text: bool) -> Self {
        Self { source, text }
    }

    /// Whether the message is text.
    pub fn is_text(&self) -> bool {
        self.text
    }

    /// Reads what has come into `output`, which must not be empty: how much that is, and 0 at the end.
    ///
    /// # Errors
    /// What the peer or the transport did; [`Error::Closed`] if it closed inside the message.
    ///
    /// # Cancel safety
    /// Safe: dropped while it waits, nothing was read.
    pub async fn read(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        poll_fn(|cx| self.source.poll_part(cx, output)).await
    }
}

/// Reads at most this much at once, so that no more of a large buffer has to be filled first.
const PIECE: usize = 16 << 10;

impl<W: ReadParts> AsyncRead for MessageReader<'_, W> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let output = buffer.initialize_unfilled_to(PIECE.min(buffer.remaining()));
        let count = ready!(self.get_mut().source.poll_part(cx, output))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

/// Writes one message in fragments (RFC 6455 §5.4), compressed where that was agreed on.
///
/// It is an [`AsyncWrite`]: flushing sends what was written so far as a fragment, shutting down ends the message
/// and sends it. Its errors have the WebSocket's [`Error`] inside.
///
/// Dropped before it is finished, it leaves the message open: no other can be sent, until one calls
/// [`resume`](Self::resume) on a further writer, or closes.
pub struct MessageWriter<'a, W: WriteParts> {
    sink: &'a mut W,
    text: bool,
    compress: Compress,
    frame_size: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Begun,
    Finished,
}

impl<'a, W: WriteParts> MessageWriter<'a, W> {
    pub(super) fn new(sink: &'a mut W, text: bool) -> Self {
        const FRAME_SIZE: usize = 64 << 10;
        Self { sink, text, compress: Compress::Auto, frame_size: FRAME_SIZE, state: State::New }
    }

    /// Compresses the message or not. Default: if permessage-deflate was agreed on.
    #[must_use]
    pub fn compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Sets the size of the fragments, in bytes. Default: 64 KiB, or
    /// [`Config::max_sent_frame_size`](crate::Config::max_sent_frame_size) if that is less.
    #[must_use]
    pub fn frame_size(mut self, bytes: usize) -> Self {
        self.frame_size = bytes;
        self
    }

    /// Goes on with the message that a writer has left open.
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.state = State::Begun;
        self
    }

    /// Writes `part`; waits while the queue is full, and then takes all of it. What is too large to be held once more
    /// is best written in pieces, as [`AsyncWrite`] does.
    ///
    /// # Errors
    /// [`Error::Usage`] if the message is text and this is not, or another message is open; [`Error::Closed`];
    /// what the transport did.
    ///
    /// # Cancel safety
    /// Safe: dropped while it waits, nothing was written.
    pub async fn write(&mut self, part: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.poll_queue(cx, |outgoing| outgoing.write(part))).await
    }

    /// Sends what was written so far as a fragment.
    ///
    /// # Errors
    /// What the transport did.
    ///
    /// # Cancel safety
    /// Safe: what is left stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        let flushing = Flushing(self);
        poll_fn(|cx| flushing.0.poll_cut(cx)).await
    }

    /// Ends the message and sends it.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is text and ends inside a character; as [`write`](Self::write).
    ///
    /// # Cancel safety
    /// Safe: what is left stays queued; the message may be open still.
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    /// Writes something of `part`.
    fn poll_part(&mut self, cx: &mut Context<'_>, part: &[u8]) -> Poll<Result<usize, Error>> {
        let part = &part[..part.len().min(PIECE)];
        ready!(self.poll_queue(cx, |outgoing| outgoing.write(part)))?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.state == State::Begun {
            ready!(self.sink.poll_queue(cx, |outgoing| outgoing.cut(false)))?;
        }
        self.sink.poll_written(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.state != State::Finished {
            ready!(self.poll_queue(cx, Outgoing::finish))?;
            self.state = State::Finished;
        }
        self.sink.poll_written(cx)
    }

    /// Queues something of the message, which is begun by that.
    fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        queue: impl FnOnce(&mut Outgoing) -> Result<(), Error>,
    ) -> Poll<Result<(), Error>> {
        let Self { text, compress, frame_size, state, .. } = self;
        self.sink.poll_queue(cx, |outgoing| {
            if *state == State::New {
                outgoing.begin(*text, *compress, *frame_size)?;
                *state = State::Begun;
            }
            queue(outgoing)
        })
    }
}

/// A writer that is being flushed.
struct Flushing<'w, 'a, W: WriteParts>(&'w mut MessageWriter<'a, W>);

impl<W: WriteParts> Drop for Flushing<'_, '_, W> {
    fn drop(&mut self) {
        self.0.sink.interrupted();
    }
}

impl<W: WriteParts> Drop for MessageWriter<'_, W> {
    fn drop(&mut self) {
        self.sink.interrupted();
    }
}

impl<W: WriteParts> AsyncWrite for MessageWriter<'_, W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, part: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_part(cx, part).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_cut(cx).map_err(Into::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_finish(cx).map_err(Into::into)
    }
}

impl<W> fmt::Debug for MessageReader<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader").field("text", &self.text).finish_non_exhaustive()
    }
}

impl<W: WriteParts> fmt::Debug for MessageWriter<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("state", &self.state).finish_non_exhaustive()
    }
}
