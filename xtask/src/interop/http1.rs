//! HTTP/1.1, with Python's `websockets` and Node's `ws`.

use std::path::Path;
use std::process::Command;

use super::peers::{Peers, trusting};
use super::{CLOSES, OUR_DEFLATE_CHECKS, deflate_checks, message_checks, their_deflate_checks};
use crate::checks::{Reported, START_LIMIT, conclude, end_of_server, run_client};
use crate::process::Helper;
use crate::{Outcome, Tally, workspace};

/// Runs every direction over both transports, permessage-deflate and no-masking without TLS.
pub(super) fn run() -> Outcome {
    let peers = Peers::prepare()?;
    let [server, client, deflate] =
        workspace::build_examples(["interop_server", "interop_client", "interop_deflate"])?;
    let mut tally = Tally::default();
    for tls in [false, true] {
        for other in [Implementation::Python, Implementation::Node] {
            tally += their_client(&peers, Topic::Messages, other, &server, tls)?;
            tally += our_client(&peers, Topic::Messages, other, &client, tls)?;
        }
    }
    for other in [Implementation::Python, Implementation::Node] {
        tally += their_client(&peers, Topic::Deflate, other, &server, false)?;
        tally += our_client(&peers, Topic::Deflate, other, &deflate, false)?;
    }
    tally += without_masking(&peers, Topic::Messages, &server, &client)?;
    tally += without_masking(&peers, Topic::Deflate, &server, &deflate)?;
    Ok(tally)
}

/// Which of the checks a client makes.
#[derive(Clone, Copy, PartialEq)]
enum Topic {
    Messages,
    Deflate,
}

impl Topic {
    /// What a client of theirs checks.
    fn their_checks(self) -> Vec<String> {
        match self {
            Self::Messages => message_checks(),
            Self::Deflate => [deflate_checks(), their_deflate_checks()].concat(),
        }
    }

    /// What a client of ours checks.
    fn our_checks(self) -> Vec<String> {
        match self {
            Self::Messages => message_checks(),
            Self::Deflate => [deflate_checks(), OUR_DEFLATE_CHECKS.map(str::to_owned).to_vec()].concat(),
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

    /// A script of theirs: `client`, `deflate` or `server`.
    fn script(self, peers: &Peers, which: &str) -> Command {
        match self {
            Self::Python => peers.python(which),
            Self::Node => peers.node(which),
        }
    }
}

fn their_client(peers: &Peers, topic: Topic, other: Implementation, server: &Path, tls: bool) -> Outcome {
    let title = format!("{} client, sheave server, {}", other.name(), topic.transport(tls));
    let ca = tls.then(|| peers.file("sheave-ca.pem"));
    let mut server = Command::new(server);
    if let Some(ca) = &ca {
        server.arg("--tls").arg("--ca-out").arg(ca);
    }
    let mut client = other.script(peers, if topic == Topic::Deflate { "deflate" } else { "client" });
    our_server(peers, &title, &mut server, &topic.their_checks(), |url| {
        run_client(trusting(client.arg(url), ca.as_deref()), &peers.log(&title))
    })
}

/// Client and server of ours, which agree not to mask.
fn without_masking(peers: &Peers, topic: Topic, server: &Path, client: &Path) -> Outcome {
    let title = format!("sheave client, sheave server, {}, no masking", topic.transport(false));
    let (mut server, mut client) = (Command::new(server), Command::new(client));
    server.arg("--no-masking");
    client.arg("--no-masking");
    our_server(peers, &title, &mut server, &topic.our_checks(), |url| {
        let (lines, ended) = run_client(client.arg(url), &peers.log(&title))?;
        let agreed = topic == Topic::Deflate || lines.iter().any(|line| line == "extensions: no-masking");
        let ended = ended.and(if agreed { Ok(()) } else { Err("it was not agreed on".to_owned()) });
        Ok((lines, ended))
    })
}

/// Runs `server` and what `client` makes of its URL.
fn our_server(
    peers: &Peers,
    title: &str,
    server: &mut Command,
    checks: &[String],
    client: impl FnOnce(String) -> Result<Reported, String>,
) -> Outcome {
    server.args(["--addr", "127.0.0.1:0", "--until-stdin-ends"]);
    let mut server = Helper::start(server, &peers.log(&format!("{title} server")))?;
    let (lines, ended) = client(server.wait_for("listening on ", START_LIMIT)?)?;
    let title = format!("interop {title}");
    Ok(conclude(&title, checks, &lines, ended) + end_of_server(server, &title))
}

fn our_client(peers: &Peers, topic: Topic, other: Implementation, client: &Path, tls: bool) -> Outcome {
    let title = format!("sheave client, {} server, {}", other.name(), topic.transport(tls));
    let certificates = &peers.certificates;
    let mut command = other.script(peers, "server");
    if tls {
        command.arg(&certificates.chain).arg(&certificates.key);
    }
    let mut server = Helper::start(&mut command, &peers.log(&format!("{title} server")))?;
    let url = server.wait_for("listening on ", START_LIMIT)?;

    let mut client = Command::new(client);
    if topic == Topic::Messages {
        client.arg("--http1");
    }
    let client = trusting(client.arg(url), tls.then_some(&*certificates.ca));
    let (mut lines, ended) = run_client(client, &peers.log(&title))?;
    // The server tells how the closes ended that it began.
    lines.extend(server.close(START_LIMIT)?);
    let mut checks = topic.our_checks();
    if topic == Topic::Messages {
        checks.extend(CLOSES.iter().map(|close| format!("close-seen-{close}")));
    }
    Ok(conclude(&format!("interop {title}"), &checks, &lines, ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_have_names_of_their_own() {
        for (topic, theirs, ours) in [(Topic::Messages, 41, 41), (Topic::Deflate, 406, 398)] {
            for (mut checks, count) in [(topic.their_checks(), theirs), (topic.our_checks(), ours)] {
                assert_eq!(checks.len(), count);
                checks.sort();
                checks.dedup();
                assert_eq!(checks.len(), count);
            }
        }
    }
}
