//! Ten thousand WebSockets on ten connections, in one process, and what is left of them.

mod support;

use std::alloc::System;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sheave::{Client, CloseCode, ConnectionId, Error, Request, Versions, WebSocket};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{Running, soon, start};
use tokio::time::sleep;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SOCKETS: usize = 10_000;
const CONNECTIONS: usize = 10;
/// Echoes; whoever sends nothing is sent more than it reads.
async fn echo(request: Request, open: Arc<AtomicUsize>) -> Result<(), Error> {
    let mut ws = request.accept().await?;
    let _counted = Counted::new(open);
    while let Some(message) = ws.recv().await? {
        match message.len() {
            0 => loop {
                ws.send(vec![0; 16 << 10]).await?;
            },
            _ => ws.feed(message).await?,
        }
    }
    Ok(())
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self(open)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

async fn open(client: &Client, server: &Running, number: usize) -> Vec<WebSocket> {
    let mut sockets = Vec::new();
    for _ in 0..number {
        sockets.push(soon(client.connect(server.url("/"))).await.unwrap());
    }
    sockets
}

/// All send, and then all have it back.
async fn exchange(sockets: &mut [WebSocket]) {
    for (i, ws) in sockets.iter_mut().enumerate() {
        soon(ws.send(format!("socket {i}"))).await.unwrap();
    }
    for (i, ws) in sockets.iter_mut().enumerate() {
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(format!("socket {i}").into()));
    }
}

async fn close(mut sockets: Vec<WebSocket>) {
    for ws in &mut sockets {
        ws.start_close(CloseCode::NORMAL);
        soon(ws.flush()).await.unwrap();
    }
    for ws in &mut sockets {
        assert_eq!(soon(ws.recv()).await.unwrap(), None);
    }
}

/// How many sockets each connection has.
fn connections(sockets: &[WebSocket]) -> HashMap<ConnectionId, usize> {
    let mut connections = HashMap::new();
    for ws in sockets {
        *connections.entry(ws.connection_id()).or_default() += 1;
    }
    connections
}

async fn settle(open: &AtomicUsize, expected: usize) {
    let settled = async {
        while open.load(Ordering::SeqCst) != expected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    soon(settled).await;
}

fn client() -> Client {
    Client::builder().versions(Versions::Http2Only).build()
}

/// Opens all, and has them used, lost, opened anew and closed.
async fn live(server: &Running, counter: &AtomicUsize) {
    let client = client();
    let mut sockets = open(&client, server, SOCKETS).await;
    let per_connection: Vec<usize> = connections(&sockets).into_values().collect();
    assert_eq!(per_connection, [SOCKETS / CONNECTIONS; CONNECTIONS]);
    assert!(sockets.iter().all(|ws| ws.version() == http::Version::HTTP_2));
    exchange(&mut sockets).await;

    // One in a hundred of every connection.
    let mut deaf = Vec::new();
    for i in (0..SOCKETS / 100).rev() {
        deaf.push(sockets.swap_remove(i * 100));
    }
    for ws in &mut deaf {
        soon(ws.send("")).await.unwrap();
    }
    for _ in 0..3 {
        exchange(&mut sockets).await;
    }

    drop(sockets.drain(..SOCKETS / 10));
    settle(counter, SOCKETS - SOCKETS / 10).await;
    sockets.extend(open(&client, server, SOCKETS / 10).await);
    assert_eq!(connections(&sockets).len(), CONNECTIONS);
    exchange(&mut sockets).await;

    close(sockets).await;
    drop(deaf);
    settle(counter, 0).await;
}

#[tokio::test]
async fn ten_thousand_sockets_on_ten_connections() {
    let counter = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&counter);
    let server = start(|server| server, move |request| echo(request, Arc::clone(&count))).await;
    // What the first ones bring for good: buffers that threads keep, and the like.
    live(&server, &counter).await;
    let start = settled_below(usize::MAX).await;
    live(&server, &counter).await;
    settled_below(start + start / 10).await;
    server.stop().await;
}

/// Waits until no more is held, since connections end a moment after the last of their streams has; and how much that is.
async fn settled_below(most: usize) -> usize {
    let settled = async {
        // Until nothing goes any more.
        let mut before = usize::MAX;
        while held() < before || held() > most {
            before = held();
            sleep(Duration::from_millis(1500)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(60), settled).await;
    assert!(settled.is_ok(), "{} bytes are held, {most} at most were to be", held());
    held()
}
