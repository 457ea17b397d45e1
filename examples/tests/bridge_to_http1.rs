//! `h2_bridge --to-http1`: by HTTP/2 to the bridge, by HTTP/1.1 to a server of the test.

mod common;

use common::bridge::{ACCEPT, KEY, address, all, bounded, bridge, head, much, reset, rest};
use http::{Request, StatusCode};
use sheave::h2::io::{RecvStream, SendStream, client};
use sheave::h2::{self, ErrorCode, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

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
async fn either_direction_ends_by_itself() {
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
async fn resets_pass_in_both_directions() {
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
