//! Client and server together, over every kind of stream.

mod support;

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use sheave::{Client, Error, Message, Request, Server, WebSocket};
use support::stream::Trickle;
use support::{certificate, detached, echo, mirror, soon, spawn, start};
use tokio::io::duplex;

/// Text, binary, empty and fragmented messages, there and back, and an end in order.
async fn converse(mut ws: WebSocket) {
    for message in [Message::from("Grüße"), Message::from(""), Message::from(vec![0_u8, 255, 128])] {
        soon(ws.send(message.clone())).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(message));
    }
    soon(ws.feed_fragment("one, ", false)).await.unwrap();
    soon(ws.feed_fragment("two", true)).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("one, two".into()));
    soon(ws.close(sheave::CloseCode::NORMAL)).await.unwrap();
    assert_eq!(ws.peer_close().unwrap().code(), sheave::CloseCode::NORMAL);
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn tcp() {
    let server = start(|builder| builder, echo).await;
    let ws = server.connect().await;
    assert!(!ws.get_ref().is_encrypted() && ws.get_ref().tls().is_none());
    converse(ws).await;
    server.stop().await;
}

#[tokio::test]
async fn a_host_of_several_addresses() {
    let server = start(|builder| builder, echo).await;
    // May resolve to ::1 first, where nobody listens.
    let url = format!("ws://localhost:{}/", server.address.port());
    converse(soon(sheave::connect(url)).await.unwrap()).await;
    server.stop().await;
}

#[tokio::test]
async fn tls() {
    let (tls, client) = certificate();
    let server = start(
        |builder| builder.tls(tls),
        |request: Request| async move {
            assert!(request.stream().is_encrypted());
            let alpn = request.stream().tls().and_then(sheave::tls::alpn_protocol).map(<[u8]>::to_vec);
            assert_eq!(alpn.as_deref(), Some(&b"http/1.1"[..]));
            echo(request).await
        },
    )
    .await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("wss://{host}:{}/", server.address.port());
        let ws = soon(client.connect(url)).await.unwrap();
        assert!(ws.get_ref().is_encrypted());
        assert_eq!(ws.get_ref().tls().and_then(sheave::tls::alpn_protocol), Some(&b"http/1.1"[..]));
        converse(ws).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn ipv6() {
    let Ok(server) = Server::bind("[::1]:0").build().await else {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    };
    let port = server.local_addr().unwrap().port();
    let (stop, task) = spawn(server, |request: Request| async move {
        assert!(request.peer_addr().unwrap().is_ipv6());
        echo(request).await
    });
    converse(soon(sheave::connect(format!("ws://[::1]:{port}/"))).await.unwrap()).await;
    drop(stop);
    soon(task).await.unwrap().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets() {
    let folder = std::env::temp_dir().join(format!("sheave-unix-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let server = Server::bind_unix(&path).build().await.unwrap();
    assert_eq!(server.local_addr(), None);
    let in_the_way = Server::bind_unix(&path).build().await;
    assert!(matches!(in_the_way, Err(Error::Io(_))), "{in_the_way:?}");
    let (stop, task) = spawn(server, |request: Request| async move {
        assert!(request.peer_addr().is_none() && request.headers()["host"] == "example.org");
        echo(request).await
    });
    let client = Client::default();
    let request = client.request("ws://example.org/").unix_socket(&path);
    converse(soon(request.connect()).await.unwrap()).await;
    let nobody = soon(client.request("ws://example.org/").unix_socket(folder.join("none")).connect()).await;
    assert!(matches!(nobody, Err(Error::Io(_))), "{nobody:?}");
    drop(stop);
    soon(task).await.unwrap().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_with_tls() {
    let folder = std::env::temp_dir().join(format!("sheave-unix-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let (tls, client) = certificate();
    let server = Server::bind_unix(&path).tls(tls).build().await.unwrap();
    let (stop, task) = spawn(server, echo);
    converse(soon(client.request("wss://localhost/").unix_socket(&path).connect()).await.unwrap()).await;
    drop(stop);
    soon(task).await.unwrap().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn own_streams() {
    let (near, task) = detached(
        |builder| builder,
        |request: Request| async move {
            assert_eq!(request.peer_addr(), None);
            echo(request).await
        },
    )
    .await;
    converse(soon(Client::default().request("ws://example.org").connect_over(near)).await.unwrap()).await;
    soon(task).await.unwrap().unwrap();
}

#[tokio::test]
async fn own_streams_with_tls() {
    let (tls, client) = certificate();
    let (near, task) = detached(|builder| builder.tls(tls), echo).await;
    converse(soon(client.request("wss://localhost").connect_over(near)).await.unwrap()).await;
    soon(task).await.unwrap().unwrap();
}

/// Every read and every write is cut everywhere.
#[tokio::test]
async fn one_byte_at_a_time() {
    let (tls, client) = certificate();
    for secure in [false, true] {
        let builder = Server::detached();
        let builder = if secure { builder.tls(tls.clone()) } else { builder };
        let server = builder.build().await.unwrap();
        let (near, far) = duplex(64 << 10);
        let task = tokio::spawn(async move { server.serve_connection(Trickle(far), echo).await });
        let url = if secure { "wss://localhost" } else { "ws://localhost" };
        converse(soon(client.request(url).connect_over(Trickle(near))).await.unwrap()).await;
        soon(task).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_detached_server_does_not_listen() {
    let server = Server::detached().build().await.unwrap();
    assert!(matches!(server.serve(echo).await, Err(Error::Io(_))));
}

#[tokio::test]
async fn a_listener_of_the_callers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::from_listener(listener).build().await.unwrap();
    assert_eq!(server.local_addr(), Some(address));
    let (stop, task) = spawn(server, echo);
    converse(soon(sheave::connect(format!("ws://{address}"))).await.unwrap()).await;
    drop(stop);
    soon(task).await.unwrap().unwrap();
}

/// 16 MiB are more than any buffer on the way, in one frame that is as long as the default lets it be.
#[tokio::test]
async fn large_messages() {
    const SIZE: usize = 16 << 20;
    let (tls, secure) = certificate();
    let plain_server = start(|builder| builder, echo).await;
    let tls_server = start(|builder| builder.tls(tls), echo).await;
    let urls = [plain_server.url("/"), format!("wss://{}/", tls_server.address)];
    let bytes: Vec<u8> = (0..SIZE).map(|index| (index % 251) as u8).collect();
    let message = Message::from(bytes);
    for url in urls {
        let (mut sender, mut receiver) = soon(secure.connect(url)).await.unwrap().split();
        let sent = message.clone();
        let sending = tokio::spawn(async move { sender.send(sent).await.map(|()| sender) });
        // Not compared by assert_eq: nobody wants to see it.
        assert!(soon(receiver.recv()).await.unwrap() == Some(message.clone()));
        soon(async { sending.await.unwrap().unwrap().close(sheave::CloseCode::NORMAL).await }).await.unwrap();
        assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    }
    plain_server.stop().await;
    tls_server.stop().await;
}

/// Both sides split, each half in a task of its own, both directions full at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_in_two_tasks() {
    const MESSAGES: usize = 500;
    async fn both_ways(ws: WebSocket) -> Result<(), sheave::ws::Error> {
        let (mut sender, mut receiver) = ws.split();
        let sending = tokio::spawn(async move {
            for index in 0..MESSAGES {
                sender.send(vec![index as u8; index * 7]).await?;
            }
            Ok::<_, sheave::ws::Error>(sender)
        });
        for index in 0..MESSAGES {
            let message = receiver.recv().await?.expect("a message");
            assert_eq!(message.as_bytes(), vec![index as u8; index * 7]);
        }
        let mut sender = sending.await.unwrap()?;
        sender.close(sheave::CloseCode::NORMAL).await?;
        assert_eq!(receiver.recv().await?, None);
        Ok(())
    }
    let (tls, client) = certificate();
    for (tls, scheme) in [(None, "ws"), (Some(tls), "wss")] {
        let configure = |builder: sheave::ServerBuilder| match tls {
            Some(tls) => builder.tls(tls),
            None => builder,
        };
        let server =
            start(configure, |request: Request| async move { Ok(both_ways(request.accept().await?).await?) })
                .await;
        let ws = soon(client.connect(format!("{scheme}://{}", server.address))).await.unwrap();
        soon(both_ways(ws)).await.unwrap();
        server.stop().await;
    }
}

/// Both sides as a `Stream` and a `Sink`.
#[tokio::test]
async fn streams_and_sinks() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let (sink, stream) = StreamExt::split(request.accept().await?);
            Ok(stream.forward(sink).await?)
        },
    )
    .await;
    let mut ws = server.connect().await;
    for text in ["one", "two", "three"] {
        soon(SinkExt::feed(&mut ws, Message::from(text))).await.unwrap();
    }
    soon(SinkExt::flush(&mut ws)).await.unwrap();
    for text in ["one", "two", "three"] {
        assert_eq!(soon(StreamExt::next(&mut ws)).await.unwrap().unwrap(), text.into());
    }
    soon(SinkExt::close(&mut ws)).await.unwrap();
    assert!(soon(StreamExt::next(&mut ws)).await.is_none());

    let (mut sender, mut receiver) = server.connect().await.split();
    soon(SinkExt::send(&mut sender, Message::from("four"))).await.unwrap();
    assert_eq!(soon(StreamExt::next(&mut receiver)).await.unwrap().unwrap(), "four".into());
    soon(SinkExt::close(&mut sender)).await.unwrap();
    assert!(soon(StreamExt::next(&mut receiver)).await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn many_at_once() {
    let server = start(|builder| builder, mirror).await;
    let url: Arc<str> = server.url("/").into();
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let url = Arc::clone(&url);
            tokio::spawn(async move { converse(soon(sheave::connect(url)).await.unwrap()).await })
        })
        .collect();
    for client in clients {
        soon(client).await.unwrap();
    }
    server.stop().await;
}

/// What a user has to be able to do with the types in tasks.
#[test]
fn types_go_between_tasks() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<WebSocket>();
    send::<Request>();
    send::<sheave::Accepting>();
    send::<sheave::ConnectRequest>();
    send::<Server>();
    sync::<Server>();
    send::<Client>();
    sync::<Client>();
    send::<Error>();
    sync::<Error>();
    send::<sheave::Sender>();
    send::<sheave::Receiver>();
    // Or a handler could not pass `&request` to an async function.
    sync::<Request>();
    sync::<WebSocket>();
}
