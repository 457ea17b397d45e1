//! RFC 7541 Appendix C: its examples, in their order.

mod support;

use sheave_hpack::{Decoder, Encoder};
use support::wire::{hex, update};
use support::{Line, decode, decode_any_way, encode, entries, line};

/// A block, its fields, and the dynamic table behind it.
struct Example {
    block: &'static str,
    fields: &'static [(&'static str, &'static str)],
    table: &'static [(&'static str, &'static str)],
    table_size: usize,
}

impl Example {
    fn lines(&self) -> Vec<Line> {
        self.fields.iter().map(|(name, value)| line(name, value)).collect()
    }

    fn assert_decoded_by(&self, decoder: &mut Decoder) {
        assert_eq!(decode_any_way(decoder, &hex(self.block)), Ok(self.lines()), "{}", self.block);
        let table: Vec<_> =
            self.table.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(entries(decoder), table, "{}", self.block);
        assert_eq!(decoder.table_size(), self.table_size, "{}", self.block);
    }
}

/// C.1 shows integers of their own; in a block, an update has one with a prefix of five bits.
#[test]
fn c_1_integers() {
    for (size, block) in [(10, "2a"), (1337, "3f9a0a")] {
        assert_eq!(update(size), hex(block));
        let mut encoder = Encoder::with_max_table_size(size);
        assert_eq!(encode(&mut encoder, &[]), hex(block));
        let mut decoder = Decoder::new(size);
        assert_eq!(decode(&mut decoder, &hex(block)), Ok(vec![]));
        assert!(decode(&mut Decoder::new(size - 1), &hex(block)).is_err());
    }
}

#[test]
fn c_2_representations() {
    let examples = [
        Example {
            block: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            fields: &[("custom-key", "custom-header")],
            table: &[("custom-key", "custom-header")],
            table_size: 55,
        },
        Example {
            block: "040c 2f73 616d 706c 652f 7061 7468",
            fields: &[(":path", "/sample/path")],
            table: &[],
            table_size: 0,
        },
        Example { block: "82", fields: &[(":method", "GET")], table: &[], table_size: 0 },
    ];
    for example in examples {
        example.assert_decoded_by(&mut Decoder::default());
    }
    // C.2.3, never indexed.
    let mut decoder = Decoder::default();
    let block = hex("1008 7061 7373 776f 7264 0673 6563 7265 74");
    assert_eq!(decode_any_way(&mut decoder, &block), Ok(vec![(b"password".into(), b"secret".into(), true)]));
    assert_eq!(decoder.table_size(), 0);
}

const AUTHORITY: (&str, &str) = (":authority", "www.example.com");
const NO_CACHE: (&str, &str) = ("cache-control", "no-cache");
const CUSTOM: (&str, &str) = ("custom-key", "custom-value");

/// The requests of C.3 and C.4.
fn requests(blocks: [&'static str; 3]) -> [Example; 3] {
    let [first, second, third] = blocks;
    [
        Example {
            block: first,
            fields: &[(":method", "GET"), (":scheme", "http"), (":path", "/"), AUTHORITY],
            table: &[AUTHORITY],
            table_size: 57,
        },
        Example {
            block: second,
            fields: &[(":method", "GET"), (":scheme", "http"), (":path", "/"), AUTHORITY, NO_CACHE],
            table: &[NO_CACHE, AUTHORITY],
            table_size: 110,
        },
        Example {
            block: third,
            fields: &[(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), AUTHORITY, CUSTOM],
            table: &[CUSTOM, NO_CACHE, AUTHORITY],
            table_size: 164,
        },
    ]
}

#[test]
fn c_3_requests_without_huffman() {
    let mut decoder = Decoder::default();
    for example in requests([
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ]) {
        example.assert_decoded_by(&mut decoder);
    }
}

/// What our encoder makes of the same.
#[test]
fn c_4_requests_with_huffman() {
    let (mut decoder, mut encoder) = (Decoder::default(), Encoder::new());
    for example in requests([
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ]) {
        example.assert_decoded_by(&mut decoder);
        assert_eq!(encode(&mut encoder, &example.lines()), hex(example.block));
        assert_eq!(encoder.table_size(), example.table_size);
    }
}

const FOUND: (&str, &str) = (":status", "302");
const REDIRECT: (&str, &str) = (":status", "307");
const PRIVATE: (&str, &str) = ("cache-control", "private");
const DATE: (&str, &str) = ("date", "Mon, 21 Oct 2013 20:13:21 GMT");
const LATER: (&str, &str) = ("date", "Mon, 21 Oct 2013 20:13:22 GMT");
const LOCATION: (&str, &str) = ("location", "https://www.example.com");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const COOKIE: (&str, &str) = ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");

/// The responses of C.5 and C.6, for a table of 256 bytes.
fn responses(blocks: [&'static str; 3]) -> [Example; 3] {
    let [first, second, third] = blocks;
    [
        Example {
            block: first,
            fields: &[FOUND, PRIVATE, DATE, LOCATION],
            table: &[LOCATION, DATE, PRIVATE, FOUND],
            table_size: 222,
        },
        Example {
            block: second,
            fields: &[REDIRECT, PRIVATE, DATE, LOCATION],
            table: &[REDIRECT, LOCATION, DATE, PRIVATE],
            table_size: 222,
        },
        Example {
            block: third,
            fields: &[(":status", "200"), PRIVATE, LATER, LOCATION, GZIP, COOKIE],
            table: &[COOKIE, GZIP, LATER],
            table_size: 215,
        },
    ]
}

#[test]
fn c_5_responses_without_huffman() {
    let mut decoder = Decoder::new(256);
    for example in responses([
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
         474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738
         666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33
         3630 303b 2076 6572 7369 6f6e 3d31",
    ]) {
        example.assert_decoded_by(&mut decoder);
    }
}

#[test]
fn c_6_responses_with_huffman() {
    let mut decoder = Decoder::new(256);
    for example in responses([
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
         63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7
         b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ]) {
        example.assert_decoded_by(&mut decoder);
    }
}
