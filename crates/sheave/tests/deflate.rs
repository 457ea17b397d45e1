//! Extensions from one end of the facade to the other: permessage-deflate, no-masking, and what builds on them.

mod support;

use std::sync::Arc;

use sheave::{
    ByteStream, Client, Compress, Config, DeflateConfig, Error, Message, MessageRef, NoMasking, Prepared,
    Request, Server, Versions, WebSocket,
};
use support::ways::Way;
use support::{detached, echo, soon, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;

fn deflate() -> Config {
    Config::default().deflate(DeflateConfig::default())
}

/// Each of these, each way.
fn each<T: Clone, const N: usize>(cases: [T; N]) -> impl Iterator<Item = (Way, T)> {
    Way::all().into_iter().flat_map(move |way| cases.clone().map(|case| (way.clone(), case)))
}

fn names(ws: &WebSocket) -> Vec<&str> {
    ws.extensions().iter().map(|extension| extension.name()).collect()
}

/// Text that compresses, a little different each time.
fn text(index: usize) -> String {
    format!("{{\"index\": {index}, \"name\": \"Größe\"}},").repeat(1 + index % 40)
}

/// Messages of all forms, there and back.
async fn converse(ws: &mut WebSocket) {
    for index in 0..50 {
        let message = Message::from(text(index));
        match index % 4 {
            0 => soon(ws.send(message.clone())).await.unwrap(),
            1 => soon(ws.send_with(message.clone(), Compress::Always)).await.unwrap(),
            2 => soon(ws.send_prepared(&Prepared::new(message.clone()))).await.unwrap(),
            _ => {
                let mut writer = ws.writer(true).frame_size(100);
                soon(writer.write(message.as_bytes())).await.unwrap();
                soon(writer.finish()).await.unwrap();
            }
        }
        match index % 3 {
            0 => assert_eq!(soon(ws.recv()).await.unwrap(), Some(message)),
            1 => {
                let lent = soon(ws.recv_ref()).await.unwrap().unwrap();
                assert_eq!(lent, MessageRef::Text(message.as_text().unwrap()));
            }
            _ => {
                let mut reader = soon(ws.reader()).await.unwrap().unwrap();
                let mut read = String::new();
                soon(reader.read_to_string(&mut read)).await.unwrap();
                assert_eq!(read, text(index));
            }
        }
    }
}

#[tokio::test]
async fn compression_is_used_if_both_want_it() {
    let wishes = [(true, true), (true, false), (false, true), (false, false)];
    for (way, (client_wants, server_wants)) in each(wishes) {
        let config = |wants: bool| if wants { deflate() } else { Config::default() };
        let server_config = config(server_wants);
        let both = client_wants && server_wants;
        let server = start(
            |builder| way.server(builder).config(server_config),
            move |request: Request| async move {
                let mut ws = request.accept().await?;
                assert_eq!(names(&ws).contains(&"permessage-deflate"), both);
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                Ok(())
            },
        )
        .await;
        let client = way.client().config(config(client_wants)).build();
        let mut ws = soon(client.connect(way.url(server.address, "/"))).await.unwrap();
        assert_eq!(names(&ws), if both { vec!["permessage-deflate"] } else { vec![] });
        let answer = ws.handshake_response().unwrap().headers().get("sec-websocket-extensions").cloned();
        assert_eq!(answer.is_some(), both, "{answer:?}");
        converse(&mut ws).await;
        soon(ws.close(sheave::CloseCode::NORMAL)).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn a_server_decides_for_each_request() {
    let server = start(
        |builder| builder.config(deflate()),
        |request: Request| async move {
            let config = if request.path() == "/plain" { Config::default() } else { deflate() };
            let mut ws = request.accepting().config(config).accept().await?;
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        },
    )
    .await;
    let client = Client::builder().config(deflate()).build();
    for (path, expected) in [("/plain", vec![]), ("/", vec!["permessage-deflate"])] {
        let mut ws = soon(client.connect(server.url(path))).await.unwrap();
        assert_eq!(names(&ws), expected);
        converse(&mut ws).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn masking_is_left_out_on_encrypted_connections_alone() {
    let settings =
        [(NoMasking::Never, None), (NoMasking::Encrypted, Some(false)), (NoMasking::Always, Some(true))];
    for (way, (setting, plain_too)) in each(settings) {
        let config = deflate().no_masking(setting);
        let server_config = config.clone();
        let server = start(|builder| way.server(builder).config(server_config), echo).await;
        let client = way.client().config(config).build();
        let mut ws = soon(client.connect(way.url(server.address, "/"))).await.unwrap();
        assert_eq!(ws.get_ref().is_encrypted(), way.is_secure);
        let agreed = plain_too.is_some_and(|plain_too| way.is_secure || plain_too);
        let expected =
            if agreed { vec!["permessage-deflate", "no-masking"] } else { vec!["permessage-deflate"] };
        assert_eq!(names(&ws), expected, "{setting:?}, {way:?}");
        converse(&mut ws).await;
        soon(ws.close(sheave::CloseCode::NORMAL)).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn settings_of_both_sides_in_split_halves() {
    let settings = [
        DeflateConfig::small(),
        DeflateConfig::default().window_bits(10).peer_window_bits(11),
        DeflateConfig::default().context_budget(0).threshold(0),
        DeflateConfig::default().peer_context_takeover(false).level(9),
    ];
    for (way, server_setting) in each(settings.clone()) {
        let config = Config::default().deflate(server_setting).max_sent_frame_size(500);
        let server = start(
            |builder| way.server(builder).config(config),
            |request: Request| async move {
                let (mut sender, mut receiver) = request.accept().await?.split();
                while let Some(message) = receiver.recv().await? {
                    sender.send(message).await?;
                }
                Ok(())
            },
        )
        .await;
        for client_setting in &settings {
            let config = Config::default().deflate(client_setting.clone());
            let client = way.client().config(config).build();
            let ws = soon(client.connect(way.url(server.address, "/"))).await.unwrap();
            assert_eq!(names(&ws), ["permessage-deflate"]);
            let (mut sender, mut receiver) = ws.split();
            let sending = tokio::spawn(async move {
                for index in 0..40 {
                    sender.send(text(index)).await.unwrap();
                }
                sender.close(sheave::CloseCode::NORMAL).await.unwrap();
            });
            for index in 0..40 {
                assert_eq!(soon(receiver.recv()).await.unwrap(), Some(text(index).into()));
            }
            assert_eq!(soon(receiver.recv()).await.unwrap(), None);
            soon(sending).await.unwrap();
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_stream_of_bytes_through_the_facade() {
    for way in Way::all() {
        let (near, task) = detached(
            |builder| way.server(builder).config(deflate()),
            |request: Request| async move {
                let mut stream = ByteStream::new(request.accept().await?);
                let mut content = Vec::new();
                // Up to a word, and back.
                while !content.ends_with(b"enough") {
                    let mut part = [0; 5000];
                    let count = stream.read(&mut part).await?;
                    assert_ne!(count, 0);
                    content.extend_from_slice(&part[..count]);
                }
                stream.write_all(&content).await?;
                stream.shutdown().await?;
                assert_eq!(stream.read(&mut [0; 9]).await?, 0);
                Ok(())
            },
        )
        .await;
        let ws = way.client().config(deflate()).build().request(way.url("localhost", "/")).connect_over(near);
        let mut stream = ByteStream::new(soon(ws).await.unwrap());
        let content: Vec<u8> = (0..60_000_u32).flat_map(u32::to_le_bytes).chain(*b"enough").collect();
        soon(stream.write_all(&content)).await.unwrap();
        soon(stream.flush()).await.unwrap();
        let mut back = Vec::new();
        soon(stream.read_to_end(&mut back)).await.unwrap();
        assert!(back == content);
        let mut ws = stream.into_inner();
        assert_eq!(ws.peer_close().unwrap().code(), sheave::CloseCode::NORMAL);
        assert_eq!(soon(ws.recv()).await.unwrap(), None);
        drop(ws);
        soon(task).await.unwrap().unwrap();
    }
}

/// Fifty clients of all settings, over both versions, are sent the same prepared messages and others in between.
#[tokio::test]
async fn a_broadcast() {
    const CLIENTS: usize = 50;
    const ROUNDS: usize = 20;
    let joined: Arc<Mutex<Vec<WebSocket>>> = Arc::default();
    let server = start(|builder| builder.config(deflate()), {
        let joined = Arc::clone(&joined);
        move |request: Request| {
            let joined = Arc::clone(&joined);
            async move {
                let ws = request.accept().await?;
                joined.lock().await.push(ws);
                Ok::<(), Error>(())
            }
        }
    })
    .await;
    let mut clients = Vec::new();
    for index in 0..CLIENTS {
        let deflate = DeflateConfig::default();
        let deflate = match index % 5 {
            0 => None,
            1 => Some(DeflateConfig::small()),
            2 => Some(deflate),
            3 => Some(deflate.peer_window_bits(9 + (index / 5) as u8 % 7)),
            _ => Some(deflate.peer_context_takeover(false).peer_window_bits(12)),
        };
        let version = if index % 2 == 0 { Versions::Http1Only } else { Versions::Http2Only };
        let client = Client::builder().versions(version).config(Config::default().deflate(deflate)).build();
        let mut ws = soon(client.connect(server.url("/"))).await.unwrap();
        clients.push(tokio::spawn(async move {
            let mut received = Vec::new();
            while received.len() < 2 * ROUNDS {
                received.push(soon(ws.recv()).await.unwrap().unwrap());
            }
            (ws, received)
        }));
    }
    let mut members = loop {
        let mut joined = joined.lock().await;
        if joined.len() == CLIENTS {
            break std::mem::take(&mut *joined);
        }
        drop(joined);
        tokio::task::yield_now().await;
    };
    for round in 0..ROUNDS {
        let prepared = Prepared::new(text(3 * round));
        for ws in &mut members {
            soon(ws.feed_prepared(&prepared)).await.unwrap();
            soon(ws.send(text(3 * round + 1))).await.unwrap();
        }
    }
    let expected: Vec<Message> =
        (0..ROUNDS).flat_map(|round| [text(3 * round).into(), text(3 * round + 1).into()]).collect();
    for (index, client) in clients.into_iter().enumerate() {
        let (_ws, received) = soon(client).await.unwrap();
        assert_eq!(received, expected, "client {index}");
    }
    drop(members);
    server.stop().await;
}

#[tokio::test]
async fn a_server_in_the_hand_negotiates_too() {
    let server = Server::detached().config(deflate()).build().await.unwrap();
    let (near, far) = tokio::io::duplex(1000);
    let serving = tokio::spawn(async move { server.serve_connection(far, echo).await });
    let client = Client::builder().config(deflate()).build();
    let mut ws = soon(client.request("ws://localhost").connect_over(near)).await.unwrap();
    assert_eq!(names(&ws), ["permessage-deflate"]);
    converse(&mut ws).await;
    soon(ws.close(sheave::CloseCode::NORMAL)).await.unwrap();
    soon(serving).await.unwrap().unwrap();
}
