//! The server of the interop checks; what its paths do is told in `xtask/interop/README.md`.
//!
//! `interop_server [--addr HOST:PORT] [--tls [--ca-out FILE]] [--http1 | --http2 | --h2c] [--deflate SETTING]
//! [--no-masking] [--threads N] [--until-stdin-ends]`
//!
//! The options are told at [`ServerOptions`].

use std::process::ExitCode;
use std::time::Duration;

use examples::{Error, ServerOptions, close_frame, serve};
use sheave::{Config, DeflateConfig, Request, Server};

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
    let config = options.config.clone();
    server
        .serve(move |request| answer(request, config.clone()))
        .with_graceful_shutdown(options.stop())
        .await?;
    Ok(())
}

async fn answer(request: Request, config: Config) -> Result<(), sheave::Error> {
    let path = request.path().to_owned();
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let config = match words[..] {
        ["deflate", ref wishes @ ..] => config.deflate(deflate(wishes).map_err(sheave::Error::other)?),
        _ => config,
    };
    let mut ws = request.accepting().config(config).accept().await?;
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
        ["deflate", "echo"] => {}
        ["fragments"] | ["deflate", ..] => {
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

/// What the server wants of permessage-deflate: `asked`, or `imposed`, the window bits of server and client, and who may
/// refer back to earlier messages.
fn deflate(wishes: &[&str]) -> Result<DeflateConfig, Error> {
    let config = DeflateConfig::default().threshold(0);
    let (server, client, takeover) = match *wishes {
        ["asked" | "echo"] => return Ok(config),
        ["imposed", server, client, takeover] => (server.parse()?, client.parse()?, takeover),
        _ => return Err("no such path".into()),
    };
    Ok(config
        .window_bits(server)
        .peer_window_bits(client)
        .context_takeover(["both", "server"].contains(&takeover))
        .peer_context_takeover(["both", "client"].contains(&takeover)))
}
