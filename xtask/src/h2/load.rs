//! Plain GETs under h2load, beside hyper: how much processor time a request takes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::peers::{Peer, Peers, nghttp2};
use super::{dir, log};
use crate::process::{self, Helper};
use crate::workspace;

const ROUNDS: usize = 5;
const REQUESTS: u32 = 200_000;
/// Where the server runs, and where the load.
const CORES: [&str; 2] = ["0", "1"];
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Both servers in turn, each with one thread: medians and their ratio.
pub(super) fn run() -> Result<(), String> {
    let peers = Peers::prepare()?;
    let [ours] = workspace::build_examples(["h2_server"])?;
    let hyper = peers.command(Peer::Hyper, "server");
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        costs[0].push(measure("hyper", Path::new(hyper.get_program()), &[])?);
        costs[1].push(measure("sheave", &ours, &["--addr", "127.0.0.1:0", "--until-stdin-ends"])?);
    }
    let [hyper, ours] = costs.map(|mut costs| {
        costs.sort_by(f64::total_cmp);
        costs[costs.len() / 2]
    });
    println!("GET of 27 bytes, h2load -c 1 -m 100, medians of {ROUNDS} interleaved rounds of {REQUESTS}:");
    println!(
        "hyper {hyper:.2} µs of processor time a request, sheave {ours:.2} µs, ratio {:.2}",
        ours / hyper
    );
    Ok(())
}

/// Microseconds of the server's processor time for each request.
fn measure(name: &str, program: &Path, args: &[&str]) -> Result<f64, String> {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", CORES[0]]).arg(program).args(args).env("TOKIO_WORKER_THREADS", "1");
    let mut server = Helper::start(&mut command, &log(&format!("load {name}")))?;
    let url = server.wait_for("listening on ", Duration::from_secs(10))?;
    let before = ticks(server.id())?;
    let h2load = nghttp2("h2load")?;
    let mut load = Command::new("taskset");
    load.args(["--cpu-list", CORES[1]]).arg(h2load.get_program());
    load.envs(h2load.get_envs().filter_map(|(name, value)| Some((name, value?))));
    load.args(["-c", "1", "-m", "100", "-n", &REQUESTS.to_string(), &format!("{url}/")]).current_dir(dir());
    let told = process::read(&mut load, LIMIT)?;
    if !told.contains(&format!("{REQUESTS} succeeded, 0 failed")) {
        return Err(format!("{name}: {told}"));
    }
    let after = ticks(server.id())?;
    server.shut_down(Duration::from_secs(10))?;
    let hertz = process::read(Command::new("getconf").arg("CLK_TCK"), LIMIT)?;
    let hertz: f64 = hertz.trim().parse().map_err(|_| format!("getconf CLK_TCK: {hertz:?}"))?;
    Ok((after - before) * 1e6 / hertz / f64::from(REQUESTS))
}

/// The processor time that a process has taken.
fn ticks(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    number(11).zip(number(12)).map(|(user, system)| user + system).ok_or(format!("{path}: {stat}"))
}
