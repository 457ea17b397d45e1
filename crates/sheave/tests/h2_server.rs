//! A server over HTTP/2: requests and WebSockets on one connection (RFC 8441, RFC 9113).

mod support;

use http::{Method, StatusCode};
use sheave::{CloseCode, Message};
use support::http2::{Http2, request};
use support::{mirror, soon, start};

#[tokio::test]
async fn requests_and_websockets_share_a_connection() {
    let server = start(|server| server, mirror).await;
    let mut client = Http2::dial(server.address).await;
    let mut first = client.open().await;
    let mut second = client.open().await;
    for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let message = Message::Binary(vec![7; length].into());
        soon(first.send(message.clone())).await.unwrap();
        assert_eq!(soon(first.recv()).await.unwrap(), Some(message));
    }
    let answer = client.get("/page").await;
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"GET http://example.org/page "[..]));
    let answer = client.ask(request(Method::POST, "/form"), b"a=b").await;
    assert_eq!(&answer.body()[..], b"POST http://example.org/form a=b");
    assert_eq!(answer.headers()["content-length"], answer.body().len().to_string());
    soon(second.send("still there")).await.unwrap();
    assert_eq!(soon(second.recv()).await.unwrap(), Some("still there".into()));
    for mut ws in [first, second] {
        soon(ws.close(CloseCode::NORMAL)).await.unwrap();
        assert_eq!(ws.peer_close().unwrap().code(), CloseCode::NORMAL);
    }
    drop(client);
    server.stop().await;
}
