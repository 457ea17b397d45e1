//! Requests and responses (RFC 9113 §8.1).

mod common;

use common::{GET, Wire};
use http::{Request, Response};
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, Protocol};

const CUTS: [usize; 3] = [usize::MAX, 1, 7];

#[test]
fn a_request_and_its_response() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default());
        wire.cut = cut;
        wire.headers(1, &GET, END_STREAM);
        assert_eq!(wire.events(), ["request 1 GET https://example.org/ end"]);
        let key = wire.stream(1);
        let (parts, ()) = Response::builder().status(103).body(()).unwrap().into_parts();
        wire.connection.respond(key, parts, false).unwrap();
        let (parts, ()) = Response::builder().header("server", "sheave").body(()).unwrap().into_parts();
        wire.connection.respond(key, parts, false).unwrap();
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
        let mut wire = Wire::client(Config::default());
        wire.cut = cut;
        let (parts, ()) = Request::post("https://example.org/a?b").body(()).unwrap().into_parts();
        let key = wire.connection.open(parts, false).unwrap();
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
        let mut wire = Wire::server(Config::default().enable_connect_protocol(true));
        wire.cut = cut;
        let mut fields = [("", ""); 5];
        fields[..4].copy_from_slice(&GET);
        fields[0].1 = "CONNECT";
        fields[4] = (":protocol", "websocket");
        wire.headers(1, &fields, 0);
        assert_eq!(wire.events(), ["request 1 CONNECT https://example.org/ \"websocket\""]);
        let key = wire.stream(1);
        wire.connection.respond(key, Response::new(()).into_parts().0, false).unwrap();
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
        request.body(()).unwrap().into_parts().0
    };
    assert!(wire.connection.open(request(), false).is_err());
    wire.settings(&[(8, 1)]);
    let key = wire.connection.open(request(), false).unwrap();
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
    wire.connection
        .open(Request::get("https://example.org/").body(()).unwrap().into_parts().0, true)
        .unwrap();
    wire.frames();
    for _ in 0..8 {
        wire.headers(1, &[(":status", "103")], 0);
    }
    assert_eq!(wire.events(), ["informational 1 103"; 8]);
    wire.headers(1, &[(":status", "103")], 0);
    assert_eq!(wire.events(), ["reset 1 ENHANCE_YOUR_CALM"]);
    assert_eq!(wire.frames(), ["RST_STREAM 1 ENHANCE_YOUR_CALM"]);
}
