//! How connections end: whoever ends them, in whatever way, the other side learns of it in order.

mod support;

use std::sync::Arc;
use std::time::Duration;

use sheave::{CloseCode, Config, Error, Request, Server, ws};
use support::raw::{self, Raw, upgrade};
use support::{certificate, detached, echo, mirror, soon, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// By its path: a handler that leaves its WebSocket open.
async fn leave(request: Request) -> Result<(), Error> {
    let path = request.path().to_owned();
    let mut ws = request.accept().await?;
    ws.send("the last word").await?;
    match &path[..] {
        "/ok" => Ok(()),
        "/error" => Err(Error::other("as asked")),
        "/panic" => panic!("as asked"),
        "/echo" => {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        }
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn the_handlers_end_says_the_code() {
    let (tls, client) = certificate();
    let plain = start(|builder| builder, leave).await;
    let secure = start(|builder| builder.tls(tls), leave).await;
    for url in [plain.url(""), format!("wss://{}", secure.address)] {
        for (path, code) in [
            ("/ok", CloseCode::NORMAL),
            ("/error", CloseCode::INTERNAL_ERROR),
            ("/panic", CloseCode::INTERNAL_ERROR),
        ] {
            let mut ws = soon(client.connect(format!("{url}{path}"))).await.unwrap();
            assert_eq!(soon(ws.recv()).await.unwrap(), Some("the last word".into()), "{path}");
            assert_eq!(soon(ws.recv()).await.unwrap(), None, "{path}");
            let close = ws.peer_close().unwrap();
            assert_eq!((close.code(), close.reason()), (code, ""), "{path}");
        }
    }
    plain.stop().await;
    secure.stop().await;
}

/// Much that the server has not read when it closes does not turn its end into a reset, which would take
/// the last word with it.
#[tokio::test]
async fn the_end_is_no_reset() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let mut ws = request.accept().await?;
            Ok(ws.send("the last word").await?)
        },
    )
    .await;
    let mut client = server.raw().await;
    let mut bytes = upgrade("").into_bytes();
    for _ in 0..20 {
        bytes.extend_from_slice(&raw::frame(raw::BINARY, &[0; 60_000]));
    }
    client.send(bytes).await;
    assert_eq!(client.reply().await.status, 101);
    assert_eq!(client.frame().await, (raw::TEXT, b"the last word".to_vec()));
    assert_eq!(client.frame().await, (raw::CLOSE, raw::close(1000)));
    client.send(raw::frame(raw::BINARY, &[0; 60_000])).await;
    client.send(raw::frame(raw::CLOSE, &raw::close(1000))).await;
    assert!(client.rest().await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_panic_hurts_its_own_socket_only() {
    let server = start(|builder| builder, leave).await;
    let mut other = soon(sheave::connect(server.url("/echo"))).await.unwrap();
    assert_eq!(soon(other.recv()).await.unwrap(), Some("the last word".into()));
    for _ in 0..10 {
        let mut ws = soon(sheave::connect(server.url("/panic"))).await.unwrap();
        while soon(ws.recv()).await.unwrap().is_some() {}
        soon(other.send("still there?")).await.unwrap();
        assert_eq!(soon(other.recv()).await.unwrap(), Some("still there?".into()));
    }
    soon(other.close(CloseCode::NORMAL)).await.unwrap();
    server.stop().await;
}

/// A client that goes without a word: the handler learns of it, and what it then returns is of no matter.
#[tokio::test]
async fn a_client_that_vanishes() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let (tls, client) = certificate();
    for tls in [None, Some(tls)] {
        let ended = ended.clone();
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let configure = |builder: sheave::ServerBuilder| match tls {
            Some(tls) => builder.tls(tls),
            None => builder,
        };
        let server = start(configure, move |request: Request| {
            let ended = ended.clone();
            async move {
                let mut ws = request.accept().await?;
                let result = loop {
                    match ws.recv().await {
                        Ok(Some(_)) => {}
                        other => break other,
                    }
                };
                // Nothing more comes of it.
                assert!(ws.recv().await.is_ok_and(|message| message.is_none()));
                ended.send(result.map(drop)).unwrap();
                Ok(())
            }
        })
        .await;
        let mut ws = soon(client.connect(format!("{scheme}://{}", server.address))).await.unwrap();
        soon(ws.send("one")).await.unwrap();
        drop(ws);
        let result = soon(ends.recv()).await.unwrap();
        assert!(matches!(result, Err(ws::Error::Disconnected | ws::Error::Io(_))), "{result:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_closes() {
    let server = start(|builder| builder, echo).await;
    let mut client = server.raw().await;
    assert_eq!(client.ask(upgrade("")).await.status, 101);
    let payload = [&raw::close(4321)[..], b"because"].concat();
    client.send(raw::frame(raw::CLOSE, &payload)).await;
    let (opcode, answer) = client.frame().await;
    assert_eq!((opcode, &answer[..2]), (raw::CLOSE, &raw::close(4321)[..]));
    // RFC 6455 §7.1.1: the server is the one to end the connection.
    assert!(client.rest().await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol() {
    let (near, task) = detached(|builder| builder, echo).await;
    let mut client = Raw::new(near);
    assert_eq!(client.ask(upgrade("")).await.status, 101);
    client.send([0x81, 0x00]).await;
    let (opcode, payload) = client.frame().await;
    assert_eq!((opcode, &payload[..2]), (raw::CLOSE, &raw::close(1002)[..]));
    client.io.shutdown().await.unwrap();
    assert!(client.rest().await.is_empty());
    let result = soon(task).await.unwrap();
    assert!(matches!(result, Err(Error::WebSocket(ws::Error::Protocol(_)))), "{result:?}");
}

/// The close timeout is the most that a client can hold what it should let go.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_close() {
    let begun = tokio::time::Instant::now();
    let config = Config::default().close_timeout(Duration::from_secs(3));
    let (near, task) = detached(
        |builder| builder.config(config),
        |request: Request| async move { request.accept().await.map(drop) },
    )
    .await;
    let mut client = Raw::new(near);
    assert_eq!(client.ask(upgrade("")).await.status, 101);
    assert_eq!(client.frame().await, (raw::CLOSE, raw::close(1000)));
    assert!(client.rest().await.is_empty());
    let result = soon(task).await.unwrap();
    assert!(matches!(result, Err(Error::WebSocket(ws::Error::Timeout(ws::Timeout::Close)))), "{result:?}");
    assert_eq!(begun.elapsed().as_secs(), 3);
}

/// Nor can it by sending without a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_close_and_floods() {
    let config = Config::default().close_timeout(Duration::from_millis(300));
    let server = Server::detached().config(config).build().await.unwrap();
    // Eight of these bytes are a message: binary, two bytes long, masked.
    let flood = std::io::Cursor::new(upgrade("")).chain(tokio::io::repeat(0x82));
    let flood = tokio::io::join(flood, tokio::io::sink());
    let task = tokio::spawn(async move {
        let accept = |request: Request| async move { request.accept().await.map(drop) };
        server.serve_connection(flood, accept).await
    });
    let result = soon(task).await.unwrap();
    assert!(matches!(result, Err(Error::WebSocket(ws::Error::Timeout(ws::Timeout::Close)))), "{result:?}");
}

/// Taken to another task it lives on, and its end is the caller's.
#[tokio::test]
async fn a_websocket_in_another_task() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let mut ws = request.accept().await?;
            tokio::spawn(async move {
                while let Ok(Some(message)) = ws.recv().await {
                    ws.send(message).await.unwrap();
                }
            });
            Ok(())
        },
    )
    .await;
    let mut ws = server.connect().await;
    for _ in 0..3 {
        tokio::task::yield_now().await;
        soon(ws.send("hello")).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
    }
    soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    server.stop().await;
}

/// A request may be answered from another task, too; the connection's own does not wait for it.
#[tokio::test]
async fn a_request_in_another_task() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            tokio::spawn(support::path(request));
            Ok(())
        },
    )
    .await;
    let mut client = server.raw().await;
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let bytes = client.until_gone().await;
    assert!(String::from_utf8(bytes).unwrap().ends_with("/a"));
    server.stop().await;
}

/// Whoever drops the server's future drops the connection.
#[tokio::test]
async fn a_connection_given_up() {
    for bytes in ["", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", &upgrade("")] {
        let (near, task) = detached(|builder| builder, mirror).await;
        let mut client = Raw::new(near);
        client.send(bytes).await;
        tokio::task::yield_now().await;
        task.abort();
        client.until_gone().await;
        assert!(soon(task).await.unwrap_err().is_cancelled());
    }
}

/// What a handler holds is let go when its connection ends, however that happens.
#[tokio::test]
async fn nothing_is_left_behind() {
    let counted = Arc::new(());
    let held = Arc::clone(&counted);
    let server = start(
        |builder| builder,
        move |request: Request| {
            let held = Arc::clone(&held);
            async move {
                let result = mirror(request).await;
                drop(held);
                result
            }
        },
    )
    .await;
    for index in 0..20 {
        let mut client = server.raw().await;
        let bytes = upgrade("");
        client.send(&bytes[..bytes.len() * index / 19]).await;
        if index % 2 == 0 {
            let _ = client.io.shutdown().await;
            client.until_gone().await;
        }
    }
    let mut ws = server.connect().await;
    soon(ws.close(CloseCode::NORMAL)).await.unwrap();
    server.stop().await;
    assert_eq!(Arc::strong_count(&counted), 1);
}
