//! HTTP/1.1 heads: RFC 9112 §2 to §5.

mod handshake_support;

use bytes::BytesMut;
use handshake_support::{list, read_request, read_response};
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use sheave_ws::handshake::{HandshakeError, HeadLimits, HeadReader, encode_request, encode_response};

#[test]
fn a_request_is_read() {
    let bytes =
        b"GET /chat?room=1 HTTP/1.1\r\nHost: example.org\r\nCookie: a=1\r\nX-Empty:\r\ncookie:\tb=2 \r\n\r\n";
    let (request, rest) = read_request(bytes, &HeadLimits::default()).unwrap().unwrap();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri(), "/chat?room=1");
    assert_eq!(request.version(), Version::HTTP_11);
    let cookies: Vec<&HeaderValue> = request.headers().get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(request.headers()["x-empty"], "");
    assert!(rest.is_empty());
}

#[test]
fn requests_that_are_taken() {
    let cases: &[(&str, &[u8], &str, Version)] = &[
        ("HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", "/", Version::HTTP_10),
        ("empty lines first, §2.2", b"\r\n\n\r\nGET / HTTP/1.1\r\n\r\n", "/", Version::HTTP_11),
        ("lone line feeds, §2.2", b"GET / HTTP/1.1\nHost: a\n\n", "/", Version::HTTP_11),
        ("absolute-form", b"GET http://a/b HTTP/1.1\r\n\r\n", "http://a/b", Version::HTTP_11),
        ("authority-form", b"CONNECT a:443 HTTP/1.1\r\n\r\n", "a:443", Version::HTTP_11),
        ("asterisk-form", b"OPTIONS * HTTP/1.1\r\n\r\n", "*", Version::HTTP_11),
        ("absolute-form, wss", b"GET wss://a:1/b?c HTTP/1.1\r\n\r\n", "wss://a:1/b?c", Version::HTTP_11),
        ("two slashes", b"GET //a/b HTTP/1.1\r\n\r\n", "//a/b", Version::HTTP_11),
        ("obs-text", b"GET / HTTP/1.1\r\nX: \xff\xe9\r\n\r\n", "/", Version::HTTP_11),
        ("a method of one's own", b"BREW / HTTP/1.1\r\n\r\n", "/", Version::HTTP_11),
    ];
    for (name, bytes, uri, version) in cases {
        let (request, rest) = read_request(bytes, &HeadLimits::default()).expect(name).expect(name);
        assert_eq!(request.uri(), uri, "{name}");
        assert_eq!(request.version(), *version, "{name}");
        assert!(rest.is_empty(), "{name}");
    }
}

#[test]
fn requests_that_are_refused() {
    let cases: &[(&str, &[u8], u16)] = &[
        ("HTTP/2 without ALPN", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("HTTP/0.9 spelled out", b"GET / HTTP/0.9\r\n\r\n", 505),
        ("no version", b"GET /\r\n\r\n", 400),
        ("another protocol", b"GET / FTP/1.1\r\n\r\n", 400),
        ("a TLS handshake, at once", b"\x16\x03\x01\x02\x00\x01", 400),
        ("bare CR, at once", b"GET / HTTP/1.1\r\nA: b\rc", 400),
        ("NUL in a value, at once", b"GET / HTTP/1.1\r\nA: \0", 400),
        ("space before the colon, §5.1", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("space before the first header, §2.2", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ("folded line, §5.2", b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
        ("no colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n", 400),
        ("empty name", b"GET / HTTP/1.1\r\n: a\r\n\r\n", 400),
        ("separator in a name", b"GET / HTTP/1.1\r\nA(b): c\r\n\r\n", 400),
        ("fragment, §3.2", b"GET /a#b HTTP/1.1\r\n\r\n", 400),
        ("a host for a path, §3.2.3", b"GET evil.com HTTP/1.1\r\n\r\n", 400),
        ("authority-form of GET", b"GET evil.com:80 HTTP/1.1\r\n\r\n", 400),
        ("another scheme", b"GET ftp://a/b HTTP/1.1\r\n\r\n", 400),
        ("userinfo, RFC 9110 §4.2.4", b"GET http://a@b/c HTTP/1.1\r\n\r\n", 400),
        ("asterisk-form of GET, §3.2.4", b"GET * HTTP/1.1\r\n\r\n", 400),
        ("origin-form of CONNECT, §3.2.3", b"CONNECT /a HTTP/1.1\r\n\r\n", 400),
        ("absolute-form of CONNECT", b"CONNECT http://a/ HTTP/1.1\r\n\r\n", 400),
        ("CONNECT without a port", b"CONNECT a HTTP/1.1\r\n\r\n", 400),
        ("CONNECT with userinfo", b"CONNECT a@b:443 HTTP/1.1\r\n\r\n", 400),
        ("two targets", b"GET / / HTTP/1.1\r\n\r\n", 400),
        ("no target", b"GET HTTP/1.1\r\n\r\n", 400),
        ("a response", b"HTTP/1.1 200 OK\r\n\r\n", 400),
        ("empty lines only", b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400),
    ];
    for (name, bytes, status) in cases {
        let error = read_request(bytes, &HeadLimits::default()).expect_err(name);
        assert_eq!(error.status().map(|status| status.as_u16()), Some(*status), "{name}: {error}");
        let refusal = error.refusal().expect(name);
        assert_eq!(refusal.response().headers()["connection"], "close", "{name}");
        assert!(!refusal.reason().is_empty(), "{name}");
    }
}

#[test]
fn more_than_sixteen_headers_are_kept() {
    for count in [16, 17, 64, 65, 100] {
        let bytes = request_with_headers(count);
        let (request, _) = read_request(bytes.as_bytes(), &HeadLimits::default()).unwrap().unwrap();
        let expected: Vec<_> = (0..count).map(|n| (format!("x-{n}"), n.to_string())).collect();
        assert_eq!(list(request.headers()), expected);
    }
}

#[test]
fn more_headers_than_the_limit_are_answered_with_431() {
    let cases = [(101, HeadLimits::default()), (4, HeadLimits::default().headers(3))];
    for (count, limits) in cases {
        let error = read_request(request_with_headers(count).as_bytes(), &limits).unwrap_err();
        assert_eq!(error, HandshakeError::TooManyHeaders { limit: limits.headers });
        assert_eq!(error.status().unwrap(), 431);
    }
    assert!(read_request(request_with_headers(3).as_bytes(), &HeadLimits::default().headers(3)).is_ok());
    assert!(read_request(b"GET / HTTP/1.1\r\n\r\n", &HeadLimits::default().headers(0)).is_ok());
}

#[test]
fn a_head_beyond_the_limit_is_answered_with_431() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let limit = bytes.len();
    assert!(read_request(bytes, &HeadLimits::default().bytes(limit)).unwrap().is_some());
    let error = read_request(bytes, &HeadLimits::default().bytes(limit - 1)).unwrap_err();
    assert_eq!(error, HandshakeError::HeadTooLarge { limit: limit - 1 });
    assert_eq!(error.status().unwrap(), 431);

    // No end in sight: the limit holds before the end comes.
    let mut reader = HeadReader::new(HeadLimits::default());
    let mut input = BytesMut::from(&b"GET /"[..]);
    input.resize(64 * 1024, b'a');
    assert!(reader.read_request(&mut input).unwrap().is_none());
    input.extend_from_slice(b"a");
    assert_eq!(reader.read_request(&mut input).unwrap_err().status().unwrap(), 431);
}

#[test]
fn header_parsing_is_linear() {
    let bytes = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(60_000)).into_bytes();
    for step in [1, 2, 1000, bytes.len()] {
        let mut reader = HeadReader::new(HeadLimits::default());
        let mut input = BytesMut::new();
        let mut found = None;
        for part in bytes.chunks(step) {
            assert!(found.is_none());
            input.extend_from_slice(part);
            found = reader.read_request(&mut input).unwrap();
        }
        assert!(found.is_some());
        assert_eq!(reader.bytes_scanned(), bytes.len() as u64, "in steps of {step}");
    }
}

#[test]
fn credentials_do_not_show() {
    let lines =
        "Authorization: secret\r\nCookie: secret\r\nProxy-Authorization: secret\r\nSet-Cookie: secret\r\n";
    let request = format!("GET / HTTP/1.1\r\n{lines}\r\n");
    let (request, _) = read_request(request.as_bytes(), &HeadLimits::default()).unwrap().unwrap();
    let (response, _) = read_response(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes()).unwrap().unwrap();
    for debug in [format!("{request:?}"), format!("{response:?}")] {
        assert!(!debug.contains("secret"), "{debug}");
    }
    assert_eq!(request.headers()["cookie"], "secret");
}

#[test]
fn bytes_after_the_head_are_kept() {
    let bytes = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n\x81\x80";
    let (request, rest) = read_request(bytes, &HeadLimits::default()).unwrap().unwrap();
    assert_eq!(request.uri(), "/a");
    assert_eq!(rest, b"GET /b HTTP/1.1\r\n\r\n\x81\x80");

    let mut reader = HeadReader::default();
    let mut input = BytesMut::from(&bytes[..]);
    assert!(reader.is_empty());
    assert_eq!(reader.read_request(&mut input).unwrap().unwrap().uri(), "/a");
    assert_eq!(reader.read_request(&mut input).unwrap().unwrap().uri(), "/b");
    assert_eq!(&input[..], b"\x81\x80");
}

#[test]
fn an_empty_line_was_the_beginning_of_a_request() {
    // RFC 9112 §2.2
    for lines in ["", "\r", "\n", "\r\n", "\r\n\r\n\r"] {
        let mut reader = HeadReader::default();
        let mut input = BytesMut::from(lines);
        assert!(!reader.begins_request(&mut input).unwrap(), "{lines:?}");
        assert!(reader.is_empty());
        input.extend_from_slice(if lines.ends_with('\r') { b"\nG" } else { b"G" });
        for rest in ["", "ET / HTTP/1.1\r\n", "Host: a\r\n"] {
            input.extend_from_slice(rest.as_bytes());
            assert!(reader.begins_request(&mut input).unwrap());
            assert!(reader.read_request(&mut input).unwrap().is_none());
        }
        input.extend_from_slice(b"\r\n\r\n");
        assert_eq!(reader.read_request(&mut input).unwrap().unwrap().headers()["host"], "a");
        assert!(!reader.begins_request(&mut input).unwrap(), "{lines:?}");
        assert!(input.is_empty());
    }
    assert!(HeadReader::default().begins_request(&mut BytesMut::from(&b"\n".repeat(9)[..])).is_err());
}

#[test]
fn responses() {
    let cases: &[(&str, &[u8], Result<u16, ()>)] = &[
        ("with a reason", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Ok(101)),
        ("without a reason", b"HTTP/1.1 200 \r\n\r\n", Ok(200)),
        ("without its space", b"HTTP/1.1 200\r\n\r\n", Ok(200)),
        ("obs-text in the reason", b"HTTP/1.1 404 N\xe3o\r\n\r\n", Ok(404)),
        ("HTTP/1.0", b"HTTP/1.0 403 Forbidden\r\n\r\n", Ok(403)),
        ("an unknown status", b"HTTP/1.1 799 What\r\n\r\n", Ok(799)),
        ("two digits", b"HTTP/1.1 20 OK\r\n\r\n", Err(())),
        ("below 100", b"HTTP/1.1 099 OK\r\n\r\n", Err(())),
        ("HTTP/2", b"HTTP/2 200\r\n\r\n", Err(())),
        ("empty line first", b"\r\nHTTP/1.1 200 OK\r\n\r\n", Err(())),
        ("a request", b"GET / HTTP/1.1\r\n\r\n", Err(())),
    ];
    for (name, bytes, expected) in cases {
        let found = read_response(bytes).map(|found| found.expect(name).0.status().as_u16());
        assert_eq!(found.map_err(|_| ()), *expected, "{name}");
    }
}

#[test]
fn a_folded_line_of_a_response_is_unfolded() {
    // RFC 9112 §5.2
    let (response, _) = read_response(b"HTTP/1.1 200 OK\r\nA: b\r\n  c\r\nD: e\r\n\r\n").unwrap().unwrap();
    let words: Vec<&str> = response.headers()["a"].to_str().unwrap().split_whitespace().collect();
    assert_eq!(words, ["b", "c"]);
    assert_eq!(response.headers()["d"], "e");
}

#[test]
fn requests_are_written() {
    let cases = [
        ("GET", "wss://a/b?c=d", "GET /b?c=d HTTP/1.1\r\n"),
        ("GET", "ws://a", "GET / HTTP/1.1\r\n"),
        ("GET", "ws://a?c", "GET /?c HTTP/1.1\r\n"), // RFC 6455 §3
        ("OPTIONS", "*", "OPTIONS * HTTP/1.1\r\n"),
        ("CONNECT", "a:443", "CONNECT a:443 HTTP/1.1\r\n"),
        ("GET", "ws://a/é", "GET /%C3%A9 HTTP/1.1\r\n"),
    ];
    for (method, uri, line) in cases {
        let mut request = Request::new(());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = uri.parse::<Uri>().unwrap();
        request.headers_mut().insert("x-first", HeaderValue::from_static("1"));
        request.headers_mut().insert("host", HeaderValue::from_static("a"));
        let mut out = BytesMut::new();
        encode_request(&request, &mut out);
        assert_eq!(out, format!("{line}Host: a\r\nX-First: 1\r\n\r\n"));
    }
}

#[test]
fn responses_are_written_with_conventional_names() {
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::UNAUTHORIZED;
    for name in ["sec-websocket-accept", "www-authenticate", "x--a", "etag"] {
        response.headers_mut().append(name, HeaderValue::from_static("1"));
    }
    let mut out = BytesMut::new();
    encode_response(&response, &mut out);
    let expected = "HTTP/1.1 401 Unauthorized\r\n\
        Sec-WebSocket-Accept: 1\r\nWWW-Authenticate: 1\r\nX--A: 1\r\nEtag: 1\r\n\r\n";
    assert_eq!(out, expected);

    let mut out = BytesMut::new();
    encode_response(&Response::builder().status(799).body(()).unwrap(), &mut out);
    assert_eq!(&out[..], b"HTTP/1.1 799 \r\n\r\n");
}

fn request_with_headers(count: usize) -> String {
    let lines: String = (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect();
    format!("GET / HTTP/1.1\r\n{lines}\r\n")
}
