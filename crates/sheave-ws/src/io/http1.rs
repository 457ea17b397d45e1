//! HTTP/1.1 around the upgrade: requests in, responses out, over any transport.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use super::timer::Stall;
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::config::{Config, Role};
use crate::error::{Error, Timeout};
use crate::handshake::{
    Agreed, BodyPiece, BodyReader, HandshakeError, HeadLimits, HeadReader, Refusal, encode_response,
};
use crate::output::Output;

/// The server's end of an HTTP/1.1 connection, until a request of it becomes a WebSocket.
///
/// Heads are parsed and written here; what a request means, and how long the connection lives, is the
/// caller's. All state is in it, so that every method can be dropped at any await point and called again.
#[derive(Debug)]
pub struct Http1<S> {
    io: S,
    input: BytesMut,
    output: Output,
    stall: Stall,
    write_timeout: Option<Duration>,
    head: HeadReader,
}

impl<S: Transport> Http1<S> {
    /// A connection that has just been made.
    pub fn new(io: S, limits: HeadLimits) -> Self {
        let (input, output) = (BytesMut::new(), Output::default());
        Self {
            io,
            input,
            output,
            stall: Stall::default(),
            write_timeout: None,
            head: HeadReader::new(limits),
        }
    }

    /// Has this be read first: it came before.
    #[must_use]
    pub fn received(self, input: BytesMut) -> Self {
        Self { input, ..self }
    }

    /// Sets how long the peer may take nothing of what is being written. Default: for ever.
    #[must_use]
    pub fn write_timeout(self, timeout: Duration) -> Self {
        Self { write_timeout: Some(timeout), ..self }
    }

    /// The head of the next request, or `None` if the peer is done.
    ///
    /// # Errors
    /// [`Error::Handshake`] for what is no request, [`Error::Io`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn request(&mut self) -> Result<Option<Request<()>>, Error> {
        loop {
            if let Some(request) = self.head.read_request(&mut self.input)? {
                return Ok(Some(request));
            }
            if self.receive().await? == 0 {
                let clean = self.head.is_empty();
                return if clean { Ok(None) } else { Err(HandshakeError::ClosedEarly.into()) };
            }
        }
    }

    /// Waits until the first byte of a next request is there; false if the peer is done. An empty line ahead
    /// of it is none of it (RFC 9112 §2.2).
    ///
    /// # Errors
    /// [`Error::Handshake`] for too many empty lines, [`Error::Io`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn readable(&mut self) -> Result<bool, Error> {
        loop {
            if self.head.begins_request(&mut self.input)? {
                return Ok(true);
            }
            if self.receive().await? == 0 {
                return Ok(false);
            }
        }
    }

    /// The next piece of a request's body.
    ///
    /// # Errors
    /// [`Error::Handshake`] if it is malformed or broken off, [`Error::Io`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn body(&mut self, reader: &mut BodyReader) -> Result<BodyPiece, Error> {
        loop {
            if let Some(piece) = reader.read(&mut self.input)? {
                return Ok(piece);
            }
            if self.receive().await? == 0 {
                reader.read_eof()?;
            }
        }
    }

    /// Queues a response; [`flush`](Self::flush) writes it.
    pub fn feed<T>(&mut self, head: &Response<T>, body: Bytes) {
        encode_response(head, self.output.tail());
        if !body.is_empty() {
            self.output.push(body);
        }
    }

    /// Writes what is queued.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Timeout`] if the peer takes nothing for [`write_timeout`](Self::write_timeout).
    ///
    /// # Cancel safety
    /// Safe: what is left stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| {
            let before = self.output.len();
            match self.io.poll_transmit(cx, &mut self.output) {
                Poll::Ready(written) => {
                    self.stall.clear();
                    Poll::Ready(Ok(written?))
                }
                Poll::Pending => {
                    let taken = self.output.len() < before;
                    self.stall.poll(cx, self.write_timeout, taken, self.io.departed()).map(Err)
                }
            }
        })
        .await
    }

    /// Ends the connection after a last response, in a way that lets the peer read it: ends our direction
    /// and throws away what still comes, up to 1 MiB.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn finish(&mut self) -> Result<(), Error> {
        const DRAINED: usize = 1 << 20;
        self.flush().await?;
        poll_fn(|cx| self.io.poll_finish(cx)).await?;
        let mut drained = 0;
        while drained < DRAINED {
            self.input.clear();
            match self.receive().await? {
                0 => break,
                received => drained += received,
            }
        }
        Ok(())
    }

    /// Makes the connection a WebSocket, once the 101 answer that agreed to it is written.
    ///
    /// What has come behind the request is the first thing that the WebSocket reads.
    pub fn into_websocket(self, agreed: Agreed, config: &Config) -> WebSocket<S> {
        WebSocket::new(self.io, Role::Server, config, self.input).agreed(agreed, config)
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// Answers with a refusal and [ends](Self::finish) the connection, within `time`; what goes wrong with that
    /// is not told.
    ///
    /// # Cancel safety
    /// Not safe: dropping it drops the connection.
    pub async fn refuse(mut self, refusal: &Refusal, time: Duration) {
        self.feed(refusal.response(), refusal.response().body().clone());
        let _ = tokio::time::timeout(time, self.finish()).await;
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        Ok(poll_fn(|cx| self.io.poll_receive(cx, &mut self.input, 0)).await?)
    }
}

/// `work`, unless it takes longer than `time`.
pub(super) async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(time, work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout(Timeout::Handshake)),
    }
}
