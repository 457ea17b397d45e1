//! Every async method dropped at every poll: nothing is lost, nothing doubled, no frame broken.
#![cfg(feature = "tokio")]

mod support;

use bytes::Bytes;
use sheave_ws::handshake::{BodyLength, BodyPiece, BodyReader, HeadLimits};
use sheave_ws::io::{Http1, Receiver, Sender, WebSocket};
use sheave_ws::{CloseCode, Config, Message, Role};
use support::{Frame, Got, Peer, Script, bounded, frame, insist, no_time, polled, scripted, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const MESSAGES: usize = 6;

/// How many polls it may take until everything is through; each test goes over all of them.
const POLLS: usize = 12;

/// Both roles, transports that take one or a few bytes at a time, buffering ones, and every number of polls.
fn cases() -> impl Iterator<Item = (Role, usize, bool, usize)> {
    ROLES.into_iter().flat_map(|role| {
        [1, 7, 1000].into_iter().flat_map(move |step| {
            [false, true]
                .into_iter()
                .flat_map(move |buffers| (1..=POLLS).map(move |polls| (role, step, buffers, polls)))
        })
    })
}

fn start(role: Role, step: usize, buffers: bool, config: &Config) -> (WebSocket<Script>, Peer) {
    let (ws, peer) = scripted(role, config);
    peer.step(step);
    peer.hiccups(1);
    if buffers {
        peer.buffer();
    }
    (ws, peer)
}

fn message(index: usize) -> Message {
    if index.is_multiple_of(2) {
        format!("message {index}").into()
    } else {
        vec![index as u8; index * 30].into()
    }
}

fn incoming(role: Role) -> Vec<u8> {
    let frames: Vec<Frame> = (0..MESSAGES)
        .flat_map(|index| {
            let payload = message(index).into_bytes();
            let (start, end) = payload.split_at(payload.len() / 2);
            let first = if index % 2 == 0 { frame().text(start) } else { frame().binary(start) };
            [first.unfinished(), frame().ping(index.to_string()), frame().continuation(end)]
        })
        .collect();
    wire(role, &frames)
}

fn data(frames: &[Got]) -> Vec<&Got> {
    frames.iter().filter(|frame| frame.opcode < 8).collect()
}

fn assert_messages(frames: &[Got], count: usize) {
    let data = data(frames);
    assert_eq!(data.len(), count, "{data:?}");
    for (index, frame) in data.iter().enumerate() {
        assert_eq!(frame.payload, message(index).as_bytes());
    }
}

fn closes(frames: &[Got]) -> usize {
    frames.iter().filter(|frame| frame.opcode == 8).count()
}

/// All Pongs that left, in order, each once at most; the newest among them.
fn assert_pongs(frames: &[Got]) {
    let pongs: Vec<&[u8]> =
        frames.iter().filter(|frame| frame.opcode == 10).map(|frame| &frame.payload[..]).collect();
    assert!(pongs.is_sorted(), "{pongs:?}");
    assert_eq!(pongs.last(), Some(&(MESSAGES - 1).to_string().as_bytes()));
}

#[tokio::test]
async fn recv() {
    for (role, step, buffers, polls) in cases() {
        let (mut ws, peer) = start(role, step, buffers, &no_time());
        peer.send(incoming(role));
        for index in 0..MESSAGES {
            assert_eq!(insist!(polls, ws.recv()).unwrap(), Some(message(index)));
        }
        peer.send(frame().close(1000, "").to(role).bytes());
        peer.end();
        assert_eq!(insist!(polls, ws.recv()).unwrap(), None);
        assert_eq!(ws.recv().await.unwrap(), None);
        assert_pongs(&peer.frames());
        assert_eq!(closes(&peer.frames()), 1);
        assert!(peer.is_shut_down());
    }
}

#[tokio::test]
async fn a_cancelled_mid_header_read_does_not_desync() {
    for role in ROLES {
        let bytes =
            [frame().binary([7; 300]).to(role).bytes(), frame().text("next").to(role).bytes()].concat();
        for cut in 0..bytes.len() {
            let (mut ws, peer) = scripted(role, &no_time());
            peer.send(&bytes[..cut]);
            let early = polled(3, ws.recv()).await;
            peer.send(&bytes[cut..]);
            let first = match early {
                Some(first) => first,
                None => bounded(ws.recv()).await,
            };
            assert_eq!(first.unwrap(), Some(vec![7; 300].into()));
            assert_eq!(bounded(ws.recv()).await.unwrap(), Some("next".into()));
        }
    }
}

#[tokio::test]
async fn feed_and_flush() {
    for (role, step, buffers, polls) in cases() {
        // So little room that feeding has to wait.
        let (mut ws, peer) = start(role, step, buffers, &no_time().high_water_mark(20));
        for index in 0..MESSAGES {
            insist!(polls, ws.feed(message(index))).unwrap();
        }
        insist!(polls, ws.flush()).unwrap();
        assert_messages(&peer.frames(), MESSAGES);
    }
}

/// A message of `MESSAGES` fragments, each with its number.
fn assert_fragments(frames: &[Got]) {
    let found: Vec<(u8, bool, &[u8])> =
        data(frames).into_iter().map(|frame| (frame.opcode, frame.fin, &frame.payload[..])).collect();
    let payloads: Vec<String> = (0..MESSAGES).map(|index| format!("fragment {index}")).collect();
    let expected: Vec<(u8, bool, &[u8])> = (0..MESSAGES)
        .map(|index| (u8::from(index == 0), index == MESSAGES - 1, payloads[index].as_bytes()))
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn feed_fragment() {
    for (role, step, buffers, polls) in cases() {
        let (mut ws, peer) = start(role, step, buffers, &no_time().high_water_mark(20));
        for index in 0..MESSAGES {
            insist!(polls, ws.feed_fragment(format!("fragment {index}"), index == MESSAGES - 1)).unwrap();
        }
        insist!(polls, ws.flush()).unwrap();
        assert_fragments(&peer.frames());
    }
}

#[tokio::test]
async fn split_feed_fragment() {
    for (role, step, buffers, polls) in cases() {
        let (mut sender, mut receiver, peer) =
            start_split(role, step, buffers, &no_time().high_water_mark(20));
        for index in 0..MESSAGES {
            insist!(polls, sender.feed_fragment(format!("fragment {index}"), index == MESSAGES - 1)).unwrap();
        }
        insist!(polls, sender.flush()).unwrap();
        let _ = polled(50, receiver.recv()).await;
        assert_fragments(&peer.frames());
    }
}

#[tokio::test]
async fn send() {
    for (role, step, buffers, polls) in cases() {
        let (mut ws, peer) = start(role, step, buffers, &no_time());
        for index in 0..MESSAGES {
            // With room, it is queued at the first poll: dropping it loses nothing and calling again is not needed.
            let _ = polled(polls, ws.send(message(index))).await;
        }
        insist!(polls, ws.flush()).unwrap();
        assert_messages(&peer.frames(), MESSAGES);
    }
}

#[tokio::test]
async fn a_send_dropped_while_it_waits_for_room_sends_nothing() {
    let (mut ws, peer) = scripted(Role::Server, &no_time().high_water_mark(4));
    peer.take(0);
    ws.feed("a message").await.unwrap();
    for polls in 1..4 {
        assert!(polled(polls, ws.send("another")).await.is_none());
    }
    peer.take_all();
    bounded(ws.flush()).await.unwrap();
    assert_eq!(peer.frames().len(), 1);
    bounded(ws.send("a third")).await.unwrap();
    assert_eq!(peer.frames()[1].payload, b"a third");
}

#[tokio::test]
async fn a_cancelled_send_keeps_the_connection() {
    for sent in 0..40 {
        let (mut ws, peer) = scripted(Role::Server, &no_time());
        peer.take(sent);
        let _ = polled(2, ws.send("x".repeat(30))).await;
        peer.take_all();
        bounded(ws.send("next")).await.unwrap();
        let frames = peer.frames();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].payload, "x".repeat(30).as_bytes());
        assert_eq!(frames[1].payload, b"next");
    }
}

#[tokio::test]
async fn ping() {
    for (role, step, buffers, polls) in cases() {
        let (mut ws, peer) = start(role, step, buffers, &no_time());
        for index in 0..MESSAGES {
            let _ = polled(polls, ws.ping(index.to_string())).await;
            let _ = polled(polls, ws.send(message(index))).await;
        }
        insist!(polls, ws.flush()).unwrap();
        let frames = peer.frames();
        assert_messages(&frames, MESSAGES);
        let pings: Vec<&Got> = frames.iter().filter(|frame| frame.opcode == 9).collect();
        assert_eq!(pings.len(), MESSAGES);
        assert!(pings.iter().enumerate().all(|(index, ping)| ping.payload == index.to_string().as_bytes()));
    }
}

#[tokio::test]
async fn close() {
    for (role, step, buffers, polls) in cases() {
        let (mut ws, peer) = start(role, step, buffers, &no_time());
        ws.feed(message(0)).await.unwrap();
        let _ = polled(polls, ws.close(CloseCode::GOING_AWAY)).await;
        peer.send(incoming(role));
        peer.send(frame().close(1001, "").to(role).bytes());
        peer.end();
        insist!(polls, ws.close(CloseCode::NORMAL)).unwrap();
        let frames = peer.frames();
        assert_messages(&frames, 1);
        assert_eq!(frames.last().unwrap().close_code(), Some(1001), "the first Close counts");
        assert_eq!(closes(&frames), 1);
        assert!(peer.is_shut_down());
    }
}

fn start_split(
    role: Role,
    step: usize,
    buffers: bool,
    config: &Config,
) -> (Sender<Script>, Receiver<Script>, Peer) {
    let (ws, peer) = start(role, step, buffers, config);
    // Each half looks twice before it waits.
    peer.hiccups(3);
    let (sender, receiver) = ws.split();
    (sender, receiver, peer)
}

#[tokio::test]
async fn split_recv() {
    for (role, step, buffers, polls) in cases() {
        let (mut sender, mut receiver, peer) = start_split(role, step, buffers, &no_time());
        peer.send(incoming(role));
        for index in 0..MESSAGES {
            sender.feed(message(index)).await.unwrap();
            let _ = polled(1, sender.flush()).await;
            assert_eq!(insist!(polls, receiver.recv()).unwrap(), Some(message(index)));
        }
        insist!(polls, sender.flush()).unwrap();
        peer.send(frame().close(1000, "").to(role).bytes());
        peer.end();
        assert_eq!(insist!(polls, receiver.recv()).unwrap(), None);
        let frames = peer.frames();
        assert_messages(&frames, MESSAGES);
        assert_pongs(&frames);
        assert_eq!(closes(&frames), 1);
        assert!(peer.is_shut_down());
    }
}

#[tokio::test]
async fn split_feed_and_flush() {
    for (role, step, buffers, polls) in cases() {
        let config = no_time().high_water_mark(20);
        let (mut sender, mut receiver, peer) = start_split(role, step, buffers, &config);
        peer.send(incoming(role));
        for index in 0..MESSAGES {
            insist!(polls, sender.feed(message(index))).unwrap();
            assert_eq!(insist!(polls, receiver.recv()).unwrap(), Some(message(index)));
        }
        insist!(polls, sender.flush()).unwrap();
        let _ = polled(500, receiver.recv()).await;
        insist!(polls, sender.flush()).unwrap();
        assert_messages(&peer.frames(), MESSAGES);
        assert_pongs(&peer.frames());
    }
}

#[tokio::test]
async fn split_send_and_ping() {
    for (role, step, buffers, polls) in cases() {
        let (mut sender, mut receiver, peer) = start_split(role, step, buffers, &no_time());
        peer.send(incoming(role));
        for index in 0..MESSAGES {
            let _ = polled(polls, sender.ping(index.to_string())).await;
            let _ = polled(polls, sender.send(message(index))).await;
            let _ = polled(polls, receiver.recv()).await;
        }
        insist!(polls, sender.flush()).unwrap();
        let frames = peer.frames();
        assert_messages(&frames, MESSAGES);
        assert_eq!(frames.iter().filter(|frame| frame.opcode == 9).count(), MESSAGES);
    }
}

#[tokio::test]
async fn split_close() {
    for (role, step, buffers, polls) in cases() {
        let (mut sender, mut receiver, peer) = start_split(role, step, buffers, &no_time());
        sender.feed(message(0)).await.unwrap();
        let _ = polled(polls, receiver.recv()).await;
        insist!(polls, sender.close(CloseCode::GOING_AWAY)).unwrap();
        assert!(sender.is_closed());
        peer.send(incoming(role));
        peer.send(frame().close(1001, "").to(role).bytes());
        peer.end();
        for index in 0..MESSAGES {
            assert_eq!(insist!(polls, receiver.recv()).unwrap(), Some(message(index)));
        }
        assert_eq!(insist!(polls, receiver.recv()).unwrap(), None);
        insist!(polls, sender.close(CloseCode::NORMAL)).unwrap();
        let frames = peer.frames();
        assert_messages(&frames, 1);
        assert_eq!(frames[1..].iter().map(Got::close_code).collect::<Vec<_>>(), [Some(1001)]);
        assert!(peer.is_shut_down());
    }
}

#[tokio::test]
async fn http1() {
    let requests = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
                    POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
                    GET /c HTTP/1.1\r\nHost: h\r\n\r\n";
    for (_, step, buffers, polls) in cases() {
        let (script, peer) = Script::new();
        peer.step(step);
        peer.hiccups(1);
        if buffers {
            peer.buffer();
        }
        peer.send(requests);
        let mut http = Http1::new(script, HeadLimits::default());
        for (path, body) in [("/a", "hello"), ("/b", "abcde"), ("/c", "")] {
            assert!(insist!(polls, http.readable()).unwrap());
            let request = insist!(polls, http.request()).unwrap().unwrap();
            assert_eq!(request.uri().path(), path);
            let mut reader = BodyReader::new(BodyLength::of_request(&request).unwrap());
            let mut received = Vec::new();
            while let BodyPiece::Data(piece) = insist!(polls, http.body(&mut reader)).unwrap() {
                received.extend_from_slice(&piece);
            }
            assert_eq!(received, body.as_bytes());
            http.feed(&http::Response::new(()), Bytes::from_static(b"body"));
            insist!(polls, http.flush()).unwrap();
        }
        peer.send("what is thrown away");
        let _ = polled(polls, http.finish()).await;
        peer.end();
        insist!(polls, http.finish()).unwrap();
        assert!(peer.is_shut_down());
        assert_eq!(peer.unread(), 0);
        let answers = String::from_utf8(peer.received()).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 3);
        assert_eq!(answers.matches("\r\n\r\nbody").count(), 3);
    }
}

#[tokio::test]
async fn a_peer_that_is_done_between_requests() {
    let (script, peer) = Script::new();
    peer.hiccups(1);
    peer.end();
    let mut http = Http1::new(script, HeadLimits::default());
    assert!(!insist!(1, http.readable()).unwrap());
    assert!(insist!(1, http.request()).unwrap().is_none());
}
