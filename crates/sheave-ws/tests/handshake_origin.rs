//! Which origins may connect: RFC 6455 §10.2.

mod handshake_support;

use handshake_support::headers;
use sheave_ws::handshake::OriginPolicy;

#[test]
fn same_origin() {
    let cases = [
        ("http://example.org", "example.org", true),
        ("https://example.org", "example.org", true), // TLS may end in front of the server
        ("https://EXAMPLE.org", "Example.ORG", true),
        ("https://example.org", "example.org:443", true),
        ("https://example.org:443", "example.org", true),
        ("http://example.org:80", "example.org", true),
        ("http://example.org", "example.org:", true),
        ("http://localhost:3000", "localhost:3000", true),
        ("http://[::1]:3000", "[::1]:3000", true),
        ("http://[v1.a:b]", "[v1.A:B]", true),
        ("http://[zzz]", "[zzz]", false),
        ("http://[v.a]", "[v.a]", false),
        ("http://[::1::2]", "[::1::2]", false),
        ("http://a%2db", "a%2Db", true),
        ("http://%zz", "%zz", false),
        ("http://a%2", "a%2", false),
        ("http://[2001:DB8::1]", "[2001:db8::1]", true),
        ("ws://example.org", "example.org", true), // sent by some clients that are no browsers
        ("http://example.org", "example.org:443", false),
        ("https://example.org", "example.org:8443", false),
        ("http://localhost:3000", "localhost:3001", false),
        ("http://localhost", "localhost:3000", false),
        ("https://evil.org", "example.org", false),
        ("https://example.org.evil.org", "example.org", false),
        ("https://evilexample.org", "example.org", false),
        ("https://www.example.org", "example.org", false),
        ("https://example.org@evil.org", "example.org", false),
        ("https://evil.org@example.org", "example.org", false),
        ("https://example.org/", "example.org", false),
        ("https://example.org:", "example.org", true),
        ("https://example.org:x", "example.org", false),
        ("https://example.org:65979", "example.org", false), // 443 modulo 2^16
        ("example.org", "example.org", false),
        ("//example.org", "example.org", false),
        ("https://", "example.org", false),
        ("", "example.org", false),
        ("null", "example.org", false),
        ("null", "null", false),
        ("file://", "example.org", false),
        ("chrome-extension://example.org", "example.org", false),
        ("https://a.org https://example.org", "example.org", false),
        ("https://example.org", "", false),
    ];
    for (origin, authority, expected) in cases {
        let found = OriginPolicy::SameOrigin.accepts(&headers(&[("origin", origin)]), authority);
        assert_eq!(found, expected, "{origin:?} to {authority:?}");
    }
}

#[test]
fn allowed_origins() {
    let policy = OriginPolicy::allowed([
        "https://example.org",
        "http://localhost:3000",
        "https://*.example.net",
        "chrome-extension://abcdef",
        "https://copied.example/",
    ]);
    let cases = [
        ("https://example.org", true),
        ("https://Example.org:443", true),
        ("http://example.org", false),
        ("https://example.org:8443", false),
        ("https://www.example.org", false),
        ("http://localhost:3000", true),
        ("http://localhost", false),
        ("https://a.example.net", true),
        ("https://a.b.EXAMPLE.net", true),
        ("https://example.net", false),
        ("https://.example.net", false),
        ("https://evilexample.net", false),
        ("http://a.example.net", false),
        ("chrome-extension://abcdef", true),
        ("chrome-extension://abcde", false),
        ("https://copied.example", true),
        ("https://copied.example/", false),
        ("null", false),
        ("https://own.host", false), // the request's own host is not implied
    ];
    for (origin, expected) in cases {
        let found = policy.accepts(&headers(&[("origin", origin)]), "own.host");
        assert_eq!(found, expected, "{origin:?}");
    }
    assert!(OriginPolicy::allowed(["null"]).accepts(&headers(&[("origin", "null")]), "a"));
    assert!(!OriginPolicy::allowed(["*"]).accepts(&headers(&[("origin", "https://a")]), "a"));
}

#[test]
fn a_request_without_origin_passes() {
    for policy in policies() {
        assert!(policy.accepts(&headers(&[]), "example.org"), "{policy:?}");
    }
}

#[test]
fn several_origins_are_refused() {
    let lines = headers(&[("origin", "https://example.org"), ("origin", "https://example.org")]);
    for policy in policies() {
        let expected = matches!(policy, OriginPolicy::Any);
        assert_eq!(policy.accepts(&lines, "example.org"), expected, "{policy:?}");
    }
}

#[test]
fn a_custom_policy_is_asked() {
    let policy = OriginPolicy::custom(|origin| origin.ends_with(".test"));
    assert!(policy.accepts(&headers(&[("origin", "https://a.test")]), "b"));
    assert!(!policy.accepts(&headers(&[("origin", "https://b")]), "b"));
}

fn policies() -> [OriginPolicy; 4] {
    [
        OriginPolicy::SameOrigin,
        OriginPolicy::Any,
        OriginPolicy::allowed(["https://example.org"]),
        OriginPolicy::custom(|_| true),
    ]
}
