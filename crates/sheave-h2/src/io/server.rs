//! A server's side of a connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::cell::Cell;
use super::driver::Driver;
use super::handle::Handle;
use super::recv_stream::RecvStream;
use super::send_stream::SendStream;
use super::wants::Section;
use crate::config::Config;
use crate::connection::Role;
use crate::error::{Error, Usage};
use crate::error_code::ErrorCode;
use crate::message::{self, Protocol};

/// A connection on `io` with the default [`Config`].
pub fn handshake<T: AsyncRead + AsyncWrite + Unpin>(io: T) -> Connection<T> {
    handshake_with(io, Config::default())
}

/// A connection on `io`. Nothing is sent or received before it is asked for [requests](Connection::accept).
pub fn handshake_with<T: AsyncRead + AsyncWrite + Unpin>(io: T, config: Config) -> Connection<T> {
    Connection { driver: Driver::new(Role::Server, io, config) }
}

/// A server's connection. It has to be driven by [`accept`](Self::accept), again and again until that says `None`: all its
/// streams stand still while nobody does. Dropped, it ends at once.
#[derive(Debug)]
pub struct Connection<T> {
    driver: Driver<T>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// The next request, its content, and what it is answered with. `None` once the connection has ended.
    ///
    /// # Errors
    ///
    /// Why the connection has failed, once.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped while it waits, no request is lost.
    pub async fn accept(&mut self) -> Option<Result<(Request<RecvStream>, SendResponse), Error>> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// [`accept`](Self::accept) as a poll function.
    #[expect(clippy::type_complexity, reason = "it is what is accepted")]
    pub fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Request<RecvStream>, SendResponse), Error>>> {
        let incoming = ready!(self.poll_incoming(cx));
        Poll::Ready(incoming.map(|incoming| incoming.map(Incoming::accept)))
    }

    /// As [`poll_accept`](Self::poll_accept), of requests as they are at hand, which costs less.
    pub fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>> {
        loop {
            if let Some(incoming) = self.driver.incoming.pop_front() {
                return Poll::Ready(Some(Ok(incoming)));
            }
            if let Err(error) = ready!(self.driver.poll(cx)) {
                return Poll::Ready(self.driver.tell_error_once().then_some(Err(error)));
            }
            if self.driver.incoming.is_empty() {
                return Poll::Ready(None);
            }
        }
    }

    /// A way to ask something of the connection while it is driven.
    pub fn handle(&self) -> Handle {
        Handle::new(self.driver.shared.clone())
    }

    /// Ends the connection once the streams that there are have ended (RFC 9113 §6.8). It has to be driven on for that.
    pub fn shutdown(&mut self) {
        self.handle().shutdown();
    }
}

/// A request that was received.
#[derive(Debug)]
pub struct Incoming {
    /// Its head.
    pub request: Box<Request<()>>,
    /// What an extended CONNECT (RFC 8441 §4) is for. It is not among the request's extensions.
    pub protocol: Option<Protocol>,
    /// Its content.
    pub content: RecvStream,
    /// What it is answered with.
    pub respond: SendResponse,
}

impl Incoming {
    fn accept(self) -> (Request<RecvStream>, SendResponse) {
        let Self { mut request, protocol, content, respond } = self;
        if let Some(protocol) = protocol {
            request.extensions_mut().insert(protocol);
        }
        (request.map(|()| content), respond)
    }
}

/// What a request is answered with. Dropped without an answer, it has the stream reset with CANCEL.
#[derive(Debug)]
pub struct SendResponse {
    /// `None` once it is answered.
    cell: Option<Arc<Cell>>,
}

impl SendResponse {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        Self { cell: Some(cell) }
    }

    /// Whether it answers on this stream.
    pub(super) fn is_on(&self, cell: &Arc<Cell>) -> bool {
        self.cell.as_ref().is_some_and(|own| Arc::ptr_eq(own, cell))
    }

    fn cell(&self) -> Result<&Arc<Cell>, Error> {
        self.cell.as_ref().ok_or(Error::Usage(Usage::NotSending))
    }

    /// Sends an interim response (1xx, RFC 9110 §15.2).
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it is not one, or cannot be said in HTTP/2; why the stream has ended.
    pub fn send_informational(&mut self, response: Response<()>) -> Result<(), Error> {
        if !response.status().is_informational() {
            return Err(Usage::Malformed("an interim response of another status").into());
        }
        let (parts, ()) = response.into_parts();
        message::check_response(&parts)?;
        self.cell()?.send_section(Section::Response(Box::new(parts), false))
    }

    /// Sends the response; with `end_stream`, nothing follows.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it is an interim one, or cannot be said in HTTP/2; why the stream has ended.
    pub fn send_response(self, response: Response<()>, end_stream: bool) -> Result<SendStream, Error> {
        self.respond(response, &mut Bytes::new(), end_stream)
    }

    /// Sends the response, and with it all of `content`, if that is not more than
    /// [`Config::max_send_queue`]: then nothing follows. Otherwise it is left there, to be sent with the stream.
    ///
    /// # Errors
    ///
    /// As [`send_response`](Self::send_response).
    pub fn send_whole(self, response: Response<()>, content: &mut Bytes) -> Result<SendStream, Error> {
        let end_stream = content.is_empty();
        self.respond(response, content, end_stream)
    }

    fn respond(
        mut self,
        response: Response<()>,
        content: &mut Bytes,
        end_stream: bool,
    ) -> Result<SendStream, Error> {
        if response.status().is_informational() {
            return Err(Usage::Malformed("an interim response for the final one").into());
        }
        let (parts, ()) = response.into_parts();
        message::check_response(&parts)?;
        self.cell()?.respond(Box::new(parts), content, end_stream)?;
        self.cell.take().map(SendStream::new).ok_or(Error::Closed)
    }

    /// Promises the response to a request that the client would make next (RFC 9113 §8.4).
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it cannot be said in HTTP/2; why the stream has ended. If the client takes no pushes, it is the
    /// pushed response that fails.
    pub fn push(&mut self, request: Request<()>) -> Result<Self, Error> {
        let (mut parts, ()) = request.into_parts();
        message::check_request(&mut parts)?;
        let cell = self.cell()?;
        let promised = Cell::new(cell.shared.clone(), None);
        // The client sends nothing on it.
        promised.received(Default::default(), true);
        cell.send_section(Section::Promise(Box::new(parts), Arc::clone(&promised)))?;
        Ok(Self::new(promised))
    }

    /// Ends the stream at once (RFC 9113 §6.4).
    pub fn reset(self, code: ErrorCode) {
        if let Some(cell) = &self.cell {
            cell.reset(code);
        }
    }
}

impl Drop for SendResponse {
    fn drop(&mut self) {
        if let Some(cell) = &self.cell {
            cell.drop_sender();
        }
    }
}
