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
use tokio::time::Instant;

use super::close_handle::CloseHandle;
use super::receive::{Link, ReceiveLoop};
use super::shared::{Half, Shared};
use super::timer::Stall;
use super::transport::{Receive, Transmit, Transport};
use crate::close::{CloseCode, CloseFrame};
use crate::error::Error;
use crate::incoming::Replies;
use crate::message::Message;
use crate::outgoing::{Control, Outgoing, check_ping};

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
    outgoing: Outgoing,
    stall: Stall,
    receiving: ReceiveLoop,
) -> (Sender<S>, Receiver<S>) {
    let (reader, writer) = io.split();
    let own = outgoing.fresh();
    let shared = Arc::new(Shared::new(writer, outgoing, stall, receiving.is_timed()));
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
        let message = message.into();
        self.wait(Self::poll_room).await?;
        self.queue(message)
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
        self.outgoing.fragment(fragment, fin)?;
        self.shared.sent();
        Ok(())
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

    fn queue(&mut self, message: Message) -> Result<(), Error> {
        self.outgoing.message(message)?;
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

    /// What the peer's Close said; `None` before it came.
    pub fn peer_close(&self) -> Option<&CloseFrame> {
        self.receiving.peer_close()
    }

    /// The subprotocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.receiving.subprotocol()
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
        self.get_mut().queue(message)
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
