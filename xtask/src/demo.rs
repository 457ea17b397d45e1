//! `cargo xtask demo`: the demo, built with optimisation.

use std::process::Stdio;

use crate::{Outcome, Tally, workspace};

/// Runs the demo until it ends by itself; `--once` and whatever else it knows is passed on.
pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    let args: Vec<_> = args.raw_args().map_err(|error| error.to_string())?.collect();
    let mut command = workspace::cargo();
    command.args(["run", "--release", "--package", "examples", "--bin", "demo", "--"]).args(args);
    let status = command.stdin(Stdio::inherit()).status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(Tally::default()) } else { Err(format!("demo: {status}")) }
}
