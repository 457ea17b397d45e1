//! Offers, answers, and what comes of them (RFC 7692 §5, §7.1).

use crate::config::DeflateConfig;
use crate::header::ExtensionOffer;

/// The extension's registered name.
pub const NAME: &str = "permessage-deflate";

/// What the two sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// How the client compresses.
    pub client: Direction,
    /// How the server compresses.
    pub server: Direction,
}

/// What was agreed on for one direction. The one that compresses may use less of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// How far a message refers back, at most: 2 to the power of this many bytes, from 8 to 15.
    pub window_bits: u8,
    /// Whether a message refers back to earlier ones.
    pub context_takeover: bool,
}

impl Agreement {
    /// What a server's answer settles, once the client has [confirmed](DeflateConfig::confirm) it. `None` for
    /// another extension, and for one that is not in order.
    pub fn of_answer(answer: &ExtensionOffer) -> Option<Self> {
        Parameters::read(answer).map(Parameters::agreement)
    }
}

impl DeflateConfig {
    /// What a client asks for.
    pub fn offer(&self) -> ExtensionOffer {
        let parameters = Parameters {
            server_no_context_takeover: !self.peer_context_takeover,
            client_no_context_takeover: !self.context_takeover,
            server_max_window_bits: limited(self.peer_window_bits).map(Some),
            // Always there: it tells the server that it may limit us (RFC 7692 §7.1.2.2).
            client_max_window_bits: Some(limited(self.window_bits)),
        };
        parameters.write()
    }

    /// A server's answer to an offer, and what is agreed on by it. `None` to decline: an offer of another
    /// extension, one that is not in order (RFC 7692 §7.1), or one that cannot be kept: a compressor does not
    /// do with `server_max_window_bits=8`.
    pub fn answer(&self, offer: &ExtensionOffer) -> Option<(ExtensionOffer, Agreement)> {
        let offer = Parameters::read(offer)?;
        let server_max_window_bits = match offer.server_max_window_bits {
            // In an offer this one comes with a value.
            Some(None) | Some(Some(..9)) => return None,
            Some(Some(bits)) => Some(bits.min(self.window_bits)),
            None => limited(self.window_bits),
        };
        let client_max_window_bits = match offer.client_max_window_bits {
            // 8 only for who offers just that: most compressors cannot keep to it, ours neither.
            Some(bits) => limited(bits.unwrap_or(15).min(self.peer_window_bits.max(9))),
            None => None,
        };
        // A client that cannot be limited to that can at least be told to forget.
        let unlimited = client_max_window_bits.unwrap_or(15) > self.peer_window_bits;
        let answer = Parameters {
            server_no_context_takeover: offer.server_no_context_takeover || !self.context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover
                || !self.peer_context_takeover
                || unlimited,
            server_max_window_bits: server_max_window_bits.map(Some),
            client_max_window_bits: client_max_window_bits.map(Some),
        };
        Some((answer.write(), answer.agreement()))
    }

    /// What is agreed on by a server's answer to [`offer`](Self::offer). `None` if it does not follow from
    /// that, or cannot be kept: a compressor does not do with `client_max_window_bits=8`. Then the
    /// connection has to fail (RFC 7692 §5.1).
    pub fn confirm(&self, answer: &ExtensionOffer) -> Option<Agreement> {
        let answer = Parameters::read(answer)?;
        let valued = |bits: Option<Option<u8>>| bits != Some(None);
        let agreement = answer.agreement();
        let good = valued(answer.server_max_window_bits)
            && valued(answer.client_max_window_bits)
            && (9..=self.window_bits).contains(&answer.client_max_window_bits.flatten().unwrap_or(9))
            && agreement.server.window_bits <= self.peer_window_bits
            && (self.peer_context_takeover || !agreement.server.context_takeover);
        good.then_some(agreement)
    }
}

/// `None` for the 15 that goes without saying.
fn limited(bits: u8) -> Option<u8> {
    (bits < 15).then_some(bits)
}

/// The parameters of an offer or an answer; the inner `None` is one without a value.
#[derive(Clone, Copy, Debug, Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<Option<u8>>,
    client_max_window_bits: Option<Option<u8>>,
}

impl Parameters {
    /// `None` for another extension, and for a parameter that is unknown, there twice, or has a value that it
    /// must not have (RFC 7692 §7.1).
    fn read(extension: &ExtensionOffer) -> Option<Self> {
        if extension.name() != NAME {
            return None;
        }
        let mut read = Self::default();
        for (name, value) in extension.parameters() {
            let new = match name.as_str() {
                "server_no_context_takeover" => flag(&mut read.server_no_context_takeover, value),
                "client_no_context_takeover" => flag(&mut read.client_no_context_takeover, value),
                "server_max_window_bits" => bits(&mut read.server_max_window_bits, value),
                "client_max_window_bits" => bits(&mut read.client_max_window_bits, value),
                _ => false,
            };
            if !new {
                return None;
            }
        }
        Some(read)
    }

    fn write(self) -> ExtensionOffer {
        let mut extension = ExtensionOffer::new(NAME);
        for (name, set) in [
            ("server_no_context_takeover", self.server_no_context_takeover),
            ("client_no_context_takeover", self.client_no_context_takeover),
        ] {
            if set {
                extension = extension.flag(name);
            }
        }
        for (name, bits) in [
            ("server_max_window_bits", self.server_max_window_bits),
            ("client_max_window_bits", self.client_max_window_bits),
        ] {
            extension = match bits {
                Some(Some(bits)) => extension.parameter(name, bits.to_string()),
                Some(None) => extension.flag(name),
                None => extension,
            };
        }
        extension
    }

    /// What these, as an answer, settle.
    fn agreement(self) -> Agreement {
        let direction = |bits: Option<Option<u8>>, no_context_takeover: bool| Direction {
            window_bits: bits.flatten().unwrap_or(15),
            context_takeover: !no_context_takeover,
        };
        Agreement {
            client: direction(self.client_max_window_bits, self.client_no_context_takeover),
            server: direction(self.server_max_window_bits, self.server_no_context_takeover),
        }
    }
}

/// Reads a parameter that has no value; false if it has one, or is there already.
fn flag(parameter: &mut bool, value: &Option<String>) -> bool {
    value.is_none() && !std::mem::replace(parameter, true)
}

/// Reads a parameter whose value, if any, is a number from 8 to 15; false if it is not, or is there already.
fn bits(parameter: &mut Option<Option<u8>>, value: &Option<String>) -> bool {
    let value = match value.as_deref() {
        None => Some(None),
        // RFC 7692 §7.1.2.1: without leading zeros.
        Some(value) => match value {
            "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15" => Some(value.parse().ok()),
            _ => None,
        },
    };
    let fresh = parameter.is_none();
    *parameter = value;
    fresh && value.is_some()
}
