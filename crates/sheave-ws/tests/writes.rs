//! What leaves, when, and in how many writes; transports that take little, nothing, or fail.
#![cfg(feature = "tokio")]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use sheave_ws::{CloseCode, Config, Error, Message, Role};
use support::{Frame, bounded, frame, no_time, polled, scripted, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

#[tokio::test]
async fn an_echo_that_feeds_writes_once_per_read() {
    const MESSAGES: usize = 6400;
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    let burst = vec![frame().binary([7; 64]); 64];
    let burst = wire(Role::Server, &burst);
    for _ in 0..MESSAGES / 64 {
        // 64 in flight: the peer sends more when it has its answers.
        peer.send(&burst);
        for _ in 0..64 {
            let message = bounded(ws.recv()).await.unwrap().unwrap();
            ws.feed(message).await.unwrap();
        }
        assert!(polled(1, ws.recv()).await.is_none());
    }
    assert_eq!(peer.frames().len(), MESSAGES);
    let per_message = peer.writes() as f64 / MESSAGES as f64;
    assert!(per_message <= 0.05, "{per_message} writes a message");
    assert!(peer.reads() as f64 / MESSAGES as f64 <= 0.05);
}

#[tokio::test]
async fn a_split_echo_that_feeds_writes_once_per_burst() {
    const MESSAGES: usize = 6400;
    let (ws, peer) = scripted(Role::Server, &no_time());
    let (mut sender, mut receiver) = ws.split();
    let burst = wire(Role::Server, &vec![frame().binary([7; 64]); 64]);
    for _ in 0..MESSAGES / 64 {
        peer.send(&burst);
        for _ in 0..64 {
            sender.feed(receiver.recv().await.unwrap().unwrap()).await.unwrap();
        }
        sender.flush().await.unwrap();
    }
    assert_eq!(peer.frames().len(), MESSAGES);
    let per_message = peer.writes() as f64 / MESSAGES as f64;
    assert!(per_message <= 0.05, "{per_message} writes a message");
}

#[tokio::test]
async fn pongs_to_many_pings_leave_in_one_write() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.send(wire(role, &vec![frame().ping("x"); 100]));
        assert!(polled(1, ws.recv()).await.is_none());
        assert_eq!((peer.frames().len(), peer.writes()), (100, 1));
    }
}

#[tokio::test]
async fn header_and_large_payload_leave_in_one_gathered_write() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        ws.feed("small").await.unwrap();
        ws.feed(vec![7; 20_000]).await.unwrap();
        ws.feed("small").await.unwrap();
        ws.flush().await.unwrap();
        assert_eq!((peer.frames().len(), peer.writes()), (3, 1));
    }
}

#[tokio::test]
async fn fed_messages_leave_when_recv_waits() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        ws.feed("x").await.unwrap();
        assert!(peer.received().is_empty());
        assert!(polled(1, ws.recv()).await.is_none());
        assert_eq!(peer.frames().len(), 1);
    }
}

#[tokio::test]
async fn the_write_queue_is_bounded() {
    for role in ROLES {
        let config = no_time().high_water_mark(10_000);
        let (mut ws, peer) = scripted(role, &config);
        peer.take(0);
        let mut fed = 0;
        while polled(2, ws.feed(vec![0; 100])).await.is_some() {
            fed += 1;
            assert!(fed < 1000, "the queue has no end");
        }
        assert!((90..=100).contains(&fed), "{fed}");

        let (ws, peer) = scripted(role, &config);
        let (mut sender, _receiver) = ws.split();
        peer.take(0);
        let mut fed = 0;
        while polled(2, sender.feed(vec![0; 100])).await.is_some() {
            fed += 1;
            assert!(fed < 1000, "the queue has no end");
        }
        assert!((90..=200).contains(&fed), "{fed}");
        peer.take_all();
        bounded(sender.flush()).await.unwrap();
        assert_eq!(peer.frames().len(), fed);
    }
}

#[tokio::test]
async fn a_message_over_the_high_water_mark_is_taken_whole() {
    for role in ROLES {
        for mark in [0, 1, 100] {
            let (mut ws, peer) = scripted(role, &no_time().high_water_mark(mark));
            peer.step(1000);
            ws.send(vec![7; 100_000]).await.unwrap();
            ws.send("next").await.unwrap();
            ws.ping("p").await.unwrap();
            peer.send(wire(role, &[frame().ping("q")]));
            assert!(polled(3, ws.recv()).await.is_none());
            assert_eq!(peer.frames().len(), 4, "mark {mark}");
        }
    }
}

#[tokio::test]
async fn a_write_of_zero_is_an_error() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.write_zero();
        let sent = bounded(ws.send("x")).await;
        assert!(matches!(sent, Err(Error::Io(error)) if error.kind() == ErrorKind::WriteZero));
        assert!(matches!(ws.send("x").await, Err(Error::Closed)));

        let (mut ws, peer) = scripted(role, &no_time());
        peer.write_zero();
        // Two chunks: the gathered write.
        let sent = bounded(ws.send(vec![0; 20_000])).await;
        assert!(matches!(sent, Err(Error::Io(error)) if error.kind() == ErrorKind::WriteZero));
    }
}

#[tokio::test]
async fn a_failed_write_is_final() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.fail_writes(ErrorKind::ConnectionReset);
        let sent = ws.send("x").await;
        assert!(matches!(sent, Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset));
        assert!(matches!(ws.feed("x").await, Err(Error::Closed)));
        assert!(matches!(ws.ping("x").await, Err(Error::Closed)));
    }
}

#[tokio::test]
async fn tls_like_transport_is_flushed_after_pong_and_close() {
    for role in ROLES {
        for hiccups in [0, 1, 3] {
            let (mut ws, peer) = scripted(role, &no_time());
            peer.buffer();
            peer.hiccups(hiccups);
            peer.send(wire(role, &[frame().ping("1"), frame().text("x")]));
            assert_eq!(bounded(ws.recv()).await.unwrap(), Some("x".into()));
            assert!(polled(20, ws.recv()).await.is_none());
            assert_eq!(peer.frames().len(), 1, "the Pong was flushed");
            peer.send(wire(role, &[frame().close(1000, "")]));
            peer.end();
            assert_eq!(bounded(ws.recv()).await.unwrap(), None);
            assert_eq!(peer.frames()[1].close_code(), Some(1000));
        }
    }
}

#[tokio::test]
async fn tls_like_transport_is_flushed_by_every_sending_method() {
    for hiccups in [0, 1, 3] {
        let (mut ws, peer) = scripted(Role::Client, &no_time().close_timeout(Duration::ZERO));
        peer.buffer();
        peer.hiccups(hiccups);
        bounded(ws.send("x")).await.unwrap();
        assert_eq!(peer.frames().len(), 1);
        bounded(ws.ping("x")).await.unwrap();
        assert_eq!(peer.frames().len(), 2);
        let (mut sender, _receiver) = ws.split();
        bounded(sender.send("x")).await.unwrap();
        assert_eq!(peer.frames().len(), 3);
        bounded(sender.ping("x")).await.unwrap();
        assert_eq!(peer.frames().len(), 4);
        bounded(sender.close(CloseCode::NORMAL)).await.unwrap();
        assert_eq!(peer.frames().len(), 5);
    }
}

#[tokio::test]
async fn only_the_newest_pong_is_owed() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time().high_water_mark(100));
        peer.take(0);
        ws.feed(vec![0; 200]).await.unwrap();
        let pings: Vec<Frame> = (0..1000).map(|index| frame().ping(index.to_string())).collect();
        peer.send(wire(role, &pings));
        assert!(polled(1, ws.recv()).await.is_none());
        peer.take_all();
        assert!(polled(1, ws.recv()).await.is_none());
        let frames = peer.frames();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[1].payload, b"999");
    }
}

#[tokio::test]
async fn a_shared_payload_is_not_changed_by_masking() {
    let (mut ws, peer) = scripted(Role::Client, &no_time());
    for length in [10, 20_000] {
        let payload = bytes::Bytes::from(vec![7; length]);
        ws.send(payload.clone()).await.unwrap();
        assert_eq!(payload, vec![7; length]);
        assert_eq!(peer.frames().pop().unwrap().payload, payload);
    }
}

#[tokio::test]
async fn masking_keys_are_fresh() {
    let (mut ws, peer) = scripted(Role::Client, &no_time());
    let mut keys = std::collections::HashSet::new();
    for _ in 0..1000 {
        ws.feed("").await.unwrap();
    }
    ws.flush().await.unwrap();
    for frame in peer.received().chunks(6) {
        keys.insert(frame[2..].to_vec());
    }
    assert!(keys.len() > 990, "{} keys", keys.len());
}

#[tokio::test]
async fn stream_and_sink_do_the_same() {
    use futures_util::{SinkExt, StreamExt};
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.send(wire(role, &[frame().text("a"), frame().text("b"), frame().close(1000, "")]));
        peer.end();
        SinkExt::send(&mut ws, Message::from("x")).await.unwrap();
        let received: Vec<_> = (&mut ws).map(Result::unwrap).collect().await;
        assert_eq!(received, [Message::from("a"), "b".into()]);
        SinkExt::close(&mut ws).await.unwrap();
        assert_eq!(peer.frames().len(), 2);

        let (ws, peer) = scripted(role, &no_time());
        let (mut sender, receiver) = ws.split();
        SinkExt::send(&mut sender, Message::from("x")).await.unwrap();
        SinkExt::close(&mut sender).await.unwrap();
        peer.send(wire(role, &[frame().text("a"), frame().close(1000, "")]));
        peer.end();
        assert_eq!(receiver.count().await, 1);
        assert_eq!(peer.frames().len(), 2);
    }
}

#[tokio::test]
async fn misuse_is_told_and_harms_nothing() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &Config::default());
        assert!(matches!(ws.ping(vec![0; 126]).await, Err(Error::Usage(_))));
        ws.ping(vec![0; 125]).await.unwrap();
        let (mut sender, _receiver) = ws.split();
        assert!(matches!(sender.ping(vec![0; 126]).await, Err(Error::Usage(_))));
        sender.send("x").await.unwrap();
        assert_eq!(peer.frames().len(), 2);
    }
}
