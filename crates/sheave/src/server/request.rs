//! A request, and the two things that can become of it: an answer or a WebSocket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version};
use tokio::time::timeout;

use super::home::{Home, Returned};
use super::place::Place;
use super::response;
use super::wire::{Patience, Wire};
use crate::carrier::ConnectionId;
use crate::error::Error;
use crate::h2::{self, Protocol};
use crate::stream::Stream;
use crate::tunnel::Tunnel;
use crate::websocket::WebSocket;
use crate::ws::handshake::{
    Agreed, BodyLength, HandshakeError, Refusal, Upgrade, has_token, host, is_upgrade,
};
use crate::ws::io::Http1;
use crate::ws::{self, Config, Timeout};

/// A request to a server: for a WebSocket, which is accepted or rejected, or an ordinary one, which is
/// answered.
///
/// Dropped without an answer, it is answered with 404, or if the handler failed with 500; with 413, 408 or 400
/// if [`body`](Self::body) failed before.
#[derive(Debug)]
pub struct Request(Box<Exchange>);

/// All of a request, in one piece of memory that goes once it is answered or a WebSocket.
#[derive(Debug)]
struct Exchange {
    head: Box<http::Request<()>>,
    /// What an extended CONNECT is for.
    protocol: Option<Protocol>,
    /// The verdict on a request for a WebSocket.
    upgrade: Option<Result<Upgrade, Refusal>>,
    body: Body,
    /// There until it is given back.
    wire: Option<Wire>,
    answered: bool,
    keep_alive: bool,
    /// What the client is told if the handler fails for what was wrong with the body.
    fault: Option<Refusal>,
    place: Arc<Place>,
    home: Arc<Home>,
}

/// How far the body is read.
#[derive(Debug)]
struct Body {
    /// How long it says that it is.
    length: Option<u64>,
    /// The client waits for a 100 before it sends the body.
    awaits_continue: bool,
    received: BytesMut,
    ended: bool,
    /// It can never be whole.
    broken: Option<HandshakeError>,
}

impl Body {
    /// Whether it is longer than `most`, or says that it will be.
    fn exceeds(&self, most: usize) -> bool {
        self.received.len() > most || !self.ended && self.length.is_some_and(|length| length > most as u64)
    }

    /// One of which nothing was read.
    fn new(head: &http::Request<()>, length: Option<u64>, ended: bool) -> Self {
        // RFC 9110 §10.1.1.
        let expects =
            || head.version() >= Version::HTTP_11 && has_token(head.headers(), &EXPECT, "100-continue");
        let awaits_continue = !ended && expects();
        Self { length, awaits_continue, received: BytesMut::new(), ended, broken: None }
    }
}

impl Request {
    /// One that came over HTTP/1.1.
    pub(super) fn http1(
        head: http::Request<()>,
        body: BodyLength,
        http: Box<Http1<Stream>>,
        last: bool,
        place: &Arc<Place>,
        home: &Arc<Home>,
    ) -> Self {
        let headers = head.headers();
        let modern = head.version() >= Version::HTTP_11;
        // RFC 9112 §9.3.
        let persistent = !has_token(headers, &CONNECTION, "close")
            && (modern || has_token(headers, &CONNECTION, "keep-alive"));
        let length = match body {
            BodyLength::Length(length) => Some(length),
            _ => None,
        };
        let wire = Wire::http1(http, body);
        let body = Body::new(&head, length, body == BodyLength::None);
        Self::new(head.into(), None, body, wire, persistent && !last, place, home)
    }

    /// One that came over HTTP/2.
    pub(super) fn http2(
        head: Box<http::Request<()>>,
        protocol: Option<Protocol>,
        tunnel: Tunnel,
        place: &Arc<Place>,
        home: &Arc<Home>,
    ) -> Self {
        // What follows a CONNECT is no body (RFC 9110 §9.3.6).
        let ended = *head.method() == Method::CONNECT || tunnel.receiving.stream.is_end_stream();
        let length = || head.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let length = if ended { None } else { length() };
        let body = Body::new(&head, length, ended);
        Self::new(head, protocol, body, Wire::Http2(tunnel.into()), false, place, home)
    }

    fn new(
        head: Box<http::Request<()>>,
        protocol: Option<Protocol>,
        body: Body,
        wire: Wire,
        keep_alive: bool,
        place: &Arc<Place>,
        home: &Arc<Home>,
    ) -> Self {
        Self(Box::new(Exchange {
            upgrade: None,
            keep_alive,
            head,
            protocol,
            body,
            wire: Some(wire),
            answered: false,
            fault: None,
            place: Arc::clone(place),
            home: Arc::clone(home),
        }))
    }

    /// Comes to the verdict on a request for a WebSocket, which the caller's origin policy has a say in.
    pub(super) fn judge(&mut self) {
        let Exchange { head, protocol, place, upgrade, .. } = &mut *self.0;
        let handshake = &place.settings.handshake;
        *upgrade = match protocol {
            Some(protocol) => Some(handshake.check_connect(head, protocol.as_str())),
            // RFC 9110 §9.3.6: a 2xx would say that what follows is a tunnel.
            None if *head.method() == Method::CONNECT => {
                let why = "there are no tunnels here";
                Some(Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, why)))
            }
            None => (place.settings.websockets && is_upgrade(head)).then(|| handshake.check(head)),
        };
    }

    /// The answer that is due at once: a request for a WebSocket that is not in order.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.0.upgrade.as_ref()?.as_ref().err().map(|refusal| refusal.clone().closing())
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.0.head.method()
    }

    /// The version of HTTP that it came over.
    pub fn version(&self) -> Version {
        self.0.head.version()
    }

    /// The host, with the port if there is one, that the client asks: of the target if that has one, as always over
    /// HTTP/2, else of `Host`.
    pub fn authority(&self) -> Option<&str> {
        match self.0.head.uri().authority() {
            Some(authority) => Some(authority.as_str()),
            None => host(&self.0.head).ok().filter(|host| !host.is_empty()),
        }
    }

    /// The request's target: over HTTP/2 with scheme and authority, over HTTP/1.1 mostly a path.
    pub fn uri(&self) -> &Uri {
        self.0.head.uri()
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.0.head.uri().path()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.0.head.headers()
    }

    /// The whole head. What an extended CONNECT of HTTP/2 is for is no part of it: a handler gets those for WebSockets alone.
    pub fn head(&self) -> &http::Request<()> {
        &self.0.head
    }

    /// Whether it asks for a WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.0.upgrade.is_some()
    }

    /// The subprotocols that the client offers, the most preferred first.
    pub fn subprotocols(&self) -> &[String] {
        match &self.0.upgrade {
            Some(Ok(upgrade)) => upgrade.subprotocols(),
            _ => &[],
        }
    }

    /// Who asks; `None` over a Unix socket or a stream of the caller's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.place.peer.0
    }

    /// What it came over, for what TLS knows of the client.
    pub fn stream(&self) -> &Stream {
        self.0.wire.as_ref().expect(HERE).stream()
    }

    /// The connection that it came over, which requests over HTTP/2 share.
    pub fn connection_id(&self) -> ConnectionId {
        self.stream().connection_id()
    }

    /// The whole body, which is given once: a further call gives an empty one.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`] beyond [`ServerBuilder::max_body_size`](super::ServerBuilder::max_body_size);
    /// a body that is malformed, breaks off, or pauses for longer than
    /// [`ServerBuilder::handshake_timeout`](super::ServerBuilder::handshake_timeout). How long all of it may
    /// take is the handler's to limit.
    ///
    /// # Cancel safety
    /// Safe: what has come is kept for the next call.
    pub async fn body(&mut self) -> Result<Bytes, Error> {
        let most = self.0.place.settings.max_body_size;
        self.read_body(most).await?;
        Ok(self.0.body.received.split().freeze())
    }

    /// Answers. The length is that of the body; the client's next request may follow.
    ///
    /// # Errors
    /// What the connection, or the stream of HTTP/2, did. Over HTTP/2 also a 1xx, and a 2xx in answer to a request for a
    /// WebSocket, which would open it: the request is then unanswered.
    ///
    /// # Cancel safety
    /// Dropping it ends the connection, or the stream of HTTP/2.
    pub fn respond(self, response: Response<impl Into<Bytes>>) -> impl Future<Output = Result<(), Error>> {
        Answering::Begins(self, response.map(Into::into))
    }

    async fn answer(mut self, response: Response<Bytes>) -> Result<(), Error> {
        let before = self.0.body.received.len();
        let (mut body, keep_alive) = self.feed(response)?;
        self.flush(&mut body).await?;
        if keep_alive {
            let patience = self.0.place.settings.handshake_timeout;
            let drained = timeout(patience, self.read_body(before + UNREAD)).await;
            self.0.keep_alive = matches!(drained, Ok(Ok(())));
        }
        Ok(())
    }

    /// Takes the answer over. Returns its body, and whether the connection may have another request.
    fn feed(&mut self, mut response: Response<Bytes>) -> Result<(Bytes, bool), Error> {
        let Exchange { body, head, .. } = &*self.0;
        if *head.method() == Method::CONNECT && response.status().is_success() {
            // RFC 9110 §9.3.6
            return Err(h2::Error::from(h2::Usage::Malformed("a 2xx that opens no WebSocket")).into());
        }
        let before = body.received.len();
        let keep_alive = self.0.keep_alive
            && !self.0.place.tracker.is_shutting_down()
            && !has_token(response.headers(), &CONNECTION, "close")
            // No last answer, or none of HTTP.
            && !response.status().is_informational()
            // What the handler did not read of the body is in the way of the next request.
            && (body.ended || !body.awaits_continue && !body.exceeds(before + UNREAD));
        response::complete(&mut response, head, keep_alive);
        let (head, mut body) = response.into_parts();
        self.0.wire.as_mut().expect(HERE).feed(Response::from_parts(head, ()), &mut body)?;
        self.0.answered = true;
        // Only when all is done: dropped before, half an answer or half a body would be left.
        self.0.keep_alive = false;
        Ok((body, keep_alive))
    }

    /// Answers with a status and a line of text.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    ///
    /// # Cancel safety
    /// Dropping it ends the connection, or the stream of HTTP/2.
    pub async fn reject(self, status: StatusCode, reason: impl Into<String>) -> Result<(), Error> {
        self.respond(Refusal::new(status, reason).into_response()).await
    }

    /// Opens the WebSocket, with the server's settings.
    ///
    /// # Errors
    /// [`ws::Error::Refused`] if the request does not ask for one (it was answered with 426, over HTTP/2 with 400); what
    /// the connection, or the stream of HTTP/2, did.
    ///
    /// # Cancel safety
    /// Dropping it ends the connection, or the stream of HTTP/2.
    pub async fn accept(self) -> Result<WebSocket, Error> {
        let place = Arc::clone(&self.0.place);
        let waiting = match self.open(&place.settings.config, None, Ok(HeaderMap::new())) {
            Opening::Done(opened) => return opened,
            Opening::Waits(waiting) => waiting,
        };
        drop(place);
        waiting.await
    }

    /// Opens the WebSocket with a subprotocol, headers or settings of its own.
    pub fn accepting(self) -> Accepting {
        Accepting(Box::new(Acceptance {
            config: self.0.place.settings.config.clone(),
            subprotocol: None,
            headers: Ok(HeaderMap::new()),
            request: self,
        }))
    }

    /// Opens the WebSocket as far as that goes without waiting.
    fn open(
        mut self,
        config: &Config,
        subprotocol: Option<&str>,
        headers: Result<HeaderMap, HandshakeError>,
    ) -> Opening {
        if !matches!(self.0.upgrade, Some(Ok(_))) {
            return Opening::Waits(Box::pin(self.refuse()));
        }
        let agreed = headers.map_err(Error::from);
        let agreed = match agreed.and_then(|headers| self.agree(config, subprotocol, headers)) {
            Ok(agreed) => agreed,
            Err(error) => return Opening::Done(Err(error)),
        };
        if self.version() >= Version::HTTP_2 {
            // It is the connection that sends.
            return Opening::Done(Ok(self.into_websocket(agreed, config)));
        }
        let config = config.clone();
        Opening::Waits(Box::pin(async move {
            self.flush(&mut Bytes::new()).await?;
            Ok(self.into_websocket(agreed, &config))
        }))
    }

    /// Takes over the answer that opens the WebSocket.
    fn agree(
        &mut self,
        config: &Config,
        subprotocol: Option<&str>,
        headers: HeaderMap,
    ) -> Result<Agreed, Error> {
        let extensions = config.extensions(self.stream().is_encrypted());
        let Exchange { upgrade: Some(Ok(upgrade)), place, wire: Some(wire), .. } = &mut *self.0 else {
            return Err(Error::from(h2::Error::Closed));
        };
        let chosen = subprotocol.or_else(|| upgrade.choose(&place.settings.subprotocols));
        let (response, agreed) = upgrade.accept(chosen, &extensions, headers)?;
        wire.open(response)?;
        self.0.answered = true;
        self.0.keep_alive = false;
        Ok(agreed)
    }

    /// What the answer that was sent has made of it.
    fn into_websocket(mut self, agreed: Agreed, config: &Config) -> WebSocket {
        let ws = self.0.wire.take().expect(HERE).into_websocket(agreed, config, &self.0.place);
        WebSocket::new(ws, Some(Arc::clone(&self.0.home)))
    }

    /// Answers a request that asks for no WebSocket.
    async fn refuse(self) -> Result<WebSocket, Error> {
        // HTTP/2 has no upgrade that could be required (RFC 9113 §8.6).
        let refusal = match self.version() < Version::HTTP_2 {
            true => Refusal::upgrade_required(),
            false => Refusal::new(StatusCode::BAD_REQUEST, "only WebSocket is spoken here"),
        };
        self.respond(refusal.clone().into_response()).await?;
        Err(refusal.into())
    }

    /// Reads the body until its end, unless it is longer than `most`.
    async fn read_body(&mut self, most: usize) -> Result<(), Error> {
        let read = self.try_read_body(most).await;
        if let Err(error) = &read {
            self.0.keep_alive = false;
            self.0.fault = match error {
                Error::BodyTooLarge => Some(StatusCode::PAYLOAD_TOO_LARGE),
                Error::WebSocket(ws::Error::Timeout(_)) => Some(StatusCode::REQUEST_TIMEOUT),
                Error::WebSocket(ws::Error::Handshake(_)) => Some(StatusCode::BAD_REQUEST),
                _ => None,
            }
            .map(|status| Refusal::new(status, error.to_string()).closing());
        }
        read
    }

    async fn try_read_body(&mut self, most: usize) -> Result<(), Error> {
        if let Some(error) = &self.0.body.broken {
            return Err(error.clone().into());
        }
        if self.0.body.exceeds(most) {
            return Err(Error::BodyTooLarge);
        }
        let patience = self.0.place.settings.handshake_timeout;
        let wire = self.0.wire.as_mut().expect(HERE);
        let body = &mut self.0.body;
        if std::mem::take(&mut body.awaits_continue) {
            wire.proceed().await?;
        }
        while !body.ended {
            match within(patience, wire.body(&mut body.received)).await {
                Ok(more) => body.ended = !more,
                Err(error) => {
                    if let Error::WebSocket(ws::Error::Handshake(error)) = &error {
                        body.broken = Some(error.clone());
                    }
                    return Err(error);
                }
            }
            if body.exceeds(most) {
                return Err(Error::BodyTooLarge);
            }
        }
        Ok(())
    }

    /// Sends the answer, for as long as the client takes it.
    async fn flush(&mut self, body: &mut Bytes) -> Result<(), Error> {
        let patience = self.0.place.settings.handshake_timeout;
        self.0.wire.as_mut().expect(HERE).flush(body, patience).await
    }
}

/// How much of a body that the handler did not read is read to have the next request.
const UNREAD: usize = 64 << 10;

/// A request that is being answered. No `async fn`, so that what only comes first takes no room of its own beside the rest.
enum Answering {
    Begins(Request, Response<Bytes>),
    /// Over HTTP/2, the rest of a body.
    Sends(Request, Bytes, Patience),
    /// Over HTTP/1.1.
    Waits(Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>),
    Done,
}

impl Future for Answering {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Self::Begins(..) = *self
            && let Self::Begins(mut request, response) = std::mem::replace(&mut *self, Self::Done)
        {
            *self = match request.version() {
                Version::HTTP_2 => {
                    let (body, _) = request.feed(response)?;
                    Self::Sends(request, body, Patience::default())
                }
                _ => Self::Waits(Box::pin(request.answer(response))),
            };
        }
        let done = match &mut *self {
            Self::Sends(request, body, patience) => {
                let Exchange { place, wire, .. } = &mut *request.0;
                let wire = wire.as_mut().expect(HERE);
                ready!(wire.poll_sent(cx, body, patience, place.settings.handshake_timeout))
            }
            Self::Waits(answer) => ready!(answer.as_mut().poll(cx)),
            Self::Begins(..) | Self::Done => return Poll::Pending,
        };
        *self = Self::Done;
        Poll::Ready(done)
    }
}

const HERE: &str = "there until it is given back";

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match timeout(patience, work).await {
        Ok(result) => result,
        Err(_) => Err(ws::Error::Timeout(Timeout::Handshake).into()),
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // A stream of HTTP/2 has no other request.
        let is_done = self.answered && matches!(self.wire, Some(Wire::Http2(_)));
        if let Some(wire) = self.wire.take_if(|_| !is_done) {
            self.home.put(if self.answered {
                Returned::Answered { wire, keep_alive: self.keep_alive }
            } else {
                Returned::Unanswered { wire, head: std::mem::take(&mut self.head), fault: self.fault.take() }
            });
        }
    }
}

/// A WebSocket about to be opened, see [`Request::accepting`].
#[derive(Debug)]
#[must_use = "nothing happens before it is accepted"]
pub struct Accepting(Box<Acceptance>);

/// Boxed, so that the handler's task does not keep the room for it.
#[derive(Debug)]
struct Acceptance {
    request: Request,
    config: Config,
    subprotocol: Option<String>,
    headers: Result<HeaderMap, HandshakeError>,
}

impl Accepting {
    /// Agrees on this subprotocol, which the client must have offered. Default: the client's most preferred
    /// one among [`ServerBuilder::subprotocols`](super::ServerBuilder::subprotocols).
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.0.subprotocol = Some(name.into());
        self
    }

    /// Adds a header to the answer; several of one name are all sent.
    ///
    /// Refused, when it comes to [`accept`](Self::accept), with [`HandshakeError::ReservedHeader`]:
    /// `Connection`, `Upgrade`, any `Sec-WebSocket-*` (see [`subprotocol`](Self::subprotocol)),
    /// `Content-Length`, `Transfer-Encoding`, `Trailer`, `Expect`, `TE`, `Keep-Alive`, `Proxy-Connection` and
    /// `HTTP2-Settings`; with [`HandshakeError::InvalidHeader`] what no header can hold.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        if let Ok(headers) = &mut self.0.headers {
            let header = name.try_into().map_err(|_| HandshakeError::InvalidHeaderName).and_then(|name| {
                let value = value.try_into().map_err(|_| HandshakeError::InvalidHeader(name.clone()))?;
                Ok((name, value))
            });
            match header {
                Ok((name, value)) => drop(headers.append(name, value)),
                Err(error) => self.0.headers = Err(error),
            }
        }
        self
    }

    /// Sets the limits and times of this WebSocket. Default: the server's.
    pub fn config(mut self, config: Config) -> Self {
        self.0.config = config;
        self
    }

    /// Opens the WebSocket.
    ///
    /// # Errors
    /// As [`Request::accept`]; what was wrong with the subprotocol or the headers, then the client is
    /// answered with 500 once the handler has ended.
    ///
    /// # Cancel safety
    /// Dropping it ends the connection, or the stream of HTTP/2.
    pub async fn accept(self) -> Result<WebSocket, Error> {
        let Acceptance { request, config, subprotocol, headers } = *self.0;
        let waiting = match request.open(&config, subprotocol.as_deref(), headers) {
            Opening::Done(opened) => return opened,
            Opening::Waits(waiting) => waiting,
        };
        waiting.await
    }
}

/// A WebSocket that is being opened. What has to wait is boxed, so that the handler's task does not keep the room for it.
enum Opening {
    Done(Result<WebSocket, Error>),
    Waits(Pin<Box<dyn Future<Output = Result<WebSocket, Error>> + Send>>),
}
