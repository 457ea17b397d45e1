//! `h2_bridge`: alone between raw sockets and streams, and two of them in a row between programs.

mod common;

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{LIMIT, start};
use http::{Request, Response, StatusCode};
use sheave::h2::io::server::SendResponse;
use sheave::h2::io::{RecvStream, SendStream, client, server};
use sheave::h2::{self, Config, ErrorCode, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

const BRIDGE: &str = env!("CARGO_BIN_EXE_h2_bridge");
/// From RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it takes too long")
}

async fn bridge(arguments: &[&str]) -> (Child, String) {
    start(BRIDGE, &[&["--listen", "127.0.0.1:0"], arguments].concat()).await
}

fn address(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

/// What comes until the end.
async fn rest(io: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    bounded(io.read_to_end(&mut rest)).await.unwrap();
    rest
}

/// The head of a message, without the empty line at its end.
async fn head(io: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(bounded(io.read_u8()).await.unwrap());
    }
    head.truncate(head.len() - 4);
    String::from_utf8(head).unwrap()
}

/// Reads until the other side resets the connection.
async fn reset(io: &mut TcpStream) {
    let mut rest = Vec::new();
    let error = bounded(io.read_to_end(&mut rest)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// More than fits into what lies between.
fn much() -> Vec<u8> {
    (0..8 << 20).map(|index| (index % 251) as u8).collect()
}

// By HTTP/1.1 to the bridge, by HTTP/2 to us.

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

/// All that comes on a stream.
async fn all(receive: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    bounded(receive.read_to_end(&mut all)).await.unwrap();
    all
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
        assert!(connection.accept().await.is_none());
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

// By HTTP/2 to the bridge, by HTTP/1.1 to us.

/// A bridge to a server of ours, and a client's connection to it.
struct ToHttp1 {
    listener: TcpListener,
    requests: client::SendRequest,
    _bridge: Child,
}

fn connect() -> http::request::Builder {
    Request::connect("http://example.org:8/chat?room=1").extension(Protocol::websocket())
}

impl ToHttp1 {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("ws://{}", listener.local_addr().unwrap());
        let (_bridge, url) = bridge(&["--to-http1", &target]).await;
        let tcp = TcpStream::connect(address(&url)).await.unwrap();
        let (requests, connection) = client::handshake(tcp);
        tokio::spawn(connection);
        Self { listener, requests, _bridge }
    }

    /// Makes a request; what it comes to, and how it arrives.
    async fn request(
        &mut self,
        request: Request<()>,
    ) -> (client::ResponseFuture, SendStream, TcpStream, String) {
        let (response, send) = self.requests.send_request(request, false).unwrap();
        let (mut tcp, _) = bounded(self.listener.accept()).await.unwrap();
        let head = head(&mut tcp).await;
        (response, send, tcp, head)
    }

    /// Both ends of a WebSocket that is open.
    async fn open(&mut self) -> (RecvStream, SendStream, TcpStream) {
        let (response, send, mut tcp, head) = self.request(connect().body(()).unwrap()).await;
        tcp.write_all(switching(&head).as_bytes()).await.unwrap();
        let response = bounded(response).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        (response.into_body(), send, tcp)
    }
}

/// The answer to a request that opens a WebSocket.
fn switching(head: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = sheave::ws::handshake::accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: b\r\nX-Own: 3\r\n\r\n",
        accept.to_str().unwrap()
    )
}

#[tokio::test]
async fn an_extended_connect_becomes_a_request() {
    let mut bridge = ToHttp1::start().await;
    for has_key in [false, true] {
        let mut request = connect()
            .header("origin", "http://a.example")
            .header("sec-websocket-protocol", "a, b")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-extensions", "x; y=1")
            .header("host", "another.example");
        if has_key {
            request = request.header("sec-websocket-key", KEY);
        }
        let (response, mut send, mut tcp, head) = bridge.request(request.body(()).unwrap()).await;
        // What comes early is not lost.
        send.write_all(b"early").await.unwrap();
        let mut lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(lines.remove(0), "GET /chat?room=1 HTTP/1.1");
        lines.retain(|line| !line.starts_with("Sec-WebSocket-Key: "));
        lines.sort_unstable();
        let expected = [
            "Connection: Upgrade",
            "Host: example.org:8",
            "Origin: http://a.example",
            "Sec-WebSocket-Extensions: x; y=1",
            "Sec-WebSocket-Protocol: a, b",
            "Sec-WebSocket-Version: 13",
            "Upgrade: websocket",
            "Via: 2 h2_bridge",
        ];
        assert_eq!(lines, expected);

        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        tcp.write_all(format!("{interim}{}and more", switching(&head)).as_bytes()).await.unwrap();
        let response = bounded(response).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut came: Vec<_> =
            response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        came.sort_unstable();
        let accept = has_key.then_some(("sec-websocket-accept", ACCEPT));
        let expected: Vec<_> =
            accept.into_iter().chain([("sec-websocket-protocol", "b"), ("x-own", "3")]).collect();
        assert_eq!(came, expected);
        tcp.shutdown().await.unwrap();
        assert_eq!(all(&mut response.into_body()).await, b"and more");
        send.finish().unwrap();
        assert_eq!(rest(&mut tcp).await, b"early");
    }
}

#[tokio::test]
async fn a_servers_refusal_passes() {
    let mut bridge = ToHttp1::start().await;
    let status = "HTTP/1.1 403 Forbidden\r\nX-Why: because\r\n";
    for (answer, length) in [
        (format!("{status}Content-Length: 7\r\n\r\nnot you"), Some("7")),
        (format!("{status}Transfer-Encoding: chunked\r\n\r\n4\r\nnot \r\n3\r\nyou\r\n0\r\n\r\n"), None),
        (format!("{status}Connection: close, X-Hop\r\nX-Hop: 1\r\n\r\nnot you"), None),
    ] {
        let (response, _send, mut tcp, _) = bridge.request(connect().body(()).unwrap()).await;
        tcp.write_all(answer.as_bytes()).await.unwrap();
        drop(tcp);
        let response = bounded(response).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()["x-why"], "because");
        assert!(!response.headers().contains_key("x-hop"));
        assert_eq!(response.headers().get("content-length").map(|length| length.to_str().unwrap()), length);
        assert_eq!(all(&mut response.into_body()).await, b"not you");
    }
}

#[tokio::test]
async fn an_answer_that_opens_nothing_is_a_bad_gateway() {
    let mut bridge = ToHttp1::start().await;
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    for answer in [
        // To an extended CONNECT this would open it.
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        // The accept of another key.
        format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}{accept}\r\n\r\n"),
        "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
        "SSH-2.0-none\r\n\r\n".to_owned(),
        String::new(),
    ] {
        let (response, _send, mut tcp, _) = bridge.request(connect().body(()).unwrap()).await;
        tcp.write_all(answer.as_bytes()).await.unwrap();
        drop(tcp);
        assert_eq!(bounded(response).await.unwrap().status(), StatusCode::BAD_GATEWAY, "{answer}");
    }
    // What it is no bridge for.
    for request in
        [Request::get("http://h/"), Request::connect("http://h/").extension(Protocol::new("other"))]
    {
        let (response, _send) = bridge.requests.send_request(request.body(()).unwrap(), false).unwrap();
        assert_eq!(bounded(response).await.unwrap().status(), StatusCode::NOT_IMPLEMENTED);
    }
    // Nobody there.
    drop(bridge.listener);
    let (response, _send) = bridge.requests.send_request(connect().body(()).unwrap(), false).unwrap();
    assert_eq!(bounded(response).await.unwrap().status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn either_direction_ends_by_itself_to_http1() {
    let mut bridge = ToHttp1::start().await;
    let (mut receive, mut send, mut tcp) = bridge.open().await;
    send.write_all(b"last").await.unwrap();
    send.finish().unwrap();
    assert_eq!(rest(&mut tcp).await, b"last");
    let sending = tokio::spawn(async move { tcp.write_all(&much()).await.unwrap() });
    assert!(all(&mut receive).await == much());
    bounded(sending).await.unwrap();

    let (mut receive, mut send, mut tcp) = bridge.open().await;
    tcp.write_all(b"last").await.unwrap();
    tcp.shutdown().await.unwrap();
    assert_eq!(all(&mut receive).await, b"last");
    let sending = tokio::spawn(async move {
        send.write_all(&much()).await.unwrap();
        send.finish().unwrap();
    });
    assert!(rest(&mut tcp).await == much());
    bounded(sending).await.unwrap();

    // A client that has got all there is, and resets instead of ending: its last words arrive in order.
    let (mut receive, mut send, mut tcp) = bridge.open().await;
    send.write_all(b"last").await.unwrap();
    tcp.shutdown().await.unwrap();
    assert_eq!(all(&mut receive).await, b"");
    bounded(tcp.read_exact(&mut [0; 4])).await.unwrap();
    send.reset(ErrorCode::CANCEL);
    assert_eq!(rest(&mut tcp).await, b"");
}

#[tokio::test]
async fn resets_pass_in_both_directions_to_http1() {
    let mut bridge = ToHttp1::start().await;
    let (_receive, mut send, mut tcp) = bridge.open().await;
    send.write_all(b"some").await.unwrap();
    bounded(tcp.read_exact(&mut [0; 4])).await.unwrap();
    send.reset(ErrorCode::CANCEL);
    reset(&mut tcp).await;

    let (mut receive, mut send, tcp) = bridge.open().await;
    tcp.set_zero_linger().unwrap();
    drop(tcp);
    assert!(matches!(bounded(send.failed()).await, h2::Error::Reset(ErrorCode::CANCEL)));
    assert!(matches!(bounded(receive.data()).await, Some(Err(h2::Error::Reset(ErrorCode::CANCEL)))));
}

/// HTTP/1.1 in front and behind, and HTTP/2 over TLS between.
#[tokio::test]
async fn two_in_a_row() {
    let folder = std::env::temp_dir().join(format!("sheave-bridge-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ca = folder.join("ca.pem");
    let ca = ca.to_str().unwrap();
    let server = env!("CARGO_BIN_EXE_interop_server");
    let (_server, url) = start(server, &["--deflate", "default", "--until-stdin-ends"]).await;
    let (mut back, url) = bridge(&["--to-http1", "--tls", "--ca-out", ca, "--until-stdin-ends", &url]).await;
    let (mut front, url) = bridge(&["--to-h2", "--ca", ca, "--until-stdin-ends", &url]).await;
    std::fs::remove_dir_all(folder).unwrap();

    let mut client = Command::new(env!("CARGO_BIN_EXE_interop_client"));
    client.args([&url, "--deflate", "default"]).stdin(Stdio::null()).kill_on_drop(true);
    let output = bounded(client.output()).await.unwrap();
    let checks = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{checks}");
    assert!(checks.starts_with("extensions: permessage-deflate\n"), "{checks}");
    assert!(checks.lines().filter(|line| line.starts_with("ok ")).count() > 40, "{checks}");

    let mut client = Command::new(env!("CARGO_BIN_EXE_echo_client"));
    client.arg(format!("{url}/echo")).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut client = client.spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    input.write_all(b"first\nsecond\n").await.unwrap();
    drop(input);
    let output = bounded(client.wait_with_output()).await.unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"first\nsecond\n");

    // Both end in order.
    for bridge in [&mut front, &mut back] {
        drop(bridge.stdin.take());
        assert!(bounded(bridge.wait()).await.unwrap().success());
    }
}
