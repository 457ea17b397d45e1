//! Messages that nobody could hold, and messages that cost nothing.
#![cfg(feature = "tokio")]

mod support;

use std::alloc::System;

use sheave_ws::deflate::DeflateConfig;
use sheave_ws::{MessageRef, Role};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{agreed, alone, no_time, websocket};
use tokio::io::duplex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: usize = 1 << 20;

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

#[test]
fn a_message_that_nobody_could_hold_takes_the_memory_of_a_small_one() {
    alone(false, async || {
        for (role, deflate, size) in [
            (Role::Server, None, 256 * MIB),
            (Role::Client, None, 64 * MIB),
            (Role::Server, Some(DeflateConfig::default().level(1)), 32 * MIB),
            (Role::Client, Some(DeflateConfig::default()), 16 * MIB),
        ] {
            let config = no_time().deflate(deflate.clone()).max_streamed_size(u64::MAX);
            let agreed = deflate.as_ref().map(agreed).unwrap_or_default();
            let (near, far) = duplex(64 << 10);
            let mut from = websocket(near, role, &config).agreed(agreed.clone(), &config);
            let mut to = websocket(far, support::other(role), &config).agreed(agreed, &config);
            let before = held();
            let (part, mut output) = (vec![7; 64 << 10], vec![0; 64 << 10]);
            let mut most = 0;
            let sending = async {
                let mut writer = from.writer(false);
                for _ in 0..size / part.len() {
                    writer.write(&part).await.unwrap();
                }
                writer.finish().await.unwrap();
            };
            let reading = async {
                let mut reader = to.reader().await.unwrap().unwrap();
                let mut read = 0;
                loop {
                    let count = reader.read(&mut output).await.unwrap();
                    if count == 0 {
                        break read;
                    }
                    assert!(output[..count].first() == Some(&7) && output[count - 1] == 7);
                    read += count;
                    most = most.max(held().saturating_sub(before));
                }
            };
            let ((), read) = tokio::join!(sending, reading);
            assert_eq!(read, size);
            assert!(most < 2 * MIB, "{role:?}: {most} bytes held");
        }
    });
}

#[test]
fn a_message_that_is_lent_allocates_nothing() {
    alone(false, async || {
        for role in [Role::Client, Role::Server] {
            for deflate in [None, Some(DeflateConfig::default())] {
                let config = no_time().deflate(deflate.clone());
                let agreed = deflate.as_ref().map(agreed).unwrap_or_default();
                let (near, far) = duplex(64 << 10);
                let mut from = websocket(near, support::other(role), &config).agreed(agreed.clone(), &config);
                let mut to = websocket(far, role, &config).agreed(agreed, &config);
                let mut counted = 0;
                for round in 0..20 {
                    for index in 0..100 {
                        from.feed(format!("message {index}, plain")).await.unwrap();
                        // Long enough to be compressed, if anything is.
                        from.feed(vec![index; 300]).await.unwrap();
                    }
                    from.flush().await.unwrap();
                    let before = allocations();
                    for index in 0..100 {
                        match to.recv_ref().await.unwrap().unwrap() {
                            MessageRef::Text(text) => assert!(text.starts_with("message ")),
                            MessageRef::Binary(_) => panic!("out of order"),
                        }
                        let binary = to.recv_ref().await.unwrap().unwrap();
                        assert_eq!(binary.as_bytes(), [index; 300]);
                    }
                    if round > 2 {
                        counted += allocations() - before;
                    }
                    // It goes to sleep, and comes back to the same read buffer.
                    assert!(support::polled(2, to.recv_ref()).await.is_none());
                }
                if deflate.is_none() {
                    assert_eq!(counted, 0);
                } else {
                    assert!(counted < 200, "{counted} in 3400 messages");
                }
            }
        }
    });
}
