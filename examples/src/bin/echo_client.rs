//! A client that sends each line of its input as a text message and prints the replies.
//!
//! `echo_client [--ca FILE | --insecure] [--http1 | --http2 | --h2c] [--deflate SETTING] [--no-masking] URL`

use std::process::ExitCode;

use examples::{Error, at_the_keyboard, client_options};
use sheave::{CloseCode, Message};
use tokio::io::{AsyncBufReadExt, BufReader};

fn main() -> ExitCode {
    at_the_keyboard(run())
}

async fn run() -> Result<(), Error> {
    let (url, client) = client_options()?;
    let (mut sender, mut receiver) = client.build().connect(url).await?.split();
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
