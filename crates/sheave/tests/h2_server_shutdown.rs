//! The graceful shutdown of connections of HTTP/2: GOAWAY, a Close for every WebSocket, answers for the rest, a deadline.

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use sheave::h2::ErrorCode;
use sheave::{CloseCode, Error, Request, ServerBuilder, WebSocket, ws};
use support::frames::{CONNECT, Frames, GET, Seen, last, some, unmasked};
use support::http2::{Http2, Socket};
use support::raw::{self, CLOSE, TEXT, close};
use support::{mirror, soon, start};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Barrier, Notify};

/// So long that whoever waits for it hangs.
const NEVER: Duration = Duration::from_secs(3600);
/// The last stream, before it is known which that is.
const ANY: u32 = (1 << 31) - 1;

fn patient(builder: ServerBuilder) -> ServerBuilder {
    builder.shutdown_timeout(NEVER).handshake_timeout(NEVER)
}

async fn going_away(mut ws: Socket) {
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
}

async fn echo_in_halves(ws: WebSocket) -> Result<(), Error> {
    let (mut sender, mut receiver) = ws.split();
    while let Some(message) = receiver.recv().await? {
        // It may be closed.
        let _ = sender.send(message).await;
    }
    Ok(())
}

/// Echoes: whole, in halves, or in another task.
async fn anyhow(request: Request) -> Result<(), Error> {
    let path = request.path().to_owned();
    let mut ws = request.accept().await?;
    match &path[..] {
        "/halves" => echo_in_halves(ws).await,
        "/moved" => {
            tokio::spawn(async move {
                while let Ok(Some(message)) = ws.recv().await {
                    let _ = ws.send(message).await;
                }
            });
            Ok(())
        }
        "/moved-halves" => {
            tokio::spawn(echo_in_halves(ws));
            Ok(())
        }
        _ => {
            while let Some(message) = ws.recv().await? {
                let _ = ws.send(message).await;
            }
            Ok(())
        }
    }
}

const WAYS: [&str; 4] = ["/whole", "/halves", "/moved", "/moved-halves"];

async fn open(client: &mut Frames<TcpStream>, stream: u32, path: &str) {
    let mut fields = CONNECT;
    fields[4].1 = path;
    client.request(stream, &fields, false).await;
    client.is_opened(stream).await;
}

/// What is said, frame by frame.
#[tokio::test]
async fn on_the_wire() {
    let mut server = start(patient, anyhow).await;
    let mut client = Frames::dial(server.address).await;
    client.answers_pings = false;
    for (stream, way) in (1..).step_by(2).zip(WAYS) {
        open(&mut client, stream, way).await;
        // What was moved is in its place by then.
        client.frame(stream, TEXT, b"hello").await;
        assert_eq!(client.take(stream, 7).await, unmasked(TEXT, b"hello"));
    }
    server.shut_down();
    let mut closed = Vec::new();
    let (mut ping, mut goaway) = (None, None);
    while closed.len() < WAYS.len() || ping.is_none() || goaway.is_none() {
        match client.next().await.unwrap() {
            Seen::GoAway(stream, code) => goaway = Some((stream, code)),
            Seen::Ping(payload) => ping = Some(payload),
            Seen::Data { stream, data, end: false } => {
                assert_eq!(data, unmasked(CLOSE, &close(1001)));
                closed.push(stream);
            }
            Seen::Credit(..) => {}
            seen => panic!("{seen:?}"),
        }
    }
    assert_eq!(goaway, Some((ANY, ErrorCode::NO_ERROR)));
    closed.sort_unstable();
    assert_eq!(closed, [1, 3, 5, 7]);
    // What is on its way then is served: an ordinary request, and a WebSocket, which is closed at once.
    client.request(9, &GET, true).await;
    assert_eq!(client.answer(9).await.0, 400);
    open(&mut client, 11, "/whole").await;
    assert_eq!(client.see().await, some(11, &unmasked(CLOSE, &close(1001))));
    // The client knows, and nothing more is taken.
    let mut pong = bytes::BytesMut::new();
    sheave::h2::frame::Ping { ack: true, payload: ping.unwrap() }.write(&mut pong);
    client.send(pong).await;
    assert_eq!(client.see().await, Seen::GoAway(11, ErrorCode::NO_ERROR));
    client.request(13, &GET, true).await;
    for stream in [1, 3, 5, 7, 11] {
        client.frame(stream, TEXT, b"on its way").await;
        client.data(stream, raw::frame(CLOSE, &close(1001)), true).await;
        assert_eq!(client.see().await, last(stream, b""));
    }
    assert_eq!(client.try_see().await, None);
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn open_websockets_are_closed() {
    let mut server = start(patient, anyhow).await;
    let mut clients = Vec::new();
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = Http2::dial(server.address).await;
        for way in WAYS.repeat(10) {
            let mut ws = client.open_at(way).await;
            soon(ws.send("hello")).await.unwrap();
            assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
            open.push(tokio::spawn(going_away(ws)));
        }
        clients.push(client);
    }
    server.shut_down();
    for ws in open {
        soon(ws).await.unwrap();
    }
    // The connections end though the clients would go on with them.
    for client in clients {
        soon(client.task).await.unwrap().unwrap();
    }
    server.stop().await;
}

/// A connection without a stream ends at once.
#[tokio::test]
async fn idle_connections_end() {
    let mut server = start(patient, mirror).await;
    let fresh = Http2::dial(server.address).await;
    let mut used = Http2::dial(server.address).await;
    used.get("/").await;
    let mut ws = used.open().await;
    soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    drop(ws);
    server.shut_down();
    soon(fresh.task).await.unwrap().unwrap();
    soon(used.task).await.unwrap().unwrap();
    server.stop().await;
}

/// Requests under way are answered, whatever they then want; new connections are refused.
#[tokio::test]
async fn requests_under_way_are_answered() {
    let (begun, go) = (Arc::new(Barrier::new(3)), Arc::new(Notify::new()));
    let (their_begun, their_go) = (Arc::clone(&begun), Arc::clone(&go));
    let mut server = start(patient, move |request: Request| {
        let (begun, go) = (Arc::clone(&their_begun), Arc::clone(&their_go));
        async move {
            begun.wait().await;
            go.notified().await;
            match request.is_websocket() {
                true => support::echo(request).await,
                false => request.respond(Response::new("after all")).await,
            }
        }
    })
    .await;
    let mut client = Frames::dial(server.address).await;
    client.request(1, &GET, true).await;
    client.connect(3, &[]).await;
    soon(begun.wait()).await;
    server.shut_down();
    assert_eq!(client.see().await, Seen::GoAway(ANY, ErrorCode::NO_ERROR));
    assert_eq!(client.see().await, Seen::GoAway(3, ErrorCode::NO_ERROR));
    soon(async {
        while let Ok(stream) = TcpStream::connect(server.address).await {
            drop(stream);
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!server.task.is_finished());
    go.notify_one();
    go.notify_one();
    let (mut answered, mut opened, mut closed) = (false, false, false);
    while !(answered && closed) {
        match client.see().await {
            Seen::Headers { stream: 1, status: 200, .. } => {}
            Seen::Data { stream: 1, data, end: true } => answered = &data[..] == b"after all",
            Seen::Headers { stream: 3, status: 200, end: false, .. } => opened = true,
            Seen::Data { stream: 3, data, .. } => closed = data == unmasked(CLOSE, &close(1001)),
            seen => panic!("{seen:?}"),
        }
        go.notify_one();
    }
    assert!(opened);
    client.data(3, raw::frame(CLOSE, &close(1001)), true).await;
    assert_eq!(client.see().await, last(3, b""));
    assert_eq!(client.try_see().await, None);
    drop(client);
    server.stop().await;
}

/// At the deadline what handlers hold is reset, and the connection cut; what is elsewhere is cut with it.
#[tokio::test]
async fn who_ignores_it_is_cut() {
    let (errors, mut told) = unbounded_channel();
    let configure = |builder: ServerBuilder| builder.shutdown_timeout(Duration::from_millis(200));
    let mut server = start(configure, move |request: Request| {
        let errors = errors.clone();
        async move {
            match request.path() {
                // Both are never looked at again.
                "/chat" => {
                    let _ws = request.accept().await?;
                    std::future::pending().await
                }
                "/page" => std::future::pending().await,
                _ => {
                    let mut ws = request.accept().await?;
                    tokio::spawn(async move {
                        // Closed by the shutdown, and unanswered by the client.
                        errors.send(ws.recv().await).unwrap();
                        let failed = ws.send("too late").await;
                        errors.send(failed.map(|()| None)).unwrap();
                    });
                    Ok(())
                }
            }
        }
    })
    .await;
    let mut client = Frames::dial(server.address).await;
    client.open(1).await;
    client.request(3, &GET, true).await;
    open(&mut client, 5, "/moved").await;
    let mut other = Frames::dial(server.address).await;
    other.request(1, &GET, true).await;
    server.shut_down();
    let mut seen = client.until_gone().await;
    seen.retain(|frame| !matches!(frame, Seen::Ping(_) | Seen::SettingsAck | Seen::Credit(..)));
    assert_eq!(seen.remove(0), Seen::GoAway(ANY, ErrorCode::NO_ERROR));
    for reset in [Seen::Reset(1, ErrorCode::CANCEL), Seen::Reset(3, ErrorCode::CANCEL)] {
        assert!(seen.contains(&reset), "{seen:?}");
    }
    assert!(seen.contains(&some(5, &unmasked(CLOSE, &close(1001)))), "{seen:?}");
    assert!(other.until_gone().await.contains(&Seen::Reset(1, ErrorCode::CANCEL)));
    server.stop().await;
    let error = soon(told.recv()).await.unwrap().unwrap_err();
    assert!(sheave::stream_error(&error).is_some() || matches!(error, ws::Error::Disconnected), "{error:?}");
    assert!(soon(told.recv()).await.unwrap().is_err());
}

/// A peer that does not answer the Close has its close timeout, and then the connection ends.
#[tokio::test]
async fn a_peer_that_does_not_close() {
    let config = sheave::Config::default().close_timeout(Duration::from_millis(100));
    let mut server = start(|builder| patient(builder).config(config), mirror).await;
    let mut client = Frames::dial(server.address).await;
    client.open(1).await;
    server.shut_down();
    let mut seen = Vec::new();
    while let Some(frame) = client.try_see().await {
        seen.push(frame);
    }
    assert!(seen.contains(&some(1, &unmasked(CLOSE, &close(1001)))), "{seen:?}");
    assert_eq!(seen.last(), Some(&Seen::Reset(1, ErrorCode::CANCEL)));
    drop(client);
    server.stop().await;
}

/// A handler that only sends learns of it by its next send.
#[tokio::test]
async fn a_handler_that_only_sends() {
    let mut server = start(patient, |request: Request| async move {
        let mut ws = request.accept().await?;
        loop {
            match ws.send("tick").await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(ws::Error::Closed) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    })
    .await;
    let mut client = Http2::dial(server.address).await;
    let mut ws = client.open().await;
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("tick".into()));
    server.shut_down();
    while soon(ws.recv()).await.unwrap().is_some() {}
    assert_eq!(ws.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
    drop((ws, client));
    server.stop().await;
}

#[tokio::test]
async fn dropping_the_server_cuts_everything() {
    let (errors, mut told) = unbounded_channel();
    let server = start(
        |builder| builder,
        move |request: Request| {
            let errors = errors.clone();
            async move {
                let mut ws = request.accept().await?;
                tokio::spawn(async move { errors.send(ws.recv().await).unwrap() });
                Ok(())
            }
        },
    )
    .await;
    let mut client = Frames::dial(server.address).await;
    client.open(1).await;
    server.task.abort();
    client.until_gone().await;
    let error = soon(told.recv()).await.unwrap().unwrap_err();
    assert!(sheave::stream_error(&error).is_some() || matches!(error, ws::Error::Disconnected), "{error:?}");
    assert!(TcpStream::connect(server.address).await.is_err());
}

/// Whenever it comes, nobody misses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_moment() {
    for round in 0..100_u32 {
        let mut server = start(patient, mirror).await;
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let address = server.address;
                tokio::spawn(async move {
                    let Ok(tcp) = TcpStream::connect(address).await else { return };
                    let mut client = Http2::over(tcp);
                    let mut open = Vec::new();
                    for path in WAYS {
                        let Some(mut ws) = client.try_open(path).await else { continue };
                        open.push(tokio::spawn(async move { while let Ok(Some(_)) = ws.recv().await {} }));
                    }
                    for ws in open {
                        ws.await.unwrap();
                    }
                    let _ = client.task.await.unwrap();
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(u64::from(round * 37 % 1500))).await;
        server.shut_down();
        server.stop().await;
        for client in clients {
            soon(client).await.unwrap();
        }
    }
}
