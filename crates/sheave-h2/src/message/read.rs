use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use sheave_hpack::{Field, FieldList, SharedFields};

use bytes::Bytes;

use super::{Protocol, is_connection_specific};
use crate::priority::Priority;

/// Why a message is malformed, which ends its stream (RFC 9113 §8.1.1).
pub(crate) type Malformed = &'static str;

/// The pseudo-header fields of a section, each at most once (RFC 9113 §8.3).
#[derive(Default)]
struct Pseudo<'a> {
    method: Option<&'a [u8]>,
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    protocol: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
}

/// A request that was read.
pub(crate) struct Read {
    pub(crate) request: Request<()>,
    /// What it is for, if it is an extended CONNECT.
    pub(crate) protocol: Option<Protocol>,
    /// Its `content-length`.
    pub(crate) length: Option<u64>,
    /// What its field `priority` says.
    pub(crate) priority: Option<Priority>,
}

/// A request (RFC 9113 §8.3.1).
pub(crate) fn read_request(fields: &FieldList) -> Result<Read, Malformed> {
    let fields = fields.share();
    let (pseudo, headers, seen) = read(&fields)?;
    if pseudo.status.is_some() {
        return Err(":status in a request");
    }
    let method = Method::from_bytes(pseudo.method.ok_or("no :method")?).map_err(|_| ":method is not one")?;
    let is_connect = method == Method::CONNECT;
    if pseudo.protocol.is_some() && !is_connect {
        // RFC 8441 §4
        return Err(":protocol without CONNECT");
    }
    let mut parts = http::uri::Parts::default();
    if is_connect && pseudo.protocol.is_none() {
        // RFC 9113 §8.5
        if pseudo.scheme.is_some() || pseudo.path.is_some() {
            return Err(":scheme or :path with CONNECT");
        }
        let authority = pseudo.authority.ok_or("CONNECT without :authority")?;
        let authority = read_authority(Some(fields.part(authority)), &headers, &seen, None)?;
        if authority.as_ref().and_then(Authority::port_u16).is_none() {
            // RFC 9110 §9.3.6: "There is no default port".
            return Err("CONNECT without a port");
        }
        parts.authority = authority;
    } else {
        let scheme = pseudo.scheme.ok_or("no :scheme")?;
        // RFC 3986 §3.1
        let scheme = Some(scheme).filter(|scheme| scheme.first().is_some_and(u8::is_ascii_alphabetic));
        let scheme = scheme.and_then(|scheme| Scheme::try_from(scheme).ok()).ok_or(":scheme is not one")?;
        let path = pseudo.path.ok_or("no :path")?;
        // RFC 9113 §8.3.1: never empty; `*` is for OPTIONS alone.
        let asterisk = path == b"*" && method == Method::OPTIONS;
        if !path.starts_with(b"/") && !asterisk {
            return Err(":path does not begin with a slash");
        }
        // RFC 9113 §8.3.1: path and query, nothing behind them.
        if path.contains(&b'#') {
            return Err(":path with a fragment");
        }
        parts.path_and_query =
            Some(PathAndQuery::from_maybe_shared(fields.part(path)).map_err(|_| ":path is not one")?);
        let authority = pseudo.authority.map(|authority| fields.part(authority));
        parts.authority = read_authority(authority, &headers, &seen, Some(&scheme))?;
        parts.scheme = parts.authority.is_some().then_some(scheme);
    }
    let uri = Uri::from_parts(parts).map_err(|_| "the pseudo-header fields make no URI")?;
    let protocol = pseudo.protocol.map(|protocol| Protocol::read(protocol).ok_or(":protocol is not one"));
    let protocol = protocol.transpose()?;
    let length = if seen.length { content_length(&headers)? } else { None };
    let priority = if seen.priority { Priority::of(&headers) } else { None };
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    *request.version_mut() = Version::HTTP_2;
    Ok(Read { request, protocol, length, priority })
}

/// RFC 9113 §8.3.1: what `:authority` says, or else `host`.
fn read_authority(
    authority: Option<Bytes>,
    headers: &HeaderMap,
    seen: &Seen,
    scheme: Option<&Scheme>,
) -> Result<Option<Authority>, Malformed> {
    let authority = authority.map(Authority::from_maybe_shared).transpose();
    let authority = authority.map_err(|_| ":authority is not one")?;
    if !seen.host {
        authority.as_ref().map(|authority| split(authority, scheme)).transpose()?;
        return Ok(authority);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map(|host| Authority::try_from(host.as_bytes())).transpose();
    let host = host.map_err(|_| "host is not one")?;
    // RFC 9110 §5.3: only a list can have several lines.
    if hosts.next().is_some() {
        return Err("host twice");
    }
    let named = authority.as_ref().map(|authority| split(authority, scheme)).transpose()?;
    let meant = host.as_ref().map(|host| split(host, scheme)).transpose()?;
    if let (Some((name, port)), Some((other_name, other_port))) = (named, meant)
        && !(name.eq_ignore_ascii_case(other_name) && port == other_port)
    {
        return Err("host is not :authority");
    }
    Ok(authority.or(host))
}

/// The host and the port, which the scheme may imply (RFC 3986 §6.2.3).
fn split<'a>(authority: &'a Authority, scheme: Option<&Scheme>) -> Result<(&'a str, Option<u16>), Malformed> {
    let text = authority.as_str();
    // RFC 9113 §8.3.1
    if text.as_bytes().contains(&b'@') {
        return Err("an authority with userinfo");
    }
    // RFC 3986 §3.2.2: colons are in brackets, or before the port.
    let end = match text.starts_with('[') {
        true => text.find(']').map(|end| end + 1),
        false => text.as_bytes().iter().position(|&byte| byte == b':'),
    };
    let (host, port) = text.split_at(end.unwrap_or(text.len()));
    // RFC 9110 §4.2.1
    if host.is_empty() {
        return Err("an authority without a host");
    }
    let port = match port.strip_prefix(':') {
        None | Some("") => match scheme.map(Scheme::as_str) {
            Some("http" | "ws") => Some(80),
            Some("https" | "wss") => Some(443),
            _ => None,
        },
        Some(port) => Some(number(port.as_bytes()).ok_or("an authority with a port that is not one")?),
    };
    Ok((host, port))
}

/// Of digits alone.
fn number<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    let mut number = 0u64;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    T::try_from(number).ok().filter(|_| !digits.is_empty())
}

/// A response (RFC 9113 §8.3.2).
pub(crate) fn read_response(fields: &FieldList) -> Result<Response<()>, Malformed> {
    let fields = fields.share();
    let (pseudo, headers, _) = read(&fields)?;
    let Pseudo { method: None, scheme: None, authority: None, path: None, protocol: None, status } = pseudo
    else {
        return Err("a pseudo-header field of requests in a response");
    };
    let status = StatusCode::from_bytes(status.ok_or("no :status")?).map_err(|_| ":status is not one")?;
    // RFC 9113 §8.6
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err("101 in HTTP/2");
    }
    let mut response = Response::new(());
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    *response.version_mut() = Version::HTTP_2;
    Ok(response)
}

/// Trailers (RFC 9113 §8.1).
pub(crate) fn read_trailers(fields: &FieldList) -> Result<HeaderMap, Malformed> {
    if fields.iter().any(|field| field.name.starts_with(b":")) {
        // RFC 9113 §8.3
        return Err("a pseudo-header field in trailers");
    }
    Ok(read(&fields.share())?.1)
}

/// What `content-length` says. `None` if it is not there.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let value = number(value.as_bytes()).ok_or("content-length is not a number")?;
        // RFC 9110 §8.6
        if length.replace(value).is_some_and(|other| other != value) {
            return Err("several values of content-length");
        }
    }
    Ok(length)
}

/// Than a [`HeaderMap`] takes, which only a very large limit allows.
const TOO_MANY: Malformed = "too many fields";

/// Which fields there are that are worth a look.
#[derive(Default)]
struct Seen {
    host: bool,
    length: bool,
    priority: bool,
    cookies: bool,
}

fn read<'a>(fields: &'a SharedFields<'_>) -> Result<(Pseudo<'a>, HeaderMap, Seen), Malformed> {
    let mut seen = Seen::default();
    let mut pseudo = Pseudo::default();
    let is_pseudo = |field: &Field<'_>| field.name.starts_with(b":");
    let regular = fields.iter().skip_while(is_pseudo).count();
    let mut headers = HeaderMap::try_with_capacity(regular).map_err(|_| TOO_MANY)?;
    for field in fields {
        let value = field.value;
        // RFC 9113 §8.2.1
        if matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t']) {
            return Err("a value that begins or ends with white space");
        }
        if is_pseudo(&field) {
            // RFC 9113 §8.3
            if !headers.is_empty() {
                return Err("a pseudo-header field behind others");
            }
            let known = match field.name {
                b":method" => &mut pseudo.method,
                b":scheme" => &mut pseudo.scheme,
                b":authority" => &mut pseudo.authority,
                b":path" => &mut pseudo.path,
                b":protocol" => &mut pseudo.protocol,
                b":status" => &mut pseudo.status,
                _ => return Err("an unknown pseudo-header field"),
            };
            if known.replace(field.value).is_some() {
                return Err("a pseudo-header field twice");
            }
            continue;
        }
        // RFC 9113 §8.2: in lower case; §8.2.1: a token.
        let name = HeaderName::from_lowercase(field.name).map_err(|_| "a name that must not be")?;
        let value = HeaderValue::from_maybe_shared(fields.part(field.value));
        let mut value = value.map_err(|_| "a value that must not be")?;
        value.set_sensitive(field.sensitive);
        match field.name {
            b"host" => seen.host = true,
            b"content-length" => seen.length = true,
            b"priority" => seen.priority = true,
            b"cookie" => seen.cookies = true,
            // RFC 9113 §8.2.2
            b"te" if !field.value.eq_ignore_ascii_case(b"trailers") => return Err("te other than trailers"),
            _ if is_connection_specific(name.as_str()) => return Err("a connection-specific field"),
            _ => {}
        }
        headers.try_append(name, value).map_err(|_| TOO_MANY)?;
    }
    if seen.cookies {
        join_cookies(&mut headers);
    }
    Ok((pseudo, headers, seen))
}

/// RFC 9113 §8.2.3. Not by the [`FieldList`]: each crumb is a field, whose white space was held against §8.2.1.
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&HeaderValue> = headers.get_all(COOKIE).iter().collect();
    if crumbs.len() < 2 {
        return;
    }
    let sensitive = crumbs.iter().any(|crumb| crumb.is_sensitive());
    let cookie = crumbs.iter().map(|crumb| crumb.as_bytes()).collect::<Vec<_>>().join(&b"; "[..]);
    // All of it was in values before.
    if let Ok(mut cookie) = HeaderValue::from_maybe_shared(Bytes::from(cookie)) {
        cookie.set_sensitive(sensitive);
        headers.insert(COOKIE, cookie);
    }
}
