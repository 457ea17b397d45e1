//! `cargo xtask ci`: everything that a change has to pass, step by step.

use std::time::{Duration, Instant};

use crate::autobahn::{self, Role, Run};
use crate::{Outcome, Tally, interop, process, test, tidy, workspace};

/// Runs every step, also after a failure, and closes with the sum of what they counted.
///
/// A step that fails without counts of its own (formatting, a build) counts as one failure.
pub(crate) fn task() -> Outcome {
    let steps: [(&str, &dyn Fn() -> Outcome); 11] = [
        ("formatting", &|| cargo(&["fmt", "--all", "--check"], &[])),
        ("clippy", &|| {
            let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
            cargo(&args, &[])
        }),
        ("documentation", &|| {
            let args = ["doc", "--workspace", "--all-features", "--no-deps"];
            cargo(&args, &[("RUSTDOCFLAGS", "-D warnings")])
        }),
        ("tidy", &tidy::task),
        ("tests", &test::task),
        ("demo", &|| cargo(&["run", "--release", "-p", "examples", "--bin", "demo", "--", "--once"], &[])),
        ("autobahn server", &|| autobahn::run(&Run::new(Role::Server, false))),
        ("autobahn client", &|| autobahn::run(&Run::new(Role::Client, false))),
        ("autobahn server over TLS", &|| autobahn::run(&Run::new(Role::Server, true))),
        ("autobahn client over TLS", &|| autobahn::run(&Run::new(Role::Client, true))),
        ("interop", &interop::task),
    ];
    let started = Instant::now();
    let mut total = Tally::default();
    let mut summary = Vec::new();
    for (name, step) in steps {
        println!("\n=== {name}");
        let started = Instant::now();
        let tally = step().unwrap_or_else(|why| {
            eprintln!("error: {why}");
            Tally::ONE_FAILURE
        });
        let seconds = started.elapsed().as_secs_f64();
        let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
        println!("=== {name}: {verdict}, {seconds:.1} s");
        summary.push(format!("{verdict:>6} {seconds:7.1} s  {name}"));
        total += tally;
    }
    println!("\n{}\n       {:7.1} s  in all", summary.join("\n"), started.elapsed().as_secs_f64());
    println!("{total}");
    Ok(total)
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> Outcome {
    let mut command = workspace::cargo();
    command.args(args).envs(env.iter().copied());
    process::run(&mut command, Duration::from_secs(20 * 60)).map(|()| Tally::default())
}
