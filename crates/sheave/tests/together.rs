//! Client and server together, over every kind of stream.

mod support;

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::Version;
use sheave::{Client, Error, Message, Request, Server, WebSocket};
use support::stream::Trickle;
use support::ways::Way;
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
async fn every_way() {
    for way in Way::all() {
        let (is_secure, version) = (way.is_secure, way.version);
        let alpn: Option<&[u8]> = match (is_secure, version) {
            (false, _) => None,
            (true, Version::HTTP_2) => Some(b"h2"),
            (true, _) => Some(b"http/1.1"),
        };
        let server = start(
            |builder| way.server(builder),
            move |request: Request| async move {
                assert_eq!((request.stream().is_encrypted(), request.version()), (is_secure, version));
                assert_eq!(request.stream().tls().and_then(sheave::tls::alpn_protocol), alpn);
                echo(request).await
            },
        )
        .await;
        for host in ["127.0.0.1", "localhost"] {
            let url = way.url(format_args!("{host}:{}", server.address.port()), "/");
            let ws = soon(way.client().build().connect(url)).await.unwrap();
            assert_eq!((ws.get_ref().is_encrypted(), ws.version()), (is_secure, version));
            assert_eq!(ws.get_ref().tls().and_then(sheave::tls::alpn_protocol), alpn);
            converse(ws).await;
        }
        server.stop().await;
    }
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
    for way in Way::all() {
        let server = way.server(Server::detached()).build().await.unwrap();
        let (near, far) = duplex(64 << 10);
        let task = tokio::spawn(async move { server.serve_connection(Trickle(far), echo).await });
        let request = way.client().build().request(way.url("localhost", "/"));
        converse(soon(request.connect_over(Trickle(near))).await.unwrap()).await;
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
    let bytes: Vec<u8> = (0..SIZE).map(|index| (index % 251) as u8).collect();
    let message = Message::from(bytes);
    for way in Way::all() {
        let server = start(|builder| way.server(builder), echo).await;
        let ws = soon(way.client().build().connect(way.url(server.address, "/"))).await.unwrap();
        let (mut sender, mut receiver) = ws.split();
        let sent = message.clone();
        let sending = tokio::spawn(async move { sender.send(sent).await.map(|()| sender) });
        // Not compared by assert_eq: nobody wants to see it.
        assert!(soon(receiver.recv()).await.unwrap() == Some(message.clone()));
        soon(async { sending.await.unwrap().unwrap().close(sheave::CloseCode::NORMAL).await }).await.unwrap();
        assert_eq!(soon(receiver.recv()).await.unwrap(), None);
        server.stop().await;
    }
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
    for way in Way::all() {
        let serve = |request: Request| async move { Ok(both_ways(request.accept().await?).await?) };
        let server = start(|builder| way.server(builder), serve).await;
        let ws = soon(way.client().build().connect(way.url(server.address, "/"))).await.unwrap();
        soon(both_ways(ws)).await.unwrap();
        server.stop().await;
    }
}

/// Both sides as a `Stream` and a `Sink`.
#[tokio::test]
async fn streams_and_sinks() {
    for way in Way::all() {
        let server = start(
            |builder| way.server(builder),
            |request: Request| async move {
                let (sink, stream) = StreamExt::split(request.accept().await?);
                Ok(stream.forward(sink).await?)
            },
        )
        .await;
        let (client, url) = (way.client().build(), way.url(server.address, "/"));
        let mut ws = soon(client.connect(&url)).await.unwrap();
        for text in ["one", "two", "three"] {
            soon(SinkExt::feed(&mut ws, Message::from(text))).await.unwrap();
        }
        soon(SinkExt::flush(&mut ws)).await.unwrap();
        for text in ["one", "two", "three"] {
            assert_eq!(soon(StreamExt::next(&mut ws)).await.unwrap().unwrap(), text.into());
        }
        soon(SinkExt::close(&mut ws)).await.unwrap();
        assert!(soon(StreamExt::next(&mut ws)).await.is_none());

        let (mut sender, mut receiver) = soon(client.connect(&url)).await.unwrap().split();
        soon(SinkExt::send(&mut sender, Message::from("four"))).await.unwrap();
        assert_eq!(soon(StreamExt::next(&mut receiver)).await.unwrap().unwrap(), "four".into());
        soon(SinkExt::close(&mut sender)).await.unwrap();
        assert!(soon(StreamExt::next(&mut receiver)).await.is_none());
        server.stop().await;
    }
}

#[tokio::test]
async fn many_at_once() {
    for way in Way::all() {
        let server = start(|builder| way.server(builder), mirror).await;
        let client = way.client().build();
        let url: Arc<str> = way.url(server.address, "/").into();
        let count = if way.is_secure && way.version < Version::HTTP_2 { 20 } else { 100 };
        let conversations: Vec<_> = (0..count)
            .map(|_| {
                let (client, url) = (client.clone(), Arc::clone(&url));
                tokio::spawn(async move { converse(soon(client.connect(url)).await.unwrap()).await })
            })
            .collect();
        for conversation in conversations {
            soon(conversation).await.unwrap();
        }
        server.stop().await;
    }
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
