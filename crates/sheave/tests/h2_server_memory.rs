//! What the server holds for the WebSockets of a client over HTTP/2.

mod support;

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use sheave::Request;
use sheave::h2::ErrorCode;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::frames::{Frames, GET, Seen, data_frame, unmasked};
use support::raw::{self, TEXT};
use support::{echo, soon};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// What is held is that of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

const SOCKETS: u32 = 900;

/// A client of an echo, with so many sockets, and a stream that the server has reset.
async fn connected(pipe: usize) -> (Frames<DuplexStream>, u32) {
    let server = sheave::Server::detached().build().await.unwrap();
    let (near, far) = duplex(pipe);
    tokio::spawn(async move { server.serve_connection(far, echo).await });
    let mut client = Frames::begin(near).await;
    client.credit(0, 1 << 30).await;
    for index in 0..SOCKETS {
        let stream = 2 * index + 1;
        client.open(stream).await;
        client.frame(stream, TEXT, b"hello").await;
        assert_eq!(client.take(stream, 7).await, unmasked(TEXT, b"hello"));
    }
    let reset = 2 * SOCKETS + 1;
    client.request(reset, &[(":method", "GET")], false).await;
    assert_eq!(client.see().await, Seen::Reset(reset, ErrorCode::PROTOCOL_ERROR));
    (client, reset)
}

async fn settled(client: &mut Frames<DuplexStream>) {
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        client.ping(*b"settled?").await;
        assert_eq!(client.see().await, Seen::Pong(*b"settled?"));
    }
}

/// An idle WebSocket: its stream, itself, and its task with the handler, of which [`echo`] has some 400 bytes.
#[tokio::test(start_paused = true)]
async fn an_idle_websocket() {
    let _alone = ALONE.lock().await;
    let (mut first, _) = connected(4 << 10).await;
    settled(&mut first).await;
    let before = held();
    let (mut client, _) = connected(4 << 10).await;
    settled(&mut client).await;
    let each = (held() - before) / SOCKETS as usize;
    println!("an idle WebSocket: {each} bytes");
    assert!(each <= 2048, "{each}");
}

/// A part of a frame is held, with room for up to three times as much if that much is to come, and nothing of what was read
/// with it, however much that was.
#[tokio::test(start_paused = true)]
async fn parts_of_frames() {
    let _alone = ALONE.lock().await;
    let (mut client, reset) = connected(1 << 20).await;
    settled(&mut client).await;
    let before = held();
    let part = &raw::frame(raw::BINARY, &[7; 12_000])[..5000];
    for index in 0..SOCKETS {
        let mut bytes = BytesMut::from(&data_frame(2 * index + 1, part, false)[..]);
        while bytes.len() < 300_000 {
            bytes.extend_from_slice(&data_frame(reset, &[0; 16_000], false));
        }
        soon(client.io.write_all(&bytes)).await.unwrap();
        settled(&mut client).await;
    }
    let each = (held() - before) / SOCKETS as usize;
    println!("a part of 5 000 bytes: {each} bytes");
    assert!(each <= 16_000, "{each}");
}

/// Requests without a pause, each answered: what was held for one goes with it.
#[tokio::test]
async fn a_stream_of_requests() {
    let _alone = ALONE.lock().await;
    const REQUESTS: usize = 30_000;
    const SETTLED: usize = 5_000;
    let (count, samples) =
        (Arc::new(AtomicUsize::new(0)), Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
    let (counted, sampled) = (Arc::clone(&count), Arc::clone(&samples));
    let server = sheave::Server::detached().build().await.unwrap();
    let (near, far) = duplex(1 << 20);
    tokio::spawn(async move {
        let handler = move |request: Request| {
            let place = match counted.fetch_add(1, Ordering::Relaxed) + 1 {
                SETTLED => Some(0),
                REQUESTS => Some(1),
                _ => None,
            };
            if let Some(place) = place {
                sampled[place].store(held(), Ordering::Relaxed);
            }
            async move { request.respond(http::Response::new("")).await }
        };
        server.serve_connection(far, handler).await
    });
    let mut client = Frames::begin(near).await;
    let mut requests = BytesMut::new();
    for index in 0..REQUESTS as u32 {
        requests.extend_from_slice(&client.headers(2 * index + 1, &GET, true));
    }
    // No more than there may be at once, and always some.
    let each = requests.len() / REQUESTS;
    let (mut sent, mut answered) = (0, 0);
    while answered < REQUESTS {
        let most = ((answered + 900) * each).min(requests.len());
        if most >= sent + 100 * each || most == requests.len() && sent < most {
            client.send(&requests[sent..most]).await;
            sent = most;
        }
        let Seen::Headers { status: 200, end: true, .. } = client.see().await else { panic!() };
        answered += 1;
    }
    assert_eq!(count.load(Ordering::Relaxed), REQUESTS);
    let [before, after] = [0, 1].map(|place| samples[place].load(Ordering::Relaxed));
    println!("after {SETTLED} requests {before} bytes, after {REQUESTS} {after}");
    assert!(after < before + (2 << 20), "{before} {after}");
}
