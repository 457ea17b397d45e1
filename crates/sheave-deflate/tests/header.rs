//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).

mod support;

use sheave_deflate::{DeflateConfig, ExtensionOffer, NAME};
use support::{parse, parse_one};

#[test]
fn what_is_not_of_the_grammar_is_malformed() {
    for line in [
        "",
        ",",
        "permessage-deflate;",
        "permessage-deflate; ; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=\"\"",
        "permessage-deflate; client_max_window_bits=\"10",
        "permessage-deflate; client_max_window_bits=\"1 0\"",
        "permessage-deflate; client_max_window_bits=\" 10\"",
        "permessage-deflate; client_max_window_bits=\"10\\",
        "permessage-deflate; client_max_window_bits=\"10\"0",
        "permessage-deflate; client_max_window_bits==10",
        "permessage-deflate; client_max_window_bits=1 0",
        "permessage-deflate; =10",
        "permessage-deflate client_max_window_bits",
        "permessage-deflate, client_max_window_bits=10",
        "; client_max_window_bits",
        "permessage-deflate; größe",
    ] {
        assert!(ExtensionOffer::parse([line.as_bytes()]).is_err(), "{line}");
        assert!(
            ExtensionOffer::parse([&b"permessage-deflate"[..], line.as_bytes()]).is_err() || line.len() < 2,
            "{line}"
        );
    }
}

#[test]
fn offers_in_one_line_are_those_in_several() {
    let lines =
        ["permessage-deflate; client_max_window_bits", "permessage-deflate;server_max_window_bits=\"9\""];
    let several = ExtensionOffer::parse(lines.map(str::as_bytes)).unwrap();
    assert_eq!(parse(&lines.join(",")), several);
    assert_eq!(parse(&format!(" ,, {}\t,,{} , ", lines[0], lines[1])), several);
    assert_eq!(several.len(), 2);
    assert_eq!(several[1], ExtensionOffer::new(NAME).parameter("server_max_window_bits", "9"));
    assert_eq!(ExtensionOffer::parse([]), Ok(vec![]), "no line");
}

#[test]
fn a_list_is_bounded() {
    let list = |count| vec!["a"; count].join(",");
    let most = ExtensionOffer::MAX_EXTENSIONS;
    assert_eq!(parse(&list(most)).len(), most);
    assert!(ExtensionOffer::parse([list(most + 1).as_bytes()]).is_err());
    assert!(ExtensionOffer::parse(vec![&b"a"[..]; most + 1]).is_err(), "over several lines");
    let parameters = |count| format!("a{}", ";b=c".repeat(count));
    let most = ExtensionOffer::MAX_PARAMETERS;
    assert_eq!(parse_one(&parameters(most)).parameters().len(), most);
    assert!(ExtensionOffer::parse([parameters(most + 1).as_bytes()]).is_err());
}

#[test]
fn any_line_is_read_or_refused_and_what_is_read_can_be_written() {
    let pieces: &[&[u8]] = &[
        NAME.as_bytes(),
        b";",
        b",",
        b"=",
        b"\"",
        b"\\",
        b" ",
        b"\t",
        b"10",
        b"client_max_window_bits",
        b"\xff",
        b"\x00",
        b"a",
        b"server_no_context_takeover",
    ];
    let mut random = support::Random::new(7);
    let (mut read, mut accepted) = (0, 0);
    for _ in 0..20_000 {
        let mut line = Vec::new();
        for _ in 0..random.below(10) {
            line.extend_from_slice(pieces[random.below(pieces.len())]);
        }
        let Ok(offers) = ExtensionOffer::parse([&line[..]]) else { continue };
        read += 1;
        for offer in &offers {
            assert!(offer.is_well_formed());
            assert_eq!(parse_one(&offer.to_string()), *offer);
            accepted += usize::from(DeflateConfig::default().answer(offer).is_some());
        }
    }
    assert!(read > 500 && accepted > 100, "{read} {accepted}");
}
