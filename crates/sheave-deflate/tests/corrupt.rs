//! Payloads that are not DEFLATE: an error or some output, but never a panic and never no end.

mod support;

use sheave_deflate::DeflateError;
use support::{Blocks, Deflater, Random, Reader, decompress_in_parts, decompress_message, inflate};

/// Inflates it in several ways, which have to agree, and goes on, which must not panic.
fn try_all(payload: &[u8]) -> Result<Vec<u8>, DeflateError> {
    let [own, shared] = [false, true].map(|takeover| {
        let whole = {
            let mut decompressor = inflate(15, takeover);
            let found = decompress_message(&mut decompressor, payload);
            for payload in [payload, &[0x00], &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], &[]] {
                let _ = decompress_message(&mut decompressor, payload);
            }
            decompressor.release();
            let _ = decompress_message(&mut decompressor, payload);
            found
        };
        let bytes: Vec<_> = payload.chunks(1).collect();
        for room in [7, 1000] {
            let found = decompress_in_parts(&mut inflate(15, takeover), &bytes, room);
            assert_eq!(found, whole, "takeover {takeover}, room {room}: {payload:x?}");
        }
        whole
    });
    // Without takeover nothing is known any more of what was before a final block: no compressor refers to it.
    if own != shared {
        let mut reader = Reader::default();
        let _ = reader.read(payload);
        assert!(reader.finals > 0 && own == Err(DeflateError::Corrupt), "{payload:x?}: {own:?}, {shared:?}");
    }
    shared
}

#[test]
fn each_kind_of_corruption_is_an_error() {
    let dynamic = |lengths: &[(usize, u32)]| {
        // One literal and length code too few to matter, 257 and 1, and 19 code lengths.
        let block = Blocks::new().bits(0, 1).bits(2, 2).bits(0, 5).bits(0, 5).bits(15, 4);
        lengths.iter().fold(block, |block, (value, count)| block.bits(*value, *count)).raw()
    };
    let fixed = |write: fn(Blocks) -> Blocks| Blocks::new().fixed(false, write).payload();
    let cases = [
        ("block type 3", vec![0x06]),
        ("block type 3 with BFINAL", vec![0x07]),
        ("a length that is not its complement's", vec![0x00, 0x05, 0x00, 0xfa, 0xfe, 1, 2, 3, 4, 5, 0x00]),
        ("a distance before the start", fixed(|block| block.copy(3, 1))),
        ("a distance one too far", fixed(|block| block.literals(b"abc").copy(3, 4))),
        ("a distance far too far", fixed(|block| block.literals(b"abc").copy(258, 32768))),
        ("distance code 30", fixed(|block| block.literals(b"abc").copy_from_nowhere(30))),
        ("distance code 31", fixed(|block| block.literals(b"abc").copy_from_nowhere(31))),
        ("length code 286", fixed(|block| block.literals(b"abc").symbol(286))),
        ("length code 287", fixed(|block| block.literals(b"abc").symbol(287))),
        ("287 literal codes", Blocks::new().bits(0, 1).bits(2, 2).bits(30, 5).bits(0, 40).raw()),
        ("31 distance codes", Blocks::new().bits(0, 1).bits(2, 2).bits(0, 5).bits(30, 5).bits(0, 40).raw()),
        ("no code lengths", dynamic(&[(0, 400)])),
        ("too many codes of length 1", dynamic(&[(0o111, 9), (0, 48)])),
        ("an incomplete code of code lengths", dynamic(&[(0o2, 3), (0, 54)])),
        // Codes for 18 (the third) and 0 (the fourth): 138 and 120 zeros, so no end of block.
        ("no end of block", dynamic(&[(0o1100, 12), (0, 45), (1, 1), (127, 7), (1, 1), (109, 7), (0, 30)])),
        // A code for 16 (the first) at the very start.
        ("a repetition of nothing", dynamic(&[(0o1001, 12), (0, 45), (1, 30), (0, 10)])),
    ];
    for (name, payload) in cases {
        assert_eq!(try_all(&payload), Err(DeflateError::Corrupt), "{name}");
        // And behind a good block, which does not help.
        let behind = [&Blocks::new().stored(false, b"").raw()[..], &payload].concat();
        assert_eq!(try_all(&behind), Err(DeflateError::Corrupt), "{name}");
    }
}

/// Payloads of each kind of block, and whether all of them are good wherever a bit is flipped, if a plain reader
/// says so. (zlib checks dynamic codes more strictly than there is need.)
fn vectors() -> Vec<(Vec<u8>, bool)> {
    let text = Random::new(1).message_of(150);
    let mut mixed = Deflater::new(6, true);
    mixed.part(&text, flate2::FlushCompress::Sync);
    mixed.part(&text[..100], flate2::FlushCompress::None);
    vec![
        (vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], true),
        (vec![0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], true),
        (vec![0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], true),
        (vec![0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], true),
        (Blocks::new().fixed(false, |block| block.literals(&text[..60]).copy(30, 41)).payload(), true),
        (Blocks::new().fixed(true, |block| block.literals(&text[..60]).copy(30, 41)).raw(), true),
        (Deflater::new(6, false).message(&text), false),
        (mixed.finish(), false),
    ]
}

#[test]
fn every_flipped_bit_is_an_error_or_some_output() {
    let (mut errors, mut outputs) = (0, 0);
    for (payload, plain) in vectors() {
        assert!(try_all(&payload).is_ok());
        for bit in 0..8 * payload.len() {
            let mut flipped = payload.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = try_all(&flipped);
            match Reader::default().read_any(&flipped) {
                Some(message) if plain => assert_eq!(found, Ok(message), "{bit} of {payload:x?}"),
                Some(message) => assert!(found.is_err() || found == Ok(message), "{bit} of {payload:x?}"),
                None => assert!(found.is_err(), "{bit} of {payload:x?}: {found:?}"),
            }
            match found {
                Ok(_) => outputs += 1,
                Err(error) => {
                    assert_eq!(error, DeflateError::Corrupt);
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 100 && outputs > 100, "{errors} errors, {outputs} outputs");
}

#[test]
fn a_message_that_lacks_its_end_is_an_error() {
    let stored = Blocks::new().stored(false, &[7; 100]).payload();
    for payload in vectors().into_iter().map(|(payload, _)| payload).chain([stored]) {
        let whole = try_all(&payload).unwrap();
        for length in 0..payload.len() {
            let start = &payload[..length];
            let found = try_all(start);
            assert_eq!(found.clone().ok(), Reader::default().read_any(start), "{length} of {payload:x?}");
            // Where an empty block or a final one begins, a message may end.
            assert!(found.is_err() || whole.starts_with(&found.unwrap()), "{length} of {payload:x?}");
        }
    }
}

#[test]
fn every_payload_of_two_bytes_ends() {
    for first in 0..=255 {
        for second in (0..=255).step_by(15) {
            for payload in [&[first][..], &[first, second]] {
                let good = Reader::default().read_any(payload);
                assert_eq!(try_all(payload).ok(), good, "{payload:x?}");
            }
        }
    }
}

#[test]
fn random_bytes_are_an_error_or_what_a_plain_reader_finds() {
    let mut random = Random::new(2);
    let mut errors = 0;
    for _ in 0..1500 {
        let length = random.below(200);
        let mut payload = random.noise(length);
        // Mostly they have to start like something.
        if let Some(first) = payload.first_mut() {
            *first = *first & !7 | [0, 2, 3, 4, 5, 2, 3, 4][random.below(8)];
        }
        let good = Reader::default().read_any(&payload);
        match try_all(&payload) {
            Ok(message) => assert_eq!(Some(message), good, "{payload:x?}"),
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 100, "{errors} errors");
}

#[test]
fn corrupted_conversations_are_an_error_or_some_output() {
    let mut random = Random::new(3);
    for round in 0..60 {
        let mut deflater = Deflater::new(6, true);
        let mut decompressor = inflate(9 + round % 7, true);
        for _ in 0..10 {
            let length = random.below(2000);
            let mut payload = deflater.message(&random.message_of(length));
            match random.below(5) {
                0 => {
                    let at = random.below(payload.len());
                    payload[at] ^= 1 << random.below(8);
                }
                1 => payload.truncate(random.below(payload.len())),
                2 => {
                    let (at, length) = (random.below(payload.len()), random.below(10));
                    let noise = random.noise(length);
                    payload.splice(at..at, noise);
                }
                _ => {}
            }
            let parts: Vec<_> = payload.chunks(random.below(payload.len().max(1)) + 1).collect();
            let _ = decompress_in_parts(&mut decompressor, &parts, [3, 100, 20_000][random.below(3)]);
            if random.one_in(3) {
                decompressor.release();
            }
        }
    }
}
