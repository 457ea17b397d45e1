//! An echo server.
//!
//! `echo_server [--addr HOST:PORT] [--tls [--ca-out FILE]] [--http1 | --http2 | --h2c] [--deflate SETTING]
//! [--no-masking] [--threads N] [--until-stdin-ends]`
//!
//! Echoes text and binary messages on any path and answers other requests with a short page. The options are told at
//! [`ServerOptions`].

use std::process::ExitCode;

use examples::{Error, ServerOptions, serve};
use sheave::{Request, Server};

fn main() -> ExitCode {
    serve("127.0.0.1:9001", run)
}

async fn run(options: ServerOptions) -> Result<(), Error> {
    // An echo gives nothing away: a page of any site may talk to it, since it only gets back what it said. A server
    // that knows its users by their cookies keeps the default, its own origin.
    let builder = Server::bind(&options.addr[..])
        .config(options.config.clone())
        .origin(sheave::OriginPolicy::Any)
        .subprotocols(["chat", "superchat", "echo.v1"]);
    let server = options.listen(builder).await?;
    server.serve(echo).with_graceful_shutdown(options.stop()).await?;
    Ok(())
}

async fn echo(request: Request) -> Result<(), sheave::Error> {
    if !request.is_websocket() {
        return request.respond(http::Response::new("This server echoes WebSocket messages.\n")).await;
    }
    let mut ws = request.accept().await?;
    // What is fed leaves when `recv` has to wait: one write for all that one read brought.
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}
