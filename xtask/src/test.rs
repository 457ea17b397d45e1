//! `cargo xtask test`: every test of the workspace, with one closing line over all runners.

use std::env;
use std::process::Command;
use std::time::Duration;

use crate::{Outcome, Tally, process, workspace};

/// Unit and integration tests with nextest where it is installed, doc tests and the model with libtest in any case.
pub(crate) fn task() -> Outcome {
    let mut tally = if nextest_is_installed() {
        let args = ["nextest", "run", "--workspace", "--all-features", "--no-fail-fast", "--retries", "0"];
        run(workspace::cargo(), &args, nextest_summary)?
    } else {
        let args = ["test", "--workspace", "--all-features", "--all-targets", "--no-fail-fast"];
        run(workspace::cargo(), &args, libtest_results)?
    };
    let doc = ["test", "--workspace", "--all-features", "--doc", "--no-fail-fast"];
    tally += run(workspace::cargo(), &doc, libtest_results)?;
    let model = ["test", "--release", "-p", "sheave-ws", "--lib", "--no-fail-fast", "io::model"];
    // What the filter leaves out has run before.
    tally += run(model_cargo(), &model, |text| Tally { skipped: 0, ..libtest_results(text) })?;
    println!("{tally}");
    Ok(tally)
}

/// `cargo` that builds the model of the split halves, with loom's locks and atomics for std's. It has a target
/// directory of its own, or everything else would be built anew after it.
pub(crate) fn model_cargo() -> Command {
    let mut flags = env::var_os("RUSTFLAGS").unwrap_or_default();
    flags.push(" --cfg sheave_loom");
    let mut command = workspace::cargo();
    command.env("RUSTFLAGS", flags).env("CARGO_TARGET_DIR", workspace::target().join("model"));
    command
}

fn nextest_is_installed() -> bool {
    let mut command = workspace::cargo();
    command.args(["nextest", "--version"]);
    command.output().is_ok_and(|output| output.status.success())
}

fn run(mut command: Command, args: &[&str], parse: fn(&str) -> Tally) -> Outcome {
    command.args(args).env("CARGO_TERM_COLOR", "never").env("NEXTEST_RETRIES", "0");
    // The runner would take its own settings for those of the tests that it runs.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        command.env_remove(name);
    }
    let (status, text) = process::watch(&mut command, Duration::from_secs(40 * 60))?;
    Ok(judged(parse(&text), status.success(), args[0]))
}

/// A runner counts as one failure if it fails without a failed test (it did not compile, it died), and also if
/// nothing passed: it found no tests, or its summary is not one that is known here.
fn judged(tally: Tally, success: bool, runner: &str) -> Tally {
    let why = match tally {
        Tally { failed: 1.., .. } => return tally,
        _ if !success => "failed, but no test did",
        Tally { passed: 0, .. } => "passed no test, or its summary is not understood",
        _ => return tally,
    };
    eprintln!("error: cargo {runner} {why}");
    tally + Tally::ONE_FAILURE
}

/// nextest: `Summary [   0.009s] 5/6 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
fn nextest_summary(text: &str) -> Tally {
    let mut tally = Tally::default();
    for line in text.lines() {
        let Some((_, summary)) =
            line.trim_start().strip_prefix("Summary [").and_then(|rest| rest.split_once("] "))
        else {
            continue;
        };
        let Some((ran, counts)) = summary.split_once(" run: ") else { continue };
        for (number, what) in counts_of(&without_parentheses(counts)) {
            match what.as_str() {
                "passed" => tally.passed += number,
                "skipped" => tally.skipped += number,
                // "failed", "timed out", "exec failed", "leak-failed" and whatever may yet be added.
                _ => tally.failed += number,
            }
        }
        // `5/6 tests`: one was never started, which is no pass.
        if let Some((started, all)) = ran.split_once('/') {
            let all = all.split(' ').next().unwrap_or_default();
            if let (Ok(started), Ok(all)) = (started.parse::<u64>(), all.parse::<u64>()) {
                tally.failed += all.saturating_sub(started);
            }
        }
    }
    tally
}

/// libtest: `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s`.
fn libtest_results(text: &str) -> Tally {
    let mut tally = Tally::default();
    for line in text.lines() {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            continue;
        };
        for (number, what) in counts_of(&counts.replace(';', ",")) {
            match what.as_str() {
                "passed" | "measured" => tally.passed += number,
                "failed" => tally.failed += number,
                "ignored" | "filtered out" => tally.skipped += number,
                _ => {}
            }
        }
    }
    tally
}

/// `3 passed, 1 timed out` as numbers with their words; parts without a leading number are left out.
fn counts_of(text: &str) -> impl Iterator<Item = (u64, String)> {
    text.split(',').filter_map(|part| {
        let (number, what) = part.trim().split_once(' ')?;
        Some((number.parse().ok()?, what.trim().to_owned()))
    })
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0;
    let keep = |c: &char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => return depth == 0,
        }
        false
    };
    text.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn summaries_of_nextest() {
        let table = [
            ("     Summary [   0.006s] 1 test run: 1 passed, 0 skipped", tally(1, 0, 0)),
            (
                "     Summary [  12.006s] 10 tests run: 10 passed (1 slow, 2 leaky), 5 skipped",
                tally(10, 0, 5),
            ),
            (
                "     Summary [   2.006s] 9 tests run: 5 passed, 2 failed, 1 timed out, 1 exec failed, 0 skipped",
                tally(5, 4, 0),
            ),
            ("     Summary [   1.006s] 3/5 tests run: 2 passed, 1 failed, 0 skipped", tally(2, 3, 0)),
            ("        PASS [   0.004s] xtask summary\nerror: could not compile", tally(0, 0, 0)),
        ];
        for (text, expected) in table {
            assert_eq!(nextest_summary(text), expected, "{text}");
        }
    }

    #[test]
    fn a_runner_that_passes_nothing_has_failed() {
        let table = [
            (tally(3, 0, 1), true, tally(3, 0, 1)),
            (tally(3, 2, 0), false, tally(3, 2, 0)),
            (tally(0, 2, 0), false, tally(0, 2, 0)),
            (tally(3, 0, 0), false, tally(3, 1, 0)),
            (tally(0, 0, 0), false, tally(0, 1, 0)),
            (tally(0, 0, 0), true, tally(0, 1, 0)),
            (tally(0, 0, 7), true, tally(0, 1, 7)),
        ];
        for (counted, success, expected) in table {
            assert_eq!(judged(counted, success, "nextest"), expected, "{counted}, {success}");
        }
        let unknown = nextest_summary("     Summary: 5 tests, all good");
        assert_eq!(judged(unknown, true, "nextest"), Tally::ONE_FAILURE);
    }

    #[test]
    fn results_of_libtest_add_up() {
        let text = "\
running 3 tests
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.01s
";
        assert_eq!(libtest_results(text), tally(4, 2, 5));
    }
}
