//! The opening handshake (RFC 6455 §4) as values: bytes in, decisions and bytes out.
//!
//! # Server
//!
//! 1. [`HeadReader::read_request`] takes a request's head out of the bytes received; an error knows its
//!    answer ([`HandshakeError::refusal`]).
//! 2. [`host`] holds its `Host` against RFC 9112 §3.2. [`is_upgrade`] tells a WebSocket from an ordinary
//!    request, whose body is read with [`BodyLength::of_request`] and [`BodyReader`].
//! 3. [`ServerHandshake::check`] holds the request against RFC 6455 §4.2.1: an [`Upgrade`], or a [`Refusal`]
//!    that is the whole answer.
//! 4. [`Upgrade::choose`] picks a subprotocol and [`Upgrade::accept`] makes the 101 answer and what was
//!    [`Agreed`]; [`encode_response`] writes it. What is left of the input belongs to the WebSocket.
//!
//! # Client
//!
//! 1. A [`ClientRequest`] from a URI, with headers and subprotocols.
//! 2. [`ClientRequest::encode`] writes it and gives a [`ClientHandshake`] that awaits the answer.
//! 3. [`ClientHandshake::read`] until it yields a [`ClientOutcome`]: accepted, or a typed [`Rejection`].
//!
//! # Both, without a socket
//!
//! ```
//! use bytes::BytesMut;
//! use sheave_ws::handshake::*;
//!
//! let request: ClientRequest = "ws://example.org/chat".parse()?;
//! let request = request.subprotocol("v2.chat")?.subprotocol("v1.chat")?;
//! let mut to_server = BytesMut::new();
//! let mut client = request.encode([7; 16], &[], &mut to_server)?; // 16 random bytes, in earnest
//!
//! let mut reader = HeadReader::new(HeadLimits::default());
//! let head = reader.read_request(&mut to_server)?.expect("the whole head");
//! let upgrade = ServerHandshake::default().check(&head).expect("in order");
//! let subprotocol = upgrade.choose(&["v1.chat"]);
//! let (response, agreed) = upgrade.accept(subprotocol, &[], http::HeaderMap::new())?;
//! let mut to_client = BytesMut::new();
//! encode_response(&response, &mut to_client);
//!
//! match client.read(&mut to_client)? {
//!     Some(ClientOutcome::Accepted { agreed: same, .. }) => assert_eq!(same, agreed),
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), HandshakeError>(())
//! ```
//!
//! # HTTP/2
//!
//! RFC 8441 needs no head of HTTP/1.1: on a server, [`ServerHandshake::check_connect`] in the place of
//! [`ServerHandshake::check`]; on a client, [`ClientRequest::connect`] for the request, and
//! [`ClientRequest::confirm`] for the headers of a 2xx.

mod agreed;
mod authority;
mod body;
mod chunked;
mod client;
mod confirm;
mod encode;
mod error;
mod head;
mod key;
mod offer;
mod origin;
mod refusal;
mod rejection;
mod server;
mod tokens;

pub use agreed::Agreed;
pub use body::{BodyLength, BodyPiece, BodyReader};
pub use chunked::ChunkedDecoder;
pub use client::ClientRequest;
pub use confirm::{ClientHandshake, ClientOutcome};
pub use encode::{encode_request, encode_response};
pub use error::HandshakeError;
pub use head::{HeadLimits, HeadReader};
pub use key::{accept_key, encode_key, is_valid_key};
pub use offer::Offer;
pub use origin::OriginPolicy;
pub use refusal::Refusal;
pub use rejection::Rejection;
pub use server::{ServerHandshake, Upgrade, host, is_upgrade};
pub use tokens::{has_token, is_token, tokens};

/// The version of the WebSocket protocol that this crate speaks (RFC 6455 §4.1).
pub const VERSION: &str = "13";

/// Keeps the values of headers that hold credentials out of `Debug`, and out of HPACK's tables.
fn hide_credentials(name: &http::HeaderName, value: &mut http::HeaderValue) {
    use http::header;
    if [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, header::SET_COOKIE].contains(name)
    {
        value.set_sensitive(true);
    }
}

/// A header that the handshake itself writes, that would change how its head is framed, or that speaks of
/// this connection alone (RFC 9110 §7.6.1).
fn is_reserved(name: &http::HeaderName) -> bool {
    use http::header;
    *name == header::CONNECTION
        || *name == header::UPGRADE
        || *name == header::CONTENT_LENGTH
        || *name == header::TRANSFER_ENCODING
        || *name == header::TRAILER
        || *name == header::EXPECT
        || *name == header::TE
        || ["keep-alive", "proxy-connection", "http2-settings"].contains(&name.as_str())
        || name.as_str().starts_with("sec-websocket-")
}
