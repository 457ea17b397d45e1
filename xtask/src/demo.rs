//! `cargo xtask demo`: the demo, built with optimisation.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use crate::{Outcome, Tally, process, workspace};

/// For `--once`, which takes a few seconds.
const LIMIT: Duration = Duration::from_secs(2 * 60);

/// Runs the demo until it ends by itself; `--once` and whatever else it knows is passed on.
pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    let args: Vec<_> = args.raw_args().map_err(|error| error.to_string())?.collect();
    run(&args)
}

/// The demo's check of itself.
pub(crate) fn once() -> Outcome {
    run(&["--once".into()])
}

fn run(args: &[OsString]) -> Outcome {
    let [demo] = workspace::build_examples(["demo"])?;
    let mut command = Command::new(demo);
    command.args(args).current_dir(workspace::root());
    if args.iter().any(|arg| arg == "--once") {
        process::run(&mut command, LIMIT)?;
    } else {
        let status = command.status().map_err(|error| format!("demo: {error}"))?;
        if !status.success() {
            return Err(format!("demo: {status}"));
        }
    }
    Ok(Tally::default())
}
