//! Requests over HTTP/2 that are refused or odd, and what else the connection then still does (RFC 8441, RFC 9113 §8).
//!
//! The numbers of the interop points are those of what real programs were seen to do.

mod support;

use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use sheave::h2::ErrorCode;
use sheave::{Error, OriginPolicy, Request, ws};
use support::frames::{CONNECT, Frames, GET, Seen, last, unmasked};
use support::http2::{Http2, request};
use support::raw::{ACCEPT, CLOSE, KEY, TEXT, close};
use support::{echo, mirror, soon, start};
use tokio::net::TcpStream;

type Fields<'a> = &'a [(&'a str, &'a str)];

/// An echo on stream 1, opened before, and after what the test does unharmed.
struct Neighbour(Frames<TcpStream>);

impl Neighbour {
    async fn dial(address: std::net::SocketAddr) -> Self {
        let mut client = Frames::dial(address).await;
        client.open(1).await;
        Self(client)
    }

    async fn is_unharmed(&mut self) {
        self.0.frame(1, TEXT, b"still there").await;
        assert_eq!(self.0.take(1, 13).await, unmasked(TEXT, b"still there"));
    }
}

/// Field sections that ask for a WebSocket in other words: those of [`CONNECT`] with changes. An empty value leaves a field out.
fn connect_with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = CONNECT.to_vec();
    for &(name, value) in changes {
        fields.retain(|(known, _)| *known != name || name == "host");
        if value.is_empty() {
            continue;
        }
        match name.starts_with(':') {
            true => fields.insert(0, (name, value)),
            false => fields.push((name, value)),
        }
    }
    fields
}

/// Interop point 5 among others: what is refused is so with a status and a reason, and nothing else happens.
#[tokio::test]
async fn refusals_have_a_status_and_a_reason() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Neighbour::dial(server.address).await;
    let plain_connect = [(":method", "CONNECT"), (":authority", "example.org:443")];
    let version = "sec-websocket-version";
    let cases: &[(Fields<'_>, u16, &str)] = &[
        (&plain_connect, 405, "there are no tunnels here"),
        (&connect_with(&[(":protocol", "connect-udp")]), 501, "only WebSocket is spoken here"),
        (&connect_with(&[(":protocol", "websockets")]), 501, "only WebSocket is spoken here"),
        (&connect_with(&[(version, "")]), 400, ""),
        (&connect_with(&[(version, "8")]), 400, "Sec-WebSocket-Version must be 13"),
        (&connect_with(&[(version, "013")]), 400, "Sec-WebSocket-Version must be 13"),
        (&connect_with(&[(":authority", "")]), 400, "invalid :authority"),
        (&connect_with(&[("origin", "https://evil.example")]), 403, ""),
        (&connect_with(&[("origin", "null")]), 403, ""),
        (&connect_with(&[("sec-websocket-protocol", "a,,b c")]), 400, ""),
        (&connect_with(&[("sec-websocket-extensions", "permessage-deflate; =")]), 400, ""),
    ];
    for (stream, (fields, status, why)) in (3..).step_by(2).zip(cases) {
        client.0.request(stream, fields, false).await;
        let (answered, headers, body) = client.0.whole(stream).await;
        let body = String::from_utf8(body).unwrap();
        assert_eq!(answered, *status, "{fields:?}: {body}");
        assert!(body.contains(why) && !body.is_empty(), "{fields:?}: {body}");
        assert_eq!(headers[CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(headers[CONTENT_LENGTH], body.len().to_string());
        assert!(!headers.contains_key("connection") && !headers.contains_key("upgrade"), "{headers:?}");
        // RFC 9113 §8.1: what would follow on the stream is not wanted.
        assert_eq!(client.0.see().await, Seen::Reset(stream, ErrorCode::NO_ERROR));
    }
    client.is_unharmed().await;
    drop(client);
    server.stop().await;
}

/// A wrong version is told which would do (RFC 6455 §4.4).
#[tokio::test]
async fn a_wrong_version_is_told_the_right_one() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Frames::dial(server.address).await;
    client.request(1, &connect_with(&[("sec-websocket-version", "7")]), false).await;
    let (status, headers, _) = client.whole(1).await;
    assert_eq!((status, &headers["sec-websocket-version"]), (400, &"13".parse().unwrap()));
    drop(client);
    server.stop().await;
}

/// Interop point 4: what is malformed ends its own stream, and nobody else's.
#[tokio::test]
async fn malformed_requests_are_stream_errors() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Neighbour::dial(server.address).await;
    let cases: &[&[(&str, &str)]] = &[
        &connect_with(&[(":path", "")]),
        &connect_with(&[(":scheme", "")]),
        &connect_with(&[(":path", ""), (":scheme", "")]),
        &connect_with(&[(":method", "GET")]),
        &connect_with(&[("upgrade", "websocket")]),
        &connect_with(&[("connection", "Upgrade")]),
        &connect_with(&[("host", "elsewhere.example")]),
        &connect_with(&[(":protocol", "web socket")]),
        &[(":method", "GET"), (":scheme", "http"), (":authority", "example.org")],
    ];
    for (stream, fields) in (3..).step_by(2).zip(cases) {
        client.0.request(stream, fields, false).await;
        assert_eq!(client.0.see().await, Seen::Reset(stream, ErrorCode::PROTOCOL_ERROR), "{fields:?}");
    }
    client.is_unharmed().await;
    drop(client);
    server.stop().await;
}

/// Interop points 2, 3 and 4: what some clients send besides, or in other words, is taken, and the answer is 200.
#[tokio::test]
async fn odd_requests_are_taken() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Frames::dial(server.address).await;
    let reversed: Vec<_> = CONNECT[..5].iter().rev().chain(&CONNECT[5..]).copied().collect();
    let cases: &[(Fields<'_>, Option<&str>)] = &[
        (&CONNECT, None),
        (&reversed, None),
        (&connect_with(&[(":scheme", "wss")]), None),
        (&connect_with(&[(":scheme", "https")]), None),
        (&connect_with(&[("host", "example.org")]), None),
        (&connect_with(&[(":authority", ""), ("host", "example.org")]), None),
        (&connect_with(&[(":protocol", "WebSocket")]), None),
        (&connect_with(&[("origin", "http://example.org")]), None),
        (&connect_with(&[("sec-websocket-key", KEY)]), Some(ACCEPT)),
        // No key that could be answered: it is not used anyhow.
        (&connect_with(&[("sec-websocket-key", "short")]), None),
        (&connect_with(&[("content-length", "0")]), None),
    ];
    for (stream, (fields, accept)) in (1..).step_by(2).zip(cases) {
        client.request(stream, fields, false).await;
        let Seen::Headers { status, headers, end, .. } = client.see().await else { panic!("{fields:?}") };
        assert_eq!((status, end), (200, false), "{fields:?}");
        let answered = headers.get("sec-websocket-accept").map(|accept| accept.to_str().unwrap());
        assert_eq!(answered, *accept, "{fields:?}");
        for name in ["connection", "upgrade", "content-length", "transfer-encoding"] {
            assert!(!headers.contains_key(name), "{fields:?}: {headers:?}");
        }
        client.frame(stream, TEXT, b"hello").await;
        assert_eq!(client.take(stream, 7).await, unmasked(TEXT, b"hello"), "{fields:?}");
        client.frame(stream, CLOSE, &close(1000)).await;
        assert_eq!(client.see().await, last(stream, &unmasked(CLOSE, &close(1000))));
    }
    drop(client);
    server.stop().await;
}

/// Interop point 1: the setting comes first of all, and a client need not wait for it.
#[tokio::test]
async fn a_connect_before_any_settings() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Frames::new(TcpStream::connect(server.address).await.unwrap());
    // All at once, with a first message, and our SETTINGS are never acknowledged.
    let mut bytes = support::frames::preface(&[]);
    bytes.extend_from_slice(&client.headers(1, &CONNECT, false));
    bytes.extend_from_slice(&support::frames::data_frame(1, &support::raw::frame(TEXT, b"hello"), false));
    client.send(bytes).await;
    let first = client.next().await;
    let Some(Seen::Settings(settings)) = first else { panic!("{first:?}") };
    assert!(settings.contains(&(0x8, 1)), "ENABLE_CONNECT_PROTOCOL: {settings:?}");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match client.next().await.unwrap() {
            Seen::SettingsAck | Seen::Credit(..) => {}
            frame => seen.push(frame),
        }
    }
    assert!(matches!(seen[0], Seen::Headers { stream: 1, status: 200, end: false, .. }), "{seen:?}");
    assert_eq!(seen[1], support::frames::some(1, &unmasked(TEXT, b"hello")));
    drop(client);
    server.stop().await;
}

/// Interop point 6: the connection's window holds much more than one stream's.
#[tokio::test]
async fn the_connections_window_is_large() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Frames::new(TcpStream::connect(server.address).await.unwrap());
    client.send(support::frames::preface(&[])).await;
    let granted = loop {
        match client.next().await.unwrap() {
            Seen::Credit(0, increment) => break increment + 65_535,
            Seen::Settings(_) | Seen::SettingsAck => {}
            seen => panic!("{seen:?}"),
        }
    };
    assert!(granted >= 1 << 20, "{granted}");
    drop(client);
    server.stop().await;
}

async fn rejecting(request: Request) -> Result<(), Error> {
    let status = request.path()[1..].parse().unwrap();
    match request.headers().contains_key("x-plain") {
        true => request.reject(status, "a reason").await,
        false => {
            let response = Response::builder()
                .status(status)
                .header("x-why", "because")
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2")
                // Nothing of one connection reaches the client.
                .header("connection", "close, x-why")
                .header("keep-alive", "timeout=5")
                .header("proxy-connection", "close")
                .header("transfer-encoding", "chunked")
                .header("upgrade", "websocket")
                .header("te", "gzip")
                .body("a body")
                .unwrap();
            request.respond(response).await
        }
    }
}

#[tokio::test]
async fn rejections_of_the_handlers_own() {
    let server = start(|builder| builder, rejecting).await;
    let mut client = Frames::dial(server.address).await;
    let mut stream = 1;
    for status in [200, 204, 205, 301, 302, 304, 400, 401, 403, 404, 421, 429, 500, 503, 599, 999] {
        for plain in [false, true] {
            for is_connect in [false, true] {
                let path = format!("/{status}");
                let base: &[_] = if is_connect { &CONNECT } else { &GET };
                let mut fields: Vec<_> = base
                    .iter()
                    .map(|&(name, value)| (name, if name == ":path" { &path } else { value }))
                    .collect();
                if plain {
                    fields.push(("x-plain", "1"));
                }
                client.request(stream, &fields, true).await;
                let (answered, headers, body) = client.whole(stream).await;
                if is_connect && status < 300 {
                    // The client would take it for a WebSocket.
                    assert_eq!(answered, 500, "{status} {plain}");
                    stream += 2;
                    continue;
                }
                assert_eq!(answered, status, "{plain} {is_connect}");
                let body = String::from_utf8(body).unwrap();
                match (status, plain) {
                    (204 | 205 | 304, _) => assert_eq!(body, ""),
                    (_, true) => assert_eq!(body, "a reason"),
                    (_, false) => assert_eq!(body, "a body"),
                }
                if !plain {
                    assert_eq!(headers["x-why"], "because");
                    assert!(headers.get_all("set-cookie").iter().eq(["a=1", "b=2"]));
                }
                for name in
                    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"]
                {
                    assert!(!headers.contains_key(name), "{status} {plain}: {headers:?}");
                }
                stream += 2;
            }
        }
    }
    drop(client);
    server.stop().await;
}

/// What is no answer in HTTP/2 is the handler's error, and the client hears of it.
#[tokio::test]
async fn an_answer_that_is_none() {
    let (errors, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = start(
        |builder| builder,
        move |request: Request| {
            let errors = errors.clone();
            async move {
                let status = request.path()[1..].parse().unwrap();
                let result = request.reject(status, "").await;
                errors.send(result.as_ref().err().map(ToString::to_string)).unwrap();
                result
            }
        },
    )
    .await;
    let mut client = Http2::dial(server.address).await;
    for status in [100, 101, 103] {
        let answer = client.get(&format!("/{status}")).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let error = soon(told.recv()).await.unwrap();
        assert!(error.is_some(), "{status}");
    }
    assert_eq!(client.get("/200").await.status(), StatusCode::OK);
    drop(client);
    server.stop().await;
}

/// There is no upgrade that could be required of an ordinary request: it is told what is spoken here.
#[tokio::test]
async fn an_ordinary_request_that_is_accepted() {
    let (errors, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = start(
        |builder| builder,
        move |request: Request| {
            let errors = errors.clone();
            async move {
                let result = echo(request).await;
                if let Err(error) = &result {
                    errors.send(error.to_string()).unwrap();
                }
                result
            }
        },
    )
    .await;
    let mut client = Http2::dial(server.address).await;
    let answer = client.get("/").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.body(), "only WebSocket is spoken here");
    assert!(!answer.headers().contains_key("upgrade"));
    assert!(soon(told.recv()).await.unwrap().contains("400"));
    let mut ws = client.open().await;
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
    drop((ws, client));
    server.stop().await;
}

/// Headers and a subprotocol that an acceptance cannot have are the handler's errors: the client hears 500.
#[tokio::test]
async fn acceptances_that_cannot_be() {
    let server = start(
        |builder| builder.subprotocols(["chat"]),
        |request: Request| async move {
            let path = request.path().to_owned();
            let accepting = request.accepting();
            let accepting = match &path[..] {
                "/reserved" => accepting.header("connection", "close"),
                "/name" => accepting.header("not a name", "x"),
                "/value" => accepting.header("x-y", "a\nb"),
                "/subprotocol" => accepting.subprotocol("never offered"),
                _ => accepting.header("x-fine", "1").header("x-fine", "2"),
            };
            let mut ws = accepting.accept().await?;
            assert_eq!(ws.subprotocol(), Some("chat"));
            while ws.recv().await?.is_some() {}
            Ok(())
        },
    )
    .await;
    let mut client = Frames::dial(server.address).await;
    let more = [("sec-websocket-protocol", "other, chat")];
    for (stream, path) in [(1, "/reserved"), (3, "/name"), (5, "/value"), (7, "/subprotocol")] {
        let fields = connect_with(&[(":path", path), more[0]]);
        client.request(stream, &fields, true).await;
        assert_eq!(client.answer(stream).await.0, 500, "{path}");
    }
    client.request(9, &connect_with(&[(":path", "/fine"), more[0]]), false).await;
    let Seen::Headers { status: 200, headers, .. } = client.see().await else { panic!() };
    assert!(headers.get_all("x-fine").iter().eq(["1", "2"]));
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    drop(client);
    server.stop().await;
}

/// Whoever may connect is asked over HTTP/2 as over HTTP/1.1; a policy that panics hurts nobody else.
#[tokio::test]
async fn the_origin_policy() {
    let policy = OriginPolicy::custom(|origin| match origin {
        "https://panic.example" => panic!("as asked"),
        origin => origin == "https://friend.example",
    });
    let server = start(|builder| builder.origin(policy), mirror).await;
    let mut client = Neighbour::dial(server.address).await;
    for (stream, origin, status) in [
        (3, "https://friend.example", 200),
        (5, "https://example.org", 403),
        (7, "https://panic.example", 500),
    ] {
        client.0.request(stream, &connect_with(&[("origin", origin)]), false).await;
        let Seen::Headers { status: answered, end, .. } = client.0.see().await else { panic!() };
        assert_eq!(answered, status, "{origin}");
        if !end && status != 200 {
            while !matches!(client.0.see().await, Seen::Data { end: true, .. }) {}
        }
        if status != 200 {
            assert_eq!(client.0.see().await, Seen::Reset(stream, ErrorCode::NO_ERROR));
        }
    }
    client.is_unharmed().await;
    drop(client);
    server.stop().await;
}

/// More fields than are borne are refused by status, on their own stream.
#[tokio::test]
async fn too_many_fields() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Neighbour::dial(server.address).await;
    let large = "x".repeat(15_000);
    let mut fields = connect_with(&[]);
    fields.push(("x-large", &large));
    let frame = client.0.headers(3, &fields, false);
    client.0.send(frame).await;
    client.0.is_opened(3).await;
    let many: Vec<_> = [("x-many", "a value of some length, so that there is a sum"); 900].to_vec();
    let fields = [&connect_with(&[])[..], &many].concat();
    client.0.request(5, &fields, false).await;
    let Seen::Headers { stream: 5, status: 431, end: true, .. } = client.0.see().await else { panic!() };
    assert_eq!(client.0.see().await, Seen::Reset(5, ErrorCode::NO_ERROR));
    client.is_unharmed().await;
    drop(client);
    server.stop().await;
}

/// More streams than there may be are refused, and can be asked for again.
#[tokio::test]
async fn too_many_streams() {
    let http2 = sheave::h2::Config::default().max_concurrent_streams(3);
    let server = start(|builder| builder.http2(http2), mirror).await;
    let mut client = Frames::dial(server.address).await;
    assert_eq!(client.setting(0x3), Some(3));
    for stream in [1, 3, 5] {
        client.open(stream).await;
    }
    client.connect(7, &[]).await;
    assert_eq!(client.see().await, Seen::Reset(7, ErrorCode::REFUSED_STREAM));
    client.frame(3, CLOSE, &close(1000)).await;
    assert_eq!(client.see().await, last(3, &unmasked(CLOSE, &close(1000))));
    client.data(3, b"", true).await;
    client.open(9).await;
    drop(client);
    server.stop().await;
}

/// A request that is given up before its answer is the handler's typed error.
#[tokio::test]
async fn a_request_that_is_taken_back() {
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let (errors, mut told) = tokio::sync::mpsc::unbounded_channel();
    let go = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let handlers = std::sync::Arc::clone(&go);
    let server = start(
        |builder| builder,
        move |request: Request| {
            let (begun, errors) = (begun.clone(), errors.clone());
            let go = std::sync::Arc::clone(&handlers);
            async move {
                assert_eq!(request.version(), Version::HTTP_2);
                begun.send(()).unwrap();
                go.acquire().await.unwrap().forget();
                let result = match request.is_websocket() {
                    true => request.accept().await.map(|_| ()),
                    false => request.respond(Response::new("too late")).await,
                };
                errors.send(result).unwrap();
                Ok(())
            }
        },
    )
    .await;
    let mut client = Frames::dial(server.address).await;
    client.connect(1, &[]).await;
    client.request(3, &GET, true).await;
    for _ in 0..2 {
        soon(begins.recv()).await.unwrap();
    }
    client.reset(1, ErrorCode::CANCEL).await;
    client.reset(3, ErrorCode::new(77)).await;
    // What came before is done with by then.
    client.ping(*b"pingping").await;
    assert_eq!(client.see().await, Seen::Pong(*b"pingping"));
    go.add_permits(2);
    for _ in 0..2 {
        let error = soon(told.recv()).await.unwrap().unwrap_err();
        let code = support::http2::reset_code(&error);
        assert!(code == Some(ErrorCode::CANCEL) || code == Some(ErrorCode::new(77)), "{error:?}");
    }
    go.add_permits(1);
    assert_eq!(client.get(5).await, (200, b"too late".to_vec()));
    drop(client);
    server.stop().await;
}

/// The methods that need a body or none, and an unknown one, reach the handler.
#[tokio::test]
async fn other_methods() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Http2::dial(server.address).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = client.ask(request(method.clone(), "/x"), b"body").await;
        assert_eq!(answer.body(), format!("{method} http://example.org/x body").as_bytes());
        assert!(!answer.headers().contains_key(ALLOW));
    }
    drop(client);
    server.stop().await;
}

/// A refused WebSocket is told so in a way that the error of this crate's own types shows.
#[tokio::test]
async fn a_refusal_as_a_client_sees_it() {
    let server = start(|builder| builder, mirror).await;
    let mut client = Http2::dial(server.address).await;
    let mut headers = HeaderMap::new();
    headers.insert("origin", "https://evil.example".parse().unwrap());
    let (response, _send) = client.ask_for(headers, Some("websocket"));
    let response = support::http2::whole(soon(response).await.unwrap()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let reason = ws::handshake::Refusal::new(response.status(), String::from_utf8_lossy(response.body()));
    assert!(!reason.reason().is_empty());
    drop(client);
    server.stop().await;
}
