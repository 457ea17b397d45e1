//! What is held while nothing happens.
#![cfg(feature = "tokio")]

mod io_common;

use std::alloc::System;

use bytes::{Bytes, BytesMut};
use http::Response;
use io_common::{Echo, bounded, connect, serve};
use sheave_h2::frame::{Head, Kind};
use sheave_h2::io::client;
use sheave_h2::{Config, PREFACE, StreamId};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::{Mutex, mpsc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// What is held is that of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

const CONNECTIONS: usize = 20;
const STREAMS: usize = 1000;
/// More than is copied together.
const MESSAGE: usize = 3000;

/// Both sides are in the same process: half of it is one side's.
#[tokio::test(start_paused = true)]
async fn an_idle_stream_and_an_idle_connection() {
    let _alone = ALONE.lock().await;
    let before = held();
    let (tell, mut accepted) = mpsc::unbounded_channel();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let (near, far) = duplex(16 << 10);
        let config = Config::default().max_concurrent_streams(STREAMS as u32).enable_connect_protocol(true);
        let tell = tell.clone();
        serve(far, config, move |request, respond| {
            let tell = tell.clone();
            async move {
                let send = respond.send_response(Response::new(()), false).unwrap();
                tell.send((send, request.into_body())).unwrap();
            }
        });
        let (requests, connection) = client::handshake(near);
        tokio::spawn(connection);
        connections.push(requests);
    }
    let mut tunnels = Vec::new();
    // Everything is used once.
    let mut used = 0;
    let mut message = vec![0; MESSAGE];
    for requests in &mut connections {
        for _ in 0..STREAMS {
            bounded(requests.ready()).await.unwrap();
            let (response, mut send) = requests.send_request(connect(), false).unwrap();
            let mut receive = bounded(response).await.unwrap().into_body();
            let (mut other_send, mut other_receive) = bounded(accepted.recv()).await.unwrap();
            bounded(send.write_all(&message[..100])).await.unwrap();
            bounded(other_receive.read_exact(&mut message[..100])).await.unwrap();
            bounded(other_send.write_all(&message)).await.unwrap();
            bounded(receive.read_exact(&mut message)).await.unwrap();
            tunnels.push((send, receive, other_send, other_receive));
            used += 1;
        }
    }
    assert_eq!(used, CONNECTIONS * STREAMS);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let with_streams = held();
    let each = (with_streams - before) / (2 * used);
    println!("an idle stream: {each} bytes on each side");
    drop(tunnels);
    // They are reset, which both sides have to learn.
    for requests in &connections {
        bounded(requests.handle().ping()).await.unwrap();
        bounded(requests.handle().ping()).await.unwrap();
    }
    // What is kept for more streams goes a second after the last of them.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let each_connection = held().saturating_sub(before) / (2 * CONNECTIONS);
    println!("an idle connection: {each_connection} bytes on each side, with half a pipe");
    assert!(each <= 1024, "{each}");
    assert!(each_connection <= 40 << 10, "{each_connection}");
}

/// What was read and sent with large messages is used again: a thread keeps a bounded amount of it, and no stream any.
#[tokio::test]
async fn large_messages_leave_what_is_used_again() {
    const STREAMS: usize = 32;
    let _alone = ALONE.lock().await;
    let message: Vec<u8> = (0..80_000).map(|at| (at / 3) as u8).collect();
    let config = Config::default().max_send_queue(1 << 20);
    let mut echo = Echo::start(config);
    let mut tunnels = Vec::new();
    for _ in 0..STREAMS {
        tunnels.push(echo.tunnel().await);
    }
    let before = held();
    let mut after = Vec::new();
    for _ in 0..3 {
        for (send, _) in &mut tunnels {
            bounded(send.send_data(Bytes::from(message.clone()))).await.unwrap();
        }
        for (_, receive) in &mut tunnels {
            let mut received = vec![0; message.len()];
            bounded(receive.read_exact(&mut received)).await.unwrap();
            assert!(received == message);
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        after.push(held().saturating_sub(before));
    }
    // A MiB of buffers, the other side's as well for they are one thread, and what the streams' windows have grown by.
    assert!(after.iter().all(|&held| held < 5 << 18), "{after:?}");
    drop(tunnels);
    echo.end().await;
}

/// A frame that says it is large holds no more than has come of it, or as much again.
#[tokio::test]
async fn a_frame_that_is_said_to_be_large() {
    let _alone = ALONE.lock().await;
    let (mut near, far) = duplex(16 << 10);
    let config = Config::default().max_frame_size(16 << 20).settings_timeout(None);
    let serving = serve(far, config, |_, _| async {});
    let mut bytes = BytesMut::from(&PREFACE[..]);
    for head in [
        Head { length: 0, kind: Kind::SETTINGS, flags: 0, stream: StreamId::CONNECTION },
        Head { length: 0, kind: Kind::SETTINGS, flags: 1, stream: StreamId::CONNECTION },
        Head { length: (1 << 24) - 1, kind: Kind::new(0xbb), flags: 0, stream: StreamId::CONNECTION },
    ] {
        head.write(&mut bytes);
    }
    near.write_all(&bytes).await.unwrap();
    let before = held();
    for _ in 0..10 {
        near.write_all(&[0; 1000]).await.unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    let held = held().saturating_sub(before);
    assert!(held < 128 << 10, "{held}");
    serving.abort();
}
