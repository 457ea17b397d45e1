//! What a peer can make us inflate and hold, counted by the allocator.

mod support;

use std::alloc::System;

use bytes::BytesMut;
use sheave_deflate::{Compressor, Decompressor, DeflateConfig, DeflateError};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{Deflater, Random, agreed, alone, bomb, decompress_message, inflate};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// A decompressor, its history and the thread's buffer.
const STATE: usize = 128 * KIB;

/// What the test harness may allocate or give back in between: so each measures a hundred at once.
const SLACK: usize = 4 * KIB;

/// How many bytes are allocated now.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Asserts that no more is held than then.
fn assert_no_more_than(before: usize, at: &str) {
    let now = held();
    assert!(now <= before + SLACK, "{at}: {} bytes", now - before);
}

/// How many bytes have been allocated since, whether or not they have been given back: no peak is higher.
fn allocated(since: usize) -> usize {
    ALLOCATOR.stats().bytes_allocated - since
}

#[test]
fn a_bomb_stops_at_the_limit() {
    alone(|| {
        let (bomb, length) = bomb();
        for takeover in [true, false] {
            for limit in [0, 1, 1000, 16 * KIB, 64 * KIB - 1, MIB, MIB + 16 * KIB, 8 * MIB] {
                assert!(limit < length);
                let mut decompressor = inflate(15, takeover);
                let mut output = BytesMut::new();
                let before = ALLOCATOR.stats().bytes_allocated;
                let found = decompressor.decompress_message(&bomb, limit, &mut output);
                let grown = allocated(before);
                assert_eq!(found, Err(DeflateError::TooLarge), "{limit}");
                assert!(output.len() <= limit, "{limit}: {} bytes", output.len());
                assert!(output.iter().all(|byte| *byte == 0));
                assert!(grown < 2 * limit + STATE, "{limit}: {grown} bytes");
                // As the buffer grows by doubling, there is less to spare for some limits than for these.
                assert!(
                    !limit.is_power_of_two() || limit < MIB || grown < limit + STATE,
                    "{limit}: {grown} bytes"
                );
            }
        }
    });
}

#[test]
fn a_bomb_in_fragments_stops_at_the_limit() {
    alone(|| {
        let (bomb, _) = bomb();
        let limit = MIB;
        let (mut decompressor, mut message) = (inflate(15, true), BytesMut::new());
        let before = ALLOCATOR.stats().bytes_allocated;
        let mut take = |piece: &[u8]| {
            if message.len() + piece.len() > limit {
                return Err(DeflateError::TooLarge);
            }
            message.extend_from_slice(piece);
            Ok(())
        };
        let fragments = bomb.chunks(100).map(|part| decompressor.decompress_with(part, &mut take));
        let fragments = fragments.take_while(Result::is_ok).count();
        let grown = allocated(before);
        assert!(fragments < bomb.len() / 100 / 500, "{fragments} fragments");
        assert!(message.len() <= limit && message.len() > limit - 16 * KIB, "{}", message.len());
        assert!(grown < 2 * limit, "{grown} bytes");
    });
}

#[test]
fn a_bomb_inflates_into_no_more_than_the_room_given() {
    alone(|| {
        let (bomb, _) = bomb();
        let limit = 2 * MIB;
        for takeover in [true, false] {
            for room in [1000, 4 * KIB, 100 * KIB] {
                let mut decompressor = inflate(15, takeover);
                // What lies behind the room is not touched.
                let mut output = vec![0xaa; room + 100];
                let (mut read, mut written) = (0, 0);
                let before = ALLOCATOR.stats().bytes_allocated;
                while written + room <= limit {
                    let progress = decompressor.decompress(&bomb[read..], &mut output[..room]).unwrap();
                    assert_eq!(progress.written, room, "there is more, so it is full");
                    read += progress.read;
                    written += progress.written;
                }
                let grown = allocated(before);
                assert!(grown < STATE, "{room}: {grown} bytes");
                assert!(read < bomb.len() / 200, "{read} bytes read ahead");
                assert!(output[room..].iter().all(|byte| *byte == 0xaa));
                // No room, nothing written, nothing read.
                let progress = decompressor.decompress(&bomb[read..], &mut []).unwrap();
                assert_eq!((progress.read, progress.written), (0, 0));
            }
        }
    });
}

#[test]
fn the_limit_is_exact() {
    alone(|| {
        let mut random = Random::new(1);
        for takeover in [true, false] {
            for length in [0, 1, 2, 300, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 50_000] {
                let message = random.message_of(length);
                for last in [false, true] {
                    let mut deflater = Deflater::new(6, takeover);
                    deflater.part(&message, flate2::FlushCompress::None);
                    let payload = if last { deflater.finish_final(false) } else { deflater.finish() };
                    let mut output = BytesMut::new();
                    let found = inflate(15, takeover).decompress_message(&payload, length, &mut output);
                    assert!(found.is_ok() && output == message, "{length}");
                    if let Some(limit) = length.checked_sub(1) {
                        let mut output = BytesMut::from("> ");
                        let found = inflate(15, takeover).decompress_message(&payload, limit, &mut output);
                        assert_eq!(found, Err(DeflateError::TooLarge), "{length}");
                        assert!(output.len() - 2 <= limit, "{length}: {}", output.len());
                    }
                }
            }
        }
    });
}

#[test]
fn nothing_is_held_before_use() {
    alone(|| {
        for config in [DeflateConfig::default(), DeflateConfig::small()] {
            let mut all = Vec::with_capacity(1000);
            let before = held();
            for _ in 0..1000 {
                let agreed = agreed(15, true);
                all.push((Compressor::new(&config, agreed), Decompressor::new(&config, agreed)));
            }
            assert_no_more_than(before, "new");
            // Nor by a compressor that had nothing to compress, or when there is nothing to give back.
            let mut output = BytesMut::with_capacity(8 * KIB);
            let before = held();
            for (compressor, decompressor) in &mut all {
                compressor.compress_message(b"", &mut output);
                compressor.release();
                decompressor.release();
                assert!(!compressor.is_holding() && !decompressor.is_holding());
            }
            assert_no_more_than(before, "after an empty message");
            assert_eq!(output[..], [0; 1000]);
        }
    });
}

/// Lets the thread's pool fill up: all that it holds is there from now on.
fn warm(config: &DeflateConfig, bits: u8) {
    let agreed = agreed(bits, true);
    let mut all: Vec<_> =
        (0..10).map(|_| (Compressor::new(config, agreed), Decompressor::new(config, agreed))).collect();
    for (compressor, decompressor) in &mut all {
        exchange(compressor, decompressor, &[b'x'; 1000]);
    }
    for (compressor, decompressor) in &mut all {
        compressor.release();
        decompressor.release();
    }
}

fn exchange(compressor: &mut Compressor, decompressor: &mut Decompressor, message: &[u8]) {
    let mut payload = BytesMut::new();
    compressor.compress_message(message, &mut payload);
    assert!(decompress_message(decompressor, &payload).as_deref() == Ok(message));
}

/// Inflates a message to nowhere.
fn swallow(decompressor: &mut Decompressor, payload: &[u8]) {
    decompressor.decompress_with(payload, |_| Ok::<_, DeflateError>(())).unwrap();
    decompressor.finish_with(|_| Ok::<_, DeflateError>(())).unwrap();
}

#[test]
fn a_released_decompressor_holds_at_most_the_agreed_window() {
    alone(|| {
        let noise = Random::new(2).noise(40_000);
        let lengths = [1, 20, 300, 5_000, 40_000];
        let payloads = lengths.map(|length| Deflater::new(0, false).message(&noise[..length]));
        warm(&DeflateConfig::default(), 15);
        for bits in 8..=15 {
            let window = 1 << bits;
            let mut all: Vec<_> = (0..100).map(|_| inflate(bits, true)).collect();
            let before = held();
            let mut total = 0;
            for (payload, length) in payloads.iter().zip(lengths) {
                total += length;
                for decompressor in &mut all {
                    swallow(decompressor, payload);
                    decompressor.release();
                    assert!(!decompressor.is_holding());
                }
                let at = format!("{bits} bits, {total} bytes");
                assert_no_more_than(before + 100 * window, &at);
                // Short conversations hold little.
                assert_no_more_than(before + 100 * (2 * total).max(16), &at);
                let least = 100 * total.min(window);
                assert!(held() + SLACK >= before + least, "{at}: less than the peer may refer back to");
            }
            drop(all);
            assert_no_more_than(before, "dropped");
        }
    });
}

#[test]
fn a_released_decompressor_without_takeover_holds_nothing() {
    alone(|| {
        warm(&DeflateConfig::default(), 15);
        let payload = Deflater::new(6, false).message(&[b'x'; 40_000]);
        let mut all: Vec<_> = (0..100).map(|_| inflate(15, false)).collect();
        let before = held();
        for decompressor in &mut all {
            swallow(decompressor, &payload);
            assert!(!decompressor.is_holding());
        }
        assert_no_more_than(before, "after a message");
    });
}

#[test]
fn released_compressors_hold_nothing_beyond_the_pool() {
    alone(|| {
        for bits in [9, 12, 15] {
            let config = DeflateConfig::default().context_budget(usize::MAX).window_bits(bits);
            warm(&config, bits);
            let mut all: Vec<_> = (0..100).map(|_| Compressor::new(&config, agreed(15, true))).collect();
            let mut output = BytesMut::with_capacity(MIB);
            let before = held();
            for compressor in &mut all {
                compressor.compress_message(&[b'x'; 5000], &mut output);
                assert!(compressor.is_holding());
            }
            // 4 came from the pool.
            assert!(held() - before > 96 * 128 * KIB, "they hold a lot");
            for (index, compressor) in all.iter_mut().enumerate() {
                if index % 2 == 0 {
                    compressor.release();
                } else {
                    drop(compressor.take_context());
                }
                assert!(!compressor.is_holding());
            }
            assert_no_more_than(before, &format!("{bits} bits"));
        }
    });
}

#[test]
fn what_is_dropped_in_use_is_given_back() {
    alone(|| {
        let config = DeflateConfig::default().context_budget(usize::MAX);
        let mut payload = BytesMut::with_capacity(100 * KIB);
        let mut message = BytesMut::with_capacity(100 * KIB);
        warm(&config, 15);
        let before = held();
        for inside in [false, true] {
            let mut all = Vec::new();
            for _ in 0..100 {
                let mut compressor = Compressor::new(&config, agreed(15, true));
                let mut decompressor = Decompressor::new(&config, agreed(15, true));
                payload.clear();
                message.clear();
                compressor.compress_message(&[b'x'; 40_000], &mut payload);
                decompressor.decompress_message(&payload, MIB, &mut message).unwrap();
                if inside {
                    compressor.compress(b"Hello", &mut payload);
                    decompressor.decompress(&[0xf2, 0x48, 0xcd], &mut [0; 10]).unwrap();
                }
                all.push((compressor, decompressor));
            }
            assert!(held() - before > 90 * 300 * KIB);
            drop(all);
            // The pool's have been used up, too.
            assert_no_more_than(before, "dropped");
        }
    });
}

#[test]
fn small_holds_nothing_between_messages() {
    alone(|| {
        let config = DeflateConfig::small();
        warm(&config, 15);
        // Whatever the other side's configuration is.
        let (_, ours) = config.answer(&config.offer()).unwrap();
        let (_, others) = config.answer(&DeflateConfig::default().offer()).unwrap();
        for direction in [ours.client, ours.server, others.client, others.server] {
            assert!(!direction.context_takeover);
            let mut all: Vec<_> = (0..100)
                .map(|_| (Compressor::new(&config, direction), Decompressor::new(&config, direction)))
                .collect();
            let before = held();
            for length in [1, 100, 10_000] {
                for (compressor, decompressor) in &mut all {
                    exchange(compressor, decompressor, &vec![b'x'; length]);
                    assert!(!compressor.is_holding() && !decompressor.is_holding());
                }
                assert_no_more_than(before, &format!("{length} bytes"));
            }
        }
    });
}

/// Four compressors, four decompressors and a buffer, whatever the configurations and however many connections.
#[test]
fn a_thread_keeps_little_and_gives_it_back_at_its_end() {
    alone(|| {
        let before = held();
        let thread = std::thread::spawn(move || {
            for level in [1, 6, 9] {
                for bits in 9..=15 {
                    warm(&DeflateConfig::default().level(level).window_bits(bits), bits);
                    assert_no_more_than(before + 4 * (375 + 48) * KIB + 16 * KIB, "kept");
                }
            }
        });
        thread.join().unwrap();
        assert_no_more_than(before, "at its end");
    });
}
