//! `cargo xtask bench`: sheave beside other libraries, in one run on one machine.
//!
//! The programs lie in a workspace of their own, `xtask/bench`, so that building sheave never builds a peer. Not part of
//! `ci`: what it measures is time.

use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use crate::process::{self, Helper};
use crate::{Outcome, Tally, workspace};

/// The oldest compiler that builds every peer, as the number behind `1.`.
const RUSTC: u32 = 96;
/// Where the server runs, and where the load.
pub(crate) const CORES: [&str; 2] = ["0", "1"];
const PROGRAMS: [&str; 3] = ["load", "bench_sheave", "bench_wtx"];
const LENGTH: u32 = 1024;

struct Workload {
    connections: u32,
    in_flight: u32,
    messages: u32,
}

const WORKLOADS: [Workload; 2] = [
    Workload { connections: 1, in_flight: 1, messages: 30_000 },
    Workload { connections: 16, in_flight: 4, messages: 60_000 },
];

struct Contender {
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    /// Which of the contenders it is compared with.
    beside: usize,
}

/// wtx compresses with level 6 unless told otherwise, and so does sheave.
const CONTENDERS: [Contender; 5] = [
    Contender {
        name: "wtx 0.52.1, level 6 (its default)",
        program: "bench_wtx",
        args: &["--level", "6"],
        beside: 0,
    },
    Contender {
        name: "**sheave, level 6 (its default)**",
        program: "bench_sheave",
        args: &["--level", "6"],
        beside: 0,
    },
    Contender {
        name: "sheave, level 6, a write for each message",
        program: "bench_sheave",
        args: &["--level", "6", "--send"],
        beside: 0,
    },
    Contender { name: "wtx 0.52.1, level 1", program: "bench_wtx", args: &["--level", "1"], beside: 3 },
    Contender { name: "sheave, level 1", program: "bench_sheave", args: &["--level", "1"], beside: 3 },
];

/// What one run came to, for each message.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    /// Microseconds of the server's processor time.
    cpu: f64,
    /// Bytes that the server wrote.
    bytes: f64,
    /// Microseconds that went by.
    elapsed: f64,
}

/// `cargo xtask bench deflate [--rounds N]`.
pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut suite, mut rounds) = (None, 5);
    while let Some(arg) = args.next().map_err(|error| error.to_string())? {
        match arg {
            Value(name) if suite.is_none() => suite = Some(name),
            Long("rounds") => {
                let value = args.value().and_then(|value| value.parse());
                rounds = value.map_err(|error| error.to_string())?;
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    match suite {
        Some(suite) if suite == "deflate" => deflate(rounds),
        _ => Err("say which suite: deflate".to_owned()),
    }
}

fn deflate(rounds: usize) -> Outcome {
    if rounds == 0 {
        return Err("--rounds 0 measures nothing".to_owned());
    }
    check_machine()?;
    let toolchain = toolchain()?;
    for program in PROGRAMS {
        build(&toolchain, program)?;
    }
    let tick = tick()?;
    let mut costs = WORKLOADS.map(|_| CONTENDERS.map(|_| Vec::new()));
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (workload, costs) in WORKLOADS.iter().zip(&mut costs) {
            for (contender, costs) in CONTENDERS.iter().zip(costs) {
                costs.push(measure(contender, workload, tick)?);
            }
        }
    }
    println!(
        "Echo of JSON-like texts of {LENGTH} bytes, permessage-deflate with context takeover both ways, window"
    );
    println!(
        "15, plain TCP, one thread. Medians of {rounds} interleaved rounds; the ratios are what counts."
    );
    println!("\n{}\n", machine(&toolchain)?);
    for (workload, costs) in WORKLOADS.iter().zip(&costs) {
        print!("{}", table(workload, &costs.each_ref().map(|costs| median(costs))));
    }
    Ok(Tally::default())
}

/// One server, one load, both gone afterwards.
fn measure(contender: &Contender, workload: &Workload, tick: f64) -> Result<Cost, String> {
    let log = workspace::target().join("bench").join(format!("{}.log", contender.program));
    let mut server = pinned(CORES[0], program(contender.program).args(contender.args));
    let mut server = Helper::start(&mut server, &log)?;
    let told = server.wait_for("listening on ", Duration::from_secs(10))?;
    let (address, pid) = told.split_once(' ').ok_or(format!("{}: no process in {told:?}", contender.name))?;
    let mut load = pinned(CORES[1], &program("load"));
    load.args(["--address", address, "--pid", pid, "--length", &LENGTH.to_string()]);
    load.args(["--connections", &workload.connections.to_string()]);
    load.args(["--in-flight", &workload.in_flight.to_string()]);
    load.args(["--messages", &workload.messages.to_string()]);
    let told = process::read(&mut load, Duration::from_secs(5 * 60));
    let told = told.map_err(|why| format!("{}: {why}\n{}", contender.name, process::tail(&log)))?;
    server.shut_down(Duration::from_secs(10))?;
    cost(&told, tick).ok_or(format!("{}: the load told {told:?}", contender.name))
}

/// What the load told, for each message; a tick is so many microseconds.
fn cost(told: &str, tick: f64) -> Option<Cost> {
    let number = |name: &str| -> Option<f64> {
        told.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?.parse().ok()
    };
    let messages = number("messages")?;
    Some(Cost {
        cpu: number("cpu_ticks")? * tick / messages,
        bytes: number("bytes")? / messages,
        elapsed: number("seconds")? * 1e6 / messages,
    })
}

/// Each number's median by itself.
fn median(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> f64| middle(costs.iter().map(part).collect());
    Cost { cpu: of(|cost| cost.cpu), bytes: of(|cost| cost.bytes), elapsed: of(|cost| cost.elapsed) }
}

/// The median.
pub(crate) fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
}

fn table(workload: &Workload, costs: &[Cost; CONTENDERS.len()]) -> String {
    let Workload { connections, in_flight, .. } = workload;
    let plural = if *connections == 1 { "" } else { "s" };
    let mut text = format!(
        "{connections} connection{plural} × {in_flight} in flight\n\n\
         | server | CPU per message | bytes per message | messages/s | CPU ÷ wtx | bytes ÷ wtx |\n\
         |---|---:|---:|---:|---:|---:|\n"
    );
    for (contender, cost) in CONTENDERS.iter().zip(costs) {
        let wtx = &costs[contender.beside];
        text += &format!(
            "| {} | {:.2} µs | {:.1} | {:.0} | {:.3} | {:.3} |\n",
            contender.name,
            cost.cpu,
            cost.bytes,
            1e6 / cost.elapsed,
            cost.cpu / wtx.cpu,
            cost.bytes / wtx.bytes
        );
    }
    text + "\n"
}

/// A program of `xtask/bench`.
fn program(name: &str) -> Command {
    Command::new(workspace::target().join("bench/release").join(name))
}

/// The same command, which stays on one core.
pub(crate) fn pinned(core: &str, command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", core]).arg(command.get_program()).args(command.get_args());
    pinned.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    pinned
}

/// How the toolchain that is new enough for every peer is called: `None` is the default one.
fn toolchain() -> Result<Option<&'static str>, String> {
    let mut found = Vec::new();
    for toolchain in [None, Some("nightly")] {
        let Ok(version) = process::read(tool(&toolchain, "rustc").arg("--version"), LIMIT) else {
            continue;
        };
        if minor(&version).is_some_and(|minor| minor >= RUSTC) {
            return Ok(toolchain);
        }
        found.push(version.trim().to_owned());
    }
    let found = found.join(" and ");
    Err(format!("the peers need rustc 1.{RUSTC} or newer, here is {found}: rustup toolchain install nightly"))
}

const LIMIT: Duration = Duration::from_secs(60);

/// `rustc` or `cargo` of a toolchain.
fn tool(toolchain: &Option<&str>, name: &str) -> Command {
    let Some(toolchain) = toolchain else {
        return match name {
            "cargo" => workspace::cargo(),
            name => Command::new(name),
        };
    };
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, name]);
    command
}

/// The `97` of `rustc 1.97.0-nightly (…)`.
fn minor(version: &str) -> Option<u32> {
    version.split_once(" 1.")?.1.split('.').next()?.parse().ok()
}

/// Each program by itself, so that none gets the features of another's dependencies.
fn build(toolchain: &Option<&str>, program: &str) -> Result<(), String> {
    let mut command = tool(toolchain, "cargo");
    command.args(["build", "--release", "--locked", "--quiet", "--package", program]);
    command.current_dir(workspace::root().join("xtask/bench"));
    command.env("CARGO_TARGET_DIR", workspace::target().join("bench"));
    process::run(&mut command, Duration::from_secs(30 * 60))
}

/// There has to be a core for each of them.
pub(crate) fn check_machine() -> Result<(), String> {
    if thread::available_parallelism().map_or(1, usize::from) < CORES.len() {
        return Err("the server and the load need a core each".to_owned());
    }
    let mut taskset = Command::new("taskset");
    let there = process::read(taskset.arg("--version"), LIMIT);
    there.map(drop).map_err(|why| format!("taskset is needed (util-linux): {why}"))
}

/// How many microseconds a tick of the system's clock is.
pub(crate) fn tick() -> Result<f64, String> {
    let told = process::read(Command::new("getconf").arg("CLK_TCK"), LIMIT)?;
    let hertz: f64 = told.trim().parse().map_err(|_| format!("getconf CLK_TCK: {told:?}"))?;
    Ok(1e6 / hertz)
}

/// What it was measured with.
fn machine(toolchain: &Option<&str>) -> Result<String, String> {
    let rustc = process::read(tool(toolchain, "rustc").arg("--version"), LIMIT)?;
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let flags = env::var("RUSTFLAGS").map(|flags| format!(", RUSTFLAGS={flags}")).unwrap_or_default();
    Ok(format!(
        "{}, release with fat LTO and one codegen unit{flags}; {model}, Linux {}.",
        rustc.trim(),
        kernel.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_load_tells_is_told_for_each_message() {
        let told = "messages=2000 bytes=500000 cpu_ticks=10 seconds=0.2\n";
        let expected = Cost { cpu: 50.0, bytes: 250.0, elapsed: 100.0 };
        assert_eq!(cost(told, 10_000.0), Some(expected));
        assert_eq!(cost("messages=2000 bytes=500000", 10_000.0), None);
    }

    #[test]
    fn medians_are_of_each_number() {
        let cost = |number: f64| Cost { cpu: number, bytes: 10.0 - number, elapsed: 1.0 };
        assert_eq!(median(&[3.0, 1.0, 9.0].map(cost)), Cost { cpu: 3.0, bytes: 7.0, elapsed: 1.0 });
        assert_eq!(median(&[3.0, 1.0].map(cost)), Cost { cpu: 2.0, bytes: 8.0, elapsed: 1.0 });
    }

    #[test]
    fn versions_are_compared_by_their_second_number() {
        assert_eq!(minor("rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\n"), Some(97));
        assert_eq!(minor("rustc 1.100.1"), Some(100));
        assert_eq!(minor("error: no such toolchain"), None);
    }

    #[test]
    fn every_contender_is_compared_with_wtx() {
        assert!(CONTENDERS.iter().all(|contender| CONTENDERS[contender.beside].program == "bench_wtx"));
    }
}
