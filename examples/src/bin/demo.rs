//! Shows sheave at work.
//!
//! `demo [--once] [--addr HOST:PORT] [--tls-addr HOST:PORT]`
//!
//! Serves a page with a live echo, with TLS and without, on certificates made for the occasion, and checks
//! both with sheave's own client. With `--once` it ends after the check.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use examples::{Error, answered, report};
use http::header::CONTENT_TYPE;
use sheave::tls::DevCertificate;
use sheave::{Client, CloseCode, Message, Request, Server};

const PAGE: &str = include_str!("../demo.html");
const SUBPROTOCOL: &str = "echo.v1";
/// The check takes about a second.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

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
    let (plain_addr, tls_addr) =
        (plain.local_addr().ok_or("not a TCP server")?, tls.local_addr().ok_or("not a TCP server")?);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let until_stop = |mut stopped: tokio::sync::watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let servers = [
        tokio::spawn(plain.serve(serve).with_graceful_shutdown(until_stop(stopped.clone())).into_future()),
        tokio::spawn(tls.serve(serve).with_graceful_shutdown(until_stop(stopped)).into_future()),
    ];

    let client = Client::builder().tls(certificate.client_config_builder().build()?).build();
    println!("sheave checks itself:");
    let checks = async {
        for url in [format!("ws://{plain_addr}/echo"), format!("wss://{tls_addr}/echo")] {
            check(&client, &url).await?;
        }
        Ok::<(), Error>(())
    };
    let in_time = tokio::time::timeout(CHECK_LIMIT, checks).await;
    in_time.map_err(|_| format!("the check was not done within {} s", CHECK_LIMIT.as_secs()))??;
    if !options.once {
        println!("\nA live echo in the browser, until Ctrl-C:");
        println!("  http://{plain_addr}/");
        println!("  https://{tls_addr}/  (the certificate is made up: the browser will warn)");
        tokio::signal::ctrl_c().await?;
        println!();
    }
    stop.send(true)?;
    for server in servers {
        server.await??;
    }
    println!("The servers shut down in order.");
    Ok(())
}

/// A server at this address, or at a free port where the address is taken.
async fn listen(addr: &str, tls: Option<sheave::tls::ServerConfig>) -> Result<Server, Error> {
    let builder = |addr: &str| {
        let builder = Server::bind(addr).subprotocols([SUBPROTOCOL]);
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

async fn serve(request: Request) -> Result<(), sheave::Error> {
    match request.path() {
        "/echo" if request.is_websocket() => {}
        "/" => {
            let page = http::Response::builder().header(CONTENT_TYPE, "text/html; charset=utf-8");
            return request.respond(page.body(PAGE).map_err(sheave::Error::other)?).await;
        }
        _ => return request.reject(http::StatusCode::NOT_FOUND, "there is / and there is /echo\n").await,
    }
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

/// What a user would try first, and whether it comes out as it should.
async fn check(client: &Client, url: &str) -> Result<(), Error> {
    println!("  {url}");
    let step = |what: String| println!("    ok  {what}");

    let started = Instant::now();
    let mut ws = client.request(url).subprotocol(SUBPROTOCOL).connect().await?;
    expect(ws.subprotocol() == Some(SUBPROTOCOL), "no subprotocol was agreed on")?;
    step(format!("opened in {:.1?}, subprotocol {SUBPROTOCOL}", started.elapsed()));

    for message in ["hello", "κόσμε 😀"] {
        ws.send(message).await?;
        expect(ws.recv().await? == Some(message.into()), "the echo is not what was sent")?;
    }
    step("text comes back".to_owned());

    let large = Message::from(vec![0xA5; 4 << 20]);
    ws.send(large.clone()).await?;
    expect(ws.recv().await? == Some(large), "the echo is not what was sent")?;
    step("4 MiB come back".to_owned());

    const MANY: usize = 10_000;
    let started = Instant::now();
    for number in 0..MANY {
        ws.feed(format!("message {number}")).await?;
        // Some are under way at any time.
        if number >= 64 {
            expect(ws.recv().await?.is_some(), "the server closed")?;
        }
    }
    for _ in 0..64 {
        expect(ws.recv().await?.is_some(), "the server closed")?;
    }
    step(format!("{MANY} messages come back, in {:.0?}", started.elapsed()));

    ws.ping("are you there?").await?;
    let rtt = answered(&mut ws).await?;
    step(format!("a Ping is answered in {rtt:.1?}"));

    ws.close(CloseCode::NORMAL).await?;
    let code = ws.peer_close().map(sheave::CloseFrame::code);
    expect(code == Some(CloseCode::NORMAL), "the Close was not answered with its code")?;
    step("closed in order with 1000".to_owned());

    let elsewhere = url.replace("/echo", "/nowhere");
    let error = client.connect(elsewhere).await.err().ok_or("there should be nothing")?;
    let rejection = error.rejection().ok_or("not a rejection")?;
    expect(rejection.status() == http::StatusCode::NOT_FOUND, "another status than 404")?;
    step(format!("elsewhere the answer is {}", rejection.status()));
    Ok(())
}

fn expect(good: bool, otherwise: &str) -> Result<(), Error> {
    if good { Ok(()) } else { Err(otherwise.into()) }
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
