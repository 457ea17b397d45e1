//! An echo server and a client on tokio-websockets.
//!
//! Its README advises the feature that fits the TLS library (`ring`); SIMD is on by itself. Its benchmark and its example
//! echo by `send`. It writes what was fed whenever the next message is asked for: for batches, all that are there are taken
//! before they are echoed, and the threshold at which `feed` writes is raised from 8 KiB to tungstenite's 128 KiB. Text is
//! checked.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use bench_common::{Client, ClientOptions, Command, Error, Io, Serve};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder, WebSocketStream};

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
            Ok(Echoes { socket, message, taken: VecDeque::new(), options })
        }),
    }
}

fn config(batch: bool) -> Config {
    if batch { Config::default().flush_threshold(128 << 10) } else { Config::default() }
}

#[derive(Clone)]
struct Echo {
    batch: bool,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let (_, mut socket) = ServerBuilder::new().config(config(self.batch)).accept(io).await?;
        if !self.batch {
            return bench_common::echo(socket, false, |message| length(message).is_some()).await;
        }
        let mut taken = VecDeque::new();
        while take(&mut socket, &mut taken).await? {
            for message in taken.drain(..).filter(|message| length(message).is_some()) {
                socket.feed(message).await?;
            }
            socket.flush().await?;
        }
        Ok(())
    }
}

/// Takes the messages that are there, and at least one. `false` at the end.
async fn take<S: Io>(socket: &mut WebSocketStream<S>, taken: &mut VecDeque<Message>) -> Result<bool, Error> {
    let Some(first) = socket.next().await else { return Ok(false) };
    taken.push_back(first?);
    poll_fn(|cx| {
        while let Poll::Ready(Some(message)) = socket.poll_next_unpin(cx)? {
            taken.push_back(message);
        }
        Poll::Ready(Ok(true))
    })
    .await
}

struct Echoes {
    socket: WebSocketStream<TcpStream>,
    message: Message,
    taken: VecDeque<Message>,
    options: ClientOptions,
}

impl Client for Echoes {
    async fn send(&mut self) -> Result<(), Error> {
        if self.options.batch {
            self.socket.feed(self.message.clone()).await?;
        } else {
            self.socket.send(self.message.clone()).await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        loop {
            if let Some(message) = self.taken.pop_front() {
                if let Some(length) = length(&message) {
                    return Ok(length);
                }
                continue;
            }
            // What was fed leaves here, since it asks for the next message.
            if self.options.batch {
                if !take(&mut self.socket, &mut self.taken).await? {
                    return Err("closed".into());
                }
            } else {
                self.taken.push_back(self.socket.next().await.ok_or("closed")??);
            }
        }
    }
}

fn length(message: &Message) -> Option<usize> {
    (message.is_text() || message.is_binary()).then(|| message.as_payload().len())
}
