//! An echo server on axum, over HTTP/1.1 and HTTP/2, on hyper's own servers as in axum's low-level examples. For speed its
//! documentation has buffers only, whose defaults are tungstenite's. Text is checked.

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use bench_common::{Command, Error, Io, Serve, h2};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;

fn main() -> Result<(), Error> {
    let options = Command::parse()?.server("axum");
    let options = options.without_deflate("axum has no compression of messages");
    let router = Router::new().route("/", any(answer)).with_state(options.batch);
    bench_common::serve(&options, Axum { router, http2: options.http2 })
}

#[derive(Clone)]
struct Axum {
    router: Router,
    http2: bool,
}

impl Serve for Axum {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let (io, service) = (TokioIo::new(io), TowerToHyperService::new(self.router));
        if self.http2 {
            h2::builder().serve_connection(io, service).await?;
        } else {
            http1::Builder::new().serve_connection(io, service).with_upgrades().await?;
        }
        Ok(())
    }
}

async fn answer(State(batch): State<bool>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let is_data = |message: &Message| matches!(message, Message::Text(_) | Message::Binary(_));
        let _ = bench_common::echo(socket, batch, is_data).await;
    })
}
