//! `context_budget`, which is the whole process's: so these tests run one at a time, in a process of their own.

mod support;

use std::alloc::System;

use bytes::BytesMut;
use sheave_deflate::{Compressor, Decompressor, DeflateConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{agreed, alone, decompress_message};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

fn with_budget(bytes: usize) -> DeflateConfig {
    DeflateConfig::default().context_budget(bytes)
}

fn compressor(config: &DeflateConfig) -> Compressor {
    Compressor::new(config, agreed(15, true))
}

fn decompressor(config: &DeflateConfig) -> Decompressor {
    Decompressor::new(config, agreed(15, true))
}

/// Whether it holds anything after a message.
fn holds(compressor: &mut Compressor) -> bool {
    compressor.compress_message(b"Hello", &mut BytesMut::new());
    compressor.is_holding()
}

/// Whether it holds anything after a message.
fn keeps(decompressor: &mut Decompressor) -> bool {
    assert_eq!(decompress_message(decompressor, &HELLO).as_deref(), Ok(&b"Hello"[..]));
    decompressor.is_holding()
}

/// The least budget that `fits`.
fn least(fits: impl Fn(usize) -> bool) -> usize {
    let (mut small, mut large) = (0, MIB);
    assert!(fits(large));
    while large - small > 1 {
        let middle = small.midpoint(large);
        if fits(middle) {
            large = middle;
        } else {
            small = middle;
        }
    }
    large
}

/// What one compressor, and one decompressor, counts for.
fn sizes() -> (usize, usize) {
    let compressor_size = least(|budget| holds(&mut compressor(&with_budget(budget))));
    let decompressor_size = least(|budget| keeps(&mut decompressor(&with_budget(budget))));
    (compressor_size, decompressor_size)
}

#[test]
fn what_counts_is_what_is_allocated() {
    alone(|| {
        let mut output = BytesMut::with_capacity(MIB);
        // The thread's buffer, which does not count.
        compressor(&with_budget(0)).compress_message(b"Hello", &mut output);
        for bits in 9..=15 {
            for memory_level in 1..=9 {
                let config = |budget| with_budget(budget).window_bits(bits).memory_level(memory_level);
                let mut first = compressor(&config(usize::MAX));
                let before = held();
                first.compress_message(b"Hello", &mut output);
                let real = held() - before;
                drop(first);
                let counted = least(|budget| holds(&mut compressor(&config(budget))));
                let about = counted - counted / 20..counted + counted / 20;
                assert!(about.contains(&real), "{bits} bits, {memory_level}: {real} for {counted}");
                output.clear();
            }
        }
        // Not the first, for the one that `sizes` has used may be in the pool.
        let (_, counted) = sizes();
        let mut all: Vec<_> = (0..20).map(|_| decompressor(&with_budget(usize::MAX))).collect();
        assert!(all[..10].iter_mut().all(keeps));
        let before = held();
        assert!(all[10..].iter_mut().all(keeps));
        let real = (held() - before) / 10;
        let about = counted - counted / 20..counted + counted / 20;
        assert!(about.contains(&real), "{real} for {counted}");
    });
}

#[test]
fn a_thousand_compressors_keep_to_the_budget() {
    alone(|| {
        let (size, _) = sizes();
        for budget in [0, size - 1, 10 * size, 8 * MIB] {
            let config = with_budget(budget);
            let mut all: Vec<_> = (0..1000).map(|_| compressor(&config)).collect();
            let before = held();
            for round in 0..2 {
                for (index, compressor) in all.iter_mut().enumerate() {
                    // Who came first keeps it.
                    assert_eq!(holds(compressor), index < budget / size, "{budget}, {round}, {index}");
                }
                // The pool has at most 4 more, and the thread a buffer.
                let most = budget + budget / 20 + 4 * size + 32 * KIB;
                assert!(held() - before < most, "{budget}: {}", held() - before);
            }
            drop(all);
            assert!(holds(&mut compressor(&with_budget(size))), "nothing counts any more");
        }
    });
}

#[test]
fn a_thousand_decompressors_keep_to_the_budget() {
    alone(|| {
        let (_, size) = sizes();
        for budget in [0, size - 1, 10 * size, 8 * MIB] {
            let config = with_budget(budget);
            let mut all: Vec<_> = (0..1000).map(|_| decompressor(&config)).collect();
            let before = held();
            for (index, decompressor) in all.iter_mut().enumerate() {
                assert_eq!(keeps(decompressor), index < budget / size, "{budget}, {index}");
            }
            let most = budget + budget / 20 + 4 * size + 64 * KIB;
            assert!(held() - before < most, "{budget}: {}", held() - before);
            drop(all);
            assert!(keeps(&mut decompressor(&with_budget(size))), "nothing counts any more");
        }
    });
}

#[test]
fn compressors_and_decompressors_share_the_budget() {
    alone(|| {
        let (large, small) = sizes();
        let config = with_budget(large + small);
        let mut first = (compressor(&config), decompressor(&config));
        assert!(holds(&mut first.0) && keeps(&mut first.1));
        let mut second = (compressor(&config), decompressor(&config));
        assert!(!holds(&mut second.0) && !keeps(&mut second.1));
        // Who has more to spend does not care, who has less finds nothing.
        let mut more = (compressor(&with_budget(2 * large + small)), compressor(&with_budget(0)));
        assert!(holds(&mut more.0) && !holds(&mut more.1));
        drop(more);
        // What one gives back is another's, and it has to wait for it.
        first.1.release();
        assert!(!holds(&mut second.0) && keeps(&mut second.1) && !keeps(&mut first.1));
        first.0.release();
        assert!(holds(&mut second.0) && !holds(&mut first.0));
        drop(second);
        assert!(holds(&mut first.0) && keeps(&mut first.1));
    });
}

#[test]
fn a_context_counts_wherever_it_is() {
    alone(|| {
        let (size, _) = sizes();
        let config = with_budget(size);
        let (mut one, mut other) = (compressor(&config), compressor(&config));
        assert!(holds(&mut one));
        let context = one.take_context().unwrap();
        assert!(!holds(&mut other));
        one.set_context(context);
        assert!(!holds(&mut other) && holds(&mut one));
        drop(one.take_context());
        assert!(holds(&mut other) && !holds(&mut one));
    });
}

#[test]
fn one_counts_once_however_many_its_messages() {
    alone(|| {
        let (large, small) = sizes();
        let config = with_budget(large + small);
        let (mut compressor, mut decompressor) = (compressor(&config), decompressor(&config));
        for round in 0..1000 {
            assert!(holds(&mut compressor) && keeps(&mut decompressor), "{round}");
            if round % 7 == 0 {
                compressor.release();
                compressor.release();
            }
            if round % 5 == 0 {
                decompressor.release();
                decompressor.release();
            }
        }
    });
}

#[test]
fn what_holds_nothing_does_not_count() {
    alone(|| {
        let (large, small) = sizes();
        let config = with_budget(large + small);
        // New, without takeover, after nothing but an empty message, inside the first message.
        let mut idle: Vec<_> = (0..10).map(|_| (compressor(&config), decompressor(&config))).collect();
        let forgetful = config.clone().context_takeover(false);
        let mut without = (compressor(&forgetful), Decompressor::new(&config, agreed(15, false)));
        assert!(!holds(&mut without.0) && !keeps(&mut without.1));
        for (compressor, _) in &mut idle[..5] {
            compressor.compress_message(b"", &mut BytesMut::new());
            assert!(!compressor.is_holding());
        }
        for (compressor, decompressor) in &mut idle[5..] {
            compressor.compress(b"Hello", &mut BytesMut::new());
            decompressor.decompress(&HELLO, &mut [0; 10]).unwrap();
            assert!(compressor.is_holding() && decompressor.is_holding());
        }
        let mut first = (compressor(&config), decompressor(&config));
        assert!(holds(&mut first.0) && keeps(&mut first.1));
        // And those find no room at the end of it.
        for (compressor, decompressor) in &mut idle[5..] {
            compressor.finish(&mut BytesMut::new());
            assert!(decompressor.finish(&mut [0; 10]).unwrap().1);
            assert!(!compressor.is_holding() && !decompressor.is_holding());
        }
    });
}

/// A decompressor without room for itself still knows what the peer refers back to; a compressor without room
/// refers back to nothing.
#[test]
fn without_a_budget_all_goes_on() {
    alone(|| {
        let config = with_budget(0);
        let (mut compressor, mut decompressor) = (compressor(&config), decompressor(&config));
        for _ in 0..3 {
            let mut payload = BytesMut::new();
            compressor.compress_message(b"Hello", &mut payload);
            assert_eq!(payload[..], HELLO);
            assert!(!keeps(&mut decompressor));
            let again = [0xf2, 0x00, 0x11, 0x00, 0x00]; // RFC 7692 §7.2.3.2
            assert_eq!(decompress_message(&mut decompressor, &again).as_deref(), Ok(&b"Hello"[..]));
            assert!(!compressor.is_holding() && !decompressor.is_holding());
        }
    });
}

#[test]
fn threads_share_the_budget() {
    alone(|| {
        let (size, _) = sizes();
        let config = with_budget(20 * size);
        let holding: Vec<_> = std::thread::scope(|scope| {
            let work = || {
                let mut all: Vec<_> = (0..50).map(|_| compressor(&config)).collect();
                for round in 0..4 {
                    for compressor in all.iter_mut().skip(round).step_by(3) {
                        if holds(compressor) && round % 2 == 0 {
                            compressor.release();
                        }
                    }
                }
                all.iter_mut().for_each(|compressor| assert!(holds(compressor) == compressor.is_holding()));
                all
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(holding.iter().filter(|compressor| compressor.is_holding()).count(), 20);
        drop(holding);
        let mut all: Vec<_> = (0..30).map(|_| compressor(&config)).collect();
        assert_eq!(all.iter_mut().map(holds).filter(|holds| *holds).count(), 20);
    });
}
