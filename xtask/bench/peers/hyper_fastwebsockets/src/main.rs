//! An echo server over HTTP/2 on hyper and fastwebsockets, which echoes as over HTTP/1.1: see `bench_fastwebsockets`. Its own
//! upgrade is for HTTP/1.1 only. Text is checked.

use bench_common::{Command, Error, Io, Serve, h2};
use fastwebsockets::{Role, WebSocket};
use tokio::task::unconstrained;

fn main() -> Result<(), Error> {
    let options = Command::parse()?.server("hyper and fastwebsockets");
    let options = options.without_http1("over HTTP/1.1 that is bench_fastwebsockets");
    let options = options.without_deflate("fastwebsockets has no compression");
    bench_common::serve(&options, Echo { batch: options.batch })
}

#[derive(Clone)]
struct Echo {
    batch: bool,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let Self { batch } = self;
        h2::serve_websockets(io, move |upgraded| {
            let ws = WebSocket::after_handshake(upgraded, Role::Server);
            unconstrained(bench_fastwebsockets::echo(ws, batch))
        })
        .await
    }
}
