//! Bodies of HTTP/1.1 messages: RFC 9112 §6 and §7.

mod handshake_support;

use bytes::BytesMut;
use handshake_support::{feed, headers, with_every_cut};
use http::{Method, Request, Response, Version};
use sheave_ws::handshake::{BodyLength, BodyPiece, BodyReader, ChunkedDecoder, HandshakeError};

type Lines<'a> = &'a [(&'a str, &'a str)];

#[test]
fn the_length_of_a_request() {
    let cases: &[(&str, Lines<'_>, Result<BodyLength, u16>)] = &[
        ("nothing declared", &[], Ok(BodyLength::None)),
        ("zero", &[("content-length", "0")], Ok(BodyLength::None)),
        ("some", &[("content-length", "42")], Ok(BodyLength::Length(42))),
        ("the largest", &[("content-length", "18446744073709551615")], Ok(BodyLength::Length(u64::MAX))),
        ("too large", &[("content-length", "18446744073709551616")], Err(400)),
        ("list of the same", &[("content-length", "5, 5")], Ok(BodyLength::Length(5))),
        ("twice the same", &[("content-length", "5"), ("content-length", "5")], Ok(BodyLength::Length(5))),
        ("twice, differing", &[("content-length", "5"), ("content-length", "6")], Err(400)),
        ("list, differing", &[("content-length", "5, 6")], Err(400)),
        ("sign", &[("content-length", "+5")], Err(400)),
        ("negative", &[("content-length", "-5")], Err(400)),
        ("hexadecimal", &[("content-length", "0x5")], Err(400)),
        ("empty", &[("content-length", "")], Err(400)),
        ("empty element", &[("content-length", "5,")], Err(400)),
        ("chunked", &[("transfer-encoding", "chunked")], Ok(BodyLength::Chunked)),
        ("chunked in any case", &[("transfer-encoding", " Chunked,")], Ok(BodyLength::Chunked)),
        ("both", &[("transfer-encoding", "chunked"), ("content-length", "5")], Err(400)),
        ("gzip below chunked", &[("transfer-encoding", "gzip, chunked")], Err(501)),
        (
            "gzip, chunked on two lines",
            &[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")],
            Err(501),
        ),
        ("chunked below gzip", &[("transfer-encoding", "chunked, gzip")], Err(400)),
        ("chunked twice", &[("transfer-encoding", "chunked, chunked")], Err(400)),
        ("unknown coding", &[("transfer-encoding", "xchunked")], Err(501)),
        ("no coding", &[("transfer-encoding", "")], Err(400)),
    ];
    for (name, lines, expected) in cases {
        let mut request = Request::new(());
        *request.headers_mut() = headers(lines);
        let found = BodyLength::of_request(&request).map_err(|error| error.status().unwrap().as_u16());
        assert_eq!(found, *expected, "{name}");
    }
    // RFC 9112 §6.1
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_10;
    *request.headers_mut() = headers(&[("transfer-encoding", "chunked")]);
    assert!(matches!(BodyLength::of_request(&request), Err(HandshakeError::MalformedBody(_))));
}

#[test]
fn the_length_of_a_response() {
    let five: Lines<'_> = &[("content-length", "5")];
    let cases = [
        (200, Method::GET, five, BodyLength::Length(5)),
        (200, Method::GET, &[][..], BodyLength::UntilClose),
        (403, Method::GET, &[("transfer-encoding", "chunked")][..], BodyLength::Chunked),
        (200, Method::HEAD, five, BodyLength::None),
        (200, Method::CONNECT, five, BodyLength::None),
        (407, Method::CONNECT, five, BodyLength::Length(5)),
        (101, Method::GET, five, BodyLength::None),
        (204, Method::GET, five, BodyLength::None),
        (304, Method::GET, five, BodyLength::None),
    ];
    for (status, method, lines, expected) in cases {
        let mut response = Response::builder().status(status).body(()).unwrap();
        *response.headers_mut() = headers(lines);
        assert_eq!(BodyLength::of_response(&response, &method).unwrap(), expected, "{status} to {method}");
    }
}

#[test]
fn chunked_bodies() {
    type Expected = Result<&'static [u8], ()>;
    let cases: &[(&str, &[u8], Expected)] = &[
        ("two chunks", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nrest", Ok(b"abcde")),
        ("nothing", b"0\r\n\r\nrest", Ok(b"")),
        (
            "hexadecimal of both cases",
            b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\nrest",
            Ok(b"01234567890123456789"),
        ),
        ("leading zeros", b"0003\r\nabc\r\n000\r\n\r\nrest", Ok(b"abc")),
        ("extensions, §7.1.1", b"3;a=b;c=\"d e\" ; f\r\nabc\r\n0;x\r\n\r\nrest", Ok(b"abc")),
        ("padded size", b"3  \r\nabc\r\n0\r\n\r\nrest", Ok(b"abc")),
        ("trailers, §7.1.2", b"3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\nrest", Ok(b"abc")),
        ("no size", b"\r\nabc", Err(())),
        ("no digits", b"x\r\nabc", Err(())),
        ("prefix", b"0x3\r\nabc", Err(())),
        ("sign", b"-3\r\nabc", Err(())),
        ("space first", b" 3\r\nabc", Err(())),
        ("something behind the size", b"3 4\r\nabc", Err(())),
        ("too large", b"11111111111111111\r\n", Err(())),
        ("line feed alone after the size", b"3\nabc\r\n0\r\n\r\n", Err(())),
        ("line feed alone in an extension", b"3;a\nabc\r\n0\r\n\r\n", Err(())),
        ("bare CR in an extension", b"3;a\rb\r\nabc", Err(())),
        ("chunk longer than said", b"3\r\nabcd\r\n0\r\n\r\n", Err(())),
        ("line feed alone after the chunk", b"3\r\nabc\n0\r\n\r\n", Err(())),
        ("NUL in a trailer", b"0\r\nA: \0\r\n\r\n", Err(())),
    ];
    for (name, bytes, expected) in cases {
        let found = read_body(bytes, BodyLength::Chunked);
        match expected {
            Ok(body) => assert_eq!(found.expect(name), (body.to_vec(), true, b"rest".to_vec()), "{name}"),
            Err(()) => assert!(matches!(found, Err(HandshakeError::MalformedBody(_))), "{name}: {found:?}"),
        }
    }
}

#[test]
fn the_largest_chunk_size_is_no_overflow() {
    let mut decoder = ChunkedDecoder::new();
    let mut input = BytesMut::from(&b"ffffffffffffffff\r\nabc"[..]);
    assert_eq!(decoder.decode(&mut input), Ok(Some(BodyPiece::Data("abc".into()))));
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(!decoder.is_finished());
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extension = [b"3;".to_vec(), vec![b'a'; 20_000]].concat();
    let trailer = [b"0\r\n".to_vec(), b"A: b\r\n".repeat(5000)].concat();
    let many = b"1;aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(2000);
    for bytes in [extension, trailer, many] {
        let mut reader = BodyReader::new(BodyLength::Chunked);
        let mut input = BytesMut::from(&bytes[..]);
        let error = loop {
            match reader.read(&mut input) {
                Ok(piece) => assert!(matches!(piece, Some(BodyPiece::Data(_)))),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, HandshakeError::MalformedBody(_)));
    }
}

#[test]
fn bodies_by_length_and_by_close() {
    let whole = |body: &[u8], done, rest: &[u8]| Ok((body.to_vec(), done, rest.to_vec()));
    assert_eq!(read_body(b"abcde", BodyLength::None), whole(b"", true, b"abcde"));
    assert_eq!(read_body(b"abcde", BodyLength::Length(3)), whole(b"abc", true, b"de"));
    assert_eq!(read_body(b"abcde", BodyLength::Length(u64::MAX)), whole(b"abcde", false, b""));
    assert_eq!(read_body(b"abcde", BodyLength::UntilClose), whole(b"abcde", false, b""));
}

#[test]
fn the_end_of_the_connection() {
    let cases = [
        (BodyLength::None, &b""[..], true),
        (BodyLength::Length(3), b"abc", true),
        (BodyLength::Length(3), b"ab", false),
        (BodyLength::Chunked, b"3\r\nabc\r\n0\r\n\r\n", true),
        (BodyLength::Chunked, b"3\r\nabc\r\n0\r\n", false),
        (BodyLength::UntilClose, b"ab", true),
    ];
    for (length, bytes, complete) in cases {
        let mut reader = BodyReader::new(length);
        let mut input = BytesMut::from(bytes);
        while let Some(BodyPiece::Data(_)) = reader.read(&mut input).unwrap() {}
        assert_eq!(reader.read_eof().is_ok(), complete, "{length:?} {bytes:?}");
    }
}

/// The content, whether its end was seen, and what is left of the input.
fn read_body(bytes: &[u8], length: BodyLength) -> Result<(Vec<u8>, bool, Vec<u8>), HandshakeError> {
    with_every_cut(bytes, |parts| {
        let mut reader = BodyReader::new(length);
        let mut body = Vec::new();
        let end = feed(parts, |input| {
            while let Some(piece) = reader.read(input)? {
                match piece {
                    BodyPiece::Data(data) => body.extend_from_slice(&data),
                    BodyPiece::End => return Ok(Some(())),
                }
            }
            Ok(None)
        })?;
        let (done, rest) = end.map_or((false, Vec::new()), |((), rest)| (true, rest));
        Ok((body, done, rest))
    })
}
