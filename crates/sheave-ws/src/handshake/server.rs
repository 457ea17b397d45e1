//! The server's side over HTTP/1.1 (RFC 6455 §4.2), and over HTTP/2 (RFC 8441).

use std::sync::Arc;

use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::authority::HostPort;
use super::encode::append;
use super::{
    Agreed, BodyLength, HandshakeError, Offer, OriginPolicy, Refusal, accept_key, has_token, is_reserved,
    is_valid_key,
};
use crate::extension::{Extension, ExtensionOffer};

/// Whether a request asks for a WebSocket at all: HTTP/1.1 with `websocket` among its `Upgrade`.
///
/// It may still be refused by [`ServerHandshake::check`]. An `Upgrade` from HTTP/1.0 does not count
/// (RFC 9110 §7.8).
pub fn is_upgrade<T>(request: &Request<T>) -> bool {
    request.version() >= Version::HTTP_11 && has_token(request.headers(), &UPGRADE, "websocket")
}

/// The host, and the port if there is one, that the `Host` of a request names; empty if it names none, as in
/// HTTP/1.0, which may do without.
///
/// # Errors
///
/// 400 to a request without `Host`, with several, or with an invalid one (RFC 9112 §3.2).
pub fn host<T>(request: &Request<T>) -> Result<&str, Refusal> {
    let headers = request.headers();
    if request.version() < Version::HTTP_11 && !headers.contains_key(HOST) {
        return Ok("");
    }
    let host = single(headers, &HOST)?.to_str().ok().map(str::trim);
    let is_valid = |host: &&str| host.is_empty() || HostPort::parse(host).is_some();
    host.filter(is_valid).ok_or_else(|| Refusal::bad_request("invalid Host"))
}

/// What a server asks of an opening handshake.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ServerHandshake {
    /// Which web pages may connect; those of the server's own host by default.
    pub origin: OriginPolicy,
    /// Whether clients reach this server by TLS, which decides on the scheme that
    /// [`OriginPolicy::SameOrigin`] asks of a page: `https` for `Some(true)`, `http` for `Some(false)`.
    ///
    /// `None`, the default, if that is not known, as where something in front of the server may end TLS: then
    /// both will do.
    pub secure: Option<bool>,
}

impl ServerHandshake {
    /// Sets which web pages may connect.
    pub fn origin(mut self, origin: OriginPolicy) -> Self {
        self.origin = origin;
        self
    }

    /// Sets whether clients reach this server by TLS: see [`Self::secure`](field@Self::secure).
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = Some(secure);
        self
    }

    /// Holds a request against RFC 6455 §4.2.1.
    ///
    /// # Errors
    ///
    /// The answer that refuses it: 405 with `Allow`, 426 with `Upgrade` and `Sec-WebSocket-Version`, 403 for
    /// a foreign origin, 400 for all else, which includes a body (501 if its coding is not even known); each
    /// says why in its body.
    pub fn check<T>(&self, request: &Request<T>) -> Result<Upgrade, Refusal> {
        let headers = request.headers();
        // RFC 6455 §4.2.1 item 1: an HTTP/1.1 or higher GET request
        if request.version() < Version::HTTP_11 {
            return Err(Refusal::bad_request("a WebSocket needs HTTP/1.1"));
        }
        if request.method() != Method::GET {
            let refusal = Refusal::method_not_allowed(Method::GET);
            return Err(if request.method() == Method::HEAD { refusal.without_content() } else { refusal });
        }
        // RFC 6455 §4.2.1 item 2
        let host = host(request)?;
        if host.is_empty() {
            return Err(Refusal::bad_request("empty Host"));
        }
        // RFC 6455 §4.2.1 items 3 and 4
        if !has_token(headers, &UPGRADE, "websocket") {
            return Err(Refusal::upgrade_required());
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(Refusal::bad_request("Connection does not list Upgrade"));
        }
        no_body(request)?;
        // RFC 9112 §3.2.2: the authority of an absolute target replaces Host
        let authority = request.uri().authority().map_or(host, |authority| authority.as_str());
        let offer = Offer::check(headers, authority, self).map_err(|refusal| {
            let is_426 = refusal.status() == StatusCode::UPGRADE_REQUIRED;
            if is_426 { refusal.offering_upgrade() } else { refusal }
        })?;
        // RFC 6455 §4.2.1 item 5
        let key = single(headers, &SEC_WEBSOCKET_KEY)?;
        if !is_valid_key(key.as_bytes()) {
            return Err(Refusal::bad_request("Sec-WebSocket-Key is not base64 of 16 bytes"));
        }
        Ok(Upgrade { offer, is_connect: false, accept: Some(accept_key(key.as_bytes())) })
    }

    /// Holds an extended CONNECT of HTTP/2 with this `:protocol` against RFC 8441 §5. Its target is as HTTP/2 has
    /// it: with scheme, authority and path.
    ///
    /// # Errors
    ///
    /// The answer that refuses it: 405 for another method, 501 for another protocol, 403 for a foreign origin, 400
    /// for all else.
    pub fn check_connect<T>(&self, request: &Request<T>, protocol: &str) -> Result<Upgrade, Refusal> {
        let headers = request.headers();
        if request.method() != Method::CONNECT {
            return Err(Refusal::method_not_allowed(Method::CONNECT));
        }
        // RFC 8441 §4, RFC 9110 §7.8: a name of the registry of upgrade tokens, in any case
        if !protocol.eq_ignore_ascii_case("websocket") {
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "only WebSocket is spoken here"));
        }
        let authority = request.uri().authority().map_or("", |authority| authority.as_str());
        if HostPort::parse(authority).is_none() {
            return Err(Refusal::bad_request("invalid :authority"));
        }
        let offer = Offer::check(headers, authority, self).map_err(|refusal| {
            // RFC 9113 §8.6: HTTP/2 has no upgrade that a 426 could ask for
            let is_426 = refusal.status() == StatusCode::UPGRADE_REQUIRED;
            if is_426 { refusal.with_status(StatusCode::BAD_REQUEST) } else { refusal }
        })?;
        // RFC 8441 §5: neither key nor accept are used; but some clients send a key, and fail without its answer
        let key = only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_valid_key(key.as_bytes()));
        Ok(Upgrade { offer, is_connect: true, accept: key.map(|key| accept_key(key.as_bytes())) })
    }
}

/// A request for a WebSocket that is in order: the server may now accept it, or refuse it for its own
/// reasons.
#[derive(Debug, Clone)]
pub struct Upgrade {
    offer: Offer,
    /// Whether it came over HTTP/2.
    is_connect: bool,
    accept: Option<HeaderValue>,
}

impl Upgrade {
    /// What the client offers.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// The subprotocols that the client offers, the most preferred first.
    pub fn subprotocols(&self) -> &[String] {
        self.offer.subprotocols()
    }

    /// The extensions that the client offers, the most preferred first.
    pub fn offers(&self) -> &[ExtensionOffer] {
        self.offer.extensions()
    }

    /// The client's most preferred subprotocol among those supported: see [`Offer::choose`].
    pub fn choose(&self, supported: &[impl AsRef<str>]) -> Option<&str> {
        self.offer.choose(supported)
    }

    /// The answer, 101 or over HTTP/2 200, with `headers` added to it, and what it settles.
    ///
    /// # Errors
    ///
    /// All are the caller's: a subprotocol that was not offered, or a header that the handshake decides on.
    pub fn accept(
        &self,
        subprotocol: Option<&str>,
        extensions: &[Arc<dyn Extension>],
        headers: HeaderMap,
    ) -> Result<(Response<()>, Agreed), HandshakeError> {
        if let Some(name) = headers.keys().find(|name| is_reserved(name)) {
            return Err(HandshakeError::ReservedHeader(name.clone()));
        }
        let agreed = self.offer.agree(subprotocol, extensions)?;
        let mut response = Response::new(());
        // RFC 6455 §4.2.2 item 5; RFC 8441 §5 for what HTTP/2 does without
        if !self.is_connect {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        let answer = response.headers_mut();
        if let Some(accept) = &self.accept {
            answer.insert(SEC_WEBSOCKET_ACCEPT, accept.clone());
        }
        agreed.write_headers(answer)?;
        for (name, value) in &headers {
            append(answer, name.clone(), value.clone())?;
        }
        Ok((response, agreed))
    }
}

/// What follows an upgrade are frames: a body would be taken for them by one reader and not by another.
fn no_body<T>(request: &Request<T>) -> Result<(), Refusal> {
    match BodyLength::of_request(request) {
        Ok(BodyLength::None) => Ok(()),
        Ok(_) => Err(Refusal::bad_request("an upgrade with a body").closing()),
        Err(error) => {
            Err(error.refusal().unwrap_or_else(|| Refusal::bad_request(error.to_string()).closing()))
        }
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a HeaderValue, Refusal> {
    only(headers, name).ok_or_else(|| {
        Refusal::bad_request(match headers.contains_key(name) {
            true => format!("several {name}"),
            false => format!("{name} missing"),
        })
    })
}

/// The header's value, if it has one alone.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}
