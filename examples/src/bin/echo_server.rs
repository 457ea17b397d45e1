//! An echo server.
//!
//! `echo_server [--addr HOST:PORT] [--tls [--ca-out FILE]] [--threads N] [--until-stdin-ends]`
//!
//! Echoes text and binary messages on any path and answers other requests with a short page. `--tls` uses a
//! certificate made for the occasion; `--ca-out` writes the certificate of its authority to a file. With
//! `--threads 1` everything runs on one thread. It ends in order at Ctrl-C, and with `--until-stdin-ends` also when
//! its standard input does, so that it never outlives the program that started it.

use std::process::ExitCode;

use examples::{Error, report, stop};
use sheave::tls::DevCertificate;
use sheave::{Request, Server};

#[derive(Debug)]
struct Options {
    addr: String,
    tls: bool,
    ca_out: Option<String>,
    threads: usize,
    until_stdin_ends: bool,
}

fn main() -> ExitCode {
    report(options().and_then(|options| {
        let mut runtime = match options.threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        if options.threads > 1 {
            runtime.worker_threads(options.threads);
        }
        runtime.enable_all().build()?.block_on(run(options))
    }))
}

async fn run(options: Options) -> Result<(), Error> {
    // An echo gives nothing away: a page of any site may talk to it, since it only gets back what it said. A server
    // that knows its users by their cookies keeps the default, its own origin.
    let mut builder = Server::bind(&options.addr[..]).origin(sheave::OriginPolicy::Any).subprotocols([
        "chat",
        "superchat",
        "echo.v1",
    ]);
    if options.tls {
        let certificate = DevCertificate::generate(&["localhost", "127.0.0.1", "::1"])?;
        if let Some(file) = &options.ca_out {
            std::fs::write(file, certificate.ca_pem())?;
        }
        builder = builder.tls(certificate.server_config_builder().build()?);
    }
    let server = builder.build().await?;
    let address = server.local_addr().ok_or("not a TCP server")?;
    println!("listening on {}://{address}", if options.tls { "wss" } else { "ws" });
    server.serve(echo).with_graceful_shutdown(stop(options.until_stdin_ends)).await?;
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

fn options() -> Result<Options, Error> {
    use lexopt::prelude::{Long, ValueExt as _};
    let mut options = Options {
        addr: "127.0.0.1:9001".into(),
        tls: false,
        ca_out: None,
        threads: 0,
        until_stdin_ends: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("addr") => options.addr = parser.value()?.string()?,
            Long("tls") => options.tls = true,
            Long("ca-out") => options.ca_out = Some(parser.value()?.string()?),
            Long("threads") => options.threads = parser.value()?.parse()?,
            Long("until-stdin-ends") => options.until_stdin_ends = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if options.ca_out.is_some() && !options.tls {
        return Err("--ca-out needs --tls".into());
    }
    Ok(options)
}
