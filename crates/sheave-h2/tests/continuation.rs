//! Field blocks of several frames (RFC 9113 §4.3, §6.10).

mod common;

use common::{CUTS, GET, Wire};
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::{END_HEADERS, END_STREAM, PADDED, PRIORITY};
use sheave_h2::{Config, ErrorCode};

/// A field block may be cut anywhere.
#[test]
fn cut_anywhere() {
    for cut in CUTS {
        for at in 0.. {
            let mut wire = Wire::server(Config::default()).cut(cut);
            let block = wire.block(&GET);
            if at > block.len() {
                break;
            }
            wire.frame(Kind::HEADERS, END_STREAM, 1, &block[..at]);
            assert_eq!(wire.events(), [""; 0], "until it is whole");
            wire.frame(Kind::CONTINUATION, END_HEADERS, 1, &block[at..]);
            assert_eq!(wire.events(), ["request 1 GET https://example.org/ end"]);
        }
        // With what only the first frame has.
        let mut wire = Wire::server(Config::default()).cut(cut);
        let block = wire.block(&GET);
        let payload = [&[3, 0, 0, 0, 0, 9][..], &block[..1], &[0; 3]].concat();
        wire.frame(Kind::HEADERS, PADDED | PRIORITY, 101, &payload);
        wire.frame(Kind::CONTINUATION, 0, 101, &block[1..]);
        wire.frame(Kind::CONTINUATION, !END_HEADERS, 101, b"");
        wire.frame(Kind::CONTINUATION, 0xff, 101, b"");
        assert_eq!(wire.events(), ["request 101 GET https://example.org/"]);
    }
}

/// §4.3: trailers, responses and promises as well.
#[test]
fn whatever_it_is_of() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default().enable_push(true).max_continuations(100)).cut(cut);
        wire.open(true);
        let mut pieces = |kind, flags, first: &[u8], fields: &[(&str, &str)]| {
            let block = wire.block(fields);
            wire.frame(kind, flags, 1, &[first, &block[..2]].concat());
            for byte in &block[2..block.len() - 1] {
                wire.frame(Kind::CONTINUATION, 0, 1, &[*byte]);
            }
            wire.frame(Kind::CONTINUATION, END_HEADERS, 1, &block[block.len() - 1..]);
            wire.events()
        };
        assert_eq!(pieces(Kind::PUSH_PROMISE, 0, &[0, 0, 0, 2], &GET), ["promise 1 2 https://example.org/"]);
        assert_eq!(pieces(Kind::HEADERS, 0, b"", &[(":status", "103"), ("a", "")]), ["informational 1 103"]);
        assert_eq!(pieces(Kind::HEADERS, 0, b"", &[(":status", "200"), ("b", "")]), ["response 1 200"]);
        assert_eq!(pieces(Kind::HEADERS, END_STREAM, b"", &[("c", "d")]), ["trailers 1 1"]);
        assert_eq!(wire.connection.open_streams(), 1, "the promise");
    }
}

/// §4.3, §6.2, §6.10: nothing comes between, not even of another stream, not even what is unknown.
#[test]
fn interrupted() {
    let frames: [(Kind, u8, u32, &[u8]); 14] = [
        (Kind::DATA, 0, 1, b"x"),
        (Kind::DATA, 0, 3, b"x"),
        (Kind::HEADERS, END_HEADERS, 3, b"\x82"),
        (Kind::HEADERS, END_HEADERS, 5, b"\x82"),
        (Kind::PRIORITY, 0, 3, b"\0\0\0\0\0"),
        (Kind::RST_STREAM, 0, 3, b"\0\0\0\x08"),
        (Kind::SETTINGS, 0, 0, b""),
        (Kind::PING, 0, 0, b"12345678"),
        (Kind::GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0"),
        (Kind::WINDOW_UPDATE, 0, 3, b"\0\0\0\x01"),
        (Kind::CONTINUATION, END_HEADERS, 1, b""),
        (Kind::CONTINUATION, END_HEADERS, 5, b""),
        (Kind::PRIORITY_UPDATE, 0, 0, b"\0\0\0\x03u=1"),
        (Kind::new(0xbe), 0, 3, b""),
    ];
    for cut in CUTS {
        for (kind, flags, id, payload) in frames {
            for continuations in [0, 1] {
                let mut wire = Wire::server(Config::default()).cut(cut);
                wire.request(1, 0);
                let block = wire.block(&GET);
                wire.frame(Kind::HEADERS, 0, 3, &block);
                for _ in 0..continuations {
                    wire.frame(Kind::CONTINUATION, 0, 3, b"");
                }
                wire.frame(kind, flags, id, payload);
                assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR), "{kind:?}");
                assert_eq!(wire.events(), [""; 0]);
            }
        }
    }
}

/// §6.10: "A CONTINUATION frame MUST be preceded by a HEADERS, PUSH_PROMISE, or CONTINUATION frame without the
/// END_HEADERS flag set."
#[test]
fn of_nothing() {
    for cut in CUTS {
        for before in 0..3 {
            let mut wire = Wire::server(Config::default()).cut(cut);
            wire.request(1, 0);
            if before == 1 {
                wire.data(1, b"x", 0);
            }
            if before == 2 {
                wire.frame(Kind::HEADERS, END_STREAM, 3, b"");
                wire.frame(Kind::CONTINUATION, END_HEADERS, 3, b"");
            }
            wire.frame(Kind::CONTINUATION, END_HEADERS, if before == 2 { 3 } else { 1 }, b"");
            assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR), "{before}");
        }
    }
}

/// CVE-2024-27316: how many there may be. What they carry is bounded with them.
#[test]
fn how_many() {
    for cut in CUTS {
        for (most, sent, code) in [
            (8, 8, None),
            (8, 9, Some(ErrorCode::ENHANCE_YOUR_CALM)),
            (0, 1, Some(ErrorCode::ENHANCE_YOUR_CALM)),
            (20, 20, None),
        ] {
            let mut wire = Wire::server(Config::default().max_continuations(most)).cut(cut);
            let block = wire.block(&GET);
            wire.frame(Kind::HEADERS, END_STREAM, 1, &block);
            for left in (0..sent).rev() {
                wire.frame(Kind::CONTINUATION, if left == 0 { END_HEADERS } else { 0 }, 1, b"");
            }
            assert_eq!(wire.code(), code, "{sent} of {most}");
            assert_eq!(wire.events().len(), usize::from(code.is_none()));
        }
    }
}

/// §4.3: "A receiver MUST terminate the connection with a connection error of type COMPRESSION_ERROR if it does not
/// decompress a field block", whatever stream it is of.
#[test]
fn not_to_be_decompressed() {
    // Index 0; an index of nothing; a string that is longer than the block; a bad Huffman code; a size update that is too
    // large, or too late; an integer without an end.
    let blocks: [&[u8]; 7] = [
        b"\x80",
        b"\xbf",
        b"\x00\x05ab",
        b"\x00\x81\xff\x01a",
        b"\x3f\xff\xff\x03",
        b"\x82\x20",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ];
    for cut in CUTS {
        for block in blocks {
            for id in [1, 3, 5, 7, 9] {
                let mut wire = Wire::server(Config::default()).cut(cut);
                let key = wire.request(1, 0);
                wire.connection.reset(key, ErrorCode::CANCEL);
                wire.request(3, 0);
                wire.request(5, END_STREAM);
                wire.request(7, 0);
                wire.reset(7, ErrorCode::CANCEL);
                wire.frames();
                wire.frame(Kind::HEADERS, END_HEADERS | END_STREAM, id, block);
                assert_eq!(wire.code(), Some(ErrorCode::COMPRESSION_ERROR), "{block:x?} on {id}");
            }
        }
    }
}

/// §4.3: fields of streams that are refused, malformed or gone still change the table: whoever comes next is read with it.
#[test]
fn the_table_stays_the_same() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default().max_concurrent_streams(2)).cut(cut);
        let fields = |name: &'static str| [&GET[..], &[(name, "value")]].concat();
        let key = wire.request(1, 0);
        wire.connection.reset(key, ErrorCode::CANCEL);
        wire.headers(1, &[("a", "1")], END_STREAM);
        wire.request(3, END_STREAM);
        wire.headers(3, &[("b", "1")], END_STREAM);
        wire.headers(5, &fields("Upper"), END_STREAM);
        wire.request(7, 0);
        wire.request(9, 0);
        wire.headers(11, &fields("refused"), END_STREAM);
        wire.events();
        assert_eq!(
            wire.frames(),
            [
                "RST_STREAM 1 CANCEL",
                "RST_STREAM 3 STREAM_CLOSED",
                "RST_STREAM 5 PROTOCOL_ERROR",
                "RST_STREAM 11 REFUSED_STREAM"
            ]
        );
        wire.headers(7, &[("a", "1"), ("b", "1"), ("refused", "value")], END_STREAM);
        assert_eq!(wire.events(), ["trailers 7 3"]);
    }
}

/// A block that is too large is read to its end, too.
#[test]
fn too_large() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default().max_header_list_size(1000)).cut(cut);
        let large = "x".repeat(2000);
        wire.headers(1, &[&GET[..], &[("large", &large[..]), ("small", "1")]].concat(), END_STREAM);
        assert_eq!(wire.events(), [""; 0]);
        assert_eq!(wire.frames(), ["HEADERS 1 END_STREAM :status=431"]);
        wire.headers(3, &[&GET[..], &[("small", "1")]].concat(), END_STREAM);
        assert_eq!(wire.events(), ["request 3 GET https://example.org/ end"]);
    }
}

/// What is cut short by the end of the transport.
#[test]
fn cut_short() {
    let mut wire = Wire::server(Config::default());
    let block = wire.block(&GET);
    wire.frame(Kind::HEADERS, END_STREAM, 1, &block);
    assert!(wire.connection.recv_end().is_err());
    assert!(wire.connection.recv_end().is_err());
}
