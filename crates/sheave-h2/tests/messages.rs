//! What makes a message, and what makes it malformed (RFC 9113 §8).

mod common;

use common::{CUTS, GET, Wire};
use http::Request;
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, Protocol};

type Fields<'a> = &'a [(&'a str, &'a str)];

const M: (&str, &str) = GET[0];
const S: (&str, &str) = GET[1];
const A: (&str, &str) = GET[2];
const P: (&str, &str) = GET[3];
const POST: (&str, &str) = (":method", "POST");
const CONNECT: (&str, &str) = (":method", "CONNECT");
const WEBSOCKET: (&str, &str) = (":protocol", "websocket");
const OK: (&str, &str) = (":status", "200");

/// A server with a request on stream 1 that has not ended, and that goes on when another is malformed.
fn server(cut: usize) -> Wire {
    let mut wire = Wire::server(Config::default().enable_connect_protocol(true)).cut(cut);
    wire.headers(1, &[POST, S, A, P], 0);
    assert_eq!(wire.events(), ["request 1 POST https://example.org/"]);
    wire
}

/// The other streams of the server were not touched.
fn server_goes_on(mut wire: Wire) {
    wire.data(1, b"neighbour", END_STREAM);
    wire.headers(99, &GET, END_STREAM);
    assert_eq!(wire.events(), ["data 1 neighbour end", "request 99 GET https://example.org/ end"]);
    wire.answer(1, 200, true);
    wire.answer(99, 200, true);
    assert_eq!(wire.frames(), ["HEADERS 1 END_STREAM :status=200", "HEADERS 99 END_STREAM :status=200"]);
    assert_eq!(wire.connection.open_streams(), 0);
}

/// A client with a request on stream 1 and one on stream 3.
fn client(cut: usize, request: Request<()>) -> Wire {
    let mut wire = Wire::client(Config::default()).cut(cut);
    wire.settings(&[(8, 1)]);
    wire.open(true);
    let end_stream = request.method() != "CONNECT";
    wire.open_request(request, end_stream).unwrap();
    wire.frames();
    wire.events();
    wire
}

fn get() -> Request<()> {
    Request::get("https://example.org/").body(()).unwrap()
}

fn client_goes_on(mut wire: Wire) {
    wire.headers(1, &[OK], 0);
    wire.data(1, b"neighbour", END_STREAM);
    assert_eq!(wire.events(), ["response 1 200", "data 1 neighbour end"]);
    wire.open(true);
    wire.headers(5, &[OK], END_STREAM);
    assert_eq!(wire.events(), ["response 5 200 end"]);
    assert_eq!(wire.connection.open_streams(), 0);
}

#[test]
fn malformed_requests() {
    let table: &[(&str, Fields<'_>)] = &[
        ("nothing", &[]),
        // §8.3.1: "exactly one valid value for the ":method", ":scheme", and ":path" pseudo-header fields"
        ("no :method", &[S, A, P]),
        ("no :scheme", &[M, A, P]),
        ("no :path", &[M, S, A]),
        ("no pseudo-header fields", &[("a", "b")]),
        ("empty :method", &[(":method", ""), S, A, P]),
        (":method that is no token", &[(":method", "G ET"), S, A, P]),
        (":method with a line feed", &[(":method", "GET\n"), S, A, P]),
        ("empty :scheme", &[M, (":scheme", ""), A, P]),
        (":scheme that is none", &[M, (":scheme", "ht tp"), A, P]),
        (":scheme that begins with a digit", &[M, (":scheme", "1http"), A, P]),
        (":scheme with a colon", &[M, (":scheme", "https:"), A, P]),
        ("empty :path", &[M, S, A, (":path", "")]),
        (":path without a slash", &[M, S, A, (":path", "index.html")]),
        (":path that is a URI", &[M, S, A, (":path", "https://example.org/")]),
        (":path that is a query", &[M, S, A, (":path", "?a")]),
        (":path * without OPTIONS", &[M, S, A, (":path", "*")]),
        (":path * and more", &[(":method", "OPTIONS"), S, A, (":path", "*a")]),
        (":path with a space", &[M, S, A, (":path", "/a b")]),
        (":path with a space behind", &[M, S, A, (":path", "/ ")]),
        (":path with a fragment", &[M, S, A, (":path", "/a#b")]),
        (":path with NUL", &[M, S, A, (":path", "/\0")]),
        (":path with CR", &[M, S, A, (":path", "/\r")]),
        (":path with LF", &[M, S, A, (":path", "/ HTTP/1.1\nhost: b")]),
        // §8.3: the same one "MUST NOT appear more than once in a field block"
        (":method twice", &[M, M, S, A, P]),
        (":scheme twice", &[M, S, S, A, P]),
        (":authority twice", &[M, S, A, A, P]),
        (":path twice", &[M, S, A, P, P]),
        (":protocol twice", &[CONNECT, S, A, P, WEBSOCKET, WEBSOCKET]),
        // §8.3: "only valid in the context in which they are defined"
        (":status", &[M, S, A, P, (":status", "200")]),
        ("unknown pseudo-header field", &[M, S, A, P, (":unknown", "a")]),
        ("pseudo-header field without a name", &[M, S, A, P, (":", "a")]),
        ("upper case pseudo-header field", &[(":Method", "GET"), S, A, P]),
        // §8.3: "All pseudo-header fields MUST appear in a field block before all regular field lines."
        (":path behind a field", &[M, S, A, ("a", "b"), P]),
        (":method behind a cookie", &[S, A, P, ("cookie", "a"), M]),
        (":authority behind a field", &[M, S, P, ("a", "b"), A]),
        (":protocol behind a field", &[CONNECT, S, A, P, ("a", "b"), WEBSOCKET]),
        // §8.3.1: userinfo; host
        (":authority with userinfo", &[M, S, (":authority", "me@example.org"), P]),
        (":authority with a password", &[M, S, (":authority", "me:you@example.org"), P]),
        ("empty :authority", &[M, S, (":authority", ""), P]),
        (":authority without a host", &[M, S, (":authority", ":443"), P]),
        (":authority with a path", &[M, S, (":authority", "example.org/a"), P]),
        (":authority with a space", &[M, S, (":authority", "example .org"), P]),
        (":authority with a port that is none", &[M, S, (":authority", "example.org:https"), P]),
        (":authority with a port too high", &[M, S, (":authority", "example.org:65536"), P]),
        ("another host", &[M, S, A, P, ("host", "example.com")]),
        ("another port", &[M, S, A, P, ("host", "example.org:444")]),
        ("a port of another scheme", &[M, S, A, P, ("host", "example.org:80")]),
        ("host twice", &[M, S, P, ("host", "example.org"), ("host", "example.org")]),
        ("a second host that differs", &[M, S, A, P, ("host", "example.org"), ("host", "example.com")]),
        ("host with userinfo", &[M, S, P, ("host", "me@example.org")]),
        ("host that is none", &[M, S, P, ("host", "a b")]),
        // §8.2.1
        ("upper case", &[M, S, A, P, ("Accept", "a")]),
        ("upper case within", &[M, S, A, P, ("x-A", "a")]),
        ("name with NUL", &[M, S, A, P, ("a\0", "a")]),
        ("name with a space", &[M, S, A, P, ("a b", "a")]),
        ("name with a line feed", &[M, S, A, P, ("a\nb", "a")]),
        ("name with a colon", &[M, S, A, P, ("a:b", "a")]),
        ("name with DEL", &[M, S, A, P, ("a\x7f", "a")]),
        ("name beyond ASCII", &[M, S, A, P, ("\u{e4}", "a")]),
        ("empty name", &[M, S, A, P, ("", "a")]),
        ("value with NUL", &[M, S, A, P, ("a", "a\0b")]),
        ("value with CR", &[M, S, A, P, ("a", "a\rb")]),
        ("value with LF", &[M, S, A, P, ("a", "a\nb")]),
        ("value that ends with LF", &[M, S, A, P, ("a", "a\n")]),
        ("value that begins with a space", &[M, S, A, P, ("a", " a")]),
        ("value that ends with a space", &[M, S, A, P, ("a", "a ")]),
        ("value that begins with a tab", &[M, S, A, P, ("a", "\ta")]),
        ("value that ends with a tab", &[M, S, A, P, ("a", "a\t")]),
        ("value that is a space", &[M, S, A, P, ("a", " ")]),
        ("crumb that ends with a space", &[M, S, A, P, ("cookie", "a "), ("cookie", "b")]),
        // §8.2.2
        ("connection", &[M, S, A, P, ("connection", "close")]),
        ("keep-alive", &[M, S, A, P, ("keep-alive", "timeout=5")]),
        ("proxy-connection", &[M, S, A, P, ("proxy-connection", "keep-alive")]),
        ("transfer-encoding", &[M, S, A, P, ("transfer-encoding", "chunked")]),
        ("upgrade", &[M, S, A, P, ("upgrade", "websocket")]),
        ("te: gzip", &[M, S, A, P, ("te", "gzip")]),
        ("te: trailers and more", &[M, S, A, P, ("te", "trailers, gzip")]),
        ("te twice", &[M, S, A, P, ("te", "trailers"), ("te", "gzip")]),
        // §8.1.1
        ("content-length without content", &[POST, S, A, P, ("content-length", "1")]),
        ("content-length that is none", &[POST, S, A, P, ("content-length", "a")]),
        ("empty content-length", &[POST, S, A, P, ("content-length", "")]),
        ("content-length with a sign", &[POST, S, A, P, ("content-length", "+0")]),
        ("negative content-length", &[POST, S, A, P, ("content-length", "-0")]),
        ("list of content-length", &[POST, S, A, P, ("content-length", "0, 0")]),
        ("content-length above all", &[POST, S, A, P, ("content-length", "18446744073709551616")]),
        ("content-length twice", &[POST, S, A, P, ("content-length", "0"), ("content-length", "1")]),
        // §8.5
        ("CONNECT with :scheme", &[CONNECT, S, (":authority", "example.org:443")]),
        ("CONNECT with :path", &[CONNECT, P, (":authority", "example.org:443")]),
        ("CONNECT without :authority", &[CONNECT]),
        ("CONNECT with host alone", &[CONNECT, ("host", "example.org:443")]),
        ("CONNECT with another host", &[CONNECT, (":authority", "a:443"), ("host", "b:443")]),
        ("CONNECT with userinfo", &[CONNECT, (":authority", "me@example.org:443")]),
        // RFC 9110 §9.3.6: "A server MUST reject a CONNECT request that targets an empty or invalid port number"
        ("CONNECT without a port", &[CONNECT, A]),
        ("CONNECT with an empty port", &[CONNECT, (":authority", "example.org:")]),
        ("CONNECT with a bad port", &[CONNECT, (":authority", "example.org:70000")]),
        // RFC 8441 §4
        ("extended CONNECT without :scheme", &[CONNECT, A, P, WEBSOCKET]),
        ("extended CONNECT without :path", &[CONNECT, S, A, WEBSOCKET]),
        ("extended GET", &[M, S, A, P, WEBSOCKET]),
        ("empty :protocol", &[CONNECT, S, A, P, (":protocol", "")]),
        (":protocol that is no token", &[CONNECT, S, A, P, (":protocol", "web socket")]),
        (":protocol with LF", &[CONNECT, S, A, P, (":protocol", "web\nsocket")]),
        // RFC 8441 §5
        ("extended CONNECT with upgrade", &[CONNECT, S, A, P, WEBSOCKET, ("upgrade", "websocket")]),
    ];
    for cut in CUTS {
        for (name, fields) in table {
            let mut wire = server(cut);
            wire.headers(3, fields, END_STREAM);
            assert_eq!(wire.events(), [""; 0], "{name}");
            assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"], "{name}");
            server_goes_on(wire);
        }
    }
}

#[test]
fn requests_that_are_borne() {
    let table: &[(Fields<'_>, &str)] = &[
        (&[P, A, S, M], "GET https://example.org/"),
        (&[M, S, P], "GET /"),
        (&[M, S, P, ("host", "example.org")], "GET https://example.org/"),
        (&[M, S, A, P, ("host", "example.org")], "GET https://example.org/"),
        (&[M, S, A, P, ("host", "EXAMPLE.org:443")], "GET https://example.org/"),
        (
            &[M, S, (":authority", "example.org:443"), P, ("host", "example.org")],
            "GET https://example.org:443/",
        ),
        (&[M, S, (":authority", "[::1]:8443"), P], "GET https://[::1]:8443/"),
        (&[M, (":scheme", "http"), A, P], "GET http://example.org/"),
        (&[M, (":scheme", "wss"), A, P, ("host", "example.org:443")], "GET wss://example.org/"),
        (&[M, (":scheme", "coap+tcp"), A, P], "GET coap+tcp://example.org/"),
        (&[(":method", "get"), S, A, P], "get https://example.org/"),
        (&[(":method", "PROPFIND"), S, A, P], "PROPFIND https://example.org/"),
        (&[(":method", "OPTIONS"), S, A, (":path", "*")], "OPTIONS https://example.org*"),
        (&[(":method", "OPTIONS"), S, (":path", "*")], "OPTIONS *"),
        (&[M, S, A, (":path", "/a%20b?c=d&e={f}|g")], "GET https://example.org/a%20b?c=d&e={f}|g"),
        (&[M, S, A, (":path", "//a")], "GET https://example.org//a"),
        (&[M, S, A, P, ("te", "Trailers")], "GET https://example.org/"),
        (&[M, S, A, P, ("te", "trailers"), ("te", "trailers")], "GET https://example.org/"),
        (&[M, S, A, P, ("empty", ""), ("a", "b\tc d"), ("a", "\u{e4}")], "GET https://example.org/"),
        (&[M, S, A, P, ("content-length", "0")], "GET https://example.org/"),
        (&[POST, S, A, P, ("content-length", "0"), ("content-length", "00")], "POST https://example.org/"),
        (&[(":method", "HEAD"), S, A, P], "HEAD https://example.org/"),
        (&[CONNECT, (":authority", "example.org:443")], "CONNECT example.org:443"),
        (&[CONNECT, (":authority", "[::1]:443"), ("host", "[::1]:443")], "CONNECT [::1]:443"),
        // RFC 9110 §9.3.6: content-length of a CONNECT means nothing.
        (&[CONNECT, (":authority", "example.org:443"), ("content-length", "9")], "CONNECT example.org:443"),
        (&[CONNECT, S, A, P, WEBSOCKET], "CONNECT https://example.org/ \"websocket\""),
        (&[WEBSOCKET, P, A, (":scheme", "wss"), CONNECT], "CONNECT wss://example.org/ \"websocket\""),
        (&[CONNECT, S, A, P, (":protocol", "HTTP/2.0")], "CONNECT https://example.org/ \"HTTP/2.0\""),
    ];
    for cut in CUTS {
        for (fields, told) in table {
            let mut wire = server(cut);
            wire.headers(3, fields, END_STREAM);
            assert_eq!(wire.events(), [format!("request 3 {told} end")]);
            assert_eq!(wire.frames(), [""; 0]);
            wire.answer(3, 200, true);
            wire.frames();
            server_goes_on(wire);
        }
    }
}

/// RFC 9113 §8.2.3
#[test]
fn cookies_are_joined() {
    for cut in CUTS {
        let mut wire = server(cut);
        wire.headers(
            3,
            &[M, S, A, P, ("cookie", "a=b"), ("accept", "*"), ("cookie", "c=d; e=f"), ("cookie", "")],
            END_STREAM,
        );
        let cookies: Vec<_> = wire.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=b; c=d; e=f; "]);
        assert_eq!(wire.headers["accept"], "*");
        wire.headers(5, &[M, S, A, P, ("cookie", "a=b")], END_STREAM);
        assert_eq!(wire.headers["cookie"], "a=b");
    }
}

/// RFC 8441 §3: who did not send the setting takes it as malformed.
#[test]
fn an_extended_connect_that_was_not_offered() {
    let mut wire = Wire::server(Config::default());
    wire.headers(1, &[CONNECT, S, A, P, WEBSOCKET], 0);
    assert_eq!(wire.events(), [""; 0]);
    assert_eq!(wire.frames(), ["RST_STREAM 1 PROTOCOL_ERROR"]);
    wire.headers(3, &[CONNECT, (":authority", "example.org:443")], 0);
    assert_eq!(wire.events(), ["request 3 CONNECT example.org:443"]);
}

/// RFC 9113 §8.1.1, of requests and of responses alike.
#[test]
fn content_length() {
    // The length that is announced, the content, whether END_STREAM is on the last DATA or on trailers, and what is told.
    let table: &[(&str, &[&str], bool, &[&str])] = &[
        ("5", &["hello"], true, &["data 3 hello end"]),
        ("5", &["he", "llo"], true, &["data 3 he", "data 3 llo end"]),
        ("5", &["hello", ""], true, &["data 3 hello", "data 3  end"]),
        ("0", &[""], true, &["data 3  end"]),
        ("5", &["hello"], false, &["data 3 hello", "trailers 3 1"]),
        ("0", &[], false, &["trailers 3 1"]),
        ("4", &["hello"], true, &["reset 3 PROTOCOL_ERROR"]),
        ("4", &["hell", "o"], true, &["data 3 hell", "reset 3 PROTOCOL_ERROR"]),
        ("6", &["hello"], true, &["reset 3 PROTOCOL_ERROR"]),
        ("6", &["hello", ""], true, &["data 3 hello", "reset 3 PROTOCOL_ERROR"]),
        ("6", &["hello"], false, &["data 3 hello", "reset 3 PROTOCOL_ERROR"]),
        ("1", &[], false, &["reset 3 PROTOCOL_ERROR"]),
        ("0", &["a"], true, &["reset 3 PROTOCOL_ERROR"]),
        ("18446744073709551615", &["a"], true, &["reset 3 PROTOCOL_ERROR"]),
    ];
    for cut in CUTS {
        for (length, content, ends, told) in table {
            let length = ("content-length", *length);
            let mut server = server(cut);
            server.headers(3, &[POST, S, A, P, length], 0);
            let mut client = client(cut, get());
            client.headers(3, &[OK, length], 0);
            for wire in [&mut server, &mut client] {
                wire.events();
                for (index, data) in content.iter().enumerate() {
                    let last = *ends && index + 1 == content.len();
                    wire.data(3, data.as_bytes(), if last { END_STREAM } else { 0 });
                }
                if !ends {
                    wire.headers(3, &[("a", "b")], END_STREAM);
                }
                assert_eq!(wire.events(), *told, "{length:?}");
                let reset = told.last().is_some_and(|told| told.starts_with("reset"));
                let expected: &[&str] = if reset { &["RST_STREAM 3 PROTOCOL_ERROR"] } else { &[] };
                assert_eq!(wire.frames(), *expected);
            }
            if server.connection.open_streams() > 1 {
                server.answer(3, 200, true);
                server.frames();
            }
            server_goes_on(server);
            client_goes_on(client);
        }
    }
}

/// RFC 9113 §8.1.1: "For example, 204 or 304 responses contain no content, as does the response to a HEAD request."
#[test]
fn responses_without_content() {
    let head = || Request::head("https://example.org/").body(()).unwrap();
    let table: &[(Request<()>, &str, Fields<'_>)] = &[
        (head(), "200", &[("content-length", "9")]),
        (head(), "404", &[("content-length", "9")]),
        (get(), "204", &[]),
        (get(), "204", &[("content-length", "9")]),
        (get(), "304", &[("content-length", "9")]),
    ];
    for cut in CUTS {
        for (request, status, fields) in table {
            let fields = [&[(":status", *status)], *fields].concat();
            let mut wire = client(cut, request.clone());
            wire.headers(3, &fields, END_STREAM);
            assert_eq!(wire.events(), [format!("response 3 {status} end")]);
            client_goes_on(wire);

            let mut wire = client(cut, request.clone());
            wire.headers(3, &fields, 0);
            wire.data(3, b"", END_STREAM);
            assert_eq!(wire.events(), [format!("response 3 {status}"), "data 3  end".to_owned()]);
            client_goes_on(wire);

            let mut wire = client(cut, request.clone());
            wire.headers(3, &fields, 0);
            wire.headers(3, &[("a", "b")], END_STREAM);
            assert_eq!(wire.events(), [format!("response 3 {status}"), "trailers 3 1".to_owned()]);
            client_goes_on(wire);

            let mut wire = client(cut, request.clone());
            wire.headers(3, &fields, 0);
            wire.data(3, b"content", END_STREAM);
            let reset = "reset 3 PROTOCOL_ERROR".to_owned();
            assert_eq!(wire.events(), [format!("response 3 {status}"), reset]);
            assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"]);
            client_goes_on(wire);
        }
    }
}

#[test]
fn malformed_responses() {
    let table: &[(&str, Fields<'_>)] = &[
        ("nothing", &[]),
        // §8.3.2: ":status" "MUST be included in all responses, including interim responses"
        ("no :status", &[("a", "b")]),
        ("empty :status", &[(":status", "")]),
        (":status with a reason", &[(":status", "200 OK")]),
        (":status of two digits", &[(":status", "20")]),
        (":status of four digits", &[(":status", "2000")]),
        (":status that is no number", &[(":status", "abc")]),
        (":status below 100", &[(":status", "099")]),
        (":status twice", &[OK, OK]),
        (":status behind a field", &[("a", "b"), OK]),
        (":status behind a cookie", &[("cookie", "b"), OK]),
        // §8.3
        (":method", &[OK, M]),
        (":scheme", &[OK, S]),
        (":authority", &[OK, A]),
        (":path", &[OK, P]),
        (":protocol", &[OK, WEBSOCKET]),
        ("unknown pseudo-header field", &[OK, (":unknown", "a")]),
        // §8.6
        ("101", &[(":status", "101")]),
        // §8.2.1, §8.2.2
        ("upper case", &[OK, ("Server", "a")]),
        ("name with a colon", &[OK, ("a:", "a")]),
        ("value with NUL", &[OK, ("a", "\0")]),
        ("value with CR LF", &[OK, ("a", "b\r\nc: d")]),
        ("value that ends with a space", &[OK, ("a", "a ")]),
        ("connection", &[OK, ("connection", "close")]),
        ("keep-alive", &[OK, ("keep-alive", "timeout=5")]),
        ("proxy-connection", &[OK, ("proxy-connection", "close")]),
        ("transfer-encoding", &[OK, ("transfer-encoding", "chunked")]),
        ("upgrade", &[OK, ("upgrade", "h2c")]),
        ("content-length that is none", &[OK, ("content-length", "1 ")]),
        ("content-length twice", &[OK, ("content-length", "1"), ("content-length", "2")]),
        ("content-length without content", &[OK, ("content-length", "1")]),
        // §8.1: "A HEADERS frame with the END_STREAM flag set that carries an informational status code is malformed"
        ("100 that ends the stream", &[(":status", "100")]),
        ("103 that ends the stream", &[(":status", "103")]),
    ];
    for cut in CUTS {
        for (name, fields) in table {
            let mut wire = client(cut, get());
            wire.headers(3, fields, END_STREAM);
            assert_eq!(wire.events(), ["reset 3 PROTOCOL_ERROR"], "{name}");
            assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"], "{name}");
            client_goes_on(wire);
        }
    }
}

/// RFC 9113 §8.1
#[test]
fn the_order_of_frames() {
    enum Sent {
        Headers(Fields<'static>),
        End(Fields<'static>),
        Data,
    }
    use Sent::{Data, End, Headers};
    const CONTINUE: Fields<'_> = &[(":status", "100")];
    const TRAILERS: Fields<'_> = &[("a", "b")];
    let table: &[(&[Sent], &[&str])] = &[
        (
            &[Headers(CONTINUE), Headers(&[(":status", "103")]), Headers(&[OK]), Data, End(TRAILERS)],
            &["informational 3 100", "informational 3 103", "response 3 200", "data 3 a", "trailers 3 1"],
        ),
        (&[Headers(&[OK]), End(&[])], &["response 3 200", "trailers 3 0"]),
        (&[Data], &["reset 3 PROTOCOL_ERROR"]),
        (&[Headers(CONTINUE), Data], &["informational 3 100", "reset 3 PROTOCOL_ERROR"]),
        // "An endpoint that receives a HEADERS frame without the END_STREAM flag set after receiving [...] a final
        // (non-informational) status code MUST treat the corresponding request or response as malformed"
        (&[Headers(&[OK]), Headers(TRAILERS)], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
        (&[Headers(&[OK]), Headers(CONTINUE)], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
        (&[Headers(&[OK]), Headers(&[OK])], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
        (
            &[Headers(&[OK]), Data, Headers(TRAILERS)],
            &["response 3 200", "data 3 a", "reset 3 PROTOCOL_ERROR"],
        ),
        // §8.3: "Pseudo-header fields MUST NOT appear in a trailer section."
        (&[Headers(&[OK]), End(&[OK])], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
        (&[Headers(&[OK]), End(&[("a", "b"), (":a", "b")])], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
        // §8.2.1, §8.2.2
        (&[Headers(&[OK]), End(&[("A", "b")])], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
        (&[Headers(&[OK]), End(&[("a", "b\n")])], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
        (&[Headers(&[OK]), End(&[("connection", "b")])], &["response 3 200", "reset 3 PROTOCOL_ERROR"]),
    ];
    for cut in CUTS {
        for (sent, told) in table {
            let mut wire = client(cut, get());
            for sent in *sent {
                match sent {
                    Headers(fields) => wire.headers(3, fields, 0),
                    End(fields) => wire.headers(3, fields, END_STREAM),
                    Data => wire.data(3, b"a", 0),
                }
            }
            assert_eq!(wire.events(), *told);
            client_goes_on(wire);
        }
    }
}

/// RFC 9113 §8.1, §8.3, of requests.
#[test]
fn malformed_trailers_of_requests() {
    let table: &[(Fields<'_>, u8)] = &[
        (&[("a", "b")], 0),
        (&[M], END_STREAM),
        (&[("a", "b"), (":path", "/")], END_STREAM),
        (&[(":status", "200")], END_STREAM),
        (&[("B", "b")], END_STREAM),
        (&[("a", "b ")], END_STREAM),
        (&[("transfer-encoding", "chunked")], END_STREAM),
        (&[("te", "gzip")], END_STREAM),
    ];
    for cut in CUTS {
        for (fields, flags) in table {
            let mut wire = server(cut);
            wire.headers(3, &[POST, S, A, P], 0);
            wire.data(3, b"a", 0);
            wire.headers(3, fields, *flags);
            assert_eq!(
                wire.events(),
                ["request 3 POST https://example.org/", "data 3 a", "reset 3 PROTOCOL_ERROR"]
            );
            assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"]);
            server_goes_on(wire);
        }
        let mut wire = server(cut);
        wire.headers(3, &[POST, S, A, P], 0);
        wire.headers(3, &[("a", "b"), ("cookie", "c"), ("cookie", "d")], END_STREAM);
        assert_eq!(wire.events(), ["request 3 POST https://example.org/", "trailers 3 2"]);
        assert_eq!(wire.headers["cookie"], "c; d");
        wire.answer(3, 200, true);
        wire.frames();
        server_goes_on(wire);
    }
}

/// RFC 9113 §8.5: "Frame types other than DATA or stream management frames [...] MUST be treated as a stream error".
#[test]
fn nothing_but_data_on_a_tunnel() {
    for cut in CUTS {
        for connect in [&[CONNECT, S, A, P, WEBSOCKET][..], &[CONNECT, (":authority", "example.org:443")]] {
            let mut wire = server(cut);
            wire.headers(3, connect, 0);
            wire.answer(3, 200, false);
            assert_eq!(wire.frames(), ["HEADERS 3 :status=200"]);
            wire.data(3, b"a", 0);
            wire.headers(3, &[("a", "b")], END_STREAM);
            assert_eq!(wire.events()[1..], ["data 3 a", "reset 3 PROTOCOL_ERROR"]);
            assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"]);
            server_goes_on(wire);
        }
        let connect = Request::connect("https://example.org/").extension(Protocol::websocket()).body(());
        let connect = connect.unwrap();
        for (status, told) in [
            // RFC 9110 §9.3.6: "A client MUST ignore any Content-Length".
            ("200", &["response 3 200", "data 3 a", "reset 3 PROTOCOL_ERROR"][..]),
            ("204", &["response 3 204", "data 3 a", "reset 3 PROTOCOL_ERROR"]),
            // It is no tunnel then.
            ("404", &["response 3 404", "data 3 a", "trailers 3 1"]),
        ] {
            let mut wire = client(cut, connect.clone());
            let length = if status == "404" { "1" } else { "100" };
            wire.headers(3, &[(":status", status), ("content-length", length)], 0);
            wire.data(3, b"a", 0);
            wire.headers(3, &[("a", "b")], END_STREAM);
            assert_eq!(wire.events(), told);
            if status == "404" {
                let key = wire.stream(3);
                wire.connection.finish(key).unwrap();
                wire.frames();
            }
            client_goes_on(wire);
        }
    }
}

/// RFC 9113 §10.5.1
#[test]
fn more_fields_than_are_borne() {
    let value = "v".repeat(2000);
    let many: Vec<(&str, &str)> = GET.into_iter().chain([("large", &value[..]); 40]).collect();
    for cut in [usize::MAX, 1000] {
        for flags in [0, END_STREAM] {
            let mut wire = server(cut);
            wire.headers(3, &many, flags);
            // The table is in step: what was indexed there is meant here.
            wire.headers(5, &[M, S, A, P, ("large", &value)], END_STREAM);
            assert_eq!(wire.events(), ["request 5 GET https://example.org/ end"]);
            assert_eq!(wire.headers["large"], value);
            // What was on its way is ignored.
            if flags == 0 {
                wire.data(3, b"a", 0);
                wire.headers(3, &[("a", "b")], END_STREAM);
                assert_eq!(wire.events(), [""; 0]);
            }
            wire.answer(5, 431, true);
            let expected = [
                "HEADERS 3 END_STREAM :status=431",
                "RST_STREAM 3 NO_ERROR",
                "HEADERS 5 END_STREAM :status=431",
            ];
            let expected = expected.into_iter().filter(|frame| flags == 0 || !frame.starts_with("RST"));
            assert_eq!(wire.frames(), expected.collect::<Vec<_>>());
            assert!(wire.progress().iter().all(|progress| format!("{progress:?}").contains("StreamId(5)")));
            server_goes_on(wire);
        }
        let mut wire = client(cut, get());
        let many: Vec<(&str, &str)> = [OK].into_iter().chain([("large", &value[..]); 40]).collect();
        wire.headers(3, &many, 0);
        assert_eq!(wire.events(), ["reset 3 PROTOCOL_ERROR"]);
        assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"]);
        wire.headers(1, &[(":status", "103"), ("large", &value)], 0);
        assert_eq!(wire.events(), ["informational 1 103"]);
        assert_eq!(wire.headers["large"], value);
        client_goes_on(wire);
        // The same of trailers.
        let mut wire = server(cut);
        wire.headers(3, &[POST, S, A, P], 0);
        wire.headers(3, &many[1..], END_STREAM);
        assert_eq!(wire.events(), ["request 3 POST https://example.org/", "reset 3 PROTOCOL_ERROR"]);
        assert_eq!(wire.frames(), ["RST_STREAM 3 PROTOCOL_ERROR"]);
        server_goes_on(wire);
    }
}
