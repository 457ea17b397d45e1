//! The client reads the server's answer: RFC 6455 §4.1.

mod handshake_support;

use std::sync::Arc;

use bytes::BytesMut;
use handshake_support::{ACCEPT, Answer, KEY, MadeUp, answer, client, start};
use sheave_ws::extension::{Extension, ReservedBits};
use sheave_ws::handshake::{ClientHandshake, ClientOutcome, HandshakeError, HeadLimits, Rejection};

#[test]
fn the_answer_of_the_rfc_is_accepted() {
    let request = client("ws://server.example.com/chat").subprotocol("chat").unwrap();
    let Answer::Accepted { agreed, headers, rest } =
        answer(&request, &[], &accepted("Sec-WebSocket-Protocol: chat\r\nX-More: 1\r\n"), false).unwrap()
    else {
        panic!("not accepted")
    };
    assert_eq!(agreed.subprotocol.as_deref(), Some("chat"));
    assert!(agreed.extensions.is_empty());
    assert!(headers.contains(&("x-more".to_owned(), "1".to_owned())));
    assert!(rest.is_empty());
}

#[test]
fn bytes_after_the_handshake_are_kept() {
    let bytes = [&accepted("")[..], b"\x81\x02hi\x89\x00"].concat();
    let Ok(Answer::Accepted { rest, .. }) = answer(&client("ws://a"), &[], &bytes, false) else {
        panic!("not accepted")
    };
    assert_eq!(rest, b"\x81\x02hi\x89\x00");
}

#[test]
fn sec_websocket_accept_is_verified() {
    use HandshakeError::{MissingAccept, WrongAccept};
    let line = |value: &str| format!("Sec-WebSocket-Accept: {value}\r\n");
    let cases = [
        ("missing", String::new(), MissingAccept),
        ("empty", line(""), WrongAccept),
        ("of another key", line("HSmrc0sMlYUkAGmm5OPpG2HaGWk="), WrongAccept),
        ("in another case", line(&ACCEPT.to_lowercase()), WrongAccept),
        ("too short", line(&ACCEPT[..27]), WrongAccept),
        ("the key itself", line(KEY), WrongAccept),
        ("twice", line(ACCEPT).repeat(2), WrongAccept),
        ("a list", line(&format!("{ACCEPT}, {ACCEPT}")), WrongAccept),
    ];
    for (name, line, expected) in cases {
        let bytes = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{line}\r\n"
        );
        assert_eq!(answer(&client("ws://a"), &[], bytes.as_bytes(), false), Err(expected), "{name}");
    }
}

#[test]
fn an_over_long_accept_does_not_panic() {
    for extra in [1, 2, 4, 28, 100, 1000] {
        let bytes = String::from_utf8(accepted("")).unwrap();
        let bytes = bytes.replace(ACCEPT, &format!("{ACCEPT}{}", "A".repeat(extra)));
        let found = answer(&client("ws://a"), &[], bytes.as_bytes(), false);
        assert_eq!(found, Err(HandshakeError::WrongAccept), "{extra} more");
    }
}

#[test]
fn connection_and_upgrade_of_the_answer_are_verified() {
    use HandshakeError::{MissingConnection, MissingUpgrade};
    let upgrade = "Upgrade: websocket\r\n";
    let connection = "Connection: Upgrade\r\n";
    let cases = [
        (upgrade, "", Err(MissingUpgrade)),
        (upgrade, "Upgrade: h2c\r\n", Err(MissingUpgrade)),
        (upgrade, "Upgrade: \r\n", Err(MissingUpgrade)),
        (upgrade, "Upgrade: websocket, other\r\n", Err(MissingUpgrade)),
        (upgrade, "Upgrade: other\r\nUpgrade: websocket\r\n", Err(MissingUpgrade)),
        (upgrade, "upgrade: WebSocket\r\n", Ok(())),
        (connection, "", Err(MissingConnection)),
        (connection, "Connection: keep-alive\r\n", Err(MissingConnection)),
        (connection, "Connection: keep-alive, Upgrade\r\n", Ok(())),
        (connection, "Connection: keep-alive\r\nconnection: upgrade\r\n", Ok(())),
    ];
    for (from, to, expected) in cases {
        let bytes = String::from_utf8(accepted("")).unwrap().replace(from, to);
        let found = answer(&client("ws://a"), &[], bytes.as_bytes(), false).map(|_| ());
        assert_eq!(found, expected, "{to:?}");
    }
}

#[test]
fn the_subprotocol_of_the_answer_is_verified() {
    let request = client("ws://a").subprotocol("a").and_then(|request| request.subprotocol("b")).unwrap();
    let cases = [
        ("", Ok(None)),
        ("Sec-WebSocket-Protocol: b\r\n", Ok(Some("b"))),
        ("Sec-WebSocket-Protocol: c\r\n", Err("c")),
        ("Sec-WebSocket-Protocol: A\r\n", Err("A")),
        ("Sec-WebSocket-Protocol: a, b\r\n", Err("a, b")),
        ("Sec-WebSocket-Protocol: \r\n", Err("")),
        ("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", Err("a")),
        ("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n", Err("a")),
    ];
    for (line, expected) in cases {
        let found = answer(&request, &[], &accepted(line), false).map(|answer| match answer {
            Answer::Accepted { agreed, .. } => agreed.subprotocol,
            other => panic!("{other:?}"),
        });
        let expected = match expected {
            Ok(name) => Ok(name.map(str::to_owned)),
            Err(name) => Err(HandshakeError::UnexpectedSubprotocol(name.to_owned())),
        };
        assert_eq!(found, expected, "{line:?}");
    }
}

#[test]
fn the_extensions_of_the_answer_are_verified() {
    let extensions: [Arc<dyn Extension>; 2] =
        [MadeUp::new("one", ReservedBits::RSV1).shared(), MadeUp::new("two", ReservedBits::RSV2).shared()];
    let unexpected = |name: &str| Err(HandshakeError::UnexpectedExtension(name.to_owned()));
    let cases = [
        ("", Ok(vec![])),
        ("Sec-WebSocket-Extensions: two, one; level=\"3\"\r\n", Ok(vec!["two", "one; level=3"])),
        ("Sec-WebSocket-Extensions: two\r\nSec-WebSocket-Extensions: one\r\n", Ok(vec!["two", "one"])),
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", unexpected("permessage-deflate")),
        ("Sec-WebSocket-Extensions: one, one\r\n", unexpected("one")),
        ("Sec-WebSocket-Extensions: one; level=10\r\n", unexpected("one")),
    ];
    for (line, expected) in cases {
        let found =
            answer(&client("ws://a"), &extensions, &accepted(line), false).map(|answer| match answer {
                Answer::Accepted { agreed, .. } => {
                    agreed.extensions.iter().map(ToString::to_string).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            });
        let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(found, expected, "{line:?}");
    }
    let malformed =
        answer(&client("ws://a"), &extensions, &accepted("Sec-WebSocket-Extensions: one;\r\n"), false);
    assert!(matches!(malformed, Err(HandshakeError::MalformedExtensions(_))));
}

#[test]
fn a_rejection_has_status_headers_and_body() {
    let cases: &[(&str, &str, &str, bool, &str)] = &[
        ("length", "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", "nope", false, ""),
        (
            "more behind it",
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnopeHTTP/1.1",
            "nope",
            false,
            "HTTP/1.1",
        ),
        ("no body", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "", false, ""),
        (
            "chunked",
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n2\r\npe\r\n0\r\n\r\n",
            "nope",
            false,
            "",
        ),
        ("until close", "HTTP/1.1 403 Forbidden\r\n\r\nnope", "nope", false, ""),
        ("HTTP/1.0", "HTTP/1.0 403 Forbidden\r\n\r\nnope", "nope", false, ""),
        ("length, cut off", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnope", "nope", true, ""),
        (
            "chunked, cut off",
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n",
            "nope",
            true,
            "",
        ),
        (
            "malformed chunk",
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n!",
            "nope",
            true,
            "!",
        ),
        // Where the body ends is not to be told; what the server said is.
        (
            "two framings",
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nnope",
            "",
            true,
            "nope",
        ),
        ("no length", "HTTP/1.1 403 Forbidden\r\nContent-Length: x\r\n\r\nnope", "", true, "nope"),
        ("a coding", "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: gzip\r\n\r\nnope", "", true, "nope"),
    ];
    for (name, bytes, expected, cut, left) in cases {
        match answer(&client("ws://a"), &[], bytes.as_bytes(), true).expect(name) {
            Answer::Rejected { status, body, truncated, rest, headers } => {
                assert_eq!(status, 403, "{name}");
                assert_eq!(body, expected, "{name}");
                assert_eq!(truncated, *cut, "{name}");
                assert_eq!(rest, left.as_bytes(), "{name}");
                assert!(headers.len() <= 2, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_rejection_that_is_cut_is_truncated() {
    let cases = [
        ("HTTP/1.1 403 Forbidden\r\n\r\nnope", Ok("nope")),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", Ok("")),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnope", Ok("nope")),
        ("HTTP/1.1 403 Forbidden\r\n", Err(HandshakeError::ClosedEarly)),
        ("", Err(HandshakeError::ClosedEarly)),
    ];
    for (bytes, expected) in cases {
        let (mut handshake, _) = start(&client("ws://a"), &[]);
        let found = handshake.read_cut(&mut BytesMut::from(bytes)).map(|outcome| match outcome {
            ClientOutcome::Rejected(rejection) => {
                assert!(rejection.is_truncated(), "{bytes}");
                String::from_utf8(rejection.body().to_vec()).unwrap()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(found, expected.map(str::to_owned), "{bytes}");
    }
}

#[test]
fn a_200_is_a_rejection() {
    // Even with all that a 101 would have (RFC 6455 §4.1: the status code is not 101).
    let bytes = String::from_utf8(accepted("Content-Length: 0\r\n")).unwrap();
    let bytes = bytes.replace("101 Switching Protocols", "200 OK");
    let found = answer(&client("ws://a"), &[], bytes.as_bytes(), false).unwrap();
    assert!(matches!(found, Answer::Rejected { status: 200, .. }));
}

#[test]
fn a_rejections_body_is_bounded() {
    let exactly = "a".repeat(Rejection::MAX_BODY);
    let head = "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        (format!("{head}10000\r\n{exactly}\r\n0\r\n\r\n"), false),
        (format!("{head}10001\r\n{exactly}a\r\n0\r\n\r\n"), true),
        (format!("{head}10000\r\n{exactly}\r\n1\r\na"), true),
        (format!("HTTP/1.1 500 Oops\r\nContent-Length: 99999999999999\r\n\r\n{exactly}a"), true),
        (format!("HTTP/1.1 500 Oops\r\n\r\n{exactly}aaaa"), true),
    ];
    for (bytes, truncated) in cases {
        let (mut handshake, _) = start(&client("ws://a"), &[]);
        let mut input = BytesMut::from(bytes.as_bytes());
        let Ok(Some(ClientOutcome::Rejected(rejection))) = handshake.read(&mut input) else {
            panic!("{}", &bytes[..80])
        };
        assert_eq!(rejection.body().len(), Rejection::MAX_BODY);
        assert_eq!(rejection.is_truncated(), truncated, "{}", &bytes[..80]);
    }
}

#[test]
fn a_redirect_says_where_to() {
    let location = |status: u16, line: &str| {
        let bytes = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{line}\r\n");
        let (mut handshake, _) = start(&client("ws://a"), &[]);
        match handshake.read(&mut BytesMut::from(bytes.as_bytes())) {
            Ok(Some(ClientOutcome::Rejected(rejection))) => rejection.location().map(str::to_owned),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(location(302, "Location: wss://b/c\r\n").as_deref(), Some("wss://b/c"));
    assert_eq!(location(307, "").as_deref(), None);
    for (status, leads) in
        [(300, false), (301, true), (303, true), (304, false), (305, false), (307, true), (308, true)]
    {
        assert_eq!(location(status, "Location: /c\r\n").is_some(), leads, "{status}");
    }
    assert_eq!(location(403, "Location: /c\r\n").as_deref(), None);
}

#[test]
fn interim_responses_are_skipped_up_to_a_limit() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let accepted = String::from_utf8(accepted("")).unwrap();
    let count = ClientHandshake::MAX_INTERIM_RESPONSES;
    let bytes = early.repeat(count) + &accepted;
    assert!(matches!(answer(&client("ws://a"), &[], bytes.as_bytes(), false), Ok(Answer::Accepted { .. })));
    let bytes = early.repeat(count + 1) + &accepted;
    let expected = Err(HandshakeError::TooManyInterimResponses { limit: count });
    assert_eq!(answer(&client("ws://a"), &[], bytes.as_bytes(), false), expected);
}

#[test]
fn the_connection_ends_early() {
    for bytes in ["", "HTTP/1.1 101 Swi", "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 403 No\r\nA: b\r\n"] {
        let found = answer(&client("ws://a"), &[], bytes.as_bytes(), true);
        assert_eq!(found, Err(HandshakeError::ClosedEarly), "{bytes:?}");
        assert_eq!(answer(&client("ws://a"), &[], bytes.as_bytes(), false), Ok(Answer::Waiting));
    }
}

#[test]
fn malformed_answers_fail() {
    use HandshakeError as E;
    let headers = format!("HTTP/1.1 101 Yes\r\n{}\r\n", "A: b\r\n".repeat(101));
    let long = format!("HTTP/1.1 101 {}", "a".repeat(70_000));
    let old = String::from_utf8(accepted("")).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    let cases = [
        ("not HTTP", "SSH-2.0-OpenSSH_9.9\r\n\r\n", E::MalformedHead("HTTP version")),
        ("HTTP/2", "HTTP/2.0 101 Yes\r\n\r\n", E::UnsupportedHttpVersion),
        ("HTTP/1.0", &old, E::MalformedHead("101 answer in HTTP/1.0")),
        ("too many headers", &headers, E::TooManyHeaders { limit: 100 }),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(answer(&client("ws://a"), &[], bytes.as_bytes(), false), Err(expected), "{name}");
    }
    let (mut handshake, _) = start(&client("ws://a"), &[]);
    let error = handshake.read(&mut BytesMut::from(long.as_bytes())).unwrap_err();
    assert_eq!(error, E::HeadTooLarge { limit: 64 * 1024 });
    let (mut handshake, _) = start(&client("ws://a").limits(HeadLimits::default().bytes(10)), &[]);
    let error = handshake.read(&mut BytesMut::from(&accepted("")[..])).unwrap_err();
    assert_eq!(error, E::HeadTooLarge { limit: 10 });
}

#[test]
fn a_handshake_ends_once() {
    let (mut handshake, _) = start(&client("ws://a"), &[]);
    let mut input = BytesMut::from(&[&accepted("")[..], &accepted("")[..]].concat()[..]);
    assert!(matches!(handshake.read(&mut input), Ok(Some(ClientOutcome::Accepted { .. }))));
    assert_eq!(input, accepted("")[..]);
    assert_eq!(handshake.read(&mut input).unwrap_err(), HandshakeError::Finished);
    assert_eq!(handshake.read_eof(&mut input).unwrap_err(), HandshakeError::Finished);
}

fn accepted(lines: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: {ACCEPT}\r\n{lines}\r\n"
    )
    .into_bytes()
}
