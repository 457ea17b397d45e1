//! Extensions of the WebSocket protocol and their negotiation (RFC 6455 §9).
//!
//! An [`Extension`] says what a client offers and how a server answers. [`server_negotiate`] and
//! [`client_confirm`] settle which extensions a connection uses, and [`ReservedBits`] keep two of them from
//! claiming the same bit. What an extension then does to frames is not decided here.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use sheave_deflate::DeflateConfig;
pub use sheave_deflate::ExtensionOffer;

use crate::config::{Config, NoMasking};
use crate::handshake::HandshakeError;

/// An extension as the opening handshake sees it.
///
/// Both sides register the same value; it is asked for offers on a client and for answers on a server.
pub trait Extension: Send + Sync {
    /// The registered name, such as `permessage-deflate`.
    fn name(&self) -> &str;

    /// What a client offers, the most preferred first. With no offers the extension is not used.
    fn offers(&self) -> Vec<ExtensionOffer>;

    /// A server's answer to an offer of this name, or `None` to decline it (the next one is tried).
    fn answer(&self, offer: &ExtensionOffer) -> Option<ExtensionOffer>;

    /// Whether a client can keep to a server's answer. If not, the connection fails.
    fn confirm(&self, answer: &ExtensionOffer) -> bool;

    /// The reserved bits that the extension gives a meaning to when in use.
    fn reserved_bits(&self) -> ReservedBits;
}

/// A set of the bits RSV1, RSV2 and RSV3 of a frame's header (RFC 6455 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ReservedBits(u8);

impl ReservedBits {
    /// No bit.
    pub const NONE: Self = Self(0);
    /// The first, which permessage-deflate uses.
    pub const RSV1: Self = Self(0x40);
    /// The second.
    pub const RSV2: Self = Self(0x20);
    /// The third.
    pub const RSV3: Self = Self(0x10);

    /// The bits where they stand in the first byte of a frame.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Those of a frame's first byte.
    pub const fn of_first_byte(byte: u8) -> Self {
        Self(byte & 0x70)
    }

    /// Whether all of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` are in this set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for ReservedBits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for ReservedBits {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for ReservedBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Self::RSV1, "RSV1"), (Self::RSV2, "RSV2"), (Self::RSV3, "RSV3")];
        let set = names.into_iter().filter(|(bit, _)| self.contains(*bit));
        let mut debug = f.debug_set();
        for (_, name) in set {
            debug.entry(&format_args!("{name}"));
        }
        debug.finish()
    }
}

/// permessage-deflate (RFC 7692).
impl Extension for DeflateConfig {
    fn name(&self) -> &str {
        sheave_deflate::NAME
    }

    fn offers(&self) -> Vec<ExtensionOffer> {
        vec![self.offer()]
    }

    fn answer(&self, offer: &ExtensionOffer) -> Option<ExtensionOffer> {
        self.answer(offer).map(|(answer, _)| answer)
    }

    fn confirm(&self, answer: &ExtensionOffer) -> bool {
        self.confirm(answer).is_some()
    }

    fn reserved_bits(&self) -> ReservedBits {
        ReservedBits::RSV1
    }
}

/// `no-masking` (draft-damjanovic-websockets-nomasking): it has no parameters.
struct NoMaskingExtension;

/// Its name.
pub(crate) const NO_MASKING: &str = "no-masking";

impl Extension for NoMaskingExtension {
    fn name(&self) -> &str {
        NO_MASKING
    }

    fn offers(&self) -> Vec<ExtensionOffer> {
        vec![ExtensionOffer::new(NO_MASKING)]
    }

    fn answer(&self, offer: &ExtensionOffer) -> Option<ExtensionOffer> {
        offer.parameters().is_empty().then(|| offer.clone())
    }

    fn confirm(&self, answer: &ExtensionOffer) -> bool {
        answer.parameters().is_empty()
    }

    fn reserved_bits(&self) -> ReservedBits {
        ReservedBits::NONE
    }
}

impl Config {
    /// The extensions to negotiate, on a transport that is encrypted or not.
    pub fn extensions(&self, encrypted: bool) -> Vec<Arc<dyn Extension>> {
        let mut extensions: Vec<Arc<dyn Extension>> = Vec::new();
        if let Some(deflate) = &self.deflate {
            extensions.push(Arc::new(deflate.clone()));
        }
        if self.no_masking == NoMasking::Always || encrypted && self.no_masking == NoMasking::Encrypted {
            extensions.push(Arc::new(NoMaskingExtension));
        }
        extensions
    }
}

/// Reads all lines of `Sec-WebSocket-Extensions`, in order. Without the header there are none.
///
/// # Errors
/// [`HandshakeError::MalformedExtensions`], see [`ExtensionOffer::parse`].
pub fn from_headers(headers: &HeaderMap) -> Result<Vec<ExtensionOffer>, HandshakeError> {
    let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).into_iter().map(|line| line.as_bytes());
    ExtensionOffer::parse(lines).map_err(|error| HandshakeError::MalformedExtensions(error.reason()))
}

/// A server's answers to a client's offers, in the client's order of preference, and the reserved bits that
/// have a meaning from now on.
///
/// Each extension is used once, with the first of its offers that it accepts. Declined without a word: offers
/// of unknown extensions, further offers of an extension in use, and those whose reserved bits are taken.
pub fn server_negotiate(
    extensions: &[Arc<dyn Extension>],
    offers: &[ExtensionOffer],
) -> (Vec<ExtensionOffer>, ReservedBits) {
    let mut answers: Vec<ExtensionOffer> = Vec::new();
    let mut claimed = ReservedBits::NONE;
    for offer in offers {
        if answers.iter().any(|answer| answer.name() == offer.name()) {
            continue;
        }
        let found = extensions
            .iter()
            .filter(|extension| extension.name() == offer.name())
            .filter(|extension| !claimed.intersects(extension.reserved_bits()))
            // RFC 6455 §4.2.2 item 4: extensions not listed by the client MUST NOT be listed
            .find_map(|extension| {
                let answer = extension.answer(offer).filter(|answer| answer.name() == offer.name())?;
                Some((answer, extension.reserved_bits()))
            });
        if let Some((answer, bits)) = found {
            claimed |= bits;
            answers.push(answer);
        }
    }
    (answers, claimed)
}

/// Holds a server's answers against what a client offered.
///
/// Returns the reserved bits that have a meaning from now on.
///
/// # Errors
///
/// [`HandshakeError::UnexpectedExtension`] for an answer that was not offered, for a second one of the same
/// name, for one that [`Extension::confirm`] refuses, and for two extensions with a bit in common.
pub fn client_confirm(
    extensions: &[Arc<dyn Extension>],
    answers: &[ExtensionOffer],
) -> Result<ReservedBits, HandshakeError> {
    let mut claimed = ReservedBits::NONE;
    for (index, answer) in answers.iter().enumerate() {
        let unexpected = || HandshakeError::UnexpectedExtension(answer.name().to_owned());
        if answers[..index].iter().any(|earlier| earlier.name() == answer.name()) {
            return Err(unexpected());
        }
        // RFC 6455 §4.1: an extension that was not present in the client's handshake fails the connection
        let extension = extensions
            .iter()
            .filter(|extension| extension.name() == answer.name() && !extension.offers().is_empty())
            .find(|extension| extension.confirm(answer))
            .ok_or_else(unexpected)?;
        if claimed.intersects(extension.reserved_bits()) {
            return Err(unexpected());
        }
        claimed |= extension.reserved_bits();
    }
    Ok(claimed)
}
