//! RFC 6455 §5.5.1, §7: the closing handshake without I/O, every state with every kind of frame.

mod support;

use bytes::{Buf, Bytes, BytesMut};
use sheave_ws::{CloseCode, CloseFrame, Config, Connection, Error, Event, ProtocolError, Role, Usage};
use support::{Frame, Got, frame, parse, run_every_cut, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    /// Our Close went first.
    Sent,
    /// The peer's Close came, and was answered.
    Received,
    /// Both, ours first.
    Both,
    /// The peer broke the protocol.
    Failed,
}

const STATES: [State; 5] = [State::Open, State::Sent, State::Received, State::Both, State::Failed];

fn connection_in(state: State, role: Role) -> Connection {
    let mut connection = Connection::new(role, &Config::default(), || Ok([1, 2, 3, 4]));
    if matches!(state, State::Sent | State::Both) {
        connection.close(&CloseCode::GOING_AWAY.into());
    }
    let input = match state {
        State::Open | State::Sent => Vec::new(),
        State::Received | State::Both => wire(role, &[frame().close(1000, "")]),
        State::Failed => wire(role, &[frame().opcode(3)]),
    };
    let _ = connection.recv(&mut BytesMut::from(&input[..]));
    sent(&mut connection);
    connection
}

fn sent(connection: &mut Connection) -> Vec<Got> {
    let output = connection.transmit();
    parse(&output.copy_to_bytes(output.remaining()))
}

/// What comes of a frame: the event's kind or the error, and the opcodes of what is answered.
fn step(connection: &mut Connection, role: Role, input: &Frame) -> (String, Vec<u8>) {
    let mut bytes = BytesMut::from(&wire(role, std::slice::from_ref(input))[..]);
    let seen = match connection.recv(&mut bytes) {
        Ok(Some(Event::Message(_))) => "message".to_owned(),
        Ok(Some(Event::Ping(_))) => "ping".to_owned(),
        Ok(Some(Event::Pong(_))) => "pong".to_owned(),
        Ok(Some(Event::Close(_))) => "close".to_owned(),
        Ok(None) => "nothing".to_owned(),
        Err(error) => format!("{:?}", error.close_code().map(CloseCode::get)),
    };
    (seen, sent(connection).iter().map(|frame| frame.opcode).collect())
}

#[test]
fn every_state_with_every_frame() {
    let inputs: [(&str, Frame); 7] = [
        ("text", frame().text("x")),
        ("fragment", frame().text("x").unfinished()),
        ("ping", frame().ping("x")),
        ("pong", frame().pong("x")),
        ("close", frame().close(1001, "x")),
        ("empty close", frame().empty_close()),
        ("nonsense", frame().opcode(3)),
    ];
    // What is seen and what is answered, in the order of the inputs.
    let open: [(&str, &[u8]); 7] = [
        ("message", &[]),
        ("nothing", &[]),
        ("ping", &[10]),
        ("pong", &[]),
        ("close", &[8]),
        ("close", &[8]),
        ("Some(1002)", &[8]),
    ];
    // RFC 6455 §5.5.1: after our Close nothing more is sent.
    let close_sent = open.map(|(seen, _)| (seen, &[][..]));
    // RFC 6455 §5.5.1: after the peer's Close, and §7.1.7 after a failure, nothing is looked at.
    let ended = open.map(|_| ("nothing", &[][..]));
    for role in ROLES {
        for state in STATES {
            let expected = match state {
                State::Open => open,
                State::Sent => close_sent,
                State::Received | State::Both | State::Failed => ended,
            };
            for ((name, input), (seen, answered)) in inputs.iter().zip(expected) {
                let mut connection = connection_in(state, role);
                let found = step(&mut connection, role, input);
                assert_eq!(found, (seen.to_owned(), answered.to_vec()), "{role:?}: {name} in {state:?}");
            }
        }
    }
}

#[test]
fn every_state_with_every_call() {
    for role in ROLES {
        for state in STATES {
            let mut connection = connection_in(state, role);
            assert_eq!(connection.is_finished(), !matches!(state, State::Open | State::Sent), "{state:?}");
            let open = state == State::Open;
            assert_eq!(connection.send("x".into()).is_ok(), open);
            assert_eq!(connection.ping("x".into()).is_ok(), open);
            let frames = sent(&mut connection);
            assert_eq!(frames.len(), if open { 2 } else { 0 }, "{role:?}, {state:?}");
            connection.close(&CloseCode::NO_STATUS.into());
            connection.close(&CloseCode::NORMAL.into());
            let frames = sent(&mut connection);
            assert_eq!(frames.len(), usize::from(open), "one Close, whatever happens");
        }
    }
}

#[test]
fn a_close_frame_is_sent_on_protocol_errors() {
    let cases = [
        (frame().opcode(11), 1002),
        (frame().reserved(0x40), 1002),
        (frame().continuation(""), 1002),
        (frame().ping("").unfinished(), 1002),
        (frame().text(b"\xff"), 1007),
        (frame().claims(1 << 40), 1009),
    ];
    for role in ROLES {
        for (bad, code) in &cases {
            let outcome = run_every_cut(role, &Config::default(), &wire(role, std::slice::from_ref(bad)));
            assert_eq!(outcome.close_code(), Some(*code), "{bad:?}");
            assert_eq!(outcome.error.unwrap().close_code().map(CloseCode::get), Some(*code));
            let answer = parse(&outcome.output).remove(0);
            assert!(!answer.payload[2..].is_empty(), "the reason tells the peer's developer");
        }
    }
}

#[test]
fn close_codes_that_must_not_be_sent_are_refused() {
    let refused = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    let accepted = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4999];
    for role in ROLES {
        for code in refused {
            assert_eq!(CloseCode::new(code), None);
            let outcome = run_every_cut(role, &Config::default(), &wire(role, &[frame().close(code, "")]));
            let error = ProtocolError::CloseCode(code);
            assert!(matches!(outcome.error, Some(Error::Protocol(found)) if found == error));
            assert_eq!(outcome.close_code(), Some(1002));
        }
        for code in accepted {
            let outcome = run_every_cut(role, &Config::default(), &wire(role, &[frame().close(code, "r")]));
            let close = CloseFrame::new(CloseCode::new(code).unwrap(), "r").unwrap();
            assert_eq!(outcome.events, [Event::Close(close)]);
            assert_eq!(outcome.close_code(), Some(code));
        }
    }
}

#[test]
fn a_malformed_close_is_refused() {
    let cases = [
        (frame().opcode(8).payload([3]), ProtocolError::ClosePayload, 1002),
        (frame().close(1000, b"\xff"), ProtocolError::CloseReason, 1007),
        (frame().close(1000, &"€".as_bytes()[..2]), ProtocolError::CloseReason, 1007),
    ];
    for role in ROLES {
        for (bad, error, code) in &cases {
            let outcome = run_every_cut(role, &Config::default(), &wire(role, std::slice::from_ref(bad)));
            assert!(matches!(outcome.error, Some(Error::Protocol(found)) if found == *error));
            assert_eq!(outcome.close_code(), Some(*code));
        }
    }
}

#[test]
fn an_empty_close_is_answered_with_an_empty_one() {
    for role in ROLES {
        let outcome = run_every_cut(role, &Config::default(), &wire(role, &[frame().empty_close()]));
        assert_eq!(outcome.events, [Event::Close(CloseCode::NO_STATUS.into())]);
        assert_eq!(outcome.frames()[0].payload, []);
    }
}

#[test]
fn the_longest_reason_fits_and_a_longer_one_is_misuse() {
    let longest = "r".repeat(CloseFrame::MAX_REASON);
    let close = CloseFrame::new(CloseCode::NORMAL, &longest[..]).unwrap();
    let mut connection = Connection::new(Role::Server, &Config::default(), || Ok([0; 4]));
    connection.close(&close);
    assert_eq!(sent(&mut connection)[0].payload.len(), 125);
    let longer = CloseFrame::new(CloseCode::NORMAL, longest + "r");
    assert_eq!(longer, Err(Usage::CloseReasonTooLong));
    let too_long =
        Connection::new(Role::Server, &Config::default(), || Ok([0; 4])).ping(Bytes::from(vec![0; 126]));
    assert!(matches!(too_long, Err(Error::Usage(Usage::ControlTooLong))));
}

#[test]
fn messages_queued_before_the_close_leave_before_it() {
    for role in ROLES {
        let mut connection = Connection::new(role, &Config::default(), || Ok([5; 4]));
        connection.send("first".into()).unwrap();
        connection.send(vec![0; 20_000].into()).unwrap();
        connection.close(&CloseCode::NORMAL.into());
        let opcodes: Vec<u8> = sent(&mut connection).iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, [1, 2, 8]);
    }
}
