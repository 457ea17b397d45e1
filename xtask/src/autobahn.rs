//! `cargo xtask autobahn`: the Autobahn test suite, as it is, against the server and the client.

mod environment;
mod report;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use environment::Environment;
use report::Evaluation;

use crate::certificates::Certificates;
use crate::process::Helper;
use crate::{Outcome, Tally, certificates, process, workspace};

/// Which of the two ends is sheave.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// One pass over a set of cases.
pub(crate) struct Run {
    role: Role,
    tls: bool,
    patterns: Vec<String>,
    /// How many cases the patterns have to come to.
    cases: Option<usize>,
}

impl Run {
    /// All cases of the suite, without TLS.
    fn all(role: Role) -> Self {
        let patterns = sections([1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13]);
        Self { role, tls: false, patterns, cases: Some(ALL_CASES) }
    }

    /// The same with a [sample](SAMPLE) of sections 12 and 13.
    pub(crate) fn sample(role: Role) -> Self {
        let mut patterns = sections([1, 2, 3, 4, 5, 6, 7, 9, 10]);
        for (section, subsections) in [(12, 1..=5), (13, 1..=7)] {
            for subsection in subsections {
                patterns.extend(SAMPLE.map(|case| format!("{section}.{subsection}.{case}")));
            }
        }
        Self { role, tls: false, patterns, cases: Some(SAMPLE_CASES) }
    }

    /// Sections 1–7, over TLS.
    pub(crate) fn tls(role: Role) -> Self {
        let patterns = sections([1, 2, 3, 4, 5, 6, 7]);
        Self { role, tls: true, patterns, cases: Some(TLS_CASES) }
    }

    fn title(&self) -> String {
        let role = if self.role == Role::Server { "server" } else { "client" };
        format!("{role} {}", if self.tls { "tls" } else { "plain" })
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
/// What our end is told of permessage-deflate, which only the cases of sections 12 and 13 use.
const DEFLATE: [&str; 2] = ["--deflate", "default"];
/// How many processes of the suite share the cases.
const SHARES: usize = 2;
/// For one pass; all cases take a quarter of an hour where nothing is wrong.
const PASS_LIMIT: Duration = Duration::from_secs(60 * 60);
const START_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    let (mut role, mut tls, mut sample, mut cases) = (None, false, false, None);
    while let Some(arg) = args.next().map_err(|error| error.to_string())? {
        match arg {
            lexopt::Arg::Value(value) if value == "server" => role = Some(Role::Server),
            lexopt::Arg::Value(value) if value == "client" => role = Some(Role::Client),
            lexopt::Arg::Long("tls") => tls = true,
            lexopt::Arg::Long("sample") => sample = true,
            lexopt::Arg::Long("cases") => {
                let value = args.value().map_err(|error| error.to_string())?;
                cases = Some(value.to_string_lossy().split(',').map(|case| case.trim().to_owned()).collect());
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    let roles = role.map_or(vec![Role::Server, Role::Client], |role| vec![role]);
    let mut tally = Tally::default();
    for role in roles {
        let mut pass = match (tls, sample) {
            (true, _) => Run::tls(role),
            (false, true) => Run::sample(role),
            (false, false) => Run::all(role),
        };
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
    let binary = match pass.role {
        Role::Server => workspace::build_examples(["echo_server"])?,
        Role::Client => workspace::build_examples(["autobahn_client"])?,
    };
    let started = Instant::now();
    let result = match pass.role {
        Role::Server => against_server(&suite, &binary[0], pass.tls, &reports, &shares),
        Role::Client => against_client(&suite, &binary[0], pass.tls, &reports, &shares),
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

/// The suite as client, against `echo_server`.
fn against_server(
    suite: &Environment,
    server: &Path,
    tls: bool,
    reports: &Path,
    shares: &[Vec<String>],
) -> Result<(), String> {
    let mut command = Command::new(server);
    command.args(["--addr", "127.0.0.1:0", "--until-stdin-ends"]).args(DEFLATE).args(tls.then_some("--tls"));
    let mut server = Helper::start(&mut command, &reports.join("echo_server.log"))?;
    let url = server.wait_for("listening on ", START_LIMIT)?;

    let mut clients = Vec::new();
    for (share, cases) in shares.iter().enumerate() {
        let outdir = reports.join(share.to_string());
        let servers = format!("\"servers\": [{{\"agent\": \"sheave\", \"url\": \"{url}\"}}]");
        let spec = write_spec(reports, share, cases, &outdir, &servers)?;
        let mut command = suite.wstest();
        command.args(["-m", "fuzzingclient", "-s"]).arg(spec);
        clients.push(Helper::start(&mut command, &reports.join(format!("{share}.log")))?);
    }
    let deadline = Instant::now() + PASS_LIMIT;
    let clients =
        clients.into_iter().map(|client| client.finish(deadline.saturating_duration_since(Instant::now())));
    all(clients.chain(std::iter::once_with(|| server.shut_down(START_LIMIT))))
}

/// The suite as server, against `autobahn_client`.
fn against_client(
    suite: &Environment,
    client: &Path,
    tls: bool,
    reports: &Path,
    shares: &[Vec<String>],
) -> Result<(), String> {
    let certificates =
        if tls { Some(certificates::make(&suite.python3(), &reports.join("certificates"))?) } else { None };
    let scheme = if tls { "wss" } else { "ws" };
    let (mut servers, mut clients) = (Vec::new(), Vec::new());
    for (share, cases) in shares.iter().enumerate() {
        let outdir = reports.join(share.to_string());
        // The port is chosen by the system and replaces this one.
        let mut more = format!("\"url\": \"{scheme}://127.0.0.1:9\"");
        if let Some(Certificates { key, chain, .. }) = &certificates {
            more += &format!(", \"key\": \"{}\", \"cert\": \"{}\"", key.display(), chain.display());
        }
        let spec = write_spec(reports, share, cases, &outdir, &more)?;
        let mut command = suite.wstest();
        command.args(["-m", "fuzzingserver", "-u", "0", "-s"]).arg(spec);
        let mut server = Helper::start(&mut command, &reports.join(format!("{share}.log")))?;
        let port = server.wait_for("listening on port ", START_LIMIT)?;
        servers.push(server);

        let mut command = Command::new(client);
        command.args(DEFLATE).arg(format!("{scheme}://127.0.0.1:{port}"));
        if let Some(certificates) = &certificates {
            command.arg("--ca").arg(&certificates.ca);
        }
        clients.push(Helper::start(&mut command, &reports.join(format!("client-{share}.log")))?);
    }
    let deadline = Instant::now() + PASS_LIMIT;
    all(clients.into_iter().map(|client| client.finish(deadline.saturating_duration_since(Instant::now()))))
}

/// Every result is awaited; all errors are told.
fn all(results: impl Iterator<Item = Result<(), String>>) -> Result<(), String> {
    let errors: Vec<_> = results.filter_map(Result::err).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

/// Writes what one process of the suite shall do.
fn write_spec(
    reports: &Path,
    share: usize,
    cases: &[String],
    outdir: &Path,
    more: &str,
) -> Result<std::path::PathBuf, String> {
    let path = reports.join(format!("{share}.json"));
    let cases = cases.join("\", \"");
    let text = format!("{{\"outdir\": \"{}\", {more}, \"cases\": [\"{cases}\"]}}\n", outdir.display());
    workspace::write(&path, &text)?;
    Ok(path)
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
