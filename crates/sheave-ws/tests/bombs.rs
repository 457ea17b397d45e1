//! A megabyte that inflates to a gigabyte is cut at the limit, and no more than that is ever held.
#![cfg(feature = "tokio")]

mod support;

use std::alloc::System;
use std::future::poll_fn;
use std::pin::pin;

use sheave_ws::deflate::DeflateConfig;
use sheave_ws::io::WebSocket;
use sheave_ws::{Error, Limit, Role};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{Frame, Peer, Script, Squeeze, alone, bounded, frame, no_time, scripted_agreed, wire};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: usize = 1 << 20;

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// What becomes of `future`, and by how much the memory grows at most from one poll to the next.
async fn most_held<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let before = held();
    let mut most = 0;
    let output = poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        most = most.max(held().saturating_sub(before));
        polled
    })
    .await;
    (output, most)
}

/// The payload of a GiB of the same character.
fn bomb() -> Vec<u8> {
    let mut squeeze = Squeeze::default();
    let tail = [0, 0, 0xff, 0xff];
    let content = vec![b'a'; MIB];
    let mut payload = [&squeeze.message(&content)[..], &tail].concat();
    // All that follow are the same: they refer back to the one before.
    let again = [&squeeze.message(&content)[..], &tail].concat();
    assert_eq!([&squeeze.message(&content)[..], &tail].concat(), again);
    for _ in 1..1024 {
        payload.extend_from_slice(&again);
    }
    assert!(payload.len() < 1_200_000, "{}", payload.len());
    payload
}

/// A WebSocket that is sent the bomb, in so many fragments, a few bytes at a time.
fn start(role: Role, limit: usize, fragments: usize) -> (WebSocket<Script>, Peer) {
    let config = no_time().deflate(DeflateConfig::default()).max_message_size(limit);
    let (ws, peer) = scripted_agreed(role, &config.max_streamed_size(limit as u64));
    let payload = bomb();
    let frames: Vec<Frame> = payload
        .chunks(payload.len().div_ceil(fragments))
        .enumerate()
        .map(|(index, piece)| {
            let piece =
                if index == 0 { frame().text(piece).reserved(0x40) } else { frame().continuation(piece) };
            if index + 1 < fragments { piece.unfinished() } else { piece }
        })
        .collect();
    peer.send(wire(role, &frames));
    // Each poll takes but little, so that what is held in between is seen.
    peer.hiccups(1);
    peer.step(limit / 10_000);
    peer.end();
    (ws, peer)
}

fn check(peer: &Peer, error: Error, held: usize, most: usize) {
    assert!(matches!(error, Error::Limit(Limit::MessageSize)), "{error:?}");
    assert!(held < most, "{held} bytes held");
    let frames = peer.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].close_code(), Some(1009));
}

#[test]
fn received_whole_and_lent() {
    alone(false, async || {
        for (role, limit, fragments) in [
            (Role::Client, MIB, 1),
            (Role::Server, MIB, 1),
            (Role::Client, MIB, 100),
            (Role::Server, 64 * MIB, 1),
            (Role::Client, 64 * MIB, 100),
        ] {
            let (mut ws, peer) = start(role, limit, fragments);
            if fragments == 1 {
                let (result, held) = most_held(bounded(ws.recv())).await;
                check(&peer, result.unwrap_err(), held, 2 * limit);
            } else {
                let (result, held) = most_held(async { bounded(ws.recv_ref()).await.map(drop) }).await;
                check(&peer, result.unwrap_err(), held, 2 * limit);
            }
            assert!(ws.recv().await.unwrap().is_none());
        }
    });
}

#[test]
fn received_by_a_half() {
    alone(false, async || {
        let (ws, peer) = start(Role::Server, MIB, 10);
        let (sender, mut receiver) = ws.split();
        let (result, held) = most_held(bounded(receiver.recv())).await;
        check(&peer, result.unwrap_err(), held, 2 * MIB);
        assert!(sender.is_closed());
    });
}

#[test]
fn read_in_parts() {
    alone(false, async || {
        for (role, limit, fragments) in [
            (Role::Client, MIB, 1),
            (Role::Server, MIB, 100),
            (Role::Client, 64 * MIB, 100),
            (Role::Server, 64 * MIB, 1),
        ] {
            let (mut ws, peer) = start(role, limit, fragments);
            let mut output = vec![0; 50_000];
            let mut read = 0;
            let reading = async {
                let mut reader = ws.reader().await.unwrap().unwrap();
                loop {
                    match reader.read(&mut output).await {
                        Ok(count) => {
                            assert_ne!(count, 0);
                            read += count;
                        }
                        Err(error) => break error,
                    }
                }
            };
            let (error, held) = most_held(bounded(reading)).await;
            // It holds nothing of the message.
            check(&peer, error, held, MIB);
            assert!(read <= limit && read > limit - 50_000);
        }
    });
}

#[test]
fn skipped() {
    alone(false, async || {
        let (mut ws, peer) = start(Role::Server, MIB, 10);
        assert!(bounded(ws.reader()).await.unwrap().is_some());
        let (result, held) = most_held(bounded(ws.recv())).await;
        check(&peer, result.unwrap_err(), held, MIB);
    });
}
