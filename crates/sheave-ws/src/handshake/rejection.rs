//! A server's answer to a client, other than the WebSocket that it asked for.

use std::fmt;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, Response, StatusCode};

/// The answer of a server that did not open the WebSocket: status, headers and the start of the body.
///
/// Redirects and authentication are the caller's to act on (RFC 6455 §4.1); nothing is followed here.
#[derive(Debug, Clone)]
pub struct Rejection {
    response: Box<Response<Bytes>>,
    truncated: bool,
}

impl Rejection {
    /// The most of a body that is kept, in bytes.
    pub const MAX_BODY: usize = 64 * 1024;

    /// A rejection with as much of its body as [`Self::MAX_BODY`] lets through; `truncated` if it is known
    /// that more was to come.
    pub fn new(response: Response<Bytes>, truncated: bool) -> Self {
        let too_long = response.body().len() > Self::MAX_BODY;
        let response = response.map(|body| if too_long { body.slice(..Self::MAX_BODY) } else { body });
        Self { response: Box::new(response), truncated: truncated || too_long }
    }

    /// The status, which is never 101.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The body, at most [`Self::MAX_BODY`] of it.
    pub fn body(&self) -> &Bytes {
        self.response.body()
    }

    /// Whether the body was longer than what is kept of it, or broke off.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Where a redirect (301, 302, 303, 307, 308) leads: its `Location` as sent, perhaps a relative reference.
    pub fn location(&self) -> Option<&str> {
        // RFC 9110 §15.4: 300 leaves the choice to the user, 304 and 305 send nobody elsewhere
        if !matches!(self.status().as_u16(), 301..=303 | 307 | 308) {
            return None;
        }
        self.headers().get(LOCATION)?.to_str().ok()
    }

    /// The answer.
    pub fn response(&self) -> &Response<Bytes> {
        &self.response
    }

    /// The answer, by value.
    pub fn into_response(self) -> Response<Bytes> {
        *self.response
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status())
    }
}

impl std::error::Error for Rejection {}
