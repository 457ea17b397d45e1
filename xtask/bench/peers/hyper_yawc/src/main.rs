//! An echo server over HTTP/2 on hyper and yawc, by yawc's own upgrade, which echoes as over HTTP/1.1: see `bench_yawc`.
//! Text is checked, which is not yawc's default.

use bench_common::{Command, Error, Io, Serve, h2};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use yawc::{Options, WebSocket};

fn main() -> Result<(), Error> {
    let command = Command::parse()?.server("hyper and yawc");
    let command = command.without_http1("over HTTP/1.1 that is bench_yawc");
    let options = bench_yawc::options(command.batch, command.deflate);
    bench_common::serve(&command, Echo { batch: command.batch, options })
}

#[derive(Clone)]
struct Echo {
    batch: bool,
    options: Options,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let service = service_fn(|request| answer(request, self.clone()));
        Ok(h2::builder().serve_connection(TokioIo::new(io), service).await?)
    }
}

async fn answer(mut request: Request<Incoming>, echoing: Echo) -> yawc::Result<Response<Empty<Bytes>>> {
    let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, echoing.options)?;
    tokio::spawn(async move {
        if let Ok(ws) = upgraded.await {
            let _ = bench_yawc::echo(ws, echoing.batch).await;
        }
    });
    Ok(response)
}
