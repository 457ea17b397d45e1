//! What a block becomes: the list, its limit (RFC 9113 §6.5.2), sensitive fields (RFC 7541 §6.2.3), cookies
//! (RFC 9113 §8.2.3).

mod support;

use sheave_hpack::{Decoder, Field, FieldList};
use support::wire::{
    INCREMENTAL, NEVER, WITHOUT, encode_huffman, huffman, indexed, integer, literal, string,
};
use support::{decode, decode_any_way, entries, line, lines};

/// Decodes one block into a list with a limit.
fn decode_within(decoder: &mut Decoder, limit: usize, block: &[u8]) -> FieldList {
    let mut list = FieldList::new(limit);
    decoder.decode(block, true, &mut list).unwrap();
    list
}

#[test]
fn a_list_of_fields() {
    let mut list = FieldList::new(1000);
    assert!(list.is_empty() && list.iter().next().is_none() && list.share().iter().next().is_none());
    let block = [indexed(2), literal(NEVER, b"k", b"secret"), literal(WITHOUT, b"", b"")].concat();
    let mut decoder = Decoder::default();
    for _ in 0..3 {
        decoder.decode(&block, true, &mut list).unwrap();
        assert_eq!(list.iter().size_hint(), (3, Some(3)));
        assert_eq!((list.len(), list.is_empty(), list.size()), (3, false, 42 + 39 + 32));
        let expected =
            [Field::new(":method", "GET"), Field::new("k", "secret").sensitive(), Field::new("", "")];
        assert!(list.iter().eq(expected));
        assert_eq!(format!("{list:?}"), r#"[":method: GET", "k: (sensitive)", ": "]"#);
        assert_eq!(format!("{list:?}"), format!("{:?}", list.iter()));
        let shared = list.share();
        assert!(shared.iter().all(|field| field.value == shared.part(field.value)));
        assert!(shared.iter().eq(expected));
        assert_eq!(format!("{shared:?}"), format!("{list:?}"));
        list.clear();
        assert_eq!((list.len(), list.is_empty(), list.size()), (0, true, 0));
    }
    assert_eq!(format!("{:?}", Field::new("a\n", &[0xff])), r#""a\n: \xff""#);
}

/// The values of a list are parts of one piece of memory, and outlive the list.
#[test]
fn shared_values() {
    let block = [indexed(2), literal(WITHOUT, b"a", b"b"), indexed(16)].concat();
    let mut list = decode_within(&mut Decoder::default(), 1000, &block);
    let shared = list.share();
    let values: Vec<_> = shared.iter().map(|field| shared.part(field.value)).collect();
    list.clear();
    drop(list);
    assert_eq!(values, ["GET", "b", "gzip, deflate"]);
    let end = values[0].as_ptr_range().end;
    assert_eq!(values[1].as_ptr() as usize - end as usize, "a".len());
}

/// However long it is in all.
#[test]
fn shared_values_of_any_length() {
    for length in [0, 1, 62, 63, 64, 65, 126, 127, 128, 254, 255, 256, 1000] {
        let value = vec![b'x'; length];
        let list = decode_within(&mut Decoder::default(), 2000, &literal(WITHOUT, b"a", &value));
        let shared = list.share();
        let values: Vec<_> = shared.iter().map(|field| shared.part(field.value)).collect();
        drop(list);
        assert_eq!(values, [value]);
    }
}

/// RFC 9113 §6.5.2: 32 for each field.
#[test]
fn a_limit_is_exact() {
    let a = |value: &[u8]| literal(WITHOUT, b"a", value);
    // Its longest and its real length differ.
    let coded = [integer(0x00, 4, 0), string(b"a"), huffman(&encode_huffman(b"~~~~"))].concat();
    for (block, sizes) in [
        (vec![], &[][..]),
        (indexed(2), &[42]),
        ([indexed(2), indexed(2), indexed(2)].concat(), &[42, 42, 42]),
        (a(b"value"), &[38]),
        ([indexed(2), a(b""), a(b"b"), indexed(3)].concat(), &[42, 33, 34, 43]),
        (coded.clone(), &[37]),
        ([coded.clone(), coded, indexed(2)].concat(), &[37, 37, 42]),
    ] {
        for limit in 0..200 {
            let list = decode_within(&mut Decoder::default(), limit, &block);
            // The first that does not fit in is the last that is looked at.
            let mut size = 0;
            let fitting = sizes.iter().take_while(|&&next| {
                size += next;
                size <= limit
            });
            let fitting = fitting.count();
            assert_eq!(list.len(), fitting, "{limit}");
            assert_eq!(list.size(), sizes[..fitting].iter().sum::<usize>(), "{limit}");
            assert_eq!(list.is_overflowed(), fitting < sizes.len(), "{limit}");
        }
    }
}

/// RFC 9113 §10.5.1: what is too much is decoded nonetheless, "to ensure a consistent connection state".
#[test]
fn the_table_is_in_step_behind_an_overflow() {
    let long = "v".repeat(300);
    let blocks = [
        literal(INCREMENTAL, b"first", b"1"),
        literal(INCREMENTAL, b"long", long.as_bytes()),
        literal(WITHOUT, b"long", long.as_bytes()),
        [integer(0x40, 6, 0), huffman(&encode_huffman(b"coded")), huffman(&encode_huffman(b"2"))].concat(),
        [integer(0x40, 6, 62), huffman(&encode_huffman(long.as_bytes()))].concat(),
        // Larger than the table.
        literal(INCREMENTAL, b"huge", long.repeat(3).as_bytes()),
        literal(INCREMENTAL, b"last", b"3"),
        indexed(62),
    ];
    for count in 0..=blocks.len() {
        let block = blocks[..count].concat();
        for limit in [0, 1, 40, 100, 400, 800, usize::MAX] {
            let (mut decoder, mut unlimited) = (Decoder::new(800), Decoder::new(800));
            let all = decode_any_way(&mut unlimited, &block).unwrap();
            let list = decode_within(&mut decoder, limit, &block);
            assert_eq!(lines(&list), all[..list.len()]);
            assert_eq!(list.is_overflowed(), list.len() < all.len());
            assert_eq!(entries(&decoder), entries(&unlimited), "{count} {limit}");
            // The next block is of the same table, and a list is of use again.
            let mut list = list;
            list.clear();
            assert!(!list.is_overflowed());
        }
    }
}

/// The size of what has been stored stays within the limit, whatever is referred to.
#[test]
fn bombs() {
    let value = vec![b'b'; 4000];
    let mut decoder = Decoder::default();
    decode(&mut decoder, &literal(INCREMENTAL, b"a", &value)).unwrap();
    // 4 GB out of one megabyte.
    let list = decode_within(&mut decoder, 65_536, &indexed(62).repeat(1 << 20));
    assert!(list.is_overflowed());
    assert_eq!((list.len(), list.size()), (16, 16 * 4033));
    // Fields of nothing count, too.
    let list = decode_within(&mut decoder, 65_536, &literal(WITHOUT, b"", b"").repeat(1 << 18));
    assert!(list.is_overflowed());
    assert_eq!((list.len(), list.size()), (2048, 65_536));
    // And the table goes along: each of these evicts and is evicted.
    let block = [literal(INCREMENTAL, b"a", &value), indexed(62)].concat();
    let list = decode_within(&mut decoder, 65_536, &block.repeat(1000));
    assert!(list.is_overflowed() && list.len() == 16);
    assert_eq!(decoder.table_size(), 4033);
}

/// §6.2.3: a field that is never indexed is told apart, and only that.
#[test]
fn sensitive() {
    for (kind, sensitive) in [(INCREMENTAL, false), (WITHOUT, false), (NEVER, true)] {
        let mut decoder = Decoder::default();
        let expected = (b"a".to_vec(), b"b".to_vec(), sensitive);
        assert_eq!(decode_any_way(&mut decoder, &literal(kind, b"a", b"b")), Ok(vec![expected]));
    }
}

/// RFC 9113 §8.2.3
#[test]
fn cookies() {
    let cookie = |value: &str| literal(WITHOUT, b"cookie", value.as_bytes());
    let secret = |value: &str| literal(NEVER, b"cookie", value.as_bytes());
    let host = || literal(WITHOUT, b"host", b"h");
    for (blocks, expected) in [
        (vec![host()], None),
        (vec![cookie("a=b")], Some(("a=b", false))),
        (vec![cookie("a=b"), cookie("c=d")], Some(("a=b; c=d", false))),
        (vec![cookie("a=b"), host(), cookie("c=d"), host(), cookie("e")], Some(("a=b; c=d; e", false))),
        (vec![cookie(""), cookie("a"), cookie("")], Some(("; a; ", false))),
        (vec![cookie(""), host()], Some(("", false))),
        (vec![cookie("a"), secret("b"), cookie("c")], Some(("a; b; c", true))),
        (vec![secret("a"), cookie("b")], Some(("a; b", true))),
        // An entry of a table, and a name that only begins like it.
        (vec![indexed(32), literal(WITHOUT, b"cookie2", b"x")], Some(("", false))),
    ] {
        let block = blocks.concat();
        let apart = decode(&mut Decoder::default(), &block).unwrap();
        let mut list = FieldList::new(1000).join_cookies(true);
        for _ in 0..2 {
            list.clear();
            let mut decoder = Decoder::default();
            for at in 0..block.len() {
                decoder.decode(&block[at..=at], at + 1 == block.len(), &mut list).unwrap();
            }
            let mut joined: Vec<_> = apart.iter().filter(|(name, ..)| name != b"cookie").cloned().collect();
            joined.extend(expected.map(|(value, secret)| (b"cookie".to_vec(), value.into(), secret)));
            assert_eq!(lines(&list), joined);
            let size: usize = apart.iter().map(|(name, value, _)| name.len() + value.len() + 32).sum();
            assert_eq!(list.size(), size);
        }
    }
}

#[test]
fn cookies_within_the_limit() {
    let block = [literal(WITHOUT, b"cookie", b"crumb").repeat(1000), indexed(2)].concat();
    let mut list = FieldList::new(4300).join_cookies(true);
    Decoder::default().decode(&block, true, &mut list).unwrap();
    assert!(list.is_overflowed());
    assert_eq!(lines(&list), [line("cookie", &["crumb"; 100].join("; "))]);
    // An unfinished cookie does not outlive the block.
    list.clear();
    Decoder::default().decode(&block[..14], false, &mut list).unwrap();
    list.clear();
    Decoder::default().decode(&indexed(2), true, &mut list).unwrap();
    assert_eq!(lines(&list), [line(":method", "GET")]);
}
