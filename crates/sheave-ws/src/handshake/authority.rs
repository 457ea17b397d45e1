//! Hosts and ports, as in `Host`, `:authority`, URIs and origins (RFC 3986 §3.2).

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
            if address.is_empty() || !address.bytes().all(is_ip_literal_byte) {
                return None;
            }
            end
        } else {
            text.find(':').unwrap_or(text.len())
        };
        let (host, rest) = text.split_at(end);
        if host.is_empty() || !(host.starts_with('[') || host.bytes().all(is_name_byte)) {
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

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

fn is_ip_literal_byte(byte: u8) -> bool {
    byte == b':' || is_name_byte(byte)
}
