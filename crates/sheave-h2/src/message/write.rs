use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::{PathAndQuery, Uri};
use http::{Method, request, response};
use sheave_hpack::Field;

use super::{Protocol, is_connection_specific};
use crate::error::Usage;

/// Whether a request can be said in HTTP/2 (RFC 9113 §8.3.1). Its URI gets the path that is said then.
pub(crate) fn check_request(parts: &mut request::Parts) -> Result<(), Usage> {
    set_path(parts)?;
    let protocol = parts.extensions.get::<Protocol>();
    let is_connect = parts.method == Method::CONNECT;
    let is_plain_connect = is_connect && protocol.is_none();
    let authority = parts.uri.authority();
    let why = if authority.is_none_or(|authority| authority.host().is_empty()) {
        "a URI without a host"
    } else if protocol.is_some() && !is_connect {
        "a protocol without CONNECT"
    } else if protocol.is_some_and(|protocol| !protocol.is_token()) {
        "a protocol that is no token"
    } else if is_plain_connect && parts.uri.port_u16().is_none() {
        // RFC 9110 §9.3.6
        "a CONNECT without a port"
    } else if !is_plain_connect && parts.uri.scheme().is_none() {
        "a URI without a scheme"
    } else {
        return check_fields(&parts.headers);
    };
    Err(Usage::Malformed(why))
}

/// RFC 9113 §8.3.1: never empty. `*` is for OPTIONS alone, and for who says so: a [`Uri`] without a path has a slash.
fn set_path(parts: &mut request::Parts) -> Result<(), Usage> {
    let Some(path) = parts.uri.path_and_query() else { return Ok(()) };
    let path = match path.as_str() {
        "*" if parts.method != Method::OPTIONS => return Err(Usage::Malformed("a path of *")),
        "*" => return Ok(()),
        path if path.starts_with('/') => return Ok(()),
        path => PathAndQuery::try_from(format!("/{path}")),
    };
    let path = path.map_err(|_| Usage::Malformed("a path that is none"))?;
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = Some(path);
    parts.uri = Uri::from_parts(uri).map_err(|_| Usage::Malformed("a URI that is none"))?;
    Ok(())
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
    let mut has_te = false;
    for name in headers.keys() {
        if is_connection_specific(name.as_str()) {
            return Err(Usage::Malformed("a connection-specific field"));
        }
        has_te |= *name == TE;
    }
    let is_trailers = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"trailers");
    if has_te && !headers.get_all(TE).iter().all(is_trailers) {
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
    // RFC 9113 §8.3.1: never empty.
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = Some(path).filter(|_| !is_plain_connect);
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
        // RFC 9110 §5.5: white space around a value is no part of it; RFC 9113 §8.2.1: and must not be sent.
        value: value.as_bytes().trim_ascii(),
        sensitive: value.is_sensitive(),
    })
}
