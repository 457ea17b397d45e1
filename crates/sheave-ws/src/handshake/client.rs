//! The client's request (RFC 6455 §4.1).

use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::agreed::list_extensions;
use super::authority::{HostPort, default_port};
use super::encode::append;
use super::{
    Agreed, ClientHandshake, HandshakeError, HeadLimits, VERSION, encode_key, encode_request,
    hide_credentials, is_reserved, is_token,
};
use crate::extension::{Extension, ExtensionOffer};

/// A request for a WebSocket, to be sent as often as it takes.
///
/// It can be parsed from a URI, as in `"wss://example.org/chat".parse()`, where a fragment is refused; a
/// [`Uri`] has lost its own.
#[derive(Debug, Clone)]
pub struct ClientRequest {
    /// Without userinfo.
    uri: Uri,
    host: String,
    port: u16,
    secure: bool,
    host_header: HeaderValue,
    headers: HeaderMap,
    subprotocols: Vec<String>,
    limits: HeadLimits,
}

impl ClientRequest {
    /// A request for the WebSocket at `uri`: `ws`, `wss`, or `http` and `https`, which mean the same.
    ///
    /// Userinfo (`wss://user:password@host`) becomes `Authorization: Basic`, as browsers and most clients
    /// have it, unless the caller sets that header. The host is as in DNS: internationalized names in their
    /// ASCII form.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidUri`] for another scheme, for a missing host and for a malformed port.
    pub fn new(uri: &Uri) -> Result<Self, HandshakeError> {
        let invalid = HandshakeError::InvalidUri;
        let scheme = uri.scheme_str().ok_or(invalid("no scheme"))?;
        // RFC 6455 §3
        let default = default_port(scheme).ok_or(invalid("scheme is not ws, wss, http or https"))?;
        let authority = uri.authority().ok_or(invalid("no host"))?.as_str();
        let (userinfo, own) = match authority.rsplit_once('@') {
            Some((userinfo, own)) => (Some(userinfo), own),
            None => (None, authority),
        };
        let parsed = HostPort::parse(own).ok_or(invalid("malformed host or port"))?;
        let port = parsed.port.unwrap_or(default);
        // RFC 6455 §4.1 item 4: a port only when not using the default
        let host_header =
            if port == default { parsed.host.to_owned() } else { format!("{}:{port}", parsed.host) };
        let mut request = Self {
            uri: without_userinfo(uri, own).ok_or(invalid("malformed"))?,
            host: parsed.host.to_owned(),
            port,
            secure: default == 443,
            host_header: HeaderValue::try_from(host_header).map_err(|_| invalid("malformed host"))?,
            headers: HeaderMap::new(),
            subprotocols: Vec::new(),
            limits: HeadLimits::default(),
        };
        if let Some(userinfo) = userinfo {
            let credentials = basic(userinfo).ok_or(invalid("malformed user or password"))?;
            request.headers.insert(AUTHORIZATION, credentials);
        }
        Ok(request)
    }

    /// Adds a header; several of one name are all sent. `Host`, `Origin` and `Authorization` replace what was
    /// there.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::ReservedHeader`] for `Connection`, `Upgrade`, any `Sec-WebSocket-*` (see
    /// [`Self::subprotocol`]), headers that announce a body (`Content-Length`, `Transfer-Encoding`, `Trailer`,
    /// `Expect`) and those of one connection (`TE`, `Keep-Alive`, `Proxy-Connection`, `HTTP2-Settings`);
    /// [`HandshakeError::InvalidHeader`] for a `Host` that is none.
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Result<Self, HandshakeError> {
        if is_reserved(&name) {
            return Err(HandshakeError::ReservedHeader(name));
        }
        hide_credentials(&name, &mut value);
        if name == HOST {
            let valid = value.to_str().is_ok_and(|host| HostPort::parse(host).is_some());
            if !valid {
                return Err(HandshakeError::InvalidHeader(name));
            }
            self.host_header = value;
        } else if name == ORIGIN || name == AUTHORIZATION {
            self.headers.insert(name, value);
        } else {
            append(&mut self.headers, name, value)?;
        }
        Ok(self)
    }

    /// Offers a subprotocol; the most preferred is to be offered first.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidSubprotocol`] when it is no token, or was offered already.
    pub fn subprotocol(mut self, name: &str) -> Result<Self, HandshakeError> {
        // RFC 6455 §4.1 item 10
        if !is_token(name.as_bytes()) || self.subprotocols.iter().any(|offered| offered == name) {
            return Err(HandshakeError::InvalidSubprotocol(name.to_owned()));
        }
        self.subprotocols.push(name.to_owned());
        Ok(self)
    }

    /// Sets `Origin`, which browsers always send and other clients seldom need.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`] when no header can have this value.
    pub fn origin(self, origin: &str) -> Result<Self, HandshakeError> {
        let value = HeaderValue::from_str(origin).map_err(|_| HandshakeError::InvalidHeader(ORIGIN))?;
        self.header(ORIGIN, value)
    }

    /// Sets the limits on the head of the server's answer.
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same request for another URI, as after a redirect. A `Host` of the caller's own goes; an
    /// `Authorization` stays, and stands above the userinfo of the URI.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and for a fragment.
    pub fn redirected(&self, uri: &str) -> Result<Self, HandshakeError> {
        let next: Self = uri.parse()?;
        let (subprotocols, limits) = (self.subprotocols.clone(), self.limits.clone());
        let mut headers = self.headers.clone();
        if !headers.contains_key(AUTHORIZATION) {
            headers.extend(next.headers);
        }
        Ok(Self { headers, subprotocols, limits, ..next })
    }

    /// Takes out a header of the caller's.
    #[must_use]
    pub fn without_header(mut self, name: &HeaderName) -> Self {
        self.headers.remove(name);
        self
    }

    /// Where the WebSocket is, without userinfo.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host to connect to; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS comes first (`wss`, `https`).
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The value of `Host`, or of `:authority` over HTTP/2.
    pub fn authority(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The headers that HTTP/1.1 and HTTP/2 have in common (RFC 8441 §5): version, subprotocols, extensions
    /// and the caller's.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidExtension`] when an extension offers what is no token.
    pub fn headers(&self, extensions: &[Arc<dyn Extension>]) -> Result<HeaderMap, HandshakeError> {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        if !self.subprotocols.is_empty() {
            let value = HeaderValue::try_from(self.subprotocols.join(", "))
                .map_err(|_| HandshakeError::InvalidHeader(SEC_WEBSOCKET_PROTOCOL))?;
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        let offers: Vec<ExtensionOffer> =
            extensions.iter().flat_map(|extension| extension.offers()).collect();
        if let Some(value) = list_extensions(&offers)? {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        for (name, value) in &self.headers {
            append(&mut headers, name.clone(), value.clone())?;
        }
        Ok(headers)
    }

    /// The request for HTTP/2, an extended CONNECT (RFC 8441 §5): to be sent with `websocket` for its `:protocol`,
    /// to a server that has announced that it takes such.
    ///
    /// A 2xx in answer opens the WebSocket if [`confirm`](Self::confirm) has nothing against it.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidExtension`] when an extension offers what is no token.
    pub fn connect(&self, extensions: &[Arc<dyn Extension>]) -> Result<Request<()>, HandshakeError> {
        let authority = self.host_header.as_bytes();
        let mut parts = self.uri.clone().into_parts();
        // RFC 8441 §5: the scheme is that of HTTP
        parts.scheme = Some(if self.secure { Scheme::HTTPS } else { Scheme::HTTP });
        let authority = Authority::try_from(authority).map_err(|_| HandshakeError::InvalidHeader(HOST))?;
        parts.authority = Some(authority);
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| HandshakeError::InvalidUri("malformed"))?;
        *request.headers_mut() = self.headers(extensions)?;
        Ok(request)
    }

    /// Holds the headers of a server's answer against this request, for HTTP/2 where there is no
    /// `Sec-WebSocket-Accept`.
    ///
    /// # Errors
    ///
    /// A subprotocol or an extension that was not offered, or a malformed header.
    pub fn confirm(
        &self,
        extensions: &[Arc<dyn Extension>],
        answer: &HeaderMap,
    ) -> Result<Agreed, HandshakeError> {
        Agreed::confirm(&self.subprotocols, extensions, answer)
    }

    /// Writes the request for HTTP/1.1 and returns what awaits the answer.
    ///
    /// `key` is 16 random bytes, new for each connection (RFC 6455 §4.1 item 7).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidExtension`] when an extension offers what is no token; nothing is written
    /// then.
    pub fn encode(
        &self,
        key: [u8; 16],
        extensions: &[Arc<dyn Extension>],
        out: &mut BytesMut,
    ) -> Result<ClientHandshake, HandshakeError> {
        let key = encode_key(key);
        let shared = self.headers(extensions)?;
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        // RFC 6455 §4.1 items 4 to 7
        headers.insert(HOST, self.host_header.clone());
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_KEY, key.clone());
        for (name, value) in &shared {
            append(headers, name.clone(), value.clone())?;
        }
        encode_request(&request, out);
        Ok(ClientHandshake::new(&key, self.subprotocols.clone(), extensions.to_vec(), self.limits.clone()))
    }
}

impl FromStr for ClientRequest {
    type Err = HandshakeError;

    fn from_str(uri: &str) -> Result<Self, HandshakeError> {
        // RFC 6455 §3: fragment identifiers MUST NOT be used
        if uri.contains('#') {
            return Err(HandshakeError::InvalidUri("fragment"));
        }
        Self::new(&uri.parse().map_err(|_| HandshakeError::InvalidUri("malformed"))?)
    }
}

fn without_userinfo(uri: &Uri, authority: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(Authority::try_from(authority).ok()?);
    Uri::from_parts(parts).ok()
}

/// `Authorization: Basic` (RFC 7617 §2) from percent-encoded userinfo.
fn basic(userinfo: &str) -> Option<HeaderValue> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let (user, password) = (percent_decode(user)?, percent_decode(password)?);
    // RFC 7617 §2: a user-id with a colon cannot be told from its password
    if user.contains(&b':') {
        return None;
    }
    let credentials = STANDARD.encode([&user[..], b":", &password[..]].concat());
    let mut value = HeaderValue::try_from(format!("Basic {credentials}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit =
                || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            digit()? << 4 | digit()?
        } else {
            byte
        });
    }
    Some(bytes)
}
