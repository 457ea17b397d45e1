//! An echo server over HTTP/2 on hyper and tokio-tungstenite, whose defaults are what its documentation advises for high
//! loads. Text is checked.

use bench_common::{Command, Error, Io, Serve, h2};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

fn main() -> Result<(), Error> {
    let options = Command::parse()?.server("hyper and tokio-tungstenite");
    let options = options.without_http1("over HTTP/1.1 that is bench_tokio_tungstenite");
    let options = options.without_deflate("tokio-tungstenite has no compression");
    bench_common::serve(&options, Echo { batch: options.batch })
}

#[derive(Clone)]
struct Echo {
    batch: bool,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let Self { batch } = self;
        let is_data = |message: &Message| message.is_text() || message.is_binary();
        h2::serve_websockets(io, move |upgraded| async move {
            let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
            bench_common::echo(socket, batch, is_data).await
        })
        .await
    }
}
