//! Attempts that are given up, at whatever point (cancel safety).

mod support;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::Request;
use sheave::h2::io::RecvStream;
use sheave::h2::io::server::SendResponse;
use sheave::tls::alpn_protocol;
use sheave::{Client, Error, Message, WebSocket};
use support::peer::{Peer, Tls, echo, echo_http1, h2_only, http2, taking};
use support::soon;
use tokio::io::duplex;

/// How many there are of something.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

/// One of them.
struct Counted(Arc<AtomicUsize>);

impl Count {
    fn one(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&self.0))
    }

    /// Returns once there are so many, or fewer.
    async fn falls_to(&self, most: usize) {
        soon(async {
            while self.0.load(Ordering::Relaxed) > most {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Polls an attempt so often, whenever there is reason to; `None` if it was not done then.
async fn polled<T>(times: usize, attempt: impl Future<Output = T>) -> Option<T> {
    let mut attempt = pin!(attempt);
    let mut count = 0;
    soon(poll_fn(|cx| match attempt.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => {
            count += 1;
            if count < times { Poll::Pending } else { Poll::Ready(None) }
        }
    }))
    .await
}

async fn converse(mut ws: WebSocket) {
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("hello")));
}

/// A server that knows what there is on it.
struct Watched {
    peer: Peer,
    connections: Count,
    streams: Count,
}

/// What a server with TLS does with HTTP/2.
#[derive(Clone, Copy)]
enum Kind {
    Takes,
    TakesNoWebSockets,
    /// A stream is refused, each second one.
    Refuses,
}

impl Watched {
    async fn start(tls: &Tls, kind: Kind) -> Self {
        let (connections, streams) = (Count::default(), Count::default());
        let (tls, all, each) = (tls.clone(), connections.clone(), streams.clone());
        let asked = Arc::new(AtomicUsize::new(0));
        let peer = Peer::start(move |tcp, _| {
            let (tls, connection, each, asked) = (tls.clone(), all.one(), each.clone(), Arc::clone(&asked));
            async move {
                let Some(io) = tls.accept(tcp, &[b"h2", b"http/1.1"]).await else { return };
                if alpn_protocol(&io) != Some(b"h2") {
                    return echo_http1(io).await;
                }
                let answer = move |request: Request<RecvStream>, respond: SendResponse| {
                    let (stream, first) = (each.one(), asked.fetch_add(1, Ordering::Relaxed) % 2 == 0);
                    async move {
                        match kind {
                            Kind::Refuses if first => respond.reset(sheave::h2::ErrorCode::REFUSED_STREAM),
                            _ => echo(request, respond).await,
                        }
                        drop(stream);
                    }
                };
                let config = taking().enable_connect_protocol(!matches!(kind, Kind::TakesNoWebSockets));
                http2(io, config, answer).await;
                drop(connection);
            }
        })
        .await;
        Self { peer, connections, streams }
    }
}

/// With a client that goes as well nothing is left; with one that stays, at most a connection for the next attempt.
#[tokio::test]
async fn at_every_poll() {
    let tls = Tls::new();
    for (kind, kept) in [(Kind::Takes, 1), (Kind::TakesNoWebSockets, 0), (Kind::Refuses, 2)] {
        let server = Watched::start(&tls, kind).await;
        let url = server.peer.wss("/");
        for stays in [false, true] {
            let mut times = 1;
            loop {
                let client: Client = tls.client().build();
                let result: Option<Result<_, Error>> = polled(times, client.connect(&url)).await;
                let done = result.is_some();
                if let Some(ws) = result {
                    converse(ws.unwrap()).await;
                }
                if stays {
                    server.streams.falls_to(0).await;
                    server.connections.falls_to(kept).await;
                    converse(soon(client.connect(&url)).await.unwrap()).await;
                    server.connections.falls_to(kept).await;
                }
                drop(client);
                server.streams.falls_to(0).await;
                server.connections.falls_to(0).await;
                if done {
                    break;
                }
                times += 1;
            }
            // TCP, TLS, SETTINGS and the answer each take one at least.
            assert!(times > 3, "{times}");
        }
    }
}

/// Several at once, each of which is given up at another point: the rest are opened all the same.
#[tokio::test]
async fn beside_others() {
    let tls = Tls::new();
    let server = Watched::start(&tls, Kind::Takes).await;
    let client = tls.client().build();
    let url = server.peer.wss("/");
    let attempts: Vec<_> = (1..=40)
        .map(|times| {
            let (client, url) = (client.clone(), url.clone());
            let times = if times % 4 == 0 { usize::MAX } else { times / 4 };
            tokio::spawn(async move { polled(times.max(1), client.connect(url)).await })
        })
        .collect();
    for (index, attempt) in (1..).zip(attempts) {
        match soon(attempt).await.unwrap() {
            Some(ws) => converse(ws.unwrap()).await,
            None => assert_ne!(index % 4, 0),
        }
    }
    server.streams.falls_to(0).await;
    server.connections.falls_to(1).await;
    converse(soon(client.connect(&url)).await.unwrap()).await;
    drop(client);
    server.connections.falls_to(0).await;
}

/// A stream of the caller's goes with the attempt.
#[tokio::test]
async fn over_a_stream_of_the_caller_s() {
    for times in 1.. {
        let (near, far) = duplex(64 << 10);
        let server = tokio::spawn(http2(far, taking(), echo));
        let attempt = h2_only().build().request("ws://example.org/").connect_over(near);
        let result = polled(times, attempt).await;
        let done = result.is_some();
        if let Some(ws) = result {
            converse(ws.unwrap()).await;
        }
        soon(server).await.unwrap();
        if done {
            assert!(times > 2, "{times}");
            return;
        }
    }
}

/// What waits to be opened is small, and what is open too.
#[tokio::test]
async fn futures_are_small() {
    let client = h2_only().build();
    let size = size_of_val(&client.connect("ws://127.0.0.1:1"));
    assert!(size < 2048, "{size}");
    let (near, _far) = duplex(1);
    let size = size_of_val(&client.request("ws://127.0.0.1:1").connect_over(near));
    assert!(size < 2048, "{size}");
    assert!(size_of::<WebSocket>() <= 32);
}
