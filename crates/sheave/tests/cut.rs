//! What is cut when a server is gone: every connection, whoever holds it and whatever he does with it.

mod support;

use std::time::Duration;

use sheave::{Client, Error, Request, Server, ServerBuilder, WebSocket};
use support::{certificate, soon, spawn, start};
use tokio::sync::mpsc;

/// Nothing but the end of the shutdown's time ends a connection.
fn patient(builder: ServerBuilder) -> ServerBuilder {
    let config = sheave::Config::default().close_timeout(Duration::from_secs(3600));
    builder.config(config).shutdown_timeout(Duration::from_millis(100))
}

/// By its path: a handler that leaves its WebSocket, or a half of it, or its request, to another task. What
/// that task is told of the end goes to `told`.
async fn leave(request: Request, told: mpsc::UnboundedSender<&'static str>) -> Result<(), Error> {
    let path = request.path().to_owned();
    if path == "/asked" {
        tokio::spawn(async move {
            let _request = request;
            std::future::pending::<()>().await;
        });
        return Ok(());
    }
    let mut ws = request.accept().await?;
    ws.send("hello").await?;
    match &path[..] {
        // Nobody looks at it again.
        "/held" => drop(tokio::spawn(async move {
            let _ws = ws;
            std::future::pending::<()>().await;
        })),
        // The sender alone, which nobody tells of the Close.
        "/sending" | "/panicking" => {
            let (mut sender, receiver) = ws.split();
            tokio::spawn(async move {
                while sender.send("tick").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                told.send("sending").unwrap();
            });
            drop(receiver);
            assert!(path != "/panicking", "as asked");
        }
        // Waits for a peer that does not answer the Close; its close timeout is far away.
        "/receiving" => drop(tokio::spawn(async move {
            while let Ok(Some(_)) = ws.recv().await {}
            told.send("receiving").unwrap();
        })),
        "/receiving-half" => drop(tokio::spawn(async move {
            let (_sender, mut receiver) = ws.split();
            while let Ok(Some(_)) = receiver.recv().await {}
            told.send("receiving").unwrap();
        })),
        _ => unreachable!(),
    }
    Ok(())
}

const PATHS: [(&str, Option<&str>); 5] = [
    ("/held", None),
    ("/sending", Some("sending")),
    ("/panicking", Some("sending")),
    ("/receiving", Some("receiving")),
    ("/receiving-half", Some("receiving")),
];

async fn until_gone(mut ws: WebSocket) {
    while let Ok(Some(_)) = soon(ws.recv()).await {}
}

/// A client that leaves the server's Close unanswered, since it does not receive.
async fn greeted(client: &Client, url: String) -> WebSocket {
    let mut ws = soon(client.connect(url)).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
    ws
}

#[tokio::test]
async fn a_websocket_that_left_its_handler_outlived_the_shutdown() {
    let (tls, client) = certificate();
    for (tls, scheme) in [(None, "ws"), (Some(tls), "wss")] {
        for (path, expected) in PATHS {
            let (told, mut tells) = mpsc::unbounded_channel();
            let configure = |builder: ServerBuilder| match tls.clone() {
                Some(tls) => patient(builder).tls(tls),
                None => patient(builder),
            };
            let server = start(configure, move |request| leave(request, told.clone())).await;
            let ws = greeted(&client, format!("{scheme}://{}{path}", server.address)).await;
            server.stop().await;
            until_gone(ws).await;
            assert_eq!(soon(tells.recv()).await, expected, "{scheme} {path}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_websocket_that_left_its_handler_outlived_the_shutdown_over_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("sheave-cut-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (index, (path, expected)) in PATHS.into_iter().enumerate() {
        let (told, mut tells) = mpsc::unbounded_channel();
        let socket = folder.join(index.to_string());
        let server = patient(Server::bind_unix(&socket)).build().await.unwrap();
        let (stop, task) = spawn(server, move |request| leave(request, told.clone()));
        let request = Client::default().request(format!("ws://localhost{path}")).unix_socket(&socket);
        let mut ws = soon(request.connect()).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
        stop.send(()).unwrap();
        soon(task).await.unwrap().unwrap();
        until_gone(ws).await;
        assert_eq!(soon(tells.recv()).await, expected, "{path}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_request_that_left_its_handler_outlived_the_shutdown() {
    let (told, _tells) = mpsc::unbounded_channel();
    let server = start(patient, move |request| leave(request, told.clone())).await;
    let mut client = server.raw().await;
    client.send("GET /asked HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // Until the handler has it, the shutdown ends the connection in order.
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.stop().await;
    assert!(client.until_gone().await.is_empty());
}

/// Without a shutdown, too.
#[tokio::test]
async fn a_websocket_that_left_its_handler_outlived_the_server() {
    for (path, expected) in PATHS {
        let (told, mut tells) = mpsc::unbounded_channel();
        let server = start(patient, move |request| leave(request, told.clone())).await;
        let ws = greeted(&Client::default(), server.url(path)).await;
        server.task.abort();
        until_gone(ws).await;
        assert_eq!(soon(tells.recv()).await, expected, "{path}");
    }
}

/// Both halves dropped while their handler goes on: what the server could cut is not what keeps it open.
#[tokio::test]
async fn a_dropped_websocket_is_not_kept_to_be_cut() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let mut ws = request.accept().await?;
            ws.send("hello").await?;
            drop(ws.split());
            std::future::pending().await
        },
    )
    .await;
    until_gone(greeted(&Client::default(), server.url("/")).await).await;
    server.task.abort();
}
