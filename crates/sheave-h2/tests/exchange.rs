//! Requests and responses (RFC 9113 §8.1).

mod common;

use common::{CUTS, GET, Wire};
use http::{Request, Response};
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, Protocol};

#[test]
fn a_request_and_its_response() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        wire.headers(1, &GET, END_STREAM);
        assert_eq!(wire.events(), ["request 1 GET https://example.org/ end"]);
        let key = wire.stream(1);
        wire.answer(1, 103, false);
        wire.respond_with(1, Response::builder().header("server", "sheave").body(()).unwrap(), false)
            .unwrap();
        wire.connection.send(key, "hel".into()).unwrap();
        wire.connection.send(key, "lo".into()).unwrap();
        wire.connection.finish(key).unwrap();
        assert_eq!(
            wire.frames(),
            ["HEADERS 1 :status=103", "HEADERS 1 :status=200 server=sheave", "DATA 1 hello END_STREAM"]
        );
        assert_eq!(wire.connection.open_streams(), 0);
    }
}

#[test]
fn made_by_a_client() {
    for cut in CUTS {
        let mut wire = Wire::client(Config::default()).cut(cut);
        let request = Request::post("https://example.org/a?b").body(()).unwrap();
        let key = wire.open_request(request, false).unwrap();
        wire.connection.send(key, "body".into()).unwrap();
        wire.connection
            .send_trailers(key, [("a".parse().unwrap(), "b".parse().unwrap())].into_iter().collect())
            .unwrap();
        assert_eq!(
            wire.frames(),
            [
                "HEADERS 1 :method=POST :scheme=https :authority=example.org :path=/a?b",
                "DATA 1 body",
                "HEADERS 1 END_STREAM a=b"
            ]
        );
        wire.headers(1, &[(":status", "100")], 0);
        wire.headers(1, &[(":status", "200"), ("content-length", "6")], 0);
        wire.data(1, b"answer", 0);
        wire.headers(1, &[("checksum", "1")], END_STREAM);
        assert_eq!(wire.events(), ["informational 1 100", "response 1 200", "data 1 answer", "trailers 1 1"]);
        assert_eq!(wire.connection.open_streams(), 0);
    }
}

#[test]
fn an_extended_connect() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default().enable_connect_protocol(true)).cut(cut);
        let connect = [(":method", "CONNECT"), GET[1], GET[2], GET[3], (":protocol", "websocket")];
        wire.headers(1, &connect, 0);
        assert_eq!(wire.events(), ["request 1 CONNECT https://example.org/ \"websocket\""]);
        let key = wire.stream(1);
        wire.respond(key, false);
        wire.connection.send(key, "out".into()).unwrap();
        wire.data(1, b"in", 0);
        assert_eq!(wire.events(), ["data 1 in"]);
        assert_eq!(wire.frames(), ["HEADERS 1 :status=200", "DATA 1 out"]);
        wire.data(1, b"", END_STREAM);
        wire.connection.finish(key).unwrap();
        assert_eq!(wire.events(), ["data 1  end"]);
        assert_eq!(wire.frames(), ["DATA 1  END_STREAM"]);
        assert_eq!(wire.connection.open_streams(), 0);
    }
}

#[test]
fn an_extended_connect_by_a_client() {
    let mut wire = Wire::client(Config::default());
    let request = || {
        let request = Request::connect("https://example.org/chat").extension(Protocol::websocket());
        request.body(()).unwrap()
    };
    assert!(wire.open_request(request(), false).is_err());
    wire.settings(&[(8, 1)]);
    let key = wire.open_request(request(), false).unwrap();
    wire.connection.send(key, "out".into()).unwrap();
    assert_eq!(
        wire.frames()[1..],
        [
            "HEADERS 1 :method=CONNECT :scheme=https :authority=example.org :path=/chat :protocol=websocket",
            "DATA 1 out"
        ]
    );
}

/// RFC 9113 §8.1
#[test]
fn no_more_interim_responses_than_are_borne() {
    let mut wire = Wire::client(Config::default());
    wire.open(true);
    for _ in 0..8 {
        wire.headers(1, &[(":status", "103")], 0);
    }
    assert_eq!(wire.events(), ["informational 1 103"; 8]);
    wire.headers(1, &[(":status", "103")], 0);
    assert_eq!(wire.events(), ["reset 1 ENHANCE_YOUR_CALM"]);
    assert_eq!(wire.frames(), ["RST_STREAM 1 ENHANCE_YOUR_CALM"]);
}
