use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, TE};
use http::{Method, request, response};
use sheave_hpack::Field;

use super::{Protocol, is_connection_specific};
use crate::error::Usage;

/// Whether a request can be said in HTTP/2 (RFC 9113 §8.3.1).
pub(crate) fn check_request(parts: &request::Parts) -> Result<(), Usage> {
    let is_connect = parts.method == Method::CONNECT;
    let is_extended = parts.extensions.get::<Protocol>().is_some();
    let why = if parts.uri.authority().is_none() {
        "a URI without an authority"
    } else if is_extended && !is_connect {
        "a protocol without CONNECT"
    } else if (!is_connect || is_extended) && parts.uri.scheme().is_none() {
        "a URI without a scheme"
    } else {
        return check_fields(&parts.headers);
    };
    Err(Usage::Malformed(why))
}

/// Whether a response can be said in HTTP/2 (RFC 9113 §8.3.2).
pub(crate) fn check_response(parts: &response::Parts) -> Result<(), Usage> {
    // RFC 9113 §8.6
    if parts.status == http::StatusCode::SWITCHING_PROTOCOLS {
        return Err(Usage::Malformed("101 in HTTP/2"));
    }
    check_fields(&parts.headers)
}

/// Whether trailers can be said in HTTP/2 (RFC 9113 §8.1).
pub(crate) fn check_trailers(trailers: &HeaderMap) -> Result<(), Usage> {
    check_fields(trailers)
}

/// RFC 9113 §8.2.2
fn check_fields(headers: &HeaderMap) -> Result<(), Usage> {
    if headers.keys().any(|name| is_connection_specific(name.as_str())) {
        return Err(Usage::Malformed("a connection-specific field"));
    }
    if headers.get_all(TE).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers")) {
        return Err(Usage::Malformed("te other than trailers"));
    }
    Ok(())
}

/// The fields of a request that was checked.
pub(crate) fn request_fields(parts: &request::Parts) -> impl Iterator<Item = Field<'_>> {
    let protocol = parts.extensions.get::<Protocol>();
    let is_plain_connect = parts.method == Method::CONNECT && protocol.is_none();
    let uri = &parts.uri;
    // RFC 9113 §8.5: a CONNECT has neither.
    let scheme = uri.scheme_str().filter(|_| !is_plain_connect);
    let path = match uri.path_and_query().map(|path| path.as_str()) {
        // RFC 9113 §8.3.1
        None | Some("") if parts.method == Method::OPTIONS => Some("*"),
        None | Some("") => Some("/"),
        path => path,
    };
    let path = path.filter(|_| !is_plain_connect);
    // RFC 9113 §8.3.1: without the deprecated userinfo.
    let authority = uri.authority().map(|authority| {
        let authority = authority.as_str();
        authority.rsplit_once('@').map_or(authority, |(_, host)| host)
    });
    let pseudo = [
        (":method", Some(parts.method.as_str())),
        (":scheme", scheme),
        (":authority", authority),
        (":path", path),
        (":protocol", protocol.map(Protocol::as_str)),
    ];
    let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some(Field::new(name, value?)));
    // RFC 9113 §8.3.1: `:authority` in its place.
    pseudo.chain(fields(&parts.headers).filter(|field| field.name != HOST.as_str().as_bytes()))
}

/// The fields of a response that was checked.
pub(crate) fn response_fields(parts: &response::Parts) -> impl Iterator<Item = Field<'_>> {
    std::iter::once(Field::new(":status", parts.status.as_str())).chain(fields(&parts.headers))
}

/// The fields of trailers that were checked.
pub(crate) fn trailer_fields(trailers: &HeaderMap) -> impl Iterator<Item = Field<'_>> {
    fields(trailers)
}

fn fields(headers: &HeaderMap) -> impl Iterator<Item = Field<'_>> {
    headers.iter().map(|(name, value): (&HeaderName, &HeaderValue)| Field {
        name: name.as_str().as_bytes(),
        value: value.as_bytes(),
        sensitive: value.is_sensitive(),
    })
}
