//! A request, and the two things that can become of it: an answer or a WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version};
use tokio::time::timeout;

use super::home::{Home, Returned};
use super::place::Place;
use super::response;
use crate::error::Error;
use crate::stream::Stream;
use crate::websocket::WebSocket;
use crate::ws::handshake::{
    BodyLength, BodyPiece, BodyReader, HandshakeError, Refusal, Upgrade, has_token, is_upgrade,
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
    /// The verdict on a request for a WebSocket.
    upgrade: Option<Result<Upgrade, Refusal>>,
    body: Body,
    /// There until it is given back.
    http: Option<Box<Http1<Stream>>>,
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
    length: BodyLength,
    reader: BodyReader,
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
        self.received.len() > most
            || matches!(self.length, BodyLength::Length(length) if !self.ended && length > most as u64)
    }
}

impl Request {
    pub(super) fn new(
        head: Box<http::Request<()>>,
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
        // RFC 9110 §10.1.1.
        let awaits_continue = modern && has_token(headers, &EXPECT, "100-continue");
        let body = Body {
            length: body,
            reader: BodyReader::new(body),
            awaits_continue: awaits_continue && body != BodyLength::None,
            received: BytesMut::new(),
            ended: body == BodyLength::None,
            broken: None,
        };
        Self(Box::new(Exchange {
            upgrade: None,
            keep_alive: persistent && !last,
            head,
            body,
            http: Some(http),
            answered: false,
            fault: None,
            place: Arc::clone(place),
            home: Arc::clone(home),
        }))
    }

    /// The same, with the verdict on a request for a WebSocket, which the caller's origin policy has a say in.
    pub(super) fn judged(mut self) -> Self {
        let Exchange { head, place, upgrade, .. } = &mut *self.0;
        *upgrade = is_upgrade(head).then(|| place.settings.handshake.check(head));
        self
    }

    /// The answer that is due at once: a request for a WebSocket that is not in order.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.0.upgrade.as_ref()?.as_ref().err().map(|refusal| refusal.clone().closing())
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.0.head.method()
    }

    /// The request's target.
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

    /// The whole head.
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

    /// What the connection runs over, for what TLS knows of the client.
    pub fn stream(&self) -> &Stream {
        self.0.http.as_ref().expect(HERE).get_ref()
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
    /// What the connection did.
    ///
    /// # Cancel safety
    /// Dropping it ends the connection.
    pub async fn respond(self, response: Response<impl Into<Bytes>>) -> Result<(), Error> {
        Box::pin(self.answer(response.map(Into::into))).await
    }

    async fn answer(mut self, response: Response<Bytes>) -> Result<(), Error> {
        const UNREAD: usize = 64 << 10;
        let Exchange { body, head, .. } = &*self.0;
        let before = body.received.len();
        let keep_alive = self.0.keep_alive
            && !self.0.place.tracker.is_shutting_down()
            && !has_token(response.headers(), &CONNECTION, "close")
            // No last answer, or none of HTTP.
            && !response.status().is_informational()
            // What the handler did not read of the body is in the way of the next request.
            && (body.ended || !body.awaits_continue && !body.exceeds(before + UNREAD));
        let (head, body) = response::complete(response, head, keep_alive).into_parts();
        let http = self.0.http.as_mut().expect(HERE);
        http.feed(&Response::from_parts(head, ()), body);
        self.0.answered = true;
        // Only when all is done: dropped before, half an answer or half a body would be left.
        self.0.keep_alive = false;
        self.flush().await?;
        if keep_alive {
            let patience = self.0.place.settings.handshake_timeout;
            let drained = timeout(patience, self.read_body(before + UNREAD)).await;
            self.0.keep_alive = matches!(drained, Ok(Ok(())));
        }
        Ok(())
    }

    /// Answers with a status and a line of text.
    ///
    /// # Errors
    /// What the connection did.
    ///
    /// # Cancel safety
    /// Dropping it ends the connection.
    pub async fn reject(self, status: StatusCode, reason: impl Into<String>) -> Result<(), Error> {
        self.respond(Refusal::new(status, reason).into_response()).await
    }

    /// Opens the WebSocket, with the server's settings.
    ///
    /// # Errors
    /// [`ws::Error::Refused`] if the request does not ask for one (it was answered with 426); what the
    /// connection did.
    ///
    /// # Cancel safety
    /// Dropping it ends the connection.
    pub async fn accept(self) -> Result<WebSocket, Error> {
        self.accepting().accept().await
    }

    /// Opens the WebSocket with a subprotocol, headers or settings of its own.
    pub fn accepting(self) -> Accepting {
        Accepting {
            config: self.0.place.settings.config.clone(),
            subprotocol: None,
            headers: Ok(HeaderMap::new()),
            request: self,
        }
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
        if std::mem::take(&mut self.0.body.awaits_continue) {
            let proceed = Response::builder().status(StatusCode::CONTINUE).body(()).unwrap_or_default();
            self.0.http.as_mut().expect(HERE).feed(&proceed, Bytes::new());
        }
        self.flush().await?;
        let patience = self.0.place.settings.handshake_timeout;
        let http = self.0.http.as_mut().expect(HERE);
        let body = &mut self.0.body;
        while !body.ended {
            match within(patience, http.body(&mut body.reader)).await {
                Ok(BodyPiece::End) => body.ended = true,
                Ok(BodyPiece::Data(data)) => body.received.extend_from_slice(&data),
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

    /// Writes what is queued, for as long as the client takes it.
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(self.0.http.as_mut().expect(HERE).flush().await?)
    }
}

const HERE: &str = "there until it is given back";

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, ws::Error>>) -> Result<T, Error> {
    match timeout(patience, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ws::Error::Timeout(Timeout::Handshake).into()),
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(http) = self.http.take() {
            self.home.put(if self.answered {
                Returned::Answered { http, keep_alive: self.keep_alive }
            } else {
                Returned::Unanswered { http, head: std::mem::take(&mut self.head), fault: self.fault.take() }
            });
        }
    }
}

/// A WebSocket about to be opened, see [`Request::accepting`].
#[derive(Debug)]
#[must_use = "nothing happens before it is accepted"]
pub struct Accepting {
    request: Request,
    config: Config,
    subprotocol: Option<String>,
    headers: Result<HeaderMap, HandshakeError>,
}

impl Accepting {
    /// Agrees on this subprotocol, which the client must have offered. Default: the client's most preferred
    /// one among [`ServerBuilder::subprotocols`](super::ServerBuilder::subprotocols).
    pub fn subprotocol(self, name: impl Into<String>) -> Self {
        Self { subprotocol: Some(name.into()), ..self }
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
        self.headers = self.headers.and_then(|mut headers| {
            let name = name.try_into().map_err(|_| HandshakeError::InvalidHeaderName)?;
            let value = value.try_into().map_err(|_| HandshakeError::InvalidHeader(name.clone()))?;
            headers.append(name, value);
            Ok(headers)
        });
        self
    }

    /// Sets the limits and times of this WebSocket. Default: the server's.
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Opens the WebSocket.
    ///
    /// # Errors
    /// As [`Request::accept`]; what was wrong with the subprotocol or the headers, then the client is
    /// answered with 500 once the handler has ended.
    ///
    /// # Cancel safety
    /// Dropping it ends the connection.
    pub async fn accept(self) -> Result<WebSocket, Error> {
        // Boxed, so that the handler's task does not keep the room for it.
        Box::pin(self.open()).await
    }

    async fn open(self) -> Result<WebSocket, Error> {
        let Self { mut request, config, subprotocol, headers } = self;
        let Some(Ok(upgrade)) = &request.0.upgrade else {
            let refusal = Refusal::upgrade_required();
            request.respond(refusal.clone().into_response()).await?;
            return Err(refusal.into());
        };
        let supported = &request.0.place.settings.subprotocols;
        let chosen = subprotocol.as_deref().or_else(|| upgrade.choose(supported));
        let extensions = config.extensions(request.stream().is_encrypted());
        let (response, agreed) = upgrade.accept(chosen, &extensions, headers?)?;
        request.0.http.as_mut().expect(HERE).feed(&response, Bytes::new());
        request.0.answered = true;
        request.0.keep_alive = false;
        request.flush().await?;
        let http = request.0.http.take().expect(HERE);
        let mut ws = http.into_websocket(agreed, &config);
        request.0.place.track(ws.close_handle());
        Ok(WebSocket::new(ws, Some(Arc::clone(&request.0.home))))
    }
}
