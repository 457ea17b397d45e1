//! The server of the check with a real browser; `xtask/browser/README.md` tells what is checked.
//!
//! `browser_check [--addr HOST:PORT] [--tls [--ca-out FILE]] [--until-stdin-ends]`
//!
//! Serves the page of the demo, and `/check`, a page that checks the browser's WebSockets and posts what came of it. Prints
//! these lines and, once it has ended, its own view of the same.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use examples::demo::{SUBPROTOCOL, Site, respond, version};
use examples::{Error, ServerOptions, close_frame, serve};
use http::{Method, Response, StatusCode};
use sheave::{ConnectionId, Request, Server, WebSocket, h2};

const PAGE: &str = include_str!("../../demo/check.html");
const SCRIPT: &str = include_str!("../../demo/check.js");
/// How the sockets under `/check/ended/NAME` have to end: the code of the browser's Close, and its reason.
const ENDS: [(&str, u16, &str); 4] = [
    ("close-1000", 1000, ""),
    ("close-3000", 3000, ""),
    ("close-4999-reason", 4999, "reason"),
    ("close-none", 1005, ""),
];
const RESET: &str = "reset with CANCEL";
/// How many WebSockets the checking page opens.
const SOCKETS: usize = 133;

fn main() -> ExitCode {
    serve("127.0.0.1:0", run)
}

async fn run(options: ServerOptions) -> Result<(), Error> {
    let builder =
        Site::server(Server::bind(&options.addr[..])).subprotocols([SUBPROTOCOL, "superchat", "chat"]);
    let server = options.listen(builder).await?;
    let check = Arc::new(Check::default());
    let handler = {
        let check = Arc::clone(&check);
        move |request: Request| {
            let check = Arc::clone(&check);
            async move { check.answer(request).await }
        }
    };
    server.serve(handler).with_graceful_shutdown(options.stop()).await?;
    check.conclude();
    Ok(())
}

/// The demo's page, the checking one, and what was seen of both.
#[derive(Debug, Default)]
struct Check {
    site: Site,
    seen: Mutex<Seen>,
}

/// What the server saw.
#[derive(Debug, Default)]
struct Seen {
    /// The versions of ordinary requests, and of those for a WebSocket.
    pages: BTreeSet<&'static str>,
    sockets: BTreeSet<&'static str>,
    connections: BTreeSet<ConnectionId>,
    opened: usize,
    uncompressed: usize,
    rejected: usize,
    /// How the sockets under `/check/ended/NAME` did end.
    ends: BTreeMap<String, String>,
    /// What went wrong with any socket.
    errors: Vec<String>,
}

impl Check {
    async fn answer(&self, request: Request) -> Result<(), sheave::Error> {
        {
            let mut seen = self.seen();
            seen.connections.insert(request.connection_id());
            let versions = if request.is_websocket() { &mut seen.sockets } else { &mut seen.pages };
            versions.insert(version(&request));
        }
        let path = request.path().to_owned();
        match path.strip_prefix("/check/") {
            Some("report") if request.method() == Method::POST => report(request).await,
            Some(path) if request.is_websocket() => {
                let result = self.socket(path, request).await;
                if let Err(error) = &result {
                    self.seen().errors.push(format!("{path}: {error}"));
                }
                result
            }
            None if path == "/check" => {
                let page = PAGE.replace("{version}", version(&request));
                let page = page.replace("{connection}", &request.connection_id().to_string());
                respond(request, "text/html; charset=utf-8", page).await
            }
            None if path == "/check.js" => respond(request, "text/javascript; charset=utf-8", SCRIPT).await,
            _ => self.site.answer(request).await,
        }
    }

    /// Does what the page expects of a WebSocket at this path.
    async fn socket(&self, path: &str, request: Request) -> Result<(), sheave::Error> {
        if path == "rejected" {
            self.seen().rejected += 1;
            return request.reject(StatusCode::FORBIDDEN, "not for you\n").await;
        }
        let hello =
            format!(r#"{{"version":"{}","connection":{}}}"#, version(&request), request.connection_id());
        let mut ws = request.accept().await?;
        {
            let mut seen = self.seen();
            seen.opened += 1;
            let compressed =
                ws.extensions().iter().any(|extension| extension.name() == sheave::deflate::NAME);
            seen.uncompressed += usize::from(!compressed);
        }
        let words: Vec<&str> = path.split('/').collect();
        match words[..] {
            ["echo"] => echo(&mut ws).await,
            ["hello"] => {
                ws.send(hello).await?;
                echo(&mut ws).await
            }
            ["close", ref close @ ..] => {
                Ok(ws.close(close_frame(close).map_err(sheave::Error::other)?).await?)
            }
            ["ended", name] => {
                let end = match echo(&mut ws).await {
                    Ok(()) => end(&ws),
                    // A page that is left resets its streams, and its Close may be lost by that.
                    Err(sheave::Error::Http2(h2::Error::Reset(h2::ErrorCode::CANCEL))) => RESET.to_owned(),
                    Err(error) => format!("an error: {error}"),
                };
                self.seen().ends.insert(name.to_owned(), end);
                Ok(())
            }
            ["reset"] => {
                let first = ws.recv().await?;
                if let Some(first) = first {
                    ws.send(first).await?;
                }
                ws.recv().await?;
                // Without a Close.
                drop(ws.split());
                Ok(())
            }
            ["ping", payload] => {
                ws.ping(payload.to_owned()).await?;
                // The time is there once the Pong with this payload is.
                while ws.rtt().is_none() {
                    if let Ok(message) = tokio::time::timeout(Duration::from_millis(5), ws.recv()).await {
                        let what = if message?.is_some() { "a message" } else { "the end" };
                        return Err(sheave::Error::other(format!("{what} instead of a Pong")));
                    }
                }
                ws.send(format!("pong {payload}")).await?;
                echo(&mut ws).await
            }
            _ => Err(sheave::Error::other("no such path")),
        }
    }

    /// Prints what the server has to say of it all.
    fn conclude(&self) {
        let seen = self.seen();
        let check = |name: &str, good: bool, otherwise: String| {
            if good { println!("ok {name}") } else { println!("FAIL {name} {otherwise}") }
        };
        let only = |versions: &BTreeSet<&str>| versions.len() == 1 && versions.contains("HTTP/2");
        check("server-page-version", only(&seen.pages), format!("pages came over {:?}", seen.pages));
        check("server-socket-version", only(&seen.sockets), format!("sockets came over {:?}", seen.sockets));
        check(
            "server-one-connection",
            seen.connections.len() == 1,
            format!("{} connections", seen.connections.len()),
        );
        check(
            "server-sockets",
            seen.opened == SOCKETS,
            format!("{} sockets were opened, not {SOCKETS}", seen.opened),
        );
        let uncompressed = format!("{} of {} sockets did not agree on it", seen.uncompressed, seen.opened);
        check("server-deflate", seen.opened > 0 && seen.uncompressed == 0, uncompressed);
        check("server-rejected", seen.rejected == 1, format!("{} attempts were rejected", seen.rejected));
        check("server-errors", seen.errors.is_empty(), seen.errors.join("; "));
        let end = |name: &str| seen.ends.get(name).map_or("nothing", String::as_str);
        for (name, code, reason) in ENDS {
            let (end, expected) = (end(name), describe(code, reason));
            check(&format!("server-{name}"), end == expected, format!("{end} instead of {expected}"));
        }
        let left = end("leave");
        check("server-leave", [RESET, &describe(1001, "")].contains(&left), left.to_owned());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints what the page says of a check.
async fn report(mut request: Request) -> Result<(), sheave::Error> {
    let line = request.body().await?;
    println!("{}", String::from_utf8_lossy(&line).replace(['\r', '\n'], " "));
    request.respond(Response::new("")).await
}

async fn echo(ws: &mut WebSocket) -> Result<(), sheave::Error> {
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

/// How the browser closed.
fn end(ws: &WebSocket) -> String {
    match ws.peer_close() {
        Some(close) => describe(close.code().get(), close.reason()),
        None => "no Close".to_owned(),
    }
}

fn describe(code: u16, reason: &str) -> String {
    format!("Close {code} {reason:?}")
}
