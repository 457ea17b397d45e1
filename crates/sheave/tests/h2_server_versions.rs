//! Which version of HTTP a connection speaks: by ALPN, or by how it begins (RFC 9113 §3).

mod support;

use std::time::Duration;

use http::Response;
use sheave::h2::{self, ErrorCode, PREFACE};
use sheave::tls::{self, DevCertificate};
use sheave::{Error, Request, Server, ServerBuilder, Versions, ws};
use support::frames::{CONNECT, Frames, GET, Seen, preface, unmasked};
use support::raw::{Raw, TEXT, upgrade};
use support::stream::Trickle;
use support::{detached, mirror, soon, start};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Tells by what it came.
async fn version(request: Request) -> Result<(), Error> {
    if request.is_websocket() {
        return support::echo(request).await;
    }
    let text = format!("{:?} {} {}", request.version(), request.method(), request.uri());
    request.respond(Response::new(text)).await
}

/// HTTP/2 goes on here after it has begun.
async fn speaks_http2<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Frames<S>) {
    let (status, body) = client.get(1).await;
    assert_eq!((status, &body[..]), (200, &b"HTTP/2.0 GET http://example.org/page"[..]));
    client.open(3).await;
    client.frame(3, TEXT, b"hello").await;
    assert_eq!(client.take(3, 7).await, unmasked(TEXT, b"hello"));
}

async fn speaks_http1<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Raw<S>) {
    let reply = client.ask("GET /page HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.status, &reply.body[..]), (200, "HTTP/1.1 GET /page"));
    assert_eq!(client.ask(upgrade("")).await.status, 101);
    client.send(support::raw::frame(TEXT, b"hello")).await;
    assert_eq!(client.frame().await, (TEXT, b"hello".to_vec()));
}

/// The preface cut at every byte, with whatever follows it in the same piece.
#[tokio::test(start_paused = true)]
async fn the_preface_in_two_pieces() {
    for versions in [Versions::Auto, Versions::Http2Only] {
        for cut in 0..=preface(&[]).len() {
            let (near, task) = detached(|builder| builder.versions(versions), version).await;
            let mut client = Frames::new(near);
            let mut bytes = preface(&[]);
            bytes.extend_from_slice(&client.headers(1, &GET, true));
            let (first, rest) = bytes.split_at(cut);
            client.send(first).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            client.send(rest).await;
            assert_eq!(client.answer(1).await.0, 200, "{cut}");
            drop(client);
            soon(task).await.unwrap().unwrap();
        }
    }
}

/// The same byte by byte, in both directions.
#[tokio::test(start_paused = true)]
async fn everything_byte_by_byte() {
    let server = Server::detached().build().await.unwrap();
    let (near, far) = duplex(64 << 10);
    let task = tokio::spawn(async move { server.serve_connection(Trickle(far), version).await });
    let mut client = Frames::new(near);
    for byte in preface(&[]) {
        client.send([byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    speaks_http2(&mut client).await;
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// What begins as the preface does and then goes on otherwise is HTTP/1.1, and nothing of it is lost.
#[tokio::test(start_paused = true)]
async fn requests_that_begin_like_the_preface() {
    let head = " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let cases = [
        ("P /x", "HTTP/1.1 P /x"),
        ("PR /x", "HTTP/1.1 PR /x"),
        ("PRI /x", "HTTP/1.1 PRI /x"),
        ("PRIX /x", "HTTP/1.1 PRIX /x"),
        ("POST /x", "HTTP/1.1 POST /x"),
        ("PUT /x", "HTTP/1.1 PUT /x"),
        ("PATCH /x", "HTTP/1.1 PATCH /x"),
    ];
    for (start, answer) in cases {
        let request = format!("{start}{head}");
        for cut in 0..request.len() {
            let (near, task) = detached(|builder| builder, version).await;
            let mut client = Raw::new(near);
            client.send(&request[..cut]).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            let reply = client.ask(&request[cut..]).await;
            assert_eq!((reply.status, &reply.body[..]), (200, answer), "{cut}");
            speaks_http1(&mut client).await;
            drop(client);
            let _ = soon(task).await.unwrap();
        }
    }
}

/// Nearly the preface: HTTP/1.1 says what it makes of that.
#[tokio::test(start_paused = true)]
async fn nearly_the_preface() {
    for (bytes, status) in [
        ("PRI * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("PRI * HTTP/1.1\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", 505),
        ("PRI\r\n\r\n", 400),
    ] {
        let (near, task) = detached(|builder| builder, version).await;
        let mut client = Raw::new(near);
        let reply = client.push(bytes).await;
        assert_eq!((reply.status, reply.closes()), (status, true), "{bytes:?}: {reply:?}");
        assert!(client.rest().await.is_empty());
        drop(client);
        assert!(soon(task).await.unwrap().is_err());
    }
}

/// Every part of the preface, and then the end: there was no request that could be answered, or half of one.
#[tokio::test(start_paused = true)]
async fn a_preface_that_breaks_off() {
    for length in 0..=PREFACE.len() {
        let (near, task) = detached(|builder| builder, version).await;
        let mut client = Raw::new(near);
        client.send(&PREFACE[..length]).await;
        client.io.shutdown().await.unwrap();
        let before = Instant::now();
        let answer = client.until_gone().await;
        assert!(before.elapsed() < Duration::from_secs(10));
        // The whole preface is HTTP/2, and has SETTINGS for an answer.
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 ") || length == PREFACE.len(), "{length}");
        drop(client);
        let _ = soon(task).await.unwrap();
    }
}

/// How long a client may say nothing, at each point.
#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing() {
    for versions in [Versions::Auto, Versions::Http1Only, Versions::Http2Only] {
        for length in [0, 1, 13] {
            let (near, task) = detached(|builder| builder.versions(versions), version).await;
            let mut client = Raw::new(near);
            let begun = Instant::now();
            client.send(&PREFACE[..length]).await;
            client.until_gone().await;
            let waited = begun.elapsed();
            drop(client);
            let error = soon(task).await.unwrap().unwrap_err();
            assert!((Duration::from_secs(10)..Duration::from_secs(12)).contains(&waited), "{waited:?}");
            match (versions, &error) {
                (Versions::Http2Only, Error::Http2(h2::Error::Timeout(h2::Timeout::Handshake))) => {}
                (_, Error::WebSocket(ws::Error::Timeout(ws::Timeout::Handshake))) => {}
                (Versions::Http1Only, Error::WebSocket(ws::Error::Refused(refusal))) if length > 0 => {
                    assert_eq!(refusal.status(), 408);
                }
                _ => panic!("{versions:?} {length}: {error:?}"),
            }
        }
    }
    // It begins with HTTP/2, and never says what it lets us do.
    let (near, task) = detached(|builder| builder, version).await;
    let mut client = Frames::new(near);
    client.send(PREFACE).await;
    let seen = client.until_gone().await;
    assert!(matches!(seen.last(), Some(Seen::GoAway(0, ErrorCode::SETTINGS_TIMEOUT))), "{seen:?}");
    drop(client);
    let error = soon(task).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Timeout(h2::Timeout::Handshake))), "{error:?}");
}

/// A shutdown does not wait for who has not begun.
#[tokio::test]
async fn a_shutdown_before_the_preface() {
    let never = Duration::from_secs(3600);
    let server = start(|builder| builder.handshake_timeout(never).shutdown_timeout(never), version).await;
    let mut clients = Vec::new();
    for length in [0, 1, 23] {
        let mut client = server.raw().await;
        client.send(&PREFACE[..length]).await;
        clients.push(client);
    }
    server.stop().await;
    for mut client in clients {
        client.until_gone().await;
    }
}

#[tokio::test(start_paused = true)]
async fn http1_only() {
    let (near, task) = detached(|builder| builder.versions(Versions::Http1Only), version).await;
    let mut client = Raw::new(near);
    let reply = client.push(preface(&[])).await;
    assert_eq!((reply.status, reply.closes()), (505, true));
    client.until_gone().await;
    drop(client);
    assert!(soon(task).await.unwrap().is_err());

    let (near, task) = detached(|builder| builder.versions(Versions::Http1Only), version).await;
    let mut client = Raw::new(near);
    speaks_http1(&mut client).await;
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn http2_only() {
    for bytes in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", &upgrade(""), "\x16\x03\x01\x02\x00\x01"] {
        let (near, task) = detached(|builder| builder.versions(Versions::Http2Only), version).await;
        let mut client = Frames::new(near);
        client.send(bytes).await;
        let seen = client.until_gone().await;
        assert!(matches!(seen.last(), Some(Seen::GoAway(0, ErrorCode::PROTOCOL_ERROR))), "{seen:?}");
        drop(client);
        let error = soon(task).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Http2(h2::Error::Protocol(_))), "{error:?}");
    }
    let (near, task) = detached(|builder| builder.versions(Versions::Http2Only), version).await;
    let mut client = Frames::begin(near).await;
    speaks_http2(&mut client).await;
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// What a client over TLS then says, and what comes of it.
#[derive(Clone, Copy, Debug)]
enum Then {
    Http1,
    Http2,
    /// The preface, to which HTTP/1.1 says 505.
    PrefaceRefused,
    /// A request of HTTP/1.1, to which HTTP/2 says GOAWAY.
    RequestRefused,
    /// The TLS handshake fails.
    NoProtocol,
}

/// Interop point 7: what the client prefers is of no account, many have no ALPN at all, and one port does for all.
#[tokio::test]
async fn alpn() {
    use Then::{Http1, Http2, NoProtocol, PrefaceRefused, RequestRefused};
    type Offered<'a> = &'a [&'a [u8]];
    type Agreed<'a> = (Offered<'a>, Option<&'a [u8]>, Then);
    let cases: [(Versions, &[Agreed<'_>]); 3] = [
        (
            Versions::Auto,
            &[
                (&[b"h2", b"http/1.1"], Some(b"h2"), Http2),
                (&[b"http/1.1", b"h2"], Some(b"h2"), Http2),
                (&[b"h2"], Some(b"h2"), Http2),
                (&[b"http/1.1"], Some(b"http/1.1"), Http1),
                (&[b"spdy/3", b"http/1.1"], Some(b"http/1.1"), Http1),
                (&[], None, Http1),
                (&[], None, Http2),
                (&[b"h2"], Some(b"h2"), RequestRefused),
                (&[b"http/1.1"], Some(b"http/1.1"), PrefaceRefused),
                (&[b"h2c"], None, NoProtocol),
            ],
        ),
        (
            Versions::Http1Only,
            &[
                (&[b"h2", b"http/1.1"], Some(b"http/1.1"), Http1),
                (&[b"http/1.1"], Some(b"http/1.1"), Http1),
                (&[], None, Http1),
                (&[], None, PrefaceRefused),
                (&[b"h2"], None, NoProtocol),
            ],
        ),
        (
            Versions::Http2Only,
            &[
                (&[b"http/1.1", b"h2"], Some(b"h2"), Http2),
                (&[], None, Http2),
                (&[], None, RequestRefused),
                (&[b"http/1.1"], None, NoProtocol),
            ],
        ),
    ];
    let dev = DevCertificate::generate(&["localhost"]).unwrap();
    let trusting = dev.client_config_builder().build().unwrap();
    for (versions, cases) in cases {
        // Whatever the configuration of TLS says of it.
        let config = dev.server_config_builder().alpn(["http/1.0"]).build().unwrap();
        let server = start(|builder| builder.tls(config).versions(versions), version).await;
        for (offered, chosen, then) in cases {
            let tcp = TcpStream::connect(server.address).await.unwrap();
            let connected = soon(trusting.with_alpn(offered).connect("localhost", tcp)).await;
            if matches!(then, NoProtocol) {
                let error = connected.err().unwrap();
                assert!(error.is_no_application_protocol(), "{versions:?} {offered:?}: {error:?}");
                continue;
            }
            let tls = connected.unwrap();
            assert_eq!(tls::alpn_protocol(&tls), *chosen, "{versions:?} {offered:?}");
            match then {
                Http1 => speaks_http1(&mut Raw::new(tls)).await,
                Http2 => {
                    let mut client = Frames::begin(tls).await;
                    let (status, body) = client.get(1).await;
                    assert_eq!((status, &body[..]), (200, &b"HTTP/2.0 GET http://example.org/page"[..]));
                    client.open(3).await;
                }
                PrefaceRefused => assert_eq!(Raw::new(tls).push(preface(&[])).await.status, 505),
                RequestRefused => {
                    let mut client = Frames::new(tls);
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
                    let seen = client.until_gone().await;
                    assert!(
                        matches!(seen.last(), Some(Seen::GoAway(0, ErrorCode::PROTOCOL_ERROR))),
                        "{seen:?}"
                    );
                }
                NoProtocol => unreachable!(),
            }
        }
        server.stop().await;
    }
}

/// Each its own: TLS, and then the first byte.
#[tokio::test]
async fn times_of_tls_and_of_the_first_byte() {
    let dev = DevCertificate::generate(&["localhost"]).unwrap();
    let config = dev.server_config_builder().build().unwrap();
    let short = Duration::from_secs(1);
    let server = start(|builder| builder.tls(config).handshake_timeout(short), version).await;
    // No TLS.
    let mut silent = server.raw().await;
    silent.until_gone().await;
    // TLS, and nothing on it.
    let tls = dev.client_config_builder().build().unwrap();
    let tcp = TcpStream::connect(server.address).await.unwrap();
    // On a busy machine that is too short for the handshake as well.
    if let Ok(tls) = soon(tls.connect("localhost", tcp)).await {
        Raw::new(tls).until_gone().await;
    }
    server.stop().await;
}

/// Where there are no WebSockets, HTTP/2 does not say that there are, and a request for one is none.
#[tokio::test(start_paused = true)]
async fn without_websockets() {
    let without = |builder: ServerBuilder| builder.websockets(false);
    let handler = |request: Request| async move {
        assert!(!request.is_websocket());
        version(request).await
    };
    let (near, task) = detached(without, handler).await;
    let mut client = Frames::begin(near).await;
    assert_ne!(client.setting(0x8), Some(1));
    client.connect(1, &[]).await;
    assert_eq!(client.see().await, Seen::Reset(1, ErrorCode::PROTOCOL_ERROR));
    client.request(3, &[CONNECT[0], (":authority", "example.org:443")], true).await;
    assert_eq!(client.answer(3).await.0, 405);
    assert_eq!(client.get(5).await.0, 200);
    drop(client);
    soon(task).await.unwrap().unwrap();

    let (near, task) = detached(without, handler).await;
    let mut client = Raw::new(near);
    let reply = client.ask(upgrade("Origin: https://evil.example\r\n")).await;
    assert_eq!((reply.status, &reply.body[..]), (200, "HTTP/1.1 GET /"));
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// The setting is there if there are WebSockets, whatever the settings of HTTP/2 say of it.
#[tokio::test(start_paused = true)]
async fn the_setting_follows_the_builder() {
    let http2 = h2::Config::default().enable_connect_protocol(false).max_concurrent_streams(7);
    let (near, task) = detached(|builder| builder.http2(http2), mirror).await;
    let client = Frames::begin(near).await;
    assert_eq!((client.setting(0x8), client.setting(0x3)), (Some(1), Some(7)));
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// RFC 9113 §3.1: the upgrade to h2c is gone; a client that asks for it is answered all the same.
#[tokio::test(start_paused = true)]
async fn an_upgrade_to_h2c() {
    let (near, task) = detached(|builder| builder, version).await;
    let mut client = Raw::new(near);
    let head = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let reply = client.ask(format!("GET /page HTTP/1.1\r\nHost: a\r\n{head}\r\n")).await;
    assert_eq!((reply.status, &reply.body[..]), (200, "HTTP/1.1 GET /page"));
    assert_eq!(reply.header("upgrade"), None);
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// A Unix socket speaks both as well.
#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket() {
    let directory = std::env::temp_dir().join(format!("sheave-h2-versions-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let server = Server::bind_unix(&path).build().await.unwrap();
    let (stop, task) = support::spawn(server, |request: Request| async move {
        assert_eq!(request.peer_addr(), None);
        version(request).await
    });
    let mut client = Frames::begin(tokio::net::UnixStream::connect(&path).await.unwrap()).await;
    speaks_http2(&mut client).await;
    let mut other = Raw::new(tokio::net::UnixStream::connect(&path).await.unwrap());
    speaks_http1(&mut other).await;
    drop((client, other));
    stop.send(()).unwrap();
    soon(task).await.unwrap().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}
