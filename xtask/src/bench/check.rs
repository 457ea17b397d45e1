//! `cargo xtask bench --check`: what can be counted is no more than it was. Nothing here measures time.
//!
//! Instructions are counted by valgrind, twice for each case, so that its set-up falls out of the difference; system calls
//! by strace; the memory of idle sockets is what the system says that the server holds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::contenders::{Contender, LIBRARIES};
use super::measure::Programs;
use super::programs::{self, Toolchain};
use super::suites::{Kind, Protocol, WORKLOADS, Workload};
use crate::{Outcome, Tally, process, workspace};

const LIMIT: Duration = Duration::from_secs(10 * 60);
/// Sockets over HTTP/1.1 are files, which the system may allow few of.
const SOCKETS: u32 = 2000;
const HEAD: &str = "\
# What `cargo xtask bench --check` found when it was last told to write this: `cargo xtask bench --check --update`.
# name, value, unit; a value may grow by so many percent.
";

/// What is counted over the corpora, which are no part of the repository.
const OF_CORPORA: [&str; 3] =
    ["micro/hpack/encode", "micro/hpack/decode-dynamic", "micro/hpack/decode-literal"];

/// What is counted, and by how many percent it may differ from one run, or one compiler, to the next.
struct Measure {
    name: String,
    value: f64,
    unit: String,
    margin: f64,
}

/// `cargo xtask bench --check [--update]`.
pub(super) fn task(mut args: lexopt::Parser) -> Outcome {
    let update = match args.next().map_err(|error| error.to_string())? {
        Some(lexopt::Arg::Long("update")) => true,
        Some(other) => return Err(other.unexpected().to_string()),
        None => false,
    };
    crate::no_more(args)?;
    run(update)
}

/// Counts, and compares with the baselines; each measure is a test.
pub(super) fn run(update: bool) -> Outcome {
    programs::needs("valgrind", "valgrind")?;
    programs::needs("strace", "strace")?;
    let toolchain = Toolchain::stable();
    toolchain.build("bench_micro")?;
    let mut measures = instructions(&programs::built("counts"))?;
    measures.extend(servers(&toolchain)?);
    let path = programs::folder().join("baselines.txt");
    if update {
        workspace::write(&path, &text(&measures))?;
    }
    let baselines = workspace::read(&path)?;
    let mut tally = Tally::default();
    for measure in &measures {
        let verdict = verdict(measure, &baselines);
        println!(
            "{:>6} {:12.3} {:24} {}",
            if verdict.is_ok() { "ok" } else { "FAILED" },
            measure.value,
            measure.unit,
            measure.name
        );
        match verdict {
            Ok(None) => tally.passed += 1,
            Ok(Some(hint)) => {
                println!("       {hint}");
                tally.passed += 1;
            }
            Err(why) => {
                println!("       {why}");
                tally.failed += 1;
            }
        }
    }
    for (name, _) in entries(&baselines) {
        if measures.iter().any(|measure| measure.name == name) {
            continue;
        }
        if OF_CORPORA.contains(&name) {
            println!("  left {name}: no corpora");
            tally.skipped += 1;
        } else {
            println!("FAILED {name}: there is a baseline, but nothing that is counted has that name");
            tally.failed += 1;
        }
    }
    println!("bench: {tally}");
    Ok(tally)
}

/// Every case of the program `counts`.
fn instructions(counts: &Path) -> Result<Vec<Measure>, String> {
    let list = process::read(Command::new(counts).arg("--list"), LIMIT)?;
    let count = |name: &str, operations: u64| -> Result<f64, String> {
        let log = programs::target().join("callgrind.log");
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(format!("--log-file={}", log.display()));
        command.arg(counts).args([name, &operations.to_string()]);
        process::read(&mut command, LIMIT)?;
        let told = workspace::read(&log)?;
        collected(&told).ok_or(format!("{name}: valgrind told {told:?}"))
    };
    let mut measures = Vec::new();
    for line in list.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, operations, unit] = words[..] else { return Err(format!("counts --list told {line:?}")) };
        let operations: u64 = operations.parse().map_err(|_| format!("counts --list told {line:?}"))?;
        let value = (count(name, 2 * operations)? - count(name, operations)?) / operations as f64;
        // How large blocks are moved, and where they come to lie, differs with what else is in the program.
        let margin = if name.contains("1k") || name.contains("64k") { 20.0 } else { 5.0 };
        let (name, unit) = (format!("micro/{name}"), format!("instructions/{unit}"));
        measures.push(Measure { name, value, unit, margin });
    }
    Ok(measures)
}

/// `Collected : 123456` in valgrind's words.
fn collected(told: &str) -> Option<f64> {
    let (_, rest) = told.split_once("Collected :")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// System calls of the server for each message, and its memory for each idle socket.
fn servers(toolchain: &Toolchain) -> Result<Vec<Measure>, String> {
    let sheave = &LIBRARIES[0];
    let programs = Programs {
        load: toolchain.build("load")?,
        floor: PathBuf::new(),
        peers: vec![(sheave.program, toolchain.build(sheave.program)?)],
    };
    let mut measures = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| is_counted(workload)) {
        let contenders =
            Contender::of(workload).into_iter().filter(|contender| contender.library.name == sheave.name);
        for contender in contenders.filter(|contender| contender.level != Some(1)) {
            let way = if contender.batch { "/joined" } else { "" };
            let name = format!("server/{}/{}{way}", workload.suite, workload.name);
            measures.push(if workload.kind == Kind::Idle {
                let mut workload = *workload;
                if workload.protocol == Protocol::Http1 {
                    workload.connections = SOCKETS;
                }
                let bytes = programs.measure(&contender, &workload)?.bytes;
                Measure { name, value: bytes, unit: "bytes/socket".to_owned(), margin: 10.0 }
            } else {
                let calls = programs.system_calls(&contender, workload)?;
                Measure { name, value: calls, unit: "calls/message".to_owned(), margin: 10.0 }
            });
        }
    }
    Ok(measures)
}

/// Not those whose writes depend on which of two programs is quicker.
fn is_counted(workload: &Workload) -> bool {
    match workload.kind {
        Kind::Idle => true,
        Kind::Echo => workload.length <= 1024 && (workload.suite == "h1" || workload.suite == "h2"),
        Kind::Open | Kind::Get => true,
        Kind::Fairness | Kind::Client => false,
    }
}

/// Whether the measure is what it was; a hint if it is far less.
fn verdict(measure: &Measure, baselines: &str) -> Result<Option<String>, String> {
    let baseline = entries(baselines).find(|(name, _)| *name == measure.name);
    let (_, was) = baseline.ok_or("there is no baseline: cargo xtask bench --check --update")?;
    let percent = (measure.value / was - 1.0) * 100.0;
    if percent > measure.margin {
        return Err(format!("{percent:+.1} % of {was:.3}, where {} % are allowed", measure.margin));
    }
    let less = percent < -measure.margin;
    Ok(less.then(|| format!("{percent:+.1} %: the baseline of {was:.3} may be lowered")))
}

fn text(measures: &[Measure]) -> String {
    let mut text = HEAD.to_owned();
    for Measure { name, value, unit, .. } in measures {
        let _ = writeln!(text, "{name} {value:.3} {unit}");
    }
    text
}

fn entries(baselines: &str) -> impl Iterator<Item = (&str, f64)> {
    let lines = baselines.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(value: f64) -> Measure {
        Measure { name: "h1/1".to_owned(), value, unit: "calls/message".to_owned(), margin: 5.0 }
    }

    #[test]
    fn more_than_the_margin_is_a_failure() {
        let baselines = text(&[measure(2.0)]);
        assert_eq!(verdict(&measure(2.09), &baselines), Ok(None));
        assert_eq!(verdict(&measure(1.91), &baselines), Ok(None));
        assert!(verdict(&measure(2.11), &baselines).is_err());
        assert!(verdict(&measure(1.5), &baselines).unwrap().is_some());
        assert!(verdict(&measure(2.0), HEAD).is_err());
    }

    #[test]
    fn instructions_are_read_from_valgrinds_words() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 4711\n==7==\n"), Some(4711.0));
        assert_eq!(collected("==7== \n"), None);
    }
}
