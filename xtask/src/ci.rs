//! `cargo xtask ci`: everything that a change has to pass, step by step.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::autobahn::{self, Role, Run};
use crate::{Outcome, Tally, bench, browser, demo, h2, interop, memory, process, test, tidy, workspace};

/// Runs every step, also after a failure, and closes with the sum of what they counted.
///
/// A step that fails without counts of its own (formatting, a build) counts as one failure.
pub(crate) fn task() -> Outcome {
    let steps: [(&str, &dyn Fn() -> Outcome); 20] = [
        // What is measured takes the libraries' dependencies from a file of its own, and no other step builds all of it.
        ("the bench's lock file", &|| {
            cargo(&["fetch", "--quiet", "--locked", "--manifest-path", "xtask/bench/Cargo.toml"], &[])
        }),
        ("formatting", &|| cargo(&["fmt", "--all", "--check"], &[])),
        ("clippy", &|| {
            let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
            cargo(&args, &[])?;
            let model =
                ["clippy", "-p", "sheave-ws", "--all-targets", "--all-features", "--", "-D", "warnings"];
            checked(test::model_cargo().args(model))
        }),
        ("each crate alone", &each_crate),
        ("documentation", &|| {
            let args = ["doc", "--workspace", "--all-features", "--no-deps"];
            cargo(&args, &[("RUSTDOCFLAGS", "-D warnings")])
        }),
        ("tidy", &tidy::task),
        ("tests", &test::task),
        ("demo", &demo::once),
        ("browser", &browser::task),
        ("idle memory", &memory::task),
        ("bench --check", &bench::check),
        ("autobahn server", &|| autobahn::run(&Run::sample(Role::Server))),
        ("autobahn client", &|| autobahn::run(&Run::sample(Role::Client))),
        ("autobahn server over TLS", &|| autobahn::run(&Run::tls(Role::Server))),
        ("autobahn client over TLS", &|| autobahn::run(&Run::tls(Role::Client))),
        ("autobahn server over HTTP/2", &|| autobahn::run(&Run::sample(Role::Server).over_h2())),
        ("autobahn client over HTTP/2", &|| autobahn::run(&Run::sample(Role::Client).over_h2())),
        ("interop over HTTP/1.1", &interop::http1),
        ("interop over HTTP/2", &interop::http2),
        ("h2", &h2::all),
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

/// Every library by itself, without features and with its default ones: in the other steps cargo merges the features
/// of the whole workspace, and what one crate forgets another one turns on.
fn each_crate() -> Outcome {
    let folders =
        fs::read_dir(workspace::root().join("crates")).map_err(|error| format!("crates: {error}"))?;
    let mut names: Vec<_> =
        folders.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let bare = names.iter().map(|name| vec!["-p", name, "--no-default-features"]);
    let default = names.iter().map(|name| vec!["-p", name]);
    let tests = ["sheave-ws", "sheave-h2"].map(|name| vec!["-p", name, "--no-default-features", "--tests"]);
    let mut tally = Tally::default();
    for args in bare.chain(default).chain(tests) {
        let args = [&["clippy", "--quiet"], &args[..], &["--", "-D", "warnings"]].concat();
        println!("cargo {}", args.join(" "));
        tally += cargo(&args, &[]).unwrap_or_else(|why| {
            eprintln!("error: {why}");
            Tally::ONE_FAILURE
        });
    }
    Ok(tally)
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> Outcome {
    let mut command = workspace::cargo();
    checked(command.args(args).envs(env.iter().copied()))
}

fn checked(command: &mut Command) -> Outcome {
    process::run(command, Duration::from_secs(20 * 60)).map(|()| Tally::default())
}
