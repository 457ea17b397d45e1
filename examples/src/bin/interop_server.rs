//! The server of the interop checks; what its paths do is told in `xtask/interop/README.md`.
//!
//! `interop_server [--addr HOST:PORT] [--tls [--ca-out FILE]] [--threads N] [--until-stdin-ends]`
//!
//! The options are told at [`ServerOptions`].

use std::process::ExitCode;
use std::time::Duration;

use examples::{Error, ServerOptions, close_frame, serve};
use sheave::{Request, Server};

fn main() -> ExitCode {
    serve("127.0.0.1:0", run)
}

async fn run(options: ServerOptions) -> Result<(), Error> {
    let builder = Server::bind(&options.addr[..]).config(options.config.clone()).subprotocols([
        "chat",
        "superchat",
        "echo.v1",
    ]);
    let server = options.listen(builder).await?;
    server.serve(answer).with_graceful_shutdown(options.stop()).await?;
    Ok(())
}

async fn answer(request: Request) -> Result<(), sheave::Error> {
    let path = request.path().to_owned();
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let mut ws = request.accept().await?;
    match words[..] {
        ["close", ref close @ ..] => {
            return Ok(ws.close(close_frame(close).map_err(sheave::Error::other)?).await?);
        }
        ["ping", payload] => {
            ws.ping(payload.to_owned()).await?;
            // The time is there once the Pong with this payload is.
            while ws.rtt().is_none() {
                if let Ok(message) = tokio::time::timeout(Duration::from_millis(5), ws.recv()).await {
                    let Some(message) = message? else { return Ok(()) };
                    ws.feed(message).await?;
                }
            }
            ws.send(format!("pong {payload}")).await?;
        }
        ["fragments"] => {
            ws.feed_fragment("a".repeat(1000), false).await?;
            ws.ping("between").await?;
            ws.feed_fragment("b".repeat(1000), false).await?;
            ws.feed_fragment("c".repeat(1000), true).await?;
        }
        _ => {}
    }
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}
