//! No bytes make the handshake panic, and how they are cut never changes what it says.

mod handshake_support;

use std::sync::Arc;

use bytes::BytesMut;
use handshake_support::{ACCEPT, KEY, MadeUp, Random, feed, start};
use http::{HeaderMap, HeaderValue, Request};
use sheave_ws::extension::{Extension, ReservedBits};
use sheave_ws::handshake::{
    BodyLength, BodyPiece, BodyReader, ClientRequest, HeadLimits, HeadReader, ServerHandshake,
};

/// What requests and answers are made of, and what breaks them.
const WORDS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"/",
    b"/chat?a#b",
    b"http://a@b:99999/",
    b" HTTP/1.1",
    b" HTTP/1.0",
    b" HTTP/2.0",
    b"HTTP/1.1 101 ",
    b"HTTP/1.1 403 ",
    b"HTTP/1.1 100 ",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b": ",
    b":",
    b"Host: a",
    b"Host: [::1]:80",
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    b"Sec-WebSocket-Protocol: a, b",
    b"Sec-WebSocket-Extensions: one; level=\"3\"",
    b"Origin: http://a",
    b"Transfer-Encoding: chunked",
    b"Content-Length: 5",
    b"5\r\nabcde\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"\"",
    b"\\",
    b";",
    b",",
    b"=",
    b" ",
    b"\t",
    b"\0",
    b"\x16\x03\x01",
    b"\xff",
    b"\xc3\xa9",
    b"a",
];

#[test]
fn random_requests_do_not_panic() {
    let mut random = Random(0x5eed);
    let mut upgrades = 0;
    for _ in 0..30_000 {
        let bytes =
            if random.below(3) == 0 { mutate(&mut random, request().as_bytes()) } else { words(&mut random) };
        let whole = serve(&[&bytes]);
        let (front, back) = bytes.split_at(random.below(bytes.len() + 1));
        assert_eq!(serve(&[front, back]), whole, "{:?}", String::from_utf8_lossy(&bytes));
        upgrades += usize::from(whole.contains("Upgrade {"));
    }
    assert!(upgrades > 100, "only {upgrades} got through");
}

#[test]
fn random_answers_do_not_panic() {
    let mut random = Random(0xa115);
    let request: ClientRequest = "ws://a".parse().unwrap();
    let extensions = [MadeUp::new("one", ReservedBits::RSV1).shared()];
    let mut accepted = 0;
    for _ in 0..30_000 {
        let bytes =
            if random.below(3) == 0 { mutate(&mut random, answer().as_bytes()) } else { words(&mut random) };
        let whole = connect(&request, &extensions, &[&bytes]);
        let (front, back) = bytes.split_at(random.below(bytes.len() + 1));
        let cut = connect(&request, &extensions, &[front, back]);
        assert_eq!(cut, whole, "{:?}", String::from_utf8_lossy(&bytes));
        accepted += usize::from(whole.contains("Accepted"));
    }
    assert!(accepted > 100, "only {accepted} got through");
}

#[test]
fn random_extension_lists_survive_the_way_back() {
    let mut random = Random(0xe47);
    let mut parsed = 0;
    for _ in 0..100_000 {
        let length = random.below(24);
        let line: Vec<u8> = (0..length).map(|_| *random.pick(&b"ab1;,=\" \t\\\xe9".each_ref())).collect();
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-extensions", HeaderValue::from_bytes(&line).unwrap());
        let Ok(offers) = sheave_ws::extension::from_headers(&headers) else { continue };
        let written = offers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        headers.insert("sec-websocket-extensions", HeaderValue::try_from(written).unwrap());
        assert_eq!(sheave_ws::extension::from_headers(&headers), Ok(offers));
        parsed += 1;
    }
    assert!(parsed > 1000, "only {parsed} were of the grammar");
}

#[test]
fn random_chunks_do_not_panic() {
    let mut random = Random(0xc4);
    for _ in 0..100_000 {
        let length = random.below(40);
        let bytes: Vec<u8> =
            (0..length).map(|_| *random.pick(&b"0123aF;= \r\n\r\n\r\nx".each_ref())).collect();
        let (front, back) = bytes.split_at(random.below(length + 1));
        assert_eq!(body(&[front, back]), body(&[&bytes]), "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn random_uris_do_not_panic() {
    let mut random = Random(0x0421);
    let parts = [
        "ws", "wss", "://", ":", "//", "/", "@", "[", "]", "::1", "a", "é", "%", "%41", "80", "99999", "?",
        "#",
    ];
    let mut valid = 0;
    for _ in 0..100_000 {
        let count = random.below(8);
        let tail: String = (0..count).map(|_| random.pick(&parts)).collect();
        let uri = if random.below(2) == 0 { tail } else { format!("ws://{tail}") };
        let Ok(request) = uri.parse::<ClientRequest>() else { continue };
        valid += 1;
        let (_, text) = start(&request, &[]);
        let request = HeadReader::default().read_request(&mut BytesMut::from(text.as_bytes()));
        let request = request.expect(&uri).expect(&uri);
        ServerHandshake::default().check(&request).expect(&uri);
    }
    assert!(valid > 1000, "only {valid} were valid");
}

fn serve(parts: &[&[u8]]) -> String {
    let mut reader = HeadReader::new(HeadLimits::default().bytes(300).headers(12));
    let request: Result<Option<(Request<()>, _)>, _> = feed(parts, |input| reader.read_request(input));
    match request {
        Ok(Some((request, rest))) => {
            let upgrade = ServerHandshake::default().check(&request);
            format!("{:?} {:?} {upgrade:?} {rest:?}", request, BodyLength::of_request(&request))
        }
        Ok(None) => "waiting".to_owned(),
        Err(error) => format!("{error} {:?}", error.refusal()),
    }
}

fn connect(request: &ClientRequest, extensions: &[Arc<dyn Extension>], parts: &[&[u8]]) -> String {
    let (mut handshake, _) = start(request, extensions);
    match feed(parts, |input| handshake.read(input)) {
        Ok(Some(outcome)) => format!("{outcome:?}"),
        Ok(None) => format!("{:?}", handshake.read_eof(&mut BytesMut::new())),
        Err(error) => error.to_string(),
    }
}

fn body(parts: &[&[u8]]) -> String {
    let mut reader = BodyReader::new(BodyLength::Chunked);
    let mut body = Vec::new();
    let end = feed(parts, |input| {
        while let Some(piece) = reader.read(input)? {
            match piece {
                BodyPiece::Data(data) => body.extend_from_slice(&data),
                BodyPiece::End => return Ok(Some(())),
            }
        }
        Ok(None)
    });
    format!("{body:?} {end:?}")
}

fn words(random: &mut Random) -> Vec<u8> {
    let count = random.below(30);
    (0..count).flat_map(|_| random.pick(WORDS).iter().copied()).collect()
}

/// Changes up to two bytes.
fn mutate(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.below(3) {
        let at = random.below(bytes.len());
        bytes[at] = random.next() as u8;
    }
    bytes
}

fn request() -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
        Origin: http://a\r\nSec-WebSocket-Extensions: one; level=3\r\n\r\n"
    )
}

fn answer() -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Extensions: one; level=3\r\n\r\nrest"
    )
}
