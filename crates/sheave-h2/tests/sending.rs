//! What is sent: messages in frames (RFC 9113 §8), and what is not to be asked for.

mod common;

use bytes::{Buf, Bytes};
use common::{GET, Wire, usage};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use sheave_h2::frame::Head;
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Chunks, Config, Error, ErrorCode, Progress, Protocol, Role, StreamKey, Usage};

const NONE: [&str; 0] = [];

fn trailers() -> HeaderMap {
    [("a".parse().unwrap(), "b".parse().unwrap())].into_iter().collect()
}

fn asterisk() -> Uri {
    Uri::builder().scheme("https").authority("example.org").path_and_query("*").build().unwrap()
}

fn post(wire: &mut Wire) -> StreamKey {
    wire.open_request(Request::post("https://example.org/").body(()).unwrap(), false).unwrap()
}

const POSTED: &str = "HEADERS 1 :method=POST :scheme=https :authority=example.org :path=/";

/// RFC 9113 §8.3.1
#[test]
fn requests() {
    let websocket = Protocol::websocket();
    let table = [
        (
            Request::get("https://example.org/a?b=c"),
            ":method=GET :scheme=https :authority=example.org :path=/a?b=c",
        ),
        (Request::get("http://example.org:80"), ":method=GET :scheme=http :authority=example.org:80 :path=/"),
        (Request::get("https://example.org?b"), ":method=GET :scheme=https :authority=example.org :path=/?b"),
        (
            Request::get("https://me:secret@example.org/"),
            ":method=GET :scheme=https :authority=example.org :path=/",
        ),
        (Request::options(asterisk()), ":method=OPTIONS :scheme=https :authority=example.org :path=*"),
        (
            Request::options("https://example.org/"),
            ":method=OPTIONS :scheme=https :authority=example.org :path=/",
        ),
        // "Clients MUST NOT generate a request with a Host header field that differs"
        (
            Request::get("https://example.org/").header("host", "example.com").header("b", "c"),
            ":method=GET :scheme=https :authority=example.org :path=/ b=c",
        ),
        (
            Request::get("https://example.org/").header("te", "trailers"),
            ":method=GET :scheme=https :authority=example.org :path=/ te=trailers",
        ),
        // §8.2.1: "A field value MUST NOT start or end with an ASCII whitespace character"
        (
            Request::get("https://example.org/").header("b", " c\t").header("d", " "),
            ":method=GET :scheme=https :authority=example.org :path=/ b=c d=",
        ),
        (Request::connect("example.org:443"), ":method=CONNECT :authority=example.org:443"),
        (
            Request::connect("https://example.org/chat").extension(websocket),
            ":method=CONNECT :scheme=https :authority=example.org :path=/chat :protocol=websocket",
        ),
    ];
    for (request, fields) in table {
        let mut wire = Wire::client(Config::default());
        wire.settings(&[(8, 1)]);
        wire.frames();
        wire.open_request(request.body(()).unwrap(), false).unwrap();
        assert_eq!(wire.frames(), [format!("HEADERS 1 {fields}")]);
    }
}

#[test]
fn requests_that_cannot_be_made() {
    let get = || Request::get("https://example.org/");
    let protocol = |name| Request::connect("https://example.org/").extension(Protocol::new(name));
    for request in [
        Request::get("/"),
        Request::get("https://:443/"),
        Request::options("*"),
        Request::get(
            http::Uri::builder().scheme("https").authority("a").path_and_query("*").build().unwrap(),
        ),
        get().extension(Protocol::websocket()),
        protocol(""),
        protocol("web socket"),
        protocol("a\r\nb: c"),
        Request::connect("example.org:443").extension(Protocol::websocket()),
        Request::connect("example.org"),
        get().header("connection", "close"),
        get().header("keep-alive", "1"),
        get().header("proxy-connection", "close"),
        get().header("transfer-encoding", "chunked"),
        get().header("upgrade", "websocket"),
        get().header("te", "gzip"),
        get().header("te", "trailers, gzip"),
        get().header("content-length", "a"),
        get().header("content-length", "1").header("content-length", "2"),
    ] {
        let mut wire = Wire::client(Config::default());
        wire.settings(&[(8, 1)]);
        wire.frames();
        let request = request.body(()).unwrap();
        let told = format!("{request:?}");
        let refused = usage(wire.open_request(request, false));
        assert!(matches!(refused, Usage::Malformed(_)), "{told} {refused:?}");
        assert_eq!(wire.frames(), NONE);
        assert_eq!(wire.connection.open_streams(), 0);
        wire.open(true);
    }
}

/// RFC 9113 §5.1.2
#[test]
fn no_more_streams_than_the_peer_takes() {
    let mut wire = Wire::client(Config::default());
    wire.settings(&[(3, 1)]);
    let first = wire.open(true);
    assert!(!wire.connection.can_open());
    let get = || Request::get("https://example.org/").body(()).unwrap();
    assert_eq!(usage(wire.open_request(get(), true)), Usage::TooManyStreams);
    wire.connection.reset(first, ErrorCode::CANCEL);
    assert!(wire.connection.can_open());
    wire.open_request(get(), true).unwrap();
    wire.frames();
    wire.settings(&[(3, 0)]);
    wire.headers(3, &[(":status", "200")], END_STREAM);
    assert!(!wire.connection.can_open());
    wire.settings(&[(3, 1)]);
    wire.open_request(get(), true).unwrap();
    // Before it has said so.
    let mut wire = Wire::new(Role::Client, Config::default());
    for _ in 0..100 {
        wire.open_request(get(), true).unwrap();
    }
    assert_eq!(usage(wire.open_request(get(), true)), Usage::TooManyStreams);
    wire.settings(&[(3, 101)]);
    wire.open_request(get(), true).unwrap();
    assert!(!wire.connection.can_open());
}

#[test]
fn responses() {
    let table = [
        (Response::builder().status(404).header("b", "c"), ":status=404 b=c"),
        // RFC 9110 §8.6
        (Response::builder().status(204).header("content-length", "0"), ":status=204"),
        (Response::builder().status(304).header("content-length", "9"), ":status=304 content-length=9"),
        (Response::builder().header("content-length", "0"), ":status=200 content-length=0"),
    ];
    for (response, fields) in table {
        let mut wire = Wire::server(Config::default());
        wire.request(1, END_STREAM);
        wire.respond_with(1, response.body(()).unwrap(), true).unwrap();
        assert_eq!(wire.frames(), [format!("HEADERS 1 END_STREAM {fields}")]);
    }
}

#[test]
fn what_is_not_to_be_asked_of_a_server() {
    let mut wire = Wire::server(Config::default());
    let key = wire.request(1, 0);
    let response = |status: u16| Response::builder().status(status);
    for malformed in [
        response(101),
        response(200).header("connection", "close"),
        response(200).header("upgrade", "h2c"),
        response(200).header("transfer-encoding", "chunked"),
        response(200).header("content-length", "a"),
    ] {
        assert!(matches!(
            usage(wire.respond_with(1, malformed.body(()).unwrap(), false)),
            Usage::Malformed(_)
        ));
    }
    assert!(matches!(
        usage(wire.respond_with(1, response(103).body(()).unwrap(), true)),
        Usage::Malformed(_)
    ));
    // Content before the response, also behind an interim one.
    assert_eq!(usage(wire.connection.send(key, "a".into())), Usage::NotSending);
    wire.answer(1, 103, false);
    assert_eq!(usage(wire.connection.send(key, "a".into())), Usage::NotSending);
    assert_eq!(usage(wire.connection.finish(key)), Usage::NotSending);
    assert_eq!(usage(wire.connection.send_trailers(key, trailers())), Usage::NotSending);
    wire.answer(1, 200, false);
    // A second response, of any kind.
    for status in [100, 200] {
        let response = response(status).body(()).unwrap();
        assert_eq!(usage(wire.respond_with(1, response, false)), Usage::NotSending);
    }
    let connection_specific = [("upgrade".parse().unwrap(), "b".parse().unwrap())].into_iter().collect();
    assert!(matches!(usage(wire.connection.send_trailers(key, connection_specific)), Usage::Malformed(_)));
    wire.connection.finish(key).unwrap();
    assert_eq!(usage(wire.connection.send(key, "a".into())), Usage::NotSending);
    assert_eq!(usage(wire.connection.finish(key)), Usage::NotSending);
    assert_eq!(wire.frames(), ["HEADERS 1 :status=103", "HEADERS 1 END_STREAM :status=200"]);
    assert_eq!(usage(wire.connection.send(key, "a".into())), Usage::NotSending);
    wire.data(1, b"", END_STREAM);
    assert!(matches!(wire.connection.send(key, "a".into()), Err(Error::Closed)));
    assert!(matches!(wire.connection.finish(key), Err(Error::Closed)));
    // A client answers nothing.
    let mut wire = Wire::client(Config::default());
    let key = wire.open(true);
    let parts = response(200).body(()).unwrap().into_parts().0;
    assert_eq!(usage(wire.connection.respond(key, parts, true)), Usage::NotSending);
    assert_eq!(usage(wire.connection.send(key, "a".into())), Usage::NotSending);
}

/// RFC 9113 §8.1.1
#[test]
fn content_length_is_kept_to() {
    let request = |length: &str| Request::post("https://example.org/").header("content-length", length);
    let mut wire = Wire::client(Config::default());
    assert_eq!(usage(wire.open_request(request("1").body(()).unwrap(), true)), Usage::ContentLength);
    let key = wire.open_request(request("5").body(()).unwrap(), false).unwrap();
    wire.connection.send(key, "hel".into()).unwrap();
    assert_eq!(usage(wire.connection.send(key, "lo!".into())), Usage::ContentLength);
    let mut chunks = Chunks::default();
    chunks.push("lo!".into());
    assert_eq!(usage(wire.connection.send_chunks(key, &mut chunks)), Usage::ContentLength);
    assert_eq!(chunks.len(), 3);
    assert_eq!(usage(wire.connection.finish(key)), Usage::ContentLength);
    assert_eq!(usage(wire.connection.send_trailers(key, trailers())), Usage::ContentLength);
    wire.connection.send(key, "lo".into()).unwrap();
    wire.connection.finish(key).unwrap();
    assert_eq!(wire.frames()[1..], ["DATA 1 hello END_STREAM"]);

    // What has no content has none, whatever it says of the length.
    let head: Vec<_> = GET.into_iter().map(|(name, value)| (name, value.replace("GET", "HEAD"))).collect();
    let head: Vec<_> = head.iter().map(|(name, value)| (*name, &value[..])).collect();
    for (fields, status) in [(&head[..], 200), (&GET, 204), (&GET, 205), (&GET, 304)] {
        for end_stream in [true, false] {
            let mut wire = Wire::server(Config::default());
            wire.headers(1, fields, END_STREAM);
            let response = Response::builder().status(status).header("content-length", "5");
            wire.respond_with(1, response.body(()).unwrap(), end_stream).unwrap();
            let key = wire.stream(1);
            if !end_stream {
                assert_eq!(usage(wire.connection.send(key, "hello".into())), Usage::ContentLength);
                wire.connection.finish(key).unwrap();
            }
            assert!(wire.frames()[0].starts_with("HEADERS 1 END_STREAM"));
        }
    }
    // A tunnel has no length.
    let mut wire = Wire::server(Config::default());
    wire.headers(1, &[(":method", "CONNECT"), (":authority", "a:1")], 0);
    let response = Response::builder().header("content-length", "5").body(()).unwrap();
    wire.respond_with(1, response, false).unwrap();
    let key = wire.stream(1);
    wire.connection.send(key, "more than that".into()).unwrap();
    assert_eq!(wire.frames(), ["HEADERS 1 :status=200", "DATA 1 more than that"]);
}

#[test]
fn the_end_goes_with_what_is_last() {
    let mut wire = Wire::client(Config::default());
    wire.open_request(Request::get("https://example.org/").body(()).unwrap(), true).unwrap();
    assert_eq!(
        wire.frames(),
        ["HEADERS 1 END_STREAM :method=GET :scheme=https :authority=example.org :path=/"]
    );
    // Said before the first is sent.
    let mut wire = Wire::client(Config::default());
    let key = post(&mut wire);
    wire.connection.finish(key).unwrap();
    assert_eq!(wire.frames(), [POSTED.replace("HEADERS 1", "HEADERS 1 END_STREAM")]);
    let mut wire = Wire::client(Config::default());
    let key = post(&mut wire);
    wire.connection.send(key, "a".into()).unwrap();
    wire.connection.finish(key).unwrap();
    assert_eq!(wire.frames(), [POSTED, "DATA 1 a END_STREAM"]);
    // And after.
    let mut wire = Wire::client(Config::default());
    let key = post(&mut wire);
    assert_eq!(wire.frames(), [POSTED]);
    wire.connection.send(key, "a".into()).unwrap();
    assert_eq!(wire.frames(), ["DATA 1 a"]);
    wire.connection.finish(key).unwrap();
    assert_eq!(wire.frames(), ["DATA 1  END_STREAM"]);
    // Behind what the window holds up.
    for with_trailers in [false, true] {
        let mut wire = Wire::client(Config::default());
        wire.settings(&[(4, 1)]);
        let key = post(&mut wire);
        wire.connection.send(key, "ab".into()).unwrap();
        if with_trailers {
            wire.connection.send_trailers(key, trailers()).unwrap();
        } else {
            wire.connection.finish(key).unwrap();
        }
        assert_eq!(wire.frames()[1..], [POSTED, "DATA 1 a"]);
        wire.window_update(1, 1);
        if with_trailers {
            assert_eq!(wire.frames(), ["DATA 1 b", "HEADERS 1 END_STREAM a=b"]);
        } else {
            assert_eq!(wire.frames(), ["DATA 1 b END_STREAM"]);
        }
    }
    // Without content.
    let mut wire = Wire::client(Config::default());
    let key = post(&mut wire);
    wire.connection.send_trailers(key, trailers()).unwrap();
    assert_eq!(wire.frames(), [POSTED, "HEADERS 1 END_STREAM a=b"]);
    let mut wire = Wire::server(Config::default());
    let key = wire.request(1, END_STREAM);
    wire.answer(1, 100, false);
    wire.answer(1, 103, false);
    wire.answer(1, 200, false);
    wire.connection.send_trailers(key, trailers()).unwrap();
    assert_eq!(
        wire.frames(),
        [
            "HEADERS 1 :status=100",
            "HEADERS 1 :status=103",
            "HEADERS 1 :status=200",
            "HEADERS 1 END_STREAM a=b"
        ]
    );
    assert_eq!(wire.progress(), [Progress::Closed(key)]);
}

/// RFC 9113 §6.10
#[test]
fn large_fields_go_in_several_frames() {
    let large = |length: usize| {
        // What a Huffman code makes longer goes as it is.
        let value = HeaderValue::from_bytes(&b"\\".repeat(length)).unwrap();
        Response::builder().header("large", value).body(()).unwrap()
    };
    for (size, frames) in [(16_384, 3), (40_000, 2), (100_000, 1)] {
        let mut wire = Wire::server(Config::default());
        wire.settings(&[(5, size)]);
        wire.request(1, END_STREAM);
        wire.respond_with(1, large(40_000), true).unwrap();
        let told = wire.frames();
        assert_eq!(told.len(), 1 + frames);
        assert!(told[1].starts_with("HEADERS 1 END_STREAM :status=200"));
        assert!(told[2..].iter().all(|frame| frame.starts_with("CONTINUATION 1")));
        assert!(told.last().unwrap().ends_with("\\\\"));
        // Trailers, the same.
        wire.request(3, END_STREAM);
        wire.answer(3, 200, false);
        let key = wire.stream(3);
        wire.connection.send_trailers(key, large(40_000).headers().clone()).unwrap();
        assert_eq!(wire.frames().len(), 1 + frames);
    }
    // Each is full before the next begins.
    let mut seen = [0; 2];
    for length in 16_384 - 20..16_384 {
        let mut wire = Wire::server(Config::default());
        wire.request(1, END_STREAM);
        wire.respond_with(1, large(length), true).unwrap();
        let mut bytes = Bytes::copy_from_slice(wire.connection.transmit(wire.now).chunk());
        let mut lengths = Vec::new();
        while let Some(head) = Head::read(&bytes) {
            lengths.push(head.length);
            bytes.advance(Head::LENGTH + head.length as usize);
        }
        assert!(lengths.len() == 1 || lengths[0] == 16_384);
        seen[lengths.len() - 1] += 1;
    }
    assert!(seen.iter().all(|&seen| seen > 0), "{seen:?}");
}

/// RFC 9113 §10.5.1
#[test]
fn fields_that_the_peer_does_not_take() {
    let mut wire = Wire::client(Config::default());
    wire.settings(&[(6, 200)]);
    let request = |length: usize| {
        Request::get("https://example.org/").header("a", "b".repeat(length)).body(()).unwrap()
    };
    // 32 for each field: 42 + 44 + 53 + 38 of the pseudo-header fields, 33 of this one without its value.
    assert_eq!(usage(wire.open_request(request(0), true)), Usage::HeaderListTooLarge);
    wire.settings(&[(6, 210)]);
    wire.open_request(request(0), true).unwrap();
    assert_eq!(usage(wire.open_request(request(1), true)), Usage::HeaderListTooLarge);
    let key = post(&mut wire);
    let large: HeaderMap = [("a".parse().unwrap(), "b".repeat(200).parse().unwrap())].into_iter().collect();
    assert_eq!(usage(wire.connection.send_trailers(key, large)), Usage::HeaderListTooLarge);
    wire.connection.finish(key).unwrap();
    // Nothing else is held up by it.
    assert_eq!(wire.frames().len(), 4);

    let mut wire = Wire::server(Config::default());
    wire.settings(&[(6, 100)]);
    wire.request(1, END_STREAM);
    let response = Response::builder().header("a", "b".repeat(100)).body(()).unwrap();
    assert_eq!(usage(wire.respond_with(1, response, true)), Usage::HeaderListTooLarge);
    wire.answer(1, 500, true);
    assert_eq!(wire.frames()[1..], ["HEADERS 1 END_STREAM :status=500"]);
}

/// RFC 9113 §6.4
#[test]
fn a_reset_discards_what_is_queued() {
    let mut wire = Wire::client(Config::default());
    let key = post(&mut wire);
    wire.connection.send(key, vec![0; 100_000].into()).unwrap();
    wire.connection.finish(key).unwrap();
    // Of what the peer has never heard there is nothing to say.
    wire.connection.reset(key, ErrorCode::CANCEL);
    assert_eq!(wire.frames(), NONE);
    assert_eq!(wire.progress(), [Progress::Closed(key)]);
    let key = post(&mut wire);
    wire.connection.send(key, vec![0; 100_000].into()).unwrap();
    assert_eq!(wire.frames().len(), 1 + 4);
    wire.connection.reset(key, ErrorCode::CANCEL);
    assert_eq!(wire.frames(), ["RST_STREAM 3 CANCEL"]);
    assert_eq!(wire.progress(), [Progress::Sent(key, 65_535), Progress::Closed(key)]);
    // Again, or of what is closed: nothing.
    wire.connection.reset(key, ErrorCode::CANCEL);
    assert_eq!(wire.frames(), NONE);
    assert!(matches!(wire.connection.send(key, "a".into()), Err(Error::Closed)));
    // What the connection's window was used for is gone; another stream gets the rest.
    wire.window_update(0, 3);
    let key = post(&mut wire);
    wire.connection.send(key, "abcd".into()).unwrap();
    assert_eq!(wire.frames()[1..], ["DATA 5 abc"]);
}

/// RFC 9113 §8.1: "a server MAY request that the client abort transmission of a request without error by sending a
/// RST_STREAM with an error code of NO_ERROR after sending a complete response".
#[test]
fn stop() {
    let mut wire = Wire::server(Config::default());
    // Said before the response.
    let key = wire.request(1, 0);
    wire.connection.stop(key, ErrorCode::NO_ERROR);
    wire.answer(1, 200, false);
    wire.connection.send(key, "enough".into()).unwrap();
    assert_eq!(wire.frames(), ["HEADERS 1 :status=200", "DATA 1 enough"]);
    wire.connection.finish(key).unwrap();
    assert_eq!(wire.frames(), ["DATA 1  END_STREAM", "RST_STREAM 1 NO_ERROR"]);
    // And after it was sent.
    let key = wire.request(3, 0);
    wire.answer(3, 200, true);
    assert_eq!(wire.frames(), ["HEADERS 3 END_STREAM :status=200"]);
    wire.connection.stop(key, ErrorCode::NO_ERROR);
    assert_eq!(wire.frames(), ["RST_STREAM 3 NO_ERROR"]);
    // With trailers.
    let key = wire.request(5, 0);
    wire.answer(5, 200, false);
    wire.connection.send_trailers(key, trailers()).unwrap();
    wire.connection.stop(key, ErrorCode::NO_ERROR);
    assert_eq!(wire.frames(), ["HEADERS 5 :status=200", "HEADERS 5 END_STREAM a=b", "RST_STREAM 5 NO_ERROR"]);
    // The peer ends by itself.
    let key = wire.request(7, 0);
    wire.connection.stop(key, ErrorCode::NO_ERROR);
    wire.data(7, b"", END_STREAM);
    wire.answer(7, 200, true);
    assert_eq!(wire.frames(), ["HEADERS 7 END_STREAM :status=200"]);
    assert_eq!(wire.connection.open_streams(), 0);
    // What was on its way is ignored.
    wire.events();
    wire.data(1, b"more", END_STREAM);
    wire.data(3, b"more", 0);
    wire.headers(5, &[("a", "b")], END_STREAM);
    assert_eq!(wire.events(), NONE);
    assert_eq!(wire.frames(), NONE);
}

/// A client takes the response that comes before such a reset.
#[test]
fn a_response_before_a_reset() {
    let mut wire = Wire::client(Config::default());
    let key = post(&mut wire);
    wire.frames();
    wire.headers(1, &[(":status", "200")], 0);
    wire.data(1, b"enough", END_STREAM);
    wire.reset(1, ErrorCode::NO_ERROR);
    assert_eq!(wire.events(), ["response 1 200", "data 1 enough end", "reset 1 by peer NO_ERROR"]);
    assert!(matches!(wire.connection.send(key, "a".into()), Err(Error::Closed)));
}

/// A final status other than 2xx makes a CONNECT an exchange like others.
#[test]
fn a_tunnel_that_is_refused() {
    let mut wire = Wire::server(Config::default());
    wire.headers(1, &[(":method", "CONNECT"), (":authority", "a:1")], 0);
    let key = wire.stream(1);
    wire.answer(1, 103, false);
    wire.answer(1, StatusCode::FORBIDDEN.as_u16(), false);
    wire.connection.send(key, "no".into()).unwrap();
    wire.connection.send_trailers(key, trailers()).unwrap();
    assert_eq!(
        wire.frames(),
        ["HEADERS 1 :status=103", "HEADERS 1 :status=403", "DATA 1 no", "HEADERS 1 END_STREAM a=b"]
    );
    // And one that is accepted has no trailers.
    wire.headers(3, &[(":method", "CONNECT"), (":authority", "a:1")], 0);
    wire.answer(3, 200, false);
    let key = wire.stream(3);
    assert!(matches!(usage(wire.connection.send_trailers(key, trailers())), Usage::Malformed(_)));
}

/// Content that is large goes out as it is: the frames of a batch, in pieces that are not copied.
#[test]
fn large_content_is_not_copied() {
    let mut wire = Wire::client(Config::default());
    let key = post(&mut wire);
    wire.frames();
    let content = Bytes::from(vec![7; 30_000]);
    wire.connection.send(key, content.clone()).unwrap();
    let output = wire.connection.transmit(wire.now);
    output.advance(9);
    assert_eq!(output.chunk().as_ptr(), content.as_ptr());
    assert_eq!(output.chunk().len(), 16_384);
    output.advance(16_384 + 9);
    assert_eq!(output.chunk().as_ptr(), content[16_384..].as_ptr());
}
