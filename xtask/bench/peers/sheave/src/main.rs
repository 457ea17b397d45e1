//! A server and a client on sheave: WebSockets over HTTP/1.1 and HTTP/2, and `GET` over both.
//!
//! Its documentation advises `feed` for many small messages: they leave when `recv` has to wait. An echo takes the message
//! that `recv` gives, which is sent without a copy; the client, which keeps none, has messages lent by `recv_ref`. Text
//! is checked.

use bench_common::{Client, ClientOptions, Command, Deflate, Error, PAGE, ServerOptions};
use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use sheave::ws::MessageRef;
use sheave::{Config, DeflateConfig, Request, Server, WebSocket, h2, tls};
use tokio::net::TcpListener;

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(options) => bench_common::serve_on(|listener| run(listener, options)),
        Command::Client(options) => bench_common::run_client(&options, async || {
            let client = sheave::Client::builder().config(Config::default().deflate(None)).build();
            let ws = client.connect(format!("ws://{}/", options.address)).await?;
            Ok(Echoes { ws, message: options.payload().into(), options })
        }),
    }
}

async fn run(listener: TcpListener, options: ServerOptions) -> Result<(), Error> {
    let deflate = options.deflate.map(|Deflate { level, takeover }| {
        let config = DeflateConfig::default().level(level);
        config.context_takeover(takeover).peer_context_takeover(takeover)
    });
    let mut builder = Server::from_listener(listener)
        .config(Config::default().deflate(deflate))
        .http2(h2::Config::default().max_concurrent_streams(10_000))
        .max_connections(100_000)
        .max_connections_per_ip(100_000);
    if options.tls {
        let (certificate, key) = bench_common::certificate()?;
        let protocol = if options.http2 { "h2" } else { "http/1.1" };
        let config = tls::ServerConfig::builder().certificate_der(vec![certificate], key).alpn([protocol]);
        builder = builder.tls(config.build()?);
    }
    builder.build().await?.serve(move |request| answer(request, options.batch)).await?;
    Ok(())
}

async fn answer(request: Request, batch: bool) -> Result<(), sheave::Error> {
    if !request.is_websocket() {
        let mut response = Response::new(Bytes::from_static(PAGE));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        return request.respond(response).await;
    }
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        if batch {
            ws.feed(message).await?;
        } else {
            ws.send(message).await?;
        }
    }
    Ok(())
}

struct Echoes {
    ws: WebSocket,
    message: Bytes,
    options: ClientOptions,
}

impl Client for Echoes {
    async fn send(&mut self) -> Result<(), Error> {
        if self.options.batch {
            self.ws.feed(self.message.clone()).await?;
        } else {
            self.ws.send(self.message.clone()).await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        Ok(match self.ws.recv_ref().await?.ok_or("closed")? {
            MessageRef::Text(text) => text.len(),
            MessageRef::Binary(binary) => binary.len(),
        })
    }
}
