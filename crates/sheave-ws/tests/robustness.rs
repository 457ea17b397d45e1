//! Random input: whatever comes, no panic and no end without a reason; what is valid comes out as it went in.
#![cfg(feature = "tokio")]

mod support;

use bytes::{Buf, BytesMut};
use sheave_ws::{CloseCode, Config, Connection, Event, Message, Role};
use support::{Frame, Random, bounded, frame, no_time, polled, run, scripted, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn random_frame(random: &mut Random) -> Frame {
    let kinds = if random.chance(2) { 8 } else { 7 };
    let length = [0, 1, 5, 100, 125, 126, 300, 70_000][random.below(kinds)];
    let mut made = match random.below(12) {
        0..4 => frame().text(random.text(length / 4)),
        4..7 => frame().binary(random.bytes(length)),
        7 => frame().continuation(random.bytes(length)),
        8 => frame().ping(random.bytes(length.min(125))),
        9 => frame().pong(random.bytes(length.min(125))),
        10 => frame().close(999 + random.below(20) as u16, random.text(3)),
        _ => frame().opcode(random.below(16) as u8),
    };
    if random.chance(30) {
        made = made.unfinished();
    }
    if random.chance(3) {
        made = made.reserved(0x10 << random.below(3));
    }
    if random.chance(3) {
        made = made.length_form(126 + random.below(2) as u8);
    }
    if random.chance(3) {
        made = made.claims(random.next() >> random.below(64));
    }
    made
}

fn random_wire(random: &mut Random, role: Role) -> Vec<u8> {
    let frames: Vec<Frame> = (0..1 + random.below(12)).map(|_| random_frame(random)).collect();
    let mut bytes = wire(role, &frames);
    if random.chance(50) {
        for _ in 0..random.below(8) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, random.next() as u8),
            }
            if bytes.is_empty() {
                bytes.push(0x80);
            }
        }
    }
    bytes
}

/// The wire in random pieces.
fn pieces<'a>(random: &mut Random, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let most = [1, 3, 20, 10_000][random.below(4)];
        let (piece, rest) = bytes.split_at((1 + random.below(most)).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

#[test]
fn any_input_gives_the_same_outcome_however_it_is_cut() {
    let mut random = Random::new(1);
    let config = Config::default().max_message_size(100_000).max_frame_size(60_000).max_fragments(20);
    let (mut failed, mut closed, mut messages) = (0, 0, 0);
    for _ in 0..3000 {
        for role in ROLES {
            let bytes = random_wire(&mut random, role);
            let whole = run(role, &config, [&bytes[..]]);
            let cut = run(role, &config, pieces(&mut random, &bytes));
            assert_eq!(whole.events, cut.events, "{bytes:x?}");
            assert_eq!(format!("{:?}", whole.error), format!("{:?}", cut.error), "{bytes:x?}");
            assert_eq!(whole.output, cut.output, "{bytes:x?}");
            // An error is always told, and nothing is said after a Close.
            let frames = whole.frames();
            let close = frames.iter().position(|frame| frame.opcode == 8);
            if let Some(error) = &whole.error {
                assert_eq!(whole.close_code(), error.close_code().map(CloseCode::get));
                failed += 1;
            }
            assert!(close.is_none_or(|at| at + 1 == frames.len()), "{frames:?}");
            closed += usize::from(whole.events.iter().any(|event| matches!(event, Event::Close(_))));
            messages += whole.events.iter().filter(|event| matches!(event, Event::Message(_))).count();
        }
    }
    // The generator reaches everything.
    assert!(failed > 500 && closed > 100 && messages > 500, "{failed} {closed} {messages}");
}

#[test]
fn pure_noise_is_harmless() {
    let mut random = Random::new(2);
    for _ in 0..5000 {
        for role in ROLES {
            let length = 1 + random.below(200);
            let bytes = random.bytes(length);
            let cut = run(role, &Config::default(), pieces(&mut random, &bytes));
            let whole = run(role, &Config::default(), [&bytes[..]]);
            assert_eq!(whole.events, cut.events);
            assert_eq!(whole.output, cut.output);
        }
    }
}

/// A valid message in random fragments, with random control frames in between.
fn fragmented(random: &mut Random, message: &Message, controls: &mut Vec<Event>) -> Vec<Frame> {
    let start = if message.is_text() { frame().text("") } else { frame().binary("") };
    let mut rest = message.as_bytes();
    let mut frames = Vec::new();
    loop {
        let opening = if frames.is_empty() { start.clone() } else { frame().continuation("") };
        if random.chance(40) {
            frames.push(opening.payload(rest));
            return frames;
        }
        let (piece, after) = rest.split_at(random.below(rest.len() + 1));
        frames.push(opening.payload(piece).unfinished());
        rest = after;
        while random.chance(30) {
            let length = random.below(126);
            let payload = random.bytes(length);
            if random.chance(50) {
                frames.push(frame().ping(&payload));
                controls.push(Event::Ping(payload.into()));
            } else {
                frames.push(frame().pong(&payload));
                controls.push(Event::Pong(payload.into()));
            }
        }
    }
}

fn random_message(random: &mut Random) -> Message {
    let length = [0, 1, 3, 50, 126, 1000, 9000, 66_000][random.below(8)];
    if random.chance(50) { random.text(length / 3).into() } else { random.bytes(length).into() }
}

#[test]
fn valid_messages_come_out_as_they_went_in() {
    let mut random = Random::new(3);
    for _ in 0..100 {
        for role in ROLES {
            let messages: Vec<Message> =
                (0..1 + random.below(10)).map(|_| random_message(&mut random)).collect();
            let mut expected = Vec::new();
            let mut frames = Vec::new();
            for message in &messages {
                frames.extend(fragmented(&mut random, message, &mut expected));
                expected.push(Event::Message(message.clone()));
            }
            let bytes = wire(role, &frames);
            let outcome = run(role, &Config::default(), pieces(&mut random, &bytes));
            assert!(outcome.error.is_none());
            assert_eq!(outcome.events, expected);
            let pongs: Vec<Vec<u8>> = outcome.frames().into_iter().map(|frame| frame.payload).collect();
            let pings: Vec<Vec<u8>> = expected
                .into_iter()
                .filter_map(
                    |event| if let Event::Ping(payload) = event { Some(payload.to_vec()) } else { None },
                )
                .collect();
            assert_eq!(pongs, pings);
        }
    }
}

#[test]
fn two_connections_understand_each_other() {
    let mut random = Random::new(4);
    for _ in 0..30 {
        let config = Config::default();
        let mut client = Connection::new(Role::Client, &config, || Ok([0xA5, 0x5A, 0x01, 0xFE]));
        let mut server = Connection::new(Role::Server, &config, || Ok([0; 4]));
        for (from, to) in [(&mut client, &mut server)] {
            let messages: Vec<Message> = (0..20).map(|_| random_message(&mut random)).collect();
            let mut received = Vec::new();
            let mut wire = BytesMut::new();
            for message in &messages {
                from.send(message.clone()).unwrap();
                from.ping("x".into()).unwrap();
                let output = from.transmit();
                while output.has_remaining() {
                    let length = (1 + random.below(20_000)).min(output.chunk().len());
                    wire.extend_from_slice(&output.chunk()[..length]);
                    output.advance(length);
                    while let Some(event) = to.recv(&mut wire).unwrap() {
                        if let Event::Message(message) = event {
                            received.push(message);
                        }
                    }
                }
                let pongs = to.transmit();
                let mut pongs = BytesMut::from(&pongs.copy_to_bytes(pongs.remaining())[..]);
                assert!(matches!(from.recv(&mut pongs), Ok(Some(Event::Pong(_)))));
            }
            assert_eq!(received, messages);
        }
    }
}

#[tokio::test]
async fn a_websocket_ends_whatever_comes() {
    let mut random = Random::new(5);
    for _ in 0..500 {
        for role in ROLES {
            let (mut ws, peer) = scripted(role, &no_time().max_message_size(100_000));
            peer.step(1 + random.below(1000));
            peer.hiccups(random.below(3) as u32);
            peer.send(random_wire(&mut random, role));
            for _ in 0..random.below(10) {
                let _ = polled(1 + random.below(5), ws.recv()).await;
                let _ = polled(1 + random.below(5), ws.send("x")).await;
            }
            peer.end();
            let mut ends = 0;
            while ends < 2 {
                match bounded(ws.recv()).await {
                    Ok(Some(_)) => assert_eq!(ends, 0),
                    Ok(None) => ends += 1,
                    Err(_) => assert_eq!(ends, 0),
                }
            }
            // Only whole frames left, unless the transport ended before.
            let (frames, _) = peer.some_frames();
            assert!(frames.iter().filter(|frame| frame.opcode == 8).count() <= 1);
        }
    }
}
