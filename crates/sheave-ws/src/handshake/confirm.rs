//! The client reads the server's answer (RFC 6455 §4.1).

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};

use super::{
    Agreed, BodyLength, BodyPiece, BodyReader, HandshakeError, HeadLimits, HeadReader, Rejection, accept_key,
    has_token, tokens,
};
use crate::extension::Extension;

/// How an opening handshake ended, when it did not fail.
#[derive(Debug)]
pub enum ClientOutcome {
    /// The WebSocket is open. What is left of the input are its first frames.
    Accepted {
        /// The subprotocol and the extensions.
        agreed: Agreed,
        /// The head of the answer.
        response: Response<()>,
    },
    /// The server answered with something else. The connection is of no further use.
    Rejected(Rejection),
}

/// A client that has sent its request and awaits the answer.
///
/// Feed it with [`read`](Self::read) until there is an outcome, and tell it with [`read_eof`](Self::read_eof)
/// when the connection ends before, or with [`read_cut`](Self::read_cut) that it broke. An error is final: close
/// the connection.
pub struct ClientHandshake {
    accept: HeaderValue,
    subprotocols: Vec<String>,
    extensions: Vec<Arc<dyn Extension>>,
    head: HeadReader,
    interim_responses: usize,
    state: State,
}

enum State {
    Head,
    Body(Box<PartialRejection>),
    Finished,
}

/// A rejection whose body is still to come.
struct PartialRejection {
    head: Response<()>,
    reader: BodyReader,
    body: BytesMut,
}

impl ClientHandshake {
    /// How many interim responses (1xx other than 101) may come before the answer.
    pub const MAX_INTERIM_RESPONSES: usize = 8;

    pub(super) fn new(
        key: &HeaderValue,
        subprotocols: Vec<String>,
        extensions: Vec<Arc<dyn Extension>>,
        limits: HeadLimits,
    ) -> Self {
        Self {
            accept: accept_key(key.as_bytes()),
            subprotocols,
            extensions,
            head: HeadReader::new(limits),
            interim_responses: 0,
            state: State::Head,
        }
    }

    /// Takes the answer from the front of `input`, or `None` when more bytes are needed.
    ///
    /// After a 101 answer what follows it stays in `input`. Of a rejection's body, up to
    /// [`Rejection::MAX_BODY`] is collected before it is handed out.
    ///
    /// # Errors
    ///
    /// A malformed answer, or a 101 that does not answer this request: [`HandshakeError`] says in which way.
    /// [`HandshakeError::Finished`] after an outcome or an error.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<ClientOutcome>, HandshakeError> {
        let outcome = self.advance(input);
        if !matches!(outcome, Ok(None)) {
            self.state = State::Finished;
        }
        outcome
    }

    /// Tells that the connection has ended, with what is left to read.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read), and [`HandshakeError::ClosedEarly`] when there was no answer. An answer
    /// whose body was cut off is a [`Rejection`] that says so.
    pub fn read_eof(&mut self, input: &mut BytesMut) -> Result<ClientOutcome, HandshakeError> {
        self.end(input, false)
    }

    /// Tells that no more is read, as the time is up or the connection broke, with what is left to read.
    ///
    /// # Errors
    ///
    /// Those of [`read_eof`](Self::read_eof). An answer whose body had no other end than that of the connection
    /// counts as cut off, too.
    pub fn read_cut(&mut self, input: &mut BytesMut) -> Result<ClientOutcome, HandshakeError> {
        self.end(input, true)
    }

    fn end(&mut self, input: &mut BytesMut, cut: bool) -> Result<ClientOutcome, HandshakeError> {
        if let Some(outcome) = self.read(input)? {
            return Ok(outcome);
        }
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Body(mut partial) => {
                let truncated = partial.reader.read_eof().is_err() || cut;
                Ok(partial.finish(truncated))
            }
            State::Head | State::Finished => Err(HandshakeError::ClosedEarly),
        }
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<ClientOutcome>, HandshakeError> {
        loop {
            match &mut self.state {
                State::Finished => return Err(HandshakeError::Finished),
                State::Body(partial) => return Ok(partial.read(input)),
                State::Head => {}
            }
            let Some(response) = self.head.read_response(input)? else { return Ok(None) };
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return self.confirm(response).map(Some);
            }
            if response.status().is_informational() {
                self.interim_responses += 1;
                if self.interim_responses > Self::MAX_INTERIM_RESPONSES {
                    let limit = Self::MAX_INTERIM_RESPONSES;
                    return Err(HandshakeError::TooManyInterimResponses { limit });
                }
                continue;
            }
            let Ok(length) = BodyLength::of_response(&response, &Method::GET) else {
                // The status says more than that the body is of no use.
                let rejection = Rejection::new(response.map(|()| Bytes::new()), true);
                return Ok(Some(ClientOutcome::Rejected(rejection)));
            };
            self.state = State::Body(Box::new(PartialRejection {
                head: response,
                reader: BodyReader::new(length),
                body: BytesMut::new(),
            }));
        }
    }

    fn confirm(&self, response: Response<()>) -> Result<ClientOutcome, HandshakeError> {
        // RFC 9110 §15.2: HTTP/1.0 has no 1xx
        if response.version() < Version::HTTP_11 {
            return Err(HandshakeError::MalformedHead("101 answer in HTTP/1.0"));
        }
        let headers = response.headers();
        // RFC 6455 §4.1, the server's response, item 2
        if !switches_to_websocket(headers) {
            return Err(HandshakeError::MissingUpgrade);
        }
        // item 3
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(HandshakeError::MissingConnection);
        }
        // item 4
        self.confirm_accept(headers)?;
        // items 5 and 6
        let agreed = Agreed::confirm(&self.subprotocols, &self.extensions, headers)?;
        Ok(ClientOutcome::Accepted { agreed, response })
    }

    fn confirm_accept(&self, headers: &HeaderMap) -> Result<(), HandshakeError> {
        let mut accepts = headers.get_all(SEC_WEBSOCKET_ACCEPT).into_iter();
        let accept = accepts.next().ok_or(HandshakeError::MissingAccept)?;
        // RFC 6455 §4.1: ignoring any leading and trailing whitespace; §11.3.3: MUST NOT appear more than
        // once
        if accepts.next().is_some() || accept.as_bytes().trim_ascii() != self.accept.as_bytes() {
            return Err(HandshakeError::WrongAccept);
        }
        Ok(())
    }
}

impl PartialRejection {
    fn read(&mut self, input: &mut BytesMut) -> Option<ClientOutcome> {
        loop {
            match self.reader.read(input) {
                Ok(None) => return None,
                Ok(Some(BodyPiece::End)) => return Some(self.finish(false)),
                Ok(Some(BodyPiece::Data(data))) => {
                    let room = Rejection::MAX_BODY - self.body.len();
                    self.body.extend_from_slice(&data[..data.len().min(room)]);
                    if data.len() > room {
                        return Some(self.finish(true));
                    }
                }
                // The status says more than that the body was malformed.
                Err(_) => return Some(self.finish(true)),
            }
        }
    }

    fn finish(&mut self, truncated: bool) -> ClientOutcome {
        let body: Bytes = std::mem::take(&mut self.body).freeze();
        let response = std::mem::take(&mut self.head).map(|()| body);
        ClientOutcome::Rejected(Rejection::new(response, truncated))
    }
}

/// Whether `Upgrade` names `websocket`, and no second protocol on top of it.
fn switches_to_websocket(headers: &HeaderMap) -> bool {
    let is_websocket = |protocol: &[u8]| protocol.eq_ignore_ascii_case(b"websocket");
    let mut protocols = tokens(headers, &UPGRADE);
    protocols.next().is_some_and(is_websocket) && protocols.all(is_websocket)
}

impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extensions: Vec<&str> = self.extensions.iter().map(|extension| extension.name()).collect();
        f.debug_struct("ClientHandshake")
            .field("subprotocols", &self.subprotocols)
            .field("extensions", &extensions)
            .finish_non_exhaustive()
    }
}
