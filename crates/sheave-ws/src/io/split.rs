//! The two halves of a split WebSocket.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use sheave_deflate::Compressor;
use tokio::time::Instant;

use super::close_handle::CloseHandle;
use super::parts::{MessageReader, MessageWriter, ReadParts, WriteParts};
use super::receive::{Link, ReceiveLoop};
use super::shared::{Half, Shared};
use super::timer::Stall;
use super::transport::{Receive, Transmit, Transport};
use crate::close::{CloseCode, CloseFrame};
use crate::error::Error;
use crate::extension::ExtensionOffer;
use crate::incoming::Replies;
use crate::message::{Message, MessageRef};
use crate::outgoing::{Compress, Control, Outgoing, check_ping};
use crate::prepared::Prepared;

/// The sending half of a split WebSocket.
///
/// Dropping it leaves what is queued for the [`Receiver`] to write; it does not close the WebSocket.
pub struct Sender<S: Transport> {
    /// What this half has queued and not yet handed over.
    outgoing: Outgoing,
    shared: Arc<Shared<S::Writer>>,
}

/// The receiving half of a split WebSocket. It answers Pings and Closes.
///
/// Once it is dropped, nobody does.
pub struct Receiver<S: Transport> {
    receiving: ReceiveLoop,
    link: Apart<S::Reader, S::Writer>,
}

pub(super) fn split<S: Transport>(
    io: S,
    mut outgoing: Outgoing,
    stall: Stall,
    receiving: ReceiveLoop,
) -> (Sender<S>, Receiver<S>) {
    let (reader, writer) = io.split();
    let mut own = outgoing.fork();
    let shared = Arc::new(Shared::new(writer, outgoing, stall, receiving.is_timed()));
    if let Some(context) = own.compressor().and_then(Compressor::take_context) {
        shared.rest(context);
    }
    let link = Apart { reader, shared: Arc::clone(&shared) };
    (Sender { outgoing: own, shared }, Receiver { receiving, link })
}

impl<S: Transport> Sender<S> {
    /// Queues a message, as [`WebSocket::feed`](super::WebSocket::feed); it leaves with the next
    /// [`flush`](Self::flush) or [`send`](Self::send).
    ///
    /// # Errors
    /// [`Error::Closed`] after a Close in either direction, or a failure; what the transport did.
    ///
    /// # Cancel safety
    /// Safe: dropped while it waits, the message is not sent.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed_with(message, Compress::Auto).await
    }

    /// As [`feed`](Self::feed), compressed or not, where permessage-deflate was agreed on.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    ///
    /// # Cancel safety
    /// Safe, as [`feed`](Self::feed).
    pub async fn feed_with(&mut self, message: impl Into<Message>, compress: Compress) -> Result<(), Error> {
        let message = message.into();
        self.wait(Self::poll_room).await?;
        self.queue(|outgoing| outgoing.message(message, compress))
    }

    /// As [`feed`](Self::feed), of a message that many connections are sent.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    ///
    /// # Cancel safety
    /// Safe, as [`feed`](Self::feed).
    pub async fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.wait(Self::poll_room).await?;
        self.queue(|outgoing| outgoing.prepared(message, Compress::Auto))
    }

    /// A writer of one message whose content comes in parts, or is too large to be held.
    pub fn writer(&mut self, text: bool) -> MessageWriter<'_, Self> {
        MessageWriter::new(self, text)
    }

    /// Queues a fragment of a message (RFC 6455 §5.4), as [`feed`](Self::feed) does a whole one. The first
    /// says whether the message is text or binary, `fin` that this is the last.
    ///
    /// # Errors
    /// As [`feed`](Self::feed); [`Error::Usage`] if it is not of the first one's kind.
    ///
    /// # Cancel safety
    /// Safe: dropped while it waits, the fragment is not sent.
    pub async fn feed_fragment(&mut self, fragment: impl Into<Message>, fin: bool) -> Result<(), Error> {
        let fragment = fragment.into();
        self.wait(Self::poll_room).await?;
        self.queue(|outgoing| outgoing.fragment(fragment, fin))
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    /// As [`WebSocket::flush`](super::WebSocket::flush); [`Error::Closed`] if a Close overtook it.
    ///
    /// # Cancel safety
    /// Safe: what is left stays queued, and whichever half is used next goes on with it; a [`Receiver`] that
    /// waits does so at once.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.wait(Self::poll_written).await
    }

    /// Sends a message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    /// As those two.
    ///
    /// # Cancel safety
    /// Safe: dropped before the message is queued, it is not sent; later, it stays queued whole.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// As [`send`](Self::send), compressed or not, where permessage-deflate was agreed on.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Safe, as [`send`](Self::send).
    pub async fn send_with(&mut self, message: impl Into<Message>, compress: Compress) -> Result<(), Error> {
        self.feed_with(message, compress).await?;
        self.flush().await
    }

    /// As [`send`](Self::send), of a message that many connections are sent.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Safe, as [`send`](Self::send).
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.feed_prepared(message).await?;
        self.flush().await
    }

    /// Sends a Ping of at most 125 bytes. Of several that find no room, only the newest is sent.
    ///
    /// # Errors
    /// [`Error::Usage`] if the payload is too long; as [`flush`](Self::flush).
    ///
    /// # Cancel safety
    /// Safe, as [`flush`](Self::flush).
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<(), Error> {
        let payload = payload.into();
        check_ping(&payload)?;
        if self.shared.is_closed() {
            return Err(Error::Closed);
        }
        self.shared.post(Control::Ping(payload));
        self.flush().await
    }

    /// Writes what is queued and then a Close. The [`Receiver`] sees the rest of the closing handshake: its
    /// `recv` gives what still arrives, and then `None`.
    ///
    /// # Errors
    /// What the transport did. Closing what is closed is no error.
    ///
    /// # Cancel safety
    /// Safe: dropped before everything else is written, no Close is sent; later, it stays queued.
    pub async fn close(&mut self, close: impl Into<CloseFrame>) -> Result<(), Error> {
        let close = close.into();
        self.wait(|sender, cx| sender.poll_close_with(cx, &close)).await
    }

    /// Whether nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Waits for `poll`. If dropped meanwhile, the receiver goes on with what has been half written.
    async fn wait(
        &mut self,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Result<(), Error> {
        let mut waiting = Waiting { sender: self, done: false };
        let result = poll_fn(|cx| poll(waiting.sender, cx)).await;
        waiting.done = true;
        result
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.shared.is_closed() {
            self.outgoing.abandon();
            return Poll::Ready(Err(Error::Closed));
        }
        if !self.outgoing.has_room() {
            let written = self.poll_written(cx)?;
            if written.is_pending() && !self.outgoing.has_room() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Queues something, with the compressor's context, which rests where the receiver can give it back.
    fn queue(&mut self, queue: impl FnOnce(&mut Outgoing) -> Result<(), Error>) -> Result<(), Error> {
        if let Some(compressor) = self.outgoing.compressor()
            && let Some(context) = self.shared.resting.take()
        {
            compressor.set_context(context);
        }
        let queued = queue(&mut self.outgoing);
        if let Some(context) = self.outgoing.compressor().and_then(Compressor::take_context) {
            self.shared.rest(context);
        }
        queued?;
        self.shared.sent();
        Ok(())
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { outgoing, shared } = self;
        if outgoing.transmit().is_empty() && !shared.is_unwritten() {
            return Poll::Ready(Ok(()));
        }
        let mut overtaken = false;
        shared.poll_turn(Half::Sender, cx, |direction, cx| {
            loop {
                overtaken |= direction.outgoing.is_closed() && !outgoing.transmit().is_empty();
                if overtaken || direction.outgoing.has_room() {
                    direction.take_over(outgoing);
                }
                let written = direction.poll_write(cx)?;
                if overtaken {
                    return Poll::Ready(Err(Error::Closed));
                }
                ready!(written);
                if outgoing.transmit().is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }

    fn poll_close_with(&mut self, cx: &mut Context<'_>, close: &CloseFrame) -> Poll<Result<(), Error>> {
        if !self.shared.is_closed() {
            match ready!(self.poll_written(cx)) {
                // A Close came first; it is on its way.
                Ok(()) | Err(Error::Closed) => {}
                failed => return Poll::Ready(failed),
            }
            self.shared.post(Control::Close(close.clone()));
        }
        // What was fed is lost to that Close.
        self.outgoing.abandon();
        self.poll_written(cx)
    }
}

/// A sender that a future of its waits with.
struct Waiting<'a, S: Transport> {
    sender: &'a mut Sender<S>,
    done: bool,
}

impl<S: Transport> Drop for Waiting<'_, S> {
    fn drop(&mut self) {
        if !self.done {
            self.sender.shared.interrupted();
        }
    }
}

impl<S: Transport> Drop for Sender<S> {
    fn drop(&mut self) {
        self.shared.bequeath(&mut self.outgoing);
    }
}

impl<S: Transport> Receiver<S> {
    /// The next message, or `None` once the closing handshake is done; as
    /// [`WebSocket::recv`](super::WebSocket::recv), but what the [`Sender`] was fed and did not flush stays.
    ///
    /// # Errors
    /// As [`WebSocket::recv`](super::WebSocket::recv).
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.receiving.poll_recv(cx, &mut self.link)).await
    }

    /// As [`WebSocket::recv_ref`](super::WebSocket::recv_ref).
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn recv_ref(&mut self) -> Result<Option<MessageRef<'_>>, Error> {
        let lent = poll_fn(|cx| self.receiving.poll_lend(cx, &mut self.link)).await?;
        Ok(lent.map(|lent| self.receiving.lent(lent)))
    }

    /// The next message as a reader: see [`WebSocket::reader`](super::WebSocket::reader).
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn reader(&mut self) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::next(self).await
    }

    /// What the peer's Close said; `None` before it came.
    pub fn peer_close(&self) -> Option<&CloseFrame> {
        self.receiving.peer_close()
    }

    /// The subprotocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.receiving.subprotocol()
    }

    /// The extensions that were agreed on.
    pub fn extensions(&self) -> &[ExtensionOffer] {
        self.receiving.extensions()
    }

    /// How long the peer took to answer the last keepalive Ping that it answered.
    pub fn rtt(&self) -> Option<Duration> {
        self.receiving.rtt()
    }

    /// A handle that closes this WebSocket from elsewhere.
    pub fn close_handle(&mut self) -> CloseHandle {
        self.receiving.handle()
    }
}

/// The link of a receiving half: the reader is its own, the sending direction is shared.
struct Apart<R, W> {
    reader: R,
    shared: Arc<Shared<W>>,
}

impl<R, W: Transmit> Replies for Apart<R, W> {
    fn post(&mut self, control: Control) {
        self.shared.post(control);
    }
}

impl<R: Receive, W: Transmit> Link for Apart<R, W> {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        self.reader.poll_receive(cx, input, missing)
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.attend(cx);
        if !self.shared.is_unwritten() {
            return Poll::Ready(Ok(()));
        }
        self.shared.poll_turn(Half::Receiver, cx, |direction, cx| direction.poll_write(cx))
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll_turn(Half::Receiver, cx, |direction, cx| direction.poll_finish(cx))
    }

    fn abandon(&mut self, error: &Error) {
        self.shared.abandon(error);
    }

    fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    fn last_sent(&self) -> Option<Instant> {
        self.shared.last_sent()
    }

    fn progress(&self) -> u64 {
        self.shared.progress()
    }

    fn lingers(&self) -> bool {
        self.shared.lingers
    }

    fn is_holding(&self) -> bool {
        self.shared.resting.is_holding()
    }

    fn age(&mut self) -> bool {
        self.shared.resting.age()
    }
}

impl<S: Transport> ReadParts for Receiver<S> {
    fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<bool>, Error>> {
        self.receiving.poll_start(cx, &mut self.link)
    }

    fn poll_part(&mut self, cx: &mut Context<'_>, output: &mut [u8]) -> Poll<Result<usize, Error>> {
        self.receiving.poll_part(cx, &mut self.link, output)
    }
}

impl<S: Transport> WriteParts for Sender<S> {
    fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        queue: impl FnOnce(&mut Outgoing) -> Result<(), Error>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.queue(queue))
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_written(cx)
    }

    fn interrupted(&self) {
        self.shared.interrupted();
    }
}

/// As [`Receiver::recv`]; ends after an error.
impl<S: Transport> Stream for Receiver<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.receiving.poll_recv(cx, &mut this.link).map(Result::transpose)
    }
}

/// As [`Sender::feed`], [`Sender::flush`] and [`Sender::close`] (with 1000).
impl<S: Transport> Sink<Message> for Sender<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().queue(|outgoing| outgoing.message(message, Compress::Auto))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_written(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_close_with(cx, &CloseCode::NORMAL.into())
    }
}

impl<S: Transport> Unpin for Sender<S> {}
impl<S: Transport> Unpin for Receiver<S> {}

impl<S: Transport> fmt::Debug for Sender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<S: Transport> fmt::Debug for Receiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
