//! The halves of a split WebSocket with permessage-deflate, each in a thread: neither waits for the other, though both
//! directions are stuck most of the time.
#![cfg(feature = "tokio")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use sheave_ws::deflate::DeflateConfig;
use sheave_ws::io::Transport;
use sheave_ws::{CloseCode, Config, Connection, Event, Message, Role};
use support::{Random, agreed, bounded, no_time, other, websocket, words};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpSocket};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const ROUNDS: usize = 40;

fn deflate() -> DeflateConfig {
    DeflateConfig::default().threshold(0)
}

fn config() -> Config {
    no_time().deflate(deflate()).high_water_mark(2000)
}

/// Text that refers back to what came before it, and is different for every index.
fn message(index: usize) -> Message {
    let mut random = Random::new(index as u64 + 1);
    let length = random.below(4000);
    format!("{index} {}", words(&mut random, length)).into()
}

/// A peer that either sends or receives, never both: while it sends, it needs somebody to receive it, whatever is
/// stuck in the other direction.
struct Peer<S> {
    io: S,
    connection: Connection,
    input: BytesMut,
    /// How many messages came.
    messages: usize,
    newest_pong: Option<Bytes>,
    closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    fn new(io: S, role: Role) -> Self {
        let connection =
            Connection::new(role, &config(), || Ok([1, 2, 3, 4])).agreed(&config(), &agreed(&deflate()));
        Self { io, connection, input: BytesMut::new(), messages: 0, newest_pong: None, closed: false }
    }

    async fn send(&mut self) {
        while let Some(mut chunk) = self.connection.transmit().pop() {
            self.io.write_all_buf(&mut chunk).await.unwrap();
        }
    }

    async fn receive(&mut self) {
        assert_ne!(self.io.read_buf(&mut self.input).await.unwrap(), 0, "no Close came");
        while let Some(event) = self.connection.recv(&mut self.input).unwrap() {
            match event {
                Event::Message(received) => {
                    assert_eq!(received, message(self.messages));
                    self.messages += 1;
                }
                Event::Pong(payload) => {
                    let (number, newest) = (number(&payload), self.newest_pong.as_ref());
                    assert!(newest.is_none_or(|newest| self::number(newest) < number), "older, or again");
                    self.newest_pong = Some(payload);
                }
                Event::Ping(_) => panic!("nobody sends one"),
                Event::Close(_) => self.closed = true,
            }
        }
    }
}

fn number(payload: &Bytes) -> usize {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}

/// Floods both directions, with each half in a task of its own.
async fn flood<A, B>(near: A, far: B, role: Role)
where
    A: Transport + Send + 'static,
    A::Reader: Send,
    A::Writer: Send,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, mut receiver) =
        websocket(near, role, &config()).agreed(agreed(&deflate()), &config()).split();
    let done = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let mut sent = 0;
            while !done.load(Ordering::Relaxed) {
                match sent % 4 {
                    0 => sender.send(message(sent)).await.unwrap(),
                    _ => sender.feed(message(sent)).await.unwrap(),
                }
                sent += 1;
            }
            sender.close(CloseCode::NORMAL).await.unwrap();
            sent
        }
    });
    let receiving = tokio::spawn(async move {
        for index in 0..3 * ROUNDS {
            assert_eq!(receiver.recv().await.unwrap().unwrap(), message(index));
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
    });
    let mut random = Random::new(1);
    let mut peer = Peer::new(far, other(role));
    let mut pings = 0;
    for round in 0..ROUNDS {
        for part in 0..3 {
            for _ in 0..=random.below(20) {
                pings += 1;
                peer.connection.ping(pings.to_string().into()).unwrap();
            }
            peer.connection.send(message(3 * round + part)).unwrap();
        }
        peer.send().await;
        while peer.newest_pong.as_ref().is_none_or(|newest| number(newest) < pings) {
            peer.receive().await;
        }
    }
    done.store(true, Ordering::Relaxed);
    while !peer.closed {
        peer.receive().await;
    }
    peer.send().await;
    peer.io.shutdown().await.unwrap();
    assert_eq!(peer.messages, sending.await.unwrap());
    drop(peer);
    receiving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn floods_in_both_directions_stop_nobody() {
    for role in ROLES {
        for size in [16, 1000] {
            let (near, far) = duplex(size);
            bounded(flood(near, far, role)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn floods_in_both_directions_of_a_socket_stop_nobody() {
    for role in ROLES {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        // As little as the system allows. A receive buffer that small would have TCP itself wait, for the window to grow.
        socket.set_send_buffer_size(1).unwrap();
        let near = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        bounded(flood(near, far, role)).await;
    }
}
