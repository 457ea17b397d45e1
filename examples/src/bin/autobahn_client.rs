//! The client under test of the Autobahn suite: walks the cases of a fuzzing server.
//!
//! `autobahn_client [--ca FILE | --insecure] [--http1 | --http2 | --h2c] [--deflate SETTING] [--no-masking] URL`

use std::process::ExitCode;

use examples::{Error, client_options, report};
use sheave::WebSocket;

/// Under which name the suite reports.
const AGENT: &str = "sheave";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    let (url, client) = client_options()?;
    let client = client.build();
    let mut counter = client.connect(format!("{url}/getCaseCount")).await?;
    let count = counter.recv().await?.ok_or("no count of cases")?;
    let cases: usize = count.as_text().ok_or("a count that is no text")?.parse()?;
    // The server closes after the count.
    while counter.recv().await?.is_some() {}
    for case in 1..=cases {
        let ws = client.connect(format!("{url}/runCase?case={case}&agent={AGENT}")).await?;
        // How the case ended is the suite's to judge.
        let _ = echo(ws).await;
    }
    let mut reports = client.connect(format!("{url}/updateReports?agent={AGENT}")).await?;
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
