//! Streams that are read slowly, or not at all (RFC 9113 §5.2).
#![cfg(feature = "tokio")]

mod io_common;

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Response;
use io_common::{Echo, all, bounded, bytes, connect, get, serve};
use sheave_h2::Config;
use sheave_h2::io::{RecvStream, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

#[tokio::test]
async fn one_that_nobody_reads_does_not_stop_the_others() {
    let mut echo = Echo::start(Config::default());
    let (mut send, mut unread) = echo.tunnel().await;
    // It takes a window each way, two queues, and what is under way.
    let stuck = tokio::spawn(async move {
        let mut sent = 0;
        while let Ok(()) = send.send_data(Bytes::from(bytes(1 << 10))).await {
            sent += 1 << 10;
        }
        sent
    });
    let (mut send, mut read) = echo.tunnel().await;
    let message = bytes(256 << 10);
    for _ in 0..8 {
        let sent = Bytes::from(message.clone());
        let sending = tokio::spawn(async move {
            send.send_data(sent).await.unwrap();
            send
        });
        let mut back = vec![0; message.len()];
        bounded(read.read_exact(&mut back)).await.unwrap();
        assert_eq!(back, message);
        send = bounded(sending).await.unwrap();
    }
    assert!(!stuck.is_finished());
    // What has come of it is there still.
    let mut start = vec![0; 60_000];
    bounded(unread.read_exact(&mut start)).await.unwrap();
    assert_eq!(start[..1024], bytes(1024));
    drop(unread);
    drop((send, read));
    stuck.abort();
    echo.end().await;
}

#[tokio::test]
async fn all_unread_together_hold_no_more_than_the_budget() {
    const STREAMS: u32 = 64;
    let config = Config::default().connection_window_size(1 << 20).max_concurrent_streams(STREAMS);
    let (near, far) = duplex(64 << 10);
    // The server reads nothing of what it gets.
    let (tell, mut bodies) = tokio::sync::mpsc::unbounded_channel();
    let serving = serve(far, config.clone().enable_connect_protocol(true), move |request, respond| {
        let tell = tell.clone();
        async move {
            let send = respond.send_response(Response::new(()), false).unwrap();
            tell.send((send, request.into_body())).unwrap();
        }
    });
    let (mut requests, connection) = client::handshake_with(near, config);
    let driving = tokio::spawn(connection);
    let content = Bytes::from(bytes(200 << 10));
    let mut tunnels = Vec::new();
    for _ in 0..STREAMS {
        let (response, mut send) = requests.send_request(connect(), false).unwrap();
        let receive = bounded(response).await.unwrap().into_body();
        tunnels.push(receive);
        let content = content.clone();
        tokio::spawn(async move {
            send.send_data(content).await.unwrap();
            send.finish().unwrap();
        });
    }
    let mut held: Vec<(_, RecvStream)> = Vec::new();
    for _ in 0..STREAMS {
        held.push(bounded(bodies.recv()).await.unwrap());
    }
    // What can come without being read.
    let mut taken = vec![Vec::new(); STREAMS as usize];
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    for ((_, body), taken) in held.iter_mut().zip(&mut taken) {
        body.manual_release(true);
        while let Some(Some(data)) = body.data().now_or_never() {
            taken.extend_from_slice(&data.unwrap());
        }
    }
    let unread: usize = taken.iter().map(Vec::len).sum();
    assert!((1 << 20..=2 << 20).contains(&unread), "{unread}");
    // All of it comes once it is read.
    let mut reading = Vec::new();
    for ((mut send, mut body), mut taken) in held.into_iter().zip(taken) {
        reading.push(tokio::spawn(async move {
            body.release(taken.len());
            body.manual_release(false);
            taken.extend(all(&mut body).await);
            send.shutdown().await.unwrap();
            taken
        }));
    }
    for reading in reading {
        assert!(bounded(reading).await.unwrap() == content);
    }
    drop((requests, tunnels));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

/// Of none of them as much was read as is told of by itself: but all is unread that may be.
#[tokio::test]
async fn a_little_of_each_is_enough_when_all_is_unread() {
    let mut echo = Echo::start(Config::default().connection_window_size(65_535));
    let message = bytes(16_000);
    let mut tunnels = Vec::new();
    for _ in 0..32 {
        let (mut send, receive) = echo.tunnel().await;
        bounded(send.write_all(&message)).await.unwrap();
        tunnels.push((send, receive));
    }
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let mut back = vec![0; message.len()];
    for (_, receive) in &mut tunnels {
        bounded(receive.read_exact(&mut back)).await.unwrap();
        assert_eq!(back, message);
    }
    drop(tunnels);
    echo.end().await;
}

/// What was read of a stream and not told of before it has ended does not hold up the connection.
#[tokio::test]
async fn what_was_read_before_the_end_counts_as_read() {
    const LENGTH: usize = 16_000;
    let (near, far) = duplex(64 << 10);
    let (tell, told) = tokio::sync::watch::channel(0);
    let serving = serve(far, Config::default(), move |_, respond| {
        let mut told = told.clone();
        async move {
            let before = *told.borrow();
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data(Bytes::from(bytes(LENGTH))).await.unwrap();
            told.wait_for(|told| *told > before).await.unwrap();
            send.finish().unwrap();
        }
    });
    let config = Config::default().connection_window_size(65_535);
    let (mut requests, connection) = client::handshake_with(near, config);
    let driving = tokio::spawn(connection);
    for _ in 0..20 {
        let (response, _send) = requests.send_request(get(), true).unwrap();
        let mut body = bounded(response).await.unwrap().into_body();
        bounded(body.read_exact(&mut [0; LENGTH])).await.unwrap();
        tell.send_modify(|told| *told += 1);
        assert!(bounded(body.data()).await.is_none());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    drop(requests);
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

/// A tunnel with a window of 1000 bytes that is released by hand, through which 5000 are sent and come back.
async fn by_hand() -> (Echo, JoinHandle<()>, RecvStream) {
    let mut echo = Echo::start(Config::default().initial_window_size(1000));
    let (mut send, mut receive) = echo.tunnel().await;
    receive.manual_release(true);
    let sending = tokio::spawn(async move {
        send.send_data(Bytes::from(bytes(5000))).await.unwrap();
        send.finish().unwrap();
    });
    (echo, sending, receive)
}

#[tokio::test(start_paused = true)]
async fn released_by_hand() {
    let (echo, sending, mut receive) = by_hand().await;
    let mut got = Vec::new();
    while got.len() < 1000 {
        got.extend_from_slice(&bounded(receive.data()).await.unwrap().unwrap());
    }
    assert_eq!(got.len(), 1000);
    // More than was read is not released.
    for release in [0, 5000] {
        receive.release(release);
        // Time passes only once there is nothing else to do.
        while let Ok(data) = timeout(Duration::from_millis(1), receive.data()).await {
            got.extend_from_slice(&data.unwrap().unwrap());
        }
        assert_eq!(got.len(), if release == 0 { 1000 } else { 2000 }, "nothing comes that was not let come");
    }
    receive.release(1000);
    while let Some(data) = bounded(receive.data()).await {
        let data = data.unwrap();
        receive.release(data.len());
        got.extend_from_slice(&data);
    }
    assert_eq!(got, bytes(5000));
    bounded(sending).await.unwrap();
    drop(receive);
    echo.end().await;
}

#[tokio::test]
async fn trailers_behind_what_is_released_by_hand() {
    let (echo, sending, mut receive) = by_hand().await;
    assert!(bounded(receive.trailers()).await.unwrap().is_none());
    bounded(sending).await.unwrap();
    drop(receive);
    echo.end().await;
}
