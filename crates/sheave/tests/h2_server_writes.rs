//! How often the server writes: what many WebSockets of a connection send at once leaves at once.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use sheave::tls::DevCertificate;
use sheave::{Error, Message, Request, Server};
use support::frames::{Frames, Seen, data_frame, unmasked};
use support::http2::{Http2, Socket};
use support::raw::{self, TEXT};
use support::soon;
use support::stream::Counted;
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const SOCKETS: usize = 32;
const ROUNDS: usize = 50;

/// Echoes: whole with a flush each, whole by and by, in halves, in halves that are in two tasks.
async fn echo(request: Request) -> Result<(), Error> {
    let path = request.path().to_owned();
    let mut ws = request.accept().await?;
    match &path[..] {
        "/send" => {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
        }
        "/feed" => {
            while let Some(message) = ws.recv().await? {
                ws.feed(message).await?;
            }
        }
        "/halves" => {
            let (mut sender, mut receiver) = ws.split();
            while let Some(message) = receiver.recv().await? {
                sender.send(message).await?;
            }
        }
        _ => {
            let (mut sender, mut receiver) = ws.split();
            let (queue, mut queued) = tokio::sync::mpsc::channel::<Message>(8);
            let sending = tokio::spawn(async move {
                while let Some(message) = queued.recv().await {
                    sender.send(message).await?;
                }
                Ok::<_, Error>(())
            });
            while let Some(message) = receiver.recv().await? {
                queue.send(message).await.map_err(Error::other)?;
            }
            drop(queue);
            sending.await.map_err(Error::other)??;
        }
    }
    Ok(())
}

const WAYS: [&str; 4] = ["/send", "/feed", "/halves", "/tasks"];

/// A server that counts its writes.
async fn counted<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    server: Server,
    io: S,
) -> (Arc<AtomicUsize>, JoinHandle<Result<(), Error>>) {
    let (io, writes) = Counted::new(io);
    (writes, tokio::spawn(async move { server.serve_connection(io, echo).await }))
}

fn per_message(writes: &AtomicUsize, messages: usize) -> f64 {
    writes.swap(0, Ordering::Relaxed) as f64 / messages as f64
}

/// All that one read brought is answered by one write, and nobody waits for a timer for that.
#[tokio::test(start_paused = true)]
async fn in_lockstep() {
    let begun = Instant::now();
    for way in WAYS {
        let (near, far) = duplex(64 << 10);
        let (writes, task) = counted(Server::detached().build().await.unwrap(), far).await;
        let mut client = Frames::begin(near).await;
        let mut round = BytesMut::new();
        for index in 0..SOCKETS as u32 {
            let stream = 2 * index + 1;
            let mut fields = support::frames::CONNECT;
            fields[4].1 = way;
            client.request(stream, &fields, false).await;
            client.is_opened(stream).await;
            round.extend_from_slice(&data_frame(stream, &raw::frame(TEXT, b"hello"), false));
        }
        per_message(&writes, 1);
        for _ in 0..ROUNDS {
            client.send(&round).await;
            let mut answered = 0;
            while answered < SOCKETS {
                let Seen::Data { data, .. } = client.see().await else { panic!() };
                assert_eq!(data, unmasked(TEXT, b"hello"));
                answered += 1;
            }
        }
        let each = per_message(&writes, SOCKETS * ROUNDS);
        println!("{way}: {each:.3} writes per message");
        assert!(each < 0.1, "{way}: {each}");
        drop(client);
        assert!(soon(task).await.unwrap().is_err());
    }
    assert_eq!(begun.elapsed(), std::time::Duration::ZERO);
}

async fn open(client: &mut Http2, way: &str) -> Vec<Socket> {
    let mut open = Vec::new();
    for _ in 0..SOCKETS {
        open.push(client.open_at(way).await);
    }
    open
}

/// Each in a task of its own, with all starting each round together.
async fn rounds(sockets: Vec<Socket>) -> Vec<Socket> {
    let barrier = Arc::new(Barrier::new(SOCKETS));
    let mut tasks = Vec::new();
    for mut ws in sockets {
        let barrier = Arc::clone(&barrier);
        tasks.push(tokio::spawn(async move {
            for _ in 0..ROUNDS {
                ws.send("hello").await.unwrap();
                assert_eq!(ws.recv().await.unwrap(), Some("hello".into()));
                barrier.wait().await;
            }
            ws
        }));
    }
    let mut sockets = Vec::new();
    for task in tasks {
        sockets.push(soon(task).await.unwrap());
    }
    sockets
}

/// The same over TCP and TLS, with a client whose sockets know nothing of each other.
#[tokio::test]
async fn over_tcp_and_tls() {
    let dev = DevCertificate::generate(&["localhost"]).unwrap();
    for with_tls in [false, true] {
        for way in WAYS {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (far, _) = listener.accept().await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let mut builder = Server::detached();
            if with_tls {
                builder = builder.tls(dev.server_config_builder().build().unwrap());
            }
            let (writes, _task) = counted(builder.build().await.unwrap(), far).await;
            let mut client = match with_tls {
                true => {
                    let tls = dev.client_config_builder().build().unwrap().with_alpn(&[b"h2"]);
                    Http2::over(soon(tls.connect("localhost", near)).await.unwrap())
                }
                false => Http2::over(near),
            };
            let sockets = open(&mut client, way).await;
            per_message(&writes, 1);
            let _open = soon(rounds(sockets)).await;
            let each = per_message(&writes, SOCKETS * ROUNDS);
            println!("{way}, TLS {with_tls}: {each:.3} writes per message");
            assert!(each < 0.1, "{way}, {with_tls}: {each}");
        }
    }
}
