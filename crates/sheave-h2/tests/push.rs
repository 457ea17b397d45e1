//! Server push (RFC 9113 §8.4).

mod common;

use common::{GET, Wire, ok, usage};
use http::Request;
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, Error, ErrorCode, Progress, Usage};

const NONE: [&str; 0] = [];

fn pushed(path: &str) -> http::request::Parts {
    Request::get(format!("https://example.org{path}")).body(()).unwrap().into_parts().0
}

/// RFC 9113 §8.4
#[test]
fn push() {
    let mut wire = Wire::server(Config::default());
    let (first, second) = (wire.request(1, END_STREAM), wire.request(3, END_STREAM));
    // In the order in which they are asked for: the numbers of streams only go up (§5.1.1).
    let a = wire.connection.promise(first, pushed("/a")).unwrap();
    let b = wire.connection.promise(second, pushed("/b")).unwrap();
    let c = wire.connection.promise(first, pushed("/c")).unwrap();
    assert_eq!([a, b, c].map(|key| key.id().get()), [2, 4, 6]);
    wire.connection.respond(a, ok(), false).unwrap();
    wire.connection.send(a, "pushed".into()).unwrap();
    wire.connection.finish(a).unwrap();
    wire.connection.respond(first, ok(), true).unwrap();
    let promise = |on: u32, id: u32, path: &str| {
        format!("PUSH_PROMISE {on} {id} :method=GET :scheme=https :authority=example.org :path={path}")
    };
    assert_eq!(
        wire.frames(),
        [
            promise(1, 2, "/a"),
            promise(3, 4, "/b"),
            promise(1, 6, "/c"),
            "HEADERS 2 :status=200".to_owned(),
            "HEADERS 1 END_STREAM :status=200".to_owned(),
            "DATA 2 pushed END_STREAM".to_owned(),
        ]
    );
    // Behind the end of a response there is none to be associated with.
    assert!(matches!(wire.connection.promise(first, pushed("/d")), Err(Error::Closed)));
    wire.connection.respond(second, ok(), true).unwrap();
    assert_eq!(usage(wire.connection.promise(second, pushed("/d"))), Usage::NotSending);
    // Nor on a push.
    assert_eq!(usage(wire.connection.promise(b, pushed("/d"))), Usage::NotSending);
    // The client does not want it.
    wire.reset(4, ErrorCode::CANCEL);
    assert_eq!(wire.events(), ["reset 4 by peer CANCEL"]);
    assert!(matches!(wire.connection.respond(b, ok(), true), Err(Error::Closed)));
    wire.connection.respond(c, ok(), true).unwrap();
    wire.frames();
    assert_eq!(wire.connection.open_streams(), 0);
}

/// RFC 9113 §4.2, §6.6: the number of the promised stream is part of the payload.
#[test]
fn large_fields_of_a_promise() {
    // What a Huffman code makes longer goes as it is.
    for length in (16_384 - 60..16_384).chain([40_000]) {
        let mut wire = Wire::server(Config::default());
        let key = wire.request(1, END_STREAM);
        wire.lengths();
        let mut request = pushed("/");
        request.headers.insert("large", "\\".repeat(length).parse().unwrap());
        wire.connection.promise(key, request).unwrap();
        let frames = wire.frames();
        assert!(frames[0].starts_with("PUSH_PROMISE 1 2 :method=GET"));
        let lengths = wire.lengths();
        assert!(lengths[..lengths.len() - 1].iter().all(|&length| length == 16_384), "{lengths:?}");
        assert!(lengths.iter().all(|&length| length <= 16_384), "{lengths:?}");
    }
}

#[test]
fn a_push_behind_the_end_of_ours() {
    let mut wire = Wire::server(Config::default());
    let key = wire.request(1, 0);
    wire.answer(1, 200, true);
    wire.frames();
    // The client has not ended its half, so the stream is not closed; but our half is.
    assert_eq!(usage(wire.connection.promise(key, pushed("/a"))), Usage::NotSending);
    assert_eq!(wire.frames(), NONE);
}

#[test]
fn a_push_that_is_taken_back_is_never_heard_of() {
    let mut wire = Wire::server(Config::default());
    let parent = wire.request(1, END_STREAM);
    let key = wire.connection.promise(parent, pushed("/a")).unwrap();
    wire.connection.reset(key, ErrorCode::CANCEL);
    assert_eq!(wire.progress(), [Progress::Closed(key)]);
    assert_eq!(wire.frames(), NONE);
    // With its parent.
    let key = wire.connection.promise(parent, pushed("/b")).unwrap();
    wire.connection.respond(key, ok(), true).unwrap();
    wire.reset(1, ErrorCode::CANCEL);
    assert_eq!(wire.progress(), [Progress::Closed(parent), Progress::Closed(key)]);
    assert_eq!(wire.frames(), NONE);
    assert_eq!(wire.connection.open_streams(), 0);
    // What comes for a stream that the client cannot know of breaks the rules.
    let parent = wire.request(3, END_STREAM);
    wire.connection.promise(parent, pushed("/c")).unwrap();
    wire.reset(6, ErrorCode::CANCEL);
    assert_eq!(wire.code(), Some(ErrorCode::PROTOCOL_ERROR));
}

#[test]
fn pushes_that_are_not_to_be_made() {
    let mut wire = Wire::server(Config::default());
    let key = wire.request(1, END_STREAM);
    for request in [
        Request::post("https://example.org/"),
        Request::get("/"),
        Request::get("https://example.org/").header("content-length", "1"),
        Request::get("https://example.org/").header("upgrade", "b"),
    ] {
        let request = request.body(()).unwrap().into_parts().0;
        assert!(matches!(usage(wire.connection.promise(key, request)), Usage::Malformed(_)));
    }
    wire.settings(&[(3, 0)]);
    assert!(matches!(wire.connection.promise(key, pushed("/")), Err(Error::Closed)));
    wire.settings(&[(2, 0), (3, 1)]);
    assert_eq!(usage(wire.connection.promise(key, pushed("/"))), Usage::NoPush);
    wire.settings(&[(2, 1)]);
    wire.goaway(0, ErrorCode::NO_ERROR);
    assert!(matches!(wire.connection.promise(key, pushed("/")), Err(Error::Closed)));
    let mut wire = Wire::client(Config::default().enable_push(true));
    let key = wire.open(true);
    assert_eq!(usage(wire.connection.promise(key, pushed("/"))), Usage::NoPush);
}

/// RFC 9113 §8.4, as a client takes it.
#[test]
fn promises_of_a_server() {
    let mut wire = Wire::client(Config::default().enable_push(true).max_concurrent_streams(2));
    wire.open(true);
    wire.promise(1, 2, &GET);
    assert_eq!(wire.events(), ["promise 1 2 https://example.org/"]);
    let with = |field| [&GET[..], &[field]].concat();
    let post = [&[(":method", "POST")], &GET[1..]].concat();
    for (id, fields) in [
        (4, &post),
        (6, &with(("content-length", "1"))),
        (8, &with(("Upper", "case"))),
        (10, &GET[1..].to_vec()),
        (12, &with((":status", "200"))),
        (14, &with(("upgrade", "b"))),
        (24, &[GET[0], GET[1], GET[3]].to_vec()),
    ] {
        wire.promise(1, id, fields);
        assert_eq!(wire.events(), NONE);
        assert_eq!(wire.frames(), [format!("RST_STREAM {id} PROTOCOL_ERROR")]);
    }
    // Those that are reserved are not unlimited.
    wire.promise(1, 26, &GET);
    wire.promise(1, 28, &GET);
    assert_eq!(wire.events().len(), 2);
    wire.promise(1, 30, &GET);
    assert_eq!(wire.frames(), ["RST_STREAM 30 REFUSED_STREAM"]);
    // The responses.
    wire.headers(2, &[(":status", "200")], 0);
    wire.headers(26, &[(":status", "200")], END_STREAM);
    wire.headers(28, &[(":status", "200")], 0);
    wire.promise(1, 32, &GET);
    wire.headers(32, &[(":status", "200")], 0);
    assert_eq!(wire.frames(), ["RST_STREAM 32 REFUSED_STREAM"]);
    wire.data(2, b"pushed", END_STREAM);
    assert_eq!(
        wire.events(),
        [
            "response 2 200",
            "response 26 200 end",
            "response 28 200",
            "promise 1 32 https://example.org/",
            "reset 32 REFUSED_STREAM",
            "data 2 pushed end",
        ]
    );
    wire.headers(1, &[(":status", "200")], END_STREAM);
    assert_eq!(wire.connection.open_streams(), 1);
}
