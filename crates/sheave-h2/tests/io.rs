//! Connections over tokio streams.
#![cfg(feature = "tokio")]

mod io_common;

use bytes::Bytes;
use io_common::{Echo, all, bounded, bytes, post};
use sheave_h2::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn bodies_of_many_sizes_come_back() {
    let mut echo = Echo::start(Config::default());
    for length in [0, 1, 1000, 65_535, 65_536, 1 << 20, 5 << 20] {
        let (response, mut send) = echo.requests.send_request(post(), false).unwrap();
        let body = bytes(length);
        let sent = Bytes::from(body.clone());
        let sending = tokio::spawn(async move {
            send.send_data(sent).await.unwrap();
            send.finish().unwrap();
        });
        let mut response = bounded(response).await.unwrap();
        assert_eq!(all(response.body_mut()).await, body);
        bounded(sending).await.unwrap();
    }
    echo.end().await;
}

#[tokio::test]
async fn many_tunnels_at_once() {
    const TUNNELS: u32 = 500;
    let mut echo = Echo::start(Config::default().max_concurrent_streams(TUNNELS));
    let mut tasks = Vec::new();
    for index in 0..TUNNELS {
        let (mut send, mut receive) = echo.tunnel().await;
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                let message = format!("message {round} on {index}");
                send.write_all(message.as_bytes()).await.unwrap();
                let mut back = vec![0; message.len()];
                receive.read_exact(&mut back).await.unwrap();
                assert_eq!(back, message.as_bytes());
            }
            send.shutdown().await.unwrap();
            assert_eq!(receive.read(&mut [0; 1]).await.unwrap(), 0);
        }));
    }
    for task in tasks {
        bounded(task).await.unwrap();
    }
    echo.end().await;
}
