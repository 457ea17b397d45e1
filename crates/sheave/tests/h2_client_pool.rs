//! Which connection a client's WebSockets share, when another is made, and how long they are kept.

mod support;

use std::collections::HashMap;
use std::time::Duration;

use sheave::h2::frame::Setting;
use sheave::h2::{self, ErrorCode};
use sheave::{Client, CloseCode, Error, Message, WebSocket, ws};
use support::peer::{Peer, Tls, echo, h2_only, http2, taking};
use support::raw_server::{Frames, TAKES_WEBSOCKETS};
use support::soon;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const MOST: u16 = Setting::MAX_CONCURRENT_STREAMS;

async fn converse(ws: &mut WebSocket) {
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("hello")));
}

/// Opens one beside whatever else is done.
fn opening(client: &Client, url: String) -> JoinHandle<Result<WebSocket, Error>> {
    let client = client.clone();
    tokio::spawn(async move { client.connect(url).await })
}

/// Opens so many at once.
async fn many(client: &Client, url: &str, count: usize) -> Vec<WebSocket> {
    let openings: Vec<_> = (0..count).map(|_| opening(client, url.to_owned())).collect();
    let mut sockets = Vec::new();
    for opening in openings {
        sockets.push(soon(opening).await.unwrap().unwrap());
    }
    sockets
}

/// How many each connection carries, the most first.
fn loads(sockets: &[WebSocket]) -> Vec<usize> {
    let mut loads = HashMap::new();
    for ws in sockets {
        *loads.entry(ws.connection_id()).or_insert(0) += 1;
    }
    let mut loads: Vec<_> = loads.into_values().collect();
    loads.sort_by(|one, other| other.cmp(one));
    loads
}

/// How many places the client knows something of.
fn places(client: &Client) -> String {
    let told = format!("{client:?}");
    let (_, told) = told.split_once("Pool(").unwrap();
    told.split_once(' ').unwrap().0.to_owned()
}

/// Returns once the client knows nothing any more.
async fn forgotten(client: &Client) {
    soon(async {
        while places(client) != "0" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

async fn next(connections: &mut mpsc::UnboundedReceiver<TcpStream>) -> Frames<TcpStream> {
    Frames::accept(soon(connections.recv()).await.unwrap()).await
}

/// All who can go on do so, as far as they come.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_hundred_at_once() {
    let tls = Tls::new();
    let server = tls.clone();
    let secure = Peer::start(move |tcp, _| {
        let tls = server.clone();
        async move { tls.serve(tcp, &[b"h2", b"http/1.1"], taking()).await }
    })
    .await;
    let plain = Peer::h2c(taking(), echo).await;
    for (client, url, peer) in
        [(tls.client().build(), secure.wss("/"), &secure), (h2_only().build(), plain.ws("/"), &plain)]
    {
        let mut sockets = many(&client, &url, 100).await;
        assert_eq!(loads(&sockets), [100]);
        for ws in &mut sockets {
            converse(ws).await;
        }
        assert_eq!(peer.accepted(), 1);
    }
}

#[tokio::test]
async fn more_than_a_connection_takes() {
    let peer = Peer::h2c(taking().max_concurrent_streams(8), echo).await;
    let client = h2_only().build();
    let mut sockets = many(&client, &peer.ws("/"), 20).await;
    assert_eq!(loads(&sockets), [8, 8, 4]);
    for ws in &mut sockets {
        converse(ws).await;
    }
    assert_eq!(peer.accepted(), 3);
    // One after the other fills up what there is.
    for _ in 0..4 {
        sockets.push(soon(client.connect(peer.ws("/"))).await.unwrap());
    }
    assert_eq!((loads(&sockets), peer.accepted()), (vec![8, 8, 8], 3));
    sockets.push(soon(client.connect(peer.ws("/"))).await.unwrap());
    assert_eq!((loads(&sockets), peer.accepted()), (vec![8, 8, 8, 1], 4));
}

/// A server that sets no limit, or a very high one, is not given more than a thousand on one connection.
#[tokio::test]
async fn more_than_a_client_puts_on_a_connection() {
    let peer = Peer::h2c(taking().max_concurrent_streams(5000), echo).await;
    let sockets = many(&h2_only().build(), &peer.ws("/"), 1001).await;
    assert_eq!((loads(&sockets), peer.accepted()), (vec![1000, 1], 2));
}

/// However a WebSocket ends, its place is free for another.
#[tokio::test]
async fn a_place_that_is_given_back() {
    let peer = Peer::h2c(taking().max_concurrent_streams(2), echo).await;
    let client = h2_only().build();
    let _other = soon(client.connect(peer.ws("/"))).await.unwrap();
    for way in 0..4 {
        let mut ws = soon(client.connect(peer.ws("/"))).await.unwrap();
        converse(&mut ws).await;
        match way {
            0 => drop(ws),
            1 => soon(ws.close(CloseCode::NORMAL)).await.unwrap(),
            2 => {
                // As long as one half is there, so is the stream.
                let (mut sender, receiver) = ws.split();
                drop(receiver);
                soon(sender.send("on")).await.unwrap();
                let third = soon(client.connect(peer.ws("/"))).await.unwrap();
                assert_eq!(peer.accepted(), 2);
                drop((sender, third));
            }
            _ => drop(ws.split()),
        }
    }
    let ws = soon(client.connect(peer.ws("/"))).await.unwrap();
    assert_eq!(loads(&[ws, _other]), [2]);
    assert_eq!(peer.accepted(), 2);
}

/// A request that was made waits for its place; the next ones do not wait behind it.
#[tokio::test]
async fn a_limit_of_zero() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let first = opening(&client, peer.ws("/"));
    let mut frames = next(&mut connections).await;
    frames.settings(&[TAKES_WEBSOCKETS, Setting { id: MOST, value: 0 }]).await;
    let second = opening(&client, peer.ws("/"));
    let mut other = next(&mut connections).await;
    other.settings(&[TAKES_WEBSOCKETS]).await;
    assert_eq!(other.open().await, 1);
    let second = soon(second).await.unwrap().unwrap();
    // Nothing was asked for here, and is now.
    frames.change(MOST, 1).await;
    assert_eq!(frames.open().await, 1);
    let first = soon(first).await.unwrap().unwrap();
    assert_eq!((loads(&[first, second]), peer.accepted()), (vec![1, 1], 2));
}

#[tokio::test]
async fn a_limit_that_stays_zero() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let opening = opening(&client, peer.ws("/"));
    let mut frames = next(&mut connections).await;
    frames.settings(&[TAKES_WEBSOCKETS, Setting { id: MOST, value: 0 }]).await;
    frames.change(MOST, 0).await;
    let begun = Instant::now();
    tokio::time::pause();
    let error = soon(opening).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::WebSocket(ws::Error::Timeout(ws::Timeout::Handshake))), "{error:?}");
    assert!(begun.elapsed() >= Duration::from_secs(9));
}

/// Those that there are stay; new ones go elsewhere as long as there are too many.
#[tokio::test]
async fn a_limit_that_is_lowered() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let openings = [(); 3].map(|()| opening(&client, peer.ws("/")));
    let mut frames = next(&mut connections).await;
    frames.settings(&[TAKES_WEBSOCKETS]).await;
    for stream in [1, 3, 5] {
        assert_eq!(frames.open().await, stream);
    }
    let mut sockets = Vec::new();
    for opening in openings {
        sockets.push(soon(opening).await.unwrap().unwrap());
    }
    frames.change(MOST, 2).await;
    let fourth = opening(&client, peer.ws("/"));
    let mut other = next(&mut connections).await;
    other.settings(&[TAKES_WEBSOCKETS]).await;
    assert_eq!(other.open().await, 1);
    sockets.push(soon(fourth).await.unwrap().unwrap());
    assert_eq!(loads(&sockets), [3, 1]);
    for stream in [1, 3, 5] {
        frames.data(stream, b"\x81\x05hello", false).await;
    }
    other.data(1, b"\x81\x05hello", false).await;
    for ws in &mut sockets {
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("hello")));
    }
    frames.change(MOST, 4).await;
    let fifth = opening(&client, peer.ws("/"));
    assert_eq!(frames.open().await, 7);
    sockets.push(soon(fifth).await.unwrap().unwrap());
    assert_eq!((loads(&sockets), peer.accepted()), (vec![4, 1], 2));
}

/// While one dials, the others wait for what comes of it.
#[tokio::test]
async fn dialling_is_not_doubled() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let openings = [(); 20].map(|()| opening(&client, peer.ws("/")));
    let mut frames = next(&mut connections).await;
    settle().await;
    assert_eq!(peer.accepted(), 1);
    frames.settings(&[TAKES_WEBSOCKETS]).await;
    for _ in 0..20 {
        frames.open().await;
    }
    for opening in openings {
        soon(opening).await.unwrap().unwrap();
    }
    assert_eq!(peer.accepted(), 1);
}

/// Whatever becomes of who dials, the next one does.
#[tokio::test]
async fn a_dialler_that_gives_up_or_fails() {
    for fails in [false, true] {
        let (peer, mut connections) = Peer::by_hand().await;
        let client = h2_only().build();
        let first = opening(&client, peer.ws("/"));
        let mut frames = next(&mut connections).await;
        let others = [(); 3].map(|()| opening(&client, peer.ws("/")));
        settle().await;
        assert_eq!(peer.accepted(), 1);
        if fails {
            drop(frames);
            let error = soon(first).await.unwrap().unwrap_err();
            assert!(matches!(error, Error::Http2(h2::Error::Io(_) | h2::Error::Closed)), "{error:?}");
        } else {
            first.abort();
            // Nothing of it is left.
            while frames.next().await != "end" {}
        }
        let mut frames = next(&mut connections).await;
        frames.settings(&[TAKES_WEBSOCKETS]).await;
        for _ in 0..3 {
            frames.open().await;
        }
        for opening in others {
            soon(opening).await.unwrap().unwrap();
        }
        assert_eq!(peer.accepted(), 2);
    }
}

/// Whoever waits for another's connection is not kept longer than it may take to make one.
#[tokio::test]
async fn waiting_for_a_dialler_takes_its_time() {
    let (peer, mut connections) = Peer::by_hand().await;
    let short = h2_only().connect_timeout(Duration::from_secs(2)).build();
    let first = opening(&short, peer.ws("/"));
    // The first has its connection, and waits for SETTINGS.
    let _silent = next(&mut connections).await;
    let second = opening(&short, peer.ws("/"));
    tokio::task::yield_now().await;
    tokio::time::pause();
    let begun = Instant::now();
    let error = soon(second).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout), "{error:?}");
    assert!(begun.elapsed() <= Duration::from_secs(3), "{:?}", begun.elapsed());
    let error = soon(first).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Timeout(h2::Timeout::Handshake))), "{error:?}");
    assert_eq!(places(&short), "0");
}

/// A connection without a WebSocket is kept for a time, counted from its last one, and then ends in order.
#[tokio::test]
async fn idle_connections() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let mut frames = None;
    for stream in [1, 3] {
        let opening = opening(&client, peer.ws("/"));
        if frames.is_none() {
            let mut dialled = next(&mut connections).await;
            dialled.settings(&[TAKES_WEBSOCKETS]).await;
            frames = Some(dialled);
        }
        let frames = frames.as_mut().unwrap();
        assert_eq!(frames.open().await, stream);
        let ws = soon(opening).await.unwrap().unwrap();
        tokio::time::pause();
        // Not while it is used.
        let waiting = tokio::time::timeout(Duration::from_secs(100), frames.next());
        assert!(waiting.await.is_err());
        drop(ws);
        assert_eq!(frames.next().await, format!("RST_STREAM {stream} CANCEL"));
        // Not before its time.
        let waiting = tokio::time::timeout(Duration::from_secs(59), frames.next());
        assert!(waiting.await.is_err());
        tokio::time::resume();
        assert_eq!(places(&client), "1");
    }
    tokio::time::pause();
    let begun = Instant::now();
    let mut frames = frames.unwrap();
    assert_eq!(frames.next().await, "GOAWAY NO_ERROR");
    assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(frames.next().await, "end");
    assert_eq!(peer.accepted(), 1);
    tokio::time::resume();
    forgotten(&client).await;
}

#[tokio::test]
async fn the_time_that_idle_ones_are_kept() {
    let peer = Peer::h2c(taking(), echo).await;
    // Not at all.
    let client = h2_only().pool_idle_timeout(Duration::ZERO).build();
    for accepted in [1, 2] {
        let mut ws = soon(client.connect(peer.ws("/"))).await.unwrap();
        let mut other = soon(client.connect(peer.ws("/"))).await.unwrap();
        converse(&mut ws).await;
        converse(&mut other).await;
        assert_eq!(peer.accepted(), accepted);
        drop((ws, other));
        forgotten(&client).await;
    }
    // For ever.
    let client = h2_only().pool_idle_timeout(Duration::MAX).build();
    drop(soon(client.connect(peer.ws("/"))).await.unwrap());
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(1 << 30)).await;
    tokio::time::resume();
    converse(&mut soon(client.connect(peer.ws("/"))).await.unwrap()).await;
    assert_eq!(peer.accepted(), 3);
}

/// WebSockets need no client; the connection ends after the last of them.
#[tokio::test]
async fn a_client_that_is_dropped() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    let openings = [(); 2].map(|()| opening(&client, peer.ws("/")));
    let mut frames = next(&mut connections).await;
    frames.settings(&[TAKES_WEBSOCKETS]).await;
    assert_eq!((frames.open().await, frames.open().await), (1, 3));
    let [one, other] = openings;
    let (one, mut other) = (soon(one).await.unwrap().unwrap(), soon(other).await.unwrap().unwrap());
    drop(client);
    drop(one);
    let first = frames.next().await;
    assert!(first.ends_with(" CANCEL"), "{first}");
    soon(other.send("still")).await.unwrap();
    let data = frames.next().await;
    assert!(data.starts_with("DATA"), "{data}");
    drop(other);
    let second = frames.next().await;
    assert!(second.ends_with(" CANCEL") && second != first, "{second}");
    assert_eq!(frames.next().await, "GOAWAY NO_ERROR");
    assert_eq!(frames.next().await, "end");
    // Without a WebSocket, it ends with the client.
    let client = h2_only().build();
    let opening = opening(&client, peer.ws("/"));
    let mut frames = next(&mut connections).await;
    frames.settings(&[TAKES_WEBSOCKETS]).await;
    frames.open().await;
    drop(soon(opening).await.unwrap());
    assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
    drop(client);
    assert_eq!(frames.next().await, "GOAWAY NO_ERROR");
    assert_eq!(frames.next().await, "end");
}

/// What differs in host, port, scheme or socket has a connection of its own, and a clone of the client has the same.
#[tokio::test]
async fn authorities() {
    let (peer, other) = (Peer::h2c(taking(), echo).await, Peer::h2c(taking(), echo).await);
    let client = h2_only().build();
    let port = peer.address.port();
    let clone = client.clone();
    let mut sockets = Vec::new();
    for (client, url, accepted) in [
        (&client, peer.ws("/"), (1, 0)),
        (&clone, peer.ws("/other?path"), (1, 0)),
        (&client, format!("http://user:password@127.0.0.1:{port}/"), (1, 0)),
        (&client, format!("ws://localhost:{port}/"), (2, 0)),
        (&clone, format!("ws://LocalHost:{port}/"), (2, 0)),
        (&client, other.ws("/"), (2, 1)),
        (&h2_only().build(), peer.ws("/"), (3, 1)),
    ] {
        sockets.push(soon(client.connect(url)).await.unwrap());
        assert_eq!((peer.accepted(), other.accepted()), accepted);
    }
    assert_eq!(loads(&sockets), [3, 2, 1, 1]);
    assert_eq!(places(&client), "3");
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets() {
    let folder = std::env::temp_dir().join(format!("sheave-pool-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let paths = [folder.join("one"), folder.join("two")];
    for path in &paths {
        let listener = tokio::net::UnixListener::bind(path).unwrap();
        tokio::spawn(async move {
            loop {
                let (unix, _) = listener.accept().await.unwrap();
                tokio::spawn(http2(unix, taking(), echo));
            }
        });
    }
    let client = h2_only().build();
    let mut sockets = Vec::new();
    for path in [&paths[0], &paths[0], &paths[1]] {
        let mut ws = soon(client.request("ws://example.org/").unix_socket(path).connect()).await.unwrap();
        converse(&mut ws).await;
        sockets.push(ws);
    }
    assert_eq!(loads(&sockets), [2, 1]);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Of what has failed, or needs no connection, nothing is kept.
#[tokio::test]
async fn what_is_forgotten() {
    let (peer, mut connections) = Peer::by_hand().await;
    let client = h2_only().build();
    // Nobody listens there any more.
    let gone = Peer::h2c(taking(), echo).await.ws("/");
    soon(client.connect(gone)).await.unwrap_err();
    assert_eq!(places(&client), "0");
    // A connection that gets GOAWAY leaves at the latest when it ends.
    let attempt = opening(&client, peer.ws("/"));
    let mut frames = next(&mut connections).await;
    frames.settings(&[TAKES_WEBSOCKETS]).await;
    frames.open().await;
    let ws = soon(attempt).await.unwrap().unwrap();
    assert_eq!(places(&client), "1");
    frames.goaway(1, ErrorCode::NO_ERROR).await;
    drop(ws);
    forgotten(&client).await;
    // And so does one that fails.
    let attempt = opening(&client, peer.ws("/"));
    let mut frames = next(&mut connections).await;
    frames.settings(&[TAKES_WEBSOCKETS]).await;
    frames.open().await;
    let _ws = soon(attempt).await.unwrap().unwrap();
    drop(frames);
    forgotten(&client).await;
}

/// What was learnt of a place that nobody asks for again goes by and by.
#[tokio::test]
async fn what_was_learnt_goes() {
    let tls = Tls::new();
    let server = tls.clone();
    let peer = Peer::start(move |tcp, _| {
        let tls = server.clone();
        async move { tls.serve(tcp, &[b"http/1.1"], taking()).await }
    })
    .await;
    let gone = Peer::h2c(taking(), echo).await.wss("/");
    let client = tls.client().build();
    drop(soon(client.connect(peer.wss("/"))).await.unwrap());
    for (after, known) in [(599, "1"), (2, "0")] {
        assert_eq!(places(&client), "1");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(after)).await;
        tokio::time::resume();
        // Whoever goes anywhere looks.
        soon(client.connect(&gone)).await.unwrap_err();
        assert_eq!(places(&client), known);
    }
}
