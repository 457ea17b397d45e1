//! The client under test of the Autobahn suite: walks the cases of a fuzzing server.
//!
//! `autobahn_client [--agent NAME] [--ca FILE | --insecure] URL`

use std::process::ExitCode;

use examples::{Error, client_tls, report};
use sheave::{Client, WebSocket};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut url, mut ca, mut insecure, mut agent) = (None, None, false, "sheave".to_owned());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("agent") => agent = parser.value()?.string()?,
            Long("ca") => ca = Some(parser.value()?.string()?),
            Long("insecure") => insecure = true,
            Value(value) if url.is_none() => url = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let url = url.ok_or("usage: autobahn_client [--agent NAME] [--ca FILE | --insecure] URL")?;
    let mut builder = Client::builder();
    if let Some(tls) = client_tls(ca.as_deref(), insecure)? {
        builder = builder.tls(tls);
    }
    let client = builder.build();
    let mut counter = client.connect(format!("{url}/getCaseCount")).await?;
    let count = counter.recv().await?.ok_or("no count of cases")?;
    let cases: usize = count.as_text().ok_or("a count that is no text")?.parse()?;
    // The server closes after the count.
    while counter.recv().await?.is_some() {}
    for case in 1..=cases {
        let ws = client.connect(format!("{url}/runCase?case={case}&agent={agent}")).await?;
        // How the case ended is the suite's to judge.
        let _ = echo(ws).await;
    }
    let mut reports = client.connect(format!("{url}/updateReports?agent={agent}")).await?;
    while reports.recv().await?.is_some() {}
    println!("{cases} cases run");
    Ok(())
}

async fn echo(mut ws: WebSocket) -> Result<(), sheave::Error> {
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}
