//! HTTP/2 (RFC 8441): every pair of a client and a server of which at least one is ours, also with proxies between.

use std::path::PathBuf;
use std::process::Command;

use super::peers::{Peers, Programs, trusting};
use super::proxies::Proxy;
use super::their_deflate_checks;
use super::{CLOSES, OUR_DEFLATE_CHECKS, combinations, deflate_checks, large_checks, message_checks};
use crate::checks::{START_LIMIT, conclude, end_of_server, run_client};
use crate::process::Helper;
use crate::{Outcome, Tally, workspace};

/// Window bits of server and client.
const WINDOW_BITS: [(u8, u8); 3] = [(15, 15), (9, 9), (10, 12)];
/// Many sockets on one connection.
const SOCKETS: [&str; 2] = ["sockets-100", "sockets-apart"];
/// With what code a server closes in `sockets-apart`.
const CLOSE_APART: &str = "4000";

pub(super) fn run() -> Outcome {
    let peers = Peers::prepare()?;
    let programs = Programs::prepare()?;
    let [server, client, deflate] =
        workspace::build_examples(["interop_server", "interop_client", "interop_deflate"])?;
    let all = All { peers, programs, server, client, deflate };
    pairs().into_iter().try_fold(Tally::default(), |tally, (client, site)| Ok(tally + all.run(client, site)?))
}

/// Who meets whom.
fn pairs() -> Vec<(Client, Site)> {
    let mut pairs = Vec::new();
    for tls in [false, true] {
        let ours = Site { server: Server::Sheave, behind: None, tls };
        let clients = [Client::Wsproto, Client::Node, Client::Undici, Client::Hyper, Client::Sheave];
        pairs.extend(clients.map(|client| (client, ours)));
        let servers = [Server::Hypercorn, Server::Node, Server::Axum];
        pairs.extend(servers.map(|server| (Client::Sheave, Site { server, ..ours })));
        pairs.push((Client::Sheave, websockets_behind_nghttpx(tls)));
    }
    let ours = Site { server: Server::Sheave, behind: None, tls: false };
    let servers = [Server::Sheave, Server::Hypercorn, Server::Node];
    pairs.extend(servers.map(|server| (Client::SheaveDeflate, Site { server, ..ours })));
    pairs.push((Client::SheaveDeflate, websockets_behind_nghttpx(false)));

    for proxy in [Proxy::Nghttpx, Proxy::Haproxy] {
        let http2 = Site { behind: Some((proxy, true)), ..ours };
        // These speak HTTP/1.1 with the proxy.
        pairs.extend([Client::Websockets, Client::WebsocketsDeflate].map(|client| (client, http2)));
        let clients = [Client::Wsproto, Client::Node, Client::Sheave];
        pairs.extend(clients.map(|client| (client, Site { tls: true, ..http2 })));
    }
    let http1 = Site { behind: Some((Proxy::Nghttpx, false)), tls: true, ..ours };
    pairs.extend([Client::Node, Client::Sheave].map(|client| (client, http1)));
    pairs
}

fn websockets_behind_nghttpx(tls: bool) -> Site {
    Site { server: Server::Websockets, behind: Some((Proxy::Nghttpx, false)), tls }
}

#[derive(Clone, Copy, PartialEq)]
enum Client {
    Wsproto,
    Node,
    Undici,
    Hyper,
    /// Of HTTP/1.1, in front of a proxy.
    Websockets,
    WebsocketsDeflate,
    Sheave,
    SheaveDeflate,
}

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::Wsproto => "python h2 and wsproto client",
            Self::Node => "node http2 and ws client",
            Self::Undici => "undici client",
            Self::Hyper => "hyper and tungstenite client",
            Self::Websockets => "python websockets client by HTTP/1.1",
            Self::WebsocketsDeflate => "python websockets client by HTTP/1.1, deflate",
            Self::Sheave => "sheave client",
            Self::SheaveDeflate => "sheave client, deflate",
        }
    }

    /// Whether it is told what to check; else it checks all that it knows.
    fn is_told(self) -> bool {
        !matches!(self, Self::Websockets | Self::WebsocketsDeflate)
    }

    /// All that it checks.
    fn checks(self) -> Vec<String> {
        let messages = message_checks();
        let compression =
            [combinations(&["asked", "imposed", "echoed"], &WINDOW_BITS), large_checks()].concat();
        match self {
            Self::Wsproto => {
                let more = combinations(&["echoed"], &WINDOW_BITS);
                [messages, SOCKETS.map(str::to_owned).to_vec(), vec!["end-with-close".to_owned()], more]
                    .concat()
            }
            Self::Node => [messages, SOCKETS.map(str::to_owned).to_vec(), compression].concat(),
            Self::Undici => {
                let more = ["sockets-100", "echoed-15-15-both"].map(str::to_owned).to_vec();
                [messages, more].concat()
            }
            Self::Hyper | Self::Sheave => [messages, SOCKETS.map(str::to_owned).to_vec()].concat(),
            Self::Websockets => messages,
            Self::WebsocketsDeflate => [deflate_checks(), their_deflate_checks()].concat(),
            Self::SheaveDeflate => [compression, OUR_DEFLATE_CHECKS.map(str::to_owned).to_vec()].concat(),
        }
    }

    /// What it has no way to do, or not there; the README tells why.
    fn lacks(self, check: &str, site: Site) -> bool {
        match self {
            Self::Undici => {
                ["fragments-text", "fragments-binary", "fragments-ping", "close-1001", "close-1008"]
                    .contains(&check)
            }
            Self::Node => check.starts_with("large-") && site.is_behind(Proxy::Haproxy),
            _ => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    Hypercorn,
    Node,
    Axum,
    /// Of HTTP/1.1, behind a proxy.
    Websockets,
    Sheave,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Hypercorn => "hypercorn server",
            Self::Node => "node http2 and ws server",
            Self::Axum => "axum server",
            Self::Websockets => "python websockets server",
            Self::Sheave => "sheave server",
        }
    }

    /// What it has no way to do; the README tells why.
    fn lacks(self, check: &str) -> bool {
        match self {
            Self::Hypercorn => {
                ["fragments-by-peer", "ping-by-peer", "close-by-peer-none", "sockets-apart"].contains(&check)
                    || OUR_DEFLATE_CHECKS.contains(&check)
                    || ["asked-", "imposed-", "large-"].iter().any(|prefix| check.starts_with(prefix))
            }
            Self::Axum => check == "fragments-by-peer",
            Self::Node | Self::Websockets | Self::Sheave => false,
        }
    }

    /// Whether it tells how the closes end that it begins.
    fn tells_closes(self) -> bool {
        matches!(self, Self::Node | Self::Axum | Self::Websockets)
    }
}

/// A server, perhaps with a proxy in front, to which it speaks HTTP/2 or not. TLS is at the very front.
#[derive(Clone, Copy)]
struct Site {
    server: Server,
    behind: Option<(Proxy, bool)>,
    tls: bool,
}

impl Site {
    fn is_behind(self, proxy: Proxy) -> bool {
        self.behind.is_some_and(|(behind, _)| behind == proxy)
    }

    fn name(self) -> String {
        let behind = self.behind.map(|(proxy, http2)| {
            format!(" behind {} by {}", proxy.name(), if http2 { "HTTP/2" } else { "HTTP/1.1" })
        });
        let transport = if self.tls { "TLS" } else { "plain" };
        format!("{}{}, {transport}", self.server.name(), behind.unwrap_or_default())
    }
}

/// What a client has to report there.
fn checks(client: Client, site: Site) -> Vec<String> {
    let mut checks = client.checks();
    checks.retain(|check| !client.lacks(check, site) && !site.server.lacks(check));
    checks
}

/// What a server has to report once these checks are made.
fn closes_seen(checks: &[String]) -> Vec<String> {
    let made = |check: &str| checks.iter().any(|made| made == check);
    let closes = CLOSES.iter().filter(|close| made(&format!("close-by-peer-{close}")));
    let apart = made("sockets-apart").then_some(&CLOSE_APART);
    closes.chain(apart).map(|close| format!("close-seen-{close}")).collect()
}

/// Everything that runs.
struct All {
    peers: Peers,
    programs: Programs,
    server: PathBuf,
    client: PathBuf,
    deflate: PathBuf,
}

impl All {
    fn run(&self, client: Client, site: Site) -> Outcome {
        let title = format!("{}, {}", client.name(), site.name());
        let running = self.start(site, &title)?;
        let mut checks = checks(client, site);
        let mut command = self.client(client, site);
        trusting(command.arg(&running.url), running.ca.as_deref());
        if client.is_told() {
            command.args(&checks);
        }
        let (mut lines, ended) = run_client(&mut command, &self.peers.log(&title))?;
        drop(running.proxy);
        let title = format!("interop {title}");
        if site.server == Server::Sheave {
            return Ok(conclude(&title, &checks, &lines, ended) + end_of_server(running.server, &title));
        }
        let told = running.server.close(START_LIMIT)?;
        if site.server.tells_closes() {
            checks.extend(closes_seen(&checks));
            lines.extend(told);
        }
        Ok(conclude(&title, &checks, &lines, ended))
    }

    fn client(&self, client: Client, site: Site) -> Command {
        let mut command = match client {
            Client::Wsproto => self.peers.python("h2/wsproto_client"),
            Client::Node => self.peers.node("h2/node_client"),
            Client::Undici => self.peers.node("h2/undici_client"),
            Client::Hyper => self.programs.rust("hyper_client"),
            Client::Websockets => self.peers.python("client"),
            Client::WebsocketsDeflate => self.peers.python("deflate"),
            Client::Sheave => Command::new(&self.client),
            Client::SheaveDeflate => Command::new(&self.deflate),
        };
        if matches!(client, Client::Sheave | Client::SheaveDeflate) {
            command.arg(if site.tls { "--http2" } else { "--h2c" });
        }
        command
    }

    fn start(&self, site: Site, title: &str) -> Result<Running, String> {
        let certificates = &self.peers.certificates;
        let tls = site.tls && site.behind.is_none();
        let mut command = match site.server {
            Server::Hypercorn => self.peers.python("h2/hypercorn_server"),
            Server::Node => self.peers.node("h2/node_server"),
            Server::Axum => self.programs.rust("axum_server"),
            Server::Websockets => self.peers.python("server"),
            Server::Sheave => Command::new(&self.server),
        };
        let mut ca = site.tls.then(|| certificates.ca.clone());
        if site.server == Server::Sheave {
            command.args(["--addr", "127.0.0.1:0", "--until-stdin-ends"]);
            // By itself it has to tell the versions apart.
            command.args(site.behind.map(|(_, http2)| if http2 { "--h2c" } else { "--http1" }));
            if tls {
                let own = self.peers.file("sheave-ca.pem");
                command.arg("--tls").arg("--ca-out").arg(&own);
                ca = Some(own);
            }
        } else if tls {
            command.arg(&certificates.chain).arg(&certificates.key);
        }
        let mut server = Helper::start(&mut command, &self.peers.log(&format!("{title} server")))?;
        let url = server.wait_for("listening on ", START_LIMIT)?;
        let Some((proxy, http2)) = site.behind else { return Ok(Running { server, proxy: None, url, ca }) };
        let address = url.strip_prefix("ws://").ok_or("a server with another scheme")?;
        let (proxy, url) = proxy.start(&self.peers, &self.programs, title, address, http2, site.tls)?;
        Ok(Running { server, proxy: Some(proxy), url, ca })
    }
}

/// What a site is when it runs.
struct Running {
    server: Helper,
    proxy: Option<Helper>,
    url: String,
    ca: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_of_every_pair_have_names_of_their_own() {
        for (client, site) in pairs() {
            let mut checks = checks(client, site);
            assert!(checks.len() > 10, "{}, {}", client.name(), site.name());
            let count = checks.len();
            checks.sort();
            checks.dedup();
            assert_eq!(checks.len(), count);
        }
    }

    #[test]
    fn what_is_left_out_is_left_out_by_name() {
        let ours = Site { server: Server::Sheave, behind: None, tls: false };
        let at = |server| Site { server, ..ours };
        let behind = Site { behind: Some((Proxy::Haproxy, true)), ..ours };
        for (client, site, count) in [
            (Client::Wsproto, ours, 41 + 3 + 12),
            (Client::Node, ours, 41 + 2 + 40),
            (Client::Node, behind, 41 + 2 + 36),
            (Client::Undici, ours, 41 - 5 + 2),
            (Client::Sheave, at(Server::Hypercorn), 41 + 2 - 4),
            (Client::Sheave, at(Server::Axum), 41 + 2 - 1),
            (Client::SheaveDeflate, at(Server::Hypercorn), 12),
        ] {
            assert_eq!(checks(client, site).len(), count, "{}, {}", client.name(), site.name());
        }
        assert_eq!(closes_seen(&checks(Client::Sheave, ours)).len(), CLOSES.len() + 1);
        assert_eq!(closes_seen(&checks(Client::SheaveDeflate, ours)).len(), 0);
    }
}
