//! `cargo xtask h2`: HTTP/2 beside what others have made of it: a conformance suite against `h2_server`, and other
//! implementations as clients of `h2_server` and as servers of `interop_h2`. `xtask/h2/README.md` is the contract.

mod conformance;
mod hpack;
mod interop;
pub(crate) mod peers;
mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checks::{START_LIMIT, end_of_server};
use crate::process::Helper;
use crate::{Outcome, Tally, workspace};

/// `cargo xtask h2 [conformance|interop]`.
pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    let part = match args.next().map_err(|error| error.to_string())? {
        None => return all(),
        Some(lexopt::Arg::Value(part)) => part.to_string_lossy().into_owned(),
        Some(other) => return Err(other.unexpected().to_string()),
    };
    crate::no_more(args)?;
    run(&[&part])
}

/// All of it.
pub(crate) fn all() -> Outcome {
    run(&["conformance", "interop"])
}

fn run(parts: &[&str]) -> Outcome {
    let mut table = Table::default();
    for part in parts {
        match *part {
            "conformance" => table.add("httpwg", conformance::run()?),
            "interop" => interop::run(&mut table)?,
            other => return Err(format!("no part is called {other:?}: conformance, interop")),
        }
    }
    Ok(table.conclude())
}

/// What ran, line by line.
#[derive(Default)]
struct Table(Vec<(String, Tally)>);

impl Table {
    fn add(&mut self, title: impl Into<String>, tally: Tally) {
        self.0.push((title.into(), tally));
    }

    /// Prints it, and adds it up.
    fn conclude(self) -> Tally {
        println!();
        let mut total = Tally::default();
        for (title, tally) in self.0 {
            let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
            println!("{verdict:>6} {:4} of {:4}  {title}", tally.passed, tally.passed + tally.failed);
            total += tally;
        }
        println!("h2: {total}");
        total
    }
}

fn dir() -> PathBuf {
    workspace::target().join("h2")
}

fn log(title: &str) -> PathBuf {
    dir().join("logs").join(format!("{}.log", title.replace([' ', ','], "-")))
}

/// `h2_server`, running.
struct OurServer {
    helper: Helper,
    url: String,
    /// The certificate of its authority.
    ca: Option<PathBuf>,
}

impl OurServer {
    fn start(server: &Path, title: &str, tls: bool) -> Result<Self, String> {
        let ca = tls.then(|| dir().join("sheave-ca.pem"));
        let mut command = Command::new(server);
        command.args(["--addr", "127.0.0.1:0", "--until-stdin-ends"]);
        if let Some(ca) = &ca {
            command.arg("--tls").arg("--ca-out").arg(ca);
        }
        let mut helper = Helper::start(&mut command, &log(&format!("{title} server")))?;
        let url = helper.wait_for("listening on ", START_LIMIT)?;
        Ok(Self { helper, url, ca })
    }

    fn end(self, title: &str) -> Tally {
        end_of_server(self.helper, &format!("h2 {title}"))
    }
}
