//! The server's side: RFC 6455 §4.2.

mod handshake_support;

use std::sync::Arc;

use bytes::BytesMut;
use handshake_support::{ACCEPT, KEY, MadeUp, header, headers, list, read_request};
use http::{HeaderMap, Request, StatusCode};
use sheave_ws::extension::{Extension, ExtensionOffer, ReservedBits};
use sheave_ws::handshake::{
    Agreed, HandshakeError, HeadLimits, Offer, OriginPolicy, Refusal, ServerHandshake, Upgrade, accept_key,
    encode_response, is_upgrade, is_valid_key,
};

/// The request of RFC 6455 §1.2.
const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://server.example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn the_example_of_the_rfc_is_accepted() {
    let upgrade = check(REQUEST).unwrap();
    assert_eq!(upgrade.subprotocols(), ["chat", "superchat"]);
    assert!(upgrade.offers().is_empty());
    let (response, agreed) = upgrade.accept(Some("chat"), &[], HeaderMap::new()).unwrap();
    assert_eq!(agreed.subprotocol.as_deref(), Some("chat"));
    let mut out = BytesMut::new();
    encode_response(&response, &mut out);
    let expected = format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: {ACCEPT}\r\n\
        Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
    assert_eq!(out, expected);
}

#[test]
fn the_accept_key_of_the_rfc() {
    assert_eq!(accept_key(KEY.as_bytes()), ACCEPT);
    assert_eq!(accept_key(b" dGhlIHNhbXBsZSBub25jZQ==\t"), ACCEPT);
}

#[test]
fn keys() {
    let cases = [
        (KEY, true),
        (" dGhlIHNhbXBsZSBub25jZQ== ", true),
        ("AQIDBAUGBwgJCgsMDQ4PEC==", true), // the example of §4.1, whose last bits are not zero
        ("", false),
        ("dGhlIHNhbXBsZSBub25jZQ", false),   // no padding
        ("dGhlIHNhbXBsZSBub25jZQ=", false),  // half of it
        ("dGhlIHNhbXBsZSBub25jZQA=", false), // 17 bytes
        ("dGhlIHNhbXBsZSBub25jZQAA", false), // 18 bytes
        ("dGhlIHNhbXBsZSBub24=", false),     // 14 bytes
        ("dGhlIHNhbXBsZSBub25j_Q==", false), // the alphabet for URLs
        ("dGhlIHNhbXBs ZSBub25jZQ=", false),
        ("dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==", false),
    ];
    for (key, valid) in cases {
        assert_eq!(is_valid_key(key.as_bytes()), valid, "{key:?}");
    }
    assert!(!is_valid_key(&[b'A'; 100_000]));
}

#[test]
fn connection_keep_alive_upgrade_is_accepted() {
    let values = [
        "Connection: keep-alive, Upgrade",
        "Connection: Upgrade,keep-alive",
        "connection: UPGRADE",
        "Connection: ,\tupgrade ,",
        "Connection: keep-alive\r\nConnection: upgrade",
    ];
    for value in values {
        check(&REQUEST.replace("Connection: Upgrade", value)).expect(value);
    }
}

#[test]
fn upgrade_is_a_list_in_any_case() {
    for value in ["Upgrade: WebSocket", "Upgrade: h2c, websocket", "Upgrade: foo/2\r\nUpgrade: WEBSOCKET"] {
        let request = REQUEST.replace("Upgrade: websocket", value);
        check(&request).expect(value);
        assert!(is_upgrade(&parse(&request)), "{value}");
    }
    let no_upgrades = [
        REQUEST.replace("Upgrade: websocket", "Upgrade: h2c"),
        REQUEST.replace("Upgrade: websocket", "Upgrade: websocket2"),
        REQUEST.replace("Upgrade: websocket\r\n", ""),
        REQUEST.replace("HTTP/1.1", "HTTP/1.0"), // RFC 9110 §7.8
    ];
    for request in no_upgrades {
        assert!(!is_upgrade(&parse(&request)), "{request}");
    }
}

#[test]
fn every_refusal_has_its_status_and_a_body() {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let version = "Sec-WebSocket-Version: 13";
    let host = "Host: server.example.com";
    let protocol = "Sec-WebSocket-Protocol: chat, superchat";
    let twice = |line: &str| format!("{line}\r\n{line}");
    let cases: &[(&str, &str, &str, u16)] = &[
        ("HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 400),
        ("POST", "GET", "POST", 405),
        ("no Host", host, "X: y", 400),
        ("two hosts", host, &twice(host), 400),
        ("an empty host", host, "Host:", 400),
        ("userinfo in Host", host, "Host: a@server.example.com", 400),
        ("a path in Host", host, "Host: server.example.com/", 400),
        ("a port too large", host, "Host: server.example.com:65536", 400),
        ("no Upgrade", "Upgrade: websocket", "X: y", 426),
        ("another Upgrade", "Upgrade: websocket", "Upgrade: h2c", 426),
        ("no Connection", "Connection: Upgrade", "X: y", 400),
        ("another Connection", "Connection: Upgrade", "Connection: keep-alive", 400),
        ("part of a token", "Connection: Upgrade", "Connection: upgrades", 400),
        ("no key", key, "X: y", 400),
        ("two keys", key, &twice(key), 400),
        ("a short key", key, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==", 400),
        (
            "two keys in one header",
            key,
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
            400,
        ),
        ("no version", version, "X: y", 426),
        ("version 8", version, "Sec-WebSocket-Version: 8", 426),
        ("version 013", version, "Sec-WebSocket-Version: 013", 426),
        ("two versions", version, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8", 400),
        ("a foreign origin", "Origin: http://server", "Origin: http://evil", 403),
        ("no token", protocol, "Sec-WebSocket-Protocol: chat, super chat", 400),
        ("a subprotocol twice", protocol, "Sec-WebSocket-Protocol: chat, chat", 400),
        ("no subprotocol", protocol, "Sec-WebSocket-Protocol:", 400),
        // What follows would be taken for frames.
        ("a body", key, &format!("{key}\r\nContent-Length: 5"), 400),
        ("chunks", key, &format!("{key}\r\nTransfer-Encoding: chunked"), 400),
        ("a length that is none", key, &format!("{key}\r\nContent-Length: x"), 400),
        ("two framings", key, &format!("{key}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"), 400),
        ("another coding", key, &format!("{key}\r\nTransfer-Encoding: gzip"), 501),
        ("a host that is no IPv6 address", host, "Host: [zzz]", 400),
        ("a percent sign alone", host, "Host: server%zz.example.com", 400),
    ];
    for (name, from, to, status) in cases {
        assert!(REQUEST.contains(from), "{name}");
        let refusal = check(&REQUEST.replacen(from, to, 1)).expect_err(name);
        assert_eq!(refusal.status(), *status, "{name}: {refusal}");
        has_a_body(&refusal, name);
    }
}

#[test]
fn malformed_extensions_are_refused_with_400() {
    for value in ["", "a;", "a b", "a; b=", "a; b=\"c d\"", "a; b=\"c", ";a", "a=b", "\"a\""] {
        let refusal = check(&with_line(&format!("Sec-WebSocket-Extensions: {value}"))).expect_err(value);
        assert_eq!(refusal.status(), 400, "{value}");
        has_a_body(&refusal, value);
    }
}

#[test]
fn another_version_is_answered_with_426_and_the_version() {
    let refusal = check(&REQUEST.replace("Version: 13", "Version: 25")).unwrap_err();
    let mut out = BytesMut::new();
    refusal.encode(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{text}");
    for line in ["Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade"] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{text}");
    }
    // RFC 9113 §8.2.2: over HTTP/2 neither of the latter two
    let shared = Offer::check(&HeaderMap::new(), "a", &ServerHandshake::default()).unwrap_err();
    assert_eq!(shared.response().headers()["sec-websocket-version"], "13");
    assert!(!shared.response().headers().contains_key("upgrade"));
    assert!(!shared.response().headers().contains_key("connection"));
}

#[test]
fn a_wrong_method_is_answered_with_405_and_allow() {
    let refusal = check(&REQUEST.replace("GET", "PUT")).unwrap_err();
    assert_eq!(refusal.response().headers()["allow"], "GET");

    let refusal = check(&REQUEST.replace("GET", "HEAD")).unwrap_err();
    let mut out = BytesMut::new();
    refusal.encode(&mut out);
    assert_eq!(refusal.status(), 405);
    assert!(out.ends_with(b"\r\n\r\n"), "content in answer to HEAD: {out:?}");
}

#[test]
fn a_closing_refusal_keeps_the_upgrade() {
    let refusal = check(&REQUEST.replace("Version: 13", "Version: 8")).unwrap_err().closing();
    let connection: Vec<_> = refusal.response().headers().get_all("connection").iter().collect();
    assert_eq!(connection, ["Upgrade", "close"]);
}

#[test]
fn subprotocols_come_on_several_lines() {
    let request = with_line("Sec-WebSocket-Protocol: v1.example, v2.example");
    assert_eq!(check(&request).unwrap().subprotocols(), ["chat", "superchat", "v1.example", "v2.example"]);
}

#[test]
fn the_clients_order_decides_on_the_subprotocol() {
    let upgrade = check(REQUEST).unwrap();
    assert_eq!(upgrade.choose(&["superchat", "chat"]), Some("chat"));
    assert_eq!(upgrade.choose(&["other", "superchat"]), Some("superchat"));
    assert_eq!(upgrade.choose(&["Chat"]), None);
    assert_eq!(upgrade.choose(&[""; 0]), None);
}

#[test]
fn a_subprotocol_that_was_not_offered_is_the_callers_error() {
    let upgrade = check(REQUEST).unwrap();
    for name in ["other", "Chat", "chat, superchat", ""] {
        let error = upgrade.accept(Some(name), &[], HeaderMap::new()).unwrap_err();
        assert_eq!(error, HandshakeError::SubprotocolNotOffered(name.to_owned()));
        assert!(error.is_misuse());
        // The client is not told of it.
        assert_eq!(error.status().unwrap(), 500);
        assert_eq!(error.refusal().unwrap().reason(), "internal server error");
    }
    let (response, agreed) = upgrade.accept(None, &[], HeaderMap::new()).unwrap();
    assert_eq!(agreed, Agreed::default());
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
}

#[test]
fn extra_headers_are_added_but_overwrite_nothing() {
    let upgrade = check(REQUEST).unwrap();
    let extra = headers(&[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("server", "sheave")]);
    let (response, _) = upgrade.accept(None, &[], extra).unwrap();
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let reserved = [
        "connection",
        "upgrade",
        "sec-websocket-accept",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "sec-websocket-version",
        "content-length",
        "transfer-encoding",
        "te",
        "keep-alive",
        "proxy-connection",
        "http2-settings",
    ];
    for name in reserved {
        let error = upgrade.accept(None, &[], headers(&[(name, "1")])).unwrap_err();
        assert_eq!(error, HandshakeError::ReservedHeader(header(name, "1").0));
    }
}

#[test]
fn extensions_are_negotiated_into_the_answer() {
    let extensions: [Arc<dyn Extension>; 2] = [
        MadeUp::new("x-one", ReservedBits::RSV1).shared(),
        MadeUp::new("x-two", ReservedBits::RSV2).shared(),
    ];
    let upgrade =
        check(&with_line("Sec-WebSocket-Extensions: x-two; level=99, x-two, x-one; level=\"3\", x-other"))
            .unwrap();
    let (response, agreed) = upgrade.accept(None, &extensions, HeaderMap::new()).unwrap();
    assert_eq!(response.headers()["sec-websocket-extensions"], "x-two; level=0, x-one; level=3");
    assert_eq!(agreed.extensions.len(), 2);
    assert_eq!(agreed.reserved_bits, ReservedBits::RSV1 | ReservedBits::RSV2);

    let (response, agreed) = upgrade.accept(None, &[], HeaderMap::new()).unwrap();
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    assert_eq!(agreed, Agreed::default());
}

#[test]
fn an_extension_cannot_break_the_answer() {
    struct Bad;
    impl Extension for Bad {
        fn name(&self) -> &str {
            "x"
        }
        fn offers(&self) -> Vec<ExtensionOffer> {
            vec![ExtensionOffer::new("x").flag("a b")]
        }
        fn answer(&self, _: &ExtensionOffer) -> Option<ExtensionOffer> {
            Some(ExtensionOffer::new("x").parameter("a", "b\r\nX-Injected: 1"))
        }
        fn confirm(&self, _: &ExtensionOffer) -> bool {
            true
        }
        fn reserved_bits(&self) -> ReservedBits {
            ReservedBits::NONE
        }
    }
    let upgrade = check(&with_line("Sec-WebSocket-Extensions: x")).unwrap();
    let error = upgrade.accept(None, &[Arc::new(Bad)], HeaderMap::new()).unwrap_err();
    assert_eq!(error, HandshakeError::InvalidExtension("x".to_owned()));
}

#[test]
fn origin_is_checked_by_default() {
    let foreign = REQUEST.replace("Origin: http://server.example.com", "Origin: http://evil.example.com");
    assert_eq!(check(&foreign).unwrap_err().status(), 403);
    let any = ServerHandshake::default().origin(OriginPolicy::Any);
    assert!(any.check(&parse(&foreign)).is_ok());
    let without = REQUEST.replace("Origin: http://server.example.com\r\n", "");
    assert!(check(&without).is_ok());
}

#[test]
fn an_empty_body_is_none() {
    check(&with_line("Content-Length: 0")).unwrap();
}

#[test]
fn a_plain_page_is_foreign_to_a_server_with_tls() {
    // the page's origin, the host, whether by TLS; the status
    let cases = [
        ("http://a", "a", None, true),
        ("https://a", "a", None, true),
        ("https://a", "a", Some(true), true),
        ("https://a", "a:443", Some(true), true),
        ("https://a:443", "a", Some(true), true),
        ("https://a:8443", "a:8443", Some(true), true),
        ("http://a", "a", Some(true), false),
        ("http://a:443", "a", Some(true), false),
        ("http://a:8443", "a:8443", Some(true), false),
        ("https://a:80", "a", Some(true), false),
        ("http://a", "a", Some(false), true),
        ("https://a", "a", Some(false), false),
    ];
    for (origin, host, secure, accepted) in cases {
        let request = REQUEST
            .replace("Host: server.example.com", &format!("Host: {host}"))
            .replace("Origin: http://server.example.com", &format!("Origin: {origin}"));
        let handshake = ServerHandshake::default();
        let handshake = secure.map_or(handshake.clone(), |secure| handshake.secure(secure));
        let found = handshake.check(&parse(&request)).map(drop).map_err(|refusal| refusal.status().as_u16());
        assert_eq!(found, if accepted { Ok(()) } else { Err(403) }, "{origin} to {host}, {secure:?}");
    }
    // A list says of each origin what its scheme is.
    let listed = ServerHandshake::default().origin(OriginPolicy::allowed(["http://server.example.com"]));
    assert!(listed.secure(true).check(&parse(REQUEST)).is_ok());
}

#[test]
fn a_refusal_that_cannot_have_content_has_none() {
    for status in [100, 204, 304] {
        let mut out = BytesMut::new();
        Refusal::new(StatusCode::from_u16(status).unwrap(), "x").encode(&mut out);
        let text = String::from_utf8(out.to_vec()).unwrap();
        assert!(text.ends_with("\r\n\r\n") && !text.contains("Content-"), "{text}");
    }
}

#[test]
fn the_framing_of_a_refusal_is_its_own() {
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "reason");
    let refusal = [("content-length", "0"), ("transfer-encoding", "chunked"), ("x-more", "1")]
        .into_iter()
        .map(|(name, value)| header(name, value))
        .fold(refusal, |refusal, (name, value)| refusal.header(name, value));
    has_a_body(&refusal, "reason");
    assert!(!refusal.response().headers().contains_key("transfer-encoding"));
    assert_eq!(refusal.response().headers()["x-more"], "1");
}

#[test]
fn an_absolute_target_replaces_host() {
    // RFC 9112 §3.2.2
    let request = REQUEST.replace("GET /chat", "GET http://other.example.com/chat");
    assert_eq!(check(&request).unwrap_err().status(), 403);
    let request = request.replace("Origin: http://server", "Origin: http://other");
    assert!(check(&request).is_ok());
}

#[test]
fn bytes_after_the_handshake_are_kept() {
    let bytes = format!("{REQUEST}\u{1}\u{2}frame");
    let (request, rest) = read_request(bytes.as_bytes(), &HeadLimits::default()).unwrap().unwrap();
    assert!(is_upgrade(&request));
    assert_eq!(rest, b"\x01\x02frame");
}

#[test]
fn many_subprotocols_are_no_quadratic_work() {
    // 30 000 of them in one head of 128 KiB; comparing each with each would take 450 million steps.
    let names: Vec<String> = (0..30_000).map(|n| format!("{n:x}")).collect();
    let request = with_line(&format!("Sec-WebSocket-Protocol: {}", names.join(",")));
    let parsed = {
        let mut reader = sheave_ws::handshake::HeadReader::new(HeadLimits::default().bytes(1 << 20));
        reader.read_request(&mut BytesMut::from(request.as_bytes())).unwrap().unwrap()
    };
    let upgrade = ServerHandshake::default().check(&parsed).unwrap();
    assert_eq!(upgrade.subprotocols().len(), 30_002);
}

fn check(request: &str) -> Result<Upgrade, Refusal> {
    ServerHandshake::default().check(&parse(request))
}

fn parse(request: &str) -> Request<()> {
    read_request(request.as_bytes(), &HeadLimits::default()).unwrap().unwrap().0
}

fn with_line(line: &str) -> String {
    REQUEST.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"))
}

fn has_a_body(refusal: &Refusal, name: &str) {
    let response = refusal.response();
    assert!(!response.body().is_empty(), "{name}");
    assert_eq!(response.headers()["content-length"], response.body().len().to_string(), "{name}");
    let headers = list(response.headers());
    assert!(headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("text/plain")));
}
