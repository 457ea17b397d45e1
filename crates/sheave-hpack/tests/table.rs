//! RFC 7541 §2.3, §4 and §6.3: the tables, as one who sends blocks sees them.

mod support;

use sheave_hpack::{Decoder, Error};
use support::wire::{INCREMENTAL, NEVER, WITHOUT, indexed, literal, literal_named, update};
use support::{decode, decode_any_way, entries, line};

/// §2.3.3, §6.1
#[test]
fn indices() {
    let mut decoder = Decoder::default();
    decode(&mut decoder, &literal(INCREMENTAL, b"a", b"b")).unwrap();
    for (index, expected) in [
        (0, Err(Error::InvalidIndex)),
        (1, Ok(line(":authority", ""))),
        (16, Ok(line("accept-encoding", "gzip, deflate"))),
        (61, Ok(line("www-authenticate", ""))),
        (62, Ok(line("a", "b"))),
        (63, Err(Error::InvalidIndex)),
        (127, Err(Error::InvalidIndex)),
        (1 << 31, Err(Error::InvalidIndex)),
        (u32::MAX as usize, Err(Error::InvalidIndex)),
    ] {
        let mut decoder = decoder.clone();
        assert_eq!(
            decode_any_way(&mut decoder.clone(), &indexed(index)),
            expected.clone().map(|line| vec![line])
        );
        if index > 0 {
            let name = expected.map(|(name, ..)| vec![(name, b"c".to_vec(), false)]);
            for kind in [INCREMENTAL, WITHOUT] {
                assert_eq!(decode_any_way(&mut decoder.clone(), &literal_named(kind, index, b"c")), name);
            }
            let name = name.map(|mut lines| {
                lines[0].2 = true;
                lines
            });
            assert_eq!(decode_any_way(&mut decoder, &literal_named(NEVER, index, b"c")), name);
        }
    }
}

/// §2.3.2: the newest first, and duplicates are no error.
#[test]
fn order_of_entries() {
    let mut decoder = Decoder::default();
    for (name, value) in [("a", "1"), ("b", "2"), ("a", "1")] {
        decode(&mut decoder, &literal(INCREMENTAL, name.as_bytes(), value.as_bytes())).unwrap();
    }
    let found = entries(&decoder);
    assert_eq!(found, [("a", "1"), ("b", "2"), ("a", "1")].map(|(name, value)| (name.into(), value.into())));
    assert_eq!(decoder.table_size(), 3 * 34);
}

/// §4.1
#[test]
fn sizes() {
    let mut decoder = Decoder::default();
    for (name, value, size) in [("", "", 32), ("a", "", 65), ("", "b", 98), ("abc", "defgh", 138)] {
        decode(&mut decoder, &literal(INCREMENTAL, name.as_bytes(), value.as_bytes())).unwrap();
        assert_eq!(decoder.table_size(), size);
    }
}

/// §4.4
#[test]
fn eviction() {
    let mut decoder = Decoder::new(100);
    let mut add = |name: &str| {
        decode_any_way(&mut decoder, &literal(INCREMENTAL, name.as_bytes(), b"")).unwrap();
        (entries(&decoder).into_iter().map(|(name, _)| name.len()).collect::<Vec<_>>(), decoder.table_size())
    };
    for (name, expected, size) in [
        (1, &[1][..], 33),
        (2, &[2, 1], 67),
        // Exactly what is left.
        (1, &[1, 2, 1], 100),
        // One out for one in.
        (1, &[1, 1, 2], 100),
        (3, &[3, 1], 68),
        // As large as the table.
        (68, &[68], 100),
        (0, &[0], 32),
        (0, &[0, 0], 64),
        // Larger than the table: "not an error".
        (69, &[], 0),
        (4, &[4], 36),
        (10_000, &[], 0),
    ] {
        assert_eq!(add(&"n".repeat(name)), (expected.to_vec(), size), "{name}");
    }
}

/// §4.4: "A new entry can reference the name of an entry in the dynamic table that will be evicted when adding this
/// new entry".
#[test]
fn name_of_an_evicted_entry() {
    let mut decoder = Decoder::new(64);
    decode(&mut decoder, &literal(INCREMENTAL, b"name", b"first")).unwrap();
    for value in [
        "second",
        "third",
        "a value that fits in with it",
        "a value that is larger than the table, so that all go",
    ] {
        let block = literal_named(INCREMENTAL, 62, value.as_bytes());
        assert_eq!(decode_any_way(&mut decoder, &block), Ok(vec![line("name", value)]));
    }
    assert_eq!(decode(&mut decoder, &literal_named(INCREMENTAL, 62, b"gone")), Err(Error::InvalidIndex));
}

/// §4.3, §6.3
#[test]
fn size_updates() {
    let full = || {
        let mut decoder = Decoder::new(200);
        for name in ["a", "b", "c"] {
            decode(&mut decoder, &literal(INCREMENTAL, name.as_bytes(), b"")).unwrap();
        }
        decoder
    };
    let method = indexed(2);
    for (block, expected, size) in [
        (update(200), Ok(0), 99),
        (update(99), Ok(0), 99),
        (update(98), Ok(0), 66),
        (update(33), Ok(0), 33),
        (update(32), Ok(0), 0),
        (update(0), Ok(0), 0),
        (update(201), Err(Error::SizeUpdateTooLarge), 0),
        (update(u32::MAX as usize), Err(Error::SizeUpdateTooLarge), 0),
        ([update(0), update(200)].concat(), Ok(0), 0),
        ([update(40), update(200), method.clone()].concat(), Ok(1), 33),
        // More than two are of no use, but of no harm either.
        ([update(200), update(150), update(66), update(200)].concat(), Ok(0), 66),
        // Only at the beginning of a block.
        ([method.clone(), update(200)].concat(), Err(Error::SizeUpdateMisplaced), 0),
        ([update(200), method.clone(), update(200)].concat(), Err(Error::SizeUpdateMisplaced), 0),
        ([update(200), method.clone(), update(0)].concat(), Err(Error::SizeUpdateMisplaced), 0),
    ] {
        let mut decoder = full();
        let found = decode_any_way(&mut decoder, &block).map(|lines| lines.len());
        assert_eq!(found, expected, "{block:02x?}");
        if expected.is_ok() {
            assert_eq!(decoder.table_size(), size, "{block:02x?}");
            // The next block begins anew.
            decode(&mut decoder, &[update(0), indexed(2)].concat()).unwrap();
        }
    }
}

/// §4.2: what the decoder's own side changes.
#[test]
fn size_updates_that_are_owed() {
    let method = indexed(2);
    for (limits, block, expected) in [
        // Lowered: the encoder has to follow.
        (&[100][..], method.clone(), Err(Error::SizeUpdateMissing)),
        (&[100], [update(100), method.clone()].concat(), Ok(())),
        (&[100], [update(7), method.clone()].concat(), Ok(())),
        (&[100], update(101), Err(Error::SizeUpdateTooLarge)),
        (&[0], method.clone(), Err(Error::SizeUpdateMissing)),
        (&[0], [update(0), method.clone()].concat(), Ok(())),
        // A block with nothing in it needs nothing.
        (&[100], vec![], Ok(())),
        // Raised, or as it was: it may do as it likes.
        (&[4096], method.clone(), Ok(())),
        (&[8192], method.clone(), Ok(())),
        (&[8192], [update(8192), method.clone()].concat(), Ok(())),
        (&[8192, 4096], method.clone(), Ok(())),
        (&[8192], update(8193), Err(Error::SizeUpdateTooLarge)),
        // Lowered for a while: the lowest has to come first.
        (&[100, 4096], method.clone(), Err(Error::SizeUpdateMissing)),
        (&[100, 4096], [update(4096), method.clone()].concat(), Err(Error::SizeUpdateMissing)),
        (&[100, 4096], [update(100), method.clone()].concat(), Ok(())),
        (&[100, 4096], [update(100), update(4096), method.clone()].concat(), Ok(())),
        (&[300, 100, 200], [update(200), method.clone()].concat(), Err(Error::SizeUpdateMissing)),
        (&[300, 100, 200], [update(100), update(200), method.clone()].concat(), Ok(())),
        (&[300, 100, 200], [update(100), update(201)].concat(), Err(Error::SizeUpdateTooLarge)),
    ] {
        let mut decoder = Decoder::default();
        for &limit in limits {
            decoder.set_max_table_size(limit);
        }
        let found = decode_any_way(&mut decoder, &block).map(|_| ());
        assert_eq!(found, expected, "{limits:?} {block:02x?}");
    }
    // Once it has been said, it need not be said again.
    let mut decoder = Decoder::default();
    decoder.set_max_table_size(100);
    assert_eq!(decode(&mut decoder, &[]), Ok(vec![]));
    assert_eq!(decode(&mut decoder, &update(50)), Ok(vec![]));
    assert_eq!(decode(&mut decoder, &method), Ok(vec![line(":method", "GET")]));
    decoder.set_max_table_size(60);
    assert_eq!(decode(&mut decoder, &method), Ok(vec![line(":method", "GET")]));
    decoder.set_max_table_size(49);
    assert_eq!(decode(&mut decoder, &method), Err(Error::SizeUpdateMissing));
}

/// §4.2: until the encoder says so, the table stays as it is.
#[test]
fn entries_stay_until_the_update() {
    let mut decoder = Decoder::default();
    decode(&mut decoder, &literal(INCREMENTAL, b"a", b"b")).unwrap();
    decoder.set_max_table_size(0);
    assert_eq!(decoder.table_size(), 34);
    assert_eq!(decode(&mut decoder, &update(0)), Ok(vec![]));
    assert_eq!(decoder.table_size(), 0);
    decode(&mut decoder, &literal(INCREMENTAL, b"a", b"b")).unwrap();
    assert_eq!(decoder.table_size(), 0);
}
