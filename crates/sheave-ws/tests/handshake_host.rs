//! `Host` (RFC 9112 §3.2): one, and a valid one, whatever the request asks for.

use http::{Request, Version};
use sheave_ws::handshake::host;

fn request(version: Version, hosts: &[&str]) -> Request<()> {
    let request = hosts.iter().fold(Request::builder().version(version), |request, host| {
        request.header("host", http::HeaderValue::from_bytes(host.as_bytes()).unwrap())
    });
    request.body(()).unwrap()
}

#[test]
fn hosts() {
    let good =
        ["a", "a:80", "a:", "A.example", "a_b.example", "a%20b", "127.0.0.1:65535", "[::1]", "[::1]:80", ""];
    for value in good {
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(host(&request(version, &[value])).unwrap(), value);
        }
    }
    let bad = [
        "[nonsense]",
        "[::1]x",
        "[::1",
        "[]",
        "::1",
        ":80",
        "a:b",
        "a:-1",
        "a:65536",
        "a:80:80",
        "%zz",
        "a b",
        "a/b",
        "a?b",
        "a@b",
        "a\\b",
        "<a>",
        "\"a\"",
        "\u{e9}",
    ];
    for value in bad {
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(host(&request(version, &[value])).unwrap_err().status(), 400, "{value}");
        }
    }
}

#[test]
fn there_is_one() {
    for (version, hosts, found) in [
        (Version::HTTP_11, &[][..], None),
        (Version::HTTP_10, &[], Some("")),
        (Version::HTTP_11, &["a", "a"], None),
        (Version::HTTP_10, &["a", "b"], None),
    ] {
        assert_eq!(host(&request(version, hosts)).ok(), found, "{version:?} {hosts:?}");
    }
}
