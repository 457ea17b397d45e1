//! What WebSockets have in common that go by one connection, and what they have not.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sheave::h2;
use sheave::{Client, CloseCode, Config, Error, Message, Request, WebSocket, stream_error};
use support::peer::{Peer, Tls, h2_only};
use support::raw_server::Frames;
use support::{Running, echo, mirror, soon, start};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

async fn converse(ws: &mut WebSocket) {
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("hello")));
}

async fn open(client: &Client, server: &Running, count: usize) -> Vec<WebSocket> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(soon(client.connect(server.url("/"))).await.unwrap());
    }
    sockets
}

/// Two WebSockets on a connection whose server the test is.
async fn two(client: &Client) -> ([WebSocket; 2], Frames<TcpStream>, Peer) {
    let (sender, mut connections) = mpsc::unbounded_channel();
    let peer = Peer::start(move |tcp, _| {
        sender.send(tcp).unwrap();
        async {}
    })
    .await;
    let openings = [(); 2].map(|()| {
        let (client, url) = (client.clone(), peer.ws("/"));
        tokio::spawn(async move { client.connect(url).await.unwrap() })
    });
    let mut frames = Frames::taking(soon(connections.recv()).await.unwrap()).await;
    assert_eq!((frames.open().await, frames.open().await), (1, 3));
    let [one, other] = openings;
    ([soon(one).await.unwrap(), soon(other).await.unwrap()], frames, peer)
}

/// Both sides know that it is one.
#[tokio::test]
async fn one_connection() {
    let tls = Tls::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let server = start(
        |builder| builder.tls(tls.server()),
        move |request: Request| {
            noted.lock().unwrap().push(request.stream().connection_id());
            echo(request)
        },
    )
    .await;
    let client = tls.client().build();
    let url = server.url("/").replace("ws:", "wss:");
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(soon(client.connect(&url)).await.unwrap());
    }
    for ws in &mut sockets {
        converse(ws).await;
    }
    let first = sockets[0].connection_id();
    assert!(sockets.iter().all(|ws| ws.connection_id() == first));
    let mut seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 50);
    seen.dedup();
    assert_eq!(seen.len(), 1);
    drop(sockets);
    server.stop().await;
}

/// The connection is kept alive by one PING for all, and no WebSocket sends any.
#[tokio::test]
async fn one_ping_serves_all() {
    let client = h2_only().keepalive(Duration::from_secs(20)).build();
    let ([mut one, mut other], mut frames, _peer) = two(&client).await;
    tokio::time::pause();
    let waiting = tokio::spawn(async move {
        tokio::select! {
            one = one.recv() => panic!("{one:?}"),
            other = other.recv() => panic!("{other:?}"),
            () = tokio::time::sleep(Duration::from_secs(100)) => {}
        }
    });
    // Nothing else comes.
    let came = timeout(Duration::from_secs(95), frames.next()).await;
    assert!(came.is_err(), "{came:?}");
    assert!((3..=5).contains(&frames.pings), "{}", frames.pings);
    let came = timeout(Duration::from_secs(60), frames.next()).await;
    assert!(came.is_ok_and(|came| came.starts_with("RST_STREAM")));
    soon(waiting).await.unwrap();
}

/// A server that does not answer it is gone for all of them.
#[tokio::test]
async fn no_pong() {
    let config = Config::default()
        .keepalive_interval(Duration::from_secs(20))
        .keepalive_timeout(Duration::from_secs(5));
    let client = h2_only().config(config).build();
    let (sockets, _frames, _peer) = two(&client).await;
    tokio::time::pause();
    let begun = Instant::now();
    for mut ws in sockets {
        let error = soon(ws.recv()).await.unwrap_err();
        let why = stream_error(&error).expect("a stream's");
        assert!(matches!(why, h2::Error::Timeout(h2::Timeout::KeepAlive)), "{why:?}");
        assert!((24..=26).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }
}

/// A Ping of the user's is its WebSocket's.
#[tokio::test]
async fn pings_of_the_user() {
    let server = start(|builder| builder, echo).await;
    let client = h2_only().build();
    let mut ws = open(&client, &server, 1).await.remove(0);
    assert_eq!(ws.rtt(), None);
    soon(ws.ping("there?")).await.unwrap();
    // The Pong is ahead of the echo.
    converse(&mut ws).await;
    assert!(ws.rtt().is_some());
    drop(ws);
    server.stop().await;
}

/// Who does not read holds up nobody but who sends to him.
#[tokio::test]
async fn who_does_not_read() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            if request.path() != "/flood" {
                return echo(request).await;
            }
            let mut ws = request.accept().await?;
            loop {
                ws.send(vec![7; 10_000]).await?;
            }
        },
    )
    .await;
    let client = h2_only().build();
    let mut floods = Vec::new();
    for _ in 0..5 {
        floods.push(soon(client.connect(server.url("/flood"))).await.unwrap());
    }
    let mut others = open(&client, &server, 5).await;
    for _ in 0..20 {
        for ws in &mut others {
            soon(ws.send(vec![1; 100_000])).await.unwrap();
            assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from(vec![1; 100_000])));
        }
    }
    assert!(others.iter().all(|ws| ws.connection_id() == floods[0].connection_id()));
    // They have been waiting, not lost.
    for ws in &mut floods {
        for _ in 0..100 {
            assert_eq!(soon(ws.recv()).await.unwrap().unwrap().len(), 10_000);
        }
    }
    drop((floods, others));
    server.stop().await;
}

/// Each is closed in order when the server goes, and the connection with the last.
#[tokio::test]
async fn a_shutdown() {
    let mut server = start(|builder| builder, echo).await;
    let client = h2_only().build();
    let mut sockets = open(&client, &server, 10).await;
    for ws in &mut sockets {
        converse(ws).await;
    }
    server.shut_down();
    for ws in &mut sockets {
        assert_eq!(soon(ws.recv()).await.unwrap(), None);
        assert_eq!(ws.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
    }
    let url = server.url("/");
    server.stop().await;
    let error = soon(client.connect(url)).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
}

/// A refusal ends its stream alone.
#[tokio::test]
async fn a_refusal_beside_others() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            if request.path() == "/no" {
                let response = http::Response::builder().status(403).body("not you").unwrap();
                return request.respond(response).await;
            }
            mirror(request).await
        },
    )
    .await;
    let client = h2_only().build();
    let mut sockets = open(&client, &server, 2).await;
    for _ in 0..3 {
        let error = soon(client.connect(server.url("/no"))).await.unwrap_err();
        let rejection = error.rejection().unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!((rejection.status().as_u16(), &rejection.body()[..]), (403, &b"not you"[..]));
    }
    sockets.extend(open(&client, &server, 1).await);
    for ws in &mut sockets {
        converse(ws).await;
        assert_eq!(ws.connection_id(), ws.get_ref().connection_id());
    }
    assert_eq!(sockets[0].connection_id(), sockets[2].connection_id());
    drop(sockets);
    server.stop().await;
}

/// Messages of all on two threads, both directions full, some of them ended in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_at_once() {
    const SOCKETS: usize = 40;
    let server = start(|builder| builder, echo).await;
    let client = h2_only().build();
    let conversations: Vec<_> = (0..SOCKETS)
        .map(|number| {
            let (client, url) = (client.clone(), server.url("/"));
            tokio::spawn(async move {
                let (mut sender, mut receiver) = soon(client.connect(url)).await.unwrap().split();
                let sending = tokio::spawn(async move {
                    for index in 0..200 {
                        soon(sender.send(vec![number as u8; index * 31])).await.unwrap();
                    }
                    sender
                });
                for index in 0..200 {
                    if number % 8 == 7 && index == 100 {
                        // Reset under everything.
                        sending.abort();
                        return;
                    }
                    let message = soon(receiver.recv()).await.unwrap().unwrap();
                    assert!(message.as_bytes() == vec![number as u8; index * 31]);
                }
                let mut sender = soon(sending).await.unwrap();
                soon(sender.close(CloseCode::NORMAL)).await.unwrap();
                assert_eq!(soon(receiver.recv()).await.unwrap(), None);
            })
        })
        .collect();
    for conversation in conversations {
        soon(conversation).await.unwrap();
    }
    server.stop().await;
}
