//! RFC 6455 §5.1, §5.2: masking, opcodes, reserved bits and lengths.

mod support;

use bytes::BytesMut;
use sheave_ws::{
    CloseCode, Config, Connection, Error, Event, FrameHeader, Limit, Message, OpCode, ProtocolError,
    ReservedBits, Role,
};
use support::{Frame, frame, parse, run, run_every_cut, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// `frame` is refused with this error and Close code in both roles, wherever it is cut, behind a message that
/// is delivered first.
fn refused(frame: Frame, error: ProtocolError, code: u16) {
    for role in ROLES {
        let wire = wire(role, &[support::frame().text("before"), frame.clone()]);
        let outcome = run_every_cut(role, &Config::default(), &wire);
        assert_eq!(outcome.events, [Event::Message("before".into())], "{frame:?}");
        assert!(matches!(outcome.error, Some(Error::Protocol(found)) if found == error), "{outcome:?}");
        assert_eq!(outcome.close_code(), Some(code), "{frame:?}");
    }
}

#[test]
fn messages_of_every_length_form_arrive_and_leave() {
    for length in [0, 1, 124, 125, 126, 127, 128, 8191, 8192, 65_535, 65_536, 100_000] {
        let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
        for role in ROLES {
            let bytes = frame().binary(&payload).to(role).bytes();
            let outcome = run(role, &Config::default(), [&bytes[..]]);
            assert_eq!(outcome.events, [Event::Message(payload.clone().into())]);
            let mut sender = Connection::new(role, &Config::default(), || Ok([9, 8, 7, 6]));
            sender.send(payload.clone().into()).unwrap();
            let mut output = Vec::new();
            while let Some(chunk) = sender.transmit().pop() {
                output.extend_from_slice(&chunk);
            }
            let frames = parse(&output);
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0].payload, payload);
            assert_eq!(frames[0].masked, role == Role::Client);
            assert_eq!((frames[0].fin, frames[0].reserved, frames[0].opcode), (true, 0, 2));
            // RFC 6455 §5.2: the shortest form.
            let header = [2, 4, 10][usize::from(length > 125) + usize::from(length > 65_535)];
            assert_eq!(output.len(), header + length + if role == Role::Client { 4 } else { 0 });
        }
    }
}

#[test]
fn every_event_arrives_wherever_the_input_is_cut() {
    for role in ROLES {
        let wire = wire(
            role,
            &[
                frame().text("héllo"),
                frame().ping("are you there?"),
                frame().binary([0xFF; 130]),
                frame().text(&"€".as_bytes()[..1]).unfinished(),
                frame().pong("unasked"),
                frame().continuation("").unfinished(),
                frame().ping(""),
                frame().continuation(&"€".as_bytes()[1..]),
                frame().binary(""),
                frame().close(1001, "bye"),
                frame().text("nobody listens"),
            ],
        );
        let outcome = run_every_cut(role, &Config::default(), &wire);
        let events = &outcome.events;
        assert!(outcome.error.is_none());
        assert_eq!(events.len(), 8, "{events:?}");
        assert_eq!(events[0], Event::Message("héllo".into()));
        assert_eq!(events[1], Event::Ping("are you there?".into()));
        assert_eq!(events[2], Event::Message(vec![0xFF; 130].into()));
        assert_eq!(events[3], Event::Pong("unasked".into()));
        assert_eq!(events[4], Event::Ping("".into()));
        assert_eq!(events[5], Event::Message("€".into()));
        assert_eq!(events[6], Event::Message(Vec::new().into()));
        let Event::Close(close) = &events[7] else { panic!("{events:?}") };
        assert_eq!((close.code().get(), close.reason()), (1001, "bye"));
        let answers = outcome.frames();
        assert_eq!(answers.len(), 3);
        assert!(answers.iter().all(|frame| frame.masked == (role == Role::Client)));
        assert_eq!((answers[0].opcode, &answers[0].payload[..]), (10, &b"are you there?"[..]));
        assert_eq!((answers[1].opcode, &answers[1].payload[..]), (10, &b""[..]));
        assert_eq!(answers[2].close_code(), Some(1001));
    }
}

#[test]
fn non_minimal_lengths_are_refused() {
    for length in [0, 1, 125] {
        refused(frame().binary(vec![0; length]).length_form(126), ProtocolError::NonMinimalLength, 1002);
    }
    for length in [0, 125, 126, 65_535] {
        let claims = frame().length_form(127).claims(length);
        refused(claims, ProtocolError::NonMinimalLength, 1002);
    }
    // The longest of one form and the shortest of the next.
    for length in [126, 65_535, 65_536] {
        let bytes = frame().binary(vec![0; length]).bytes();
        assert_eq!(run(Role::Client, &Config::default(), [&bytes[..]]).events.len(), 1);
    }
}

#[test]
fn a_length_with_the_highest_bit_is_refused() {
    refused(frame().claims(1 << 63).length_form(127), ProtocolError::LengthOverflow, 1002);
    refused(frame().claims(u64::MAX).length_form(127), ProtocolError::LengthOverflow, 1002);
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_header() {
    for role in ROLES {
        for (claimed, limit) in [(65_537, Limit::FrameSize), (u64::MAX >> 1, Limit::FrameSize)] {
            let config = Config::default().max_frame_size(65_536);
            let bytes = frame().claims(claimed).to(role).bytes();
            let outcome = run_every_cut(role, &config, &bytes);
            assert!(matches!(outcome.error, Some(Error::Limit(found)) if found == limit), "{outcome:?}");
            assert_eq!(outcome.close_code(), Some(1009));
        }
    }
}

#[test]
fn unmasked_client_frames_are_refused() {
    for opcode in [1, 2, 8, 9, 10] {
        let bytes = frame().opcode(opcode).bytes();
        let outcome = run_every_cut(Role::Server, &Config::default(), &bytes);
        assert!(matches!(outcome.error, Some(Error::Protocol(ProtocolError::Unmasked))));
        assert_eq!(outcome.close_code(), Some(1002));
    }
}

#[test]
fn masked_server_frames_are_refused() {
    for opcode in [1, 2, 8, 9, 10] {
        let bytes = frame().opcode(opcode).masked().bytes();
        let outcome = run_every_cut(Role::Client, &Config::default(), &bytes);
        assert!(matches!(outcome.error, Some(Error::Protocol(ProtocolError::Masked))));
        assert_eq!(outcome.close_code(), Some(1002));
    }
}

#[test]
fn reserved_opcodes_are_refused() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        refused(frame().opcode(opcode), ProtocolError::ReservedOpCode(opcode), 1002);
        refused(frame().opcode(opcode).unfinished(), ProtocolError::ReservedOpCode(opcode), 1002);
    }
}

#[test]
fn reserved_bits_without_an_extension_are_refused() {
    for bits in [0x40, 0x20, 0x10, 0x60, 0x70] {
        for opcode in [1, 2, 8, 9, 10] {
            refused(frame().opcode(opcode).reserved(bits), ProtocolError::ReservedBits, 1002);
        }
    }
}

#[test]
fn rsv1_on_control_and_continuation_is_refused() {
    for role in ROLES {
        for inner in [frame().ping("x"), frame().continuation("x")] {
            let wire = wire(role, &[frame().text("a").unfinished(), inner.reserved(0x40)]);
            let outcome = run_every_cut(role, &Config::default(), &wire);
            assert!(matches!(outcome.error, Some(Error::Protocol(ProtocolError::ReservedBits))));
            assert_eq!(outcome.close_code(), Some(1002));
        }
    }
}

#[test]
fn nothing_follows_an_error() {
    let bytes = [frame().opcode(3).bytes(), frame().text("x").bytes(), frame().ping("x").bytes()].concat();
    let mut connection = Connection::new(Role::Client, &Config::default(), || Ok([0; 4]));
    let mut input = BytesMut::from(&bytes[..]);
    assert!(connection.recv(&mut input).is_err());
    for _ in 0..3 {
        assert!(matches!(connection.recv(&mut input), Ok(None)));
        assert!(input.is_empty(), "what follows is thrown away");
        assert!(matches!(connection.send("x".into()), Err(Error::Closed)));
        assert!(matches!(connection.ping("x".into()), Err(Error::Closed)));
        assert!(connection.is_finished());
    }
    let chunk = connection.transmit().pop().unwrap();
    assert_eq!(parse(&chunk).len(), 1, "one Close and nothing else");
}

#[test]
fn a_client_without_entropy_sends_nothing_in_the_clear() {
    let broken = || Err(std::io::ErrorKind::Unsupported.into());
    let mut connection = Connection::new(Role::Client, &Config::default(), broken);
    assert!(matches!(connection.send("secret".into()), Err(Error::Io(_))));
    assert!(matches!(connection.ping("secret".into()), Err(Error::Io(_))));
    let mut input = BytesMut::from(&frame().ping("x").bytes()[..]);
    connection.recv(&mut input).unwrap();
    connection.close(&CloseCode::NO_STATUS.into());
    assert!(connection.transmit().is_empty());
    assert!(matches!(connection.send("x".into()), Err(Error::Closed)));
}

#[test]
fn headers_are_read_back_as_they_were_written() {
    let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, u64::MAX >> 1];
    let opcodes =
        [OpCode::Continuation, OpCode::Text, OpCode::Binary, OpCode::Close, OpCode::Ping, OpCode::Pong];
    for (length, opcode) in lengths.iter().flat_map(|length| opcodes.map(|opcode| (*length, opcode))) {
        for (fin, mask) in [(true, None), (false, Some([1, 2, 3, 4])), (true, Some([0; 4]))] {
            let reserved = ReservedBits::RSV1 | ReservedBits::RSV3;
            let header = FrameHeader { fin, reserved, opcode, mask, length };
            let mut bytes = BytesMut::new();
            header.encode(&mut bytes);
            let read = FrameHeader::decode(&bytes);
            match (opcode.is_control(), fin) {
                (true, false) => assert_eq!(read, Err(ProtocolError::FragmentedControl)),
                (true, true) if length > 125 => assert_eq!(read, Err(ProtocolError::ControlTooLong)),
                _ => {
                    assert_eq!(read, Ok(Some((header, bytes.len()))));
                    for cut in 0..bytes.len() {
                        assert_eq!(FrameHeader::decode(&bytes[..cut]), Ok(None));
                    }
                }
            }
        }
    }
}

#[test]
fn messages_have_no_effect_on_each_other() {
    let kinds: [Message; 3] = ["text".into(), vec![0xFF, 0x80].into(), "é".into()];
    let frames = kinds.iter().flat_map(|message| match message {
        Message::Text(text) => frame().text(text.as_bytes()).bytes(),
        Message::Binary(bytes) => frame().binary(bytes).bytes(),
    });
    let wire: Vec<u8> = frames.collect();
    let outcome = run_every_cut(Role::Client, &Config::default(), &wire);
    assert_eq!(outcome.events, kinds.map(Event::Message));
}
