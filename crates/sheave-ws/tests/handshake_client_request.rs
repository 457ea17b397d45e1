//! The client's request: RFC 6455 §4.1.

mod handshake_support;

use bytes::BytesMut;
use handshake_support::{KEY, MadeUp, NONCE, client, header, headers, start};
use http::Uri;
use sheave_ws::extension::ReservedBits;
use sheave_ws::handshake::{ClientRequest, HandshakeError};

#[test]
fn the_request_is_written() {
    let request = client("ws://server.example.com/chat")
        .subprotocol("chat")
        .and_then(|request| request.subprotocol("superchat"))
        .and_then(|request| request.origin("http://example.com"))
        .and_then(|request| with(request, "cookie", "a=1"))
        .and_then(|request| with(request, "cookie", "b=2"))
        .unwrap();
    let extensions = [MadeUp::new("x-one", ReservedBits::RSV1).shared()];
    let expected = format!(
        "GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: {KEY}\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Extensions: x-one; level=9, x-one\r\n\
        Origin: http://example.com\r\n\
        Cookie: a=1\r\n\
        Cookie: b=2\r\n\r\n"
    );
    assert_eq!(start(&request, &extensions).1, expected);
}

#[test]
fn uris() {
    let cases = [
        // uri, host header, host, port, secure
        ("ws://a", "a", "a", 80, false),
        ("ws://a:80/", "a", "a", 80, false),
        ("ws://a:443/", "a:443", "a", 443, false),
        ("wss://a/", "a", "a", 443, true),
        ("wss://a:443", "a", "a", 443, true),
        ("wss://a:80", "a:80", "a", 80, true),
        ("WSS://a:/", "a", "a", 443, true),
        ("http://a:8080", "a:8080", "a", 8080, false),
        ("https://a", "a", "a", 443, true),
        ("ws://[::1]/", "[::1]", "[::1]", 80, false),
        ("wss://[2001:db8::1]:8443/", "[2001:db8::1]:8443", "[2001:db8::1]", 8443, true),
        ("ws://127.0.0.1:9001/", "127.0.0.1:9001", "127.0.0.1", 9001, false),
        ("ws://user:password@a:8080/", "a:8080", "a", 8080, false),
    ];
    for (uri, authority, host, port, secure) in cases {
        let request = client(uri);
        assert_eq!(request.authority(), authority, "{uri}");
        assert_eq!((request.host(), request.port(), request.is_secure()), (host, port, secure), "{uri}");
        assert!(start(&request, &[]).1.contains(&format!("\r\nHost: {authority}\r\n")), "{uri}");
    }
    let targets = [
        ("ws://a", "/"),
        ("ws://a/", "/"),
        ("ws://a?b=c", "/?b=c"),
        ("ws://a/b/c?d=e?f", "/b/c?d=e?f"),
        ("ws://a/%23", "/%23"),
    ];
    for (uri, target) in targets {
        assert!(start(&client(uri), &[]).1.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{uri}");
    }
}

#[test]
fn uris_that_name_no_websocket() {
    let cases = [
        "",
        "/chat",
        "a",
        "a:80",
        "ftp://a",
        "wsx://a",
        "ws://",
        "ws:///chat",
        "ws://:80/",
        "ws://a:65536",
        "ws://a:x",
        "ws://a:-1",
        "ws://a b",
        "ws://a/#fragment",
        "ws://[::1",
        "ws://[zzz]/",
        "ws://%zz/",
        "ws://user@",
        "ws://a@b@c:x",
        "ws://us%3Aer:password@a",
        "ws://us%zzer@a",
    ];
    for uri in cases {
        let error = uri.parse::<ClientRequest>().expect_err(uri);
        assert!(matches!(error, HandshakeError::InvalidUri(_)), "{uri}: {error}");
        assert!(error.is_misuse());
    }
    assert!(ClientRequest::new(&Uri::from_static("/chat")).is_err());
}

#[test]
fn userinfo_becomes_basic_authorization() {
    let line = |request: &ClientRequest| {
        let text = start(request, &[]).1;
        text.lines().find(|line| line.starts_with("Authorization: ")).map(str::to_owned)
    };
    let cases = [
        ("ws://Aladdin:open%20sesame@a/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")), // RFC 7617 §2
        ("ws://user@a/", Some("Basic dXNlcjo=")),
        ("ws://user:a%3ab@a/", Some("Basic dXNlcjphOmI=")),
        ("ws://a/", None),
    ];
    for (uri, value) in cases {
        assert_eq!(line(&client(uri)), value.map(|value| format!("Authorization: {value}")), "{uri}");
    }
    let own = with(client("ws://user:password@a/"), "authorization", "Bearer token").unwrap();
    assert_eq!(line(&own).unwrap(), "Authorization: Bearer token");
    let debug = format!("{:?}", client("ws://user:password@a/"));
    assert!(!debug.contains("password") && !debug.contains("dXNl"), "{debug}");
    for name in ["authorization", "cookie", "proxy-authorization"] {
        let debug = format!("{:?}", with(client("ws://a/"), name, "secret").unwrap());
        assert!(!debug.contains("secret"), "{debug}");
    }
    // A redirect's userinfo does not stand in for what the caller set.
    let redirected = own.redirected("ws://other:word@b/").unwrap();
    assert_eq!(line(&redirected).unwrap(), "Authorization: Bearer token");
    let redirected = client("ws://a/").redirected("ws://user@b/").unwrap();
    assert_eq!(line(&redirected).unwrap(), "Authorization: Basic dXNlcjo=");
}

#[test]
fn headers_of_the_handshake_are_not_overridden() {
    let reserved = [
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "sec-websocket-accept",
        "content-length",
        "transfer-encoding",
        "expect",
        "te",
        "keep-alive",
        "proxy-connection",
        "http2-settings",
    ];
    for name in reserved {
        let error = with(client("ws://a"), name, "1").unwrap_err();
        assert_eq!(error, HandshakeError::ReservedHeader(header(name, "1").0));
    }
    let host = with(client("ws://127.0.0.1:9001"), "host", "example.org").unwrap();
    let text = start(&host, &[]).1;
    assert_eq!(text.matches("Host: ").count(), 1);
    assert!(text.contains("Host: example.org\r\n"));
    for host in ["", "a b", "a@b", "a/b", "a,b:c"] {
        assert!(with(client("ws://a"), "host", host).is_err(), "{host:?}");
    }
    let origin = client("ws://a").origin("http://a").and_then(|request| request.origin("http://b")).unwrap();
    assert_eq!(start(&origin, &[]).1.matches("Origin: ").count(), 1);
    assert!(client("ws://a").origin("http://a\r\nX: y").is_err());
}

#[test]
fn subprotocols_are_unique_tokens() {
    for name in ["", "a b", "a,b", "a/b", "é", "a\r\n", "\"a\""] {
        let error = client("ws://a").subprotocol(name).unwrap_err();
        assert_eq!(error, HandshakeError::InvalidSubprotocol(name.to_owned()));
    }
    let request = client("ws://a").subprotocol("a").and_then(|request| request.subprotocol("A")).unwrap();
    assert!(request.subprotocol("a").is_err());
}

#[test]
fn the_parts_that_http2_shares() {
    let request =
        client("wss://a/b").subprotocol("chat").and_then(|request| request.origin("https://a")).unwrap();
    let extensions = [MadeUp::new("one", ReservedBits::RSV1).shared()];
    let offered = request.headers(&extensions).unwrap();
    for name in ["host", "connection", "upgrade", "sec-websocket-key"] {
        assert!(!offered.contains_key(name), "{name}");
    }
    assert_eq!(offered["sec-websocket-version"], "13");
    let answer = headers(&[("sec-websocket-protocol", "chat"), ("sec-websocket-accept", "from a proxy")]);
    assert_eq!(request.confirm(&extensions, &answer).unwrap().subprotocol.as_deref(), Some("chat"));
    assert!(request.confirm(&extensions, &headers(&[("sec-websocket-protocol", "x")])).is_err());
    assert!(request.confirm(&extensions, &headers(&[("sec-websocket-extensions", "x")])).is_err());
}

#[test]
fn nothing_is_written_on_an_error() {
    let mut out = BytesMut::from(&b"before"[..]);
    let bad = [MadeUp::new("not a token", ReservedBits::NONE).shared()];
    let error = client("ws://a").encode(NONCE, &bad, &mut out).unwrap_err();
    assert_eq!(error, HandshakeError::InvalidExtension("not a token".to_owned()));
    assert_eq!(out, "before");
}

fn with(request: ClientRequest, name: &str, value: &str) -> Result<ClientRequest, HandshakeError> {
    let (name, value) = header(name, value);
    request.header(name, value)
}
