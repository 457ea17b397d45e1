//! What the encoder makes of fields: RFC 7541 §4.2, §6, §7.1.3, and what it keeps out of its table.

mod support;

use sheave_hpack::{Decoder, Encoder, FieldList};
use support::wire::{INCREMENTAL, NEVER, WITHOUT, encode_huffman, huffman, indexed, integer, string, update};
use support::{Line, decode, encode, field, line, lines};

/// A string, Huffman encoded where that is shorter.
fn shortest(text: &[u8]) -> Vec<u8> {
    let code = encode_huffman(text);
    if code.len() < text.len() { huffman(&code) } else { string(text) }
}

fn literal((pattern, prefix): (u8, u32), name: &str, value: &str) -> Vec<u8> {
    [integer(pattern, prefix, 0), shortest(name.as_bytes()), shortest(value.as_bytes())].concat()
}

fn named((pattern, prefix): (u8, u32), index: usize, value: &str) -> Vec<u8> {
    [integer(pattern, prefix, index), shortest(value.as_bytes())].concat()
}

fn secret(name: &str, value: &str) -> Line {
    (name.into(), value.into(), true)
}

/// What one encoder makes of blocks of one field each.
fn assert_encoded(mut encoder: Encoder, blocks: &[(Line, Vec<u8>)]) {
    let mut decoder = Decoder::default();
    for (at, (line, expected)) in blocks.iter().enumerate() {
        let block = encode(&mut encoder, std::slice::from_ref(line));
        assert_eq!(block, *expected, "{at}: {:?}", field(line));
        let found = decode(&mut decoder, &block).unwrap();
        assert_eq!((&found[0].0, &found[0].1), (&line.0, &line.1));
        assert_eq!(encoder.table_size(), decoder.table_size());
    }
}

/// §6.1, Appendix A
#[test]
fn static_entries() {
    let mut decoder = Decoder::default();
    for index in 1..=61 {
        let entry = decode(&mut decoder, &indexed(index)).unwrap();
        // An empty name has its own field, `:authority` and `cookie` among them; that short a secret is none of a table.
        let guessable = ["authorization", "cookie", "proxy-authorization"].map(str::as_bytes);
        if !guessable.contains(&&entry[0].0[..]) {
            assert_eq!(encode(&mut Encoder::new(), &entry), indexed(index));
        }
        // With another value, the first index of the name is its own.
        let first = match index {
            2..=3 => 2,
            4..=5 => 4,
            6..=7 => 6,
            8..=14 => 8,
            _ => index,
        };
        let other = [(entry[0].0.clone(), b"another value of more than 20".to_vec(), true)];
        let expected = named(NEVER, first, "another value of more than 20");
        assert_eq!(encode(&mut Encoder::new(), &other), expected);
    }
}

/// §6.2.1: what is new is indexed, and then is an index.
#[test]
fn indexing() {
    assert_encoded(
        Encoder::new(),
        &[
            (line("user-agent", "sheave"), named(INCREMENTAL, 58, "sheave")),
            (line("user-agent", "sheave"), indexed(62)),
            (line("x-a", "1"), literal(INCREMENTAL, "x-a", "1")),
            (line("x-a", "1"), indexed(62)),
            (line("user-agent", "sheave"), indexed(63)),
            // The same octets, cut elsewhere.
            (line("x-", "a1"), literal(INCREMENTAL, "x-", "a1")),
            (line("", "x-a1"), literal(INCREMENTAL, "", "x-a1")),
            (line("x-a1", ""), literal(INCREMENTAL, "x-a1", "")),
            (line("x-a", "1"), indexed(65)),
        ],
    );
}

/// A new value of a name that the table has goes there when it comes again.
#[test]
fn names_with_many_values() {
    assert_encoded(
        Encoder::new(),
        &[
            (line("x-id", "1"), literal(INCREMENTAL, "x-id", "1")),
            (line("x-id", "2"), named(WITHOUT, 62, "2")),
            (line("x-id", "3"), named(WITHOUT, 62, "3")),
            (line("x-id", "2"), named(INCREMENTAL, 62, "2")),
            (line("x-id", "2"), indexed(62)),
            (line("x-id", "1"), indexed(63)),
            (line("x-id", "4"), named(WITHOUT, 62, "4")),
        ],
    );
}

#[test]
fn names_that_mostly_have_a_new_value() {
    for (name, index) in [
        (":path", 4),
        ("age", 21),
        ("content-length", 28),
        ("content-location", 29),
        ("content-range", 30),
        ("date", 33),
        ("etag", 34),
        ("expires", 36),
        ("if-match", 39),
        ("if-modified-since", 40),
        ("if-none-match", 41),
        ("if-range", 42),
        ("if-unmodified-since", 43),
        ("last-modified", 44),
        ("location", 46),
        ("range", 50),
        ("retry-after", 53),
        ("set-cookie", 55),
    ] {
        assert_encoded(
            Encoder::new(),
            &[
                (line(name, "one"), named(WITHOUT, index, "one")),
                (line(name, "other"), named(WITHOUT, index, "other")),
                (line(name, "one"), named(INCREMENTAL, index, "one")),
                (line(name, "one"), indexed(62)),
                (line(name, "other"), named(INCREMENTAL, index, "other")),
                (line(name, "one"), indexed(63)),
            ],
        );
    }
}

/// Ten thousand values that come once evict nothing that comes again.
#[test]
fn unique_values_evict_nothing() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::default());
    let mut size = None;
    for id in 0..10_000_u64 {
        let lines = [
            line("user-agent", "sheave/0.1"),
            line("x-request-id", &format!("{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
            line(":path", &format!("/item/{id}")),
            line("date", &format!("{id}")),
            line("x-tenant", "one and the same"),
        ];
        let block = encode(&mut encoder, &lines);
        assert_eq!(decode(&mut decoder, &block).as_deref(), Ok(&lines[..]));
        let expected = *size.get_or_insert(encoder.table_size());
        assert_eq!(encoder.table_size(), expected, "{id}");
        if id > 0 {
            // The first and the last are indices: in one octet each.
            assert_eq!((block[0], block.last()), (0xc0, Some(&0xbe)), "{id}");
        }
    }
}

/// A field that would take more than three quarters of the table is not worth the others.
#[test]
fn large_fields() {
    for (length, kind) in [(3072 - 35, INCREMENTAL), (3072 - 34, WITHOUT), (5000, WITHOUT)] {
        let value = "v".repeat(length);
        let line = line("x-a", &value);
        assert_encoded(Encoder::new(), &[(line, literal(kind, "x-a", &value))]);
    }
}

/// §6.2.3
#[test]
fn sensitive_fields() {
    assert_encoded(
        Encoder::new(),
        &[
            (secret("x-a", "1"), literal(NEVER, "x-a", "1")),
            (secret("x-a", "1"), literal(NEVER, "x-a", "1")),
            (secret(":method", "GET"), named(NEVER, 2, "GET")),
            // Even where the table has it, since whoever sends it elsewhere may not say so.
            (line("x-a", "1"), literal(INCREMENTAL, "x-a", "1")),
            (secret("x-a", "1"), named(NEVER, 62, "1")),
            (line("x-a", "1"), indexed(62)),
        ],
    );
}

/// §7.1.3: what is short can be guessed.
#[test]
fn short_secrets() {
    let (short, long) = ("1234567890123456789", "12345678901234567890");
    for (name, index) in [("authorization", 23), ("cookie", 32), ("proxy-authorization", 49)] {
        assert_encoded(
            Encoder::new(),
            &[
                (line(name, short), named(NEVER, index, short)),
                (line(name, short), named(NEVER, index, short)),
                (line(name, long), named(INCREMENTAL, index, long)),
                (line(name, long), indexed(62)),
                (secret(name, long), named(NEVER, index, long)),
                (line(name, ""), named(NEVER, index, "")),
            ],
        );
    }
    // Others are not secret.
    assert_encoded(Encoder::new(), &[(line("server", short), named(INCREMENTAL, 54, short))]);
}

/// RFC 9113 §8.2.3
#[test]
fn split_cookies() {
    for (value, crumbs) in [
        ("", &[""][..]),
        ("a=b", &["a=b"]),
        ("a=b; c=d", &["a=b", "c=d"]),
        ("a=b;c=d", &["a=b;c=d"]),
        ("; a;; b; ", &["", "a;", "b", ""]),
        ("session=0123456789abcdef; theme=dark", &["session=0123456789abcdef", "theme=dark"]),
    ] {
        let fields = [line(":method", "GET"), line("cookie", value)];
        let block = encode(&mut Encoder::new().split_cookies(true), &fields);
        let found = decode(&mut Decoder::default(), &block).unwrap();
        let values: Vec<_> =
            found[1..].iter().map(|(_, value, _)| std::str::from_utf8(value).unwrap()).collect();
        assert_eq!(values, crumbs);
        let mut list = FieldList::new(1000).join_cookies(true);
        Decoder::default().decode(&block, true, &mut list).unwrap();
        assert_eq!(lines(&list)[1].1, value.as_bytes());
        // Each is secret or not on its own account.
        let secrets: Vec<_> = found[1..].iter().map(|(.., secret)| *secret).collect();
        assert_eq!(secrets, crumbs.iter().map(|crumb| crumb.len() < 20).collect::<Vec<_>>());
    }
    // A sensitive cookie has sensitive crumbs.
    let block =
        encode(&mut Encoder::new().split_cookies(true), &[secret("cookie", "a=0123456789012345678; b=c")]);
    assert!(decode(&mut Decoder::default(), &block).unwrap().iter().all(|(.., secret)| *secret));
}

/// §4.2: the smallest size since the last block, and the last one.
#[test]
fn size_updates() {
    let updates = |sizes: &[usize]| sizes.iter().flat_map(|&size| update(size)).collect::<Vec<_>>();
    for (limit, settings, expected) in [
        (4096, &[][..], &[][..]),
        (4096, &[4096], &[]),
        (4096, &[65_536], &[]),
        (4096, &[u32::MAX as usize], &[]),
        (4096, &[100], &[100]),
        (4096, &[0], &[0]),
        (4096, &[100, 0, 50], &[0, 50]),
        (4096, &[100, 4096], &[100, 4096]),
        (4096, &[100, 200, 1 << 20], &[100, 4096]),
        (4096, &[300, 200, 200], &[200]),
        // What we use ourselves is less than HTTP/2 begins with.
        (100, &[], &[100]),
        (100, &[4096], &[100]),
        (100, &[200], &[100]),
        (100, &[50], &[50]),
        (100, &[50, 4096], &[50, 100]),
        (0, &[], &[0]),
        // And more: as far as the peer allows.
        (65_536, &[], &[]),
        (65_536, &[4096], &[]),
        (65_536, &[16_384], &[16_384]),
        (65_536, &[1 << 20], &[65_536]),
        (65_536, &[1 << 20, 4096], &[]),
        (65_536, &[1 << 20, 100, 8192], &[100, 8192]),
    ] {
        let mut encoder = Encoder::with_max_table_size(limit);
        for &size in settings {
            encoder.set_max_table_size(size);
        }
        assert_eq!(encode(&mut encoder, &[]), updates(expected), "{limit} {settings:?}");
        // It is said once.
        assert_eq!(encode(&mut encoder, &[]), []);
        assert_eq!(encode(&mut encoder, &[line(":method", "GET")]), indexed(2));
    }
}

/// §4.3: what a smaller table has evicted is no longer referred to.
#[test]
fn eviction_by_size_updates() {
    let fields: Vec<_> = (0..40).map(|at| line(&format!("x-{at}"), "value")).collect();
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::default());
    let mut exchange = |settings: &[usize]| {
        for &size in settings {
            encoder.set_max_table_size(size);
            decoder.set_max_table_size(size);
        }
        let block = encode(&mut encoder, &fields);
        assert_eq!(decode(&mut decoder, &block), Ok(fields.clone()), "{settings:?}");
        assert_eq!(encoder.table_size(), decoder.table_size());
        block.len()
    };
    let first = exchange(&[]);
    assert_eq!(exchange(&[]), 40);
    assert_eq!(exchange(&[4096]), 40);
    // All are gone.
    assert_eq!(exchange(&[0, 4096]), first + update(0).len() + update(4096).len());
    assert_eq!(exchange(&[]), 40);
    // The newest stay.
    assert!((41..first).contains(&exchange(&[1000, 4096])));
    exchange(&[500]);
    exchange(&[0]);
    assert_eq!(exchange(&[]), first);
    exchange(&[4096]);
    assert_eq!(exchange(&[]), 40);
}

/// Hashes can be made to collide, or fall together in a large table: that never makes a wrong field.
#[test]
fn many_entries() {
    let (mut encoder, mut decoder) = (Encoder::with_max_table_size(1 << 20), Decoder::new(1 << 20));
    encoder.set_max_table_size(1 << 20);
    let fields: Vec<_> = (0..20_000).map(|at| line(&format!("{at}"), &format!("{}", at / 3))).collect();
    for _ in 0..3 {
        let block = encode(&mut encoder, &fields);
        assert_eq!(decode(&mut decoder, &block).as_ref(), Ok(&fields));
    }
}
