//! Messages that leave in several frames: cut by size, written in parts, prepared for many.
#![cfg(feature = "tokio")]

mod support;

use bytes::Bytes;
use sheave_ws::deflate::DeflateConfig;
use sheave_ws::{
    CloseCode, Compress, Config, Control, Error, Event, Incoming, Message, Prepared, Replies, Role, Usage,
};
use support::{
    FULL, Got, Random, bounded, drain, frame, halves, no_time, parse, polled, receive, scripted_agreed, words,
};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn configs() -> [Config; 2] {
    [no_time(), no_time().deflate(DeflateConfig::default())]
}

/// Checks that these are the frames of one message, and how long they are; gives its payload.
fn assert_cut(frames: &[Got], text: bool, compressed: bool, most: usize) -> Vec<u8> {
    let (last, others) = frames.split_last().unwrap();
    assert!(last.fin && last.payload.len() <= most);
    assert!(others.iter().all(|frame| !frame.fin && frame.payload.len() == most), "{frames:?}");
    for (index, frame) in frames.iter().enumerate() {
        let first = index == 0;
        assert_eq!(frame.opcode, if first { 2 - u8::from(text) } else { 0 });
        assert_eq!(frame.reserved, if first && compressed { 0x40 } else { 0 });
    }
    assert!(others.is_empty() || !last.payload.is_empty(), "a frame for nothing");
    frames.iter().flat_map(|frame| frame.payload.clone()).collect()
}

fn only_message(incoming: &mut Incoming, bytes: &[u8]) -> Message {
    match &mut receive(incoming, bytes).unwrap()[..] {
        [Event::Message(message)] => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_are_as_long_as_configured() {
    let mut random = Random::new(1);
    for role in ROLES {
        for config in configs() {
            for most in [1, 2, 7, 125, 126, 1000, 9000, 70_000] {
                let config = config.clone().max_sent_frame_size(most);
                let (mut outgoing, mut incoming) = halves(role, &config, FULL);
                for size in [0, 1, most - 1, most, most + 1, 2 * most, 3 * most + 1] {
                    let size = size.min(80_000);
                    for (text, prepared) in [(false, false), (true, false), (false, true), (true, true)] {
                        let message: Message =
                            if text { words(&mut random, size).into() } else { random.bytes(size).into() };
                        if prepared {
                            outgoing.prepared(&Prepared::new(message.clone()), Compress::Always).unwrap();
                        } else {
                            outgoing.message(message.clone(), Compress::Always).unwrap();
                        }
                        let bytes = drain(&mut outgoing);
                        let frames = parse(&bytes);
                        assert!(frames.iter().all(|frame| frame.masked == (role == Role::Client)));
                        let payload = assert_cut(&frames, text, config.deflate.is_some(), most);
                        assert_eq!(payload.len().div_ceil(most).max(1), frames.len());
                        assert_eq!(only_message(&mut incoming, &bytes), message, "{size} {most}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_frame_size_of_nothing_counts_as_one() {
    let (mut outgoing, mut incoming) = halves(Role::Server, &no_time().max_sent_frame_size(0), FULL);
    outgoing.message("abc".into(), Compress::Auto).unwrap();
    let bytes = drain(&mut outgoing);
    assert_eq!(parse(&bytes).len(), 3);
    assert_eq!(only_message(&mut incoming, &bytes), "abc".into());
}

#[test]
fn messages_behind_one_that_is_cut_keep_their_order() {
    for role in ROLES {
        for config in configs() {
            let config = config.max_sent_frame_size(10).high_water_mark(25);
            let (mut outgoing, mut incoming) = halves(role, &config, FULL);
            let mut random = Random::new(2);
            let mut messages = Vec::new();
            let mut bytes = Vec::new();
            for round in 0..200 {
                let length = random.below(200);
                let message: Message = words(&mut random, length).into();
                match random.below(4) {
                    0 => outgoing.prepared(&Prepared::new(message.clone()), Compress::Auto).unwrap(),
                    1 => outgoing.message(message.clone(), Compress::Never).unwrap(),
                    2 => {
                        outgoing.begin(true, Compress::Auto, 33).unwrap();
                        outgoing.write(message.as_bytes()).unwrap();
                        outgoing.finish().unwrap();
                    }
                    _ => outgoing.message(message.clone(), Compress::Always).unwrap(),
                }
                messages.push(Event::Message(message));
                if random.chance(30) {
                    let output = outgoing.transmit();
                    while let Some(chunk) = output.pop() {
                        bytes.extend_from_slice(&chunk);
                    }
                    // The rest may be behind it still.
                    outgoing.ping(Bytes::from(round.to_string())).unwrap();
                }
            }
            bytes.extend(drain(&mut outgoing));
            let mut events = receive(&mut incoming, &bytes).unwrap();
            events.retain(|event| matches!(event, Event::Message(_)));
            assert!(events == messages);
        }
    }
}

#[test]
fn pongs_leave_between_the_frames() {
    for role in ROLES {
        for config in configs() {
            let config = config.max_sent_frame_size(1000).high_water_mark(3000);
            let (mut outgoing, _) = halves(role, &config, FULL);
            outgoing.message(Random::new(3).bytes(50_000).into(), Compress::Auto).unwrap();
            let mut bytes = Vec::new();
            for index in 0..10_u8 {
                outgoing.post(Control::Pong(vec![index].into()));
                let chunk = outgoing.transmit().pop().unwrap();
                bytes.extend_from_slice(&chunk);
            }
            bytes.extend(drain(&mut outgoing));
            let frames = parse(&bytes);
            let at: Vec<usize> = (0..frames.len()).filter(|&at| frames[at].opcode == 10).collect();
            assert!(at.len() > 3, "{frames:?}");
            // None waits for more than what was queued before it.
            assert!(*at.last().unwrap() < frames.len() - 15, "{frames:?}");
            let last = frames[*at.last().unwrap()].payload[0];
            assert_eq!(last, 9, "the newest is lost: {frames:?}");
        }
    }
}

#[tokio::test]
async fn a_pong_does_not_wait_for_a_long_message_on_a_slow_transport() {
    for role in ROLES {
        for config in configs() {
            for split in [false, true] {
                let config = config.clone().max_sent_frame_size(100).high_water_mark(250);
                let (mut ws, peer) = scripted_agreed(role, &config);
                peer.take(0);
                let message = Random::new(4).bytes(10_000);
                if split {
                    let (mut sender, mut receiver) = ws.split();
                    let sending = tokio::spawn(async move { sender.send(message).await });
                    tokio::task::yield_now().await;
                    peer.send(frame().ping("?").to(role).bytes());
                    let receiving = tokio::spawn(async move { receiver.recv().await });
                    while peer.received().len() < 10_000 {
                        tokio::task::yield_now().await;
                        peer.take(30);
                    }
                    peer.take_all();
                    bounded(sending).await.unwrap().unwrap();
                    receiving.abort();
                } else {
                    ws.feed(message).await.unwrap();
                    peer.send(frame().ping("?").to(role).bytes());
                    while peer.received().len() < 10_000 {
                        assert!(polled(2, ws.recv()).await.is_none());
                        peer.take(30);
                    }
                    peer.take_all();
                    bounded(ws.flush()).await.unwrap();
                }
                let frames = peer.frames();
                assert!(frames.len() > 100);
                let at = frames.iter().position(|frame| frame.opcode == 10).unwrap();
                assert!(at < 8, "split {split}: the Pong is behind {at} frames");
            }
        }
    }
}

#[tokio::test]
async fn a_close_follows_the_whole_message() {
    for role in ROLES {
        for config in configs() {
            for split in [false, true] {
                let config = config.clone().max_sent_frame_size(100).high_water_mark(250);
                let (mut ws, peer) = scripted_agreed(role, &config);
                peer.take(0);
                let message = Random::new(5).bytes(2000);
                if split {
                    let (mut sender, _receiver) = ws.split();
                    sender.feed(message).await.unwrap();
                    assert!(polled(2, sender.close(CloseCode::NORMAL)).await.is_none());
                    peer.take_all();
                    bounded(sender.close(CloseCode::NORMAL)).await.unwrap();
                } else {
                    ws.feed(message).await.unwrap();
                    ws.start_close(CloseCode::NORMAL);
                    peer.take_all();
                    bounded(ws.flush()).await.unwrap();
                }
                let frames = peer.frames();
                let (close, data) = frames.split_last().unwrap();
                assert_eq!(close.close_code(), Some(1000));
                let compressed = data[0].reserved != 0;
                assert_cut(data, false, compressed, 100);
            }
        }
    }
}

#[test]
fn there_is_no_room_while_a_message_is_half_queued() {
    let config = no_time().max_sent_frame_size(100).high_water_mark(250);
    let (mut outgoing, _) = halves(Role::Server, &config, FULL);
    assert!(outgoing.has_room());
    outgoing.message(vec![0; 1000].into(), Compress::Auto).unwrap();
    assert!(!outgoing.has_room());
    let mut rounds = 0;
    while !outgoing.has_room() {
        rounds += 1;
        assert!(rounds < 20);
        let output = outgoing.transmit();
        assert!(output.len() < 250 + 104);
        output.pop().unwrap();
    }
    let left = drain(&mut outgoing);
    assert!(left.len() < 250);
}

#[tokio::test]
async fn feeding_waits_while_a_message_is_half_queued() {
    let config = no_time().max_sent_frame_size(100).high_water_mark(250);
    for split in [false, true] {
        let (mut ws, peer) = scripted_agreed(Role::Server, &config);
        peer.take(0);
        if split {
            let (mut sender, _receiver) = ws.split();
            sender.feed(vec![1; 1000]).await.unwrap();
            // The halves have a queue each.
            let _ = polled(2, sender.feed(vec![2; 1000])).await;
            assert!(polled(2, sender.feed(vec![3; 1000])).await.is_none());
            peer.take_all();
            bounded(sender.feed("4")).await.unwrap();
            bounded(sender.flush()).await.unwrap();
        } else {
            ws.feed(vec![1; 1000]).await.unwrap();
            assert!(polled(2, ws.feed(vec![2; 1000])).await.is_none());
            peer.take_all();
            bounded(ws.feed("4")).await.unwrap();
            bounded(ws.flush()).await.unwrap();
        }
        let frames = peer.frames();
        assert_cut(&frames[..10], false, false, 100);
        assert_eq!(frames.last().unwrap().payload, b"4");
        assert!(frames.iter().all(|frame| frame.payload.first() != Some(&3)));
    }
}

#[test]
fn what_is_written_in_parts_leaves_in_frames_of_the_size_asked_for() {
    let mut random = Random::new(6);
    for role in ROLES {
        for config in configs() {
            for (asked, configured, most) in [(1000, None, 1000), (1000, Some(300), 300), (0, None, 1)] {
                let config = config.clone().max_sent_frame_size(configured);
                let (mut outgoing, mut incoming) = halves(role, &config, FULL);
                for length in [0, 1, most, most + 1, 5 * most, 7 * most + 3] {
                    let content = random.bytes(length);
                    for part in [1, most, 10 * most] {
                        outgoing.begin(false, Compress::Auto, asked).unwrap();
                        for part in content.chunks(part) {
                            outgoing.write(part).unwrap();
                        }
                        outgoing.finish().unwrap();
                        let bytes = drain(&mut outgoing);
                        let compressed = config.deflate.is_some();
                        let payload = assert_cut(&parse(&bytes), false, compressed, most);
                        if !compressed {
                            assert_eq!(payload, content);
                        }
                        assert_eq!(only_message(&mut incoming, &bytes), content.clone().into());
                    }
                }
            }
        }
    }
}

#[test]
fn a_flush_sends_what_was_written_and_nothing_if_there_was_nothing() {
    for config in configs() {
        let (mut outgoing, mut incoming) = halves(Role::Server, &config, FULL);
        // With a context of earlier messages, and without.
        for _ in 0..2 {
            outgoing.begin(true, Compress::Auto, 1000).unwrap();
            outgoing.cut(false).unwrap();
            assert!(drain(&mut outgoing).is_empty());
            outgoing.write(b"one, ").unwrap();
            outgoing.cut(false).unwrap();
            let first = drain(&mut outgoing);
            assert_eq!(parse(&first).len(), 1);
            for _ in 0..3 {
                outgoing.cut(false).unwrap();
                assert!(drain(&mut outgoing).is_empty());
            }
            // All of it can be read by now.
            let mut input = bytes::BytesMut::from(&first[..]);
            let replies = &mut support::Posted::default();
            assert_eq!(incoming.start(&mut input, replies).unwrap(), Some(Event::Message(true)));
            let mut output = [0; 20];
            assert_eq!(
                incoming.read(&mut input, replies, &mut output).unwrap(),
                Some(Event::Message(5)),
                "{:?}",
                parse(&first)
            );
            outgoing.write("zwölf".as_bytes()).unwrap();
            outgoing.cut(false).unwrap();
            outgoing.finish().unwrap();
            input.extend_from_slice(&drain(&mut outgoing));
            let mut read = Vec::new();
            loop {
                match incoming.read(&mut input, replies, &mut output).unwrap() {
                    Some(Event::Message(0)) => break,
                    Some(Event::Message(count)) => read.extend_from_slice(&output[..count]),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(read, "zwölf".as_bytes());
            assert!(input.is_empty());
        }
    }
}

#[test]
fn text_is_cut_anywhere_and_checked_as_a_whole() {
    let text = "aß€😀\u{10FFFF}z".repeat(3);
    for config in configs() {
        for part in 1..7 {
            let (mut outgoing, mut incoming) = halves(Role::Client, &config, FULL);
            outgoing.begin(true, Compress::Auto, 5).unwrap();
            for part in text.as_bytes().chunks(part) {
                outgoing.write(part).unwrap();
                outgoing.cut(false).unwrap();
            }
            outgoing.finish().unwrap();
            assert_eq!(only_message(&mut incoming, &drain(&mut outgoing)), text.as_str().into());
        }
    }
}

#[test]
fn what_is_not_utf8_is_refused_and_leaves_nothing() {
    for config in configs() {
        let (mut outgoing, mut incoming) = halves(Role::Server, &config, FULL);
        let usage = |result: Result<(), Error>, expected: Usage| match result {
            Err(Error::Usage(usage)) => assert_eq!(usage, expected),
            other => panic!("{other:?}"),
        };
        usage(outgoing.write(b"x"), Usage::Incomplete);
        usage(outgoing.finish(), Usage::Incomplete);
        outgoing.begin(true, Compress::Auto, 1000).unwrap();
        outgoing.write(b"start \xe2\x82").unwrap();
        // None of these follows.
        for wrong in [&b"\xff"[..], b"x", b"\xac\xff", b"\xac ok \xc0"] {
            usage(outgoing.write(wrong), Usage::InvalidUtf8);
        }
        usage(outgoing.finish(), Usage::Incomplete);
        usage(outgoing.message("other".into(), Compress::Auto), Usage::InsideMessage);
        usage(outgoing.prepared(&Prepared::new("other"), Compress::Auto), Usage::InsideMessage);
        usage(outgoing.begin(false, Compress::Auto, 10), Usage::InsideMessage);
        usage(outgoing.fragment(vec![1].into(), true), Usage::InsideMessage);
        // Not inside the character either.
        usage(outgoing.fragment("x".into(), true), Usage::InsideMessage);
        outgoing.ping(Bytes::new()).unwrap();
        outgoing.write(b"\xac end").unwrap();
        outgoing.finish().unwrap();
        usage(outgoing.finish(), Usage::Incomplete);
        assert_eq!(
            receive(&mut incoming, &drain(&mut outgoing)).unwrap(),
            [Event::Ping(Bytes::new()), Event::Message("start € end".into())]
        );
    }
}

#[tokio::test]
async fn a_writer_that_was_dropped_is_resumed() {
    for config in configs() {
        for split in [false, true] {
            let (ws, peer) = scripted_agreed(Role::Server, &config);
            macro_rules! check {
                ($sink:expr) => {{
                    let mut sink = $sink;
                    let mut writer = sink.writer(true).frame_size(10);
                    writer.write(b"half of a char\xc3").await.unwrap();
                    drop(writer);
                    for _ in 0..2 {
                        let refused = sink.send("other").await;
                        assert!(matches!(refused, Err(Error::Usage(Usage::InsideMessage))), "{refused:?}");
                        let refused = sink.send_prepared(&Prepared::new("other")).await;
                        assert!(matches!(refused, Err(Error::Usage(Usage::InsideMessage))), "{refused:?}");
                        let refused = sink.writer(false).write(b"other").await;
                        assert!(matches!(refused, Err(Error::Usage(Usage::InsideMessage))), "{refused:?}");
                    }
                    let early = sink.writer(true).resume().finish().await;
                    assert!(matches!(early, Err(Error::Usage(Usage::Incomplete))), "{early:?}");
                    sink.ping("p").await.unwrap();
                    let mut writer = sink.writer(true).resume();
                    writer.write(b"\xa4 and more").await.unwrap();
                    writer.finish().await.unwrap();
                    let nothing = sink.writer(true).resume().finish().await;
                    assert!(matches!(nothing, Err(Error::Usage(Usage::Incomplete))), "{nothing:?}");
                    sink.send("other").await.unwrap();
                }};
            }
            if split {
                let (sender, _receiver) = ws.split();
                check!(sender);
            } else {
                check!(ws);
            }
            let mut frames = peer.frames();
            frames.retain(|frame| frame.opcode < 8);
            let other = frames.pop().unwrap();
            assert_eq!(other.payload, b"other");
            assert!(frames.iter().all(|frame| frame.payload.len() <= 10));
            let payload: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.clone()).collect();
            if frames[0].reserved == 0 {
                assert_eq!(payload, "half of a charä and more".as_bytes());
            }
        }
    }
}

#[tokio::test]
async fn a_writer_over_agreed_deflate_sends_what_was_written() {
    // Through both halves of both ends, many messages with one context.
    let config = no_time().deflate(DeflateConfig::default());
    let agreed = support::agreed(config.deflate.as_ref().unwrap());
    let (near, far) = tokio::io::duplex(5000);
    let client = support::websocket(near, Role::Client, &config).agreed(agreed.clone(), &config);
    let server = support::websocket(far, Role::Server, &config).agreed(agreed, &config);
    let (mut sender, _client) = client.split();
    let (_server, mut receiver) = server.split();
    let mut random = Random::new(7);
    for _ in 0..100 {
        let length = random.below(20_000);
        let text = words(&mut random, length);
        let sending = async {
            let mut writer = sender.writer(true).frame_size(1 + random.below(3000));
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (part, next) = rest.split_at(rest.len().min(1 + random.below(5000)));
                writer.write(part).await.unwrap();
                if random.chance(20) {
                    writer.flush().await.unwrap();
                }
                rest = next;
            }
            writer.finish().await.unwrap();
        };
        let ((), received) = bounded(async { tokio::join!(sending, receiver.recv()) }).await;
        assert_eq!(received.unwrap().unwrap(), text.as_str().into());
    }
}
