//! The bytes of RFC 7692 §7.2.3, and payloads built by hand: at every cut, and with room for one byte.

mod support;

use bytes::BytesMut;
use sheave_deflate::{Compressor, Decompressor, DeflateConfig, DeflateError};
use support::{Blocks, Reader, agreed, decompress_in_parts, decompress_message, inflate};

const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const HELLO_AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];
const HELLO_STORED: [u8; 11] = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
const HELLO_FINAL: [u8; 8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
const HE_LLO: [u8; 13] = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];

/// A name, payloads in their order, and what each inflates to.
type Case = (&'static str, Vec<(Vec<u8>, &'static str)>);

/// Conversations that need no context takeover.
fn on_their_own() -> Vec<Case> {
    vec![
        ("7.2.3.1 one block", vec![(HELLO.into(), "Hello")]),
        ("7.2.3.2 the same twice", vec![(HELLO.into(), "Hello"), (HELLO.into(), "Hello")]),
        ("7.2.3.3 no compression", vec![(HELLO_STORED.into(), "Hello")]),
        ("7.2.3.4 BFINAL", vec![(HELLO_FINAL.into(), "Hello"), (HELLO_FINAL.into(), "Hello")]),
        ("7.2.3.5 two blocks", vec![(HE_LLO.into(), "Hello")]),
        ("7.2.3.6 empty", vec![(vec![0], ""), (vec![0], ""), (HELLO.into(), "Hello"), (vec![0], "")]),
        ("an empty fixed block", vec![(vec![0x02, 0x00], ""), (HELLO.into(), "Hello")]),
        (
            "two final blocks, and one that is not",
            vec![([&HELLO_FINAL[..7], &HELLO_FINAL[..7], &HELLO].concat(), "HelloHelloHello")],
        ),
        (
            "a final block without compression",
            vec![(Blocks::new().stored(true, b"Hello").payload(), "Hello"), (HELLO.into(), "Hello")],
        ),
        (
            "a final block and nothing behind it",
            vec![
                (HELLO_FINAL[..7].into(), "Hello"),
                (HELLO_FINAL[..7].into(), "Hello"),
                (HELLO.into(), "Hello"),
                (HELLO_FINAL[..7].into(), "Hello"),
                (vec![0], ""),
                (vec![0x03, 0x00], ""),
                (HELLO.into(), "Hello"),
            ],
        ),
        (
            "a final block that ends with a copy, and nothing behind it",
            vec![(zeros(true).raw(), ZEROS), (zeros(true).raw(), ZEROS), (HELLO.into(), "Hello")],
        ),
        ("a copy at the end", vec![(zeros(false).payload(), ZEROS), (HELLO.into(), "Hello")]),
    ]
}

/// Conversations that refer back.
fn with_takeover() -> Vec<Case> {
    let again = || (HELLO_AGAIN.to_vec(), "Hello");
    vec![
        ("7.2.3.2 sharing the window", vec![(HELLO.into(), "Hello"), again(), again()]),
        ("across empty messages", vec![(HELLO.into(), "Hello"), (vec![0], ""), (vec![0], ""), again()]),
        ("to a block without compression", vec![(HELLO_STORED.into(), "Hello"), again()]),
        ("to two blocks", vec![(HE_LLO.into(), "Hello"), again()]),
        ("across BFINAL", vec![(HELLO_FINAL.into(), "Hello"), again(), again()]),
        (
            "across BFINAL with nothing behind it",
            vec![(HELLO_FINAL[..7].into(), "Hello"), again(), (HELLO_FINAL[..7].into(), "Hello"), again()],
        ),
        (
            "across BFINAL and an empty message",
            vec![(HELLO_FINAL[..7].into(), "Hello"), (vec![0], ""), again()],
        ),
        (
            "across BFINAL inside a message",
            vec![([&HELLO_FINAL[..7], &HELLO_AGAIN[..]].concat(), "HelloHello"), again()],
        ),
        (
            "from a final block",
            vec![
                (HELLO.into(), "Hello"),
                (Blocks::new().fixed(true, |block| block.copy(5, 5)).raw(), "Hello"),
                (Blocks::new().fixed(true, |block| block.copy(5, 5)).payload(), "Hello"),
                again(),
            ],
        ),
    ]
}

const ZEROS: &str = "0000000000000000000000000000000";

/// The end of the block shares its byte with the end of the copy: when there is no room for all that is copied,
/// the payload is read to its end, but the block has not ended.
fn zeros(last: bool) -> Blocks {
    Blocks::new().fixed(last, |block| block.literals(b"0").copy(30, 1))
}

/// Runs `check` for each case, each way to hold the state, and each agreement that the case allows.
fn each(check: impl Fn(&mut Decompressor, &[u8]) -> Result<Vec<u8>, DeflateError>) {
    let own = on_their_own().into_iter().flat_map(|case| [(case.clone(), true), (case, false)]);
    let shared = with_takeover().into_iter().map(|case| (case, true));
    for ((name, messages), takeover) in own.chain(shared) {
        for release in [false, true] {
            for budget in [usize::MAX, 0] {
                let config = DeflateConfig::default().context_budget(budget);
                let mut decompressor = Decompressor::new(&config, agreed(15, takeover));
                for (index, (payload, message)) in messages.iter().enumerate() {
                    let found = check(&mut decompressor, payload);
                    let at = format!("{name}, {index}: takeover {takeover}, release {release}, {budget}");
                    assert_eq!(found.as_deref(), Ok(message.as_bytes()), "{at}");
                    if release {
                        decompressor.release();
                    }
                }
            }
        }
    }
}

#[test]
fn the_examples_inflate() {
    each(decompress_message);
}

#[test]
fn the_examples_inflate_at_every_cut() {
    let longest = on_their_own().into_iter().chain(with_takeover()).flat_map(|(_, messages)| messages);
    let longest = longest.map(|(payload, _)| payload.len()).max().unwrap();
    for cut in 0..=longest {
        for room in [1, 2, 5, 64] {
            each(|decompressor, payload| {
                let (front, back) = payload.split_at(cut.min(payload.len()));
                decompress_in_parts(decompressor, &[front, back], room)
            });
        }
    }
}

#[test]
fn the_examples_inflate_byte_by_byte() {
    for room in [1, 2, 5, 64] {
        each(|decompressor, payload| {
            let bytes: Vec<_> = payload.chunks(1).collect();
            decompress_in_parts(decompressor, &bytes, room)
        });
    }
}

#[test]
fn the_examples_inflate_through_a_closure() {
    each(|decompressor, payload| {
        let mut message = Vec::new();
        for byte in payload.chunks(1) {
            decompressor.decompress_with(byte, |piece| {
                message.extend_from_slice(piece);
                Ok::<_, DeflateError>(())
            })?;
        }
        decompressor.finish_with(|piece| {
            message.extend_from_slice(piece);
            Ok::<_, DeflateError>(())
        })?;
        Ok(message)
    });
}

#[test]
fn the_closure_refuses_with_an_error_of_its_own() {
    #[derive(Debug, PartialEq)]
    enum Refused {
        Here,
        Deflate(DeflateError),
    }
    impl From<DeflateError> for Refused {
        fn from(error: DeflateError) -> Self {
            Self::Deflate(error)
        }
    }
    let refused = inflate(15, true).decompress_with(&HELLO, |_| Err(Refused::Here));
    assert_eq!(refused, Err(Refused::Here));
    let corrupt = inflate(15, true).decompress_with(&[0xff], |_| Err(Refused::Here));
    assert_eq!(corrupt, Err(Refused::Deflate(DeflateError::Corrupt)));
}

#[test]
fn what_needs_takeover_is_corrupt_without() {
    for (name, messages) in with_takeover() {
        let mut decompressor = inflate(15, false);
        let found = messages.iter().map(|(payload, _)| decompress_message(&mut decompressor, payload));
        assert!(found.into_iter().any(|found| found == Err(DeflateError::Corrupt)), "{name}");
    }
}

#[test]
fn without_takeover_nothing_is_held_after_any_example() {
    for (name, messages) in on_their_own() {
        let mut decompressor = inflate(15, false);
        for (payload, _) in messages {
            decompress_message(&mut decompressor, &payload).unwrap();
            assert!(!decompressor.is_holding(), "{name}");
        }
    }
}

#[test]
fn hello_compresses_to_the_examples() {
    for level in 1..=9 {
        let config = DeflateConfig::default().level(level);
        let mut alone = Compressor::new(&config, agreed(15, false));
        assert_eq!(compress(&mut alone, &[b"Hello"]), HELLO, "7.2.3.1, level {level}");
        assert_eq!(compress(&mut alone, &[b"Hello"]), HELLO, "7.2.3.2 without takeover, level {level}");
        let mut shared = Compressor::new(&config, agreed(15, true));
        assert_eq!(compress(&mut shared, &[b"Hello"]), HELLO, "level {level}");
        // There is a shorter way, a fixed block with nothing but the copy, which level 1 finds.
        let again: &[u8] = if level == 1 { &[0x02, 0x13, 0x00, 0x00] } else { &HELLO_AGAIN };
        assert_eq!(compress(&mut shared, &[b"Hello"]), again, "7.2.3.2 with takeover, level {level}");
        shared.release();
        assert_eq!(compress(&mut shared, &[b"Hello"]), HELLO, "released, level {level}");
        let mut split = Compressor::new(&config, agreed(15, true));
        assert_eq!(compress(&mut split, &[b"He", b"llo"]), HE_LLO, "7.2.3.5, level {level}");
    }
}

#[test]
fn a_context_that_is_put_back_is_referred_to() {
    let mut compressor = Compressor::new(&DeflateConfig::default(), agreed(15, true));
    assert!(compressor.take_context().is_none());
    let mut reader = Reader::default();
    let first = compress(&mut compressor, &[b"Hello"]);
    assert_eq!(reader.read(&first).as_deref(), Some(&b"Hello"[..]));
    for _ in 0..3 {
        let context = compressor.take_context().unwrap();
        assert!(!compressor.is_holding() && compressor.take_context().is_none());
        compressor.release();
        compressor.set_context(context);
        assert!(compressor.is_holding());
        let again = compress(&mut compressor, &[b"Hello"]);
        assert_eq!(reader.read(&again).as_deref(), Some(&b"Hello"[..]));
        assert!(again.len() < first.len(), "{again:x?}");
    }
    drop(compressor.take_context());
    assert_eq!(compress(&mut compressor, &[b"Hello"]), HELLO, "not put back");
    // One that knows of later messages stays: the other's distances would be wrong.
    let earlier = compressor.take_context().unwrap();
    let mut reader = Reader::default();
    for message in [&b"Good"[..], b"bye, Hello", b"Hello"] {
        let payload = compress(&mut compressor, &[message]);
        assert_eq!(reader.read(&payload).as_deref(), Some(message));
    }
    compressor.set_context(earlier);
    let payload = compress(&mut compressor, &[b"Goodbye, Hello"]);
    assert_eq!(reader.read(&payload).as_deref(), Some(&b"Goodbye, Hello"[..]));
}

#[test]
fn parts_compress_to_what_the_whole_does() {
    let mut compressor = Compressor::new(&DeflateConfig::default(), agreed(15, false));
    for cut in 0..=5 {
        let mut output = BytesMut::new();
        compressor.compress(&b"Hello"[..cut], &mut output);
        compressor.compress(&b"Hello"[cut..], &mut output);
        compressor.finish(&mut output);
        assert_eq!(output[..], HELLO, "{cut}");
    }
}

#[test]
fn a_flushed_fragment_keeps_its_tail() {
    let mut compressor = Compressor::new(&DeflateConfig::default(), agreed(15, true));
    let (mut first, mut last) = (BytesMut::new(), BytesMut::new());
    compressor.compress(b"He", &mut first);
    compressor.flush(&mut first);
    compressor.compress(b"llo", &mut last);
    compressor.finish(&mut last);
    assert_eq!((&first[..], &last[..]), HE_LLO.split_at(8)); // RFC 7692 §7.2.1: MUST NOT be removed
    let mut decompressor = inflate(15, true);
    let mut output = [0; 16];
    let progress = decompressor.decompress(&first, &mut output).unwrap();
    assert_eq!((progress.read, &output[..progress.written]), (8, &b"He"[..]), "before the rest is there");
}

/// FIELD: the second one is where others spin, or go out of step.
#[test]
fn every_empty_message_is_a_zero() {
    let kinds = [
        ("takeover", DeflateConfig::default()),
        ("small", DeflateConfig::small()),
        ("no budget", DeflateConfig::default().context_budget(0)),
    ];
    for (name, config) in kinds {
        let mut compressor = Compressor::new(&config, agreed(15, true));
        let mut reader = Reader::default();
        for round in 0..3 {
            for repeat in 0..3 {
                assert_eq!(compress(&mut compressor, &[]), [0], "{name}, {round}, {repeat}");
                assert_eq!(compress(&mut compressor, &[b""]), [0], "{name}, {round}, {repeat}");
                assert_eq!(compress(&mut compressor, &[b"", b""]), [0], "{name}, {round}, {repeat}");
            }
            let hello = compress(&mut compressor, &[b"Hello"]);
            assert_eq!(reader.read(&hello).as_deref(), Some(&b"Hello"[..]), "{name}, {round}");
        }
    }
}

#[test]
fn an_empty_last_fragment_is_a_zero() {
    let mut compressor = Compressor::new(&DeflateConfig::default(), agreed(15, true));
    for round in 0..3 {
        let (mut first, mut last) = (BytesMut::new(), BytesMut::new());
        compressor.compress(b"Hello", &mut first);
        compressor.flush(&mut first);
        compressor.flush(&mut last);
        assert!(last.is_empty(), "nothing since the last flush");
        compressor.finish(&mut last);
        assert_eq!((last[..]), [0], "round {round}");
    }
}

#[test]
fn output_is_appended() {
    let mut compressor = Compressor::new(&DeflateConfig::default(), agreed(15, true));
    let mut output = BytesMut::from(&[0x00, 0x00, 0xff, 0xff][..]);
    compressor.compress_message(b"Hello", &mut output);
    compressor.compress_message(b"", &mut output);
    assert_eq!(output[4..], [&HELLO[..], &[0]].concat());
    let mut message = BytesMut::from("> ");
    inflate(15, true).decompress_message(&HELLO, 5, &mut message).unwrap();
    assert_eq!(message[..], b"> Hello"[..]);
}

/// RFC 7692 §7.2.1: 2 to the power of the agreed bits, and not a byte more.
#[test]
fn a_peer_may_refer_back_as_far_as_agreed() {
    for bits in 8..=15 {
        let window = 1 << bits;
        for (distance, good) in [(1, true), (window - 1, true), (window, true), (window + 1, false)] {
            if distance > 1 << 15 {
                continue; // There is no way to write that.
            }
            // The marks are the byte that is referred to, and around it.
            let mut first = vec![b'.'; window + 100];
            let at = first.len() - distance;
            first[at] = b'X';
            let payload = Blocks::new().stored(false, &first).payload();
            let copy = Blocks::new().fixed(false, |block| block.copy(3, distance)).payload();
            for parts in [1, 7, first.len() + 20] {
                let mut decompressor = inflate(bits, true);
                for part in payload.chunks(payload.len().div_ceil(parts)) {
                    decompressor.decompress_with(part, |_| Ok::<_, DeflateError>(())).unwrap();
                }
                decompressor.finish_with(|_| Ok::<_, DeflateError>(())).unwrap();
                decompressor.release();
                let found = decompress_message(&mut decompressor, &copy);
                let expected: Vec<_> = (0..3).map(|index| first[at + index % distance]).collect();
                let expected = if good { Ok(expected) } else { Err(DeflateError::Corrupt) };
                assert_eq!(found, expected, "{bits} bits, {distance} back, {parts} parts");
            }
        }
    }
}

#[test]
fn a_message_may_have_1000_final_blocks() {
    const MOST: usize = Decompressor::MAX_FINAL_BLOCKS;
    for takeover in [true, false] {
        let mut decompressor = inflate(15, takeover);
        for padded in [true, false, true, true, false, false] {
            let mut payload = [0x03, 0x00].repeat(MOST);
            payload.extend_from_slice(if padded { &[0] } else { &[] });
            assert_eq!(decompress_message(&mut decompressor, &payload).as_deref(), Ok(&b""[..]), "{padded}");
            assert_eq!(decompress_message(&mut decompressor, &HELLO).as_deref(), Ok(&b"Hello"[..]));
        }
    }
}

#[test]
fn a_flood_of_final_blocks_is_an_error_at_once() {
    const MOST: usize = Decompressor::MAX_FINAL_BLOCKS;
    for takeover in [true, false] {
        let flood = [0x03, 0x00].repeat(1 << 20);
        let found = decompress_message(&mut inflate(15, takeover), &flood);
        assert_eq!(found, Err(DeflateError::TooManyFinalBlocks));
        // No more is read of it than it takes.
        let (mut decompressor, mut read) = (inflate(15, takeover), 0);
        let error = loop {
            match decompressor.decompress(&flood[read..=read], &mut [0; 8]) {
                Ok(progress) => read += progress.read,
                Err(error) => break error,
            }
        };
        assert_eq!((error, read), (DeflateError::TooManyFinalBlocks, 2 * MOST + 1));
        assert_eq!(decompressor.decompress(&flood, &mut [0; 8]), Err(DeflateError::TooManyFinalBlocks));
        let one_more = [0x03, 0x00].repeat(MOST + 1);
        let found = decompress_message(&mut inflate(15, takeover), &one_more);
        assert_eq!(found, Err(DeflateError::TooManyFinalBlocks), "nothing behind the last");
    }
}

/// A message of parts, with a flush between them.
fn compress(compressor: &mut Compressor, parts: &[&[u8]]) -> Vec<u8> {
    let mut output = BytesMut::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            compressor.flush(&mut output);
        }
        compressor.compress(part, &mut output);
    }
    compressor.finish(&mut output);
    output.to_vec()
}

/// Not RFC 7692's way to send an empty message, but some do.
#[test]
fn a_payload_of_nothing_is_an_empty_message() {
    let mut decompressor = Decompressor::new(&DeflateConfig::default(), agreed(15, true));
    let mut message = BytesMut::new();
    for payload in [&HELLO[..], &[], &[], &HELLO_AGAIN, &[]] {
        decompressor.decompress_message(payload, 100, &mut message).unwrap();
    }
    assert_eq!(&message[..], b"HelloHello");
}
