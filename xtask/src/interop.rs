//! `cargo xtask interop`: other implementations as clients of `interop_server` and as servers of `interop_client` and
//! `interop_deflate`.
//!
//! Every client, ours and theirs, does the same named checks and prints `ok NAME` or `FAIL NAME why` for each; every
//! server has the same paths. `xtask/interop/README.md` is the contract. A check that was not reported has failed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::certificates::{self, Certificates};
use crate::checks::{Reported, START_LIMIT, conclude, end_of_server, run_client};
use crate::process::Helper;
use crate::{Outcome, Tally, process, python, workspace};

const WEBSOCKETS: &str = "websockets==15.0.1";
const WS: &str = "ws@8.18.3";

/// Every size that a length is encoded in, from both sides of each border.
const SIZES: [u32; 9] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20];
/// The closes that either side begins, by the name of their check.
const CLOSES: [&str; 6] = ["1000", "1001", "1008", "3000", "4999-reason", "none"];
const OTHER_CHECKS: [&str; 11] = [
    "text-unicode",
    "fragments-text",
    "fragments-binary",
    "fragments-ping",
    "fragments-by-peer",
    "ping",
    "ping-empty",
    "ping-125",
    "ping-by-peer",
    "subprotocol-chosen",
    "subprotocol-none",
];

/// Window bits, in both directions.
const WINDOW_BITS: std::ops::RangeInclusive<u8> = 9..=15;
/// Who may refer back to earlier messages.
const TAKEOVERS: [&str; 4] = ["both", "server", "client", "none"];
/// Offers that a server of ours has to decline.
const DECLINED: [&str; 9] = [
    "server-8",
    "server-7",
    "server-16",
    "server-without-value",
    "client-7",
    "client-with-zero",
    "flag-with-value",
    "twice",
    "unknown",
];

/// Runs every direction over both transports, permessage-deflate and no-masking without TLS.
pub(crate) fn task() -> Outcome {
    let peers = Peers::prepare()?;
    let [server, client, deflate] =
        workspace::build_examples(["interop_server", "interop_client", "interop_deflate"])?;
    let mut tally = Tally::default();
    for tls in [false, true] {
        for other in [Implementation::Python, Implementation::Node] {
            tally += peers.their_client(Topic::Messages, other, &server, tls)?;
            tally += peers.our_client(Topic::Messages, other, &client, tls)?;
        }
    }
    for other in [Implementation::Python, Implementation::Node] {
        tally += peers.their_client(Topic::Deflate, other, &server, false)?;
        tally += peers.our_client(Topic::Deflate, other, &deflate, false)?;
    }
    tally += peers.without_masking(Topic::Messages, &server, &client)?;
    tally += peers.without_masking(Topic::Deflate, &server, &deflate)?;
    println!("interop: {tally}");
    Ok(tally)
}

/// Which of the checks a client makes.
#[derive(Clone, Copy, PartialEq)]
enum Topic {
    Messages,
    Deflate,
}

impl Topic {
    /// What every client checks.
    fn checks(self) -> Vec<String> {
        match self {
            Self::Messages => client_checks(),
            Self::Deflate => deflate_checks(),
        }
    }

    /// What only a client of theirs checks.
    fn their_checks(self) -> Vec<String> {
        match self {
            Self::Messages => Vec::new(),
            Self::Deflate => {
                let declined = DECLINED.iter().map(|offer| format!("declined-{offer}"));
                declined.chain(["unlimited".to_owned()]).collect()
            }
        }
    }

    /// What only a client of ours checks.
    fn our_checks(self) -> Vec<String> {
        match self {
            Self::Messages => Vec::new(),
            Self::Deflate => vec!["declined".to_owned(), "imposed-8".to_owned()],
        }
    }

    fn transport(self, tls: bool) -> &'static str {
        match (self, tls) {
            (Self::Messages, false) => "plain",
            (Self::Messages, true) => "tls",
            (Self::Deflate, _) => "deflate",
        }
    }
}

#[derive(Clone, Copy)]
enum Implementation {
    Python,
    Node,
}

impl Implementation {
    fn name(self) -> &'static str {
        match self {
            Self::Python => "python websockets",
            Self::Node => "node ws",
        }
    }
}

/// The other implementations, in environments of their own.
struct Peers {
    dir: PathBuf,
    certificates: Certificates,
}

impl Peers {
    /// Makes the environments unless an earlier run has finished that.
    fn prepare() -> Result<Self, String> {
        let dir = workspace::target().join("interop");
        workspace::once(&dir, &format!("{WEBSOCKETS} {} {WS}\n", certificates::PACKAGE), || {
            println!("interop: setting up {WEBSOCKETS} and {WS}, once");
            python::environment(&dir.join("python"), &[WEBSOCKETS, certificates::PACKAGE])?;
            workspace::fresh_dir(&dir.join("node"))?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"]);
            process::run(npm.arg(dir.join("node")).arg(WS), Duration::from_secs(10 * 60))
                .map_err(|why| format!("npm could not install {WS} ({why}); Node.js with npm is needed"))
        })?;
        let certificates = certificates::make(&dir.join("python/bin/python"), &dir.join("certificates"))?;
        Ok(Self { dir, certificates })
    }

    /// A script of theirs: `client`, `deflate` or `server`.
    fn script(&self, other: Implementation, which: &str) -> Command {
        let scripts = workspace::root().join("xtask/interop");
        match other {
            Implementation::Python => {
                let mut command = Command::new(self.dir.join("python/bin/python"));
                command.arg(scripts.join(format!("{which}.py"))).env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Implementation::Node => {
                let mut command = Command::new("node");
                command.arg(scripts.join(format!("{which}.mjs"))).env("INTEROP_NODE", self.dir.join("node"));
                command
            }
        }
    }

    fn log(&self, title: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{}.log", title.replace(' ', "-")))
    }

    fn their_client(&self, topic: Topic, other: Implementation, server: &Path, tls: bool) -> Outcome {
        let title = format!("{} client, sheave server, {}", other.name(), topic.transport(tls));
        let ca = self.dir.join("sheave-ca.pem");
        let mut server = Command::new(server);
        if tls {
            server.arg("--tls").arg("--ca-out").arg(&ca);
        }
        let mut client = self.script(other, if topic == Topic::Deflate { "deflate" } else { "client" });
        let mut checks = topic.checks();
        checks.extend(topic.their_checks());
        self.our_server(&title, &mut server, &checks, |url| {
            client.arg(url).args(tls.then_some("--ca")).args(tls.then_some(&ca));
            run_client(&mut client, &self.log(&title))
        })
    }

    /// Client and server of ours, which agree not to mask.
    fn without_masking(&self, topic: Topic, server: &Path, client: &Path) -> Outcome {
        let title = format!("sheave client, sheave server, {}, no masking", topic.transport(false));
        let (mut server, mut client) = (Command::new(server), Command::new(client));
        server.arg("--no-masking");
        client.arg("--no-masking");
        let mut checks = topic.checks();
        checks.extend(topic.our_checks());
        self.our_server(&title, &mut server, &checks, |url| {
            let (lines, ended) = run_client(client.arg(url), &self.log(&title))?;
            let agreed = topic == Topic::Deflate || lines.iter().any(|line| line == "extensions: no-masking");
            let ended = ended.and(if agreed { Ok(()) } else { Err("it was not agreed on".to_owned()) });
            Ok((lines, ended))
        })
    }

    /// Runs `server` and what `client` makes of its URL.
    fn our_server(
        &self,
        title: &str,
        server: &mut Command,
        checks: &[String],
        client: impl FnOnce(String) -> Result<Reported, String>,
    ) -> Outcome {
        server.args(["--addr", "127.0.0.1:0", "--until-stdin-ends"]);
        let mut server = Helper::start(server, &self.log(&format!("{title} server")))?;
        let (lines, ended) = client(server.wait_for("listening on ", START_LIMIT)?)?;
        let title = format!("interop {title}");
        Ok(conclude(&title, checks, &lines, ended) + end_of_server(server, &title))
    }

    fn our_client(&self, topic: Topic, other: Implementation, client: &Path, tls: bool) -> Outcome {
        let title = format!("sheave client, {} server, {}", other.name(), topic.transport(tls));
        let mut command = self.script(other, "server");
        if tls {
            command.arg(&self.certificates.chain).arg(&self.certificates.key);
        }
        let mut server = Helper::start(&mut command, &self.log(&format!("{title} server")))?;
        let url = server.wait_for("listening on ", START_LIMIT)?;

        let mut command = Command::new(client);
        command.arg(url).args(tls.then_some("--ca")).args(tls.then_some(&self.certificates.ca));
        let log = self.log(&title);
        let (mut lines, ended) = run_client(&mut command, &log)?;
        // The server tells how the closes ended that it began.
        lines.extend(server.close(START_LIMIT)?);
        let mut checks = topic.checks();
        checks.extend(topic.our_checks());
        if topic == Topic::Messages {
            checks.extend(CLOSES.iter().map(|close| format!("close-seen-{close}")));
        }
        Ok(conclude(&format!("interop {title}"), &checks, &lines, ended))
    }
}

fn client_checks() -> Vec<String> {
    let sizes = SIZES.iter().flat_map(|size| [format!("text-{size}"), format!("binary-{size}")]);
    let closes = CLOSES.iter().flat_map(|close| [format!("close-{close}"), format!("close-by-peer-{close}")]);
    sizes.chain(closes).chain(OTHER_CHECKS.map(str::to_owned)).collect()
}

fn deflate_checks() -> Vec<String> {
    let combinations = TAKEOVERS.iter().flat_map(|takeover| {
        let bits = WINDOW_BITS.flat_map(|server| WINDOW_BITS.map(move |client| (server, client)));
        bits.flat_map(move |(server, client)| {
            ["asked", "imposed"].map(|how| format!("{how}-{server}-{client}-{takeover}"))
        })
    });
    combinations.chain(TAKEOVERS.iter().map(|takeover| format!("large-{takeover}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_have_names_of_their_own() {
        for (topic, theirs, ours) in [(Topic::Messages, 41, 41), (Topic::Deflate, 406, 398)] {
            for (more, count) in [(topic.their_checks(), theirs), (topic.our_checks(), ours)] {
                let mut checks = topic.checks();
                checks.extend(more);
                assert_eq!(checks.len(), count);
                checks.sort();
                checks.dedup();
                assert_eq!(checks.len(), count);
            }
        }
    }
}
