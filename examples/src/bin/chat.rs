//! A chat server with rooms: each path is one.
//!
//! `chat [--addr HOST:PORT] [--tls [--ca-out FILE]] [--deflate SETTING] [--no-masking] [--threads N]
//! [--until-stdin-ends]`
//!
//! The options are told at [`ServerOptions`].
//!
//! What somebody sends, everybody else in the room gets. A room keeps a bounded number of messages for its members,
//! each of bounded size, so a room costs 8 MiB at most; who reads too slowly misses messages and is told how many.
//! A message beyond 64 KiB closes its sender's connection with 1009.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use examples::{Error, ServerOptions, serve};
use sheave::{Request, Server, Utf8Bytes};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// How many messages a slow member may be behind.
const BACKLOG: usize = 64;
/// Bytes of a message. The backlog bounds how many wait, this bounds how much memory that is.
const LINE: usize = 64 << 10;

/// A line, and who sent it.
#[derive(Clone, Debug)]
struct Line {
    author: u64,
    text: Utf8Bytes,
}

/// The rooms in which somebody is.
#[derive(Debug, Default)]
struct Rooms {
    by_path: HashMap<String, broadcast::Sender<Line>>,
    members: u64,
}

fn main() -> ExitCode {
    serve("127.0.0.1:9002", run)
}

async fn run(options: ServerOptions) -> Result<(), Error> {
    let builder = Server::bind(&options.addr[..]).config(options.config.clone().max_message_size(LINE));
    let server = options.listen(builder).await?;
    let rooms = Arc::new(Mutex::new(Rooms::default()));
    server
        .serve(move |request| member(request, Arc::clone(&rooms)))
        .with_graceful_shutdown(options.stop())
        .await?;
    Ok(())
}

async fn member(request: Request, rooms: Arc<Mutex<Rooms>>) -> Result<(), sheave::Error> {
    if !request.is_websocket() {
        return request
            .respond(http::Response::new("Connect with a WebSocket; the path is the room.\n"))
            .await;
    }
    let path = request.path().to_owned();
    let (mut sender, mut receiver) = request.accept().await?.split();
    let (room, me) = enter(&rooms, &path);
    let mut others = room.subscribe();

    let deliver = async {
        loop {
            match others.recv().await {
                Ok(line) if line.author == me => {}
                Ok(line) => sender.send(line.text).await?,
                Err(RecvError::Lagged(missed)) => {
                    sender.send(format!("* you are too slow: {missed} messages were left out")).await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    };
    let listen = async {
        while let Some(message) = receiver.recv().await? {
            if let sheave::Message::Text(text) = message {
                let _ = room.send(Line { author: me, text });
            }
        }
        Ok(())
    };
    // The receiving half answers pings and closes, so the two only have to be polled side by side.
    let result = tokio::select! {
        result = deliver => result,
        result = listen => result,
    };
    drop((others, room));
    leave(&rooms, &path);
    result
}

fn enter(rooms: &Mutex<Rooms>, path: &str) -> (broadcast::Sender<Line>, u64) {
    let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
    rooms.members += 1;
    let me = rooms.members;
    (rooms.by_path.entry(path.to_owned()).or_insert_with(|| broadcast::channel(BACKLOG).0).clone(), me)
}

fn leave(rooms: &Mutex<Rooms>, path: &str) {
    let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
    if rooms.by_path.get(path).is_some_and(|room| room.receiver_count() == 0) {
        rooms.by_path.remove(path);
    }
}
