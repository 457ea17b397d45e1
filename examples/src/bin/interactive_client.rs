//! A client at the keyboard: reads standard input and the socket at once.
//!
//! `interactive_client [--ca FILE | --insecure] [--http1 | --http2 | --h2c] [--deflate SETTING] [--no-masking] URL`
//!
//! Lines are sent as text. `/ping` measures a round trip, `/close [CODE [REASON]]` closes, `/help` tells what there is.
//! What the server sends is printed as it comes.

use std::process::ExitCode;

use examples::{Error, at_the_keyboard, client_options, close_frame};
use sheave::{CloseCode, Message};
use tokio::io::{AsyncBufReadExt, BufReader};

const HELP: &str = "\
A line is sent as a text message. Besides:
  /ping                    measures a round trip
  /close [CODE [REASON]]   closes the WebSocket
  /help                    this";

fn main() -> ExitCode {
    at_the_keyboard(run())
}

async fn run() -> Result<(), Error> {
    let (url, client) = client_options()?;
    let mut ws = client.build().connect(url).await?;
    let extensions: Vec<_> = ws.extensions().iter().map(ToString::to_string).collect();
    println!(
        "* connected by {:?}, extensions: [{}]; /help tells what can be done",
        ws.version(),
        extensions.join(", ")
    );
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut reading = true;
    // What was last measured when a Ping was sent that was not answered yet.
    let mut pinged = None;
    loop {
        // Both can be dropped at any time: nothing that was typed or received is lost.
        tokio::select! {
            message = ws.recv() => match message? {
                Some(Message::Text(text)) => println!("< {text}"),
                Some(Message::Binary(bytes)) => println!("< {} bytes", bytes.len()),
                None => break,
            },
            line = lines.next_line(), if reading => match line?.as_deref().map(str::trim_end) {
                None => {
                    reading = false;
                    ws.start_close(CloseCode::NORMAL);
                }
                Some("/help") => println!("{HELP}"),
                Some("/ping") => {
                    pinged = Some(ws.rtt());
                    ws.ping("").await?;
                }
                Some(command) if command.starts_with("/close") => {
                    let words: Vec<&str> = command.splitn(3, ' ').skip(1).collect();
                    match close_frame(&words) {
                        Ok(close) => ws.start_close(close),
                        Err(error) => println!("* {error}"),
                    }
                }
                Some(line) => ws.send(line).await?,
            },
            () = tokio::time::sleep(std::time::Duration::from_millis(20)), if pinged.is_some() => {
                if let Some(rtt) = ws.rtt().filter(|_| pinged != Some(ws.rtt())) {
                    println!("* {rtt:?}");
                    pinged = None;
                }
            }
        }
    }
    match ws.peer_close() {
        Some(close) => println!("* closed: {} {}", close.code(), close.reason()),
        None => println!("* closed"),
    }
    Ok(())
}
