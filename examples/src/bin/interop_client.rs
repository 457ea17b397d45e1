//! The client of the interop checks, which are told in `xtask/interop/README.md`.
//!
//! `interop_client URL [--ca FILE | --insecure] [--http1 | --http2 | --h2c] [--deflate SETTING] [--no-masking] [CHECK...]`

use std::process::ExitCode;
use std::time::Duration;

use examples::{
    Checks, Error, answered, client_options_and_names, close_frame, letters, octets, report, same, show,
};
use sheave::{Client, ClientBuilder, CloseCode, Message, WebSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const SIZES: [usize; 9] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20];
const CLOSES: [&str; 6] = ["1000", "1001", "1008", "3000", "4999-reason", "none"];
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Where the checks are made.
struct Peer {
    client: ClientBuilder,
    url: String,
    checks: Checks,
}

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    let (url, client, names) = client_options_and_names()?;
    Peer { client, url, checks: Checks::named(names) }.checks().await
}

impl Peer {
    async fn checks(self) -> Result<(), Error> {
        let agreed = self.open("/echo").await?;
        let agreed: Vec<_> = agreed.extensions().iter().map(ToString::to_string).collect();
        println!("extensions: {}", agreed.join(", "));
        for size in SIZES {
            self.checks.check(&format!("text-{size}"), echo(&self, letters(size))).await;
            self.checks.check(&format!("binary-{size}"), echo(&self, octets(size))).await;
        }
        self.checks.check("text-unicode", echo(&self, "κόσμε 😀 \u{10FFFF}")).await;
        self.checks.check("fragments-text", fragments(&self, &["alpha-", "βήτα-", "gamma"])).await;
        let parts = [1, 2, 3, 4, 5].map(|value| vec![value; 1000]);
        self.checks
            .check("fragments-binary", fragments(&self, &parts.each_ref().map(|part| &part[..])))
            .await;
        self.checks.check("fragments-ping", fragments_ping(&self)).await;
        let letters = ["a", "b", "c"].map(|letter| letter.repeat(1000)).concat();
        self.checks.check("fragments-by-peer", arrives(&self, "/fragments", letters)).await;
        self.checks.check("ping", ping(&self, "sheave".into())).await;
        self.checks.check("ping-empty", ping(&self, String::new())).await;
        self.checks.check("ping-125", ping(&self, "p".repeat(125))).await;
        self.checks.check("ping-by-peer", arrives(&self, "/ping/from-peer", "pong from-peer")).await;
        for close in CLOSES {
            let words: Vec<&str> = close.split('-').collect();
            self.checks.check(&format!("close-{close}"), close_by_us(&self, &words)).await;
            self.checks.check(&format!("close-by-peer-{close}"), close_by_peer(&self, &words)).await;
        }
        let offered = ["unknown", "superchat", "chat"];
        self.checks.check("subprotocol-chosen", subprotocol(&self, &offered, Some("superchat"))).await;
        self.checks.check("subprotocol-none", subprotocol(&self, &[], None)).await;
        // These are of HTTP/2.
        if self.checks.names("sockets-100") {
            self.checks.check("sockets-100", sockets(&self, 100)).await;
        }
        if self.checks.names("sockets-apart") {
            self.checks.check("sockets-apart", sockets_apart(&self)).await;
        }
        self.checks.finish()
    }

    /// A client whose connections are its own.
    fn client(&self) -> Client {
        self.client.clone().build()
    }

    async fn open(&self, path: &str) -> Result<WebSocket, Error> {
        self.open_by(&self.client(), path).await
    }

    async fn open_by(&self, client: &Client, path: &str) -> Result<WebSocket, Error> {
        Ok(client.connect(format!("{}{path}", self.url)).await?)
    }
}

async fn echo(peer: &Peer, message: impl Into<Message>) -> Result<(), Error> {
    let message = message.into();
    let mut ws = peer.open("/echo").await?;
    ws.send(message.clone()).await?;
    same(ws.recv().await?, message)
}

async fn fragments<T>(peer: &Peer, parts: &[&T]) -> Result<(), Error>
where
    T: ?Sized + AsRef<[u8]>,
    Message: for<'a> From<&'a T>,
{
    let mut ws = peer.open("/echo").await?;
    for (index, part) in parts.iter().enumerate() {
        ws.feed_fragment(*part, index == parts.len() - 1).await?;
    }
    let whole: Vec<u8> = parts.iter().flat_map(|part| part.as_ref().to_vec()).collect();
    match ws.recv().await? {
        Some(message) if message.as_bytes() == whole => Ok(()),
        other => Err(format!("{} instead", show(other.as_ref())).into()),
    }
}

async fn fragments_ping(peer: &Peer) -> Result<(), Error> {
    let mut ws = peer.open("/echo").await?;
    ws.feed_fragment("one-", false).await?;
    ws.ping("between").await?;
    ws.feed_fragment("two", true).await?;
    same(ws.recv().await?, "one-two".into())?;
    // The Pong with the same payload; it may come behind the echo.
    answered(&mut ws).await?;
    Ok(())
}

async fn ping(peer: &Peer, payload: String) -> Result<(), Error> {
    let mut ws = peer.open("/echo").await?;
    ws.ping(payload).await?;
    answered(&mut ws).await?;
    Ok(())
}

async fn arrives(peer: &Peer, path: &str, message: impl Into<Message>) -> Result<(), Error> {
    let mut ws = peer.open(path).await?;
    same(ws.recv().await?, message.into())
}

async fn close_by_us(peer: &Peer, words: &[&str]) -> Result<(), Error> {
    let mut ws = peer.open("/echo").await?;
    let close = close_frame(words)?;
    let code = close.code();
    timeout(CLOSE_LIMIT, ws.close(close)).await??;
    closed_with(&ws, code, None)
}

async fn close_by_peer(peer: &Peer, words: &[&str]) -> Result<(), Error> {
    let expected = close_frame(words)?;
    let path = if words == ["none"] { String::new() } else { format!("/{}", words.join("/")) };
    let mut ws = peer.open(&format!("/close{path}")).await?;
    if let Some(message) = timeout(CLOSE_LIMIT, ws.recv()).await?? {
        return Err(format!("{} instead of a Close", show(Some(&message))).into());
    }
    closed_with(&ws, expected.code(), Some(expected.reason()))
}

fn closed_with(ws: &WebSocket, code: CloseCode, reason: Option<&str>) -> Result<(), Error> {
    let close = ws.peer_close().ok_or("no Close")?;
    if close.code() != code || reason.is_some_and(|reason| reason != close.reason()) {
        return Err(format!("closed with {close:?}").into());
    }
    Ok(())
}

async fn subprotocol(peer: &Peer, offered: &[&str], expected: Option<&str>) -> Result<(), Error> {
    let mut request = peer.client().request(format!("{}/echo", peer.url));
    for name in offered {
        request = request.subprotocol(name);
    }
    let ws = request.connect().await?;
    if ws.subprotocol() == expected {
        Ok(())
    } else {
        Err(format!("{:?} was chosen", ws.subprotocol()).into())
    }
}

/// All have their first message back before any sends its second, and all have begun to close before any has.
async fn sockets(peer: &Peer, count: usize) -> Result<(), Error> {
    let client = peer.client();
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let (client, url) = (client.clone(), format!("{}/echo", peer.url));
        opening.spawn(async move { client.connect(url).await });
    }
    let mut sockets = opening.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let connection = sockets[0].connection_id();
    if let Some(other) = sockets.iter().find(|ws| ws.connection_id() != connection) {
        return Err(format!("{:?} and {connection:?}", other.connection_id()).into());
    }
    for size in [10, 10_000] {
        let text = |number| format!("{number:010}").repeat(size / 10);
        for (number, ws) in sockets.iter_mut().enumerate() {
            ws.send(text(number)).await?;
        }
        for (number, ws) in sockets.iter_mut().enumerate() {
            same(ws.recv().await?, text(number).into())?;
        }
    }
    let mut closing = JoinSet::new();
    for mut ws in sockets {
        closing.spawn(async move {
            timeout(CLOSE_LIMIT, ws.close(CloseCode::GOING_AWAY)).await??;
            closed_with(&ws, CloseCode::GOING_AWAY, None)
        });
    }
    closing.join_all().await.into_iter().collect()
}

/// Whatever way one ends, another on its connection goes on.
async fn sockets_apart(peer: &Peer) -> Result<(), Error> {
    let client = peer.client();
    let mut other = peer.open_by(&client, "/echo").await?;
    let connection = other.connection_id();
    let open = async |path| match peer.open_by(&client, path).await? {
        ws if ws.connection_id() == connection => Ok(ws),
        ws => Err(Error::from(format!("{:?} and {connection:?}", ws.connection_id()))),
    };
    timeout(CLOSE_LIMIT, open("/echo").await?.close(CloseCode::GOING_AWAY)).await??;
    if let Some(message) = timeout(CLOSE_LIMIT, open("/close/4000").await?.recv()).await?? {
        return Err(format!("{} instead of a Close", show(Some(&message))).into());
    }
    open("/echo").await?.send("broken off").await?;
    sleep(Duration::from_secs(3)).await;
    other.send("still here").await?;
    same(other.recv().await?, "still here".into())?;
    timeout(CLOSE_LIMIT, other.close(CloseCode::NORMAL)).await??;
    Ok(())
}
