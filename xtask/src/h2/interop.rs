//! Every pair of a client and a server, plain and over TLS.

use std::path::Path;
use std::process::Command;

use super::peers::{Peer, Peers, nghttp2};
use super::{OurServer, Table, dir, hpack, log, programs};
use crate::checks::{START_LIMIT, conclude, run_client_with};
use crate::process::Helper;
use crate::{Outcome, Tally, ports, workspace};

/// What every client of the contract checks, in this order: after `shutdown` there is no server.
const CHECKS: [&str; 17] = [
    "get",
    "head",
    "echo-0",
    "echo-1",
    "echo-16383",
    "echo-65536",
    "echo-1048576",
    "echo-16777216",
    "trailers",
    "trailers-echo",
    "early-hints",
    "fields",
    "streams-1000",
    "cancel",
    "reset",
    "connect",
    "shutdown",
];
/// What nghttpd cannot serve, which has files and gives uploads back once they are whole; and trailers, see below.
const NGHTTPD_LACKS: [&str; 8] =
    ["trailers", "trailers-echo", "early-hints", "fields", "streams-1000", "reset", "connect", "shutdown"];
/// It sends trailers always or never.
const NGHTTPD_TRAILERS: &str = "trailers";
/// What a client prints when it has requests and wants the server to end.
const SHUT_DOWN: &str = "shut down";

pub(super) fn run(table: &mut Table) -> Result<(), String> {
    let peers = Peers::prepare()?;
    let [server, client, hpack] = workspace::build_examples(["h2_server", "interop_h2", "interop_hpack"])?;
    for tls in [false, true] {
        let transport = if tls { "TLS" } else { "h2c" };
        for peer in Peer::ALL {
            let title = format!("{} client, sheave server, {transport}", peer.name());
            let theirs = peers.command(peer, "client");
            table.add(&title, against_our_server(&title, theirs, peer.lacks(), &server, tls)?);
            let title = format!("sheave client, {} server, {transport}", peer.name());
            table.add(&title, against_their_server(&title, &client, peer, &peers, tls)?);
        }
        let title = format!("sheave client, sheave server, {transport}");
        table.add(&title, against_our_server(&title, Command::new(&client), &[], &server, tls)?);
        let title = format!("sheave client, nghttpd, {transport}");
        table.add(&title, against_nghttpd(&title, &client, &peers, tls)?);
        programs::run(table, &server, tls)?;
    }
    hpack::run(table, &peers, &hpack)
}

fn checks(lacks: &[&str]) -> Vec<String> {
    let checks = CHECKS.iter().filter(|check| !lacks.contains(check));
    checks.map(|check| (*check).to_owned()).collect()
}

fn against_our_server(title: &str, client: Command, lacks: &[&str], server: &Path, tls: bool) -> Outcome {
    let mut server = OurServer::start(server, title, tls)?;
    let (url, ca) = (&server.url, server.ca.as_deref());
    let tally = make(title, &checks(lacks), client, url, ca, &mut server.helper)?;
    Ok(tally + server.end(title))
}

fn against_their_server(title: &str, client: &Path, peer: Peer, peers: &Peers, tls: bool) -> Outcome {
    let certificates = &peers.certificates;
    let mut server = peers.command(peer, "server");
    if tls {
        server.arg(&certificates.chain).arg(&certificates.key);
    }
    let mut server = Helper::start(&mut server, &log(&format!("{title} server")))?;
    let url = server.wait_for("listening on ", START_LIMIT)?;
    let ca = tls.then_some(&*certificates.ca);
    let tally = make(title, &checks(peer.lacks()), Command::new(client), &url, ca, &mut server)?;
    server.close(START_LIMIT)?;
    Ok(tally)
}

fn against_nghttpd(title: &str, client: &Path, peers: &Peers, tls: bool) -> Outcome {
    let files = dir().join("files");
    programs::write_files(&files)?;
    let plain = checks(&NGHTTPD_LACKS);
    let mut tally = Tally::default();
    for (checks, option) in
        [(&plain[..], None), (&[NGHTTPD_TRAILERS.to_owned()], Some("--trailer=checksum: 27"))]
    {
        let port = ports::free()?;
        let mut server = nghttp2("nghttpd")?;
        server.args(["--address=127.0.0.1", "--echo-upload", "--htdocs"]).arg(&files).args(option);
        let scheme = if tls {
            server.arg(port.to_string()).arg(&peers.certificates.key).arg(&peers.certificates.chain);
            "https"
        } else {
            server.arg("--no-tls").arg(port.to_string());
            "http"
        };
        let mut server = Helper::start(&mut server, &log(&format!("{title} server")))?;
        ports::wait_for(port, START_LIMIT)?;
        let url = format!("{scheme}://127.0.0.1:{port}");
        let ca = tls.then_some(&*peers.certificates.ca);
        tally += make(title, checks, Command::new(client), &url, ca, &mut server)?;
    }
    Ok(tally)
}

/// Has a client make the checks. When it says so, the server is asked to end.
fn make(
    title: &str,
    checks: &[String],
    mut client: Command,
    url: &str,
    ca: Option<&Path>,
    server: &mut Helper,
) -> Outcome {
    client.arg(url).args(ca.iter().flat_map(|ca| [Path::new("--ca"), ca])).args(checks);
    let (lines, ended) = run_client_with(&mut client, &log(title), |line| {
        if line == SHUT_DOWN {
            server.ask_to_end();
        }
    })?;
    Ok(conclude(&format!("h2 {title}"), checks, &lines, ended))
}
