//! Hosts and ports, as in `Host`, `:authority`, URIs and origins (RFC 3986 §3.2).

use core::net::Ipv6Addr;

/// `host [ ":" port ]`, without userinfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostPort<'a> {
    /// Never empty; an IPv6 address keeps its brackets.
    pub(super) host: &'a str,
    /// `None` also where the port is empty, as in `example.org:`.
    pub(super) port: Option<u16>,
}

impl<'a> HostPort<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let end = if text.starts_with('[') {
            let end = text.find(']')? + 1;
            let address = &text[1..end - 1];
            if address.parse::<Ipv6Addr>().is_err() && !is_future_address(address) {
                return None;
            }
            end
        } else {
            text.bytes().position(|byte| byte == b':').unwrap_or(text.len())
        };
        let (host, rest) = text.split_at(end);
        if host.is_empty() || !(host.starts_with('[') || is_name(host)) {
            return None;
        }
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some(Self { host, port })
    }
}

/// The port that a scheme stands for (RFC 6455 §3, RFC 9110 §4.2).
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    if ["ws", "http"].iter().any(|plain| scheme.eq_ignore_ascii_case(plain)) {
        Some(80)
    } else if ["wss", "https"].iter().any(|secure| scheme.eq_ignore_ascii_case(secure)) {
        Some(443)
    } else {
        None
    }
}

/// `reg-name` (RFC 3986 §3.2.2), which takes in IPv4 addresses.
fn is_name(host: &str) -> bool {
    if host.bytes().all(is_name_byte) {
        return true;
    }
    let mut parts = host.split('%');
    let is_rest = |part: &str| part.bytes().all(is_name_byte);
    // RFC 3986 §2.1: two hexadecimal digits follow every percent sign
    let is_encoded = |part: &str| {
        part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()) && is_rest(part)
    };
    parts.next().is_some_and(is_rest) && parts.all(is_encoded)
}

/// `IPvFuture` (RFC 3986 §3.2.2): `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_future_address(address: &str) -> bool {
    let rest = address.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'));
    rest.is_some_and(|(version, rest)| {
        let is_hex = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex && !rest.is_empty() && rest.bytes().all(|byte| byte == b':' || is_name_byte(byte))
    })
}

fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'&'..=b'.' | b'_' | b'~' | b'!' | b'$' | b';' | b'=')
}
