//! permessage-deflate on a WebSocket, in every form of sending and receiving.
#![cfg(feature = "tokio")]

mod support;

use sheave_ws::deflate::DeflateConfig;
use sheave_ws::handshake::ClientRequest;
use sheave_ws::io::{Accept, ByteStream, Connect, WebSocket};
use sheave_ws::{Compress, Config, Message, MessageRef, NoMasking, Prepared};
use support::{Random, bounded, no_time};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

type Pair = (WebSocket<DuplexStream>, WebSocket<DuplexStream>);

/// A client and a server that have agreed.
async fn pair(client: Config, server: Config) -> Pair {
    let (near, far) = duplex(100_000);
    let accepting = tokio::spawn(async move { Accept::default().config(server).accept(far).await.unwrap() });
    let request: ClientRequest = "ws://h/".parse().unwrap();
    let client = bounded(Connect::default().config(client).connect(&request, near)).await.unwrap();
    (client, bounded(accepting).await.unwrap())
}

fn deflate(config: DeflateConfig) -> Config {
    no_time().deflate(config)
}

/// Text that compresses, of about this many bytes.
fn text(random: &mut Random, length: usize) -> String {
    const WORDS: [&str; 8] = ["alpha", "βήτα", "gamma", "\"id\":", "true", "δέλτα 😀", "{", "}"];
    let mut text = String::new();
    while text.len() < length {
        text.push_str(WORDS[random.below(WORDS.len())]);
    }
    text
}

fn configs() -> Vec<DeflateConfig> {
    vec![
        DeflateConfig::default(),
        DeflateConfig::small(),
        DeflateConfig::default().window_bits(9).peer_window_bits(9).level(1),
        DeflateConfig::default().context_budget(0),
        DeflateConfig::default().context_takeover(false),
        DeflateConfig::default().peer_context_takeover(false),
    ]
}

#[tokio::test]
async fn messages_go_both_ways_in_every_setting() {
    for client_config in configs() {
        for server_config in configs() {
            let (mut client, mut server) = pair(deflate(client_config.clone()), deflate(server_config)).await;
            assert_eq!(client.extensions(), server.extensions());
            assert_eq!(client.extensions().len(), 1);
            let mut random = Random::new(1);
            for round in 0..60 {
                let length = random.below(3000);
                let message: Message = if round % 2 == 0 {
                    text(&mut random, length).into()
                } else {
                    (0..length).map(|_| random.below(256) as u8).collect::<Vec<_>>().into()
                };
                bounded(client.send(message.clone())).await.unwrap();
                assert_eq!(bounded(server.recv()).await.unwrap().unwrap(), message);
                bounded(server.send_with(message.clone(), Compress::Always)).await.unwrap();
                assert_eq!(bounded(client.recv()).await.unwrap().unwrap(), message);
            }
        }
    }
}

#[tokio::test]
async fn every_form_of_receiving_takes_every_form_of_sending() {
    let (client, mut server) =
        pair(deflate(DeflateConfig::default()), deflate(DeflateConfig::default())).await;
    let (mut sender, mut receiver) = client.split();
    let mut random = Random::new(2);
    for round in 0..300_usize {
        let length = random.below(40_000);
        let message = text(&mut random, length);
        let expected = Message::from(message.as_str());
        let sending = async {
            match round % 5 {
                0 => sender.send(message.as_str()).await.unwrap(),
                1 => {
                    let mut writer = sender.writer(true).frame_size(1000);
                    for part in message.as_bytes().chunks(700) {
                        // Cut inside characters.
                        writer.write(part).await.unwrap();
                        if part.len() % 3 == 0 {
                            writer.flush().await.unwrap();
                        }
                    }
                    writer.finish().await.unwrap();
                }
                2 => sender.send_prepared(&Prepared::new(message.as_str())).await.unwrap(),
                3 => {
                    let half = message.len() / 2;
                    let half = (half..).find(|at| message.is_char_boundary(*at)).unwrap();
                    sender.feed_fragment(&message[..half], false).await.unwrap();
                    sender.ping("?").await.unwrap();
                    sender.feed_fragment("", false).await.unwrap();
                    sender.feed_fragment(&message[half..], true).await.unwrap();
                    sender.flush().await.unwrap();
                }
                _ => sender.send_with(message.as_str(), Compress::Never).await.unwrap(),
            }
        };
        let receiving = async {
            match round / 5 % 3 {
                0 => server.recv().await.unwrap().unwrap(),
                1 => match server.recv_ref().await.unwrap().unwrap() {
                    MessageRef::Text(text) => text.into(),
                    MessageRef::Binary(_) => panic!("text was sent"),
                },
                _ => {
                    let mut reader = server.reader().await.unwrap().unwrap();
                    assert!(reader.is_text());
                    let mut text = String::new();
                    reader.read_to_string(&mut text).await.unwrap();
                    text.into()
                }
            }
        };
        let ((), received) = bounded(async { tokio::join!(sending, receiving) }).await;
        assert_eq!(received, expected, "round {round}");
        // And back through the other half.
        let back = async { server.send(message.as_str()).await.unwrap() };
        let ((), returned) = bounded(async { tokio::join!(back, receiver.recv()) }).await;
        assert_eq!(returned.unwrap().unwrap(), expected, "round {round}");
    }
}

#[tokio::test]
async fn what_is_not_read_of_a_message_is_skipped() {
    for config in [no_time(), deflate(DeflateConfig::default())] {
        let (mut client, mut server) = pair(config.clone(), config).await;
        let mut random = Random::new(3);
        for skip in [0, 1, 100, 5000] {
            let long = text(&mut random, 20_000);
            client.feed(long.as_str()).await.unwrap();
            client.feed("next").await.unwrap();
            client.flush().await.unwrap();
            let mut start = vec![0; skip];
            {
                let mut reader = bounded(server.reader()).await.unwrap().unwrap();
                bounded(reader.read_exact(&mut start)).await.unwrap();
            }
            assert_eq!(start, &long.as_bytes()[..skip]);
            assert_eq!(bounded(server.recv()).await.unwrap().unwrap(), "next".into());
        }
    }
}

#[tokio::test]
async fn no_masking_is_agreed_on_only_where_it_is_allowed() {
    for client in [NoMasking::Never, NoMasking::Encrypted, NoMasking::Always] {
        for server in [NoMasking::Never, NoMasking::Encrypted, NoMasking::Always] {
            let config = deflate(DeflateConfig::default());
            let (mut a, mut b) = pair(config.clone().no_masking(client), config.no_masking(server)).await;
            let agreed = client == NoMasking::Always && server == NoMasking::Always;
            assert_eq!(a.extensions().len(), 1 + usize::from(agreed), "{client:?} {server:?}");
            let message = "a message that is long enough to be compressed: ".repeat(10);
            bounded(a.send(message.as_str())).await.unwrap();
            assert_eq!(bounded(b.recv()).await.unwrap().unwrap(), message.as_str().into());
            bounded(b.send(message.as_str())).await.unwrap();
            assert_eq!(bounded(a.recv()).await.unwrap().unwrap(), message.as_str().into());
        }
    }
}

#[tokio::test]
async fn a_stream_of_bytes() {
    for config in [no_time(), deflate(DeflateConfig::default())] {
        let (client, server) = pair(config.clone(), config).await;
        let (mut client, mut server) = (ByteStream::new(Box::new(client)), ByteStream::new(Box::new(server)));
        let content: Vec<u8> = (0..500_000_u32).map(|i| (i / 7) as u8).collect();
        let sent = content.clone();
        let sending = tokio::spawn(async move {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let mut received = Vec::new();
        bounded(server.read_to_end(&mut received)).await.unwrap();
        assert!(received == content);
        drop(server);
        assert!(bounded(sending).await.unwrap().is_empty());
    }
}
