//! How many connections there may be, and how a client fails to make one.

mod support;

use std::time::Duration;

use sheave::tls::DevCertificate;
use sheave::{Client, CloseCode, Error, tls, ws};
use support::raw::{Raw, upgrade};
use support::stream::Mute;
use support::{certificate, echo, mirror, soon, start};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

const NEVER: Duration = Duration::from_secs(3600);

/// The next one is kept in the listener's backlog until a place is free.
#[tokio::test]
async fn max_connections() {
    let server = start(|builder| builder.max_connections(2), echo).await;
    let first = server.connect().await;
    let mut second = server.connect().await;
    let mut third = server.raw().await;
    third.send(upgrade("")).await;
    // Long enough for a server that would answer to do it; its being slow cannot fail the test.
    let answer = timeout(Duration::from_millis(50), third.head()).await;
    assert!(answer.is_err(), "{answer:?}");
    soon(second.send("hello")).await.unwrap();
    assert_eq!(soon(second.recv()).await.unwrap(), Some("hello".into()));
    drop(first);
    assert_eq!(third.head().await.status, 101);
    drop((second, third));
    server.stop().await;
}

/// A WebSocket, or its halves, that outlive their handler count and are closed by a shutdown all the same.
#[tokio::test]
async fn sockets_that_leave_their_handler() {
    for split in [false, true] {
        let (out, mut left) = tokio::sync::mpsc::unbounded_channel();
        let mut server = start(
            |builder| builder.max_connections(1).shutdown_timeout(NEVER),
            move |request| {
                let out = out.clone();
                async move {
                    let ws = request.accept().await?;
                    out.send(ws).map_err(|_| Error::other("nobody takes it"))
                }
            },
        )
        .await;
        let mut first = server.connect().await;
        let mut taken = soon(left.recv()).await.unwrap();
        let mut second = server.raw().await;
        second.send(upgrade("")).await;
        let answer = timeout(Duration::from_millis(50), second.head()).await;
        assert!(answer.is_err(), "the place is still taken: {answer:?}");

        server.shut_down();
        let keeping = tokio::spawn(async move {
            if split {
                let (sender, mut receiver) = taken.split();
                let last = receiver.recv().await;
                drop(sender);
                last
            } else {
                taken.recv().await
            }
        });
        assert_eq!(soon(first.recv()).await.unwrap(), None);
        assert_eq!(first.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
        assert_eq!(soon(keeping).await.unwrap().unwrap(), None);
        server.stop().await;
    }
}

/// Waiting for a place, the server can be shut down all the same.
#[tokio::test]
async fn no_place_and_shut_down() {
    let server = start(|builder| builder.max_connections(1).shutdown_timeout(NEVER), echo).await;
    let mut ws = server.connect().await;
    let _waiting = server.raw().await;
    let receiving = tokio::spawn(async move { ws.recv().await });
    server.stop().await;
    assert_eq!(soon(receiving).await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn max_connections_per_ip() {
    let server = start(|builder| builder.max_connections_per_ip(2), echo).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for _ in 0..3 {
        assert!(server.raw().await.until_gone().await.is_empty());
    }
    soon(first.send("hello")).await.unwrap();
    assert_eq!(soon(first.recv()).await.unwrap(), Some("hello".into()));
    soon(first.close(CloseCode::NORMAL)).await.unwrap();
    // The server counts until its task has ended, a moment after the client knows.
    let again = soon(async {
        loop {
            if let Ok(ws) = sheave::connect(server.url("/")).await {
                break ws;
            }
        }
    });
    let mut again = again.await;
    soon(again.close(CloseCode::NORMAL)).await.unwrap();
    soon(second.close(CloseCode::NORMAL)).await.unwrap();
    server.stop().await;
}

/// Clients that vanish in the middle leave nothing behind: with one place, the next is served.
#[tokio::test]
async fn places_are_given_back() {
    let (tls, client) = certificate();
    for (tls, scheme) in [(None, "ws"), (Some(tls), "wss")] {
        let secure = tls.is_some();
        let server = start(
            |builder| {
                let builder = builder.max_connections(1).max_connections_per_ip(1);
                match tls {
                    Some(tls) => builder.tls(tls),
                    None => builder,
                }
            },
            mirror,
        )
        .await;
        let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        let request = upgrade("");
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello";
        let beginnings: Vec<&[u8]> = if secure {
            vec![b"", &hello[..1], hello, request.as_bytes()]
        } else {
            vec![b"", b"G", &request.as_bytes()[..60], request.as_bytes(), post.as_bytes(), hello]
        };
        for bytes in beginnings {
            let mut lost = server.raw().await;
            lost.push_only(bytes).await;
            drop(lost);
        }
        // Dropped for being the second one of its address it may be, but not for ever.
        let mut ws = soon(async {
            loop {
                if let Ok(ws) = client.connect(format!("{scheme}://{}", server.address)).await {
                    break ws;
                }
            }
        })
        .await;
        soon(ws.send("hello")).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
        soon(ws.close(CloseCode::NORMAL)).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing() {
    let (_, client) = certificate();
    let begun = Instant::now();
    let failed = soon(client.request("wss://localhost").connect_over(Mute)).await;
    assert!(matches!(failed, Err(Error::ConnectTimeout)), "{failed:?}");
    assert_eq!(begun.elapsed().as_secs(), 30);

    let begun = Instant::now();
    let failed = soon(client.request("ws://localhost").connect_over(Mute)).await;
    let timeout = |error: &ws::Error| matches!(error, ws::Error::Timeout(ws::Timeout::Handshake));
    assert!(matches!(&failed, Err(Error::WebSocket(error)) if timeout(error)), "{failed:?}");
    assert_eq!(begun.elapsed().as_secs(), 10);

    let tls = DevCertificate::generate(&["localhost"]).unwrap().client_config_builder().build().unwrap();
    let client = Client::builder().tls(tls).connect_timeout(Duration::from_secs(2)).build();
    let begun = Instant::now();
    assert!(soon(client.request("wss://localhost").connect_over(Mute)).await.is_err());
    assert_eq!(begun.elapsed().as_secs(), 2);
}

/// A listener whose backlog is full: the SYN is not answered.
#[tokio::test]
async fn connecting_takes_too_long() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream);
        if waiting.len() > 1000 {
            eprintln!("skipped: this system's backlogs have no bound");
            return;
        }
    }
    let client = Client::builder().connect_timeout(Duration::from_millis(300)).build();
    let failed = soon(client.connect(format!("ws://{address}"))).await;
    assert!(matches!(failed, Err(Error::ConnectTimeout)), "{failed:?}");
}

#[tokio::test]
async fn nobody_listens() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let failed = soon(sheave::connect(format!("ws://{host}:{port}"))).await.unwrap_err();
        let Error::Unreachable(attempts) = &failed else { panic!("{failed:?}") };
        assert!(!attempts.is_empty() && attempts.iter().all(|(address, _)| address.port() == port));
        for (address, error) in attempts {
            let told = failed.to_string();
            assert!(told.contains(&address.to_string()) && told.contains(&error.to_string()), "{told}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_none() {
    let client = Client::builder().connect_timeout(Duration::from_secs(20)).build();
    match soon(client.connect("ws://does-not-exist.invalid/")).await {
        Err(Error::Resolve(_)) => {}
        Err(Error::ConnectTimeout) => eprintln!("skipped: this machine takes its time to resolve a name"),
        other => panic!("{other:?}"),
    }
}

/// Nobody has installed a provider of rustls' for the process, and nobody has to.
#[tokio::test]
async fn certificates_and_providers() {
    let own = DevCertificate::generate(&["localhost"]).unwrap();
    let server_tls = own.server_config_builder().build().unwrap();
    let server = start(|builder| builder.tls(server_tls), echo).await;
    let port = server.address.port();
    let trusting = Client::builder().tls(own.client_config_builder().build().unwrap()).build();
    let (_, stranger) = certificate();
    assert!(tls::rustls::crypto::CryptoProvider::get_default().is_none());
    // The platform's roots, if there are any, do not know it.
    let default = soon(sheave::connect(format!("wss://localhost:{port}"))).await;
    assert!(matches!(default, Err(Error::Tls(_))), "{default:?}");
    // Signed by somebody else; for another name.
    for (client, host) in [(&stranger, "localhost"), (&trusting, "127.0.0.1")] {
        let failed = soon(client.connect(format!("wss://{host}:{port}"))).await;
        assert!(matches!(&failed, Err(Error::Tls(tls::Error::Handshake(_)))), "{host}: {failed:?}");
    }
    assert!(soon(trusting.connect(format!("wss://localhost:{port}"))).await.is_ok());
    assert!(tls::rustls::crypto::CryptoProvider::get_default().is_none());
    server.stop().await;
}

/// TLS where none is spoken, and the other way round.
#[tokio::test]
async fn the_wrong_scheme() {
    let (tls, client) = certificate();
    let plain = start(|builder| builder, echo).await;
    let secure = start(|builder| builder.tls(tls), echo).await;
    let failed = soon(client.connect(format!("wss://{}", plain.address))).await;
    assert!(matches!(failed, Err(Error::Tls(_))), "{failed:?}");
    let failed = soon(client.connect(format!("ws://{}", secure.address))).await;
    assert!(matches!(failed, Err(Error::WebSocket(_))), "{failed:?}");
    let mut raw = Raw::new(TcpStream::connect(secure.address).await.unwrap());
    raw.push_only("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = raw.until_gone().await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    plain.stop().await;
    secure.stop().await;
}
