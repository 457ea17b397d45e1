//! The two ends of a pass: the suite on one, sheave on the other, and maybe a bridge between.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::environment::Environment;
use super::{Over, Role, Run, START_LIMIT};
use crate::certificates::{self, Certificates};
use crate::process::Helper;
use crate::workspace;

/// What our end is told of permessage-deflate, which only the cases of sections 12 and 13 use.
const DEFLATE: [&str; 2] = ["--deflate", "default"];
/// For one pass; all cases take a quarter of an hour where nothing is wrong.
const PASS_LIMIT: Duration = Duration::from_secs(60 * 60);

pub(super) struct Ends<'a> {
    suite: &'a Environment,
    reports: &'a Path,
    over: Over,
    /// `echo_server` or `autobahn_client`.
    ours: PathBuf,
    bridge: PathBuf,
}

impl<'a> Ends<'a> {
    /// Builds what a pass needs.
    pub(super) fn prepare(pass: &Run, suite: &'a Environment, reports: &'a Path) -> Result<Self, String> {
        let ours = if pass.role == Role::Server { "echo_server" } else { "autobahn_client" };
        let [ours, bridge] = workspace::build_examples([ours, "h2_bridge"])?;
        Ok(Self { suite, reports, over: pass.over, ours, bridge })
    }

    /// The suite as client, against `echo_server`.
    pub(super) fn server(&self, shares: &[Vec<String>]) -> Result<(), String> {
        let mut command = Command::new(&self.ours);
        command.args(["--addr", "127.0.0.1:0", "--until-stdin-ends"]).args(DEFLATE);
        command.args((self.over == Over::Http1Tls).then_some("--tls"));
        command.args((self.over == Over::Http2).then_some("--h2c"));
        let mut server = Helper::start(&mut command, &self.reports.join("echo_server.log"))?;
        let mut url = server.wait_for("listening on ", START_LIMIT)?;
        let bridge = match self.over {
            Over::Http2 => Some(self.bridge("--to-h2", &mut url, "h2_bridge.log")?),
            Over::Http1 | Over::Http1Tls => None,
        };

        let mut clients = Vec::new();
        for (share, cases) in shares.iter().enumerate() {
            let servers = format!("\"servers\": [{{\"agent\": \"sheave\", \"url\": \"{url}\"}}]");
            let spec = self.write_spec(share, cases, &servers)?;
            let mut command = self.suite.wstest();
            command.args(["-m", "fuzzingclient", "-s"]).arg(spec);
            clients.push(Helper::start(&mut command, &self.reports.join(format!("{share}.log")))?);
        }
        // What is in front ends first.
        let servers = bridge.into_iter().chain([server]).map(|server| server.shut_down(START_LIMIT));
        all(finish(clients).chain(servers))
    }

    /// The suite as server, against `autobahn_client`.
    pub(super) fn client(&self, shares: &[Vec<String>]) -> Result<(), String> {
        let certificates = match self.over {
            Over::Http1Tls => {
                Some(certificates::make(&self.suite.python3(), &self.reports.join("certificates"))?)
            }
            Over::Http1 | Over::Http2 => None,
        };
        let scheme = if certificates.is_some() { "wss" } else { "ws" };
        let (mut servers, mut bridges, mut clients) = (Vec::new(), Vec::new(), Vec::new());
        for (share, cases) in shares.iter().enumerate() {
            // The port is chosen by the system and replaces this one.
            let mut more = format!("\"url\": \"{scheme}://127.0.0.1:9\"");
            if let Some(Certificates { key, chain, .. }) = &certificates {
                more += &format!(", \"key\": \"{}\", \"cert\": \"{}\"", key.display(), chain.display());
            }
            let spec = self.write_spec(share, cases, &more)?;
            let mut command = self.suite.wstest();
            command.args(["-m", "fuzzingserver", "-u", "0", "-s"]).arg(spec);
            if self.over == Over::Http2 {
                command.env("AUTOBAHN_PROXIED", "1");
            }
            let mut server = Helper::start(&mut command, &self.reports.join(format!("{share}.log")))?;
            let port = server.wait_for("listening on port ", START_LIMIT)?;
            servers.push(server);

            let mut url = format!("{scheme}://127.0.0.1:{port}");
            let mut command = Command::new(&self.ours);
            command.args(DEFLATE);
            if self.over == Over::Http2 {
                bridges.push(self.bridge("--to-http1", &mut url, &format!("h2_bridge-{share}.log"))?);
                command.arg("--h2c");
            }
            if let Some(certificates) = &certificates {
                command.arg("--ca").arg(&certificates.ca);
            }
            clients
                .push(Helper::start(command.arg(&url), &self.reports.join(format!("client-{share}.log")))?);
        }
        let bridges = bridges.into_iter().map(|bridge| bridge.shut_down(START_LIMIT));
        all(finish(clients).chain(bridges))
    }

    /// A bridge to `url`, which becomes its own.
    fn bridge(&self, way: &str, url: &mut String, log: &str) -> Result<Helper, String> {
        let mut command = Command::new(&self.bridge);
        command.args([way, "--listen", "127.0.0.1:0", "--until-stdin-ends", url]);
        let mut bridge = Helper::start(&mut command, &self.reports.join(log))?;
        let listening = bridge.wait_for("listening on ", START_LIMIT)?;
        let (_, address) = listening.split_once("://").ok_or("the bridge has no URL")?;
        *url = format!("ws://{address}");
        Ok(bridge)
    }

    /// Writes what one process of the suite shall do.
    fn write_spec(&self, share: usize, cases: &[String], more: &str) -> Result<PathBuf, String> {
        let path = self.reports.join(format!("{share}.json"));
        let outdir = self.reports.join(share.to_string());
        let cases = cases.join("\", \"");
        let text = format!("{{\"outdir\": \"{}\", {more}, \"cases\": [\"{cases}\"]}}\n", outdir.display());
        workspace::write(&path, &text)?;
        Ok(path)
    }
}

/// Waits for programs that end by themselves.
fn finish(programs: Vec<Helper>) -> impl Iterator<Item = Result<(), String>> {
    let deadline = Instant::now() + PASS_LIMIT;
    let left = move || deadline.saturating_duration_since(Instant::now());
    programs.into_iter().map(move |program| program.finish(left()))
}

/// Every result is awaited; all errors are told.
fn all(results: impl Iterator<Item = Result<(), String>>) -> Result<(), String> {
    let errors: Vec<_> = results.filter_map(Result::err).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}
