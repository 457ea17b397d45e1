//! Streams that are reset, servers that say GOAWAY, connections that die: what is tried again, and what is told.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use sheave::h2::io::RecvStream;
use sheave::h2::io::server::SendResponse;
use sheave::h2::{self, ErrorCode};
use sheave::{Error, Message, WebSocket, stream_error, ws};
use support::peer::{Peer, Tls, echo, h2_only, http2, taking};
use support::raw_server::{Frames, OK};
use support::soon;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

async fn converse(ws: &mut WebSocket) {
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("hello")));
}

/// The next connection, on which nothing was said yet.
async fn next(connections: &mut mpsc::UnboundedReceiver<TcpStream>) -> Frames<TcpStream> {
    Frames::taking(soon(connections.recv()).await.unwrap()).await
}

/// What the server does by intent is told, and not asked for again.
#[tokio::test]
async fn resets() {
    for code in [ErrorCode::CANCEL, ErrorCode::INTERNAL_ERROR, ErrorCode::PROTOCOL_ERROR, ErrorCode::NO_ERROR]
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let peer = Peer::h2c(taking(), move |request: Request<RecvStream>, respond: SendResponse| {
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if first {
                    respond.reset(code);
                } else {
                    echo(request, respond).await;
                }
            }
        })
        .await;
        let client = h2_only().build();
        let error = soon(client.connect(peer.ws("/"))).await.unwrap_err();
        assert!(matches!(&error, Error::Http2(h2::Error::Reset(told)) if *told == code), "{error:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // The connection is as good as before.
        converse(&mut soon(client.connect(peer.ws("/"))).await.unwrap()).await;
        assert_eq!(peer.accepted(), 1);
    }
}

/// A request that a server refuses was not processed: another connection may take it.
#[tokio::test]
async fn refused_streams() {
    for refusing in [1, 2, 3] {
        let peer = Peer::start(move |tcp, number| {
            http2(tcp, taking(), move |request: Request<RecvStream>, respond: SendResponse| async move {
                if number <= refusing {
                    respond.reset(ErrorCode::REFUSED_STREAM);
                } else {
                    echo(request, respond).await;
                }
            })
        })
        .await;
        match soon(h2_only().build().connect(peer.ws("/"))).await {
            Ok(mut ws) => converse(&mut ws).await,
            Err(Error::Http2(h2::Error::Unprocessed)) => assert_eq!(refusing, 3),
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(peer.accepted(), 3.min(refusing + 1));
    }
}

/// A reset ends one WebSocket, and no other.
#[tokio::test]
async fn a_reset_of_an_open_one() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let opening = [client.clone(), client.clone()].map(|client| {
        let url = peer.ws("/");
        tokio::spawn(async move { client.connect(url).await.unwrap() })
    });
    let mut frames = next(&mut connections).await;
    assert_eq!((frames.open().await, frames.open().await), (1, 3));
    let [first, second] = opening;
    let (one, other) = (soon(first).await.unwrap(), soon(second).await.unwrap());
    frames.data(1, b"\x81\x04last", false).await;
    frames.reset(1, ErrorCode::CANCEL).await;
    frames.data(3, b"\x81\x04more", false).await;
    // Whichever of them is on stream 1.
    let (mut reset, mut open) = (0, Vec::new());
    for mut ws in [one, other] {
        let message = soon(ws.recv()).await.unwrap().unwrap();
        if message.as_text().unwrap() == "more" {
            soon(ws.send("still")).await.unwrap();
            assert_eq!(frames.next().await, "DATA 3");
            open.push(ws);
        } else {
            // What was received before it can still be read.
            assert_eq!(message, Message::from("last"));
            let error = soon(ws.recv()).await.unwrap_err();
            let told = stream_error(&error).expect("a stream's");
            assert!(matches!(told, h2::Error::Reset(ErrorCode::CANCEL)), "{told:?}");
            assert!(matches!(Error::from(error), Error::Http2(h2::Error::Reset(_))));
            reset += 1;
        }
    }
    assert_eq!((reset, open.len()), (1, 1));
}

/// Those up to its last stream go on, those above it are opened elsewhere, and the next ones too.
#[tokio::test]
async fn goaway_while_they_open() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let open = || {
        let (client, url) = (client.clone(), peer.ws("/"));
        tokio::spawn(async move { client.connect(url).await })
    };
    let below = open();
    let mut frames = next(&mut connections).await;
    assert_eq!(frames.next().await, "HEADERS 1");
    let above = open();
    assert_eq!(frames.next().await, "HEADERS 3");
    frames.goaway(1, ErrorCode::NO_ERROR).await;
    // What is above is asked for again, on another connection.
    let mut others = next(&mut connections).await;
    assert_eq!(others.open().await, 1);
    let above = soon(above).await.unwrap().unwrap();
    // What is below is still answered.
    frames.headers(1, OK, false).await;
    let mut below = soon(below).await.unwrap().unwrap();
    assert_ne!(below.connection_id(), above.connection_id());
    frames.data(1, b"\x81\x05hello", false).await;
    assert_eq!(soon(below.recv()).await.unwrap(), Some(Message::from("hello")));
    soon(below.send("hello")).await.unwrap();
    assert_eq!(frames.next().await, "DATA 1");
    // New ones leave it alone.
    let third = open();
    assert_eq!(others.open().await, 3);
    assert_eq!(soon(third).await.unwrap().unwrap().connection_id(), above.connection_id());
    // It ends after its last stream.
    drop(below);
    assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
    while frames.next().await != "end" {}
    assert_eq!(peer.accepted(), 2);
}

/// One that ends the connection because something is wrong says so to those that it has not answered.
#[tokio::test]
async fn goaway_with_an_error() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let url = peer.ws("/");
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.connect(url).await }
    });
    let mut frames = next(&mut connections).await;
    assert_eq!(frames.next().await, "HEADERS 1");
    frames.goaway(1, ErrorCode::ENHANCE_YOUR_CALM).await;
    drop(frames);
    let error = soon(opening).await.unwrap().unwrap_err();
    let calm = |error: &Error| match error {
        Error::Http2(h2::Error::GoAway(reason)) => reason.code == ErrorCode::ENHANCE_YOUR_CALM,
        _ => false,
    };
    assert!(calm(&error), "{error:?}");
    assert_eq!(peer.accepted(), 1);
}

/// A pooled connection that has died is not tried for long: what was not sent is sent elsewhere.
#[tokio::test]
async fn a_connection_that_has_ended() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    for number in 1..=3 {
        let (client, url) = (client.clone(), peer.ws("/"));
        let opening = tokio::spawn(async move { client.connect(url).await });
        let mut frames = next(&mut connections).await;
        frames.open().await;
        let mut ws = soon(opening).await.unwrap().unwrap();
        assert_eq!(peer.accepted(), number);
        drop(frames);
        // The end of the connection, in the middle of everything.
        let error = soon(ws.recv()).await.unwrap_err();
        assert!(matches!(error, ws::Error::Io(_) | ws::Error::Disconnected), "{error:?}");
    }
}

/// Where nothing can be known of what the server did, nothing is done again.
#[tokio::test]
async fn a_connection_that_dies() {
    // After the request.
    let (peer, mut connections) = Peer::by_hand().await;
    let (client, url) = (h2_only().build(), peer.ws("/"));
    let opening = tokio::spawn(async move { client.connect(url).await });
    let mut frames = next(&mut connections).await;
    assert_eq!(frames.next().await, "HEADERS 1");
    drop(frames);
    let error = soon(opening).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Io(_) | h2::Error::Closed)), "{error:?}");
    assert_eq!(peer.accepted(), 1);
    // Before its SETTINGS.
    let (client, url) = (h2_only().build(), peer.ws("/"));
    let opening = tokio::spawn(async move { client.connect(url).await });
    drop(Frames::accept(soon(connections.recv()).await.unwrap()).await);
    let error = soon(opening).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Io(_) | h2::Error::Closed)), "{error:?}");
    assert_eq!(peer.accepted(), 2);
    // In TLS.
    let (client, url) = (Tls::new().client().build(), peer.wss("/"));
    let opening = tokio::spawn(async move { client.connect(url).await });
    let mut tcp = soon(connections.recv()).await.unwrap();
    soon(tcp.read_exact(&mut [0])).await.unwrap();
    drop(tcp);
    let error = soon(opening).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Tls(sheave::tls::Error::Io(_))), "{error:?}");
    assert_eq!(peer.accepted(), 3);
}

/// All that it carried learn of it, and the next one is opened on another.
#[tokio::test]
async fn a_connection_that_dies_with_open_sockets() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let open = || {
        let (client, url) = (client.clone(), peer.ws("/"));
        tokio::spawn(async move { client.connect(url).await.unwrap() })
    };
    let opening = [open(), open(), open()];
    let mut frames = next(&mut connections).await;
    for _ in 0..3 {
        frames.open().await;
    }
    let mut sockets = Vec::new();
    for opening in opening {
        sockets.push(soon(opening).await.unwrap());
    }
    for stream in [1, 3, 5] {
        frames.data(stream, b"\x81\x04last", false).await;
    }
    drop(frames);
    for mut ws in sockets {
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("last")));
        let error = soon(ws.recv()).await.unwrap_err();
        assert!(matches!(error, ws::Error::Io(_) | ws::Error::Disconnected), "{error:?}");
        assert!(soon(ws.send("more")).await.is_err());
    }
    let opening = open();
    next(&mut connections).await.open().await;
    soon(opening).await.unwrap();
    assert_eq!(peer.accepted(), 2);
}

/// The server breaks HTTP/2: it is told so, and so is the caller.
#[tokio::test]
async fn a_server_that_breaks_the_protocol() {
    let (peer, mut connections) = Peer::by_hand().await;
    let (client, url) = (h2_only().build(), peer.ws("/"));
    let opening = tokio::spawn(async move { client.connect(url).await });
    let mut frames = next(&mut connections).await;
    assert_eq!(frames.open().await, 1);
    let mut ws = soon(opening).await.unwrap().unwrap();
    frames.data(2, b"of a stream that there is not", false).await;
    let error = soon(ws.recv()).await.unwrap_err();
    assert!(matches!(stream_error(&error), Some(h2::Error::Protocol(_))), "{error:?}");
    assert_eq!(frames.next().await, "GOAWAY PROTOCOL_ERROR");
}

/// A connection that does not answer is left alone after one attempt has found out, even if that was given up.
#[tokio::test]
async fn a_connection_that_has_gone_silent() {
    for gives_up in [false, true] {
        let (peer, mut connections) = Peer::by_hand().await;
        let client = h2_only().build();
        let open = || {
            let (client, url) = (client.clone(), peer.ws("/"));
            tokio::spawn(async move { client.connect(url).await })
        };
        let opening = open();
        let mut silent = next(&mut connections).await;
        silent.open().await;
        let ws = soon(opening).await.unwrap().unwrap();
        // From here on it is not even read from.
        tokio::time::pause();
        if gives_up {
            let attempt = tokio::time::timeout(Duration::from_secs(1), client.connect(peer.ws("/")));
            assert!(attempt.await.is_err());
        } else {
            let error = soon(open()).await.unwrap().unwrap_err();
            let expected = ws::Timeout::Handshake;
            let Error::WebSocket(ws::Error::Timeout(timeout)) = error else { panic!("{error:?}") };
            assert_eq!(timeout, expected);
        }
        if gives_up {
            // So long a PING may take. After an attempt that has waited to its end, the connection is not used meanwhile.
            tokio::time::sleep(Duration::from_secs(11)).await;
        }
        tokio::time::resume();
        let opening = open();
        let mut other = next(&mut connections).await;
        other.open().await;
        assert_ne!(soon(opening).await.unwrap().unwrap().connection_id(), ws.connection_id());
        assert_eq!(peer.accepted(), 2);
    }
}

/// One that is only slow to answer a request is not.
#[tokio::test]
async fn a_connection_that_answers_pings() {
    let (asked, mut asks) = mpsc::unbounded_channel();
    let peer = Peer::h2c(taking(), move |request: Request<RecvStream>, respond: SendResponse| {
        let asked = asked.clone();
        async move {
            if request.uri().path() == "/slow" {
                asked.send(()).unwrap();
                std::future::pending::<()>().await;
            }
            echo(request, respond).await;
        }
    })
    .await;
    let client = h2_only().build();
    for _ in 0..3 {
        tokio::select! {
            _ = client.connect(peer.ws("/slow")) => panic!("it was answered"),
            asked = soon(asks.recv()) => assert!(asked.is_some()),
        }
        converse(&mut soon(client.connect(peer.ws("/"))).await.unwrap()).await;
    }
    assert_eq!(peer.accepted(), 1);
}
