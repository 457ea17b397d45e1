//! Both halves at once, in threads and in one task, under load: every message arrives, once, in order.
#![cfg(feature = "tokio")]

mod support;

use std::time::Duration;

use sheave_ws::io::{Receiver, Sender, Transport};
use sheave_ws::{CloseCode, Config, Message, Role};
use support::{Random, bounded, websocket};
use tokio::net::{TcpListener, TcpStream};

const MESSAGES: usize = 3000;

fn message(index: usize) -> Message {
    let mut random = Random::new(index as u64 + 7);
    let length =
        [0, 1, 10, 200, 5000, 9000, 70_000][random.below(if index.is_multiple_of(50) { 7 } else { 5 })];
    let mut bytes = index.to_be_bytes().to_vec();
    bytes.extend(random.bytes(8));
    bytes.resize(16 + length, index as u8);
    bytes.into()
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

fn config() -> Config {
    // Little room, so that everybody waits often.
    Config::default().high_water_mark(4000).keepalive_interval(Duration::from_millis(5))
}

async fn send_all<S: Transport>(mut sender: Sender<S>) {
    for index in 0..MESSAGES {
        match index % 3 {
            0 => sender.send(message(index)).await.unwrap(),
            _ => sender.feed(message(index)).await.unwrap(),
        }
        if index % 7 == 0 {
            sender.ping(index.to_string()).await.unwrap();
        }
    }
    sender.flush().await.unwrap();
}

async fn receive_all<S: Transport>(receiver: &mut Receiver<S>) {
    for index in 0..MESSAGES {
        assert_eq!(receiver.recv().await.unwrap().unwrap(), message(index), "message {index}");
    }
}

/// Sends and receives in both directions at once, each half in a task of its own, and closes.
async fn both_ways<S: Transport + Send + 'static>(client: S, server: S)
where
    S::Reader: Send,
    S::Writer: Send,
{
    let (client_sender, mut client) = websocket(client, Role::Client, &config()).split();
    let (server_sender, mut server) = websocket(server, Role::Server, &config()).split();
    let sending = [tokio::spawn(send_all(client_sender)), tokio::spawn(send_all(server_sender))];
    let close = client.close_handle();
    let client = tokio::spawn(async move {
        receive_all(&mut client).await;
        client.recv().await.unwrap()
    });
    let server = tokio::spawn(async move {
        receive_all(&mut server).await;
        server.recv().await.unwrap()
    });
    for sending in sending {
        bounded(sending).await.unwrap();
    }
    // All was written, so the Close comes after all.
    close.close(CloseCode::NORMAL);
    assert_eq!(bounded(client).await.unwrap(), None);
    assert_eq!(bounded(server).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_lost_wakeup_between_threads_over_tcp() {
    let (client, server) = tcp().await;
    both_ways(client, server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_lost_wakeup_between_threads_over_shared_halves() {
    for size in [64, 10_000] {
        let (client, server) = tokio::io::duplex(size);
        both_ways(client, server).await;
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_lost_wakeup_between_threads_over_unix_sockets() {
    let (client, server) = tokio::net::UnixStream::pair().unwrap();
    both_ways(client, server).await;
}

#[tokio::test]
async fn no_lost_wakeup_between_tasks_of_one_thread() {
    let (client, server) = tokio::io::duplex(1000);
    both_ways(client, server).await;
    let (client, server) = tcp().await;
    both_ways(client, server).await;
}

/// One task uses both halves and drops the future of one whenever the other is ready.
async fn selecting<S: Transport>(io: S, role: Role) {
    let (mut sender, mut receiver) = websocket(io, role, &config()).split();
    let (mut fed, mut received) = (0, 0);
    let mut random = Random::new(9);
    while received < MESSAGES || fed < MESSAGES {
        let next = message(fed);
        let pings = random.chance(5);
        tokio::select! {
            result = receiver.recv(), if received < MESSAGES => {
                assert_eq!(result.unwrap().unwrap(), message(received));
                received += 1;
            }
            // Dropped while it waits for room, a message is not sent.
            result = sender.feed(next), if fed < MESSAGES => {
                result.unwrap();
                fed += 1;
            }
            _ = async { tokio::task::yield_now().await }, if random.chance(30) => {}
        }
        if pings {
            tokio::select! {
                biased;
                _ = sender.ping("x") => {}
                _ = tokio::task::yield_now() => {}
            }
        }
        if fed == MESSAGES || random.chance(10) {
            // The peer may be waiting to write as well: receiving must go on meanwhile.
            tokio::select! {
                result = sender.flush() => result.unwrap(),
                result = receiver.recv(), if received < MESSAGES => {
                    assert_eq!(result.unwrap().unwrap(), message(received));
                    received += 1;
                }
            }
        }
    }
    let closing = async {
        sender.close(CloseCode::NORMAL).await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = receiver.recv() => assert_eq!(result.unwrap(), None),
        () = closing => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_in_one_task_that_drops_futures() {
    let (client, server) = tokio::io::duplex(3000);
    let client = tokio::spawn(selecting(client, Role::Client));
    bounded(selecting(server, Role::Server)).await;
    bounded(client).await.unwrap();
    let (client, server) = tcp().await;
    let client = tokio::spawn(selecting(client, Role::Client));
    bounded(selecting(server, Role::Server)).await;
    bounded(client).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_short_lives() {
    for round in 0..200 {
        let (client, server) = tokio::io::duplex(50);
        let (mut sender, mut receiver) = websocket(client, Role::Client, &Config::default()).split();
        let mut server = websocket(server, Role::Server, &Config::default());
        let echo = tokio::spawn(async move {
            while let Some(message) = server.recv().await.unwrap() {
                server.feed(message).await.unwrap();
            }
        });
        let receiving = tokio::spawn(async move {
            let mut count = 0;
            while receiver.recv().await.unwrap().is_some() {
                count += 1;
            }
            count
        });
        for index in 0..round % 10 {
            sender.send(message(index)).await.unwrap();
        }
        sender.ping("x").await.unwrap();
        if round % 2 == 0 {
            sender.close(CloseCode::NORMAL).await.unwrap();
            drop(sender);
        } else {
            sender.feed("last").await.unwrap();
            bounded(sender.close(CloseCode::NORMAL)).await.unwrap();
        }
        bounded(echo).await.unwrap();
        let count = bounded(receiving).await.unwrap();
        assert_eq!(count, round % 10 + round % 2);
    }
}
