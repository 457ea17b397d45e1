//! `h2_bridge --to-h2`: by HTTP/1.1 to the bridge, by HTTP/2 to a server of the test.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::bridge::{ACCEPT, KEY, address, all, bounded, bridge, head, much, reset, rest};
use http::{Request, Response};
use sheave::h2::io::server::SendResponse;
use sheave::h2::io::{RecvStream, SendStream, server};
use sheave::h2::{self, Config, ErrorCode, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::timeout;

type Accepted = (Request<RecvStream>, SendResponse);

/// A server by HTTP/2 that hands out its requests, and how many connections it has.
async fn h2_server(config: Config) -> (SocketAddr, mpsc::UnboundedReceiver<Accepted>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, accepted) = mpsc::unbounded_channel();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let (tell, config) = (tell.clone(), config.clone().enable_connect_protocol(true));
            tokio::spawn(async move {
                let mut connection = server::handshake_with(tcp, config);
                while let Some(Ok(accepted)) = connection.accept().await {
                    let _ = tell.send(accepted);
                }
            });
        }
    });
    (address, accepted, connections)
}

/// A bridge to a server of ours.
struct ToH2 {
    accepted: mpsc::UnboundedReceiver<Accepted>,
    connections: Arc<AtomicUsize>,
    url: String,
    _bridge: Child,
}

impl ToH2 {
    async fn start(config: Config) -> Self {
        let (server, accepted, connections) = h2_server(config).await;
        let (_bridge, url) = bridge(&["--to-h2", &format!("http://{server}")]).await;
        Self { accepted, connections, url, _bridge }
    }

    /// A client with its request sent.
    async fn client(&self, more: &str) -> TcpStream {
        let mut tcp = TcpStream::connect(address(&self.url)).await.unwrap();
        let request = format!(
            "GET /chat?room=1 HTTP/1.1\r\nHost: example.org:8\r\nUpgrade: websocket\r\n\
             Connection: keep-alive, Upgrade, X-Hop\r\nSec-WebSocket-Key: {KEY}\r\n{more}\r\n"
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        tcp
    }

    /// Both ends of a WebSocket that is open.
    async fn open(&mut self) -> (TcpStream, RecvStream, SendStream) {
        let mut tcp = self.client("").await;
        let (request, respond) = bounded(self.accepted.recv()).await.unwrap();
        let send = respond.send_response(Response::new(()), false).unwrap();
        assert!(head(&mut tcp).await.starts_with("HTTP/1.1 101 "));
        (tcp, request.into_body(), send)
    }
}

#[tokio::test]
async fn a_request_becomes_an_extended_connect() {
    let mut bridge = ToH2::start(Config::default()).await;
    let more = "Origin: http://a.example\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Extensions: x; y=1\r\nCookie: c=d\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-More: 2\r\n";
    let mut tcp = bridge.client(more).await;
    // What comes early is not lost.
    tcp.write_all(b"early").await.unwrap();
    let (request, respond) = bounded(bridge.accepted.recv()).await.unwrap();
    assert_eq!(*request.method(), http::Method::CONNECT);
    assert_eq!(request.uri(), "http://example.org:8/chat?room=1");
    assert_eq!(request.extensions().get::<Protocol>().unwrap().as_str(), "websocket");
    let fields = [
        ("cookie", "c=d"),
        ("origin", "http://a.example"),
        ("sec-websocket-extensions", "x; y=1"),
        ("sec-websocket-protocol", "a, b"),
        ("sec-websocket-version", "13"),
        ("via", "1.1 h2_bridge"),
        ("x-more", "2"),
    ];
    let mut came: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    came.sort_unstable();
    assert_eq!(came, fields);

    let response = Response::builder().header("sec-websocket-protocol", "b").header("x-own", "3");
    let response = response.header("sec-websocket-accept", "a leak");
    let mut send = respond.send_response(response.body(()).unwrap(), false).unwrap();
    let head = head(&mut tcp).await;
    let mut lines: Vec<_> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "HTTP/1.1 101 Switching Protocols");
    lines.sort_unstable();
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let expected =
        ["Connection: Upgrade", &accept, "Sec-WebSocket-Protocol: b", "Upgrade: websocket", "X-Own: 3"];
    assert_eq!(lines, expected);
    send.write_all(b"late").await.unwrap();
    send.finish().unwrap();
    tcp.shutdown().await.unwrap();
    assert_eq!(rest(&mut tcp).await, b"late");
    assert_eq!(all(&mut request.into_body()).await, b"early");
}

#[tokio::test]
async fn a_refusal_passes() {
    let mut bridge = ToH2::start(Config::default()).await;
    for length in [None, Some("7")] {
        let mut tcp = bridge.client("").await;
        let (_request, respond) = bounded(bridge.accepted.recv()).await.unwrap();
        let mut response = Response::builder().status(403).header("x-why", "because");
        response =
            length.into_iter().fold(response, |response, value| response.header("content-length", value));
        let mut send = respond.send_response(response.body(()).unwrap(), false).unwrap();
        send.write_all(b"not you").await.unwrap();
        send.finish().unwrap();
        let head = head(&mut tcp).await;
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n") && head.contains("X-Why: because"), "{head}");
        assert_eq!(head.contains("Content-Length: 7"), length.is_some(), "{head}");
        assert_eq!(rest(&mut tcp).await, b"not you");
    }
    // A server that breaks it off.
    let mut tcp = bridge.client("").await;
    let (_request, respond) = bounded(bridge.accepted.recv()).await.unwrap();
    respond.reset(ErrorCode::INTERNAL_ERROR);
    assert!(head(&mut tcp).await.starts_with("HTTP/1.1 502 "));
}

#[tokio::test]
async fn what_is_no_request_for_a_websocket_is_refused_at_once() {
    let bridge = ToH2::start(Config::default()).await;
    let upgrade = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 426),
        (format!("POST / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: {KEY}\r\n\r\n"), 426),
        (format!("GET / HTTP/1.1\r\n{upgrade}\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: none\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: {KEY}\r\nContent-Length: 1\r\n\r\n"), 400),
        ("no request at all\r\n\r\n".to_owned(), 400),
    ] {
        let mut tcp = TcpStream::connect(address(&bridge.url)).await.unwrap();
        tcp.write_all(request.as_bytes()).await.unwrap();
        let answer = String::from_utf8(rest(&mut tcp).await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
    }
    assert_eq!(bridge.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_takes_no_websockets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut connection = server::handshake(listener.accept().await.unwrap().0);
        // It is left again, in order or because the bridge is gone.
        assert!(!matches!(connection.accept().await, Some(Ok(_))));
    });
    for target in [nobody, plain] {
        let (_bridge, url) = bridge(&["--to-h2", &target]).await;
        let (_, accepted) = mpsc::unbounded_channel();
        let bridge = ToH2 { accepted, connections: Arc::default(), url, _bridge };
        assert!(head(&mut bridge.client("").await).await.starts_with("HTTP/1.1 502 "));
    }
    bounded(serving).await.unwrap();
}

#[tokio::test]
async fn either_direction_ends_by_itself() {
    let mut bridge = ToH2::start(Config::default()).await;
    // The client first, while the server still has much to say.
    let (mut tcp, mut receive, mut send) = bridge.open().await;
    tcp.write_all(b"last").await.unwrap();
    tcp.shutdown().await.unwrap();
    assert_eq!(all(&mut receive).await, b"last");
    let sending = tokio::spawn(async move {
        send.write_all(&much()).await.unwrap();
        send.finish().unwrap();
    });
    assert!(rest(&mut tcp).await == much());
    bounded(sending).await.unwrap();

    // The server first.
    let (mut tcp, mut receive, mut send) = bridge.open().await;
    send.write_all(b"last").await.unwrap();
    send.finish().unwrap();
    assert_eq!(rest(&mut tcp).await, b"last");
    let receiving = tokio::spawn(async move { all(&mut receive).await });
    tcp.write_all(&much()).await.unwrap();
    tcp.shutdown().await.unwrap();
    assert!(bounded(receiving).await.unwrap() == much());
}

/// As a server ends that does not wait for its client (RFC 9113 §8.1): all that it said arrives.
#[tokio::test]
async fn a_reset_behind_the_end_takes_nothing_back() {
    for linger in [Duration::ZERO, Duration::from_millis(20)] {
        let mut bridge = ToH2::start(Config::default().tunnel_linger(linger)).await;
        let (mut tcp, receive, mut send) = bridge.open().await;
        drop(receive);
        let sending = tokio::spawn(async move {
            send.write_all(&much()).await.unwrap();
            send.finish().unwrap();
            assert!(matches!(send.failed().await, h2::Error::Closed));
        });
        // Nothing is read until the reset may have come.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(rest(&mut tcp).await == much());
        bounded(sending).await.unwrap();
        // What is still sent goes nowhere, and harms nobody.
        let _ = tcp.write_all(b"more").await;
        let _ = tcp.shutdown().await;
        let (mut other, _receive, mut send) = bridge.open().await;
        send.write_all(b"still there").await.unwrap();
        send.finish().unwrap();
        assert_eq!(rest(&mut other).await, b"still there");
    }
}

#[tokio::test]
async fn resets_pass_in_both_directions() {
    let mut bridge = ToH2::start(Config::default()).await;
    let (mut other, mut other_receive, mut other_send) = bridge.open().await;

    let (mut tcp, mut receive, mut send) = bridge.open().await;
    send.write_all(b"some").await.unwrap();
    bounded(tcp.read_exact(&mut [0; 4])).await.unwrap();
    send.reset(ErrorCode::CANCEL);
    reset(&mut tcp).await;
    assert!(matches!(bounded(receive.data()).await, None | Some(Err(_))));

    let (mut tcp, mut receive, mut send) = bridge.open().await;
    tcp.write_all(b"said before").await.unwrap();
    tcp.set_zero_linger().unwrap();
    drop(tcp);
    let mut came = Vec::new();
    let error = loop {
        match bounded(receive.data()).await.unwrap() {
            Ok(data) => came.extend_from_slice(&data),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, h2::Error::Reset(ErrorCode::CANCEL)), "{error:?}");
    // TCP may have taken it back, or not.
    assert!(b"said before".starts_with(&came));
    assert!(matches!(bounded(send.failed()).await, h2::Error::Reset(ErrorCode::CANCEL)));

    // The others on the connection go on.
    other.write_all(b"up").await.unwrap();
    bounded(other_receive.read_exact(&mut [0; 2])).await.unwrap();
    other_send.write_all(b"down").await.unwrap();
    bounded(other.read_exact(&mut [0; 4])).await.unwrap();
    assert_eq!(bridge.connections.load(Ordering::SeqCst), 1);
}

/// Who does not read stops who sends, and nobody else.
#[tokio::test]
async fn flow_control_is_the_backpressure() {
    let mut bridge = ToH2::start(Config::default()).await;
    let (mut slow, mut slow_receive, mut slow_send) = bridge.open().await;
    let (mut quick, mut receive, mut send) = bridge.open().await;
    // Far more than all buffers in between together.
    let piece = vec![b'x'; 1 << 20];
    let stopped = Duration::from_millis(500);
    let (mut up, mut down) = (0, 0);
    while up < 64 && timeout(stopped, slow.write_all(&piece)).await.is_ok() {
        up += 1;
    }
    while down < 64 && timeout(stopped, slow_send.write_all(&piece)).await.is_ok() {
        down += 1;
    }
    assert!(up < 32 && down < 32, "{up} {down}");
    let echoing = tokio::spawn(async move {
        let data = all(&mut receive).await;
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
    });
    quick.write_all(&much()).await.unwrap();
    quick.shutdown().await.unwrap();
    assert!(rest(&mut quick).await == much());
    bounded(echoing).await.unwrap();
    // It goes on where it stopped.
    slow.shutdown().await.ok();
    slow_send.finish().unwrap();
    assert!(all(&mut slow_receive).await.len() >= up << 20);
    assert!(rest(&mut slow).await.len() >= down << 20);
}

#[tokio::test]
async fn a_connection_is_shared_as_far_as_the_server_allows() {
    let mut bridge = ToH2::start(Config::default().max_concurrent_streams(3)).await;
    let mut open = Vec::new();
    for number in 0..9 {
        open.push(bridge.open().await);
        assert_eq!(bridge.connections.load(Ordering::SeqCst), number / 3 + 1);
    }
    // Those that have ended leave their places to others.
    for _ in 0..20 {
        let (mut tcp, mut receive, mut send) = open.swap_remove(4);
        send.finish().unwrap();
        tcp.shutdown().await.unwrap();
        assert_eq!((rest(&mut tcp).await, all(&mut receive).await), (vec![], vec![]));
        open.push(bridge.open().await);
    }
    // The bridge may not have known of it yet, but then there are more places.
    assert!(bridge.connections.load(Ordering::SeqCst) <= 5);
}

#[tokio::test]
async fn a_connection_that_is_gone_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_bridge, url) = bridge(&["--to-h2", &format!("http://{}", listener.local_addr().unwrap())]).await;
    let (_, accepted) = mpsc::unbounded_channel();
    let bridge = ToH2 { accepted, connections: Arc::default(), url, _bridge };
    let config = || Config::default().enable_connect_protocol(true);

    // One dies with its WebSocket.
    let mut first = bridge.client("").await;
    let mut connection = server::handshake_with(bounded(listener.accept()).await.unwrap().0, config());
    let (_, respond) = bounded(connection.accept()).await.unwrap().unwrap();
    let _send = respond.send_response(Response::new(()), false).unwrap();
    tokio::select! {
        head = head(&mut first) => assert!(head.starts_with("HTTP/1.1 101 ")),
        _ = connection.accept() => panic!("another request"),
    }
    drop(connection);
    reset(&mut first).await;

    // One says that it ends: what is open on it goes on.
    let mut second = bridge.client("").await;
    let mut connection = server::handshake_with(bounded(listener.accept()).await.unwrap().0, config());
    let (request, respond) = bounded(connection.accept()).await.unwrap().unwrap();
    let mut send = respond.send_response(Response::new(()), false).unwrap();
    connection.shutdown();
    let driving = tokio::spawn(async move { connection.accept().await.is_none() });
    assert!(head(&mut second).await.starts_with("HTTP/1.1 101 "));
    let mut third = bridge.client("").await;
    let mut connection = server::handshake_with(bounded(listener.accept()).await.unwrap().0, config());
    let (_, respond) = bounded(connection.accept()).await.unwrap().unwrap();
    respond.send_response(Response::builder().status(404).body(()).unwrap(), true).unwrap();
    tokio::select! {
        head = head(&mut third) => assert!(head.starts_with("HTTP/1.1 404 ")),
        _ = connection.accept() => panic!("another request"),
    }
    second.write_all(b"to the end").await.unwrap();
    second.shutdown().await.unwrap();
    assert_eq!(all(&mut request.into_body()).await, b"to the end");
    send.finish().unwrap();
    assert_eq!(rest(&mut second).await, b"");
    assert!(bounded(driving).await.unwrap());
}
