//! Shows sheave at work.
//!
//! `demo [--once] [--addr HOST:PORT] [--tls-addr HOST:PORT]`
//!
//! Checks itself in every way that leads to a WebSocket: HTTP/1.1 and HTTP/2, with TLS (on a certificate made for the
//! occasion) and without. Then it serves a page that opens many WebSockets and shows how they do. With `--once` it ends
//! after the check.

use std::process::ExitCode;
use std::sync::Arc;

use examples::demo::{Site, Way, check};
use examples::{Error, report};
use http::Version;
use sheave::tls::DevCertificate;
use sheave::{Client, Config, DeflateConfig, Request, Server, Versions};

#[derive(Debug)]
struct Options {
    once: bool,
    addr: String,
    tls_addr: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    let options = options()?;
    let certificate = DevCertificate::generate(&["localhost", "127.0.0.1", "::1"])?;
    let plain = listen(&options.addr, None).await?;
    let tls = listen(&options.tls_addr, Some(certificate.server_config_builder().build()?)).await?;
    let plain_addr = plain.local_addr().ok_or("not a TCP server")?;
    let tls_addr = tls.local_addr().ok_or("not a TCP server")?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let servers = [(plain, format!("https://{tls_addr}/")), (tls, format!("http://{plain_addr}/"))];
    let servers = servers.map(|(server, other)| {
        let site = Arc::new(Site::new(other));
        let handler = move |request: Request| {
            let site = Arc::clone(&site);
            async move { site.answer(request).await }
        };
        let mut stopped = stopped.clone();
        let stopped = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        tokio::spawn(server.serve(handler).with_graceful_shutdown(stopped).into_future())
    });

    println!("sheave checks itself:\n");
    check(&ways(&certificate, &format!("ws://{plain_addr}"), &format!("wss://{tls_addr}"))?).await?;
    if !options.once {
        println!("\nMany WebSockets in the browser, until Ctrl-C:\n");
        println!("  https://{tls_addr}/  over HTTP/2 (the certificate is made up: the browser will warn)");
        println!("  http://{plain_addr}/   over HTTP/1.1, as browsers speak it without TLS");
        tokio::signal::ctrl_c().await?;
        println!();
    }
    stop.send(true)?;
    for server in servers {
        server.await??;
    }
    println!("\nThe servers shut down in order.");
    Ok(())
}

/// Every way that leads to a WebSocket.
fn ways(certificate: &DevCertificate, plain: &str, tls: &str) -> Result<Vec<Way>, Error> {
    let trust = certificate.client_config_builder().build()?;
    let way = |name, versions, origin: &str, version| {
        let config = Config::default().deflate(DeflateConfig::default());
        let client = Client::builder().config(config).tls(trust.clone()).versions(versions).build();
        Way { name, client, origin: origin.to_owned(), version }
    };
    Ok(vec![
        way("HTTP/1.1", Versions::Http1Only, plain, Version::HTTP_11),
        way("HTTP/1.1, TLS", Versions::Http1Only, tls, Version::HTTP_11),
        way("HTTP/2 (h2c)", Versions::Http2Only, plain, Version::HTTP_2),
        // They agree on it by themselves.
        way("HTTP/2, TLS", Versions::Auto, tls, Version::HTTP_2),
    ])
}

/// A server at this address, or at a free port where the address is taken.
async fn listen(addr: &str, tls: Option<sheave::tls::ServerConfig>) -> Result<Server, Error> {
    let builder = |addr: &str| {
        let builder = Site::server(Server::bind(addr));
        match &tls {
            Some(tls) => builder.tls(tls.clone()),
            None => builder,
        }
    };
    match builder(addr).build().await {
        Err(sheave::Error::Io(error)) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(builder("127.0.0.1:0").build().await?)
        }
        server => Ok(server?),
    }
}

fn options() -> Result<Options, Error> {
    use lexopt::prelude::{Long, ValueExt as _};
    let mut options =
        Options { once: false, addr: "127.0.0.1:8080".to_owned(), tls_addr: "127.0.0.1:8443".to_owned() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("once") => options.once = true,
            Long("addr") => options.addr = parser.value()?.string()?,
            Long("tls-addr") => options.tls_addr = parser.value()?.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}
