//! Servers that do not take WebSockets over HTTP/2, or say so late: HTTP/1.1 instead, or a typed error.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Version};
use sheave::h2::frame::Setting;
use sheave::h2::io::RecvStream;
use sheave::h2::io::server::SendResponse;
use sheave::h2::{self, ErrorCode};
use sheave::tls::alpn_protocol;
use sheave::{Client, Error, Message, Versions, WebSocket};
use support::peer::{Peer, Tls, echo, echo_http1, h2_only, http2, taking};
use support::raw_server::{Frames, TAKES_WEBSOCKETS};
use support::soon;
use tokio::io::{AsyncReadExt, duplex};

const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

async fn converse(ws: &mut WebSocket) {
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("hello")));
}

/// A server with TLS that takes no WebSockets over HTTP/2, or only by these settings.
async fn serving(tls: &Tls, alpn: &'static [&'static [u8]], config: h2::Config) -> Peer {
    let tls = tls.clone();
    Peer::start(move |tcp, _| {
        let (tls, config) = (tls.clone(), config.clone());
        async move { tls.serve(tcp, alpn, config).await }
    })
    .await
}

async fn opened(client: &Client, peer: &Peer) -> Version {
    let mut ws = soon(client.connect(peer.wss("/"))).await.unwrap();
    converse(&mut ws).await;
    ws.version()
}

/// The connection that showed it is the WebSocket's.
#[tokio::test]
async fn a_server_of_http1() {
    let tls = Tls::new();
    for alpn in [&[b"http/1.1" as &[u8]] as &[&[u8]], &[]] {
        let peer = serving(&tls, alpn, taking()).await;
        let client = tls.client().build();
        for number in 1..=3 {
            assert_eq!(opened(&client, &peer).await, Version::HTTP_11);
            assert_eq!(peer.accepted(), number);
        }
    }
}

/// Once that is known, connections are made side by side.
#[tokio::test]
async fn many_to_a_server_of_http1() {
    const MANY: usize = 20;
    let tls = Tls::new();
    let server = tls.clone();
    // The second one and all after it go on only when all have come.
    let (barrier, offered) = (Arc::new(tokio::sync::Barrier::new(MANY - 1)), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&offered);
    let peer = Peer::start(move |tcp, number| {
        let (tls, barrier, count) = (server.clone(), Arc::clone(&barrier), Arc::clone(&count));
        async move {
            if number > 1 {
                barrier.wait().await;
            }
            // Who has learnt offers HTTP/1.1 alone, and does not get what it could.
            let io = tls.accept(tcp, if number > 1 { BOTH } else { &BOTH[1..] }).await.unwrap();
            count.fetch_add(usize::from(alpn_protocol(&io) == Some(b"http/1.1")), Ordering::Relaxed);
            echo_http1(io).await;
        }
    })
    .await;
    let client = tls.client().build();
    let opening: Vec<_> = (0..MANY)
        .map(|_| {
            let (client, url) = (client.clone(), peer.wss("/"));
            tokio::spawn(async move { client.connect(url).await })
        })
        .collect();
    for opening in opening {
        converse(&mut soon(opening).await.unwrap().unwrap()).await;
    }
    assert_eq!((peer.accepted(), offered.load(Ordering::Relaxed)), (MANY, MANY));
}

/// HTTP/2, but not for WebSockets: asked once, and dialled again for HTTP/1.1.
#[tokio::test]
async fn a_server_without_the_setting() {
    let tls = Tls::new();
    let peer = serving(&tls, BOTH, h2::Config::default()).await;
    let client = tls.client().build();
    for accepted in [2, 3, 4] {
        assert_eq!(opened(&client, &peer).await, Version::HTTP_11);
        assert_eq!(peer.accepted(), accepted);
    }
    // Another client learns it anew.
    assert_eq!(opened(&tls.client().build(), &peer).await, Version::HTTP_11);
    assert_eq!(peer.accepted(), 6);
}

/// Envoy and Twisted say 0. A CONNECT would have them end the connection.
#[tokio::test]
async fn a_setting_of_zero() {
    let tls = Tls::new();
    let server = tls.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let peer = Peer::start(move |tcp, _| {
        let (tls, count) = (server.clone(), Arc::clone(&count));
        async move {
            let io = tls.accept(tcp, BOTH).await.unwrap();
            if alpn_protocol(&io) != Some(b"h2") {
                return echo_http1(io).await;
            }
            let mut frames = Frames::accept(io).await;
            frames.settings(&[Setting { value: 0, ..TAKES_WEBSOCKETS }]).await;
            loop {
                match &*frames.next().await {
                    "end" => return,
                    came => count.fetch_add(usize::from(came.starts_with("HEADERS")), Ordering::Relaxed),
                };
            }
        }
    })
    .await;
    assert_eq!(opened(&tls.client().build(), &peer).await, Version::HTTP_11);
    let only = tls.client().versions(Versions::Http2Only).build();
    let error = soon(only.connect(peer.wss("/"))).await.unwrap_err();
    assert!(matches!(error, Error::NoExtendedConnect), "{error:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn http2_alone() {
    let tls = Tls::new();
    let client = || tls.client().versions(Versions::Http2Only).build();
    let no_http2 = |error| matches!(error, Error::NoHttp2);
    // One that has nothing in common with us says so; one that knows no ALPN chooses nothing.
    for alpn in [&[b"http/1.1" as &[u8]] as &[&[u8]], &[]] {
        let peer = serving(&tls, alpn, taking()).await;
        let error = soon(client().connect(peer.wss("/"))).await.unwrap_err();
        assert!(no_http2(error), "{alpn:?}");
        assert_eq!(peer.accepted(), 1);
    }
    let plain = Peer::h2c(h2::Config::default(), echo).await;
    let error = soon(client().connect(plain.ws("/"))).await.unwrap_err();
    assert!(matches!(error, Error::NoExtendedConnect), "{error:?}");
    let secure = serving(&tls, BOTH, h2::Config::default()).await;
    let error = soon(client().connect(secure.wss("/"))).await.unwrap_err();
    assert!(matches!(error, Error::NoExtendedConnect), "{error:?}");
}

#[tokio::test]
async fn http1_alone() {
    let tls = Tls::new();
    let peer = serving(&tls, BOTH, taking()).await;
    let client = tls.client().versions(Versions::Http1Only).build();
    assert_eq!(opened(&client, &peer).await, Version::HTTP_11);
    assert_eq!(opened(&tls.client().build(), &peer).await, Version::HTTP_2);
}

/// A stream of the caller's, with a server that does not take it.
#[tokio::test]
async fn over_a_stream_of_the_caller_s() {
    let (near, far) = duplex(64 << 10);
    let server = tokio::spawn(http2(far, h2::Config::default(), echo));
    let error = soon(h2_only().build().request("ws://example.org/").connect_over(near)).await.unwrap_err();
    assert!(matches!(error, Error::NoExtendedConnect), "{error:?}");
    soon(server).await.unwrap();
    let tls = Tls::new();
    let (near, far) = duplex(64 << 10);
    let config = tls.server().with_alpn(&[b"http/1.1"]);
    let server = tokio::spawn(async move { config.accept(far).await.err().map(|error| error.to_string()) });
    let client = tls.client().versions(Versions::Http2Only).build();
    let error = soon(client.request("wss://localhost/").connect_over(near)).await.unwrap_err();
    assert!(matches!(error, Error::NoHttp2), "{error:?}");
    assert!(soon(server).await.unwrap().is_some());
}

/// In time is early enough, whatever the setting; nothing is asked before.
#[tokio::test(start_paused = true)]
async fn late_settings() {
    for (after, settings) in [(9, &[TAKES_WEBSOCKETS] as &[Setting]), (9, &[]), (11, &[TAKES_WEBSOCKETS])] {
        let (near, far) = duplex(64 << 10);
        let opening = tokio::spawn(h2_only().build().request("ws://example.org/").connect_over(near));
        let mut frames = Frames::accept(far).await;
        tokio::time::sleep(Duration::from_secs(after)).await;
        frames.settings(settings).await;
        if after == 9 && !settings.is_empty() {
            assert_eq!(frames.open().await, 1);
            assert_eq!(soon(opening).await.unwrap().unwrap().version(), Version::HTTP_2);
            continue;
        }
        let error = soon(opening).await.unwrap().unwrap_err();
        match error {
            Error::NoExtendedConnect if after == 9 => {
                assert_eq!(frames.next().await, "GOAWAY NO_ERROR");
            }
            Error::Http2(h2::Error::Timeout(h2::Timeout::Handshake)) if after == 11 => {
                assert_eq!(frames.next().await, "GOAWAY SETTINGS_TIMEOUT");
            }
            error => panic!("{after} s: {error:?}"),
        }
        assert_eq!(frames.next().await, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_for_settings_is_the_caller_s() {
    let (near, far) = duplex(64 << 10);
    let begun = tokio::time::Instant::now();
    let client = h2_only().settings_timeout(Duration::from_secs(2)).build();
    let error = soon(client.request("ws://example.org/").connect_over(near)).await.unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Timeout(h2::Timeout::Handshake))), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 2);
    drop(far);
}

/// Some resources are there by HTTP/1.1 alone.
#[tokio::test]
async fn a_stream_reset_with_http_1_1_required() {
    let tls = Tls::new();
    let server = tls.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let peer = Peer::start(move |tcp, _| {
        let (tls, count) = (server.clone(), Arc::clone(&count));
        async move {
            let io = tls.accept(tcp, BOTH).await.unwrap();
            if alpn_protocol(&io) != Some(b"h2") {
                return echo_http1(io).await;
            }
            let refuse = move |_: Request<RecvStream>, respond: SendResponse| {
                count.fetch_add(1, Ordering::Relaxed);
                async move { respond.reset(ErrorCode::HTTP_1_1_REQUIRED) }
            };
            http2(io, taking(), refuse).await;
        }
    })
    .await;
    let client = tls.client().build();
    for accepted in [2, 3] {
        assert_eq!(opened(&client, &peer).await, Version::HTTP_11);
        assert_eq!((peer.accepted(), asked.load(Ordering::Relaxed)), (accepted, 1));
    }
    let only = tls.client().versions(Versions::Http2Only).build();
    let error = soon(only.connect(peer.wss("/"))).await.unwrap_err();
    let required =
        |error: &Error| matches!(error, Error::Http2(h2::Error::Reset(ErrorCode::HTTP_1_1_REQUIRED)));
    assert!(required(&error), "{error:?}");
}

/// The same, said of the whole connection.
#[tokio::test]
async fn a_connection_ended_with_http_1_1_required() {
    let tls = Tls::new();
    let server = tls.clone();
    let peer = Peer::start(move |tcp, _| {
        let tls = server.clone();
        async move {
            let io = tls.accept(tcp, BOTH).await.unwrap();
            if alpn_protocol(&io) != Some(b"h2") {
                return echo_http1(io).await;
            }
            let mut frames = Frames::taking(io).await;
            assert_eq!(frames.next().await, "HEADERS 1");
            frames.goaway(1, ErrorCode::HTTP_1_1_REQUIRED).await;
        }
    })
    .await;
    let client = tls.client().build();
    for accepted in [2, 3] {
        assert_eq!(opened(&client, &peer).await, Version::HTTP_11);
        assert_eq!(peer.accepted(), accepted);
    }
}

/// What was learnt is forgotten: a server may have been given HTTP/2 meanwhile.
#[tokio::test]
async fn what_was_learnt_is_forgotten() {
    let tls = Tls::new();
    let server = tls.clone();
    // The first connection is HTTP/1.1's, those after it are what the client wants most.
    let peer = Peer::start(move |tcp, number| {
        let tls = server.clone();
        async move { tls.serve(tcp, if number == 1 { &BOTH[1..] } else { BOTH }, taking()).await }
    })
    .await;
    let client = tls.client().build();
    assert_eq!(opened(&client, &peer).await, Version::HTTP_11);
    tokio::time::pause();
    for (after, version) in [(590, Version::HTTP_11), (11, Version::HTTP_2)] {
        tokio::time::advance(Duration::from_secs(after)).await;
        tokio::time::resume();
        assert_eq!(opened(&client, &peer).await, version);
        tokio::time::pause();
    }
    assert_eq!(peer.accepted(), 3);
}

/// Neither an HTTP/1.1 server's answer nor anything else is taken for HTTP/2.
#[tokio::test]
async fn no_http2_at_all() {
    let peer = Peer::start(|mut tcp, _| async move {
        let mut preface = [0; 24];
        tcp.read_exact(&mut preface).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut tcp, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let error = soon(h2_only().build().connect(peer.ws("/"))).await.unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Protocol(_))), "{error:?}");
    assert_eq!(peer.accepted(), 1);
}
