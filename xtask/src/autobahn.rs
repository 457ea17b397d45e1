//! `cargo xtask autobahn`: the Autobahn test suite, as it is, against the server and the client.
//!
//! The suite knows nothing of HTTP/2: there, `h2_bridge` is between it and ours.

mod ends;
mod environment;
mod report;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ends::Ends;
use environment::Environment;
use report::Evaluation;

use crate::{Outcome, Tally, process, workspace};

/// Which of the two ends is sheave.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// What the WebSockets go over on sheave's end.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Http1,
    Http1Tls,
    /// Without TLS.
    Http2,
}

/// One pass over a set of cases.
pub(crate) struct Run {
    role: Role,
    over: Over,
    patterns: Vec<String>,
    /// How many cases the patterns have to come to.
    cases: Option<usize>,
}

impl Run {
    /// All cases of the suite, over HTTP/1.1 without TLS.
    fn all(role: Role) -> Self {
        let patterns = sections([1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13]);
        Self { role, over: Over::Http1, patterns, cases: Some(ALL_CASES) }
    }

    /// The same with a [sample](SAMPLE) of sections 12 and 13.
    pub(crate) fn sample(role: Role) -> Self {
        let mut patterns = sections([1, 2, 3, 4, 5, 6, 7, 9, 10]);
        for (section, subsections) in [(12, 1..=5), (13, 1..=7)] {
            for subsection in subsections {
                patterns.extend(SAMPLE.map(|case| format!("{section}.{subsection}.{case}")));
            }
        }
        Self { role, over: Over::Http1, patterns, cases: Some(SAMPLE_CASES) }
    }

    /// Sections 1–7, over TLS.
    pub(crate) fn tls(role: Role) -> Self {
        let patterns = sections([1, 2, 3, 4, 5, 6, 7]);
        Self { role, over: Over::Http1Tls, patterns, cases: Some(TLS_CASES) }
    }

    /// The same cases over HTTP/2.
    pub(crate) fn over_h2(self) -> Self {
        Self { over: Over::Http2, ..self }
    }

    fn title(&self) -> String {
        let role = if self.role == Role::Server { "server" } else { "client" };
        let over = match self.over {
            Over::Http1 => "plain",
            Over::Http1Tls => "tls",
            Over::Http2 => "h2",
        };
        format!("{role} {over}")
    }
}

/// The cases of the suite's release 25.10.1; its sections 8 and 11 are empty.
const ALL_CASES: usize = 517;
/// Without those of sections 12 and 13, but with the sample of them.
const SAMPLE_CASES: usize = 301 + 12 * SAMPLE.len();
/// Those of sections 1–7.
const TLS_CASES: usize = 246;
/// The cases of each subsection of 12 and 13 that stand for its 18: 1000 messages of 16 bytes, of 128 KiB, and of 8 KiB in
/// fragments of 256 bytes. All 216 take too long for every change.
const SAMPLE: [u32; 3] = [1, 10, 11];
/// How many processes of the suite share the cases.
const SHARES: usize = 2;
const START_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    let (mut role, mut tls, mut h2, mut sample, mut cases) = (None, false, false, false, None);
    while let Some(arg) = args.next().map_err(|error| error.to_string())? {
        match arg {
            lexopt::Arg::Value(value) if value == "server" => role = Some(Role::Server),
            lexopt::Arg::Value(value) if value == "client" => role = Some(Role::Client),
            lexopt::Arg::Long("tls") => tls = true,
            lexopt::Arg::Long("h2") => h2 = true,
            lexopt::Arg::Long("sample") => sample = true,
            lexopt::Arg::Long("cases") => {
                let value = args.value().map_err(|error| error.to_string())?;
                cases = Some(value.to_string_lossy().split(',').map(|case| case.trim().to_owned()).collect());
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    if tls && (h2 || sample) {
        return Err("--tls is sections 1-7 over HTTP/1.1".to_owned());
    }
    let roles = role.map_or(vec![Role::Server, Role::Client], |role| vec![role]);
    let mut tally = Tally::default();
    for role in roles {
        let mut pass = match (tls, sample) {
            (true, _) => Run::tls(role),
            (false, true) => Run::sample(role),
            (false, false) => Run::all(role),
        };
        if h2 {
            pass = pass.over_h2();
        }
        if let Some(cases) = &cases {
            pass.patterns.clone_from(cases);
            pass.cases = None;
        }
        tally += run(&pass)?;
    }
    println!("{tally}");
    Ok(tally)
}

fn sections<const N: usize>(numbers: [u32; N]) -> Vec<String> {
    numbers.iter().map(|section| format!("{section}.*")).collect()
}

/// Runs one pass, prints its line of counts and every case that failed.
pub(crate) fn run(pass: &Run) -> Outcome {
    let suite = Environment::prepare()?;
    let title = pass.title();
    let reports = suite.dir().join("reports").join(title.replace(' ', "-"));
    workspace::fresh_dir(&reports)?;

    let cases = suite.resolve(&pass.patterns)?;
    if let Some(wanted) = pass.cases.filter(|wanted| *wanted != cases.len()) {
        return Err(format!("the suite has {} cases, not {wanted}", cases.len()));
    }
    let shares = report::split(&cases, SHARES);
    let ends = Ends::prepare(pass, &suite, &reports)?;
    let started = Instant::now();
    let result = match pass.role {
        Role::Server => ends.server(&shares),
        Role::Client => ends.client(&shares),
    };
    let seconds = started.elapsed().as_secs();

    // What was reported is worth reading also where the run broke off.
    let mut lines = String::new();
    for share in 0..shares.len() {
        lines.push_str(&suite.read_report(&reports.join(share.to_string()))?);
    }
    let evaluation = Evaluation::new(&cases, &lines);
    for failure in &evaluation.failures {
        println!("autobahn {title}: {failure}");
    }
    println!("autobahn {title}: {evaluation}, {seconds} s");
    let mut tally = evaluation.tally();
    if let Err(why) = result {
        eprintln!("error: {why}");
        if tally.failed == 0 {
            tally += Tally::ONE_FAILURE;
        }
    }
    Ok(tally)
}

impl Environment {
    /// The cases that the suite itself finds for these patterns.
    fn resolve(&self, patterns: &[String]) -> Result<Vec<String>, String> {
        let mut command = self.python(&workspace::root().join("xtask/autobahn/cases.py"));
        let text = process::read(command.args(patterns), START_LIMIT)?;
        let cases: Vec<_> = text.lines().map(str::to_owned).collect();
        if cases.is_empty() {
            return Err(format!("the suite has no case for {}", patterns.join(",")));
        }
        Ok(cases)
    }

    /// A command for the suite's own program.
    fn wstest(&self) -> Command {
        self.python(&workspace::root().join("xtask/autobahn/wstest.py"))
    }

    /// The lines of one report: case, behaviour, closing behaviour. Nothing where there is no report.
    fn read_report(&self, outdir: &Path) -> Result<String, String> {
        let index = outdir.join("index.json");
        if !index.exists() {
            return Ok(String::new());
        }
        let mut command = self.python(&workspace::root().join("xtask/autobahn/report.py"));
        process::read(command.arg(index), START_LIMIT)
    }
}
