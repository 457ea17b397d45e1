//! An echo server and a client on tokio-websockets.
//!
//! Its README advises the feature that fits the TLS library (`ring`); SIMD is on by itself. Its benchmark and its example
//! echo by `send`. In batches the threshold at which `feed` writes is raised from 8 KiB to tungstenite's 128 KiB. Text is
//! checked.

use bench_common::{Command, Error, Io, Serve, StreamClient};
use tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder};

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(options) => {
            let options = options.without_http2("tokio-websockets has no HTTP/2");
            let options = options.without_deflate("tokio-websockets has no compression");
            bench_common::serve(&options, Echo { batch: options.batch })
        }
        Command::Client(options) => bench_common::run_client(&options, async || {
            let builder = ClientBuilder::new().uri("ws://localhost/")?.config(config(options.batch));
            let (socket, _) = builder.connect_on(options.connect().await?).await?;
            let message = Message::binary(options.payload());
            Ok(StreamClient { socket, message, length, batch: options.batch })
        }),
    }
}

#[derive(Clone)]
struct Echo {
    batch: bool,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let (_, socket) = ServerBuilder::new().config(config(self.batch)).accept(io).await?;
        bench_common::echo(socket, self.batch, |message| length(message).is_some()).await
    }
}

fn config(batch: bool) -> Config {
    if batch { Config::default().flush_threshold(128 << 10) } else { Config::default() }
}

fn length(message: &Message) -> Option<usize> {
    (message.is_text() || message.is_binary()).then(|| message.as_payload().len())
}
