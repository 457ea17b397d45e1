//! Readers, writers, borrowed and prepared messages and byte streams dropped at every poll: nothing is lost,
//! nothing doubled, no frame broken.
#![cfg(feature = "tokio")]

mod support;

use sheave_ws::deflate::{Decompressor, DeflateConfig};
use sheave_ws::io::{ByteStream, WebSocket};
use sheave_ws::{Compress, Config, Event, Incoming, Message, Prepared, Role};
use support::{
    FULL, Frame, Peer, Random, Script, Squeeze, bounded, frame, insist, no_time, other, polled, receive,
    scripted_agreed, wire, words,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const MESSAGES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Case {
    role: Role,
    deflate: bool,
    step: usize,
    buffers: bool,
    polls: usize,
}

/// Both roles, with and without compression, transports that take one or a few bytes at a time, buffering ones,
/// and every number of polls.
fn cases() -> impl Iterator<Item = Case> {
    let polls = [1, 2, 3, 5, 8].into_iter().flat_map(|polls| [1, 7, 1000].map(|step| (polls, step)));
    polls.flat_map(|(polls, step)| {
        (0..8).map(move |bits| Case {
            role: ROLES[bits & 1],
            deflate: bits & 2 != 0,
            buffers: bits & 4 != 0,
            step,
            polls,
        })
    })
}

impl Case {
    fn start(&self, config: Config) -> (WebSocket<Script>, Peer) {
        let deflate = self.deflate.then(|| DeflateConfig::default().threshold(0));
        let (ws, peer) = scripted_agreed(self.role, &config.deflate(deflate));
        peer.step(self.step);
        // Each half of a split one looks twice before it waits.
        peer.hiccups(if self.polls > 3 { 3 } else { 1 });
        if self.buffers {
            peer.buffer();
        }
        (ws, peer)
    }

    /// All messages in two fragments each, with a Ping in between.
    fn incoming(&self) -> Vec<u8> {
        let mut squeeze = Squeeze::default();
        let frames: Vec<Frame> = (0..MESSAGES)
            .flat_map(|index| {
                let message = message(index);
                let payload = match self.deflate {
                    true => squeeze.message(message.as_bytes()),
                    false => message.as_bytes().to_vec(),
                };
                let (start, end) = payload.split_at(payload.len() / 2);
                let first = frame().opcode(2 - u8::from(message.is_text())).payload(start).unfinished();
                let first = if self.deflate { first.reserved(0x40) } else { first };
                [first, frame().ping(index.to_string()), frame().continuation(end)]
            })
            .collect();
        wire(self.role, &frames)
    }

    /// The messages that the peer received.
    fn received(&self, peer: &Peer) -> Vec<Message> {
        let mut incoming = Incoming::new(other(self.role), &Config::default());
        if self.deflate {
            incoming.set_decompressor(Decompressor::new(&DeflateConfig::default(), FULL));
        }
        let events = receive(&mut incoming, &peer.received()).unwrap();
        events
            .into_iter()
            .filter_map(|event| match event {
                Event::Message(message) => Some(message),
                _ => None,
            })
            .collect()
    }

    /// Checks that the peer received all messages, and all of these frames were whole.
    fn assert_received(&self, peer: &Peer) {
        let expected: Vec<Message> = (0..MESSAGES).map(message).collect();
        assert_eq!(self.received(peer), expected, "{self:?}");
    }

    /// All Pongs that left, in order, each once at most; the newest among them.
    fn assert_pongs(&self, peer: &Peer) {
        let mut pongs = peer.frames();
        pongs.retain(|frame| frame.opcode == 10);
        let pongs: Vec<Vec<u8>> = pongs.into_iter().map(|frame| frame.payload).collect();
        assert!(pongs.is_sorted(), "{pongs:?}");
        assert_eq!(pongs.last(), Some(&(MESSAGES - 1).to_string().into_bytes()), "{self:?}");
    }
}

fn message(index: usize) -> Message {
    let text = words(&mut Random::new(index as u64), 40 + index * 30);
    if index.is_multiple_of(2) { text.into() } else { text.into_bytes().into() }
}

/// The next message, read in parts of a few bytes; each future is dropped after so many polls.
macro_rules! read {
    ($polls:expr, $source:expr, $by_trait:expr) => {
        loop {
            let Some(reader) = polled($polls, $source.reader()).await else { continue };
            let mut reader = reader.unwrap().unwrap();
            let mut content = Vec::new();
            loop {
                let mut part = [0; 13];
                let count = if $by_trait {
                    insist!($polls, AsyncReadExt::read(&mut reader, &mut part)).unwrap()
                } else {
                    insist!($polls, reader.read(&mut part)).unwrap()
                };
                if count == 0 {
                    break;
                }
                content.extend_from_slice(&part[..count]);
            }
            break if reader.is_text() {
                Message::from(String::from_utf8(content).unwrap())
            } else {
                Message::from(content)
            };
        }
    };
}

/// The next message, lent; each future is dropped after so many polls.
macro_rules! recv_ref {
    ($polls:expr, $source:expr) => {
        loop {
            if let Some(lent) = polled($polls, $source.recv_ref()).await {
                break Message::from(lent.unwrap().unwrap());
            }
        }
    };
}

#[tokio::test]
async fn recv_ref() {
    for case in cases() {
        let (mut ws, peer) = case.start(no_time());
        peer.send(case.incoming());
        for index in 0..MESSAGES {
            assert_eq!(recv_ref!(case.polls, ws), message(index));
        }
        let _ = polled(50, ws.recv_ref()).await;
        insist!(case.polls, ws.flush()).unwrap();
        case.assert_pongs(&peer);
    }
}

#[tokio::test]
async fn reader() {
    for case in cases() {
        for by_trait in [false, true] {
            let (mut ws, peer) = case.start(no_time());
            peer.send(case.incoming());
            for index in 0..MESSAGES {
                assert_eq!(read!(case.polls, ws, by_trait), message(index));
            }
            let _ = polled(50, ws.recv()).await;
            insist!(case.polls, ws.flush()).unwrap();
            case.assert_pongs(&peer);
        }
    }
}

#[tokio::test]
async fn split_reader_and_recv_ref() {
    for case in cases() {
        let (ws, peer) = case.start(no_time());
        let (mut sender, mut receiver) = ws.split();
        peer.send(case.incoming());
        for index in 0..MESSAGES {
            sender.feed(message(index)).await.unwrap();
            let _ = polled(1, sender.flush()).await;
            let received = match index % 3 {
                0 => recv_ref!(case.polls, receiver),
                by => read!(case.polls, receiver, by == 1),
            };
            assert_eq!(received, message(index));
        }
        insist!(case.polls, sender.flush()).unwrap();
        let _ = polled(500, receiver.recv()).await;
        insist!(case.polls, sender.flush()).unwrap();
        case.assert_received(&peer);
        case.assert_pongs(&peer);
    }
}

/// One of the ways to send, given up after so many polls until it has fed.
macro_rules! send_all {
    ($case:expr, $sink:expr) => {
        for index in 0..MESSAGES {
            match index % 4 {
                0 => insist!($case.polls, $sink.feed_with(message(index), Compress::Always)).unwrap(),
                1 => insist!($case.polls, $sink.feed_prepared(&Prepared::new(message(index)))).unwrap(),
                2 => {
                    // Whatever waits has left: there is room, and it is queued at the first poll.
                    insist!($case.polls, $sink.flush()).unwrap();
                    let _ = polled($case.polls, $sink.send_with(message(index), Compress::Never)).await;
                }
                _ => {
                    insist!($case.polls, $sink.flush()).unwrap();
                    let _ = polled($case.polls, $sink.send_prepared(&Prepared::new(message(index)))).await;
                }
            }
        }
        insist!($case.polls, $sink.flush()).unwrap();
    };
}

#[tokio::test]
async fn sending_with_and_prepared() {
    for case in cases() {
        for most in [None, Some(11)] {
            let config = no_time().high_water_mark(40).max_sent_frame_size(most);
            let (mut ws, peer) = case.start(config.clone());
            send_all!(case, ws);
            case.assert_received(&peer);
            let (ws, peer) = case.start(config);
            let (mut sender, mut receiver) = ws.split();
            peer.send(case.incoming());
            let _ = polled(case.polls, receiver.recv()).await;
            send_all!(case, sender);
            case.assert_received(&peer);
        }
    }
}

#[tokio::test]
async fn a_message_that_finds_no_room_is_not_sent() {
    for split in [false, true] {
        let config = no_time().high_water_mark(4).deflate(DeflateConfig::default().threshold(0));
        let (mut ws, peer) = scripted_agreed(Role::Server, &config);
        peer.take(0);
        macro_rules! check {
            ($sink:expr) => {{
                let _ = polled(2, $sink.send(message(0))).await;
                let _ = polled(2, $sink.send(message(1))).await;
                // Now both queues are full.
                for polls in 1..4 {
                    let lost = message(5);
                    assert!(polled(polls, $sink.feed_with(lost.clone(), Compress::Never)).await.is_none());
                    assert!(polled(polls, $sink.send_with(lost.clone(), Compress::Always)).await.is_none());
                    assert!(polled(polls, $sink.feed_prepared(&Prepared::new(lost.clone()))).await.is_none());
                    assert!(polled(polls, $sink.send_prepared(&Prepared::new(lost))).await.is_none());
                    let mut writer = $sink.writer(true);
                    assert!(polled(polls, writer.write(b"lost")).await.is_none());
                    drop(writer);
                }
                peer.take_all();
                bounded($sink.flush()).await.unwrap();
                bounded($sink.send(message(2))).await.unwrap();
            }};
        }
        if split {
            let (mut sender, _receiver) = ws.split();
            check!(sender);
        } else {
            check!(ws);
        }
        let case = Case { role: Role::Server, deflate: true, step: 1, buffers: false, polls: 1 };
        let received = case.received(&peer);
        assert_eq!(received.last(), Some(&message(2)));
        assert!(!received.contains(&message(5)));
    }
}

/// Writes all of `content`, in parts of a few bytes.
macro_rules! write {
    ($polls:expr, $sink:expr, $message:expr) => {{
        let message = $message;
        let mut writer = $sink.writer(message.is_text()).frame_size(17);
        for (index, mut part) in message.as_bytes().chunks(13).enumerate() {
            if index % 2 == 0 {
                insist!($polls, writer.write(part)).unwrap();
                part = &[];
            }
            while !part.is_empty() {
                let count = insist!($polls, AsyncWriteExt::write(&mut writer, part)).unwrap();
                part = &part[count..];
            }
            if index % 3 == 2 {
                insist!($polls, writer.flush()).unwrap();
            }
            if index % 4 == 3 {
                // Given up and taken up.
                drop(writer);
                writer = $sink.writer(message.is_text()).frame_size(1000).resume();
            }
        }
        insist!($polls, writer.shutdown()).unwrap();
    }};
}

#[tokio::test]
async fn writer() {
    for case in cases() {
        let (mut ws, peer) = case.start(no_time().high_water_mark(40));
        for index in 0..MESSAGES {
            write!(case.polls, ws, message(index));
        }
        case.assert_received(&peer);
    }
}

#[tokio::test]
async fn split_writer() {
    for case in cases() {
        let (ws, peer) = case.start(no_time().high_water_mark(40));
        let (mut sender, mut receiver) = ws.split();
        peer.send(case.incoming());
        for index in 0..MESSAGES {
            let _ = polled(case.polls, receiver.recv()).await;
            write!(case.polls, sender, message(index));
        }
        case.assert_received(&peer);
    }
}

#[tokio::test]
async fn finish_sends_the_message_once() {
    for case in cases() {
        for split in [false, true] {
            let (mut ws, peer) = case.start(no_time().high_water_mark(40));
            macro_rules! check {
                ($sink:expr) => {
                    for index in 0..MESSAGES {
                        let mut writer = $sink.writer(message(index).is_text()).frame_size(17);
                        bounded(writer.write(message(index).as_bytes())).await.unwrap();
                        loop {
                            match polled(case.polls, writer.finish()).await {
                                // It had been finished, and was being written.
                                Some(Ok(()) | Err(sheave_ws::Error::Usage(_))) => break,
                                Some(Err(error)) => panic!("{error:?}"),
                                None => writer = $sink.writer(message(index).is_text()).resume(),
                            }
                        }
                    }
                    insist!(case.polls, $sink.flush()).unwrap();
                };
            }
            if split {
                let (mut sender, _receiver) = ws.split();
                check!(sender);
            } else {
                check!(ws);
            }
            case.assert_received(&peer);
        }
    }
}

/// What a dropped future of the sender leaves half written is for a receiver that waits to go on with.
#[tokio::test]
async fn a_waiting_receiver_goes_on_with_what_is_half_written() {
    for form in 0..6 {
        let (ws, peer) = scripted_agreed(Role::Server, &no_time());
        let (mut sender, mut receiver) = ws.split();
        let receiving = tokio::spawn(async move { receiver.recv().await });
        tokio::task::yield_now().await;
        peer.take(5);
        let content = vec![7; 100];
        let left = match form {
            0 => polled(2, sender.send(content)).await.is_none(),
            1 => polled(2, sender.send_with(content, Compress::Always)).await.is_none(),
            2 => polled(2, sender.send_prepared(&Prepared::new(content))).await.is_none(),
            3 => {
                let mut writer = sender.writer(false);
                writer.write(&content).await.unwrap();
                polled(2, writer.finish()).await.is_none()
            }
            4 => {
                let mut writer = sender.writer(false);
                writer.write(&content).await.unwrap();
                let left = polled(2, writer.flush()).await.is_none();
                // It lives on without a word.
                std::mem::forget(writer);
                left
            }
            _ => {
                let mut writer = sender.writer(false);
                writer.write(&content).await.unwrap();
                polled(2, writer.shutdown()).await.is_none()
            }
        };
        assert!(left, "form {form}");
        peer.take_all();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let (frames, rest) = peer.some_frames();
        assert_eq!((frames.len(), rest), (1, 0), "form {form}: half a frame is left");
        receiving.abort();
        drop(sender);
    }
}

#[tokio::test]
async fn byte_stream() {
    for case in cases() {
        let (mut ws, peer) = case.start(no_time().high_water_mark(40));
        // Binary all.
        let mut squeeze = Squeeze::default();
        let frames: Vec<Frame> = (0..MESSAGES)
            .flat_map(|index| {
                let payload = message(index).into_bytes();
                let payload = if case.deflate { squeeze.message(&payload) } else { payload.to_vec() };
                let (start, end) = payload.split_at(payload.len() / 2);
                let first = frame().binary(start).unfinished();
                let first = if case.deflate { first.reserved(0x40) } else { first };
                [frame().binary(""), first, frame().ping(index.to_string()), frame().continuation(end)]
            })
            .collect();
        peer.send(wire(case.role, &frames));
        let content: Vec<u8> = (0..MESSAGES).flat_map(|index| message(index).into_bytes()).collect();
        let mut stream = ByteStream::new(&mut ws);
        let (mut read, mut written) = (Vec::new(), &content[..]);
        while read.len() < content.len() || !written.is_empty() {
            if read.len() < content.len() {
                let mut part = [0; 29];
                let count = insist!(case.polls, stream.read(&mut part)).unwrap();
                assert_ne!(count, 0);
                read.extend_from_slice(&part[..count]);
            }
            if !written.is_empty() {
                let part = &written[..written.len().min(31)];
                let count = insist!(case.polls, stream.write(part)).unwrap();
                written = &written[count..];
            }
            let _ = polled(case.polls, stream.flush()).await;
        }
        assert_eq!(read, content);
        insist!(case.polls, stream.flush()).unwrap();
        insist!(case.polls, stream.shutdown()).unwrap();
        let received: Vec<u8> =
            received_bytes(&case, &peer).into_iter().flat_map(Message::into_bytes).collect();
        assert_eq!(received, content, "{case:?}");
        assert_eq!(peer.frames().last().unwrap().close_code(), Some(1000));
        peer.send(frame().close(1000, "").to(case.role).bytes());
        peer.end();
        assert_eq!(insist!(case.polls, stream.read(&mut [0; 9])).unwrap(), 0);
        case.assert_pongs(&peer);
    }
}

fn received_bytes(case: &Case, peer: &Peer) -> Vec<Message> {
    let messages = case.received(peer);
    assert!(messages.iter().all(|message| !message.is_text()));
    messages
}
