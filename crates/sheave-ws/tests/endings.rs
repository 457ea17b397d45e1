//! How connections end (RFC 6455 §7.1): half-close, failures, resets, and who ends first.
#![cfg(feature = "tokio")]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use sheave_ws::io::WebSocket;
use sheave_ws::{CloseCode, Config, Error, ProtocolError, Role};
use support::{Random, bounded, frame, no_time, parse, polled, scripted, websocket, wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A WebSocket over TCP on this machine, and the bare other end.
async fn tcp(role: Role, config: &Config) -> (WebSocket<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    (websocket(stream, role, config), peer)
}

#[tokio::test]
async fn messages_before_a_failure_are_delivered_first() {
    for role in ROLES {
        for split in [false, true] {
            let (mut ws, peer) = scripted(role, &no_time());
            peer.send(wire(role, &[frame().text("a"), frame().text("b"), frame().opcode(3)]));
            peer.end();
            let mut results = Vec::new();
            if split {
                let (_sender, mut receiver) = ws.split();
                for _ in 0..4 {
                    results.push(bounded(receiver.recv()).await);
                }
            } else {
                for _ in 0..4 {
                    results.push(bounded(ws.recv()).await);
                }
            }
            assert!(matches!(&results[0], Ok(Some(message)) if *message == "a".into()));
            assert!(matches!(&results[1], Ok(Some(message)) if *message == "b".into()));
            assert!(matches!(results[2], Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))));
            assert!(matches!(results[3], Ok(None)));
            assert_eq!(peer.frames()[0].close_code(), Some(1002));
            assert!(peer.is_shut_down());
        }
    }
}

#[tokio::test]
async fn an_end_without_close_is_a_disconnection_once() {
    for role in ROLES {
        for cut in [0, 1, 5] {
            let (mut ws, peer) = scripted(role, &no_time());
            peer.send(wire(role, &[frame().text("a")]));
            peer.send(&wire(role, &[frame().text("half a frame")])[..cut]);
            peer.end();
            assert_eq!(bounded(ws.recv()).await.unwrap(), Some("a".into()));
            assert!(matches!(bounded(ws.recv()).await, Err(Error::Disconnected)));
            assert!(bounded(ws.recv()).await.unwrap().is_none());
            assert!(matches!(ws.send("x").await, Err(Error::Closed)));
        }
    }
}

#[tokio::test]
async fn an_end_after_our_close_without_theirs_is_a_disconnection() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.end();
        assert!(matches!(bounded(ws.close(CloseCode::NORMAL)).await, Err(Error::Disconnected)));
        assert_eq!(peer.frames()[0].close_code(), Some(1000));
    }
}

#[tokio::test]
async fn a_failed_read_is_told() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.send(wire(role, &[frame().text("a")]));
        peer.fail_reads(ErrorKind::ConnectionReset);
        assert_eq!(bounded(ws.recv()).await.unwrap(), Some("a".into()));
        let failed = bounded(ws.recv()).await;
        assert!(matches!(failed, Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset));
        assert!(bounded(ws.recv()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn the_peers_last_words_are_delivered_though_nothing_can_be_written() {
    for role in ROLES {
        for split in [false, true] {
            let (mut ws, peer) = scripted(role, &no_time());
            peer.fail_writes(ErrorKind::BrokenPipe);
            ws.feed("nobody takes this").await.unwrap();
            peer.send(wire(role, &[frame().ping("?"), frame().text("a")]));
            let later = wire(role, &[frame().text("b"), frame().close(1001, "going")]);
            if split {
                let (_sender, mut receiver) = ws.split();
                assert_eq!(bounded(receiver.recv()).await.unwrap(), Some("a".into()));
                assert!(polled(3, receiver.recv()).await.is_none());
                peer.send(later);
                assert_eq!(bounded(receiver.recv()).await.unwrap(), Some("b".into()));
                assert_eq!(bounded(receiver.recv()).await.unwrap(), None);
                assert_eq!(receiver.peer_close().unwrap().reason(), "going");
            } else {
                assert_eq!(bounded(ws.recv()).await.unwrap(), Some("a".into()));
                assert!(polled(3, ws.recv()).await.is_none());
                peer.send(later);
                assert_eq!(bounded(ws.recv()).await.unwrap(), Some("b".into()));
                assert_eq!(bounded(ws.recv()).await.unwrap(), None);
                assert_eq!(ws.peer_close().unwrap().reason(), "going");
            }
        }
    }
}

#[tokio::test]
async fn the_server_ends_first() {
    let (mut server, peer) = scripted(Role::Server, &no_time());
    peer.send(wire(Role::Server, &[frame().close(1000, "")]));
    assert_eq!(bounded(server.recv()).await.unwrap(), None);
    assert!(peer.is_shut_down(), "without waiting for the client");

    let (mut client, peer) = scripted(Role::Client, &no_time());
    peer.send(wire(Role::Client, &[frame().close(1000, "")]));
    assert!(polled(5, client.recv()).await.is_none(), "the client waits");
    assert_eq!(peer.frames().len(), 1);
    assert!(!peer.is_shut_down());
    peer.end();
    assert_eq!(bounded(client.recv()).await.unwrap(), None);
    assert!(peer.is_shut_down());
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_for_the_servers_end_but_not_for_ever() {
    let (mut client, peer) = scripted(Role::Client, &Config::default());
    peer.send(wire(Role::Client, &[frame().close(1000, "")]));
    let start = Instant::now();
    assert_eq!(client.recv().await.unwrap(), None, "the closing handshake is done");
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn after_an_error_the_peers_direction_is_drained() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.send(wire(role, &[frame().opcode(3)]));
        assert!(polled(5, ws.recv()).await.is_none());
        assert!(peer.is_shut_down());
        for _ in 0..10 {
            peer.send(vec![0; 100_000]);
            assert!(polled(5, ws.recv()).await.is_none());
            assert_eq!(peer.unread(), 0);
        }
        peer.end();
        assert!(matches!(bounded(ws.recv()).await, Err(Error::Protocol(_))));
    }
}

/// Sends until it cannot, and reads what comes back to its end.
async fn flood_and_read(mut peer: TcpStream, start: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let (mut reader, mut writer) = peer.split();
    let flood = async {
        if writer.write_all(&start).await.is_ok() {
            for _ in 0..200 {
                if writer.write_all(&[0; 65_536]).await.is_err() {
                    break;
                }
            }
        }
        let _ = writer.shutdown().await;
    };
    let answer = async {
        // Slow to look.
        sleep(Duration::from_millis(50)).await;
        let mut answer = Vec::new();
        reader.read_to_end(&mut answer).await.map(|_| answer)
    };
    tokio::join!(flood, answer).1
}

#[tokio::test]
async fn an_error_reaches_a_peer_that_is_still_sending() {
    for role in ROLES {
        for split in [false, true] {
            let (mut ws, peer) = tcp(role, &Config::default()).await;
            let bad = wire(role, &[frame().text(b"\xff")]);
            let peer = tokio::spawn(flood_and_read(peer, bad));
            if split {
                let (sender, mut receiver) = ws.split();
                assert!(matches!(bounded(receiver.recv()).await, Err(Error::Protocol(_))));
                drop((sender, receiver));
            } else {
                assert!(matches!(bounded(ws.recv()).await, Err(Error::Protocol(_))));
                drop(ws);
            }
            let answer = bounded(peer).await.unwrap().expect("no reset before the Close is read");
            assert_eq!(parse(&answer)[0].close_code(), Some(1007));
        }
    }
}

#[tokio::test]
async fn an_early_drop_is_no_reset() {
    for role in ROLES {
        let (mut ws, mut peer) = tcp(role, &Config::default()).await;
        let talking = tokio::spawn(async move {
            // Messages that are on their way while the Close is.
            for _ in 0..50 {
                peer.write_all(&wire(role, &[frame().binary([0; 1000])])).await.unwrap();
            }
            sleep(Duration::from_millis(20)).await;
            peer.write_all(&wire(role, &[frame().close(1000, "")])).await.unwrap();
            if role == Role::Client {
                peer.shutdown().await.unwrap();
            }
            sleep(Duration::from_millis(50)).await;
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).await.map(|_| answer)
        });
        bounded(ws.close(CloseCode::NORMAL)).await.unwrap();
        drop(ws);
        let answer = bounded(talking).await.unwrap().expect("an end, no reset");
        assert_eq!(parse(&answer).last().unwrap().close_code(), Some(1000));
    }
}

#[tokio::test]
async fn both_close_at_once() {
    let (client, server) = tokio::io::duplex(100);
    let mut client = websocket(client, Role::Client, &Config::default());
    let mut server = websocket(server, Role::Server, &Config::default());
    let (first, second) =
        bounded(async { tokio::join!(client.close(CloseCode::NORMAL), server.close(CloseCode::GOING_AWAY)) })
            .await;
    first.unwrap();
    second.unwrap();
    assert_eq!(client.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
    assert_eq!(server.peer_close().unwrap().code(), CloseCode::NORMAL);
}

/// A transport on which there is always something to read, and every read uses up the task's budget.
struct Flood {
    pattern: Vec<u8>,
    random: Random,
}

impl sheave_ws::io::Receive for Flood {
    fn poll_receive(
        &mut self,
        cx: &mut std::task::Context<'_>,
        input: &mut bytes::BytesMut,
        _missing: usize,
    ) -> std::task::Poll<std::io::Result<usize>> {
        let budget = std::pin::pin!(tokio::task::consume_budget());
        std::task::ready!(Future::poll(budget, cx));
        let count = 1 + self.random.below(20);
        for _ in 0..count {
            input.extend_from_slice(&self.pattern);
        }
        std::task::Poll::Ready(Ok(count * self.pattern.len()))
    }
}

impl sheave_ws::io::Transmit for Flood {
    fn poll_transmit(
        &mut self,
        _cx: &mut std::task::Context<'_>,
        output: &mut sheave_ws::Output,
    ) -> std::task::Poll<std::io::Result<()>> {
        output.clear();
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_finish(&mut self, _cx: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

impl sheave_ws::io::Transport for Flood {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> (Self, Self) {
        unreachable!("not split here")
    }
}

#[tokio::test]
async fn closing_does_not_wait_for_ever_for_a_peer_that_never_pauses() {
    for role in ROLES {
        for pattern in [frame().text("x"), frame().ping("x"), frame().continuation("").opcode(3)] {
            let pattern = wire(role, &[pattern]);
            let config = Config::default().close_timeout(Duration::from_millis(50));
            let mut ws = websocket(Flood { pattern, random: Random::new(1) }, role, &config);
            assert!(bounded(ws.close(CloseCode::NORMAL)).await.is_err());
        }
    }
}
