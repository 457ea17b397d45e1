//! `cargo xtask browser`: headless Chromium opens the demo's page and one that checks its WebSockets, which run over
//! HTTP/2. `xtask/browser/README.md` tells what is checked. Pictures of the demo are left under `target/browser`.

use std::fs;
use std::process::{Command, Stdio};

use crate::checks::{START_LIMIT, conclude, end_of_server, run_client};
use crate::process::Helper;
use crate::{Outcome, workspace};

/// The sizes of the messages that come back, each as text and as binary.
const SIZES: [u32; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
/// The closes that the page begins, and those that the server begins.
const CLOSES: [&str; 4] = ["1000", "3000", "4999-reason", "none"];
const CLOSES_BY_SERVER: [&str; 5] = ["1000", "1001", "3000", "4999-reason", "none"];
/// What else the checking page finds, what the server, and what is found from outside of the pages.
const OTHER_CHECKS: [&str; 36] = [
    "page-version",
    "text-unicode",
    "noise-1048576",
    "burst-1000",
    "deflate",
    "subprotocol-chosen",
    "subprotocol-none",
    "sockets-100",
    "rejected",
    "reset",
    "ping-by-server",
    "witness",
    "server-page-version",
    "server-socket-version",
    "server-one-connection",
    "server-sockets",
    "server-deflate",
    "server-rejected",
    "server-errors",
    "server-leave",
    "check-page",
    "demo-page",
    "demo-version",
    "demo-sockets",
    "demo-messages",
    "demo-pictures",
    "demo-250-sockets",
    "demo-stop",
    "demo-console",
    "browser-end",
    "browser-one-connection",
    "browser-setting",
    "browser-extended-connect",
    "browser-rejected",
    "browser-ends",
    "browser-goaway",
];
const NEEDED: [(&str, &str); 2] =
    [("chromium", "Debian's package chromium"), ("node", "Debian's package nodejs")];

/// Makes all checks, and tells where the pictures are.
pub(crate) fn task() -> Outcome {
    for (program, package) in NEEDED {
        let mut command = Command::new(program);
        let found = command
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            return Err(format!("the check with a browser needs the program {program:?}, {package}"));
        }
    }
    let [server] = workspace::build_examples(["browser_check"])?;
    let dir = workspace::target().join("browser");
    workspace::fresh_dir(&dir)?;
    let ca = dir.join("ca.pem");

    let mut command = Command::new(server);
    command.args(["--addr", "127.0.0.1:0", "--tls", "--until-stdin-ends", "--ca-out"]).arg(&ca);
    let mut server = Helper::start(&mut command, &dir.join("server.log"))?;
    let url = server.wait_for("listening on ", START_LIMIT)?;

    let mut driver = Command::new("node");
    driver.arg(workspace::root().join("xtask/browser/drive.mjs")).arg(url).arg(&ca).arg(&dir);
    let (mut lines, driven) = run_client(&mut driver, &dir.join("driver.log"))?;
    if let Err(why) = &driven {
        eprintln!("{why}");
    }
    // What the checking page has found, and what the server has seen.
    server.ask_to_end();
    let (more, ended) = server.rest(START_LIMIT);
    lines.extend(more);
    let tally = conclude("browser", &checks(), &lines, driven.and(ended)) + end_of_server(server, "browser");
    if fs::exists(dir.join("demo.png")).unwrap_or(false) {
        println!("browser: the demo looks like {}", dir.join("demo.png").display());
    }
    Ok(tally)
}

fn checks() -> Vec<String> {
    let sizes = SIZES.iter().flat_map(|size| [format!("text-{size}"), format!("binary-{size}")]);
    let closes = CLOSES.iter().flat_map(|close| [format!("close-{close}"), format!("server-close-{close}")]);
    let by_server = CLOSES_BY_SERVER.iter().map(|close| format!("close-by-server-{close}"));
    sizes.chain(closes).chain(by_server).chain(OTHER_CHECKS.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_have_names_of_their_own() {
        let mut checks = checks();
        let count = checks.len();
        checks.sort();
        checks.dedup();
        assert_eq!((checks.len(), count), (63, 63));
    }
}
