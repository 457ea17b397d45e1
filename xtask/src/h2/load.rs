//! Plain GETs under h2load, beside hyper: how much processor time a request takes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::peers::{Peer, Peers, nghttp2};
use super::{dir, log};
use crate::bench::{CORES, check_machine, middle, pinned, tick};
use crate::process::{self, Helper};
use crate::workspace;

const ROUNDS: usize = 5;
const REQUESTS: u32 = 200_000;
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Both servers in turn, each with one thread: medians and their ratio.
pub(super) fn run() -> Result<(), String> {
    check_machine()?;
    let peers = Peers::prepare()?;
    let [ours] = workspace::build_examples(["h2_server"])?;
    let hyper = peers.command(Peer::Hyper, "server");
    let mut ours = Command::new(ours);
    ours.args(["--addr", "127.0.0.1:0", "--until-stdin-ends"]);
    let tick = tick()?;
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        costs[0].push(measure("hyper", &hyper, tick)?);
        costs[1].push(measure("sheave", &ours, tick)?);
    }
    let [hyper, ours] = costs.map(middle);
    println!("GET of 27 bytes, h2load -c 1 -m 100, medians of {ROUNDS} interleaved rounds of {REQUESTS}:");
    println!(
        "hyper {hyper:.2} µs of processor time a request, sheave {ours:.2} µs, ratio {:.2}",
        ours / hyper
    );
    Ok(())
}

/// Microseconds of the server's processor time for each request; a tick is so many.
fn measure(name: &str, server: &Command, tick: f64) -> Result<f64, String> {
    let mut server = pinned(CORES[0], server);
    let mut server = Helper::start(server.env("TOKIO_WORKER_THREADS", "1"), &log(&format!("load {name}")))?;
    let url = server.wait_for("listening on ", Duration::from_secs(10))?;
    let before = ticks(server.id())?;
    let mut load = pinned(CORES[1], &nghttp2("h2load")?);
    load.args(["-c", "1", "-m", "100", "-n", &REQUESTS.to_string(), &format!("{url}/")]).current_dir(dir());
    let told = process::read(&mut load, LIMIT)?;
    if !told.contains(&format!("{REQUESTS} succeeded, 0 failed")) {
        return Err(format!("{name}: {told}"));
    }
    let after = ticks(server.id())?;
    server.shut_down(Duration::from_secs(10))?;
    Ok((after - before) * tick / f64::from(REQUESTS))
}

/// The processor time that a process has taken.
fn ticks(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/stat");
    let stat = workspace::read(Path::new(&path))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    number(11).zip(number(12)).map(|(user, system)| user + system).ok_or(format!("{path}: {stat}"))
}
