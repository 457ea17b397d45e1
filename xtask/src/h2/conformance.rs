//! The public conformance suite for RFC 9113, httpwg, against `h2_server`.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::{OurServer, dir, log};
use crate::{Outcome, Tally, process, workspace};

const VERSION: &str = "0.2.5";
const CASES: u64 = 107;

const INSTALL_LIMIT: Duration = Duration::from_secs(30 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(5 * 60);
/// How long the suite waits for an answer, in milliseconds. It is awaited in full only where something is wrong.
const PATIENCE: &str = "5000";

/// Runs every case, all of them at the same time.
pub(super) fn run() -> Outcome {
    let suite = dir().join("httpwg");
    workspace::once(&suite, VERSION, || {
        println!("h2: installing httpwg-cli {VERSION}, once");
        let mut install = workspace::cargo();
        install.args(["install", "--quiet", "--locked", "--version", VERSION, "--root"]).arg(&suite);
        let target = suite.join("target");
        install.arg("--target-dir").arg(&target).arg("httpwg-cli");
        process::run(&mut install, INSTALL_LIMIT)
            .map_err(|why| format!("httpwg-cli could not be installed ({why})"))?;
        fs::remove_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))
    })?;
    let [server] = workspace::build_examples(["h2_server"])?;
    let title = "httpwg";
    let server = OurServer::start(&server, title, false)?;
    let address = server.url.strip_prefix("http://").ok_or("a server with another scheme")?;
    let mut command = Command::new(suite.join("bin/httpwg"));
    command.args(["--frame-timeout", PATIENCE, "--connect-timeout", PATIENCE, "--address", address]);
    let log = log(title);
    let ended = process::run_logged(&mut command, &log, RUN_LIMIT);
    let mut tally = evaluate(&workspace::read(&log)?);
    if let (Err(why), 0) = (ended, tally.failed) {
        println!("{title}: {why}");
        tally += Tally::ONE_FAILURE;
    }
    tally += server.end(title);
    println!("{title}: {tally}");
    Ok(tally)
}

/// Counts the cases in what the suite has printed. One that it is silent about has failed: it panicked.
fn evaluate(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        if line.contains("Test passed: ") {
            tally.passed += 1;
        } else if let Some((_, name)) = line.split_once("Test failed: ") {
            println!("httpwg: {}: failed", name.trim());
            tally.failed += 1;
        }
    }
    let counted = tally.passed + tally.failed;
    if counted != CASES {
        println!("httpwg: {counted} cases were reported, not {CASES}");
        tally.failed += CASES.saturating_sub(counted).max(1);
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::{CASES, evaluate};

    #[test]
    fn a_case_that_was_not_reported_has_failed() {
        let passed = |count| (0..count).map(|at| format!("✅ Test passed: case {at}\n")).collect::<String>();
        assert_eq!(evaluate(&passed(CASES)).failed, 0);
        let tally = evaluate(&(passed(CASES - 3) + "❌ Test failed: case x\nwhy\n"));
        assert_eq!((tally.passed, tally.failed), (CASES - 3, 3));
        assert_eq!(evaluate(&passed(CASES + 1)).failed, 1);
    }
}
