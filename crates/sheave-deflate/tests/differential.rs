//! Thousands of random messages: ours against miniz_oxide, in both directions, and against a plain reader that
//! tells how far back they refer.

mod support;

use bytes::BytesMut;
use flate2::FlushCompress;
use sheave_deflate::{Compressor, Decompressor, DeflateConfig, DeflateError};
use support::{Deflater, Inflater, Random, Reader, agreed, decompress_in_parts, decompress_message, inflate};

/// The next message of a conversation: a new one, or something said before and from how far back it takes.
fn next(random: &mut Random, text: &[u8]) -> Vec<u8> {
    if text.is_empty() || !random.one_in(4) {
        return random.message();
    }
    let from = text.len() - random.below(text.len().min(40_000)) - 1;
    let length = random.below((text.len() - from).min(2_000)) + 1;
    text[from..from + length].to_vec()
}

/// Compresses a message: at once, or in parts with a flush here and there.
fn compress(random: &mut Random, compressor: &mut Compressor, message: &[u8]) -> Vec<u8> {
    let mut output = BytesMut::new();
    if random.one_in(2) {
        compressor.compress_message(message, &mut output);
        return output.to_vec();
    }
    // Not always into the same buffer.
    let mut payload = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(random.below(rest.len()) + 1);
        compressor.compress(part, &mut output);
        if random.one_in(2) {
            compressor.flush(&mut output);
        }
        if random.one_in(2) {
            payload.extend_from_slice(&output.split());
        }
        rest = behind;
    }
    compressor.finish(&mut output);
    payload.extend_from_slice(&output);
    payload
}

/// Inflates a message: at once, or cut anywhere and with any room.
fn decompress(random: &mut Random, decompressor: &mut Decompressor, payload: &[u8]) -> Vec<u8> {
    let found = match random.below(3) {
        0 => decompress_message(decompressor, payload),
        1 => {
            let size = random.below(payload.len().max(1)) + 1;
            let mut message = Vec::new();
            let mut take = |piece: &[u8]| {
                message.extend_from_slice(piece);
                Ok::<_, DeflateError>(())
            };
            let read =
                payload.chunks(size).try_for_each(|part| decompressor.decompress_with(part, &mut take));
            read.and_then(|()| decompressor.finish_with(&mut take)).map(|()| message)
        }
        _ => {
            let parts: Vec<_> = payload.chunks(random.below(payload.len().max(1)) + 1).collect();
            let room = [17, 258, 1000, 16 << 10, 100_000][random.below(5)];
            decompress_in_parts(decompressor, &parts, room)
        }
    };
    found.expect("valid DEFLATE")
}

/// Ours, as all of them must read it.
struct Readers {
    other: Inflater,
    plain: Reader,
    /// Released after each message, so that it has the agreed window and no more.
    ours: Decompressor,
    takeover: bool,
}

impl Readers {
    fn new(bits: u8, takeover: bool) -> Self {
        let (other, plain) = (Inflater::new(takeover), Reader::default());
        Self { other, plain, ours: inflate(bits, takeover), takeover }
    }

    fn check(&mut self, payload: &[u8], message: &[u8], at: impl Fn() -> String) {
        assert!(self.other.inflate(payload) == message, "miniz_oxide reads another message: {}", at());
        let plain = self.plain.read(payload);
        assert!(plain.as_deref() == Some(message), "plainly it is another message: {}", at());
        let ours = decompress_message(&mut self.ours, payload);
        assert!(ours.as_deref() == Ok(message), "ours reads another message: {}", at());
        self.ours.release();
        if !self.takeover {
            self.plain.text.clear();
        }
    }
}

#[test]
fn what_we_compress_others_inflate() {
    for bits in 9..=15 {
        let mut farthest_before = 0;
        for (round, takeover) in [(0, true), (1, true), (2, true), (3, false)] {
            let mut random = Random::new(u64::from(bits) * 100 + round);
            let mut config = DeflateConfig::default()
                .window_bits(bits)
                .level([1, 6, 9, 3][round as usize])
                .memory_level([8, 9, 1, 5][round as usize]);
            if round == 1 {
                config = config.context_budget(0);
            }
            // One of the two sets the limit.
            let (config, agreed) = match round % 2 {
                0 => (config, agreed(15, takeover)),
                _ => (config.window_bits(15), agreed(bits, takeover)),
            };
            let mut compressor = Compressor::new(&config, agreed);
            assert_eq!(compressor.window_bits(), bits);
            let mut readers = Readers::new(bits, takeover);
            let mut text = Vec::new();
            for index in 0..80 {
                let message = next(&mut random, &text);
                let payload = compress(&mut random, &mut compressor, &message);
                let at = || format!("{bits} bits, takeover {takeover}, round {round}, message {index}");
                readers.check(&payload, &message, at);
                let keeps = takeover && round != 1 && !message.is_empty();
                assert!(!keeps || compressor.is_holding(), "{}", at());
                assert!(takeover && round != 1 || !compressor.is_holding(), "{}", at());
                if random.one_in(20) {
                    compressor.release();
                    assert!(!compressor.is_holding());
                }
                text.extend_from_slice(&message);
            }
            assert!(readers.plain.farthest <= 1 << bits, "{bits} bits, {}", readers.plain.farthest);
            assert_eq!(readers.plain.finals, 0, "miniz_oxide would stop there, as others do");
            if takeover && round != 1 {
                farthest_before = farthest_before.max(readers.plain.farthest_before);
            } else {
                assert_eq!(readers.plain.farthest_before, 0, "{bits} bits, round {round}");
            }
        }
        // Otherwise nothing was tested. (zlib stays 262 bytes below the window.)
        assert!(farthest_before > (1 << bits) / 3, "{bits} bits, only {farthest_before}");
    }
}

/// RFC 7692 §7.2.1, FIELD: a compressor that does not forget breaks with a peer that does.
#[test]
fn without_takeover_a_message_is_the_same_each_time() {
    let config = [DeflateConfig::default(), DeflateConfig::small()];
    for (config, takeover) in [(&config[0], false), (&config[1], true), (&config[1], false)] {
        let mut compressor = Compressor::new(config, agreed(15, takeover));
        let mut random = Random::new(3);
        for _ in 0..50 {
            let message = random.message();
            let first = compress(&mut random.clone(), &mut compressor, &message);
            let again = compress(&mut random, &mut compressor, &message);
            assert!(first == again, "{} bytes", message.len());
        }
    }
}

#[test]
fn what_others_compress_we_inflate() {
    for round in 0..24 {
        let mut random = Random::new(1000 + round);
        let takeover = round % 3 != 0;
        let budget = if round % 4 == 1 { 0 } else { usize::MAX };
        let config = DeflateConfig::default().context_budget(budget);
        let mut deflater = Deflater::new(u32::try_from(round % 10).unwrap(), takeover);
        let mut decompressor = Decompressor::new(&config, agreed(15, takeover));
        let mut text = Vec::new();
        for index in 0..80 {
            let message = next(&mut random, &text);
            let mut rest = &message[..];
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(random.below(rest.len()) + 1);
                let flush = [FlushCompress::None, FlushCompress::Sync, FlushCompress::Full];
                deflater.part(part, flush[random.below(3)]);
                rest = behind;
            }
            let payload = match random.below(10) {
                0 => deflater.finish_final(true),
                1 => deflater.finish_final(false),
                _ => deflater.finish(),
            };
            let found = decompress(&mut random, &mut decompressor, &payload);
            assert!(found == message, "round {round}, message {index}");
            assert!(takeover && budget > 0 || !decompressor.is_holding(), "round {round}, message {index}");
            if random.one_in(5) {
                decompressor.release();
                assert!(!decompressor.is_holding());
            }
            text.extend_from_slice(&message);
        }
    }
}

#[test]
fn what_we_compress_we_inflate() {
    for round in 0..40 {
        let mut random = Random::new(2000 + round);
        let bits = 9 + u8::try_from(round % 7).unwrap();
        let agreed = agreed(bits, !round.is_multiple_of(5));
        let budget = |random: &mut Random| [0, 64 << 20, 100 << 10][random.below(3)];
        let config = |random: &mut Random| DeflateConfig::default().context_budget(budget(random));
        let mut compressor = Compressor::new(&config(&mut random), agreed);
        let mut decompressor = Decompressor::new(&config(&mut random), agreed);
        let mut text = Vec::new();
        for index in 0..60 {
            let message = next(&mut random, &text);
            let payload = compress(&mut random, &mut compressor, &message);
            let found = decompress(&mut random, &mut decompressor, &payload);
            assert!(found == message, "round {round}, message {index}");
            match random.below(8) {
                0 => compressor.release(),
                1 => decompressor.release(),
                _ => {}
            }
            text.extend_from_slice(&message);
        }
    }
}

/// Connections of one thread share what rests: nothing of one is to be seen by another.
#[test]
fn many_connections_of_a_thread_do_not_mix() {
    let mut random = Random::new(4);
    let mut connections: Vec<_> = (0..12)
        .map(|index| {
            let config = if index % 3 == 0 { DeflateConfig::small() } else { DeflateConfig::default() };
            let config = config.context_budget([usize::MAX, 0, 200 << 10][index % 3]);
            let agreed = agreed([15, 15, 9, 12][index % 4], index % 3 != 0);
            (Compressor::new(&config, agreed), Decompressor::new(&config, agreed), Vec::new())
        })
        .collect();
    for index in 0..1500 {
        let which = random.below(connections.len());
        let (compressor, decompressor, text) = &mut connections[which];
        let message = next(&mut random, text);
        let payload = compress(&mut random, compressor, &message);
        let found = decompress(&mut random, decompressor, &payload);
        assert!(found == message, "connection {which}, message {index}");
        text.extend_from_slice(&message);
    }
}

/// Where the flush just fits into what the compressor writes to, or just not.
#[test]
fn output_of_every_length_around_the_buffers_end() {
    const BUFFER: usize = 16 << 10;
    let noise = Random::new(5).noise(2 * BUFFER);
    let mut compressor = Compressor::new(&DeflateConfig::default(), agreed(15, false));
    let mut lengths = Vec::new();
    for length in BUFFER - 40..BUFFER + 10 {
        for flushes in 0..3 {
            let mut payload = BytesMut::new();
            compressor.compress(&noise[..length], &mut payload);
            for _ in 0..flushes {
                compressor.flush(&mut payload);
            }
            compressor.finish(&mut payload);
            lengths.push(payload.len());
            let found = decompress_message(&mut inflate(15, false), &payload);
            assert!(found.as_deref() == Ok(&noise[..length]), "{length} bytes, {flushes} flushes");
            assert!(Inflater::new(false).inflate(&payload) == noise[..length], "{length}, {flushes}");
        }
    }
    assert!((BUFFER - 20..BUFFER + 10).all(|length| lengths.contains(&length)), "{lengths:?}");
}

/// And where the message just fits into what the decompressor writes to.
#[test]
fn messages_of_every_length_around_the_buffers_end() {
    const BUFFER: usize = 16 << 10;
    for takeover in [true, false] {
        let mut deflater = Deflater::new(6, takeover);
        let (mut one, mut other) = (inflate(15, takeover), inflate(15, takeover));
        for length in (BUFFER - 5..BUFFER + 5).chain(2 * BUFFER - 2..2 * BUFFER + 2) {
            for byte in [b'a', b'b', b'b'] {
                let message = vec![byte; length];
                let payload = deflater.message(&message);
                deflater.part(&message, FlushCompress::None);
                for payload in [payload, deflater.finish_final(false)] {
                    let found = decompress_message(&mut one, &payload);
                    assert!(found.as_deref() == Ok(&message[..]), "{length}");
                    let found = decompress_in_parts(&mut other, &[&payload], BUFFER);
                    assert!(found.as_deref() == Ok(&message[..]), "{length}, in parts");
                }
            }
        }
    }
}

/// Nothing waits inside for the next part, which may come much later.
#[test]
fn a_part_gives_all_that_can_be_had_of_it() {
    for length in [40_000, 16 << 10, (16 << 10) + 100] {
        let payload = Deflater::new(9, false).message(&vec![b'a'; length]);
        let mut output = vec![0; length + 1];
        for cut in 0..=payload.len() {
            let progress = inflate(15, true).decompress(&payload[..cut], &mut output).unwrap();
            assert_eq!(progress.read, cut);
            let mut given = 0;
            let mut take = |piece: &[u8]| {
                assert!(!piece.is_empty());
                given += piece.len();
                Ok::<_, DeflateError>(())
            };
            inflate(15, true).decompress_with(&payload[..cut], &mut take).unwrap();
            assert_eq!(given, progress.written, "{cut} of {}, {length}", payload.len());
        }
        assert_eq!(inflate(15, true).decompress(&payload, &mut output).unwrap().written, length);
    }
}
