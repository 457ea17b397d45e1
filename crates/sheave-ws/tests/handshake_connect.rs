//! The opening handshake over HTTP/2 (RFC 8441), without HTTP/2.

use http::header::{
    ALLOW, CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use sheave_ws::Config;
use sheave_ws::deflate::DeflateConfig;
use sheave_ws::handshake::{ClientRequest, HandshakeError, OriginPolicy, Refusal, ServerHandshake, Upgrade};

fn request(uri: &str) -> Request<()> {
    let request: ClientRequest = uri.parse().unwrap();
    request.connect(&[]).unwrap()
}

fn check(request: &Request<()>) -> Result<Upgrade, Refusal> {
    ServerHandshake::default().check_connect(request, "websocket")
}

fn accept(request: &Request<()>) -> Response<()> {
    check(request).unwrap().accept(None, &[], HeaderMap::new()).unwrap().0
}

/// RFC 8441 §5.1
#[test]
fn the_request_is_that_of_the_rfc() {
    let request: ClientRequest = "wss://user:secret@server.example.com/chat?x=y".parse().unwrap();
    let request = request.subprotocol("chat").unwrap().subprotocol("superchat").unwrap();
    let request = request.origin("http://www.example.com").unwrap().connect(&[]).unwrap();
    assert_eq!(*request.method(), http::Method::CONNECT);
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri(), "https://server.example.com/chat?x=y");
    let headers = request.headers();
    assert_eq!(headers[SEC_WEBSOCKET_PROTOCOL], "chat, superchat");
    assert_eq!(headers[SEC_WEBSOCKET_VERSION], "13");
    assert_eq!(headers[ORIGIN], "http://www.example.com");
    assert!(headers["authorization"].is_sensitive());
    for unused in [UPGRADE, CONNECTION, HOST, SEC_WEBSOCKET_KEY] {
        assert!(!headers.contains_key(&unused), "{unused}");
    }
}

#[test]
fn the_target_names_what_http_would() {
    for (uri, expected) in [
        ("ws://example.org", "http://example.org/"),
        ("ws://example.org:80/a", "http://example.org/a"),
        ("wss://example.org:80/?q", "https://example.org:80/?q"),
        ("wss://[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://example.org:443/", "https://example.org/"),
    ] {
        assert_eq!(request(uri).uri(), expected, "{uri}");
    }
    let request: ClientRequest = "wss://127.0.0.1/".parse().unwrap();
    let named = request.header(HOST, HeaderValue::from_static("example.org:1")).unwrap();
    assert_eq!(named.connect(&[]).unwrap().uri(), "https://example.org:1/");
}

#[test]
fn both_sides_agree() {
    let config = Config::default().deflate(DeflateConfig::default());
    let extensions = config.extensions(true);
    let client: ClientRequest = "wss://example.org/".parse().unwrap();
    let client = client.subprotocol("v2").unwrap().subprotocol("v1").unwrap();
    let request = client.connect(&extensions).unwrap();
    let upgrade = check(&request).unwrap();
    assert_eq!(upgrade.choose(&["v1"]), Some("v1"));
    let (response, agreed) = upgrade.accept(Some("v1"), &extensions, HeaderMap::new()).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    for unused in [UPGRADE, CONNECTION, SEC_WEBSOCKET_ACCEPT] {
        assert!(!response.headers().contains_key(&unused), "{unused}");
    }
    assert!(agreed.deflate().is_some());
    assert_eq!(client.confirm(&extensions, response.headers()).unwrap(), agreed);
    let other: ClientRequest = "wss://example.org/".parse().unwrap();
    let refused = other.confirm(&extensions, response.headers());
    assert_eq!(refused, Err(HandshakeError::UnexpectedSubprotocol("v1".to_owned())));
}

/// RFC 8441 does not use the key; clients that send one nevertheless insist on its answer.
#[test]
fn a_key_is_answered() {
    let mut request = request("wss://example.org/");
    request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(accept(&request).headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("no key"));
    assert!(!accept(&request).headers().contains_key(SEC_WEBSOCKET_ACCEPT));
}

#[test]
fn what_is_no_websocket_is_refused() {
    let handshake = ServerHandshake::default();
    let good = request("wss://example.org/");
    assert!(handshake.check_connect(&good, "WebSocket").is_ok());
    let refused = handshake.check_connect(&good, "connect-udp").unwrap_err();
    assert_eq!(refused.status(), StatusCode::NOT_IMPLEMENTED);

    let get = Request::get("https://example.org/").body(()).unwrap();
    let refused = handshake.check_connect(&get, "websocket").unwrap_err();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.response().headers()[ALLOW], "CONNECT");

    for version in [None, Some("8"), Some("13, 8")] {
        let mut request = good.clone();
        request.headers_mut().remove(SEC_WEBSOCKET_VERSION);
        if let Some(version) = version {
            request.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(version));
        }
        let refused = check(&request).unwrap_err();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(refused.response().headers()[SEC_WEBSOCKET_VERSION], "13");
        assert!(!refused.response().headers().contains_key(UPGRADE));
    }

    let mut request = good.clone();
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("a b"));
    assert_eq!(check(&request).unwrap_err().status(), StatusCode::BAD_REQUEST);

    let mut request = good;
    *request.uri_mut() = "/".parse().unwrap();
    assert_eq!(check(&request).unwrap_err().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn the_origin_is_held_against_the_authority() {
    let of = |origin: &'static str| {
        let mut request = request("wss://example.org/");
        request.headers_mut().insert(ORIGIN, HeaderValue::from_static(origin));
        request
    };
    assert!(check(&of("https://example.org")).is_ok());
    assert_eq!(check(&of("https://other.example")).unwrap_err().status(), StatusCode::FORBIDDEN);
    let any = ServerHandshake::default().origin(OriginPolicy::Any);
    assert!(any.check_connect(&of("https://other.example"), "websocket").is_ok());
    let secure = ServerHandshake::default().secure(true);
    assert!(secure.check_connect(&of("http://example.org"), "websocket").is_err());
}

#[test]
fn the_callers_headers_are_added_but_for_those_of_the_handshake() {
    let upgrade = check(&request("wss://example.org/")).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("set-cookie", HeaderValue::from_static("a=b"));
    let (response, _) = upgrade.accept(None, &[], headers.clone()).unwrap();
    assert_eq!(response.headers()["set-cookie"], "a=b");
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let refused = upgrade.accept(None, &[], headers).unwrap_err();
    assert_eq!(refused, HandshakeError::ReservedHeader(CONNECTION));
}
