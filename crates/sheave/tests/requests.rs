//! Ordinary requests and their answers (RFC 9110, RFC 9112), as bytes.

mod support;

use std::time::Duration;

use http::{Response, StatusCode};
use sheave::{Error, Request};
use support::raw::{self, Raw};
use support::{detached, mirror, path, soon, start, status};

#[tokio::test]
async fn keep_alive() {
    let server = start(|builder| builder, mirror).await;
    let mut client = server.raw().await;
    for target in ["/one", "/two?three=4", "/"] {
        let reply = client.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &format!("GET {target} ")[..]));
        assert!(!reply.closes() && reply.header("date").is_some());
    }
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start(|builder| builder, mirror).await;
    let mut client = server.raw().await;
    let mut bytes = Vec::new();
    for index in 0..50 {
        let body = "x".repeat(index);
        let request = format!("POST /{index} HTTP/1.1\r\nHost: a\r\nContent-Length: {index}\r\n\r\n{body}");
        bytes.extend_from_slice(request.as_bytes());
    }
    client.send(&bytes).await;
    for index in 0..50 {
        assert_eq!(client.reply().await.body, format!("POST /{index} {}", "x".repeat(index)));
    }
    drop(client);
    server.stop().await;
}

/// What comes in one packet with the FIN is answered, too.
#[tokio::test]
async fn a_client_that_ends_its_direction_is_answered() {
    let server = start(|builder| builder, mirror).await;
    let mut client = server.raw().await;
    client.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.io).await.unwrap();
    assert_eq!(client.reply().await.body, "GET /one ");
    assert_eq!(client.reply().await.body, "GET /two ");
    assert!(client.rest().await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn answers_without_a_body() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let code = request.path()[1..].parse().unwrap();
            let mut response = Response::new("content");
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            request.respond(response).await
        },
    )
    .await;
    let mut client = server.raw().await;
    // RFC 9110 §8.6: a HEAD tells the length, 204 and 1xx must not, 304 may.
    for (method, status, length) in [
        ("GET", 200, Some("7")),
        ("HEAD", 200, Some("7")),
        ("HEAD", 404, Some("7")),
        ("GET", 204, None),
        ("HEAD", 204, None),
        ("GET", 304, Some("7")),
    ] {
        client.send(format!("{method} /{status} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let head = client.head().await;
        assert_eq!((head.status, head.header("content-length").as_deref()), (status, length), "{method}");
        if (method, status) == ("GET", 200) {
            assert_eq!(client.take(7).await, b"content");
        }
    }
    assert!(client.input.is_empty());
    drop(client);
    server.stop().await;
}

/// RFC 9110 §8.6: not a length that the answer to a GET would not have had.
#[tokio::test]
async fn a_304_of_an_unknown_length_has_none() {
    let server =
        start(|builder| builder, |request: Request| request.respond(status(StatusCode::NOT_MODIFIED))).await;
    let mut client = server.raw().await;
    let head = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((head.status, head.header("content-length")), (304, None));
    drop(client);
    server.stop().await;
}

/// The length is the body's, whatever the handler says.
#[tokio::test]
async fn the_framing_is_not_the_handlers() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let response =
                Response::builder().header("content-length", "3").header("transfer-encoding", "chunked");
            request.respond(response.body("content").unwrap()).await
        },
    )
    .await;
    let mut client = server.raw().await;
    for _ in 0..2 {
        let reply = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!((&reply.body[..], reply.header("transfer-encoding")), ("content", None));
    }
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn persistence() {
    let server = start(|builder| builder, path).await;
    for (request, persists) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, CLOSE\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: y, close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
    ] {
        let mut client = server.raw().await;
        let reply = client.ask(request).await;
        assert_eq!((reply.status, reply.closes()), (200, !persists), "{request}");
        // RFC 9112 §9.3: HTTP/1.0 has to be told that it persists.
        let told = reply.header("connection").is_some_and(|value| value == "keep-alive");
        assert_eq!(told, persists && request.contains("HTTP/1.0"), "{request}");
        if persists {
            assert_eq!(client.ask(request).await.status, 200);
        } else {
            assert!(client.rest().await.is_empty());
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_handler_may_end_the_connection() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let response = Response::builder().header("connection", "close").body("bye").unwrap();
            request.respond(response).await
        },
    )
    .await;
    let mut client = server.raw().await;
    let reply = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.header("connection").as_deref(), &reply.body[..]), (Some("close"), "bye"));
    assert!(client.rest().await.is_empty());
    drop(client);
    server.stop().await;
}

/// An interim answer is no answer, so the next one would be taken for it.
#[tokio::test]
async fn an_interim_answer_ends_the_connection() {
    let configure = |builder: sheave::ServerBuilder| builder.keep_alive_timeout(Duration::from_secs(3600));
    let server = start(configure, |request: Request| request.respond(status(StatusCode::EARLY_HINTS))).await;
    let mut client = server.raw().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status, 103);
    assert!(client.rest().await.is_empty());
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn requests_are_counted() {
    let server = start(|builder| builder.max_requests_per_connection(3), path).await;
    let mut client = server.raw().await;
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5)).await;
    for expected in [false, false, true] {
        assert_eq!(client.reply().await.closes(), expected);
    }
    // Two more were on their way; the last answer is not lost to a reset.
    assert!(client.rest().await.is_empty());
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn handlers_that_do_not_answer() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            match request.path() {
                "/drop" => Ok(()),
                "/error" => Err(Error::other("no")),
                "/panic" => panic!("as asked"),
                _ => path(request).await,
            }
        },
    )
    .await;
    for (target, status) in [("/drop", 404), ("/error", 500), ("/panic", 500), ("/other", 200)] {
        let mut client = server.raw().await;
        let reply = client.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!((reply.status, reply.closes()), (status, status != 200), "{target}");
        assert!(!reply.body.is_empty() && !reply.body.contains("as asked"));
        if status != 200 {
            assert!(client.rest().await.is_empty());
        }
        // RFC 9110 §9.3.2: no content in answer to HEAD, whoever answers.
        let mut client = server.raw().await;
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(client.head().await.status, status, "{target}");
        assert_eq!(client.rest().await, b"", "{target}");
    }
    server.stop().await;
}

/// A panic before the first await, and one in a synchronous part of the handler itself.
#[tokio::test]
async fn panics_everywhere() {
    let server = start(
        |builder| builder,
        |request: Request| {
            assert!(request.path() != "/at-once", "as asked");
            async move {
                tokio::task::yield_now().await;
                assert!(request.path() != "/later", "as asked");
                path(request).await
            }
        },
    )
    .await;
    for (target, status) in [("/at-once", 500), ("/later", 500), ("/fine", 200)] {
        let reply = server.raw().await.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(reply.status, status, "{target}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_websocket_after_requests() {
    let server = start(|builder| builder, mirror).await;
    let mut client = server.raw().await;
    for _ in 0..3 {
        assert_eq!(client.ask("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.body, "GET /a ");
    }
    let reply = client.ask(raw::upgrade("")).await;
    assert_eq!((reply.status, reply.header("sec-websocket-accept").as_deref()), (101, Some(raw::ACCEPT)));
    client.send(raw::frame(raw::TEXT, b"hello")).await;
    assert_eq!(client.frame().await, (raw::TEXT, b"hello".to_vec()));
    client.send(raw::frame(raw::CLOSE, &raw::close(1000))).await;
    assert_eq!(client.frame().await, (raw::CLOSE, raw::close(1000)));
    assert!(client.rest().await.is_empty());
    server.stop().await;
}

/// Requests, the upgrade and frames, all in one packet.
#[tokio::test]
async fn leftovers_of_the_handshake_are_kept() {
    let (near, task) = detached(|builder| builder, mirror).await;
    let mut client = Raw::new(near);
    let mut bytes = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".to_vec();
    bytes.extend_from_slice(raw::upgrade("").as_bytes());
    bytes.extend_from_slice(&raw::frame(raw::TEXT, b"one"));
    bytes.extend_from_slice(&raw::frame(raw::BINARY, &[7; 300]));
    bytes.extend_from_slice(&raw::frame(raw::CLOSE, &raw::close(1001)));
    client.send(bytes).await;
    assert_eq!(client.reply().await.body, "POST /a hi");
    assert_eq!(client.reply().await.status, 101);
    assert_eq!(client.frame().await, (raw::TEXT, b"one".to_vec()));
    assert_eq!(client.frame().await, (raw::BINARY, vec![7; 300]));
    assert_eq!(client.frame().await, (raw::CLOSE, raw::close(1001)));
    assert!(client.rest().await.is_empty());
    soon(task).await.unwrap().unwrap();
}

/// What the client wants of an ordinary request, a handler that only speaks WebSocket tells it.
#[tokio::test]
async fn accepting_an_ordinary_request_is_426() {
    let server = start(|builder| builder, support::echo).await;
    let mut client = server.raw().await;
    let reply = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("upgrade").as_deref()), (426, Some("websocket")));
    assert_eq!(reply.header("sec-websocket-version").as_deref(), Some("13"));
    assert!(!reply.body.is_empty());
    drop(client);
    server.stop().await;
}
