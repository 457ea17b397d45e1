//! What memory everything takes, counted by the allocator: so nothing else may run meanwhile, and this has no
//! harness.

mod support;

use std::alloc::System;

use bytes::BytesMut;
use sheave_hpack::{Decoder, Encoder, Error, Field, FieldList};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::Random;
use support::wire::{INCREMENTAL, WITHOUT, indexed, integer, literal, update};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    claimed_lengths();
    the_rest_is_freed();
    nothing_is_held_before_it_is_used();
    memory_of_tables();
    memory_of_changing_sizes();
    memory_of_a_bomb();
}

/// What `action` has left allocated or freed, and how much it allocated on the way.
fn allocated<T>(action: impl FnOnce() -> T) -> (T, isize, usize) {
    let region = Region::new(ALLOCATOR);
    let result = action();
    let change = region.change();
    (result, change.bytes_allocated as isize - change.bytes_deallocated as isize, change.bytes_allocated)
}

/// What a length claims is not reserved.
fn claimed_lengths() {
    for start in [
        [integer(0x40, 6, 0), integer(0x00, 7, 1 << 30)].concat(),
        [integer(0x40, 6, 0), integer(0x80, 7, 1 << 30)].concat(),
        [integer(0x00, 4, 1), integer(0x80, 7, 1 << 30)].concat(),
    ] {
        let mut decoder = Decoder::new(1 << 20);
        let mut list = FieldList::new(1 << 20);
        let ((), held, _) = allocated(|| {
            decoder.decode(&start, false, &mut list).unwrap();
            for _ in 0..1000 {
                decoder.decode(b"x", false, &mut list).unwrap();
            }
        });
        assert!(held < 4096, "{held}");
        assert_eq!(decoder.decode(b"", true, &mut list), Err(Error::Truncated));
    }
}

/// What has been kept for the next fragment is given back.
fn the_rest_is_freed() {
    let mut decoder = Decoder::default();
    let mut list = FieldList::new(0);
    let block = literal(WITHOUT, b"name", &[b'v'; 100_000]);
    let ((), held, _) = allocated(|| {
        decoder.decode(&block[..90_000], false, &mut list).unwrap();
        decoder.decode(&block[90_000..], true, &mut list).unwrap();
    });
    assert_eq!(held, 0);
}

/// A connection that has sent and received nothing.
fn nothing_is_held_before_it_is_used() {
    let (_values, _, allocated_bytes) =
        allocated(|| (Decoder::new(1 << 20), Encoder::with_max_table_size(1 << 20), FieldList::new(1 << 20)));
    assert_eq!(allocated_bytes, 0);
    // One block at a time, most of all, and that without a table.
    let (mut encoder, mut decoder) = (Encoder::with_max_table_size(0), Decoder::new(0));
    let mut block = BytesMut::with_capacity(1000);
    let mut list = FieldList::new(1000);
    let mut exchange = || {
        block.clear();
        list.clear();
        encoder.encode([Field::new(":method", "GET"), Field::new("a", "value")], &mut block);
        decoder.decode(&block, true, &mut list).unwrap();
    };
    exchange();
    assert_eq!(allocated(exchange).2, 0);
}

/// A table at work: no allocation for a field once there is room for all.
fn memory_of_tables() {
    for max_size in [512, 4096, 65_536] {
        let (mut block, mut list) = (BytesMut::with_capacity(1 << 20), FieldList::new(1 << 20));
        let mut random = Random::new(9);
        let (mut coders, ..) = allocated(|| (Encoder::with_max_table_size(max_size), Decoder::new(max_size)));
        coders.0.set_max_table_size(max_size);
        let mut exchange = |fields: &[support::Line]| {
            block.clear();
            list.clear();
            coders.0.encode(fields.iter().map(support::field), &mut block);
            coders.1.decode(&block, true, &mut list).unwrap();
        };
        let fields: Vec<_> = (0..4000).map(|_| vec![random.field()]).collect();
        exchange(&fields.concat());
        let ((), held, _) = allocated(|| fields.iter().for_each(|fields| exchange(fields)));
        assert!(held < max_size as isize, "{held} of {max_size}");
        let held = {
            let region = Region::new(ALLOCATOR);
            drop(coders);
            region.change().bytes_deallocated
        };
        assert!(held < 2 * 3 * max_size + 3000, "{held} for {max_size}");
    }
}

/// Sizes that go up and down leave nothing behind.
fn memory_of_changing_sizes() {
    let mut decoder = Decoder::new(1 << 20);
    let mut list = FieldList::new(0);
    let ((), held, _) = allocated(|| {
        for _ in 0..100 {
            let mut block = update(1 << 20);
            (0..100).for_each(|_| block.extend(literal(INCREMENTAL, b"name", &[b'v'; 5000])));
            decoder.decode(&block, true, &mut list).unwrap();
            decoder.decode(&[update(100), indexed(2)].concat(), true, &mut list).unwrap();
        }
        list = FieldList::new(0);
    });
    assert!(held < 300, "{held}");
    let ((), freed, _) = allocated(|| decoder.decode(&update(0), true, &mut list).unwrap());
    assert!(held + freed == 0, "{held} {freed}");
}

/// A list takes a small multiple of its limit, whatever it is made of.
fn memory_of_a_bomb() {
    let limit = 65_536;
    let mut decoder = Decoder::default();
    let entry = literal(INCREMENTAL, b"a", &[b'b'; 4000]);
    support::decode(&mut decoder, &entry).unwrap();
    for block in [
        indexed(62).repeat(100_000),
        entry.repeat(1000),
        literal(WITHOUT, b"", b"").repeat(100_000),
        literal(WITHOUT, b"a", &[b'v'; 1_000_000]),
        literal(WITHOUT, b"cookie", b"").repeat(10_000),
        literal(WITHOUT, b"cookie", &[b'v'; 10_000]).repeat(100),
    ] {
        let mut list = FieldList::new(limit).join_cookies(true);
        let ((), held, _) = allocated(|| decoder.decode(&block, true, &mut list).unwrap());
        assert!(list.is_overflowed());
        assert!(held < 5 * limit as isize, "{held}");
    }
}
