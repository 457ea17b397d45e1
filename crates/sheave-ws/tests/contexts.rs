//! What is remembered of earlier messages is given back when a connection rests, and messages go on.
#![cfg(feature = "tokio")]

mod support;

use std::alloc::System;
use std::time::Duration;

use sheave_ws::deflate::DeflateConfig;
use sheave_ws::io::{Receiver, Sender, WebSocket};
use sheave_ws::{Compress, Config, Prepared, Role};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{Random, agreed, alone, bounded, no_time, polled, websocket, words};
use tokio::io::{DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::sleep;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Many more than a thread keeps for whichever comes next.
const COUNT: usize = 16;

/// Less than one compressor and one decompressor take.
const EACH: usize = 200 << 10;

type Ws = WebSocket<DuplexStream>;
type Receiving = JoinHandle<(Receiver<DuplexStream>, Option<sheave_ws::Message>)>;

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

fn growth(since: usize) -> usize {
    held().saturating_sub(since)
}

fn config(deflate: DeflateConfig) -> Config {
    no_time().deflate(deflate)
}

fn pairs(config: &Config) -> Vec<(Ws, Ws)> {
    let agreed = agreed(config.deflate.as_ref().unwrap());
    (0..COUNT)
        .map(|_| {
            let (near, far) = duplex(100_000);
            let client = websocket(near, Role::Client, config).agreed(agreed.clone(), config);
            (client, websocket(far, Role::Server, config).agreed(agreed.clone(), config))
        })
        .collect()
}

fn text() -> String {
    words(&mut Random::new(1), 1000)
}

/// Each end sends and receives.
async fn talk(pairs: &mut [(Ws, Ws)]) {
    for (client, server) in pairs {
        for _ in 0..3 {
            client.send(text()).await.unwrap();
            assert_eq!(bounded(server.recv()).await.unwrap(), Some(text().into()));
            server.send(text()).await.unwrap();
            assert_eq!(bounded(client.recv()).await.unwrap(), Some(text().into()));
        }
    }
}

/// Both wait to receive for so long.
async fn wait(pairs: &mut [(Ws, Ws)], time: Duration) {
    let mut waiting = Vec::new();
    for (client, server) in pairs {
        waiting.push(tokio::time::timeout(time, client.recv()));
        waiting.push(tokio::time::timeout(time, server.recv()));
    }
    for result in futures_util::future::join_all(waiting).await {
        assert!(result.is_err(), "{result:?}");
    }
}

#[test]
fn a_websocket_that_waits_gives_them_back() {
    alone(true, async || {
        for idle in [Duration::ZERO, Duration::from_millis(5), Duration::from_secs(10)] {
            for keepalive in [None, Some(Duration::from_secs(3))] {
                let config =
                    config(DeflateConfig::default().context_idle(idle)).keepalive_interval(keepalive);
                let before = held();
                let mut pairs = pairs(&config);
                for _ in 0..2 {
                    talk(&mut pairs).await;
                    assert!(growth(before) > 2 * COUNT * EACH, "{idle:?}: {}", growth(before));
                    // Not used from one time to the next.
                    wait(&mut pairs, 3 * idle + Duration::from_secs(1)).await;
                    assert!(growth(before) < COUNT * EACH, "{idle:?}: {}", growth(before));
                }
            }
        }
    });
}

#[test]
fn what_is_in_use_is_kept() {
    alone(true, async || {
        for (idle, pause) in [(Duration::MAX, 1000), (Duration::from_secs(10), 9)] {
            let before = held();
            let mut pairs = pairs(&config(DeflateConfig::default().context_idle(idle)));
            for _ in 0..4 {
                talk(&mut pairs).await;
                wait(&mut pairs, Duration::from_secs(pause)).await;
                assert!(growth(before) > 2 * COUNT * EACH, "{idle:?}: {}", growth(before));
            }
        }
    });
}

/// Waits in a task.
fn receive(mut receiver: Receiver<DuplexStream>) -> Receiving {
    tokio::spawn(async move {
        let message = receiver.recv().await.unwrap();
        (receiver, message)
    })
}

#[test]
fn a_sender_gives_its_own_back_through_a_receiver_that_waits_already() {
    alone(true, async || {
        let before = held();
        let mut senders: Vec<Sender<DuplexStream>> = Vec::new();
        let mut receiving: Vec<Receiving> = Vec::new();
        let mut peers = Vec::new();
        for (client, server) in pairs(&config(DeflateConfig::default())) {
            let (sender, receiver) = server.split();
            senders.push(sender);
            receiving.push(receive(receiver));
            peers.push(client);
        }
        tokio::task::yield_now().await;
        for round in 0..3 {
            for (sender, peer) in senders.iter_mut().zip(&mut peers) {
                match round {
                    2 => {
                        let mut writer = sender.writer(true);
                        writer.write(text().as_bytes()).await.unwrap();
                        writer.finish().await.unwrap();
                    }
                    _ => sender.send(text()).await.unwrap(),
                }
                assert_eq!(bounded(peer.recv()).await.unwrap(), Some(text().into()));
            }
            // The peers only held what they inflate with.
            assert!(growth(before) > COUNT * EACH, "{}", growth(before));
            sleep(Duration::from_secs(30)).await;
            for peer in &mut peers {
                assert!(tokio::time::timeout(Duration::from_secs(30), peer.recv()).await.is_err());
            }
            assert!(growth(before) < COUNT * EACH, "{}", growth(before));
        }
        // And what the receivers hold.
        for peer in &mut peers {
            peer.send(text()).await.unwrap();
        }
        for task in receiving {
            let (mut receiver, message) = bounded(task).await.unwrap();
            assert_eq!(message, Some(text().into()));
            assert!(tokio::time::timeout(Duration::from_secs(30), receiver.recv()).await.is_err());
        }
    });
}

#[test]
fn what_was_used_before_the_split_is_given_back_after_it() {
    alone(true, async || {
        let before = held();
        let mut pairs = pairs(&config(DeflateConfig::default()));
        talk(&mut pairs).await;
        let mut halves = Vec::new();
        for (client, server) in pairs {
            let (client_sender, client_receiver) = client.split();
            let (server_sender, server_receiver) = server.split();
            halves.push((client_sender, receive(client_receiver)));
            halves.push((server_sender, receive(server_receiver)));
        }
        assert!(growth(before) > 2 * COUNT * EACH, "{}", growth(before));
        sleep(Duration::from_secs(30)).await;
        assert!(growth(before) < COUNT * EACH, "{}", growth(before));
        // And the messages go on.
        for (sender, _) in &mut halves {
            sender.send(text()).await.unwrap();
            sender.send_prepared(&Prepared::new(text())).await.unwrap();
            sender.send(text()).await.unwrap();
        }
        for (_sender, task) in halves {
            let (mut receiver, message) = bounded(task).await.unwrap();
            assert_eq!(message, Some(text().into()));
            for _ in 0..2 {
                assert_eq!(bounded(receiver.recv()).await.unwrap(), Some(text().into()));
            }
        }
    });
}

#[test]
fn without_a_budget_nothing_is_held_between_messages() {
    alone(true, async || {
        for split in [false, true] {
            let before = held();
            let mut pairs =
                pairs(&config(DeflateConfig::default().context_budget(0).context_idle(Duration::MAX)));
            let (mut halves, mut whole) = (Vec::new(), Vec::new());
            if split {
                for (client, server) in pairs {
                    let ((mut sender, _a), (_b, mut receiver)) = (client.split(), server.split());
                    for _ in 0..3 {
                        sender.send(text()).await.unwrap();
                        assert_eq!(bounded(receiver.recv()).await.unwrap(), Some(text().into()));
                    }
                    // One that waits holds no read buffer.
                    assert!(polled(3, receiver.recv()).await.is_none());
                    halves.push((sender, _a, _b, receiver));
                }
            } else {
                talk(&mut pairs).await;
                wait(&mut pairs, Duration::from_millis(1)).await;
                whole = pairs;
            }
            // What the peer may refer back to, up to 32 KiB, is held still; a thread has a few for all.
            assert!(growth(before) < COUNT * EACH, "split {split}: {}", growth(before));
            drop((halves, whole));
        }
    });
}

#[test]
fn a_rest_inside_a_message_loses_nothing() {
    alone(true, async || {
        for idle in [Duration::ZERO, Duration::from_secs(10)] {
            let config = config(DeflateConfig::default().context_idle(idle));
            let (mut client, mut server) = pairs(&config).pop().unwrap();
            for _ in 0..3 {
                let mut writer = client.writer(true);
                for _ in 0..4 {
                    writer.write(text().as_bytes()).await.unwrap();
                    writer.flush().await.unwrap();
                    drop(writer);
                    // Both age, more than once.
                    for _ in 0..5 {
                        let time = idle + Duration::from_secs(1);
                        assert!(tokio::time::timeout(time, client.recv()).await.is_err());
                        assert!(tokio::time::timeout(time, server.recv()).await.is_err());
                    }
                    writer = client.writer(true).resume();
                }
                writer.finish().await.unwrap();
                assert_eq!(bounded(server.recv()).await.unwrap(), Some(text().repeat(4).into()));
            }
        }
    });
}

/// The receiver gives back, all the time, what the sender goes on with.
#[test]
fn halves_that_are_at_it_at_the_same_time_lose_no_context() {
    alone(false, async || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.spawn(halves_at_the_same_time()).await.unwrap();
        runtime.shutdown_background();
    });
}

async fn halves_at_the_same_time() {
    let config = config(DeflateConfig::default().context_idle(Duration::ZERO).level(1));
    let (client, mut server) = pairs(&config).pop().unwrap();
    let (mut sender, mut receiver) = client.split();
    let busy = tokio::spawn(async move {
        loop {
            assert!(polled(100, receiver.recv()).await.is_none());
            tokio::task::yield_now().await;
        }
    });
    let mut random = Random::new(2);
    // It comes again and again, so that there is much to refer back to.
    let phrases: Vec<String> = (0..5).map(|_| words(&mut random, 200)).collect();
    for round in 0..500 {
        let message = format!("{round} {}", phrases[random.below(phrases.len())]);
        match random.below(4) {
            0 => sender.send_prepared(&Prepared::new(message.as_str())).await.unwrap(),
            1 => sender.send_with(message.as_str(), Compress::Never).await.unwrap(),
            _ => sender.send(message.as_str()).await.unwrap(),
        }
        assert_eq!(bounded(server.recv()).await.unwrap(), Some(message.into()), "round {round}");
    }
    busy.abort();
}
