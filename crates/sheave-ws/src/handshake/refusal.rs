//! A server's answer to a request that it does not upgrade.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

use super::{VERSION, encode_response, has_token};

/// The whole answer to a request that a server refuses: status, headers, and the reason as a plain text body.
#[derive(Debug, Clone)]
pub struct Refusal(Box<Response<Bytes>>);

impl Refusal {
    /// A refusal that tells the client why: `Content-Type: text/plain`, `Content-Length`, and the reason.
    ///
    /// A status that has no content (1xx, 204, 304) tells nothing: the reason is dropped.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        // RFC 9110 §6.4.1
        if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = status;
            return Self(Box::new(response));
        }
        let body = Bytes::from(reason.into());
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response.headers_mut().insert(CONTENT_LENGTH, length);
        Self(Box::new(response))
    }

    /// Adds a header, replacing one of the same name. `Content-Length` and `Transfer-Encoding` are left as they
    /// are: they follow from the reason.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            return self;
        }
        self.0.headers_mut().insert(name, value);
        self
    }

    /// Adds `Connection: close`: nothing more is read from this connection.
    pub fn closing(mut self) -> Self {
        if !has_token(self.0.headers(), &CONNECTION, "close") {
            self.0.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
        }
        self
    }

    /// The status: 400, 403, 405, 426, 431, 501, 505 or one of the caller's.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Why, in words for the client's developer; also the body. Empty in answer to HEAD, and for a
    /// status without content.
    pub fn reason(&self) -> &str {
        std::str::from_utf8(self.0.body()).unwrap_or_default()
    }

    /// The answer.
    pub fn response(&self) -> &Response<Bytes> {
        &self.0
    }

    /// The answer, to send it by other means (HTTP/2).
    pub fn into_response(self) -> Response<Bytes> {
        *self.0
    }

    /// Writes head and body for HTTP/1.1.
    pub fn encode(&self, out: &mut BytesMut) {
        encode_response(&self.0, out);
        out.extend_from_slice(self.0.body());
    }

    /// 405 with the method that would do.
    pub(super) fn method_not_allowed(allowed: Method) -> Self {
        let reason = format!("a WebSocket is opened with {allowed}");
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, reason);
        match HeaderValue::from_str(allowed.as_str()) {
            Ok(allowed) => refusal.header(ALLOW, allowed),
            Err(_) => refusal,
        }
    }

    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        *self.0.status_mut() = status;
        self
    }

    /// 426 with the version that would do; HTTP/1.1 adds `Upgrade` with [`Self::offering_upgrade`].
    pub(super) fn wrong_version() -> Self {
        // RFC 6455 §4.4: the versions that this server is willing to use
        Self::new(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13")
            .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION))
    }

    /// 426 for a request that asks for no WebSocket.
    pub fn upgrade_required() -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "only WebSocket is spoken here")
            .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION))
            .offering_upgrade()
    }

    /// As an answer to HEAD, whose headers speak of content that is not sent (RFC 9110 §9.3.2).
    pub(super) fn without_content(mut self) -> Self {
        *self.0.body_mut() = Bytes::new();
        self
    }

    pub(super) fn offering_upgrade(self) -> Self {
        // RFC 9110 §15.5.22: a 426 names the protocol; §7.8: and lists "upgrade" in Connection
        self.header(UPGRADE, HeaderValue::from_static("websocket"))
            .header(CONNECTION, HeaderValue::from_static("Upgrade"))
    }

    pub(super) fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}: {}", self.status(), self.reason())
    }
}

impl std::error::Error for Refusal {}
