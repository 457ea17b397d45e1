//! RFC 6455 §5.4, §5.5: fragmented messages, control frames between fragments, and the limits on both.

mod support;

use sheave_ws::{Config, Error, Event, Limit, ProtocolError, Role};
use support::{Frame, frame, run, run_every_cut, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn refused(frames: &[Frame], error: ProtocolError) {
    for role in ROLES {
        let outcome = run_every_cut(role, &Config::default(), &wire(role, frames));
        assert!(matches!(outcome.error, Some(Error::Protocol(found)) if found == error), "{outcome:?}");
        assert_eq!(outcome.close_code(), Some(1002));
        assert!(!outcome.events.iter().any(|event| matches!(event, Event::Message(_))));
    }
}

fn limited(config: &Config, frames: &[Frame], limit: Limit) {
    for role in ROLES {
        let wire = wire(role, frames);
        let outcome = run(role, config, wire.chunks(4096));
        assert!(matches!(outcome.error, Some(Error::Limit(found)) if found == limit), "{outcome:?}");
        assert_eq!(outcome.close_code(), Some(1009), "told on the wire");
        assert_eq!(outcome.events, []);
    }
}

#[test]
fn a_new_data_frame_inside_a_fragmented_message_is_refused() {
    for second in [frame().text("b"), frame().binary("b"), frame().text("b").unfinished()] {
        let error = ProtocolError::ExpectedContinuation;
        refused(&[frame().text("a").unfinished(), second.clone()], error);
        refused(&[frame().binary("").unfinished(), second.clone()], error);
        refused(&[frame().binary("a").unfinished(), frame().continuation("").unfinished(), second], error);
    }
}

#[test]
fn a_continuation_of_nothing_is_refused() {
    refused(&[frame().continuation("a")], ProtocolError::UnexpectedContinuation);
    refused(&[frame().continuation("a").unfinished()], ProtocolError::UnexpectedContinuation);
    for role in ROLES {
        let frames = [frame().text("a").unfinished(), frame().continuation("b"), frame().continuation("c")];
        let outcome = run_every_cut(role, &Config::default(), &wire(role, &frames));
        assert_eq!(outcome.events, [Event::Message("ab".into())]);
        assert_eq!(outcome.close_code(), Some(1002));
    }
}

#[test]
fn fragmented_control_frames_are_refused() {
    for control in [frame().ping("x"), frame().pong("x"), frame().close(1000, "")] {
        refused(&[control.clone().unfinished()], ProtocolError::FragmentedControl);
        refused(&[frame().text("a").unfinished(), control.unfinished()], ProtocolError::FragmentedControl);
    }
}

#[test]
fn control_frames_over_125_bytes_are_refused() {
    for opcode in [8, 9, 10] {
        for length in [126, 65_536, 1 << 40] {
            refused(&[frame().opcode(opcode).claims(length)], ProtocolError::ControlTooLong);
        }
    }
    for role in ROLES {
        let outcome = run_every_cut(role, &Config::default(), &wire(role, &[frame().ping([7; 125])]));
        assert_eq!(outcome.events, [Event::Ping(vec![7; 125].into())]);
        assert_eq!(outcome.frames()[0].payload, [7; 125]);
    }
}

#[test]
fn fragments_do_not_bypass_the_message_limit() {
    let config = Config::default().max_message_size(1000).max_frame_size(400);
    let part = |length| frame().continuation(vec![b'x'; length]).unfinished();
    let start = frame().text(vec![b'x'; 400]).unfinished();
    limited(&config, &[start.clone(), part(400), part(201)], Limit::MessageSize);
    limited(&config, &[start.clone(), part(400), part(200), part(1)], Limit::MessageSize);
    limited(&config, &[start.clone(), part(400), part(400).claims(400)], Limit::MessageSize);
    limited(&config, &[part(0).text(vec![b'x'; 401])], Limit::FrameSize);
    let fits = [start, part(400), frame().continuation([b'x'; 200])];
    for role in ROLES {
        let outcome = run_every_cut(role, &config, &wire(role, &fits));
        assert_eq!(outcome.events, [Event::Message("x".repeat(1000).into())]);
    }
}

#[test]
fn the_header_alone_is_enough_to_cut_a_message() {
    let config = Config::default().max_message_size(1000);
    for role in ROLES {
        let frames = [frame().text("ten bytes.").unfinished(), frame().opcode(0).claims(991)];
        let outcome = run_every_cut(role, &config, &wire(role, &frames));
        assert!(matches!(outcome.error, Some(Error::Limit(Limit::MessageSize))));
        assert_eq!(outcome.close_code(), Some(1009));
    }
}

#[test]
fn the_message_limit_holds_for_one_message_alone() {
    let config = Config::default().max_message_size(10);
    for role in ROLES {
        let frames: Vec<Frame> = (0..20)
            .flat_map(|_| [frame().binary([1; 6]).unfinished(), frame().continuation([2; 4])])
            .collect();
        assert_eq!(run(role, &config, [&wire(role, &frames)[..]]).events.len(), 20);
    }
}

#[test]
fn endless_empty_fragments_are_cut() {
    let config = Config::default();
    let frames = vec![frame().continuation("").unfinished(); config.max_fragments];
    let start = [frame().text("").unfinished()];
    limited(&config, &[&start[..], &frames].concat(), Limit::Fragments);
}

/// Whole and byte by byte alike: a message comes in one frame at least.
#[test]
fn no_fragments_are_one_frame() {
    let config = Config::default().max_fragments(0);
    for role in ROLES {
        assert_eq!(run(role, &config, [&wire(role, &[frame().binary("whole")])[..]]).events.len(), 1);
    }
    limited(&config, &[frame().binary("a").unfinished(), frame().continuation("b")], Limit::Fragments);
}

#[test]
fn the_fragment_limit_is_exact() {
    let config = Config::default().max_fragments(3);
    let (start, part) = (frame().binary("a").unfinished(), frame().continuation("b").unfinished());
    limited(
        &config,
        &[start.clone(), part.clone(), part.clone(), frame().continuation("")],
        Limit::Fragments,
    );
    for role in ROLES {
        let frames = [
            start.clone(),
            part.clone(),
            frame().ping(""),
            frame().continuation("c"),
            frame().binary("whole"),
        ];
        let outcome = run_every_cut(role, &config, &wire(role, &frames));
        assert_eq!(outcome.events[1], Event::Message(b"abc"[..].into()));
        assert_eq!(outcome.events[2], Event::Message(b"whole"[..].into()));
    }
}

#[test]
fn pings_between_fragments_are_answered_before_the_message_is_whole() {
    for role in ROLES {
        let frames =
            [frame().text("a").unfinished(), frame().ping("1"), frame().continuation("b").unfinished()];
        let outcome = run_every_cut(role, &Config::default(), &wire(role, &frames));
        assert_eq!(outcome.events, [Event::Ping("1".into())]);
        assert_eq!(outcome.frames().len(), 1);
    }
}

#[test]
fn a_close_inside_a_fragmented_message_closes() {
    for role in ROLES {
        let frames = [frame().text("a").unfinished(), frame().close(1000, "")];
        let outcome = run_every_cut(role, &Config::default(), &wire(role, &frames));
        assert!(matches!(outcome.events[..], [Event::Close(_)]));
        assert_eq!(outcome.close_code(), Some(1000));
    }
}
