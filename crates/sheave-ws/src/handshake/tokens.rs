//! Tokens and comma-separated lists of them (RFC 9110 §5.6).

use http::{HeaderMap, HeaderName};

/// Whether `bytes` are a token (RFC 9110 §5.6.2): one or more letters, digits or marks that separate nothing.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// The elements of every line of the header `name`, in order, without the whitespace around them.
///
/// Empty elements are left out (RFC 9110 §5.6.1.2). Nothing is unquoted: this is for lists whose elements
/// cannot be quoted strings, such as `Connection` and `Upgrade`.
pub fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Whether `token` is an element of the header `name`, in any case and on any of its lines.
pub fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
