//! What a client offers, apart from how HTTP/1.1 or HTTP/2 carries it.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION};
use http::{HeaderMap, StatusCode};

use super::{Agreed, HandshakeError, Refusal, ServerHandshake, VERSION, is_token, tokens};
use crate::extension::{self, Extension, ExtensionOffer, server_negotiate};

/// A client's offer: the subprotocols and the extensions that it would like, in its order of preference.
///
/// This is the part of the server's side that HTTP/1.1 and HTTP/2 share (RFC 8441 §5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    subprotocols: Vec<String>,
    extensions: Vec<ExtensionOffer>,
}

impl Offer {
    /// Holds version, origin, subprotocols and extensions of a request against RFC 6455 §4.2.1 and a server's
    /// configuration. `authority` is what the request says this server is: `:authority`, or `Host`.
    ///
    /// # Errors
    ///
    /// The answer that refuses the request: 426 with `Sec-WebSocket-Version`, 403 or 400.
    pub fn check(headers: &HeaderMap, authority: &str, config: &ServerHandshake) -> Result<Self, Refusal> {
        let mut versions = headers.get_all(SEC_WEBSOCKET_VERSION).into_iter();
        // RFC 6455 §4.2.1 item 6
        if versions.next().is_none_or(|version| version.as_bytes().trim_ascii() != VERSION.as_bytes()) {
            return Err(Refusal::wrong_version());
        }
        // RFC 6455 §11.3.5: MUST NOT appear more than once in a request
        if versions.next().is_some() {
            return Err(Refusal::bad_request("several Sec-WebSocket-Version"));
        }
        // RFC 6455 §4.2.2 item 4
        if !config.origin.accepts_over(config.secure, headers, authority) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "origin not allowed"));
        }
        Self::from_headers(headers).map_err(|error| Refusal::bad_request(error.to_string()))
    }

    /// Reads `Sec-WebSocket-Protocol` and `Sec-WebSocket-Extensions`, each on any number of lines.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MalformedSubprotocols`] and [`HandshakeError::MalformedExtensions`] for what is not
    /// of the grammar. A subprotocol that is listed twice is malformed, too.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, HandshakeError> {
        Ok(Self { subprotocols: subprotocols(headers)?, extensions: extension::from_headers(headers)? })
    }

    /// The subprotocols, the most preferred first.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The extensions, the most preferred first.
    pub fn extensions(&self) -> &[ExtensionOffer] {
        &self.extensions
    }

    /// The client's most preferred subprotocol among those that the server supports, in whatever order those
    /// are.
    ///
    /// `None` when they have none in common: accept without a subprotocol then, or refuse.
    pub fn choose(&self, supported: &[impl AsRef<str>]) -> Option<&str> {
        let is_supported = |offered: &&str| supported.iter().any(|name| name.as_ref() == *offered);
        self.subprotocols.iter().map(String::as_str).find(is_supported)
    }

    /// Settles the connection: this subprotocol, and what these extensions answer to the offer.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::SubprotocolNotOffered`] when the client did not offer it (RFC 6455 §4.2.2 item 4).
    pub fn agree(
        &self,
        subprotocol: Option<&str>,
        extensions: &[Arc<dyn Extension>],
    ) -> Result<Agreed, HandshakeError> {
        // RFC 6455 §4.2.2 item 4: the value MUST be derived from the client's handshake
        if let Some(name) =
            subprotocol.filter(|name| !self.subprotocols.iter().any(|offered| offered == name))
        {
            return Err(HandshakeError::SubprotocolNotOffered(name.to_owned()));
        }
        let (answers, reserved_bits) = server_negotiate(extensions, &self.extensions);
        Ok(Agreed { subprotocol: subprotocol.map(str::to_owned), extensions: answers, reserved_bits })
    }
}

fn subprotocols(headers: &HeaderMap) -> Result<Vec<String>, HandshakeError> {
    let malformed = HandshakeError::MalformedSubprotocols;
    let mut seen = BTreeSet::new();
    let mut list = Vec::new();
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(list);
    }
    for element in tokens(headers, &SEC_WEBSOCKET_PROTOCOL) {
        // RFC 6455 §4.1 item 10: tokens, which MUST all be unique
        let name = std::str::from_utf8(element).ok().filter(|name| is_token(name.as_bytes()));
        let name = name.ok_or(malformed("not a token"))?;
        if !seen.insert(name) {
            return Err(malformed("listed twice"));
        }
        list.push(name.to_owned());
    }
    if list.is_empty() {
        return Err(malformed("no subprotocol listed"));
    }
    Ok(list)
}
