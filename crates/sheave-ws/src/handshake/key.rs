//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 §4.2.2 item 5.4).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use sha1::{Digest as _, Sha1};

/// The `Sec-WebSocket-Accept` that proves that `Sec-WebSocket-Key: key` was read: 28 characters of base64.
///
/// The key is taken as it was sent, without the whitespace around it, and is not decoded.
pub fn accept_key(key: &[u8]) -> HeaderValue {
    let mut hash = Sha1::new();
    hash.update(key.trim_ascii());
    hash.update(GUID);
    let accept = STANDARD.encode(hash.finalize());
    HeaderValue::from_str(&accept).unwrap_or(HeaderValue::from_static(""))
}

/// Whether `key` is base64 of exactly 16 bytes.
pub fn is_valid_key(key: &[u8]) -> bool {
    // RFC 6455 §4.2.1 item 5
    let mut nonce = [0; 18]; // what 24 characters of base64 can hold at most
    let key = key.trim_ascii();
    key.len() == 24 && KEY.decode_slice(key, &mut nonce) == Ok(16)
}

/// The `Sec-WebSocket-Key` that carries 16 random bytes. A new nonce is due for each connection.
pub fn encode_key(nonce: [u8; 16]) -> HeaderValue {
    let key = STANDARD.encode(nonce);
    HeaderValue::from_str(&key).unwrap_or(HeaderValue::from_static(""))
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Lets the unused bits of the last character be anything: the example key of RFC 6455 §4.1,
/// `AQIDBAUGBwgJCgsMDQ4PEC==`, has some of them set.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
