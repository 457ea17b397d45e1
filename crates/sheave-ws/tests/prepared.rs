//! Messages that are prepared once and sent to many connections.
#![cfg(feature = "tokio")]

mod support;

use sheave_ws::deflate::{DeflateConfig, Direction};
use sheave_ws::{Compress, Config, Event, Incoming, Message, Outgoing, Prepared, Role};
use support::{FULL, Random, drain, halves, no_time, parse, receive, words};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn configs() -> [Config; 2] {
    [no_time(), no_time().deflate(DeflateConfig::default())]
}

fn only_message(incoming: &mut Incoming, bytes: &[u8]) -> Message {
    match &mut receive(incoming, bytes).unwrap()[..] {
        [Event::Message(message)] => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_prepared_message_is_on_a_server_what_a_plain_one_is() {
    let mut random = Random::new(8);
    for length in [0, 5, 63, 64, 1000, 1030, 10_000, 70_000] {
        for message in [Message::from(words(&mut random, length)), random.bytes(length).into()] {
            let prepared = Prepared::new(message.clone());
            assert_eq!(prepared.message(), &message);
            for config in configs() {
                let (mut one, _) = halves(Role::Server, &config, FULL);
                let (mut other, _) = halves(Role::Server, &config, FULL);
                one.message(message.clone(), Compress::Auto).unwrap();
                other.prepared(&prepared, Compress::Auto).unwrap();
                assert_eq!(drain(&mut one), drain(&mut other), "{length} {}", config.deflate.is_some());
                one.message(message.clone(), Compress::Never).unwrap();
                other.prepared(&prepared, Compress::Never).unwrap();
                assert_eq!(drain(&mut one), drain(&mut other), "{length}");
            }
        }
    }
}

#[test]
fn a_prepared_payload_is_shared_by_all_connections() {
    let chunks = |outgoing: &mut Outgoing| {
        let mut chunks = Vec::new();
        while let Some(chunk) = outgoing.transmit().pop() {
            chunks.push(chunk);
        }
        chunks
    };
    for config in configs() {
        for most in [None, Some(20_000)] {
            let config = config.clone().max_sent_frame_size(most);
            let prepared = Prepared::new(Random::new(9).bytes(50_000));
            let mut places = Vec::new();
            for _ in 0..10 {
                let (mut outgoing, _) = halves(Role::Server, &config, FULL);
                outgoing.prepared(&prepared.clone(), Compress::Auto).unwrap();
                outgoing.prepared(&prepared, Compress::Auto).unwrap();
                let large: Vec<*const u8> = chunks(&mut outgoing)
                    .iter()
                    .filter(|chunk| chunk.len() > 9000)
                    .map(|chunk| chunk.as_ptr())
                    .collect();
                let (first, second) = large.split_at(large.len() / 2);
                assert_eq!(first, second);
                places.push(large);
            }
            assert!(!places[0].is_empty());
            assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
        }
    }
    // Just long enough to be shared.
    let prepared = Prepared::new(vec![0; 1024]);
    let [mut one, mut two] = [(); 2].map(|()| halves(Role::Server, &no_time(), FULL).0);
    one.prepared(&prepared, Compress::Auto).unwrap();
    two.prepared(&prepared, Compress::Auto).unwrap();
    assert_eq!(chunks(&mut one)[0].as_ptr(), chunks(&mut two)[0].as_ptr());
}

#[test]
fn a_client_masks_prepared_messages_and_leaves_them_as_they_are() {
    for config in configs() {
        let prepared = Prepared::new(words(&mut Random::new(10), 20_000));
        for role in [Role::Client, Role::Server, Role::Client, Role::Server] {
            let (mut outgoing, mut incoming) = halves(role, &config, FULL);
            for _ in 0..3 {
                outgoing.prepared(&prepared, Compress::Auto).unwrap();
                let bytes = drain(&mut outgoing);
                assert_eq!(parse(&bytes)[0].masked, role == Role::Client);
                assert_eq!(&only_message(&mut incoming, &bytes), prepared.message());
            }
        }
    }
}

#[test]
fn prepared_and_other_messages_mix_on_connections_of_every_kind() {
    let mut random = Random::new(11);
    let mut connections = Vec::new();
    for window_bits in 9..=15 {
        for context_takeover in [false, true] {
            for role in ROLES {
                let deflate = DeflateConfig::default().level(1 + window_bits % 9);
                let most = (window_bits % 2 == 0).then_some(777);
                let config = no_time().deflate(deflate).max_sent_frame_size(most);
                connections.push(halves(role, &config, Direction { window_bits, context_takeover }));
            }
        }
    }
    connections.push(halves(Role::Server, &no_time(), FULL));
    // What comes again after a while, so that messages refer far back.
    let phrases: Vec<String> = (0..6).map(|_| words(&mut random, 800)).collect();
    for round in 0..200 {
        let length = random.below(800);
        let mut text = words(&mut random, length);
        text.push_str(&phrases[random.below(phrases.len())]);
        if random.chance(10) {
            text = "short".into();
        }
        let message = Message::from(text);
        let prepared = Prepared::with_level(message.clone(), 1 + (round % 9) as u8);
        for (index, (outgoing, incoming)) in connections.iter_mut().enumerate() {
            let compress = [Compress::Auto, Compress::Always, Compress::Never][random.below(3)];
            match random.below(3) {
                0 => outgoing.prepared(&prepared, compress).unwrap(),
                1 => outgoing.message(message.clone(), compress).unwrap(),
                _ => {
                    outgoing.begin(true, compress, 500).unwrap();
                    for part in message.as_bytes().chunks(1000) {
                        outgoing.write(part).unwrap();
                    }
                    outgoing.finish().unwrap();
                }
            }
            let bytes = drain(outgoing);
            assert_eq!(only_message(incoming, &bytes), message, "connection {index}, round {round}");
        }
    }
}
