//! An echo server and a client on sockudo-ws, over HTTP/1.1 and HTTP/2.
//!
//! As its README has it: `WebSocketStream` with the defaults, which coalesce what is fed, over the socket itself where its
//! documentation offers that against type erasure (`accept_raw`). Text is checked. Its loop over raw frames, which does not
//! check it, is `bench_sockudo_raw`.

use bench_common::{Command, Deflate, Error, Io, Serve, ServerOptions, StreamClient};
use bytes::{Buf as _, BytesMut};
use sockudo_ws::deflate::{DeflateConfig, negotiate_server_deflate};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::stream::CompressedWebSocketStream;
use sockudo_ws::{Config, Http1, Http2, Message, WebSocketClient, WebSocketServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(options) => {
            let compressed = options.http2 && options.deflate.is_some();
            let options = options.without(compressed, "sockudo-ws does not compress over HTTP/2");
            bench_common::serve(&options, Echo { options })
        }
        Command::Client(options) => bench_common::run_client(&options, async || {
            let client = WebSocketClient::<Http1>::new(Config::default());
            let (socket, _) = client.connect_raw(options.connect().await?, "localhost", "/", None).await?;
            let message = Message::binary(options.payload());
            Ok(StreamClient { socket, message, length, batch: options.batch })
        }),
    }
}

#[derive(Clone)]
struct Echo {
    options: ServerOptions,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let batch = self.options.batch;
        if self.options.http2 {
            let config = Config::builder().http2_max_streams(10_000).build();
            let server = WebSocketServer::<Http2>::new(config);
            server
                .serve(
                    io,
                    move |socket, _| async move { drop(bench_common::echo(socket, batch, is_data).await) },
                )
                .await?;
        } else if let Some(deflate) = self.options.deflate {
            bench_common::echo(accept_compressed(io, deflate).await?, batch, is_data).await?;
        } else {
            let server = WebSocketServer::<Http1>::new(Config::default());
            bench_common::echo(server.accept_raw(io).await?.0, batch, is_data).await?;
        }
        Ok(())
    }
}

/// Its own server does not negotiate compression: as in its `autobahn/server.rs`.
async fn accept_compressed<S: Io>(
    mut io: S,
    deflate: Deflate,
) -> Result<CompressedWebSocketStream<S>, Error> {
    let policy = DeflateConfig {
        compression_level: deflate.level.into(),
        server_no_context_takeover: !deflate.takeover,
        client_no_context_takeover: !deflate.takeover,
        ..DeflateConfig::default()
    };
    let mut received = BytesMut::with_capacity(4096);
    loop {
        if io.read_buf(&mut received).await? == 0 {
            return Err("closed within the handshake".into());
        }
        let Some((request, length)) = parse_request(&received)? else { continue };
        let agreed = request.extensions.and_then(|offers| negotiate_server_deflate(offers, &policy));
        let agreed = agreed.ok_or("the client does not compress")?;
        let key = generate_accept_key(request.key);
        io.write_all(&build_response(&key, None, Some(&agreed.to_response_header()))).await?;
        received.advance(length);
        let (config, rest) = (Config::default(), Some(received.freeze()));
        return Ok(CompressedWebSocketStream::server_with_leftover(io, config, agreed.config, rest));
    }
}

fn is_data(message: &Message) -> bool {
    length(message).is_some()
}

fn length(message: &Message) -> Option<usize> {
    match message {
        Message::Text(payload) | Message::Binary(payload) => Some(payload.len()),
        _ => None,
    }
}
