//! Messages taken whole, lent and in parts, in any order, while they arrive cut anywhere.

mod support;

use bytes::BytesMut;
use sheave_ws::deflate::Decompressor;
use sheave_ws::{Config, Error, Event, Incoming, Limit, Message, ProtocolError, Role};
use support::compressed::config;
use support::{FULL, Frame, Posted, Random, Squeeze, frame, squeeze, wire, words};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const RSV1: u8 = 0x40;

/// A receiving half that has agreed, fed piece by piece, and its forms of receiving.
struct Half {
    incoming: Incoming,
    input: BytesMut,
    posted: Posted,
}

impl Half {
    fn new(role: Role, config: &Config) -> Self {
        let mut incoming = Incoming::new(role, config);
        if let Some(deflate) = &config.deflate {
            incoming.set_decompressor(Decompressor::new(deflate, FULL));
        }
        Self { incoming, input: BytesMut::new(), posted: Posted::default() }
    }

    fn recv(&mut self) -> Result<Option<Event>, Error> {
        self.incoming.recv(&mut self.input, &mut self.posted)
    }

    fn lend(&mut self) -> Result<Option<Event>, Error> {
        let event = self.incoming.lend(&mut self.input, &mut self.posted)?;
        Ok(event.map(|event| {
            event.map(|lent| match self.incoming.lent(&self.input, lent) {
                (true, text) => std::str::from_utf8(text).unwrap().into(),
                (false, bytes) => bytes.into(),
            })
        }))
    }

    fn start(&mut self) -> Result<Option<Event<bool>>, Error> {
        self.incoming.start(&mut self.input, &mut self.posted)
    }

    fn read(&mut self, output: &mut [u8]) -> Result<Option<Event<usize>>, Error> {
        self.incoming.read(&mut self.input, &mut self.posted, output)
    }
}

/// Reads the one message of `bytes` in parts, which come cut in pieces.
fn read_in_parts(
    role: Role,
    config: &Config,
    bytes: &[u8],
    piece: usize,
    part: usize,
) -> Result<Vec<u8>, Error> {
    let mut half = Half::new(role, config);
    let mut pieces = bytes.chunks(piece);
    let mut read = Vec::new();
    let mut output = vec![0; part];
    let mut started = false;
    loop {
        let waits = if started {
            match half.read(&mut output)? {
                Some(Event::Message(0)) => return Ok(read),
                Some(Event::Message(count)) => {
                    read.extend_from_slice(&output[..count]);
                    false
                }
                other => other.is_none(),
            }
        } else {
            let event = half.start()?;
            started |= matches!(event, Some(Event::Message(_)));
            event.is_none()
        };
        if waits {
            half.input.extend_from_slice(pieces.next().expect("it wants more than there is"));
        }
    }
}

#[test]
fn a_reader_is_limited_to_the_byte_too() {
    const LIMIT: usize = 3000;
    // The limit of whole messages has no say.
    let config = config().max_streamed_size(LIMIT as u64).max_message_size(10).max_frame_size(10);
    for role in ROLES {
        for compressed in [false, true] {
            for (length, good) in [(0, true), (LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
                let message = words(&mut Random::new(3), length).into_bytes()[..length].to_vec();
                let payload = if compressed { squeeze(&message) } else { message.clone() };
                let reserved = if compressed { RSV1 } else { 0 };
                let (start, end) = payload.split_at(payload.len() / 3);
                for frames in [
                    vec![frame().binary(&payload).reserved(reserved)],
                    vec![
                        frame().binary(start).reserved(reserved).unfinished(),
                        frame().ping("?"),
                        frame().continuation(end).unfinished(),
                        frame().continuation(""),
                    ],
                ] {
                    let bytes = wire(role, &frames);
                    for piece in [1, 7, 100_000] {
                        for part in [1, 10, LIMIT - 1, LIMIT, LIMIT + 1, 10_000] {
                            match read_in_parts(role, &config, &bytes, piece, part) {
                                Ok(read) => assert!(good && read == message, "{length} {piece} {part}"),
                                Err(error) => {
                                    assert!(!good, "{length} {piece} {part}: {error:?}");
                                    assert!(matches!(error, Error::Limit(Limit::MessageSize)));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_reader_is_not_limited_in_frames() {
    let config = config().max_fragments(3);
    let frames = |count: usize| {
        let part = || frame().continuation("part").unfinished();
        let last = frame().continuation("end");
        [vec![frame().text("").unfinished()], vec![part(); count - 2], vec![last]].concat()
    };
    for role in ROLES {
        let read = read_in_parts(role, &config, &wire(role, &frames(1000)), 100, 100).unwrap();
        assert_eq!(read.len(), 4 * 998 + 3);
        // Nor is one that is skipped; but those received whole are, which then come.
        let mut half = Half::new(role, &config);
        half.input.extend_from_slice(&wire(role, &[frames(1000), frames(3), frames(4)].concat()));
        assert_eq!(half.start().unwrap(), Some(Event::Message(true)));
        assert_eq!(half.recv().unwrap(), Some(Event::Message("partend".into())));
        assert!(matches!(half.lend(), Err(Error::Limit(Limit::Fragments))));
    }
}

#[test]
fn a_reader_sees_what_is_wrong() {
    let mut corrupt = squeeze(words(&mut Random::new(4), 5000));
    let middle = corrupt.len() / 2;
    corrupt.splice(middle..middle + 10, [0xff; 10]);
    let (start, end) = corrupt.split_at(10);
    let cut_off = squeeze(b"inside a character \xe2\x82");
    let wrong = squeeze([b"x".repeat(500).as_slice(), b"\xff", &b"y".repeat(500)].concat());
    let text = || frame().opcode(1).reserved(RSV1);
    for role in ROLES {
        for (frames, expected) in [
            (vec![text().payload(&cut_off)], ProtocolError::InvalidUtf8),
            (vec![text().payload(&wrong)], ProtocolError::InvalidUtf8),
            (vec![text().payload(b"\x07")], ProtocolError::Deflate),
            (vec![text().payload(b"\xf2\x48\xcd")], ProtocolError::Deflate),
            (vec![text().payload(b"\x00\x05\x00\xfa\xffHel")], ProtocolError::Deflate),
            (
                vec![text().payload(start).unfinished(), frame().text("interleaved")],
                ProtocolError::ExpectedContinuation,
            ),
            (
                vec![text().payload(start).unfinished(), frame().continuation(end).reserved(RSV1)],
                ProtocolError::ReservedBits,
            ),
            (vec![frame().text(b"plain \xff")], ProtocolError::InvalidUtf8),
            (vec![frame().text(b"plain \xe2\x82")], ProtocolError::InvalidUtf8),
        ] {
            let bytes = wire(role, &frames);
            for piece in [1, 5, 100_000] {
                for part in [1, 3, 100, 100_000] {
                    match read_in_parts(role, &config(), &bytes, piece, part) {
                        Err(Error::Protocol(error)) => assert_eq!(error, expected, "{piece} {part}"),
                        other => panic!("{other:?} instead of {expected:?}"),
                    }
                }
            }
        }
    }
}

/// What was made of a message.
#[derive(Debug, PartialEq)]
enum Taken {
    Whole(Message),
    /// Its kind, and as much of it as was read; whether up to the end.
    Parts(bool, Vec<u8>, bool),
}

/// Takes messages in a random form each, while the input comes in random pieces.
#[test]
fn every_form_follows_every_other() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let role = ROLES[random.below(2)];
        let mut config = config();
        if random.chance(20) {
            config = config.deflate(None);
        }
        let deflates = config.deflate.is_some();
        let mut peer = Squeeze::default();
        let mut messages: Vec<Message> = Vec::new();
        let mut frames = Vec::new();
        let mut pings = 0;
        for _ in 0..60 {
            let length = [0, 1, 100, 3000, 40_000][random.below(5)];
            let length = random.below(length + 1);
            let text = random.chance(50);
            let message: Message =
                if text { words(&mut random, length).into() } else { random.bytes(length).into() };
            let compressed = deflates && random.chance(70);
            let mut payload =
                if compressed { peer.message(message.as_bytes()) } else { message.as_bytes().to_vec() };
            let mut first = true;
            loop {
                let size = if random.chance(40) { payload.len() } else { random.below(payload.len() + 1) };
                let rest = payload.split_off(size);
                let opcode = if !first { 0 } else { 2 - u8::from(text) };
                let mut piece = frame().opcode(opcode).payload(&payload);
                if first && compressed {
                    piece = piece.reserved(RSV1);
                }
                let last = rest.is_empty() && random.chance(90);
                frames.push(if last { piece } else { piece.unfinished() });
                if random.chance(20) {
                    pings += 1;
                    frames.push(frame().ping(pings.to_string()));
                }
                if last {
                    break;
                }
                first = false;
                payload = rest;
            }
            messages.push(message);
        }
        let bytes = wire(role, &frames);
        let mut half = Half::new(role, &config);
        let mut rest = &bytes[..];
        let mut pinged = 0;
        let mut taken = Vec::new();
        let mut more = |half: &mut Half, random: &mut Random| {
            assert!(!rest.is_empty(), "seed {seed}: it wants more than there is");
            let count = [1, 20, 1000, 100_000][random.below(4)];
            let (piece, next) = rest.split_at(rest.len().min(1 + random.below(count)));
            half.input.extend_from_slice(piece);
            rest = next;
            if random.chance(10) {
                // As when the task goes to sleep.
                half.incoming.rest(&mut half.input);
                half.incoming.age();
            }
        };
        while taken.len() < messages.len() {
            let mut form = random.below(3);
            let mut reads = None;
            while reads.is_none() {
                let result = match form {
                    0 => half.recv().map(|event| event.map(|event| event.map(Taken::Whole))),
                    1 => half.lend().map(|event| event.map(|event| event.map(Taken::Whole))),
                    _ => half.start().map(|event| {
                        event.map(|event| event.map(|text| Taken::Parts(text, Vec::new(), false)))
                    }),
                };
                match result.unwrap_or_else(|error| panic!("seed {seed}: {error:?}")) {
                    Some(Event::Message(message)) => reads = Some(message),
                    Some(Event::Ping(_)) => pinged += 1,
                    Some(other) => panic!("{other:?}"),
                    None => {
                        more(&mut half, &mut random);
                        // Given up for another form.
                        if random.chance(30) {
                            form = random.below(3);
                        }
                    }
                }
            }
            let mut message = reads.unwrap();
            if let Taken::Parts(_, content, done) = &mut message {
                let mut left = if random.chance(60) { usize::MAX } else { random.below(5) };
                while left > 0 && !*done {
                    let mut output = vec![0; 1 + random.below(3000)];
                    match half.read(&mut output).unwrap_or_else(|error| panic!("seed {seed}: {error:?}")) {
                        Some(Event::Message(0)) => *done = true,
                        Some(Event::Message(count)) => {
                            content.extend_from_slice(&output[..count]);
                            left -= 1;
                        }
                        Some(Event::Ping(_)) => pinged += 1,
                        Some(other) => panic!("{other:?}"),
                        None => more(&mut half, &mut random),
                    }
                }
            }
            taken.push(message);
        }
        for (index, (taken, message)) in taken.iter().zip(&messages).enumerate() {
            match taken {
                Taken::Whole(whole) => assert!(whole == message, "seed {seed}, message {index}"),
                Taken::Parts(text, content, done) => {
                    assert_eq!(*text, message.is_text());
                    assert!(message.as_bytes().starts_with(content), "seed {seed}, message {index}");
                    assert!(!done || content.len() == message.len(), "seed {seed}, message {index}");
                }
            }
        }
        // What is left: pings behind the last message, and a message that was given up.
        half.input.extend_from_slice(rest);
        while let Some(event) = half.recv().unwrap() {
            match event {
                Event::Ping(_) => pinged += 1,
                other => panic!("seed {seed}: {other:?}"),
            }
        }
        assert_eq!(pinged, pings, "seed {seed}");
        assert_eq!(half.posted.0.len(), pings);
        assert!(half.input.is_empty());
    }
}

#[test]
fn a_message_that_has_partly_come_may_be_taken_in_another_form() {
    let text = words(&mut Random::new(5), 2000);
    for role in ROLES {
        for compressed in [false, true] {
            for fragments in [1, 2, 5] {
                let payload = if compressed { squeeze(&text) } else { text.clone().into_bytes() };
                let size = payload.len().div_ceil(fragments);
                let frames: Vec<Frame> = payload
                    .chunks(size)
                    .enumerate()
                    .map(|(index, piece)| {
                        let piece = frame().opcode(u8::from(index == 0)).payload(piece);
                        let piece = if index + 1 < fragments { piece.unfinished() } else { piece };
                        if index == 0 && compressed { piece.reserved(RSV1) } else { piece }
                    })
                    .collect();
                let next = if compressed {
                    frame().text(squeeze("next")).reserved(RSV1)
                } else {
                    frame().text("next")
                };
                let bytes = wire(role, &frames);
                for cut in (1..bytes.len()).step_by(13) {
                    let mut half = Half::new(role, &config());
                    half.input.extend_from_slice(&bytes[..cut]);
                    assert_eq!(half.recv().unwrap(), None);
                    assert_eq!(half.lend().unwrap(), None);
                    half.input.extend_from_slice(&bytes[cut..]);
                    half.input.extend_from_slice(&wire(role, std::slice::from_ref(&next)));
                    // From whole to parts.
                    assert_eq!(half.start().unwrap(), Some(Event::Message(true)));
                    let mut read = Vec::new();
                    let mut output = [0; 100];
                    while let Some(Event::Message(count @ 1..)) = half.read(&mut output).unwrap() {
                        read.extend_from_slice(&output[..count]);
                    }
                    assert!(read == text.as_bytes(), "cut at {cut}");
                    assert_eq!(half.recv().unwrap(), Some(Event::Message("next".into())));

                    // And back: the rest is skipped.
                    let mut half = Half::new(role, &config());
                    half.input.extend_from_slice(&bytes[..cut]);
                    if half.start().unwrap().is_some() {
                        let _ = half.read(&mut output).unwrap();
                        assert_eq!(half.recv().unwrap(), None);
                        half.input.extend_from_slice(&bytes[cut..]);
                        half.input.extend_from_slice(&wire(role, std::slice::from_ref(&next)));
                        assert_eq!(half.lend().unwrap(), Some(Event::Message("next".into())));
                    }
                }
            }
        }
    }
}

#[test]
fn a_reader_of_what_was_received_in_part_is_limited_all_the_same() {
    // 2000 bytes have been gathered, and the reader's limit is less.
    let message = vec![b'x'; 3000];
    for compressed in [false, true] {
        for limit in [0, 1, 1999, 2000, 2001, 2999, 3000] {
            let config = config().max_streamed_size(limit);
            let mut half = Half::new(Role::Client, &config);
            let mut peer = Squeeze::default();
            let mut payload = |content: &[u8], tail: &[u8]| match compressed {
                true => [&peer.message(content), tail].concat(),
                false => content.to_vec(),
            };
            let reserved = if compressed { RSV1 } else { 0 };
            let first = payload(&message[..2000], &[0, 0, 0xff, 0xff]);
            let first = frame().text(first).reserved(reserved).unfinished();
            half.input.extend_from_slice(&wire(Role::Client, &[first]));
            assert_eq!(half.recv().unwrap(), None);
            let last = frame().continuation(payload(&message[2000..], &[]));
            half.input.extend_from_slice(&wire(Role::Client, &[last]));
            assert_eq!(half.start().unwrap(), Some(Event::Message(true)));
            let mut read = 0;
            let result = loop {
                match half.read(&mut [0; 64]) {
                    Ok(Some(Event::Message(0))) => break Ok(()),
                    Ok(Some(Event::Message(count))) => read += count as u64,
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => break Err(error),
                }
            };
            assert!(read <= limit);
            assert_eq!(result.is_ok(), limit == 3000, "{limit}: {result:?}");
        }
    }
}

#[test]
fn nothing_comes_after_an_error_in_any_form() {
    let mut half = Half::new(Role::Client, &config());
    half.input.extend_from_slice(&wire(Role::Client, &[frame().text(b"\x07").reserved(RSV1)]));
    assert!(half.lend().is_err());
    for _ in 0..3 {
        half.input.extend_from_slice(&wire(Role::Client, &[frame().text("x")]));
        assert_eq!(half.start().unwrap(), None);
        assert_eq!(half.read(&mut [0; 9]).unwrap(), None);
        assert_eq!(half.recv().unwrap(), None);
        assert_eq!(half.lend().unwrap(), None);
        assert!(half.input.is_empty());
    }
    assert_eq!(half.posted.0.len(), 1);
}
