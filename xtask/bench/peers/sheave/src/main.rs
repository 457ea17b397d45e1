//! An echo server on sheave, on one thread, as its documentation advises for speed.

use std::error::Error;

use bench_common::Options;
use sheave::{Config, DeflateConfig, Request, Server};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = Options::parse()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = Config::default().deflate(DeflateConfig::default().level(options.level));
    let server = Server::bind("127.0.0.1:0").config(config).build().await?;
    bench_common::listening(server.local_addr().ok_or("not a TCP server")?);
    server.serve(move |request| echo(request, options.send)).await?;
    Ok(())
}

async fn echo(request: Request, send: bool) -> Result<(), sheave::Error> {
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        if send {
            ws.send(message).await?;
        } else {
            ws.feed(message).await?;
        }
    }
    Ok(())
}
