//! Opening a WebSocket as a stream of HTTP/2 (RFC 8441 §5): the request, and what comes in answer to it.

mod support;

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Version};
use sheave::h2::frame::Setting;
use sheave::h2::io::RecvStream;
use sheave::h2::io::server::SendResponse;
use sheave::h2::{self, Protocol};
use sheave::ws::handshake::{HandshakeError, HeadLimits, Rejection};
use sheave::{Client, CloseCode, Error, Message, WebSocket, ws};
use support::peer::{Peer, Tls, echo, h2_only, http2, taking};
use support::raw_server::{Frames, OK, TAKES_WEBSOCKETS, field};
use support::soon;
use tokio::io::duplex;

/// Echoes once.
async fn converse(ws: &mut WebSocket) {
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("hello")));
}

/// A server that answers like this, and ends.
async fn answering(response: impl Fn() -> Response<&'static [u8]> + Clone + Send + Sync + 'static) -> Peer {
    Peer::h2c(taking(), move |_: Request<RecvStream>, respond: SendResponse| {
        let response = response();
        async move {
            let (head, body) = response.into_parts();
            let mut stream = respond.send_response(Response::from_parts(head, ()), body.is_empty()).unwrap();
            if !body.is_empty() {
                stream.send_data(body).await.unwrap();
                stream.finish().unwrap();
            }
        }
    })
    .await
}

async fn refused(peer: &Peer) -> Rejection {
    match soon(h2_only().build().connect(peer.ws("/"))).await {
        Err(Error::WebSocket(ws::Error::Rejected(rejection))) => rejection,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn over_prior_knowledge() {
    let peer = Peer::h2c(taking(), echo).await;
    let mut ws = soon(h2_only().build().connect(peer.ws("/"))).await.unwrap();
    assert_eq!(ws.version(), Version::HTTP_2);
    assert!(!ws.get_ref().is_encrypted());
    assert_eq!(ws.handshake_response().unwrap().status(), StatusCode::OK);
    converse(&mut ws).await;
    soon(ws.close(CloseCode::NORMAL)).await.unwrap();
}

#[tokio::test]
async fn over_tls() {
    let tls = Tls::new();
    let server = tls.clone();
    let peer = Peer::start(move |tcp, _| {
        let tls = server.clone();
        async move { tls.serve(tcp, &[b"h2", b"http/1.1"], taking()).await }
    })
    .await;
    let client = tls.client().build();
    let mut ws = soon(client.connect(peer.wss("/"))).await.unwrap();
    assert_eq!(ws.version(), Version::HTTP_2);
    assert!(ws.get_ref().is_encrypted());
    assert_eq!(ws.get_ref().tls().and_then(sheave::tls::alpn_protocol), Some(&b"h2"[..]));
    assert!(ws.get_ref().tls().and_then(sheave::tls::peer_certificates).is_some());
    converse(&mut ws).await;
    let mut other = soon(client.connect(peer.wss("/"))).await.unwrap();
    assert_eq!(other.connection_id(), ws.connection_id());
    converse(&mut other).await;
    assert_eq!(peer.accepted(), 1);
}

/// Everything that an extended CONNECT has, and nothing of HTTP/1.1's.
#[tokio::test]
async fn the_request() {
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let peer = Peer::h2c(taking(), move |request: Request<RecvStream>, respond| {
        let (head, body) = request.into_parts();
        *noted.lock().unwrap() = Some(Request::from_parts(head.clone(), ()));
        echo(Request::from_parts(head, body), respond)
    })
    .await;
    let config = sheave::Config::default().deflate(sheave::DeflateConfig::default());
    let client = h2_only().config(config).build();
    let request = client.request(peer.ws("/chat?room=1")).subprotocol("a").subprotocol("b");
    let request = request.origin("https://example.org").header("x-own", "yes").header("cookie", "a=b");
    let mut ws = soon(request.connect()).await.unwrap();
    converse(&mut ws).await;
    let request = seen.lock().unwrap().take().unwrap();
    assert_eq!(request.method(), Method::CONNECT);
    assert_eq!(request.extensions().get::<Protocol>(), Some(&Protocol::websocket()));
    let url = format!("http://{}/chat?room=1", peer.address);
    assert_eq!(request.uri().to_string(), url);
    let headers = request.headers();
    for (name, value) in [
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "a, b"),
        ("origin", "https://example.org"),
        ("x-own", "yes"),
        ("cookie", "a=b"),
    ] {
        assert_eq!(headers.get(name).map(|value| value.to_str().unwrap()), Some(value), "{name}");
    }
    assert!(headers["sec-websocket-extensions"].to_str().unwrap().starts_with("permessage-deflate"));
    // nghttpx forwards a key beside its own, and the server behind it refuses that.
    for name in ["sec-websocket-key", "connection", "upgrade", "host"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

/// HAProxy sends one that nobody asked for.
#[tokio::test]
async fn an_accept_is_ignored() {
    for status in [200, 201] {
        let peer =
            Peer::h2c(taking(), move |request: Request<RecvStream>, respond: SendResponse| async move {
                let response = Response::builder().status(status).header("sec-websocket-accept", "nonsense");
                let stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
                let mut ws = support::peer::socket(request.into_body(), stream);
                ws.send("open").await.unwrap();
                pending::<()>().await;
            })
            .await;
        let mut ws = soon(h2_only().build().connect(peer.ws("/"))).await.unwrap();
        assert_eq!(ws.handshake_response().unwrap().status(), status);
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("open")));
    }
}

#[tokio::test]
async fn interim_responses_come_first() {
    let peer = Peer::h2c(taking(), |request: Request<RecvStream>, mut respond: SendResponse| async move {
        let early = Response::builder().status(103).header("link", "</x>").body(()).unwrap();
        respond.send_informational(early).unwrap();
        echo(request, respond).await;
    })
    .await;
    converse(&mut soon(h2_only().build().connect(peer.ws("/"))).await.unwrap()).await;
}

#[tokio::test]
async fn what_was_agreed_on() {
    let peer = Peer::h2c(taking(), |_: Request<RecvStream>, respond: SendResponse| async move {
        let response = Response::builder().header("sec-websocket-protocol", "b");
        let _stream = respond.send_response(response.body(()).unwrap(), false);
        pending::<()>().await;
    })
    .await;
    let client = h2_only().build();
    let ws = soon(client.request(peer.ws("/")).subprotocol("a").subprotocol("b").connect()).await.unwrap();
    assert_eq!(ws.subprotocol(), Some("b"));
}

/// What was not asked for opens nothing; the stream is reset, and the connection goes on.
#[tokio::test]
async fn wrong_answers() {
    type Check = fn(&HandshakeError) -> bool;
    let cases: [(&str, &str, Check); 3] = [
        (
            "sec-websocket-protocol",
            "c",
            |error| matches!(error, HandshakeError::UnexpectedSubprotocol(name) if name == "c"),
        ),
        ("sec-websocket-extensions", "permessage-deflate", |error| {
            matches!(error, HandshakeError::UnexpectedExtension(_))
        }),
        ("sec-websocket-extensions", ";", |error| matches!(error, HandshakeError::MalformedExtensions(_))),
    ];
    for (name, value, expected) in cases {
        let (near, far) = duplex(64 << 10);
        let request = h2_only().build().request("ws://example.org/").subprotocol("a");
        let opening = tokio::spawn(request.connect_over(near));
        let mut frames = Frames::taking(far).await;
        assert_eq!(frames.next().await, "HEADERS 1");
        frames.headers(1, &[OK, &field(name, value)].concat(), false).await;
        let Err(Error::WebSocket(ws::Error::Handshake(error))) = soon(opening).await.unwrap() else {
            panic!("{name}: {value}")
        };
        assert!(expected(&error), "{error:?}");
        assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
        // Nothing needs it any more.
        assert_eq!(frames.next().await, "GOAWAY NO_ERROR");
        assert_eq!(frames.next().await, "end");
    }
    // The next one has the connection.
    let peer = Peer::h2c(taking(), |request: Request<RecvStream>, respond: SendResponse| async move {
        if request.uri().path() == "/wrong" {
            let response = Response::builder().header("sec-websocket-protocol", "c").body(()).unwrap();
            let stream = respond.send_response(response, false).unwrap();
            let _ = support::peer::socket(request.into_body(), stream).recv().await;
        } else {
            echo(request, respond).await;
        }
    })
    .await;
    let client = h2_only().build();
    let error = soon(client.connect(peer.ws("/wrong"))).await.unwrap_err();
    assert!(matches!(error, Error::WebSocket(ws::Error::Handshake(_))), "{error:?}");
    converse(&mut soon(client.connect(peer.ws("/"))).await.unwrap()).await;
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn refusals() {
    for status in [404, 403, 501, 500, 401, 100 + 200] {
        let peer = answering(move || {
            let response = Response::builder().status(status).header("x-why", "because");
            response.body(&b"this is why"[..]).unwrap()
        })
        .await;
        let rejection = refused(&peer).await;
        assert_eq!(rejection.status(), status);
        assert_eq!(rejection.headers()["x-why"], "because");
        assert_eq!(&rejection.body()[..], b"this is why");
        assert!(!rejection.is_truncated());
        assert_eq!(rejection.response().version(), Version::HTTP_2);
    }
    // Without a body.
    let peer = answering(|| Response::builder().status(404).body(&b""[..]).unwrap()).await;
    let rejection = refused(&peer).await;
    assert!(rejection.body().is_empty() && !rejection.is_truncated());
}

#[tokio::test]
async fn a_refusal_s_body_is_bounded() {
    const MOST: usize = Rejection::MAX_BODY;
    static BODY: [u8; MOST + 1] = [b'x'; MOST + 1];
    for length in [MOST, MOST + 1] {
        let peer = answering(move || Response::builder().status(404).body(&BODY[..length]).unwrap()).await;
        let rejection = refused(&peer).await;
        assert_eq!((rejection.body().len(), rejection.is_truncated()), (MOST, length > MOST));
    }
}

/// A server that wants no more of the request resets the stream behind its answer (RFC 9113 §8.1).
#[tokio::test]
async fn a_refusal_before_a_reset() {
    let (near, far) = duplex(64 << 10);
    let opening = tokio::spawn(h2_only().build().request("ws://example.org/").connect_over(near));
    let mut frames = Frames::taking(far).await;
    assert_eq!(frames.next().await, "HEADERS 1");
    frames.headers(1, &[0x8d], false).await;
    frames.data(1, b"no", true).await;
    frames.reset(1, h2::ErrorCode::NO_ERROR).await;
    let error = soon(opening).await.unwrap().unwrap_err();
    let rejection = error.rejection().unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!((&rejection.body()[..], rejection.is_truncated()), (&b"no"[..], false));
    assert_eq!(frames.next().await, "GOAWAY NO_ERROR");
}

/// A server that does not end its body, or breaks it off, has refused nevertheless.
#[tokio::test(start_paused = true)]
async fn a_refusal_s_body_without_an_end() {
    let not_found = &[0x8d];
    for breaks in [false, true] {
        let (near, far) = duplex(64 << 10);
        let opening = tokio::spawn(h2_only().build().request("ws://example.org/").connect_over(near));
        let mut frames = Frames::taking(far).await;
        assert_eq!(frames.next().await, "HEADERS 1");
        frames.headers(1, not_found, false).await;
        frames.data(1, b"no", false).await;
        if breaks {
            frames.reset(1, h2::ErrorCode::INTERNAL_ERROR).await;
        }
        let error = soon(opening).await.unwrap().unwrap_err();
        let rejection = error.rejection().unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(rejection.status(), StatusCode::NOT_FOUND);
        assert_eq!((&rejection.body()[..], rejection.is_truncated()), (&b"no"[..], true));
        if !breaks {
            assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer() {
    let (near, far) = duplex(64 << 10);
    let client = h2_only().handshake_timeout(Duration::from_secs(3)).build();
    let begun = tokio::time::Instant::now();
    let opening = tokio::spawn(client.request("ws://example.org/").connect_over(near));
    let mut frames = Frames::taking(far).await;
    assert_eq!(frames.next().await, "HEADERS 1");
    let error = soon(opening).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::WebSocket(ws::Error::Timeout(ws::Timeout::Handshake))), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 3);
    assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
}

#[tokio::test]
async fn too_many_headers() {
    let peer = answering(|| {
        let response = Response::builder().header("a", "1").header("b", "2").header("c", "3");
        response.body(&b""[..]).unwrap()
    })
    .await;
    let client = h2_only().head_limits(HeadLimits::default().headers(2)).build();
    let error = soon(client.connect(peer.ws("/"))).await.unwrap_err();
    let too_many = HandshakeError::TooManyHeaders { limit: 2 };
    assert!(
        matches!(&error, Error::WebSocket(ws::Error::Handshake(error)) if *error == too_many),
        "{error:?}"
    );
}

/// As over HTTP/1.1: followed as often as wanted, with credentials for the same origin alone.
#[tokio::test]
async fn redirects() {
    let redirect = |request: Request<RecvStream>, respond: SendResponse| async move {
        let Some(location) = request.uri().query().map(str::to_owned) else {
            let told = ["cookie", "authorization"].map(|name| request.headers().contains_key(name));
            let stream = respond.send_response(Response::new(()), false).unwrap();
            let mut ws = support::peer::socket(request.into_body(), stream);
            ws.send(format!("{told:?}")).await.unwrap();
            return pending().await;
        };
        let response = Response::builder().status(307).header("location", location).body(()).unwrap();
        let _ = respond.send_response(response, true);
    };
    let (first, second) = (Peer::h2c(taking(), redirect).await, Peer::h2c(taking(), redirect).await);
    let client = h2_only().max_redirects(1).build();
    let elsewhere = second.ws("/b");
    for (location, told, peer) in [("/b", "[true, true]", &first), (&*elsewhere, "[false, false]", &second)] {
        let request = client.request(first.ws(&format!("/a?{location}")));
        let request = request.header("cookie", "a=b").header("authorization", "me");
        let mut ws = soon(request.connect()).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from(told)));
        assert_eq!((ws.version(), peer.accepted()), (Version::HTTP_2, 1));
    }
    // Where they are not followed, they are told.
    let error = soon(h2_only().build().connect(first.ws("/a?/b"))).await.unwrap_err();
    assert_eq!(error.rejection().unwrap().location(), Some("/b"));
    let error = soon(client.connect(first.ws("/a?/b?/c"))).await.unwrap_err();
    assert_eq!(error.rejection().unwrap().location(), Some("/c"));
    // Both have one connection, and the client that did not follow had its own.
    assert_eq!((first.accepted(), second.accepted()), (2, 1));
}

/// libwebsockets begins with a window of 0, and opens it stream by stream.
#[tokio::test]
async fn an_initial_window_of_zero() {
    let (near, far) = duplex(64 << 10);
    let opening = tokio::spawn(h2_only().build().request("ws://example.org/").connect_over(near));
    let mut frames = Frames::accept(far).await;
    frames.settings(&[TAKES_WEBSOCKETS, Setting { id: Setting::INITIAL_WINDOW_SIZE, value: 0 }]).await;
    assert_eq!(frames.open().await, 1);
    let mut ws = soon(opening).await.unwrap().unwrap();
    let sending = tokio::spawn(async move {
        ws.send("hello").await.unwrap();
        ws
    });
    // Only so much may come: a byte, and then the rest.
    frames.window_update(1, 1).await;
    assert_eq!(frames.next().await, "DATA 1");
    assert_eq!(frames.payload, [0x81]);
    frames.window_update(1, 100).await;
    assert_eq!(frames.next().await, "DATA 1");
    assert_eq!(frames.payload.len(), 1 + 4 + 5);
    soon(sending).await.unwrap();
}

/// A request that cannot be said in HTTP/2, or is larger than the server takes, is told apart.
#[tokio::test]
async fn requests_that_cannot_be_made() {
    let peer = Peer::h2c(taking().max_header_list_size(512), echo).await;
    let client = h2_only().build();
    let long = "x".repeat(600);
    let error = soon(client.request(peer.ws("/")).header("x-long", long).connect()).await.unwrap_err();
    let too_large =
        |error: &Error| matches!(error, Error::Http2(h2::Error::Usage(h2::Usage::HeaderListTooLarge)));
    assert!(too_large(&error), "{error:?}");
    converse(&mut soon(client.connect(peer.ws("/"))).await.unwrap()).await;
    assert_eq!(peer.accepted(), 1);
}

/// Without TLS, HTTP/2 is spoken only if nothing else is.
#[tokio::test]
async fn plain_text_is_http1_by_default() {
    let peer = Peer::start(|tcp, _| support::peer::echo_http1(tcp)).await;
    let client = Client::default();
    let mut ws = soon(client.connect(peer.ws("/"))).await.unwrap();
    assert_eq!(ws.version(), Version::HTTP_11);
    converse(&mut ws).await;
    let (near, far) = duplex(64 << 10);
    tokio::spawn(support::peer::echo_http1(far));
    let mut ws = soon(client.request("ws://example.org/").connect_over(near)).await.unwrap();
    assert_eq!(ws.version(), Version::HTTP_11);
    converse(&mut ws).await;
}

/// One stream, one WebSocket; the connection ends with it.
#[tokio::test]
async fn over_a_stream_of_the_caller_s() {
    let (near, far) = duplex(64 << 10);
    let server = tokio::spawn(http2(far, taking(), echo));
    let mut ws = soon(h2_only().build().request("ws://example.org/").connect_over(near)).await.unwrap();
    assert_eq!(ws.version(), Version::HTTP_2);
    converse(&mut ws).await;
    drop(ws);
    soon(server).await.unwrap();
    // With TLS in between.
    let tls = Tls::new();
    let (near, far) = duplex(64 << 10);
    let config = tls.server().with_alpn(&[b"h2"]);
    let server = tokio::spawn(async move { http2(config.accept(far).await.unwrap(), taking(), echo).await });
    let client = tls.client().versions(sheave::Versions::Http2Only).build();
    let mut ws = soon(client.request("wss://localhost/").connect_over(near)).await.unwrap();
    assert!(ws.get_ref().is_encrypted());
    converse(&mut ws).await;
    soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    drop(ws);
    soon(server).await.unwrap();
}
