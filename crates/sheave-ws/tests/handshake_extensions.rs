//! `Sec-WebSocket-Extensions` and its negotiation: RFC 6455 §9.1.

mod handshake_support;

use std::sync::Arc;

use handshake_support::{MadeUp, headers};
use http::HeaderMap;
use sheave_ws::extension::{Extension, ExtensionOffer, ReservedBits, client_confirm, server_negotiate};
use sheave_ws::handshake::HandshakeError;

#[test]
fn quoted_strings_and_several_offers_are_read() {
    let offer = ExtensionOffer::new;
    let cases: &[(&str, &[&str], Vec<ExtensionOffer>)] = &[
        ("none", &[], vec![]),
        ("one", &["deflate-stream"], vec![offer("deflate-stream")]),
        (
            "the RFC's example",
            &["mux; max-channels=4; flow-control, deflate-stream"],
            vec![offer("mux").parameter("max-channels", "4").flag("flow-control"), offer("deflate-stream")],
        ),
        ("several lines", &["foo", "bar; baz=2"], vec![offer("foo"), offer("bar").parameter("baz", "2")]),
        ("one line", &["foo, bar; baz=2"], vec![offer("foo"), offer("bar").parameter("baz", "2")]),
        ("no space", &["a;b=c,d"], vec![offer("a").parameter("b", "c"), offer("d")]),
        ("much space", &["\t a ; b\t= c , d "], vec![offer("a").parameter("b", "c"), offer("d")]),
        ("quoted", &["a; b=\"10\""], vec![offer("a").parameter("b", "10")]),
        ("quoted with escapes", &[r#"a; b="1\0""#], vec![offer("a").parameter("b", "10")]),
        ("space after a quote", &["a; b=\"10\" ; c"], vec![offer("a").parameter("b", "10").flag("c")]),
        ("empty elements", &[", a, , b,"], vec![offer("a"), offer("b")]),
        ("an empty line besides", &["", "a"], vec![offer("a")]),
        ("twice the same", &["a, a; b"], vec![offer("a"), offer("a").flag("b")]),
        ("a parameter twice", &["a; b; b=1"], vec![offer("a").flag("b").parameter("b", "1")]),
        ("any token", &["!#$%&'*+-.^_`|~9; A=B"], vec![offer("!#$%&'*+-.^_`|~9").parameter("A", "B")]),
    ];
    for (name, lines, expected) in cases {
        assert_eq!(parse(lines).as_ref(), Ok(expected), "{name}");
        // And the way back.
        if !expected.is_empty() {
            let line = expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            assert_eq!(parse(&[&line]).as_ref(), Ok(expected), "{name}: {line}");
            assert!(expected.iter().all(ExtensionOffer::is_well_formed), "{name}");
        }
    }
}

#[test]
fn malformed_extension_lists() {
    let cases = [
        "",
        ",",
        " , ",
        ";",
        "a;",
        "a; ;b",
        "a; b=",
        "a; =b",
        "a b",
        "a; b c",
        "a; b=c d",
        "a=b",
        "\"a\"",
        "a; \"b\"",
        "a; b=\"\"",
        "a; b=\"c d\"",
        "a; b=\" c\"",
        "a; b=\"c,d\"",
        "a; b=\"c",
        "a; b=\"c\\",
        "a; b=\"c\\\"\"",
        "a; b=\"c\"d",
        "a; b=c\"d\"",
        "a/b",
        "a; b=c=d",
        "(a)",
        "a; b={c}",
        "é",
    ];
    for line in cases {
        let mut headers = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(line.as_bytes()).unwrap();
        headers.append("sec-websocket-extensions", value);
        let found = sheave_ws::extension::from_headers(&headers);
        assert!(matches!(found, Err(HandshakeError::MalformedExtensions(_))), "{line:?}: {found:?}");
    }
    // A quote does not go on into the next line.
    assert!(parse(&["a; b=\"c", "d\""]).is_err());
}

#[test]
fn extension_lists_are_bounded() {
    let list = |count| vec!["a"; count].join(",");
    assert_eq!(
        parse(&[&list(ExtensionOffer::MAX_EXTENSIONS)]).unwrap().len(),
        ExtensionOffer::MAX_EXTENSIONS
    );
    assert!(parse(&[&list(ExtensionOffer::MAX_EXTENSIONS + 1)]).is_err());
    assert!(parse(&[&list(ExtensionOffer::MAX_EXTENSIONS), "a"]).is_err());
    let flags = |count| format!("a{}", "; b".repeat(count));
    assert!(parse(&[&flags(ExtensionOffer::MAX_PARAMETERS)]).is_ok());
    assert!(parse(&[&flags(ExtensionOffer::MAX_PARAMETERS + 1)]).is_err());
}

#[test]
fn what_is_no_token_is_quoted() {
    let offer = ExtensionOffer::new("a").parameter("b", r#"c "d" \"#).parameter("e", "");
    assert_eq!(offer.to_string(), r#"a; b="c \"d\" \\"; e="""#);
    assert!(!offer.is_well_formed());
}

#[test]
fn unknown_and_duplicate_extensions_are_declined() {
    let one = MadeUp::new("one", ReservedBits::RSV1).shared();
    let rival = MadeUp::new("rival", ReservedBits::RSV1).shared();
    let two = MadeUp::new("two", ReservedBits::RSV2 | ReservedBits::RSV3).shared();
    let plain = MadeUp::new("plain", ReservedBits::NONE).shared();
    let all = [one, rival, two, plain];
    let cases: &[(&str, &str, &[&str], ReservedBits)] = &[
        ("one", "one; level=3", &["one; level=3"], ReservedBits::RSV1),
        (
            "the client's order",
            "plain, two, one",
            &["plain; level=0", "two; level=0", "one; level=0"],
            ReservedBits::RSV1 | ReservedBits::RSV2 | ReservedBits::RSV3,
        ),
        ("unknown ones are declined", "x, one, y; z", &["one; level=0"], ReservedBits::RSV1),
        ("only unknown ones", "x, y", &[], ReservedBits::NONE),
        ("names have a case", "One", &[], ReservedBits::NONE),
        ("unknown parameters decline an offer", "one; x", &[], ReservedBits::NONE),
        (
            "the first acceptable offer",
            "one; level=10, one; level=9, one; level=1",
            &["one; level=9"],
            ReservedBits::RSV1,
        ),
        ("a second use is declined", "plain, plain", &["plain; level=0"], ReservedBits::NONE),
        ("a taken bit declines", "one, rival", &["one; level=0"], ReservedBits::RSV1),
        ("whoever is first", "rival, one", &["rival; level=0"], ReservedBits::RSV1),
        ("a declined offer takes no bit", "one; x, rival", &["rival; level=0"], ReservedBits::RSV1),
    ];
    for (name, offers, expected, bits) in cases {
        let (answers, claimed) = server_negotiate(&all, &parse(&[offers]).unwrap());
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        assert_eq!(answers, *expected, "{name}");
        assert_eq!(claimed, *bits, "{name}");
    }
}

#[test]
fn a_client_confirms() {
    let silent = MadeUp { offered: false, ..MadeUp::new("silent", ReservedBits::NONE) };
    let all: Vec<Arc<dyn Extension>> = vec![
        MadeUp::new("one", ReservedBits::RSV1).shared(),
        MadeUp::new("rival", ReservedBits::RSV1).shared(),
        MadeUp::new("two", ReservedBits::RSV2).shared(),
        silent.shared(),
    ];
    let cases: &[(&str, &[&str], Result<ReservedBits, &str>)] = &[
        ("none", &[], Ok(ReservedBits::NONE)),
        ("one", &["one; level=9"], Ok(ReservedBits::RSV1)),
        ("two", &["two, one"], Ok(ReservedBits::RSV1 | ReservedBits::RSV2)),
        ("two lines", &["two", "one"], Ok(ReservedBits::RSV1 | ReservedBits::RSV2)),
        ("not offered", &["other"], Err("other")),
        ("known, but not offered", &["silent"], Err("silent")),
        ("twice", &["one, one"], Err("one")),
        ("cannot be kept", &["one; level=10"], Err("one")),
        ("unknown parameter", &["one; x"], Err("one")),
        ("a bit in common", &["one, rival"], Err("rival")),
    ];
    for (name, answer, expected) in cases {
        let expected = expected.map_err(|name| HandshakeError::UnexpectedExtension(name.to_owned()));
        assert_eq!(client_confirm(&all, &parse(answer).unwrap()), expected, "{name}");
    }
}

#[test]
fn reserved_bits() {
    assert_eq!(ReservedBits::of_first_byte(0xff).bits(), 0x70);
    assert_eq!(ReservedBits::of_first_byte(0xc1), ReservedBits::RSV1);
    assert!((ReservedBits::RSV1 | ReservedBits::RSV3).contains(ReservedBits::RSV3));
    assert!(!ReservedBits::RSV1.contains(ReservedBits::RSV1 | ReservedBits::RSV2));
    assert!(!ReservedBits::NONE.intersects(ReservedBits::NONE));
    assert_eq!(format!("{:?}", ReservedBits::RSV1 | ReservedBits::RSV3), "{RSV1, RSV3}");
}

fn parse(lines: &[&str]) -> Result<Vec<ExtensionOffer>, HandshakeError> {
    let lines: Vec<_> = lines.iter().map(|line| ("sec-websocket-extensions", *line)).collect();
    sheave_ws::extension::from_headers(&headers(&lines))
}
