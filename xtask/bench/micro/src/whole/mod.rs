//! Whole connections: sheave's server over a transport in memory, from the bytes of a read to the bytes of a write.

mod http1;
mod http2;
mod input;
mod script;
mod transport;

use std::time::Duration;

use http::Response;
use sheave::{Message, Request, Server, h2};
use tokio::runtime;

use crate::text::{octets, text};
use crate::{Case, Work};
use script::{Batch, Script};
use transport::{Peer, Transport};

/// How the server answers.
#[derive(Clone, Copy)]
enum Answer {
    /// Echoes; what one read brought leaves in one write.
    Feed,
    /// Echoes, and flushes after each message.
    Send,
    /// A small page.
    Page,
}

/// What a GET is answered with.
const PAGE: &str = "A page of twenty-seven octs";

const WINDOW: u32 = 1 << 20;

/// Nothing takes that long.
const LONGEST: Duration = Duration::from_secs(600);

pub(crate) fn cases() -> Vec<Case> {
    let small = || binary(64);
    let large = || binary(65_536);
    let kilobyte = || Message::from(text(1024));
    vec![
        http1("h1/64", 1, 2000, Answer::Feed, small),
        http1("h1/64x64-feed", 64, 100, Answer::Feed, small),
        http1("h1/64x64-send", 64, 100, Answer::Send, small),
        http1("h1/1kx16-text", 16, 100, Answer::Feed, kilobyte),
        http1("h1/64k", 1, 100, Answer::Feed, large),
        echo("h2/8x64x64", (8, 64), 50, small),
        echo("h2/32x1x64", (32, 1), 100, small),
        echo("h2/100x4x1k", (100, 4), 20, kilobyte),
        echo("h2/1x1x64k", (1, 1), 100, large),
        http2("h2/get", ("request", 32), 100, Answer::Page, || Script::gets(32)),
        http2("h2/open-echo-close", ("socket", 32), 50, Answer::Feed, move || Script::lives(32, &small())),
    ]
}

fn binary(length: usize) -> Message {
    Message::Binary(octets(length).into())
}

/// One WebSocket that brings `count` messages with each read.
fn http1(name: &'static str, count: usize, passes: u64, answer: Answer, message: fn() -> Message) -> Case {
    Case::new(name, "message", count, passes, move || run(http1::Client::new(&message(), count), answer))
}

/// WebSockets on one connection, each of which brings `count` messages at a time.
fn echo(name: &'static str, (sockets, count): (usize, usize), passes: u64, message: fn() -> Message) -> Case {
    let script = move || Script::echoes(Batch { sockets, count, message: &message() });
    http2(name, ("message", sockets * count), passes, Answer::Feed, script)
}

fn http2(
    name: &'static str,
    (unit, units): (&'static str, usize),
    passes: u64,
    answer: Answer,
    script: impl Fn() -> Script + 'static,
) -> Case {
    Case::new(name, unit, units, passes, move || run(http2::Client::new(script()), answer))
}

/// A connection that is served; its first pass is over, and looked at in full.
fn run(peer: impl Peer, answer: Answer) -> Work {
    let runtime =
        runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let (transport, remote) = Transport::new(peer);
    let connection = runtime.spawn(async move {
        // Windows as they are on a busy connection: how they grow is a matter of time, which stands still here.
        let http2 = h2::Config::default().max_concurrent_streams(1000).initial_window_size(WINDOW);
        let server = Server::detached().max_requests_per_connection(usize::MAX).http2(http2).build().await?;
        server.serve_connection(transport, move |request| serve(request, answer)).await
    });
    let work = move |passes| {
        let done = runtime.block_on(async { tokio::time::timeout(LONGEST, remote.passes(passes)).await });
        assert!(done.is_ok() && !connection.is_finished(), "the connection has ended");
    };
    work(1);
    Box::new(work)
}

async fn serve(request: Request, answer: Answer) -> Result<(), sheave::Error> {
    if let Answer::Page = answer {
        return request.respond(Response::new(PAGE)).await;
    }
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        match answer {
            Answer::Feed => socket.feed(message).await?,
            Answer::Send | Answer::Page => socket.send(message).await?,
        }
    }
    Ok(())
}
