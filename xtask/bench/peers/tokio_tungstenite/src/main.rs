//! An echo server and a client on tokio-tungstenite.
//!
//! Its README and its examples advise nothing for speed; tungstenite's documentation of `WebSocketConfig` says that read
//! and write buffers of 128 KiB, which are the default, serve high loads best. Text is checked.

use bench_common::{Command, Error, Io, Serve, StreamClient};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(options) => {
            let options = options.without_http2("tokio-tungstenite has no HTTP/2");
            let options = options.without_deflate("tokio-tungstenite has no compression");
            bench_common::serve(&options, Echo { batch: options.batch })
        }
        Command::Client(options) => bench_common::run_client(&options, async || {
            let (socket, _) = client_async("ws://localhost/", options.connect().await?).await?;
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
        bench_common::echo(accept_async(io).await?, self.batch, |message| length(message).is_some()).await
    }
}

fn length(message: &Message) -> Option<usize> {
    (message.is_text() || message.is_binary()).then(|| message.len())
}
