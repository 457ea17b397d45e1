//! `accept` and `connect` over a stream: together, with what follows in the same read, and refused.
#![cfg(feature = "tokio")]

mod support;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sheave_ws::handshake::{ClientRequest, HandshakeError, HeadLimits, Refusal, ServerHandshake};
use sheave_ws::io::{Accept, Connect, Http1, accept, connect};
use sheave_ws::{CloseCode, Config, Error, Role};
use support::{Script, bounded, frame, parse, polled, wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn client_and_server_work_together() {
    for size in [1, 10, 100_000] {
        let (client, server) = duplex(size);
        let serving = tokio::spawn(async move {
            let accept = Accept::default().subprotocol("b").subprotocol("c");
            let mut server = accept.accept(server).await.unwrap();
            assert_eq!(server.subprotocol(), Some("b"));
            assert!(server.handshake_response().is_none());
            while let Some(message) = server.recv().await.unwrap() {
                server.send(message).await.unwrap();
            }
            assert_eq!(server.peer_close().unwrap().code(), CloseCode::NORMAL);
        });
        let request: ClientRequest = "ws://example.org/chat?x=1".parse().unwrap();
        let request = request.subprotocol("a").unwrap().subprotocol("b").unwrap();
        let mut client = bounded(Connect::default().connect(&request, client)).await.unwrap();
        assert_eq!(client.subprotocol(), Some("b"));
        assert_eq!(client.handshake_response().unwrap().status(), StatusCode::SWITCHING_PROTOCOLS);
        bounded(client.send("hello")).await.unwrap();
        assert_eq!(bounded(client.recv()).await.unwrap(), Some("hello".into()));
        bounded(client.close(CloseCode::NORMAL)).await.unwrap();
        bounded(serving).await.unwrap();
    }
}

/// RFC 9112 §2.2: nor is the connection's end after one the end of a request.
#[tokio::test]
async fn an_empty_line_made_a_connection_readable() {
    for lines in ["", "\r", "\r\n", "\r\n\r\n"] {
        let (mut near, far) = duplex(100);
        let mut http = Http1::new(far, HeadLimits::default());
        near.write_all(lines.as_bytes()).await.unwrap();
        assert!(polled(3, http.readable()).await.is_none(), "{lines:?}");
        near.write_all(b"\nGET / HTTP/1.1\r\n\r\n\r\n").await.unwrap();
        assert!(bounded(http.readable()).await.unwrap());
        assert!(bounded(http.request()).await.unwrap().is_some());
        drop(near);
        assert!(!bounded(http.readable()).await.unwrap());
        assert!(bounded(http.request()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_follows_the_request_in_the_same_read_is_kept() {
    let frames = wire(Role::Server, &[frame().text("eager"), frame().text("client")]);
    let input = [REQUEST.as_bytes(), &frames].concat();
    for cut in (0..=input.len()).rev() {
        let (script, peer) = Script::new();
        peer.send(&input[..cut]);
        let later = peer.clone();
        let rest = input[cut..].to_vec();
        let sending = tokio::spawn(async move {
            tokio::task::yield_now().await;
            later.send(rest);
        });
        let mut ws = bounded(accept(script)).await.unwrap();
        assert_eq!(bounded(ws.recv()).await.unwrap(), Some("eager".into()));
        assert_eq!(bounded(ws.recv()).await.unwrap(), Some("client".into()));
        sending.await.unwrap();
        let answer = String::from_utf8(peer.received()).unwrap();
        assert!(answer.to_lowercase().contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    }
}

/// The 101 answer to what a client wrote.
async fn answer(server: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(server.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let accept = sheave_ws::handshake::accept_key(key.unwrap().as_bytes());
    let mut answer =
        b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ".to_vec();
    answer.extend_from_slice(accept.as_bytes());
    answer.extend_from_slice(b"\r\n\r\n");
    answer
}

#[tokio::test]
async fn what_follows_the_answer_in_the_same_read_is_kept() {
    let frames = wire(Role::Client, &[frame().text("eager"), frame().text("server")]);
    for cut in 0..250 {
        let (client, mut server) = duplex(10_000);
        let frames = frames.clone();
        let serving = tokio::spawn(async move {
            let answer = [answer(&mut server).await, frames].concat();
            let (first, second) = answer.split_at(cut.min(answer.len()));
            server.write_all(first).await.unwrap();
            tokio::task::yield_now().await;
            server.write_all(second).await.unwrap();
            server
        });
        let mut ws = bounded(connect("ws://h/", client)).await.unwrap();
        assert_eq!(bounded(ws.recv()).await.unwrap(), Some("eager".into()));
        assert_eq!(bounded(ws.recv()).await.unwrap(), Some("server".into()));
        drop(serving.await.unwrap());
    }
}

#[tokio::test]
async fn a_rejection_carries_status_headers_and_body() {
    let (client, server) = duplex(1000);
    let serving = tokio::spawn(async move {
        let mut http = Http1::new(server, HeadLimits::default());
        http.request().await.unwrap().unwrap();
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "who are you?")
            .header(HeaderName::from_static("www-authenticate"), HeaderValue::from_static("Basic"));
        http.refuse(&refusal, std::time::Duration::from_secs(5)).await;
    });
    let error = bounded(connect("ws://h/", client)).await.unwrap_err();
    let Error::Rejected(rejection) = error else { panic!("{error}") };
    assert_eq!(rejection.status(), 401);
    assert_eq!(rejection.headers()["www-authenticate"], "Basic");
    assert_eq!(&rejection.body()[..], b"who are you?");
    assert!(!rejection.is_truncated());
    bounded(serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rejection_that_breaks_off_is_a_rejection_nevertheless() {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    let open = "HTTP/1.1 403 No\r\n\r\nnope";
    let long = "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nnope";
    for answer in [open, long] {
        // Nothing more comes until the time is up, or the connection breaks.
        for broken in [None, Some(ConnectionReset), Some(UnexpectedEof)] {
            for writes_fail in [false, true] {
                let (script, peer) = Script::new();
                peer.send(answer);
                if let Some(kind) = broken {
                    peer.fail_reads(kind);
                }
                if writes_fail {
                    peer.fail_writes(ConnectionReset);
                }
                let error = bounded(connect("ws://h/", script)).await.unwrap_err();
                let Error::Rejected(rejection) = error else { panic!("{broken:?}: {error}") };
                assert_eq!((rejection.status().as_u16(), &rejection.body()[..]), (403, &b"nope"[..]));
                assert!(rejection.is_truncated(), "{broken:?}");
            }
        }
    }
    // An end in order is that of the body, whether or not the request was taken.
    let (script, peer) = Script::new();
    peer.send(open);
    peer.end();
    peer.fail_writes(ConnectionReset);
    let error = bounded(connect("ws://h/", script)).await.unwrap_err();
    assert!(matches!(&error, Error::Rejected(rejection) if !rejection.is_truncated()), "{error:?}");
    // Without an answer, it is the transport's failure.
    for said in ["", "HTTP/1.1 403 N"] {
        let (script, peer) = Script::new();
        peer.send(said);
        peer.fail_reads(ConnectionReset);
        let error = bounded(connect("ws://h/", script)).await.unwrap_err();
        assert!(matches!(&error, Error::Io(io) if io.kind() == ConnectionReset), "{error:?}");
    }
}

#[tokio::test]
async fn refused_requests_get_their_answer() {
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let cases = [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "426"),
        (REQUEST.replace("13", "8"), "426"),
        (REQUEST.replace("GET", "POST"), "405"),
        (REQUEST.replace("Host: h\r\n", ""), "400"),
        (REQUEST.replace("dGhl", ""), "400"),
        (REQUEST.replace("Host: h", "Host: h\r\nOrigin: https://evil.example"), "403"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (long, "431"),
    ];
    for (request, status) in &cases {
        let (script, peer) = Script::new();
        peer.send(request);
        peer.end();
        let error = bounded(accept(script)).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_) | Error::Handshake(_)), "{error:?}");
        let answer = String::from_utf8(peer.received()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.to_lowercase().contains("connection: ") && answer.contains("close"), "{answer}");
        assert!(answer.len() > answer.find("\r\n\r\n").unwrap() + 4, "it says why");
        assert!(peer.is_shut_down());
    }
}

#[tokio::test]
async fn a_refused_client_that_is_still_sending_reads_its_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let serving = tokio::spawn(accept(server));
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    for _ in 0..10 {
        client.write_all(&[b'x'; 10_000]).await.unwrap();
        tokio::task::yield_now().await;
    }
    client.shutdown().await.unwrap();
    assert!(bounded(serving).await.unwrap().is_err());
    let mut answer = String::new();
    bounded(client.read_to_string(&mut answer)).await.expect("no reset before the answer is read");
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_ends_too_early() {
    for said in ["", "GET / HT", REQUEST.trim_end()] {
        let (script, peer) = Script::new();
        peer.send(said);
        peer.end();
        let error = bounded(accept(script)).await.unwrap_err();
        let clean = said.is_empty();
        assert_eq!(matches!(error, Error::Disconnected), clean, "{error:?}");
        assert_eq!(matches!(error, Error::Handshake(HandshakeError::ClosedEarly)), !clean);
    }
    for said in ["", "HTTP/1.1 101 Sw"] {
        let (script, peer) = Script::new();
        peer.send(said);
        peer.end();
        let error = bounded(connect("ws://h/", script)).await.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::ClosedEarly)), "{error:?}");
    }
}

#[tokio::test]
async fn the_answer_and_the_first_pong_are_flushed() {
    let (script, peer) = Script::new();
    peer.buffer();
    peer.hiccups(2);
    peer.step(10);
    peer.send(REQUEST);
    peer.send(wire(Role::Server, &[frame().ping("x")]));
    let mut ws = bounded(accept(script)).await.unwrap();
    assert!(polled(50, ws.recv()).await.is_none());
    let received = peer.received();
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(parse(&received[head..])[0].payload, b"x");
}

#[tokio::test]
async fn http1_hands_over_to_a_websocket() {
    let (script, peer) = Script::new();
    peer.send(format!("GET /first HTTP/1.1\r\nHost: h\r\n\r\n{REQUEST}"));
    peer.send(wire(Role::Server, &[frame().text("eager")]));
    let mut http = Http1::new(script, HeadLimits::default());
    let first = http.request().await.unwrap().unwrap();
    assert_eq!(first.uri().path(), "/first");
    http.feed(&http::Response::new(()), Bytes::from_static(b"page"));
    let second = http.request().await.unwrap().unwrap();
    let upgrade = ServerHandshake::default().check(&second).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-extra", HeaderValue::from_static("1"));
    let (response, agreed) = upgrade.accept(None, &[], headers).unwrap();
    http.feed(&response, Bytes::new());
    http.flush().await.unwrap();
    let mut ws = http.into_websocket(agreed, &Config::default());
    assert_eq!(bounded(ws.recv()).await.unwrap(), Some("eager".into()));
    let answers = String::from_utf8(peer.received()).unwrap();
    assert!(answers.find("page").unwrap() < answers.find("HTTP/1.1 101").unwrap());
    assert!(answers.to_lowercase().contains("x-extra: 1"));
}

#[tokio::test]
async fn received_bytes_come_before_those_of_the_transport() {
    let (script, peer) = Script::new();
    peer.send(&wire(Role::Server, &[frame().text("hello")])[3..]);
    let received = BytesMut::from(&wire(Role::Server, &[frame().text("hello")])[..3]);
    let mut ws = sheave_ws::io::WebSocket::new(script, Role::Server, &Config::default(), received);
    assert_eq!(bounded(ws.recv()).await.unwrap(), Some("hello".into()));
}

#[tokio::test]
async fn an_answer_to_a_request_that_is_not_wholly_taken_counts() {
    let (client, mut server) = duplex(1024);
    let request: ClientRequest = "ws://example.org/".parse().unwrap();
    let request = request.header(http::header::COOKIE, "x".repeat(5000).parse().unwrap()).unwrap();
    server.write_all(b"HTTP/1.1 431 Too Large\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let connected = bounded(Connect::default().connect(&request, client)).await;
    let Err(Error::Rejected(rejection)) = connected else { panic!("{connected:?}") };
    assert_eq!(rejection.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    drop(server);
}
