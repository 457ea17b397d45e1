//! The client of the interop checks of permessage-deflate, which are told in `xtask/interop/README.md`.
//!
//! `interop_deflate [--no-masking] [--h2c] URL [CHECK...]`

use std::process::ExitCode;

use examples::{Checks, Error, answered, report, same};
use sheave::deflate::{Agreement, Direction};
use sheave::{Client, Config, DeflateConfig, Message, NoMasking, Versions, WebSocket};

/// How far apart repetitions are in a message: each window reaches one more of them.
const DISTANCES: [usize; 7] = [200, 400, 800, 1600, 3200, 6400, 20_000];

/// Where the checks are made.
struct Peer {
    url: String,
    no_masking: NoMasking,
    versions: Versions,
    checks: Checks,
}

/// Who may refer back to earlier messages.
#[derive(Clone, Copy)]
struct Takeover {
    name: &'static str,
    server: bool,
    client: bool,
}

const TAKEOVERS: [Takeover; 4] = [
    Takeover { name: "both", server: true, client: true },
    Takeover { name: "server", server: true, client: false },
    Takeover { name: "client", server: false, client: true },
    Takeover { name: "none", server: false, client: false },
];

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut url, mut no_masking, mut versions) = (None, NoMasking::Never, Versions::Auto);
    let mut names = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("no-masking") => no_masking = NoMasking::Always,
            Long("h2c") => versions = Versions::Http2Only,
            Value(value) if url.is_none() => url = Some(value.string()?),
            Value(value) => names.push(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let url = url.ok_or("a URL is needed")?;
    Peer { url, no_masking, versions, checks: Checks::named(names) }.checks().await
}

impl Peer {
    async fn checks(self) -> Result<(), Error> {
        for takeover in TAKEOVERS {
            for server in 9..=15 {
                for client in 9..=15 {
                    let combination = format!("{server}-{client}-{}", takeover.name);
                    self.checks
                        .check(&format!("asked-{combination}"), asked(&self, server, client, takeover))
                        .await;
                    let imposed = imposed(&self, server, client, takeover);
                    self.checks.check(&format!("imposed-{combination}"), imposed).await;
                    let echoed = format!("echoed-{combination}");
                    // What every server has over HTTP/2.
                    if self.checks.names(&echoed) {
                        self.checks.check(&echoed, echoed_by(&self, server, client, takeover)).await;
                    }
                }
            }
            self.checks.check(&format!("large-{}", takeover.name), large(&self, takeover)).await;
        }
        self.checks.check("declined", declined(&self)).await;
        self.checks.check("imposed-8", imposed_8(&self)).await;
        self.checks.finish()
    }

    async fn open(&self, path: &str, deflate: DeflateConfig) -> Result<WebSocket, Error> {
        let config = Config::default().deflate(deflate.threshold(0)).no_masking(self.no_masking);
        let client = Client::builder().config(config).versions(self.versions).build();
        let ws = client.connect(format!("{}{path}", self.url)).await?;
        let agreed = ws.extensions().iter().any(|extension| extension.name() == "no-masking");
        if agreed != (self.no_masking == NoMasking::Always) {
            return Err(format!("no-masking: {agreed}").into());
        }
        Ok(ws)
    }
}

/// The client asks for all of it, the server has no wishes.
async fn asked(peer: &Peer, server: u8, client: u8, takeover: Takeover) -> Result<(), Error> {
    let mut ws = peer.open("/deflate/asked", asking(server, client, takeover)).await?;
    agreed(&ws, server, client, takeover)?;
    exchange(&mut ws).await
}

/// The server wants all of it, the client has no wishes.
async fn imposed(peer: &Peer, server: u8, client: u8, takeover: Takeover) -> Result<(), Error> {
    let path = format!("/deflate/imposed/{server}/{client}/{}", takeover.name);
    let mut ws = peer.open(&path, DeflateConfig::default()).await?;
    agreed(&ws, server, client, takeover)?;
    exchange(&mut ws).await
}

/// The same without what not every server can send.
async fn echoed_by(peer: &Peer, server: u8, client: u8, takeover: Takeover) -> Result<(), Error> {
    let mut ws = peer.open("/deflate/echo", asking(server, client, takeover)).await?;
    agreed(&ws, server, client, takeover)?;
    for message in all_kinds() {
        ws.feed(message).await?;
    }
    for message in all_kinds() {
        same(ws.recv().await?, message)?;
    }
    Ok(())
}

async fn large(peer: &Peer, takeover: Takeover) -> Result<(), Error> {
    let mut ws = peer.open("/deflate/asked", asking(15, 15, takeover)).await?;
    same(ws.recv().await?, greeting())?;
    let text = "one mebibyte of the same line\n".repeat((1 << 20) / 30);
    let binary = random(1 << 20, 7);
    for message in [Message::from(text.clone()), text.into(), binary.clone().into(), binary.into()] {
        ws.send(message.clone()).await?;
        same(ws.recv().await?, message)?;
    }
    Ok(())
}

/// A server that does not compress: nothing is agreed on, and messages pass.
async fn declined(peer: &Peer) -> Result<(), Error> {
    let mut ws = peer.open("/echo", DeflateConfig::default()).await?;
    if ws.extensions().iter().any(|extension| extension.name() == sheave::deflate::NAME) {
        return Err("it was agreed on".into());
    }
    ws.send("plain").await?;
    same(ws.recv().await?, "plain".into())
}

/// A server that would limit the client to what no compressor keeps to: it does so and is refused, or makes do with 9
/// and no context takeover.
async fn imposed_8(peer: &Peer) -> Result<(), Error> {
    match peer.open("/deflate/imposed/15/8/both", DeflateConfig::default()).await {
        Ok(mut ws) => {
            agreed(&ws, 15, 9, Takeover { name: "server", server: true, client: false })?;
            exchange(&mut ws).await
        }
        Err(error) if error.to_string().contains("against the offer") => Ok(()),
        Err(error) => Err(error),
    }
}

/// Every kind of message, sent in one go.
async fn exchange(ws: &mut WebSocket) -> Result<(), Error> {
    same(ws.recv().await?, greeting())?;
    let mut messages = all_kinds();
    for message in &messages {
        ws.feed(message.clone()).await?;
    }
    ws.feed_fragment("one-", false).await?;
    ws.ping("between").await?;
    ws.feed_fragment("two", true).await?;
    messages.push("one-two".into());
    for message in messages {
        same(ws.recv().await?, message)?;
    }
    // The Pong may come behind the echo.
    answered(ws).await?;
    Ok(())
}

fn asking(server: u8, client: u8, takeover: Takeover) -> DeflateConfig {
    DeflateConfig::default()
        .window_bits(client)
        .peer_window_bits(server)
        .context_takeover(takeover.client)
        .peer_context_takeover(takeover.server)
}

fn agreed(ws: &WebSocket, server: u8, client: u8, takeover: Takeover) -> Result<(), Error> {
    let expected = Agreement {
        client: Direction { window_bits: client, context_takeover: takeover.client },
        server: Direction { window_bits: server, context_takeover: takeover.server },
    };
    match ws.extensions().iter().find_map(Agreement::of_answer) {
        Some(agreement) if agreement == expected => Ok(()),
        other => Err(format!("{other:?} was agreed on").into()),
    }
}

/// What the server sends first, in fragments.
fn greeting() -> Message {
    ["a", "b", "c"].map(|letter| letter.repeat(1000)).concat().into()
}

/// Messages in which both long and short repetitions are found.
fn all_kinds() -> Vec<Message> {
    let mut messages: Vec<Message> = (0..3).map(|number| json(number).into()).collect();
    messages.extend(["".into(), distant().into(), "after".into()]);
    messages
}

/// About 1 KiB, much like the one before.
fn json(number: u32) -> String {
    let entry = format!("{{\"number\": {number}, \"name\": \"sheave\", \"tags\": [\"a\", \"b\"]}},");
    format!("[{}{{}}]", entry.repeat(20))
}

/// What cannot be compressed, each piece twice, in every distance.
fn distant() -> Vec<u8> {
    DISTANCES.iter().flat_map(|&distance| random(distance, distance as u32).repeat(2)).collect()
}

/// Bytes without a pattern (xorshift).
fn random(size: usize, mut seed: u32) -> Vec<u8> {
    let next = |_| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        (seed >> 8) as u8
    };
    (0..size).map(next).collect()
}
