//! A session against a server that answers by hand.

use super::*;
use crate::frames;
use crate::options::Options;

const NO_LIMITS: &[(u16, u32)] = &[(8, 1), (4, 1 << 20)];

fn frame_of(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    frame::put(&mut output, kind, flags, stream, payload);
    output
}

fn settings_of(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame_of(frame::SETTINGS, 0, 0, &payload)
}

fn run_of(workload: Workload, sockets: usize, in_flight: usize, length: usize) -> Run {
    Run::new(Options { sockets, in_flight, length, ..Options::example(workload) })
}

/// The frames that the session sends now.
fn sent(session: &mut Session) -> Vec<(Head, Vec<u8>)> {
    let mut output = std::mem::take(session.output());
    if output.starts_with(PREFACE) {
        output.drain(..PREFACE.len());
    }
    let (mut input, mut frames) = (&output[..], Vec::new());
    while let Some(head) = Head::parse(input) {
        let (payload, rest) = input[frame::HEADER..].split_at(head.length);
        frames.push((head, payload.to_vec()));
        input = rest;
    }
    assert!(input.is_empty());
    frames
}

fn data(frames: &[(Head, Vec<u8>)], stream: u32) -> usize {
    frames
        .iter()
        .filter(|(head, _)| (head.kind, head.stream) == (frame::DATA, stream))
        .map(|(head, _)| head.length)
        .sum()
}

/// What a server answers that makes use of all that it may do.
fn answer(sent: &[(Head, Vec<u8>)]) -> Vec<u8> {
    let mut output = Vec::new();
    for (head, payload) in sent {
        let id = head.stream;
        match head.kind {
            frame::SETTINGS if !head.has(frame::ACK) => {
                output.extend(settings_of(NO_LIMITS));
                output.extend(frame_of(frame::SETTINGS, frame::ACK, 0, b""));
                output.extend(frame_of(frame::WINDOW_UPDATE, 0, 0, &(1_u32 << 20).to_be_bytes()));
            }
            frame::HEADERS => {
                // `:status 200` and a field of the static table, cut.
                output.extend(frame_of(
                    frame::HEADERS,
                    frame::PADDED | frame::PRIORITY,
                    id,
                    b"\x0112345\x88x",
                ));
                output.extend(frame_of(frame::CONTINUATION, frame::END_HEADERS, id, b"\x9f"));
                if head.has(frame::END_STREAM) {
                    output.extend(frame_of(frame::DATA, 0, id, &[b'x'; 20]));
                    output.extend(frame_of(
                        frame::DATA,
                        frame::PADDED,
                        id,
                        &[&[3], &[b'x'; 10][..]].concat(),
                    ));
                    output.extend(frame_of(
                        frame::HEADERS,
                        frame::END_HEADERS | frame::END_STREAM,
                        id,
                        b"\x82",
                    ));
                }
            }
            frame::DATA if head.has(frame::END_STREAM) => {
                output.extend(frame_of(frame::DATA, frame::END_STREAM, id, b""));
            }
            frame::DATA => {
                let echo = frames::echo(payload);
                for (number, part) in echo.chunks(echo.len().div_ceil(3)).enumerate() {
                    output.extend(frame_of(frame::PING, 0, 0, b"whatever"));
                    output.extend(frame_of(99, 0xff, id, b"unknown"));
                    if number == 1 {
                        let padded = [&[2], part, &[0, 0]].concat();
                        output.extend(frame_of(frame::DATA, frame::PADDED, id, &padded));
                    } else {
                        output.extend(frame_of(frame::DATA, 0, id, part));
                    }
                }
            }
            _ => {}
        }
    }
    output
}

/// How many messages were counted after so many turns of which each brings its answer in pieces of that size.
fn play(run: &mut Run, turns: usize, piece: usize) -> u64 {
    let mut session = Session::new(run);
    run.measure.start();
    let mut started = run.starts_at_once();
    for _ in 0..turns {
        let answer = answer(&sent(&mut session));
        for piece in answer.chunks(piece) {
            session.receive(piece, run).unwrap();
        }
        if !started && run.opened == run.options.sockets {
            session.start(run);
            started = true;
        }
    }
    run.measure.counted()
}

#[test]
fn what_comes_in_pieces_of_any_size_is_the_same() {
    for piece in (1..30).chain([50, 70, 100, usize::MAX]) {
        // Settings, answers, and then every turn brings all that is in flight.
        assert_eq!(
            play(&mut run_of(Workload::Echo, 3, 4, 50), 12, piece),
            10 * 3 * 4,
            "in pieces of {piece}"
        );
        assert_eq!(play(&mut run_of(Workload::Get, 5, 1, 27), 11, piece), 10 * 5, "in pieces of {piece}");
        // HEADERS, the message, Close and END_STREAM.
        assert_eq!(play(&mut run_of(Workload::Open, 5, 1, 64), 41, piece), 10 * 5, "in pieces of {piece}");
    }
}

/// A session whose only socket is open and has something to send.
fn open(run: &mut Run, settings: &[(u16, u32)]) -> Session {
    let mut session = Session::new(run);
    session.receive(&settings_of(settings), run).unwrap();
    let asked = sent(&mut session);
    assert_eq!(
        asked.last().map(|(head, _)| (head.kind, head.flags)),
        Some((frame::HEADERS, frame::END_HEADERS))
    );
    session.receive(&frame_of(frame::HEADERS, frame::END_HEADERS, 1, b"\x88"), run).unwrap();
    session.start(run);
    session
}

#[test]
fn data_obeys_the_windows_and_the_size_of_frames() {
    let update = |stream, by: u32| frame_of(frame::WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    let run = &mut run_of(Workload::Echo, 1, 1, 200_000);
    let session = &mut open(run, &[(8, 1), (4, 100), (5, 20_000)]);
    assert_eq!(data(&sent(session), 1), 100);
    session.receive(&update(1, 50), run).unwrap();
    assert_eq!(data(&sent(session), 1), 50);
    // The connection's window comes into play.
    session.receive(&update(1, 100_000), run).unwrap();
    let frames = sent(session);
    assert_eq!(data(&frames, 1), 65_535 - 150);
    assert!(frames.iter().all(|(head, _)| head.length <= 20_000));
    session.receive(&update(0, 1000), run).unwrap();
    assert_eq!(data(&sent(session), 1), 1000);
    session.receive(&update(0, 1_000_000), run).unwrap();
    assert_eq!(data(&sent(session), 1), 100_150 - 65_535 - 1000);
    // 100 more for each stream, and then so few that there are less than none.
    session.receive(&settings_of(&[(4, 200)]), run).unwrap();
    assert_eq!(data(&sent(session), 1), 100);
    session.receive(&settings_of(&[(4, 50)]), run).unwrap();
    session.receive(&update(1, 149), run).unwrap();
    assert_eq!(data(&sent(session), 1), 0);
    session.receive(&update(1, 2), run).unwrap();
    assert_eq!(data(&sent(session), 1), 1);
}

#[test]
fn windows_are_given_back_at_half() {
    let run = &mut run_of(Workload::Get, 1, 1, 9_000_000);
    let session = &mut Session::new(run);
    session.receive(&settings_of(&[]), run).unwrap();
    session.receive(&frame_of(frame::HEADERS, frame::END_HEADERS, 1, b"\x88"), run).unwrap();
    sent(session);
    let mut updates = Vec::new();
    for _ in 0..9_000 {
        session.receive(&frame_of(frame::DATA, 0, 1, &[0; 1000]), run).unwrap();
        updates.extend(
            sent(session).into_iter().map(|(head, by)| (head.kind, head.stream, number(&by).unwrap())),
        );
    }
    let half = (WINDOW / 2).div_ceil(1000) * 1000;
    assert_eq!(updates, [(frame::WINDOW_UPDATE, 0, half), (frame::WINDOW_UPDATE, 1, half)]);
}

#[test]
fn what_is_no_good_answer_is_an_error() {
    let status = |block: &[u8]| frame_of(frame::HEADERS, frame::END_HEADERS, 1, block);
    let settings = || settings_of(NO_LIMITS);
    for (input, error) in [
        (frame_of(frame::PING, 0, 0, b"whatever"), "first frame"),
        (settings_of(&[]), "extended CONNECT"),
        (settings_of(&[(8, 1), (3, 1)]), "allows 1 streams"),
        ([settings(), status(b"\x8d")].concat(), "status"),
        ([settings(), status(b"\x88"), status(b"\x88")].concat(), "middle"),
        ([settings(), frame_of(frame::HEADERS, frame::END_HEADERS, 9, b"\x88")].concat(), "no stream"),
        ([settings(), frame_of(frame::DATA, 0, 9, b"")].concat(), "no stream"),
        ([settings(), frame_of(frame::DATA, 0, 1, b"x")].concat(), "outside of an answer"),
        ([settings(), frame_of(frame::HEADERS, 0, 1, b""), status(b"\x88")].concat(), "CONTINUATION"),
        ([settings(), status(b"\x88"), frame_of(frame::RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat(), "error 8"),
        (
            [settings(), status(b"\x88"), frame_of(frame::DATA, frame::END_STREAM, 1, b"")].concat(),
            "ends a socket",
        ),
        ([settings(), frame_of(frame::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11])].concat(), "error 11"),
        ([settings(), frame_of(frame::DATA, 0, 1, &[0; MAX_FRAME + 1])].concat(), "too large"),
        ([settings(), frame_of(frame::PING, 0, 0, &[0; MAX_FRAME + 1])].concat(), "too large"),
    ] {
        for piece in [1, usize::MAX] {
            let run = &mut run_of(Workload::Echo, 2, 1, 64);
            let mut session = Session::new(run);
            // The server's settings come alone: the rest answers what is sent then.
            let (first, rest) = input.split_at(settings().len().min(input.len()));
            let mut parts = [first].into_iter().chain(rest.chunks(piece));
            let result = parts.try_for_each(|part| session.receive(part, run));
            let text = result.expect_err(error).to_string();
            assert!(text.contains(error), "{text:?} does not say {error:?}");
        }
    }
}

#[test]
fn a_stream_may_be_reset_once_both_closes_were_sent() {
    let run = &mut run_of(Workload::Open, 1, 1, 64);
    run.measure.start();
    let mut session = open(run, NO_LIMITS);
    let message = sent(&mut session);
    session.receive(&answer(&message), run).unwrap();
    let close: Vec<_> = sent(&mut session).into_iter().filter(|(head, _)| head.kind == frame::DATA).collect();
    let reset = frame_of(frame::RST_STREAM, 0, 1, &[0; 4]);
    session.receive(&[answer(&close), reset].concat(), run).unwrap();
    assert_eq!(run.measure.counted(), 1);
}
