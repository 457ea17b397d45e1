//! A client's side of a connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::cell::Cell;
use super::driver::Driver;
use super::handle::Handle;
use super::recv_stream::RecvStream;
use super::send_stream::SendStream;
use super::shared::{Notice, Shared};
use super::wants::Section;
use crate::config::Config;
use crate::connection::Role;
use crate::error::Error;
use crate::message;
use crate::settings::Settings;

/// A connection on `io` with the default [`Config`].
pub fn handshake<T: AsyncRead + AsyncWrite + Unpin>(io: T) -> (SendRequest, Connection<T>) {
    handshake_with(io, Config::default())
}

/// A connection on `io`, and what requests are made with on it. Nothing is sent or received before it is driven.
pub fn handshake_with<T: AsyncRead + AsyncWrite + Unpin>(
    io: T,
    config: Config,
) -> (SendRequest, Connection<T>) {
    let driver = Driver::new(Role::Client, io, config);
    let needed = Arc::new(Needed(driver.shared.clone()));
    (SendRequest { needed, pending: Weak::new() }, Connection { driver })
}

/// A client's connection: a future that has to be driven, mostly by a task of its own. It ends once every
/// [`SendRequest`] was dropped and every stream has ended, once a [shutdown](Handle::shutdown) or a server's GOAWAY has come
/// to its end, or with the error that the connection has failed by. Dropped, it ends at once.
#[derive(Debug)]
#[must_use = "a connection does nothing unless it is driven"]
pub struct Connection<T> {
    driver: Driver<T>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Connection<T> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().driver.poll(cx)
    }
}

/// Makes requests. Clones share the connection.
#[derive(Debug)]
pub struct SendRequest {
    needed: Arc<Needed>,
    /// The last request, if it may not have been let open its stream yet.
    pending: Weak<Cell>,
}

/// A way to the connection, which is told when it is dropped with the last [`SendRequest`].
#[derive(Debug)]
struct Needed(Shared);

impl Drop for Needed {
    fn drop(&mut self) {
        self.0.notice(Notice::Unneeded);
    }
}

impl Clone for SendRequest {
    fn clone(&self) -> Self {
        Self { needed: Arc::clone(&self.needed), pending: Weak::new() }
    }
}

impl SendRequest {
    /// Waits until the last request was let open its stream (RFC 9113 §5.1.2): further ones would only wait in a queue.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the connection takes no requests any more, or why it has failed.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn ready(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// [`ready`](Self::ready) as a poll function.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check()?;
        if let Some(pending) = self.pending.upgrade() {
            ready!(pending.poll_opened(cx));
            self.pending = Weak::new();
            self.check()?;
        }
        Poll::Ready(Ok(()))
    }

    fn shared(&self) -> &Shared {
        &self.needed.0
    }

    fn check(&self) -> Result<(), Error> {
        let known = self.shared().known.borrow();
        match &known.error {
            Some(error) => Err(error.clone()),
            None if known.is_ending || self.shared().is_closed() => Err(Error::Closed),
            None => Ok(()),
        }
    }

    /// Makes a request; with `end_stream`, nothing follows. It waits in a queue for a stream, and an extended CONNECT
    /// (RFC 8441) for the server's settings.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if it is not one that can be made in HTTP/2; as [`ready`](Self::ready). What else is wrong, the
    /// response tells.
    pub fn send_request(
        &mut self,
        request: Request<()>,
        end_stream: bool,
    ) -> Result<(ResponseFuture, SendStream), Error> {
        self.check()?;
        let (mut parts, ()) = request.into_parts();
        message::check_request(&mut parts)?;
        let cell = Cell::new(self.shared().clone(), None);
        cell.send_section(Section::Request(Box::new(parts), end_stream))?;
        self.pending = Arc::downgrade(&cell);
        Ok((ResponseFuture::new(Arc::clone(&cell)), SendStream::new(cell)))
    }

    /// What the server lets us do, once it has said so.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], or why the connection has failed before.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn settings(&self) -> Result<Settings, Error> {
        let mut known = self.shared().known.clone();
        let settled = known.wait_for(|known| known.settings.is_some() || known.error.is_some()).await;
        let known = settled.map_err(|_| Error::Closed)?;
        match known.settings {
            Some(settings) => Ok(settings),
            None => Err(known.error.clone().unwrap_or(Error::Closed)),
        }
    }

    /// The same, if it has said so already.
    pub fn known_settings(&self) -> Option<Settings> {
        self.shared().known.borrow().settings
    }

    /// Whether the connection takes requests: it has not failed, and neither side is about to end it.
    pub fn is_open(&self) -> bool {
        self.check().is_ok()
    }

    /// A way to ask something of the connection.
    pub fn handle(&self) -> Handle {
        Handle::new(self.shared().clone())
    }
}

/// A response to come. Dropped before, it has the stream reset with CANCEL, as soon as nothing is sent on it any more.
#[derive(Debug)]
pub struct ResponseFuture {
    /// `None` once it has come.
    receive: Option<RecvStream>,
    /// Whether the promises were not taken yet.
    has_promises: bool,
    cell: Arc<Cell>,
}

impl ResponseFuture {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        let receive = Some(RecvStream::new(Arc::clone(&cell), true));
        Self { receive, has_promises: true, cell }
    }

    /// The next interim response (1xx, RFC 9110 §15.2); `None` if the final one is next.
    ///
    /// # Errors
    ///
    /// Why the stream has ended before its time.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn informational(&mut self) -> Result<Option<Response<()>>, Error> {
        if self.receive.is_none() {
            return Ok(None);
        }
        poll_fn(|cx| self.cell.poll_informational(cx)).await
    }

    /// The responses that the server pushes beside this one. `None` if they were taken before.
    pub fn promises(&mut self) -> Option<Promises> {
        self.has_promises.then(|| {
            self.has_promises = false;
            Promises { cell: Arc::clone(&self.cell) }
        })
    }
}

/// # Cancel safety
///
/// Safe: it can be polled again. After it has given the response it fails with [`Error::Closed`].
impl Future for ResponseFuture {
    type Output = Result<Response<RecvStream>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.receive.is_none() {
            return Poll::Ready(Err(Error::Closed));
        }
        let response = ready!(this.cell.poll_response(cx))?;
        match this.receive.take() {
            Some(receive) => Poll::Ready(Ok(response.map(|()| receive))),
            None => Poll::Ready(Err(Error::Closed)),
        }
    }
}

/// Responses that a server pushes (RFC 9113 §8.4), if it [may](Config::enable_push). Whether it may speak for the authority
/// of the request is for the user to check, and not to use the response if it may not (§8.4, §10.1).
#[derive(Debug)]
pub struct Promises {
    cell: Arc<Cell>,
}

impl Promises {
    /// The next, with the request that it answers; `None` once no more can come. Dropped, it has its stream reset.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn next(&mut self) -> Option<(Request<()>, ResponseFuture)> {
        poll_fn(|cx| self.cell.poll_promise(cx)).await
    }
}
