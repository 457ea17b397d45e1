//! Measures what an idle WebSocket costs a server: resident memory per socket, its task included.
//!
//! `idle_memory [--sockets N] [--used] [--deflate SETTING]`
//!
//! The server is this process; the clients are a process of their own. With `--used` every socket has echoed
//! a message of 1 KiB before it is measured; with `--deflate` that was compressed, see [`examples::deflate`]. It fails
//! if a socket costs 4 KiB or more; with permessage-deflate 40 KiB, or 8 KiB if the setting is `small`. Each socket is
//! an open file, so the usual limit of 1024 has to be raised first: `ulimit -n 20000`.

use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use examples::{Error, report};
use sheave::{Config, Request, Server};
use tokio::io::AsyncReadExt;

/// Connections that are made before the measurement and stay: what the first ones bring into memory for good is not
/// counted, and nothing of theirs is free for the others to use.
const WARM: usize = 100;
/// Open files that are no sockets of WebSockets.
const OTHER_FILES: usize = 50;

/// How the sockets are used.
#[derive(Debug, Default)]
struct Use {
    /// Each echoes a message.
    once: bool,
    deflate: Option<String>,
}

impl Use {
    fn config(&self) -> Result<Config, Error> {
        let deflate = self.deflate.as_deref().map(examples::deflate).transpose()?;
        Ok(Config::default().deflate(deflate))
    }

    /// What a socket must not cost, in KiB.
    fn bound(&self) -> usize {
        match self.deflate.as_deref() {
            None => 4,
            Some("small") => 8,
            Some(_) => 40,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, ValueExt as _};
    let (mut sockets, mut used, mut client) = (10_000_usize, Use::default(), None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("sockets") => sockets = parser.value()?.parse()?,
            Long("used") => used.once = true,
            Long("deflate") => used.deflate = Some(parser.value()?.string()?),
            Long("client") => client = Some(parser.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if sockets == 0 {
        return Err("at least one socket is needed".into());
    }
    match client {
        Some(url) => hold(&url, sockets, &used).await,
        None => {
            enough_files(WARM + sockets + OTHER_FILES)?;
            measure(sockets, &used).await
        }
    }
}

/// The server's side.
async fn measure(sockets: usize, used: &Use) -> Result<(), Error> {
    let open = Arc::new(AtomicUsize::new(0));
    let server = Server::bind("127.0.0.1:0").config(used.config()?).build().await?;
    let url = format!("ws://{}", server.local_addr().ok_or("not a TCP server")?);
    let counter = Arc::clone(&open);
    tokio::spawn(
        server
            .serve(move |request: Request| {
                let open = Arc::clone(&counter);
                async move {
                    let mut ws = request.accept().await?;
                    open.fetch_add(1, Ordering::Relaxed);
                    while let Some(message) = ws.recv().await? {
                        ws.feed(message).await?;
                    }
                    Ok(())
                }
            })
            .into_future(),
    );

    let warm = spawn_clients(&url, WARM, used)?;
    let warm = wait(warm, &open, WARM).await?;
    let before = resident()?;
    let many = spawn_clients(&url, sockets, used)?;
    let many = wait(many, &open, WARM + sockets).await?;
    let after = resident()?;
    drop((warm, many));
    let each = after.saturating_sub(before) / sockets;
    let once = if used.once { ", each used once" } else { "" };
    let deflate = used.deflate.as_ref().map(|setting| format!(", permessage-deflate {setting}"));
    println!("{sockets} idle sockets{once}{}: {each} bytes each", deflate.unwrap_or_default());
    let bound = used.bound();
    if each < bound << 10 { Ok(()) } else { Err(format!("a socket must cost less than {bound} KiB").into()) }
}

/// An error unless this process, and so the clients' too, may have as many files open.
fn enough_files(needed: usize) -> Result<(), Error> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .ok_or("no limit of open files")?;
    let soft = line.split_whitespace().next().ok_or("no number")?;
    if soft != "unlimited" && soft.parse::<usize>()? < needed {
        return Err(format!(
            "{needed} files have to be open, and {soft} may be: raise that with `ulimit -n {needed}`, or measure \
             fewer with --sockets"
        )
        .into());
    }
    Ok(())
}

/// Waits until the clients say that they are connected; the process is kept alive by what is returned.
async fn wait(
    mut clients: tokio::process::Child,
    open: &AtomicUsize,
    expected: usize,
) -> Result<tokio::process::Child, Error> {
    let mut ready = [0; 6];
    let stdout = clients.stdout.as_mut().ok_or("no output of the clients")?;
    tokio::time::timeout(Duration::from_secs(120), stdout.read_exact(&mut ready)).await??;
    while open.load(Ordering::Relaxed) < expected {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Handshakes' buffers are let go of before the measurement.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(clients)
}

fn spawn_clients(url: &str, sockets: usize, used: &Use) -> Result<tokio::process::Child, Error> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.args(["--client", url, "--sockets", &sockets.to_string()]);
    command.args(used.once.then_some("--used"));
    command.args(used.deflate.iter().flat_map(|setting| ["--deflate", setting]));
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?)
}

/// The clients' side: connects, says so, and stays until its input ends.
async fn hold(url: &str, sockets: usize, used: &Use) -> Result<(), Error> {
    let client = sheave::Client::builder().config(used.config()?).build();
    let mut held = Vec::with_capacity(sockets);
    for _ in 0..sockets {
        let mut ws = client.connect(url).await?;
        if used.once {
            let message: String = (0..150).map(|i| format!("{},", i * sockets)).collect();
            ws.send(&message[..message.len().min(1024)]).await?;
            ws.recv().await?;
        }
        held.push(ws);
    }
    println!("ready");
    std::io::Write::flush(&mut std::io::stdout())?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// This process's resident memory in bytes.
fn resident() -> Result<usize, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: usize = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib * 1024)
}
