//! Frames of a client without a mask: only where both have agreed (draft-damjanovic-websockets-nomasking).

mod support;

use bytes::Bytes;
use sheave_ws::deflate::DeflateConfig;
use sheave_ws::extension::{ExtensionOffer, client_confirm, server_negotiate};
use sheave_ws::handshake::Agreed;
use sheave_ws::{
    CloseCode, Compress, Config, Connection, Error, Event, Message, NoMasking, Prepared, ProtocolError, Role,
};
use support::{Frame, agreed, frame, parse, run_agreed, run_every_cut, run_every_cut_agreed, squeeze};

fn config() -> Config {
    Config::default().deflate(DeflateConfig::default()).no_masking(NoMasking::Always)
}

/// What was agreed on: no-masking, and perhaps permessage-deflate before or behind it.
fn unmasked(deflate: Option<bool>) -> Agreed {
    let mut both = match deflate {
        Some(_) => agreed(&DeflateConfig::default()),
        None => Agreed::default(),
    };
    both.extensions.push(ExtensionOffer::new("no-masking"));
    if deflate == Some(false) {
        both.extensions.reverse();
    }
    both
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

#[test]
fn a_server_takes_both_kinds_after_agreeing() {
    let frames = [
        frame().text("unmasked").unfinished(),
        frame().ping("masked").masked(),
        frame().ping("unmasked"),
        frame().continuation(", masked").masked(),
        frame().binary([7; 200]),
        frame().binary([8; 200]).masked(),
        frame().close(1000, ""),
    ];
    let wire = bytes(&frames);
    let outcome = run_every_cut_agreed(Role::Server, &config(), &unmasked(None), &wire);
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(
        outcome.events[..5],
        [
            Event::Ping(Bytes::from("masked")),
            Event::Ping(Bytes::from("unmasked")),
            Event::Message("unmasked, masked".into()),
            Event::Message(vec![7; 200].into()),
            Event::Message(vec![8; 200].into()),
        ]
    );
    assert_eq!(outcome.close_code(), Some(1000));
}

#[test]
fn without_agreeing_an_unmasked_frame_is_a_breach() {
    for frames in [
        vec![frame().text("unmasked")],
        vec![frame().text("masked").masked(), frame().ping("")],
        vec![frame().close(1000, "")],
        vec![frame().binary("").unfinished().masked(), frame().continuation("")],
    ] {
        for (outcome, what) in [
            // Whatever the configuration says.
            (run_every_cut(Role::Server, &config(), &bytes(&frames)), "nothing"),
            (
                run_every_cut_agreed(
                    Role::Server,
                    &config(),
                    &agreed(&DeflateConfig::default()),
                    &bytes(&frames),
                ),
                "deflate alone",
            ),
        ] {
            assert!(
                matches!(outcome.error, Some(Error::Protocol(ProtocolError::Unmasked))),
                "{what}: {:?}",
                outcome.error
            );
            assert_eq!(outcome.close_code(), Some(1002));
        }
    }
}

#[test]
fn a_server_never_masks_and_a_client_never_takes_that() {
    let wire = bytes(&[frame().text("masked").masked()]);
    let outcome = run_every_cut_agreed(Role::Client, &config(), &unmasked(None), &wire);
    assert!(matches!(outcome.error, Some(Error::Protocol(ProtocolError::Masked))));
    assert_eq!(outcome.close_code(), Some(1002));
}

#[test]
fn a_client_masks_nothing_after_agreeing() {
    for deflate in [None, Some(true), Some(false)] {
        let no_keys = || Err(std::io::Error::other("no key is to be asked for"));
        let config = config().max_sent_frame_size(20_000);
        let mut client = Connection::new(Role::Client, &config, no_keys).agreed(&config, &unmasked(deflate));
        let large = vec![b'x'; 50_000];
        client.send("small".into()).unwrap();
        client.send(large.clone().into()).unwrap();
        client.send_fragment("part".into(), false).unwrap();
        client.ping(Bytes::from_static(b"ping")).unwrap();
        client.send_fragment("".into(), true).unwrap();
        client.close(&CloseCode::NORMAL.into());
        let mut sent = Vec::new();
        while let Some(chunk) = client.transmit().pop() {
            sent.extend_from_slice(&chunk);
        }
        let frames = parse(&sent);
        assert!(frames.iter().all(|frame| !frame.masked));
        assert_eq!(frames[0].payload, b"small");
        let outcome = run_agreed(Role::Server, &config, &unmasked(deflate), sent.chunks(1000));
        let messages: Vec<Message> = outcome
            .events
            .into_iter()
            .filter_map(|event| match event {
                Event::Message(message) => Some(message),
                _ => None,
            })
            .collect();
        assert_eq!(messages, ["small".into(), large.into(), Message::from("part")]);
        assert_eq!(frames.iter().any(|frame| frame.reserved != 0), deflate.is_some());
    }
}

#[test]
fn a_prepared_message_is_shared_by_clients_that_do_not_mask() {
    let prepared = Prepared::new(vec![7; 5000]);
    let places = [(); 3].map(|()| {
        let mut outgoing = sheave_ws::Outgoing::new(Role::Client, &config(), || Ok([1, 2, 3, 4]));
        outgoing.set_no_masking();
        outgoing.prepared(&prepared, Compress::Auto).unwrap();
        let chunk = outgoing.transmit().pop().unwrap();
        assert!(!parse(&chunk)[0].masked);
        chunk.as_ptr()
    });
    assert!(places.iter().all(|place| *place == places[0]));
}

#[test]
fn compressed_and_unmasked() {
    let payload = squeeze("compressed and unmasked");
    for deflate in [true, false] {
        let frames = [
            frame().text(&payload[..5]).reserved(0x40).unfinished(),
            frame().ping(""),
            frame().continuation(&payload[5..]).masked(),
        ];
        let outcome =
            run_every_cut_agreed(Role::Server, &config(), &unmasked(Some(deflate)), &bytes(&frames));
        assert_eq!(outcome.events[1..], [Event::Message("compressed and unmasked".into())]);
    }
}

#[test]
fn both_are_negotiated_in_one_header_in_either_order() {
    let both = config().extensions(false);
    let offers = |header: &str| ExtensionOffer::parse([header.as_bytes()]).unwrap();
    for (header, expected) in [
        ("permessage-deflate, no-masking", vec!["permessage-deflate", "no-masking"]),
        ("no-masking, permessage-deflate; client_max_window_bits", vec!["no-masking", "permessage-deflate"]),
        ("no-masking", vec!["no-masking"]),
        ("no-masking, no-masking", vec!["no-masking"]),
        ("no-masking; x=1, permessage-deflate", vec!["permessage-deflate"]),
        ("no-masking; x, no-masking", vec!["no-masking"]),
        ("unknown, no-masking", vec!["no-masking"]),
    ] {
        let (answers, _) = server_negotiate(&both, &offers(header));
        let names: Vec<&str> = answers.iter().map(|answer| answer.name()).collect();
        assert_eq!(names, expected, "{header}");
        assert!(client_confirm(&both, &answers).is_ok(), "{header}");
    }
    assert!(client_confirm(&both, &offers("no-masking; x")).is_err());
    assert!(client_confirm(&both, &offers("no-masking, no-masking")).is_err());
    // Not offered, not to be answered.
    let deflate = config().no_masking(NoMasking::Never).extensions(true);
    assert!(client_confirm(&deflate, &offers("permessage-deflate, no-masking")).is_err());
    let (answers, _) = server_negotiate(&deflate, &offers("permessage-deflate, no-masking"));
    assert_eq!(answers.len(), 1);
    // On plain transports, only if forced.
    let encrypted = config().no_masking(NoMasking::Encrypted);
    assert_eq!(encrypted.extensions(false).len(), 1);
    assert_eq!(encrypted.extensions(true).len(), 2);
}
