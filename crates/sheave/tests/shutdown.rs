//! The graceful shutdown: who is told, who is waited for, who is cut.

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use sheave::{CloseCode, Error, Request, WebSocket};
use support::raw::upgrade;
use support::{certificate, echo, mirror, soon, start};
use tokio::sync::{Barrier, Notify};

/// So long that whoever waits for it hangs.
const NEVER: Duration = Duration::from_secs(3600);

async fn going_away(mut ws: WebSocket) {
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
}

async fn echo_in_halves(request: Request) -> Result<(), Error> {
    let (mut sender, mut receiver) = request.accept().await?.split();
    let (messages, mut queue) = tokio::sync::mpsc::channel(8);
    let sending = tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            sender.send(message).await?;
        }
        Ok::<_, Error>(())
    });
    while let Some(message) = receiver.recv().await? {
        let _ = messages.send(message).await;
    }
    drop(messages);
    sending.await.unwrap()
}

#[tokio::test]
async fn open_websockets_are_closed() {
    let (tls, client) = certificate();
    for (tls, scheme) in [(None, "ws"), (Some(tls), "wss")] {
        let configure = |builder: sheave::ServerBuilder| match tls {
            Some(tls) => builder.tls(tls),
            None => builder,
        };
        let mut server = start(
            |builder| configure(builder).shutdown_timeout(NEVER),
            |request: Request| async move {
                match request.path() {
                    "/halves" => echo_in_halves(request).await,
                    _ => echo(request).await,
                }
            },
        )
        .await;
        let mut open = Vec::new();
        for path in ["/whole", "/halves"].repeat(20) {
            let mut ws = soon(client.connect(format!("{scheme}://{}{path}", server.address))).await.unwrap();
            soon(ws.send("hello")).await.unwrap();
            assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
            open.push(tokio::spawn(going_away(ws)));
        }
        server.shut_down();
        for client in open {
            soon(client).await.unwrap();
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn idle_connections_end() {
    let (tls, _) = certificate();
    let patient = |builder: sheave::ServerBuilder| builder.shutdown_timeout(NEVER).handshake_timeout(NEVER);
    let mut server = start(patient, mirror).await;
    let mut silent = server.raw().await;
    let mut idle = server.raw().await;
    assert_eq!(idle.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    server.shut_down();
    assert!(idle.rest().await.is_empty());
    assert!(silent.rest().await.is_empty());
    drop((idle, silent));
    server.stop().await;

    // TLS that has not begun, or not ended.
    let mut server = start(|builder| patient(builder).tls(tls), mirror).await;
    let mut silent = server.raw().await;
    let mut begun = server.raw().await;
    begun.send(b"\x16\x03\x01\x02\x00\x01").await;
    server.shut_down();
    silent.until_gone().await;
    begun.until_gone().await;
    server.stop().await;
}

/// None of these is a request that is under way.
#[tokio::test]
async fn a_head_that_was_not_whole_held_up_the_shutdown() {
    let patient = |builder: sheave::ServerBuilder| builder.shutdown_timeout(NEVER).handshake_timeout(NEVER);
    let mut server = start(patient, mirror).await;
    let asked = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut clients = Vec::new();
    for kept_alive in [false, true] {
        for part in ["", "\r\n", "\r", "G", "GET / HTTP/1.1\r\nHost: a\r\n", &asked[..asked.len() - 1]] {
            let mut client = server.raw().await;
            if kept_alive {
                assert_eq!(client.ask(asked).await.status, 200);
            }
            client.send(part).await;
            clients.push(client);
        }
    }
    server.shut_down();
    // All of them are still there, and none has ended its direction.
    server.stop().await;
    for mut client in clients {
        assert!(client.until_gone().await.is_empty());
    }
}

/// A request that is under way is answered, and told that it was the last.
#[tokio::test]
async fn requests_under_way_are_answered() {
    let (begun, go) = (Arc::new(Barrier::new(2)), Arc::new(Notify::new()));
    let (their_begun, their_go) = (Arc::clone(&begun), Arc::clone(&go));
    let mut server = start(
        |builder| builder.shutdown_timeout(NEVER),
        move |request: Request| {
            let (begun, go) = (Arc::clone(&their_begun), Arc::clone(&their_go));
            async move {
                begun.wait().await;
                go.notified().await;
                request.respond(Response::new("after all")).await
            }
        },
    )
    .await;
    let mut client = server.raw().await;
    // The second comes too late, but must not cost the first its answer.
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2)).await;
    soon(begun.wait()).await;
    server.shut_down();
    // New connections are refused; this is the one thing that takes the accept loop a moment.
    soon(async {
        while let Ok(stream) = tokio::net::TcpStream::connect(server.address).await {
            drop(stream);
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!server.task.is_finished());
    go.notify_one();
    let reply = client.reply().await;
    assert_eq!((&reply.body[..], reply.closes()), ("after all", true));
    assert!(client.rest().await.is_empty());
    drop(client);
    server.stop().await;
}

/// A WebSocket that is accepted while the server goes down is closed at once.
#[tokio::test]
async fn websockets_under_way_are_closed() {
    let (begun, go) = (Arc::new(Barrier::new(2)), Arc::new(Notify::new()));
    let (their_begun, their_go) = (Arc::clone(&begun), Arc::clone(&go));
    let mut server = start(
        |builder| builder.shutdown_timeout(NEVER),
        move |request: Request| {
            let (begun, go) = (Arc::clone(&their_begun), Arc::clone(&their_go));
            async move {
                begun.wait().await;
                go.notified().await;
                echo(request).await
            }
        },
    )
    .await;
    let url = server.url("/");
    let client = tokio::spawn(async move { soon(sheave::connect(url)).await.unwrap() });
    soon(begun.wait()).await;
    server.shut_down();
    tokio::time::sleep(Duration::from_millis(20)).await;
    go.notify_one();
    going_away(soon(client).await.unwrap()).await;
    server.stop().await;
}

/// A handler that only sends learns of it by its next send.
#[tokio::test]
async fn a_handler_that_only_sends() {
    let mut server = start(
        |builder| builder.shutdown_timeout(NEVER),
        |request: Request| async move {
            let mut ws = request.accept().await?;
            loop {
                match ws.send("tick").await {
                    Ok(()) => tokio::time::sleep(Duration::from_millis(1)).await,
                    Err(sheave::ws::Error::Closed) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
        },
    )
    .await;
    let mut ws = server.connect().await;
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("tick".into()));
    server.shut_down();
    while soon(ws.recv()).await.unwrap().is_some() {}
    assert_eq!(ws.peer_close().unwrap().code(), CloseCode::GOING_AWAY);
    server.stop().await;
}

#[tokio::test]
async fn who_ignores_it_is_cut() {
    let configure = |builder: sheave::ServerBuilder| builder.shutdown_timeout(Duration::from_millis(100));
    let mut server = start(configure, |request: Request| async move {
        let _ws = if request.is_websocket() { Some(request.accept().await?) } else { None };
        std::future::pending().await
    })
    .await;
    let mut ws = server.connect().await;
    let mut client = server.raw().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let receiving = tokio::spawn(async move { ws.recv().await });
    server.shut_down();
    server.stop().await;
    client.until_gone().await;
    assert!(soon(receiving).await.unwrap().is_err());
}

/// A peer that does not answer the Close has its close timeout.
#[tokio::test]
async fn a_peer_that_does_not_close() {
    let config = sheave::Config::default().close_timeout(Duration::from_millis(100));
    let mut server = start(|builder| builder.shutdown_timeout(NEVER).config(config), echo).await;
    let mut client = server.raw().await;
    assert_eq!(client.ask(upgrade("")).await.status, 101);
    server.shut_down();
    server.stop().await;
    client.until_gone().await;
}

/// Whenever it comes, nobody misses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_moment() {
    for round in 0..100_u32 {
        let mut server = start(|builder| builder.shutdown_timeout(NEVER), mirror).await;
        let clients: Vec<_> = (0..6)
            .map(|index| {
                let (url, address) = (server.url("/"), server.address);
                tokio::spawn(async move {
                    if index % 2 == 0 {
                        let Ok(mut ws) = sheave::connect(url).await else { return };
                        while let Ok(Some(_)) = ws.recv().await {}
                    } else {
                        let Ok(stream) = tokio::net::TcpStream::connect(address).await else { return };
                        let mut client = support::raw::Raw::new(stream);
                        client.push_only("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
                        client.until_gone().await;
                    }
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

#[tokio::test]
async fn dropping_the_server_cuts_everything() {
    let server = start(|builder| builder, mirror).await;
    let mut ws = server.connect().await;
    let mut client = server.raw().await;
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.task.abort();
    assert!(soon(ws.recv()).await.is_err());
    client.until_gone().await;
    assert!(soon(sheave::connect(server.url("/"))).await.is_err());
}
