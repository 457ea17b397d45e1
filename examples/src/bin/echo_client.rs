//! A client that sends each line of its input as a text message and prints the replies.
//!
//! `echo_client [--ca FILE | --insecure] URL`

use std::process::ExitCode;

use examples::{Error, client_tls, report};
use sheave::{Client, CloseCode, Message};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut url, mut ca, mut insecure) = (None, None, false);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ca") => ca = Some(parser.value()?.string()?),
            Long("insecure") => insecure = true,
            Value(value) if url.is_none() => url = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let url = url.ok_or("usage: echo_client [--ca FILE | --insecure] URL")?;
    let mut builder = Client::builder();
    if let Some(tls) = client_tls(ca.as_deref(), insecure)? {
        builder = builder.tls(tls);
    }
    let (mut sender, mut receiver) = builder.build().connect(url).await?.split();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut reading = true;
    loop {
        tokio::select! {
            message = receiver.recv() => match message? {
                Some(Message::Text(text)) => println!("{text}"),
                Some(Message::Binary(bytes)) => println!("{} bytes", bytes.len()),
                None => return Ok(()),
            },
            line = lines.next_line(), if reading => match line? {
                Some(line) => sender.send(line).await?,
                None => {
                    reading = false;
                    sender.close(CloseCode::NORMAL).await?;
                }
            },
        }
    }
}
