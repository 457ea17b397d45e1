//! tmp
use bytes::BytesMut;
use sheave_ws::io::WebSocket;
use sheave_ws::*;
fn pair() -> (WebSocket<tokio::io::DuplexStream>, WebSocket<tokio::io::DuplexStream>) {
    let (a, b) = tokio::io::duplex(1000);
    let c = Config::default();
    (
        WebSocket::new(a, Role::Client, &c, BytesMut::new()),
        WebSocket::new(b, Role::Server, &c, BytesMut::new()),
    )
}
#[tokio::test]
async fn smoke() {
    let (mut c, s) = pair();
    let h = tokio::spawn(async move {
        let (mut tx, mut rx) = s.split();
        while let Some(m) = rx.recv().await.unwrap() {
            tx.send(m).await.unwrap();
        }
        assert_eq!(rx.peer_close().unwrap().code(), CloseCode::NORMAL);
    });
    for n in [0, 1, 125, 126, 65535, 65536, 1 << 20] {
        let v = vec![7u8; n];
        c.feed(v.clone()).await.unwrap();
        assert_eq!(c.recv().await.unwrap().unwrap().into_bytes(), v);
    }
    c.ping("x").await.unwrap();
    c.send("héllo").await.unwrap();
    assert_eq!(c.recv().await.unwrap().unwrap(), "héllo".into());
    c.close(CloseCode::NORMAL).await.unwrap();
    h.await.unwrap();
    assert!(c.recv().await.unwrap().is_none());
}
