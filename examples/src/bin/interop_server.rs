//! The server of the interop checks; what its paths do is told in `xtask/interop/README.md`.
//!
//! `interop_server [--addr HOST:PORT] [--tls [--ca-out FILE]] [--until-stdin-ends]`
//!
//! It ends in order at Ctrl-C, and with `--until-stdin-ends` also when its standard input does.

use std::process::ExitCode;
use std::time::Duration;

use examples::{Error, close_frame, report, stop};
use sheave::tls::DevCertificate;
use sheave::{Request, Server};

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, ValueExt as _};
    let (mut addr, mut tls, mut ca_out) = ("127.0.0.1:0".to_owned(), false, None);
    let mut until_stdin_ends = false;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("addr") => addr = parser.value()?.string()?,
            Long("tls") => tls = true,
            Long("ca-out") => ca_out = Some(parser.value()?.string()?),
            Long("until-stdin-ends") => until_stdin_ends = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if ca_out.is_some() && !tls {
        return Err("--ca-out needs --tls".into());
    }
    let mut builder = Server::bind(&addr[..]).subprotocols(["chat", "superchat", "echo.v1"]);
    if tls {
        let certificate = DevCertificate::generate(&["localhost", "127.0.0.1"])?;
        if let Some(file) = ca_out {
            std::fs::write(file, certificate.ca_pem())?;
        }
        builder = builder.tls(certificate.server_config_builder().build()?);
    }
    let server = builder.build().await?;
    let address = server.local_addr().ok_or("not a TCP server")?;
    println!("listening on {}://{address}", if tls { "wss" } else { "ws" });
    server.serve(serve).with_graceful_shutdown(stop(until_stdin_ends)).await?;
    Ok(())
}

async fn serve(request: Request) -> Result<(), sheave::Error> {
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
