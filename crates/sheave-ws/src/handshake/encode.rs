//! Writing the head of an HTTP/1.1 message (RFC 9112 §3 to §5).

use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};

/// Writes the head of a request, `Host` first; the body is left to the caller.
///
/// The target is written in origin-form (RFC 9112 §3.2.1), that of a CONNECT in authority-form; bytes beyond
/// ASCII, which [`Uri`] lets through, are percent-encoded.
pub fn encode_request<T>(request: &Request<T>, out: &mut BytesMut) {
    out.put_slice(request.method().as_str().as_bytes());
    out.put_u8(b' ');
    encode_target(request.method(), request.uri(), out);
    out.put_slice(b" HTTP/1.1\r\n");
    // RFC 9110 §7.2: Host ought to be the first field
    for host in request.headers().get_all(HOST) {
        encode_header(&HOST, host, out);
    }
    encode_headers(request.headers().iter().filter(|(name, _)| **name != HOST), out);
}

/// Writes the head of a response with its canonical reason phrase; the body, and a header that says how long
/// it is, are left to the caller.
pub fn encode_response<T>(response: &Response<T>, out: &mut BytesMut) {
    let status = response.status();
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(status.as_str().as_bytes());
    // RFC 9112 §4: the space is there even when the phrase is not
    out.put_u8(b' ');
    out.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.put_slice(b"\r\n");
    encode_headers(response.headers(), out);
}

fn encode_target(method: &Method, uri: &Uri, out: &mut BytesMut) {
    if let (&Method::CONNECT, Some(authority)) = (method, uri.authority()) {
        out.put_slice(authority.as_str().as_bytes());
        return;
    }
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // RFC 6455 §3: "/" if the path component is empty
    if !target.starts_with(['/', '*']) {
        out.put_u8(b'/');
    }
    for &byte in target.as_bytes() {
        if byte.is_ascii_graphic() {
            out.put_u8(byte);
        } else {
            // cannot fail: BytesMut grows
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn encode_headers<'a>(
    headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    out: &mut BytesMut,
) {
    for (name, value) in headers {
        encode_header(name, value, out);
    }
    out.put_slice(b"\r\n");
}

fn encode_header(name: &HeaderName, value: &HeaderValue, out: &mut BytesMut) {
    encode_name(name.as_str(), out);
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}

/// Writes `sec-websocket-key` as `Sec-WebSocket-Key`: some old peers compare names with their case.
fn encode_name(name: &str, out: &mut BytesMut) {
    for (index, word) in name.split('-').enumerate() {
        if index > 0 {
            out.put_u8(b'-');
        }
        match word.as_bytes() {
            b"websocket" => out.put_slice(b"WebSocket"),
            b"www" => out.put_slice(b"WWW"),
            [first, rest @ ..] => {
                out.put_u8(first.to_ascii_uppercase());
                out.put_slice(rest);
            }
            [] => {}
        }
    }
}

/// The headers that both sides' handshakes may carry more of.
pub(super) fn append(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), super::HandshakeError> {
    match headers.try_append(name, value) {
        Ok(_) => Ok(()),
        Err(_) => Err(super::HandshakeError::TooManyHeaders { limit: headers.len() }),
    }
}
