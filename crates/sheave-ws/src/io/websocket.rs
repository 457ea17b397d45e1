//! A WebSocket over any transport.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use http::Response;

use super::close_handle::CloseHandle;
use super::entropy::masking_key;
use super::parts::{MessageReader, MessageWriter, ReadParts, WriteParts};
use super::receive::{Link, ReceiveLoop};
use super::split::{self, Receiver, Sender};
use super::timer::Stall;
use super::transport::{Transmit, Transport};
use crate::close::CloseFrame;
use crate::config::{Config, Role};
use crate::error::Error;
use crate::extension::ExtensionOffer;
use crate::handshake::Agreed;
use crate::incoming::Replies;
use crate::message::{Message, MessageRef};
use crate::outgoing::{Compress, Control, Outgoing};
use crate::prepared::Prepared;

/// An open WebSocket.
///
/// Pings are answered and Closes completed while [`recv`](Self::recv) is polled; there is no task in the
/// background. Every method can be dropped at any await point and called again: all state is in the
/// `WebSocket`, nothing is lost or sent twice, and the peer never sees half a frame followed by another.
pub struct WebSocket<S> {
    io: S,
    outgoing: Outgoing,
    stall: Stall,
    receiving: ReceiveLoop,
}

impl<S: Transport> WebSocket<S> {
    /// A WebSocket over a transport on which the opening handshake is done.
    ///
    /// `received` is what came behind the handshake. It is the first thing to be read.
    pub fn new(io: S, role: Role, config: &Config, received: BytesMut) -> Self {
        Self {
            io,
            outgoing: Outgoing::new(role, config, masking_key),
            stall: Stall::default(),
            receiving: ReceiveLoop::new(role, config, received),
        }
    }

    /// Uses what the opening handshake settled: permessage-deflate as configured, and no-masking.
    #[must_use]
    pub fn agreed(mut self, agreed: Agreed, config: &Config) -> Self {
        self.receiving.agree(agreed, config, &mut self.outgoing);
        self
    }

    /// Notes the server's answer, which [`handshake_response`](Self::handshake_response) tells.
    #[must_use]
    pub fn response(mut self, response: Response<()>) -> Self {
        self.receiving.opening_mut().response = Some(response);
        self
    }

    /// The next message, or `None` once the closing handshake is done.
    ///
    /// Messages that were fed leave before this waits. It also sends keepalive Pings and heeds the idle
    /// timeout, so it is to be called all the time.
    ///
    /// # Errors
    /// What the peer or the transport did; final. Before that comes out, the peer was told by a Close, the
    /// connection was ended in order, and every message that came before was delivered. Later calls give
    /// `None`, and nothing can be sent any more.
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), but without an allocation for the message: it is lent until the next call.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn recv_ref(&mut self) -> Result<Option<MessageRef<'_>>, Error> {
        let lent = poll_fn(|cx| {
            let (receiving, mut link) = self.apart();
            receiving.poll_lend(cx, &mut link)
        });
        Ok(lent.await?.map(|lent| self.receiving.lent(lent)))
    }

    /// The next message as a reader, for one that is too large to be held; `None` once the closing handshake is
    /// done. What is left of one that was not read to its end is skipped.
    ///
    /// Instead of [`Config::max_message_size`], [`Config::max_frame_size`] and [`Config::max_fragments`],
    /// [`Config::max_streamed_size`] is the limit.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn reader(&mut self) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::next(self).await
    }

    /// A writer of one message whose content comes in parts, or is too large to be held.
    pub fn writer(&mut self, text: bool) -> MessageWriter<'_, Self> {
        MessageWriter::new(self, text)
    }

    /// Queues a message; waits only while more than [`Config::high_water_mark`] bytes wait.
    ///
    /// It leaves with the next [`flush`](Self::flush) or [`send`](Self::send), or when
    /// [`recv`](Self::recv) has to wait.
    ///
    /// # Errors
    /// [`Error::Closed`] after a Close in either direction, or a failure; what the transport did.
    ///
    /// # Cancel safety
    /// Safe: dropped while it waits, the message is not sent.
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.feed_with(message, Compress::Auto)
    }

    /// As [`feed`](Self::feed), compressed or not, where permessage-deflate was agreed on.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    ///
    /// # Cancel safety
    /// Safe, as [`feed`](Self::feed).
    pub fn feed_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> {
        // No `async`, here and where it is called: the task would keep the message once for each.
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            ready!(self.poll_room(cx))?;
            Poll::Ready(message.take().map_or(Ok(()), |message| self.queue(message, compress)))
        })
    }

    /// As [`feed`](Self::feed), of a message that many connections are sent.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    ///
    /// # Cancel safety
    /// Safe, as [`feed`](Self::feed).
    pub async fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.outgoing.prepared(message, Compress::Auto)?;
        self.receiving.passed();
        Ok(())
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
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.outgoing.fragment(fragment, fin)?;
        self.receiving.passed();
        Ok(())
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    /// What the transport did, or [`Error::Timeout`] if the peer takes nothing for
    /// [`Config::write_timeout`].
    ///
    /// # Cancel safety
    /// Safe: what is left stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_written(cx)).await
    }

    /// Sends a message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    /// As those two.
    ///
    /// # Cancel safety
    /// Safe: dropped before the message is queued, it is not sent; later, it stays queued whole.
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`send`](Self::send), compressed or not, where permessage-deflate was agreed on.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Safe, as [`send`](Self::send).
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            if message.is_some() {
                ready!(self.poll_room(cx))?;
            }
            if let Some(message) = message.take() {
                self.queue(message, compress)?;
            }
            self.poll_written(cx)
        })
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

    /// Sends a Ping of at most 125 bytes. Its Pong is not shown; [`rtt`](Self::rtt) tells how long
    /// it took.
    ///
    /// # Errors
    /// [`Error::Usage`] if the payload is too long; as [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Safe, as [`send`](Self::send).
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<(), Error> {
        let payload = payload.into();
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.outgoing.ping(payload.clone())?;
        self.receiving.pinged(payload);
        self.flush().await
    }

    /// Closes: sends a Close, waits for the peer's within [`Config::close_timeout`], and ends the connection.
    ///
    /// Messages that arrive meanwhile are thrown away. To receive them, call
    /// [`start_close`](Self::start_close) and go on with [`recv`](Self::recv) up to its `None`.
    ///
    /// # Errors
    /// [`Error::Timeout`] if the peer does not answer; what else can end a connection.
    ///
    /// # Cancel safety
    /// Safe: the Close stays queued, and a further call goes on waiting.
    pub async fn close(&mut self, close: impl Into<CloseFrame>) -> Result<(), Error> {
        self.start_close(close);
        while self.recv().await?.is_some() {}
        Ok(())
    }

    /// Queues a Close without waiting. Nothing can be sent after it; [`recv`](Self::recv) writes it and goes
    /// on to the end. Ignored if there was one already.
    pub fn start_close(&mut self, close: impl Into<CloseFrame>) {
        self.outgoing.close(&close.into());
    }

    /// Whether it is over: [`recv`](Self::recv) has told the end, or would.
    pub fn has_ended(&self) -> bool {
        self.receiving.has_ended()
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

    /// The server's answer to the opening handshake; `None` on a server.
    pub fn handshake_response(&self) -> Option<&Response<()>> {
        self.receiving.opening()?.response.as_ref()
    }

    /// How long the peer took to answer the last Ping that it answered, of the keepalive or of [`ping`](Self::ping).
    pub fn rtt(&self) -> Option<Duration> {
        self.receiving.rtt()
    }

    /// A handle that closes this WebSocket from elsewhere.
    pub fn close_handle(&mut self) -> CloseHandle {
        self.receiving.handle()
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// Takes the two directions apart, for two tasks.
    ///
    /// The receiver answers Pings and Closes by itself, without a task in the background, and never inside a
    /// frame that the sender has half written. Neither half ever waits for a lock of the other.
    pub fn split(self) -> (Sender<S>, Receiver<S>) {
        split::split(self.io, self.outgoing, self.stall, self.receiving)
    }

    fn apart(&mut self) -> (&mut ReceiveLoop, Whole<'_, S>) {
        let Self { io, outgoing, stall, receiving } = self;
        (receiving, Whole { io, outgoing, stall })
    }

    #[inline]
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let (receiving, mut link) = self.apart();
        receiving.poll_recv(cx, &mut link)
    }

    /// Ready once there is room for a message.
    #[inline]
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.receiving.heed_handle(&mut self.outgoing);
        if !self.outgoing.is_closed() && self.outgoing.has_room() {
            return Poll::Ready(Ok(()));
        }
        self.make_room(cx)
    }

    fn make_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.outgoing.is_closed() {
            // Who only sends may never come to `recv`, which sees to the rest.
            let _ = self.poll_written(cx);
            return Poll::Ready(Err(Error::Closed));
        }
        if !self.outgoing.has_room() {
            let written = poll_write(&mut self.io, &mut self.outgoing, &mut self.stall, cx)?;
            // Part of the queue may have left.
            if written.is_pending() && !self.outgoing.has_room() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_write(&mut self.io, &mut self.outgoing, &mut self.stall, cx)
    }

    fn queue(&mut self, message: Message, compress: Compress) -> Result<(), Error> {
        self.outgoing.message(message, compress)?;
        self.receiving.passed();
        Ok(())
    }
}

/// Writes all that is queued and owed. A failure is final: nothing is queued any more.
pub(super) fn poll_write(
    io: &mut impl Transmit,
    outgoing: &mut Outgoing,
    stall: &mut Stall,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    if outgoing.is_idle() && !outgoing.is_closed() && !stall.is_waiting() {
        // Whatever was written was flushed. Once it is closed, the transport is asked: it may have failed.
        return Poll::Ready(Ok(()));
    }
    loop {
        let output = outgoing.transmit();
        let before = output.len();
        let failure = match io.poll_transmit(cx, output) {
            Poll::Ready(Ok(())) => {
                stall.clear();
                // Room in the queue may let out an owed Pong.
                if outgoing.transmit().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            Poll::Ready(Err(error)) => error.into(),
            Poll::Pending => {
                let taken = output.len() < before;
                let timeout = outgoing.limits().write_timeout;
                ready!(stall.poll(cx, timeout, taken, io.departed()))
            }
        };
        outgoing.abandon();
        return Poll::Ready(Err(failure));
    }
}

/// The link of a WebSocket that is not split: everything at hand.
struct Whole<'a, S> {
    io: &'a mut S,
    outgoing: &'a mut Outgoing,
    stall: &'a mut Stall,
}

impl<S> Replies for Whole<'_, S> {
    fn post(&mut self, control: Control) {
        self.outgoing.post(control);
    }
}

impl<S: Transport> Link for Whole<'_, S> {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_receive(cx, input, missing)
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_write(self.io, self.outgoing, self.stall, cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_finish(cx)
    }

    fn abandon(&mut self, _: &Error) {
        self.outgoing.abandon();
    }

    fn is_closed(&self) -> bool {
        self.outgoing.is_closed()
    }

    fn progress(&self) -> u64 {
        self.stall.progress().wrapping_add(self.io.departed())
    }

    fn lingers(&self) -> bool {
        self.io.lingers()
    }

    fn is_untried(&self) -> bool {
        self.io.is_untried()
    }

    fn is_holding(&self) -> bool {
        self.outgoing.is_holding()
    }

    fn age(&mut self) -> bool {
        self.outgoing.age()
    }
}

/// As [`WebSocket::recv`]; ends after an error.
impl<S: Transport> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx).map(Result::transpose)
    }
}

/// As [`WebSocket::feed`], [`WebSocket::flush`] and [`WebSocket::close`] (with 1000).
impl<S: Transport> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().queue(message, Compress::Auto)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_written(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.start_close(crate::CloseCode::NORMAL);
        while ready!(this.poll_recv(cx))?.is_some() {}
        Poll::Ready(Ok(()))
    }
}

impl<S: Transport> ReadParts for WebSocket<S> {
    fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<bool>, Error>> {
        let (receiving, mut link) = self.apart();
        receiving.poll_start(cx, &mut link)
    }

    fn poll_part(&mut self, cx: &mut Context<'_>, output: &mut [u8]) -> Poll<Result<usize, Error>> {
        let (receiving, mut link) = self.apart();
        receiving.poll_part(cx, &mut link, output)
    }
}

impl<S: Transport> WriteParts for WebSocket<S> {
    fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        queue: impl FnOnce(&mut Outgoing) -> Result<(), Error>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        queue(&mut self.outgoing)?;
        self.receiving.passed();
        Poll::Ready(Ok(()))
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_written(cx)
    }

    fn interrupted(&self) {}
}

impl<S> Unpin for WebSocket<S> {}

impl<S: fmt::Debug> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("io", &self.io).finish_non_exhaustive()
    }
}
