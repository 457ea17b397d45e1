//! Requests for WebSockets: what is agreed on, what is refused, what each side learns (RFC 6455 §4).

mod support;

use http::{Response, StatusCode};
use sheave::ws::handshake::HandshakeError;
use sheave::{Client, Error, OriginPolicy, Request, ServerBuilder, ws};
use support::raw::{Raw, Reply, upgrade};
use support::{certificate, detached, echo, soon, start};

#[tokio::test]
async fn subprotocols_of_the_server() {
    let server = start(
        |builder| builder.subprotocols(["v1", "v2"]),
        |request: Request| async move {
            let mut ws = request.accept().await?;
            let agreed = ws.subprotocol().unwrap_or("none").to_owned();
            Ok(ws.send(agreed).await?)
        },
    )
    .await;
    let client = Client::default();
    // The client's preference decides.
    for (offered, agreed) in [
        (&["v1"][..], Some("v1")),
        (&["v2", "v1"], Some("v2")),
        (&["v3", "v1"], Some("v1")),
        (&["v3"], None),
        (&[], None),
    ] {
        let request = client.request(server.url("/"));
        let request = offered.iter().fold(request, |request, name| request.subprotocol(name));
        let mut ws = soon(request.connect()).await.unwrap();
        assert_eq!(ws.subprotocol(), agreed, "{offered:?}");
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(agreed.unwrap_or("none").into()));
    }
    server.stop().await;
}

#[tokio::test]
async fn subprotocols_of_the_handler() {
    let server = start(
        |builder| builder.subprotocols(["v1"]),
        |request: Request| async move {
            let chosen = request.path()[1..].to_owned();
            assert_eq!(request.subprotocols(), ["v1", "v2"]);
            let mut ws = match request.accepting().subprotocol(chosen).accept().await {
                Err(error @ Error::WebSocket(ws::Error::Handshake(_))) => {
                    let Error::WebSocket(ws::Error::Handshake(misuse)) = &error else { unreachable!() };
                    assert!(misuse.is_misuse(), "{misuse}");
                    return Err(error);
                }
                ws => ws?,
            };
            ws.recv().await?;
            Ok(())
        },
    )
    .await;
    for (chosen, agreed) in [("v2", Some("v2")), ("v1", Some("v1")), ("v3", None), ("", None)] {
        let client = Client::default();
        let request = client.request(server.url(&format!("/{chosen}"))).subprotocol("v1").subprotocol("v2");
        match (soon(request.connect()).await, agreed) {
            (Ok(ws), Some(agreed)) => assert_eq!(ws.subprotocol(), Some(agreed)),
            (Err(error), None) => {
                let rejection = error.rejection().unwrap();
                assert_eq!(rejection.status(), 500);
                // The server's own mistakes are not the client's business.
                assert_eq!(&rejection.body()[..], b"Internal Server Error");
            }
            other => panic!("{chosen}: {other:?}"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn headers_both_ways() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let told: Vec<_> = request.headers().get_all("x-told").iter().cloned().collect();
            let agent = request.headers()["user-agent"].clone();
            let accepting = request.accepting().header("x-agent", agent).header("set-cookie", "a=b");
            let accepting =
                told.into_iter().fold(accepting, |accepting, told| accepting.header("x-told", told));
            accepting.header("set-cookie", "c=d").accept().await.map(drop)
        },
    )
    .await;
    let client = Client::default();
    let request = client.request(server.url("/")).header("User-Agent", "test").header("x-told", "one");
    let ws = soon(request.header("x-told", "two").connect()).await.unwrap();
    let answer = ws.handshake_response().unwrap().headers();
    assert_eq!(answer["x-agent"], "test");
    assert_eq!(answer.get_all("x-told").iter().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(answer.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=b", "c=d"]);
    drop(ws);
    server.stop().await;
}

/// What the handshake decides on, nobody else sets; what is no header is told where it is awaited.
#[tokio::test]
async fn headers_of_the_handshake() {
    for (name, value) in [
        ("sec-websocket-accept", "x"),
        ("connection", "x"),
        ("content-length", "0"),
        ("a b", "x"),
        ("x", "a\r\nb: c"),
    ] {
        let (near, task) = detached(
            |builder| builder,
            move |request: Request| async move {
                let ws = request.accepting().header(name, value).header("fine", "fine").accept().await;
                ws.map(drop)
            },
        )
        .await;
        let reply = Raw::new(near).ask(upgrade("")).await;
        assert_eq!((reply.status, reply.header("b")), (500, None), "{name}");
        let ended = soon(task).await.unwrap();
        assert!(
            matches!(&ended, Err(Error::WebSocket(ws::Error::Handshake(e))) if e.is_misuse()),
            "{ended:?}"
        );

        let request =
            Client::default().request("ws://127.0.0.1:1").header(name, value).header("fine", "fine");
        let failed = soon(request.connect()).await;
        assert!(
            matches!(&failed, Err(Error::WebSocket(ws::Error::Handshake(e))) if e.is_misuse()),
            "{failed:?}"
        );
    }
    for url in ["", "example.org", "ftp://example.org", "ws://", "ws://a#b", "ws://a:99999", "/x", "ws:///x"]
    {
        let failed = soon(sheave::connect(url)).await;
        let invalid = |error: &HandshakeError| matches!(error, HandshakeError::InvalidUri(_));
        assert!(
            matches!(&failed, Err(Error::WebSocket(ws::Error::Handshake(error))) if invalid(error)),
            "{url}: {failed:?}"
        );
    }
}

/// What the server answers to this request for a WebSocket.
async fn answer(configure: impl FnOnce(ServerBuilder) -> ServerBuilder, bytes: &str) -> Reply {
    let (near, task) = detached(configure, echo).await;
    let mut client = Raw::new(near);
    let reply = client.ask(bytes).await;
    drop(client);
    let _ = soon(task).await.unwrap();
    reply
}

#[tokio::test]
async fn origins() {
    let listed = || OriginPolicy::allowed(["https://good.example", "https://*.better.example"]);
    let odd = || OriginPolicy::custom(|origin| origin.len() % 2 == 1);
    for (policy, origin, status) in [
        (OriginPolicy::SameOrigin, "Origin: http://example.org\r\n", 101),
        (OriginPolicy::SameOrigin, "Origin: https://example.org\r\n", 101),
        (OriginPolicy::SameOrigin, "", 101),
        (OriginPolicy::SameOrigin, "Origin: http://evil.example\r\n", 403),
        (OriginPolicy::SameOrigin, "Origin: http://example.org.evil.example\r\n", 403),
        (OriginPolicy::SameOrigin, "Origin: http://example.org:8080\r\n", 403),
        (OriginPolicy::SameOrigin, "Origin: null\r\n", 403),
        (OriginPolicy::SameOrigin, "Origin: \r\n", 403),
        (OriginPolicy::SameOrigin, "Origin: http://example.org\r\nOrigin: http://evil.example\r\n", 403),
        (OriginPolicy::Any, "Origin: http://evil.example\r\n", 101),
        (listed(), "Origin: https://good.example\r\n", 101),
        (listed(), "Origin: https://much.better.example\r\n", 101),
        (listed(), "Origin: https://better.example\r\n", 403),
        (listed(), "Origin: http://good.example\r\n", 403),
        (listed(), "Origin: https://example.org\r\n", 403),
        (listed(), "", 101),
        (odd(), "Origin: odd\r\n", 101),
        (odd(), "Origin: even\r\n", 403),
    ] {
        let reply = answer(|builder| builder.origin(policy.clone()), &upgrade(origin)).await;
        assert_eq!(reply.status, status, "{policy:?} {origin:?}");
        assert_eq!(reply.closes() && !reply.body.is_empty(), status != 101);
    }
}

/// It is the caller's code as a handler is.
#[tokio::test]
async fn a_panic_of_the_origin_policy_went_through() {
    let policy = OriginPolicy::custom(|_| panic!("as asked"));
    let (near, task) = detached(|builder| builder.origin(policy), echo).await;
    let mut client = Raw::new(near);
    let reply = client.ask(upgrade("Origin: http://example.org\r\n")).await;
    assert_eq!((reply.status, reply.closes()), (500, true));
    assert!(!reply.body.contains("as asked"));
    assert!(client.rest().await.is_empty());
    drop(client);
    assert!(matches!(soon(task).await.unwrap(), Err(Error::Other(_))));
}

/// A page that came in plain text is none of a server's own that speaks TLS.
#[tokio::test]
async fn the_scheme_of_an_origin() {
    let (tls, client) = certificate();
    let server = start(|builder| builder.tls(tls), echo).await;
    for (scheme, status) in [("https", None), ("http", Some(403))] {
        let origin = format!("{scheme}://{}", server.address);
        let opened =
            soon(client.request(format!("wss://{}/", server.address)).origin(&origin).connect()).await;
        let found = opened.map(drop).map_err(|error| error.rejection().unwrap().status().as_u16());
        assert_eq!(found.err(), status, "{origin}");
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_that_are_not_in_order() {
    let good = upgrade("");
    assert_eq!(answer(|builder| builder, &good).await.status, 101);
    for (from, to, status) in [
        ("Upgrade: websocket", "Upgrade: h2c, WebSocket", 101),
        ("Connection: Upgrade", "Connection: keep-alive, uPGRADE", 101),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade", 101),
        ("Connection: Upgrade", "Connection: keep-alive", 400),
        ("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 8\r\n", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("GET", "POST", 405),
        ("GET", "HEAD", 405),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZXh4", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("Host: example.org\r\n", "", 400),
        ("GET / ", "GET example.org ", 400),
        ("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 101),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a, a\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a b\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: ;\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: unknown; x=\"y\", other\r\n\r\n", 101),
    ] {
        let bytes = good.replacen(from, to, 1);
        let (near, task) = detached(|builder| builder, echo).await;
        let mut client = Raw::new(near);
        client.send(&bytes).await;
        let reply = client.head().await;
        assert_eq!(reply.status, status, "{to:?}: {reply:?}");
        if status == 101 {
            assert_eq!(reply.header("sec-websocket-extensions"), None);
            continue;
        }
        assert!(reply.closes(), "{to:?}");
        match status {
            // RFC 6455 §4.4; RFC 9110 §15.5.22 and §7.8.
            426 => {
                assert_eq!(reply.header("sec-websocket-version").as_deref(), Some("13"));
                assert_eq!(reply.header("upgrade").as_deref(), Some("websocket"));
                assert!(reply.header("connection").unwrap().to_ascii_lowercase().contains("upgrade"));
            }
            405 => assert_eq!(reply.header("allow").as_deref(), Some("GET")),
            _ => {}
        }
        let body = client.input.clone();
        assert_eq!(body.is_empty(), bytes.starts_with("HEAD"), "{to:?}");
        drop(client);
        let _ = soon(task).await.unwrap();
    }
}

/// RFC 9110 §7.8: from HTTP/1.0 an `Upgrade` does not count.
#[tokio::test]
async fn an_upgrade_from_http_1_0_is_an_ordinary_request() {
    let (near, _task) = detached(
        |builder| builder,
        |request: Request| async move {
            assert!(!request.is_websocket());
            request.respond(Response::new("ordinary")).await
        },
    )
    .await;
    let reply = Raw::new(near).ask(upgrade("").replace("HTTP/1.1", "HTTP/1.0")).await;
    assert_eq!((reply.status, &reply.body[..]), (200, "ordinary"));
}

#[tokio::test]
async fn rejections_are_typed() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            match request.path() {
                "/reject" => request.reject(StatusCode::FORBIDDEN, "not you").await,
                "/respond" => {
                    let response =
                        Response::builder().status(401).header("www-authenticate", "Basic").body("who?");
                    request.respond(response.unwrap()).await
                }
                "/ok" => request.respond(Response::new("no WebSocket")).await,
                "/large" => request.respond(Response::new(vec![b'x'; 1 << 20])).await,
                "/fail" => Err(Error::other("secret")),
                "/panic" => panic!("secret"),
                _ => Ok(()),
            }
        },
    )
    .await;
    for (path, status, body) in [
        ("/reject", 403, "not you"),
        ("/respond", 401, "who?"),
        ("/ok", 200, "no WebSocket"),
        ("/fail", 500, "Internal Server Error"),
        ("/panic", 500, "Internal Server Error"),
        ("/drop", 404, "Not Found"),
    ] {
        let error = soon(sheave::connect(server.url(path))).await.unwrap_err();
        let rejection = error.rejection().unwrap_or_else(|| panic!("{path}: {error:?}"));
        assert_eq!((rejection.status().as_u16(), &rejection.body()[..]), (status, body.as_bytes()), "{path}");
        assert!(!rejection.is_truncated());
        assert_eq!(rejection.headers().contains_key("www-authenticate"), path == "/respond");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    let error = soon(sheave::connect(server.url("/large"))).await.unwrap_err();
    let rejection = error.rejection().unwrap();
    assert!(rejection.is_truncated() && rejection.body().len() == ws::handshake::Rejection::MAX_BODY);
    server.stop().await;
}

/// A WebSocket that was asked for and refused leaves the connection to the next request.
#[tokio::test]
async fn a_rejected_connection_goes_on() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let status = if request.is_websocket() { StatusCode::FORBIDDEN } else { StatusCode::OK };
            request.reject(status, "text").await
        },
    )
    .await;
    let mut client = server.raw().await;
    for _ in 0..2 {
        assert_eq!(client.ask(upgrade("")).await.status, 403);
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    }
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn a_websocket_with_limits_of_its_own() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let config = sheave::Config::default().max_message_size(10);
            let mut ws = request.accepting().config(config).accept().await?;
            while ws.recv().await?.is_some() {}
            Ok(())
        },
    )
    .await;
    let mut ws = server.connect().await;
    soon(ws.send("0123456789")).await.unwrap();
    soon(ws.send("0123456789a")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.peer_close().unwrap().code(), sheave::CloseCode::TOO_BIG);
    server.stop().await;
}
