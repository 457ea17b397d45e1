//! Many WebSockets on few connections, and what that costs a server.
//!
//! `multiplex [--sockets N] [--per-connection N] [--deflate SETTING]`
//!
//! The server is this process; the clients, one [`sheave::Client`], are a process of their own. All sockets are opened by
//! HTTP/2; each echoes a message; one in a hundred is then sent what it does not read, while all others echo again; one in
//! ten is dropped and opened anew; and at last all are closed. Printed are the connections, the server's resident memory
//! per idle socket, which has to be 1 600 bytes at most (with permessage-deflate: 40 KiB), and how much memory is held in
//! the end.
//! Default: 1 000 sockets, 1 000 per connection.

use std::collections::HashSet;
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use examples::{Error, report};
use sheave::{CloseCode, Config, ConnectionId, Request, Server, Versions, WebSocket, h2};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long one step may take.
const LIMIT: Duration = Duration::from_secs(300);
/// Sockets that are opened before all others and closed again: what the first ones bring into memory for good is not counted.
const WARM: usize = 100;
/// What a socket that does not read is sent, as often as fits.
const FLOOD: usize = 64 << 10;

#[derive(Clone, Debug)]
struct Options {
    sockets: usize,
    per_connection: u32,
    deflate: Option<String>,
}

impl Options {
    fn config(&self) -> Result<Config, Error> {
        let deflate = self.deflate.as_deref().map(examples::deflate).transpose()?;
        Ok(Config::default().deflate(deflate))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, ValueExt as _};
    let mut options = Options { sockets: 1000, per_connection: 1000, deflate: None };
    let mut client = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("sockets") => options.sockets = parser.value()?.parse()?,
            Long("per-connection") => options.per_connection = parser.value()?.parse()?,
            Long("deflate") => options.deflate = Some(parser.value()?.string()?),
            Long("client") => client = Some(parser.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.sockets == 0 || options.per_connection == 0 {
        return Err("at least one socket is needed".into());
    }
    match client {
        Some(url) => Clients::new(url, &options)?.obey().await,
        None => serve(&options).await,
    }
}

/// What the server knows of its sockets.
#[derive(Debug, Default)]
struct Seen {
    open: AtomicUsize,
    connections: Mutex<HashSet<ConnectionId>>,
}

/// The server's side: tells the clients what to do, and measures.
async fn serve(options: &Options) -> Result<(), Error> {
    let seen = Arc::new(Seen::default());
    let windows = h2::Config::default()
        .max_concurrent_streams(options.per_connection)
        .initial_window_size(16 << 10)
        .connection_window_size(32 << 20);
    let server = Server::bind("127.0.0.1:0").config(options.config()?).http2(windows).build().await?;
    let url = format!("ws://{}", server.local_addr().ok_or("not a TCP server")?);
    let counter = Arc::clone(&seen);
    tokio::spawn(server.serve(move |request| echo(request, Arc::clone(&counter))).into_future());

    let mut clients = Remote::start(&url, options)?;
    clients.told("open", WARM, &seen, WARM).await?;
    clients.told("echo", WARM, &seen, WARM).await?;
    clients.told("close", WARM, &seen, 0).await?;
    let start = resident()?;

    let sockets = options.sockets;
    clients.told("open", sockets, &seen, sockets).await?;
    clients.told("echo", sockets, &seen, sockets).await?;
    let each = resident()?.saturating_sub(start) / sockets;
    let connections = seen.connections.lock().unwrap_or_else(PoisonError::into_inner).len();
    println!(
        "{sockets} sockets on {connections} connections, each has echoed: {each} bytes each on the server"
    );
    clients.told("deafen", sockets.div_ceil(100), &seen, sockets).await?;
    clients.told("echo", sockets - sockets.div_ceil(100), &seen, sockets).await?;
    println!(
        "{} of them do not read what they are sent: the others have echoed again",
        sockets.div_ceil(100)
    );
    clients.told("renew", sockets.div_ceil(10), &seen, sockets).await?;
    clients.told("echo", sockets - sockets.div_ceil(100), &seen, sockets).await?;
    println!("{} were dropped and opened anew: all but the deaf have echoed again", sockets.div_ceil(10));
    clients.told("close", sockets, &seen, 0).await?;
    let end = resident()?;
    println!("all are closed: {} KiB are held, {} KiB were before", end >> 10, start >> 10);

    let most = if options.deflate.is_some() { 40 << 10 } else { 1600 };
    if each > most {
        return Err(format!("a socket must cost {most} bytes at most").into());
    }
    Ok(())
}

async fn echo(request: Request, seen: Arc<Seen>) -> Result<(), sheave::Error> {
    let id = request.connection_id();
    let mut ws = request.accept().await?;
    seen.connections.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    let _open = Open::new(seen);
    while let Some(message) = ws.recv().await? {
        match message.len() {
            // Who says this does not read what it gets.
            0 => loop {
                ws.send(vec![0; FLOOD]).await?;
            },
            _ => ws.feed(message).await?,
        }
    }
    Ok(())
}

/// Counts a socket while it is there.
struct Open(Arc<Seen>);

impl Open {
    fn new(seen: Arc<Seen>) -> Self {
        seen.open.fetch_add(1, Ordering::Relaxed);
        Self(seen)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The process of the clients.
struct Remote {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Remote {
    fn start(url: &str, options: &Options) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--client", url]);
        command.args(options.deflate.iter().flat_map(|setting| ["--deflate", setting]));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { _child: child, input, output })
    }

    /// Has the clients do something with so many sockets, and waits until it is done and so many are open here.
    async fn told(&mut self, what: &str, sockets: usize, seen: &Seen, open: usize) -> Result<(), Error> {
        let told = async {
            self.input.write_all(format!("{what} {sockets}\n").as_bytes()).await?;
            let mut line = String::new();
            self.output.read_line(&mut line).await?;
            if line.trim() != "done" {
                return Err(Error::from(format!("{what}: the clients have failed")));
            }
            while seen.open.load(Ordering::Relaxed) != open {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // What a peer has to hear of an end may take a second.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            Ok(())
        };
        tokio::time::timeout(LIMIT, told).await.map_err(|_| format!("{what} took too long"))?
    }
}

/// The clients' side.
struct Clients {
    url: String,
    client: sheave::Client,
    /// Those that read.
    sockets: Vec<WebSocket>,
    deaf: Vec<WebSocket>,
}

impl Clients {
    fn new(url: String, options: &Options) -> Result<Self, Error> {
        let client =
            sheave::Client::builder().versions(Versions::Http2Only).config(options.config()?).build();
        Ok(Self { url, client, sockets: Vec::new(), deaf: Vec::new() })
    }

    /// Does what it is told until its input ends.
    async fn obey(mut self) -> Result<(), Error> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            let (what, number) = line.split_once(' ').ok_or("no number")?;
            let number: usize = number.parse()?;
            match what {
                "open" => self.open(number).await?,
                "echo" => self.echo(number).await?,
                "deafen" => self.deafen(number).await?,
                "renew" => {
                    self.sockets.drain(..number);
                    self.open(number).await?;
                }
                "close" => {
                    self.deaf.clear();
                    for ws in &mut self.sockets {
                        ws.start_close(CloseCode::NORMAL);
                        ws.flush().await?;
                    }
                    for ws in &mut self.sockets {
                        while ws.recv().await?.is_some() {}
                    }
                    self.sockets = Vec::new();
                }
                _ => return Err("no such task".into()),
            }
            println!("done");
            std::io::Write::flush(&mut std::io::stdout())?;
        }
        Ok(())
    }

    async fn open(&mut self, number: usize) -> Result<(), Error> {
        for _ in 0..number {
            self.sockets.push(self.client.connect(&self.url).await?);
        }
        Ok(())
    }

    /// All of those that read send a message, and then each has it back.
    async fn echo(&mut self, number: usize) -> Result<(), Error> {
        if self.sockets.len() != number {
            return Err(format!("{} sockets instead of {number}", self.sockets.len()).into());
        }
        for (i, ws) in self.sockets.iter_mut().enumerate() {
            ws.send(format!("socket {i}")).await?;
        }
        for (i, ws) in self.sockets.iter_mut().enumerate() {
            examples::same(ws.recv().await?, format!("socket {i}").into())?;
        }
        Ok(())
    }

    /// Has some sent more than they read.
    async fn deafen(&mut self, number: usize) -> Result<(), Error> {
        for mut ws in self.sockets.split_off(self.sockets.len() - number) {
            ws.send("").await?;
            self.deaf.push(ws);
        }
        Ok(())
    }
}

/// This process's resident memory in bytes.
fn resident() -> Result<usize, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: usize = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib * 1024)
}
