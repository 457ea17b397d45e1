//! HTTP messages as field sections (RFC 9113 §8).

mod read;
mod write;

pub(crate) use self::read::{Malformed, Read, content_length, read_request, read_response, read_trailers};
pub(crate) use self::write::{
    check_request, check_response, check_trailers, request_fields, response_fields, trailer_fields,
};

use std::fmt;

/// What an extended CONNECT is for: its `:protocol` (RFC 8441 §4). It is among the
/// [extensions](http::Request::extensions) of a request that is to be sent, and of one that `io::server::Connection::accept`
/// gives.
#[derive(Clone, PartialEq, Eq)]
pub struct Protocol(Name);

#[derive(Clone, PartialEq, Eq)]
enum Name {
    /// That of almost all requests, which need no memory for it.
    WebSocket,
    /// No other is the same.
    Other(Box<str>),
}

const WEBSOCKET: &str = "websocket";

impl Protocol {
    /// Of RFC 6455 over HTTP/2.
    pub fn websocket() -> Self {
        Self(Name::WebSocket)
    }

    /// The protocol of this name, as in the registry of upgrade tokens. A request with one that is no such token cannot
    /// be made.
    pub fn new(name: &str) -> Self {
        Self(if name == WEBSOCKET { Name::WebSocket } else { Name::Other(name.into()) })
    }

    fn read(name: &[u8]) -> Option<Self> {
        std::str::from_utf8(name).ok().map(Self::new).filter(Self::is_token)
    }

    /// RFC 9110 §7.8: one or two tokens with a slash between them.
    fn is_token(&self) -> bool {
        let is_token = |part: &str| http::HeaderName::from_bytes(part.as_bytes()).is_ok();
        match &self.0 {
            Name::WebSocket => true,
            Name::Other(name) => match name.split_once('/') {
                Some((name, version)) => is_token(name) && is_token(version),
                None => is_token(name),
            },
        }
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::WebSocket => WEBSOCKET,
            Name::Other(name) => name,
        }
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Whether a field speaks of one connection of HTTP/1.1 (RFC 9113 §8.2.2): it has no place in HTTP/2.
fn is_connection_specific(name: &str) -> bool {
    matches!(name, "connection" | "proxy-connection" | "keep-alive" | "transfer-encoding" | "upgrade")
}
