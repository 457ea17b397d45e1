//! The step `idle memory` of `cargo xtask ci`: what an idle WebSocket costs a server stays below a bound.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::{Outcome, Tally, process, workspace};

/// As many as the number in the README is measured with.
const SOCKETS: u64 = 10_000;
/// Open files for what is no measured socket.
const SPARE: u64 = 200;

/// Runs `idle_memory` with as many sockets as the system lets a process have, and `multiplex` with as many over HTTP/2,
/// which are no files; they judge for themselves.
pub(crate) fn task() -> Outcome {
    let limits = workspace::read(Path::new("/proc/self/limits"))?;
    let files =
        hard_limit(&limits).ok_or("/proc/self/limits names no limit of open files")?.min(SOCKETS + SPARE);
    let sockets =
        files.checked_sub(SPARE).filter(|sockets| *sockets > 0).ok_or("too few files may be open")?;
    let [program, multiplex] = workspace::build_examples(["idle_memory", "multiplex"])?;
    let uses: [&[&str]; 4] =
        [&[], &["--used"], &["--used", "--deflate", "default"], &["--used", "--deflate", "small"]];
    for used in uses {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files.to_string()]);
        command.arg(&program).args(["--sockets", &sockets.to_string()]).args(used);
        process::run(&mut command, Duration::from_secs(5 * 60))?;
    }
    let mut command = Command::new(multiplex);
    process::run(command.args(["--sockets", &SOCKETS.to_string()]), Duration::from_secs(5 * 60))?;
    Ok(Tally::default())
}

/// The hard limit of open files in `/proc/self/limits`.
fn hard_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let hard = line.split_whitespace().nth(1)?;
    if hard == "unlimited" { Some(u64::MAX) } else { hard.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::hard_limit;

    #[test]
    fn the_hard_limit_is_the_second_number() {
        let limits = "Limit    Soft Limit  Hard Limit  Units\nMax open files   1024   20000   files\n";
        assert_eq!(hard_limit(limits), Some(20_000));
        assert_eq!(hard_limit("Max open files   1024   unlimited   files"), Some(u64::MAX));
        assert_eq!(hard_limit("Max processes   1   2   processes"), None);
    }
}
