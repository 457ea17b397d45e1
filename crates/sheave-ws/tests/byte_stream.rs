//! A WebSocket as a stream of bytes: copied both ways, ended, and what is no part of one.
#![cfg(feature = "tokio")]

mod support;

use std::io::ErrorKind;

use sheave_ws::deflate::DeflateConfig;
use sheave_ws::io::{ByteStream, WebSocket};
use sheave_ws::{CloseCode, Config, Error, Limit, ProtocolError, Role};
use support::{Random, agreed, bounded, frame, no_time, parse, scripted, scripted_agreed, websocket, wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn configs() -> [Config; 3] {
    let deflate = no_time().deflate(DeflateConfig::default());
    [no_time(), deflate.clone(), deflate.max_sent_frame_size(1000).high_water_mark(3000)]
}

fn pair(config: &Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let agreed = config.deflate.as_ref().map(agreed).unwrap_or_default();
    let (near, far) = duplex(10_000);
    let client = websocket(near, Role::Client, config).agreed(agreed.clone(), config);
    (client, websocket(far, Role::Server, config).agreed(agreed, config))
}

fn inner(error: &std::io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

/// A tunnel: what one end of a stream is sent comes out at the other, through a WebSocket.
#[tokio::test]
async fn a_tunnel_copies_both_ways() {
    for config in configs() {
        let (client, server) = pair(&config);
        let (mut one, one_far) = duplex(5000);
        let (mut two, two_far) = duplex(7000);
        let tunnel = |ws: WebSocket<DuplexStream>, mut plain: DuplexStream| {
            tokio::spawn(async move {
                let mut stream = ByteStream::new(Box::new(ws));
                copy_bidirectional(&mut stream, &mut plain).await
            })
        };
        let (near, far) = (tunnel(client, one_far), tunnel(server, two_far));
        let mut random = Random::new(1);
        let (there, back) = (random.bytes(200_000), vec![7; 300_000]);
        let ((mut one_reads, mut one_writes), (mut two_reads, mut two_writes)) =
            (tokio::io::split(&mut one), tokio::io::split(&mut two));
        let (mut there_read, mut back_read) = (vec![0; there.len()], vec![0; back.len()]);
        bounded(async {
            tokio::join!(
                async { one_writes.write_all(&there).await.unwrap() },
                async { two_writes.write_all(&back).await.unwrap() },
                async { two_reads.read_exact(&mut there_read).await.unwrap() },
                async { one_reads.read_exact(&mut back_read).await.unwrap() },
            )
        })
        .await;
        assert!(there_read == there && back_read == back);
        // One end is done; the other learns of it, and has nothing more to say.
        bounded(one.shutdown()).await.unwrap();
        assert_eq!(bounded(two.read(&mut [0; 9])).await.unwrap(), 0);
        bounded(two.shutdown()).await.unwrap();
        assert_eq!(bounded(one.read(&mut [0; 9])).await.unwrap(), 0);
        let there = (there.len() as u64, back.len() as u64);
        assert_eq!(bounded(far).await.unwrap().unwrap(), there);
        assert_eq!(bounded(near).await.unwrap().unwrap(), (there.1, there.0));
    }
}

#[tokio::test]
async fn what_the_peer_had_sent_before_its_close_is_read_after_ours() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        let mut stream = ByteStream::new(&mut ws);
        bounded(stream.write_all(b"last words")).await.unwrap();
        bounded(stream.shutdown()).await.unwrap();
        // Once more does no harm, and nothing can be written any more.
        bounded(stream.shutdown()).await.unwrap();
        let error = bounded(stream.write(b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(matches!(inner(&error), Error::Closed));
        let frames = peer.frames();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[1].close_code(), Some(1000));
        let last = [frame().binary("one "), frame().binary("two"), frame().close(1001, "")];
        peer.send(wire(role, &last));
        peer.end();
        let mut read = Vec::new();
        bounded(stream.read_to_end(&mut read)).await.unwrap();
        assert_eq!(read, b"one two");
        assert_eq!(bounded(stream.read(&mut [0; 9])).await.unwrap(), 0);
        let _ = stream.into_inner();
        assert_eq!(ws.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
    }
}

#[tokio::test]
async fn a_close_of_the_peer_is_the_end_and_breaks_the_pipe() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.send(wire(role, &[frame().binary("bytes"), frame().close(4000, "")]));
        peer.end();
        let mut stream = ByteStream::new(&mut ws);
        let mut read = String::new();
        bounded(stream.read_to_string(&mut read)).await.unwrap();
        assert_eq!(read, "bytes");
        assert_eq!(bounded(stream.write(b"x")).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        bounded(stream.flush()).await.unwrap();
        bounded(stream.shutdown()).await.unwrap();
        assert_eq!(peer.frames().len(), 1);
    }
}

#[tokio::test]
async fn an_end_that_is_no_end_is_an_error() {
    for role in ROLES {
        // Without a Close; inside a message; with one inside a message; at a breach.
        for (frames, kind) in [
            (vec![frame().binary("bytes")], ErrorKind::UnexpectedEof),
            (vec![frame().binary("bytes").unfinished()], ErrorKind::UnexpectedEof),
            (vec![frame().binary("bytes").unfinished(), frame().close(1000, "")], ErrorKind::BrokenPipe),
            (vec![frame().binary("bytes"), frame().opcode(3)], ErrorKind::InvalidData),
            (vec![frame().binary("bytes"), frame().binary("").claims(100)], ErrorKind::InvalidData),
        ] {
            let (mut ws, peer) = scripted(role, &no_time().max_streamed_size(50));
            peer.send(wire(role, &frames));
            peer.end();
            let mut stream = ByteStream::new(&mut ws);
            let mut read = Vec::new();
            let error = bounded(stream.read_to_end(&mut read)).await.unwrap_err();
            assert_eq!(read, b"bytes");
            assert_eq!(error.kind(), kind, "{frames:?}");
            if kind == ErrorKind::InvalidData {
                assert!(matches!(
                    inner(&error),
                    Error::Protocol(ProtocolError::ReservedOpCode(3)) | Error::Limit(Limit::MessageSize)
                ));
            }
        }
    }
}

#[tokio::test]
async fn a_text_message_is_invalid_data() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        let frames = [frame().binary("one"), frame().text("text"), frame().binary("two")];
        peer.send(wire(role, &frames));
        let mut stream = ByteStream::new(&mut ws);
        let mut part = [0; 9];
        assert_eq!(bounded(stream.read(&mut part)).await.unwrap(), 3);
        assert_eq!(bounded(stream.read(&mut part)).await.unwrap_err().kind(), ErrorKind::InvalidData);
        // Who wants to may go on behind it.
        assert_eq!(bounded(stream.read(&mut part)).await.unwrap(), 3);
        assert_eq!(&part[..3], b"two");
    }
}

#[tokio::test]
async fn empty_messages_are_no_end() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        let empty = [frame().binary("").unfinished(), frame().continuation("")];
        let mut frames = vec![frame().binary(""); 50];
        frames.extend(empty.iter().cloned().cycle().take(100));
        frames.push(frame().binary("there"));
        frames.extend(empty);
        frames.push(frame().close(1000, ""));
        peer.send(wire(role, &frames));
        peer.end();
        let mut stream = ByteStream::new(&mut ws);
        let mut part = [0; 9];
        assert_eq!(bounded(stream.read(&mut part)).await.unwrap(), 5);
        assert_eq!(bounded(stream.read(&mut part)).await.unwrap(), 0);
        // And writing nothing sends nothing.
        assert!(peer.frames().iter().all(|frame| frame.opcode == 8));
    }
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    let mut stream = ByteStream::new(&mut ws);
    assert_eq!(bounded(stream.write(b"")).await.unwrap(), 0);
    assert_eq!(bounded(stream.read(&mut [])).await.unwrap(), 0);
    bounded(stream.flush()).await.unwrap();
    assert!(peer.received().is_empty());
}

#[tokio::test]
async fn what_is_written_at_once_is_a_message_that_leaves_when_flushed() {
    for config in configs() {
        let (mut ws, peer) = scripted_agreed(Role::Server, &config);
        let mut stream = ByteStream::new(&mut ws);
        assert_eq!(bounded(stream.write(b"one")).await.unwrap(), 3);
        assert_eq!(bounded(stream.write(b"two")).await.unwrap(), 3);
        assert!(peer.received().is_empty());
        bounded(stream.flush()).await.unwrap();
        let frames = peer.frames();
        assert_eq!(frames.len(), 2);
        assert!(frames.iter().all(|frame| frame.opcode == 2 && frame.fin));
        // No message is longer than that.
        assert_eq!(bounded(stream.write(&[0; 100_000])).await.unwrap(), 64 << 10);
    }
}

#[tokio::test]
async fn what_was_written_leaves_when_reading_has_to_wait() {
    let (mut ws, peer) = scripted(Role::Client, &no_time());
    let mut stream = ByteStream::new(&mut ws);
    bounded(stream.write_all(b"question")).await.unwrap();
    let mut part = [0; 9];
    assert!(support::polled(2, stream.read(&mut part)).await.is_none());
    assert_eq!(parse(&peer.received())[0].payload, b"question");
}

#[tokio::test]
async fn the_websocket_comes_back_and_goes_on() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        peer.send(wire(role, &[frame().binary("half of it"), frame().text("whole")]));
        let mut stream = ByteStream::new(&mut ws);
        let mut part = [0; 4];
        assert_eq!(bounded(stream.read(&mut part)).await.unwrap(), 4);
        let ws = stream.into_inner();
        assert_eq!(bounded(ws.recv()).await.unwrap(), Some("whole".into()));
        bounded(ws.send("text")).await.unwrap();
        assert_eq!(peer.frames()[0].payload, b"text");
    }
}
