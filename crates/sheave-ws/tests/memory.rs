//! What a peer can make us hold, counted by the allocator.
#![cfg(feature = "tokio")]

mod support;

use std::alloc::System;

use bytes::BytesMut;
use sheave_ws::{Config, Connection, Error, Limit, Role};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{bounded, frame, no_time, polled, scripted, websocket, wire};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const MIB: usize = 1 << 20;

/// The counts are of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How many bytes are allocated now.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

fn growth(since: usize) -> usize {
    held().saturating_sub(since)
}

#[tokio::test]
async fn two_million_pings_from_a_peer_that_does_not_read() {
    let _alone = ALONE.lock().await;
    for role in ROLES {
        for split in [false, true] {
            let (mut ws, peer) = scripted(role, &no_time());
            peer.take(0);
            let pings = wire(role, &vec![frame().ping(b"0123456789"); 2000]);
            peer.send(&pings);
            let mut most = 0;
            if split {
                let (_sender, mut receiver) = ws.split();
                assert!(polled(1, receiver.recv()).await.is_none());
                let before = held();
                for _ in 0..1000 {
                    peer.send(&pings);
                    assert!(polled(1, receiver.recv()).await.is_none());
                    most = most.max(growth(before));
                }
            } else {
                assert!(polled(1, ws.recv()).await.is_none());
                let before = held();
                for _ in 0..1000 {
                    peer.send(&pings);
                    assert!(polled(1, ws.recv()).await.is_none());
                    most = most.max(growth(before));
                }
            }
            assert_eq!(peer.unread(), 0);
            assert!(most < MIB, "{role:?}, split {split}: {most} bytes");
        }
    }
}

#[tokio::test]
async fn two_million_pings_while_the_split_sender_is_stuck() {
    let _alone = ALONE.lock().await;
    let (ws, peer) = scripted(Role::Server, &no_time());
    peer.take(3);
    let (mut sender, mut receiver) = ws.split();
    let before = held();
    let sending = tokio::spawn(async move { sender.send(vec![0; 100]).await });
    tokio::task::yield_now().await;
    let pings = wire(Role::Server, &vec![frame().ping(b"0123456789"); 2000]);
    let mut most = 0;
    for _ in 0..1000 {
        peer.send(&pings);
        assert!(polled(1, receiver.recv()).await.is_none());
        most = most.max(growth(before));
    }
    assert!(most < MIB, "{most} bytes");
    peer.take_all();
    bounded(sending).await.unwrap().unwrap();
}

#[test]
fn a_fragmented_message_is_cut_at_the_limit() {
    let _alone = ALONE.blocking_lock();
    let config = Config::default().max_message_size(MIB);
    for role in ROLES {
        let mut connection = Connection::new(role, &config, || Ok([1, 2, 3, 4]));
        let part = frame().continuation(vec![0; 10_000]).unfinished();
        let mut piece = wire(role, &[part.clone().opcode(2)]);
        let mut input = BytesMut::new();
        let before = held();
        let (mut sent, mut most) = (0, 0);
        let error = loop {
            input.extend_from_slice(&piece);
            match connection.recv(&mut input) {
                Ok(event) => assert_eq!(event, None),
                Err(error) => break error,
            }
            sent += 10_000;
            most = most.max(growth(before));
            assert!(sent <= MIB, "past the limit");
            piece = wire(role, std::slice::from_ref(&part));
        };
        assert!(matches!(error, Error::Limit(Limit::MessageSize)));
        assert!(most < 3 * MIB, "{most} bytes held for a message of 1 MiB");
        let close = connection.transmit().pop().unwrap();
        assert_eq!(support::parse(&close)[0].close_code(), Some(1009));
    }
}

#[tokio::test]
async fn no_memory_is_reserved_from_a_claimed_length() {
    let _alone = ALONE.lock().await;
    for role in ROLES {
        let header = frame().binary("").claims(16 << 20).to(role).bytes();
        let mut connection = Connection::new(role, &Config::default(), || Ok([0; 4]));
        let mut input = BytesMut::from(&header[..]);
        let before = held();
        assert!(connection.recv(&mut input).unwrap().is_none());
        assert!(growth(before) < 1024, "{}", growth(before));

        // A thread's read buffer exists once, and is warmed up here.
        let (mut warm, peer) = scripted(role, &no_time());
        peer.send(&header);
        assert!(polled(1, warm.recv()).await.is_none());
        let (mut ws, peer) = scripted(role, &no_time());
        peer.send(&header);
        let before = held();
        assert!(polled(3, ws.recv()).await.is_none());
        assert!(growth(before) < 1024, "{}", growth(before));
        // What has really come is held, and at most as much again.
        peer.send(vec![0; 100_000]);
        assert!(polled(3, ws.recv()).await.is_none());
        assert!(growth(before) < 600_000, "{}", growth(before));
    }
}

#[tokio::test]
async fn the_start_of_a_frame_holds_no_read_buffer() {
    const COUNT: usize = 100;
    let _alone = ALONE.lock().await;
    let (mut warm, peer) = scripted(Role::Server, &no_time());
    peer.send(wire(Role::Server, &[frame().ping("x")]));
    assert!(polled(3, warm.recv()).await.is_none());
    let mut connections: Vec<_> = (0..COUNT).map(|_| scripted(Role::Server, &no_time())).collect();
    let start = &wire(Role::Server, &[frame().binary([0; 100])])[..50];
    connections.iter().for_each(|(_, peer)| peer.send(start));
    let before = held();
    for (ws, _) in &mut connections {
        assert!(polled(3, ws.recv()).await.is_none());
    }
    let each = growth(before) / COUNT;
    assert!(each < 512, "{each} bytes each");
    let rest = &wire(Role::Server, &[frame().binary([0; 100])])[50..];
    for (ws, peer) in &mut connections {
        peer.send(rest);
        assert_eq!(bounded(ws.recv()).await.unwrap(), Some(vec![0; 100].into()));
    }
}

#[tokio::test]
async fn an_idle_websocket_holds_little() {
    const COUNT: usize = 1000;
    let _alone = ALONE.lock().await;
    let mut connections: Vec<_> = (0..COUNT).map(|_| scripted(Role::Server, &Config::default())).collect();
    // Everything has been used once.
    let input = wire(Role::Server, &[frame().ping("x"), frame().text("hello")]);
    let before = held();
    for (ws, peer) in &mut connections {
        peer.send(&input);
        let message = ws.recv().await.unwrap().unwrap();
        ws.feed(message).await.unwrap();
        assert!(polled(2, ws.recv()).await.is_none());
    }
    // The script itself holds what was sent and received.
    let each = growth(before) / COUNT;
    println!("{} bytes in place, {each} behind pointers", size_of_val(&connections[0].0));
    assert!(each < 400, "{each} bytes each");
    assert!(size_of_val(&connections[0].0) < 800, "{}", size_of_val(&connections[0].0));
}

#[tokio::test]
async fn a_small_message_that_is_kept_holds_no_read_buffer() {
    let _alone = ALONE.lock().await;
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    peer.send(wire(Role::Server, &vec![frame().binary([7; 100]); 1000]));
    let mut kept = Vec::with_capacity(1000);
    let before = held();
    for _ in 0..1000 {
        kept.push(ws.recv().await.unwrap().unwrap());
    }
    assert!(growth(before) < 400_000, "{} for 100 KB", growth(before));
}

#[tokio::test]
async fn a_large_message_leaves_nothing_behind() {
    let _alone = ALONE.lock().await;
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    let message = wire(Role::Server, &[frame().binary(vec![7; 8 * MIB])]);
    assert!(polled(1, ws.recv()).await.is_none());
    peer.send(&message);
    drop(message);
    let before = held();
    drop(bounded(ws.recv()).await.unwrap().unwrap());
    assert!(polled(1, ws.recv()).await.is_none());
    assert!(growth(before) < 300_000, "{}", growth(before));
}

/// Messages of many lengths lie across the borders of read buffers, which grow while they are filled: what is received is
/// what came, however long it is kept, and nothing is held once the peer is waited for.
#[tokio::test]
async fn a_stream_of_large_messages() {
    const ROUND: usize = 24;
    let _alone = ALONE.lock().await;
    let message = |index: usize| {
        let length = 60_000 + 1_001 * index;
        (0..length).map(|at| (at / 3 + 7 * index) as u8).collect::<Vec<u8>>()
    };
    let frames: Vec<_> = (0..ROUND).map(|index| frame().binary(message(index))).collect();
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    let round = wire(Role::Server, &frames);
    let mut kept = Vec::new();
    // The first warms up what a thread keeps.
    let mut before = held();
    for count in 0..4 {
        peer.send(&round);
        for index in 0..ROUND {
            let received = bounded(ws.recv()).await.unwrap().unwrap();
            assert!(received.as_bytes() == message(index), "{count} {index}");
            if index == 7 {
                kept.push((index, received));
            }
        }
        assert!(polled(1, ws.recv()).await.is_none());
        if count == 0 {
            kept.clear();
            before = held();
        }
    }
    for (index, kept) in &kept {
        assert!(kept.as_bytes() == message(*index), "what is kept stays as it is");
    }
    drop(kept);
    assert!(growth(before) < 1024, "{}", growth(before));
}

#[tokio::test]
async fn a_tcp_peer_that_never_reads_is_bounded_too() {
    let _alone = ALONE.lock().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut ws = websocket(stream, Role::Server, &no_time());
    let pings = wire(Role::Server, &vec![frame().ping([0; 125]); 2000]);
    let before = held();
    let receiving = tokio::spawn(async move { ws.recv().await });
    for _ in 0..100 {
        bounded(peer.write_all(&pings)).await.unwrap();
    }
    assert!(growth(before) < MIB, "{}", growth(before));
    peer.shutdown().await.unwrap();
    assert!(matches!(bounded(receiving).await.unwrap(), Err(Error::Disconnected)));
}
