//! Development tasks for sheave: `cargo xtask <task>`.

mod apt;
mod autobahn;
mod bench;
mod browser;
mod certificates;
mod checks;
mod ci;
mod demo;
mod h2;
mod interop;
mod memory;
mod ports;
mod process;
mod python;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use tally::Tally;

/// What a task comes to: its counts, or why it could not be carried out.
type Outcome = Result<Tally, String>;

const USAGE: &str = "\
usage: cargo xtask <task>

  test                      build and run every test of the workspace, doc tests included
  ci                        everything that a change has to pass; needs no network but to fetch its tools
  demo [--once]             the demo; arguments are passed on
  autobahn [server|client] [--h2] [--tls | --sample] [--cases 1.*,2.*]
                            the Autobahn test suite against the server, the client, or both: all of it, sections 1-7
                            over TLS, or all with a sample of 12 and 13; with --h2 over HTTP/2, by way of h2_bridge
  interop [http1|http2]     other implementations of WebSockets against sheave, both ways, plain and over TLS, also
                            through proxies over HTTP/2
  browser                   headless Chromium against sheave, over HTTP/2: a page that checks its WebSockets, and the demo's,
                            of which it leaves pictures under target/browser
  h2 [conformance|interop]  a conformance suite against sheave's HTTP/2 server; other implementations of HTTP/2 and HPACK
                            against sheave, both ways, plain and over TLS
  bench [--suite NAME,NAME] [--only LIBRARY,LIBRARY] [--rounds N] [--no-build]
                            sheave beside other libraries, which are built from the registry: processor time and system
                            calls per message, bytes per idle socket
  bench --check             what can be counted exactly, against what it was: instructions, system calls, bytes
  tidy                      the rules of the repository: dependencies, module boundaries, file sizes
";

fn main() -> ExitCode {
    match run() {
        Ok(tally) if tally.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let mut args = lexopt::Parser::from_env();
    let task = match args.next().map_err(|error| error.to_string())? {
        Some(lexopt::Arg::Value(task)) => task.to_string_lossy().into_owned(),
        Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h')) => {
            print!("{USAGE}");
            return Ok(Tally::default());
        }
        Some(other) => return Err(format!("{}\n\n{USAGE}", other.unexpected())),
        None => return Err(format!("no task given\n\n{USAGE}")),
    };
    match task.as_str() {
        "autobahn" => autobahn::task(args),
        "bench" => bench::task(args),
        "demo" => demo::task(args),
        "h2" => h2::task(args),
        "browser" => no_more(args).and_then(|()| browser::task()),
        "ci" => no_more(args).and_then(|()| ci::task()),
        "interop" => interop::task(args),
        "test" => no_more(args).and_then(|()| test::task()),
        "tidy" => no_more(args).and_then(|()| tidy::task()),
        _ => Err(format!("no task is called {task:?}\n\n{USAGE}")),
    }
}

fn no_more(mut args: lexopt::Parser) -> Result<(), String> {
    match args.next().map_err(|error| error.to_string())? {
        None => Ok(()),
        Some(arg) => Err(arg.unexpected().to_string()),
    }
}
