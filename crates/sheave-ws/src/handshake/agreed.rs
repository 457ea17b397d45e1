//! What the opening handshake settled.

use std::sync::Arc;

use http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderValue};

use sheave_deflate::{Agreement, Compressor, Decompressor};

use super::HandshakeError;
use crate::config::{Config, Role};
use crate::extension::{self, Extension, ExtensionOffer, ReservedBits, client_confirm};
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;

/// The subprotocol and the extensions that both sides will use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Agreed {
    /// The subprotocol, if the server chose one.
    pub subprotocol: Option<String>,
    /// The server's answers; operations apply in this order (RFC 6455 §9.1).
    pub extensions: Vec<ExtensionOffer>,
    /// The reserved bits that these extensions give a meaning to.
    pub reserved_bits: ReservedBits,
}

impl Agreed {
    /// What a server's answer settles for a client that offered these subprotocols and extensions.
    ///
    /// Shared by HTTP/1.1 and HTTP/2 (RFC 8441 §5).
    pub(super) fn confirm(
        subprotocols: &[String],
        extensions: &[Arc<dyn Extension>],
        answer: &HeaderMap,
    ) -> Result<Self, HandshakeError> {
        let subprotocol = confirm_subprotocol(subprotocols, answer)?;
        let answers = extension::from_headers(answer)?;
        let reserved_bits = client_confirm(extensions, &answers)?;
        Ok(Self { subprotocol, extensions: answers, reserved_bits })
    }

    /// permessage-deflate, if it was agreed on (RFC 7692).
    pub fn deflate(&self) -> Option<Agreement> {
        self.extensions.iter().find_map(Agreement::of_answer)
    }

    /// Whether a client need not mask.
    pub fn no_masking(&self) -> bool {
        self.extensions.iter().any(|answer| answer.name() == extension::NO_MASKING)
    }

    /// Has a connection's halves do what was agreed on.
    pub(crate) fn apply(&self, config: &Config, incoming: &mut Incoming, outgoing: &mut Outgoing) {
        if let (Some(agreement), Some(deflate)) = (self.deflate(), &config.deflate) {
            let (ours, theirs) = match outgoing.role() {
                Role::Client => (agreement.client, agreement.server),
                Role::Server => (agreement.server, agreement.client),
            };
            incoming.set_decompressor(Decompressor::new(deflate, theirs));
            outgoing.set_compressor(Compressor::new(deflate, ours), deflate.get_threshold());
        }
        if self.no_masking() {
            incoming.set_no_masking();
            outgoing.set_no_masking();
        }
    }

    /// Adds `Sec-WebSocket-Protocol` and `Sec-WebSocket-Extensions` of a server's answer, where there is
    /// something to say.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidExtension`] when an extension answered with something that is no token.
    pub fn write_headers(&self, headers: &mut HeaderMap) -> Result<(), HandshakeError> {
        // RFC 6455 §4.2.2 item 4: with no subprotocol, the server MUST NOT send back the header
        if let Some(name) = &self.subprotocol {
            let value =
                HeaderValue::from_str(name).map_err(|_| HandshakeError::InvalidSubprotocol(name.clone()))?;
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        if let Some(value) = list_extensions(&self.extensions)? {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        Ok(())
    }
}

/// The value of `Sec-WebSocket-Extensions`, if it has one.
pub(super) fn list_extensions(list: &[ExtensionOffer]) -> Result<Option<HeaderValue>, HandshakeError> {
    if list.is_empty() {
        return Ok(None);
    }
    if let Some(bad) = list.iter().find(|extension| !extension.is_well_formed()) {
        return Err(HandshakeError::InvalidExtension(bad.name().to_owned()));
    }
    let text = list.iter().map(ExtensionOffer::to_string).collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(text).map(Some).map_err(|_| HandshakeError::InvalidHeader(SEC_WEBSOCKET_EXTENSIONS))
}

fn confirm_subprotocol(offered: &[String], answer: &HeaderMap) -> Result<Option<String>, HandshakeError> {
    let mut chosen = answer.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    let Some(first) = chosen.next() else { return Ok(None) };
    let name = String::from_utf8_lossy(first.as_bytes()).into_owned();
    // RFC 6455 §4.1: a subprotocol that was not present in the client's handshake fails the connection;
    // §11.3.4: and the header MUST NOT appear more than once
    if chosen.next().is_some() || !offered.contains(&name) {
        return Err(HandshakeError::UnexpectedSubprotocol(name));
    }
    Ok(Some(name))
}
