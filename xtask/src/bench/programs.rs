//! The programs of `xtask/bench`: how they are built, with what, and where they run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, thread};

use crate::{process, workspace};

/// The oldest compiler that builds every peer, as the number behind `1.`.
const RUSTC: u32 = 96;
/// Where the server runs, and where the load.
pub(super) const CORES: [&str; 2] = ["0", "1"];
const LIMIT: Duration = Duration::from_secs(60);

/// A toolchain that is new enough for every peer.
pub(super) struct Toolchain {
    /// What rustup calls it; `None` is the default one.
    name: Option<&'static str>,
    /// What its `rustc` says.
    version: String,
}

impl Toolchain {
    /// The default one, or else the nightly one.
    pub(super) fn find() -> Result<Self, String> {
        let mut found = Vec::new();
        for name in [None, Some("nightly")] {
            let Ok(version) = process::read(tool(name, "rustc").arg("--version"), LIMIT) else { continue };
            let version = version.trim().to_owned();
            if minor(&version).is_some_and(|minor| minor >= RUSTC) {
                return Ok(Self { name, version });
            }
            found.push(version);
        }
        let found = found.join(" and ");
        Err(format!(
            "the peers need rustc 1.{RUSTC} or newer, here is {found}: rustup toolchain install nightly"
        ))
    }

    /// The default one, whatever its version: sheave builds with it.
    pub(super) fn stable() -> Self {
        Self { name: None, version: String::new() }
    }

    /// Builds a package by itself, so that none gets the features of another's dependencies, and returns its program.
    pub(super) fn build(&self, package: &str) -> Result<PathBuf, String> {
        let mut command = tool(self.name, "cargo");
        command.args(["build", "--release", "--locked", "--quiet", "--package", package]);
        command.current_dir(folder()).env("CARGO_TARGET_DIR", target());
        process::run(&mut command, Duration::from_secs(30 * 60))?;
        Ok(built(package))
    }

    /// What was measured with: compiler, flags, processor and system.
    pub(super) fn machine(&self) -> String {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("an unknown processor", |(_, model)| model);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let flags = env::var("RUSTFLAGS").map(|flags| format!(", RUSTFLAGS={flags}")).unwrap_or_default();
        format!(
            "{}, release with fat LTO and one codegen unit{flags}; {model}, {cores} cores, Linux {}",
            self.version,
            kernel.trim()
        )
    }
}

/// Where the program of a package is, once it is built.
pub(super) fn built(package: &str) -> PathBuf {
    target().join("release").join(package)
}

/// The workspace of the benchmark.
pub(super) fn folder() -> PathBuf {
    workspace::root().join("xtask/bench")
}

/// Where it is built, and where results and logs go.
pub(super) fn target() -> PathBuf {
    workspace::target().join("bench")
}

/// The version of a package in the lock file of the benchmark; of several the one that comes last, which is the newest.
pub(super) fn locked(lock: &str, package: &str) -> Option<String> {
    let (_, rest) = lock.rsplit_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version.to_owned())
}

/// The same command, which stays on one core.
pub(super) fn pinned(core: &str, command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", core]).arg(command.get_program()).args(command.get_args());
    pinned.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    pinned
}

/// There has to be a core for each of them.
pub(super) fn check_machine() -> Result<(), String> {
    if thread::available_parallelism().map_or(1, usize::from) < CORES.len() {
        return Err("the server and the load need a core each".to_owned());
    }
    needs("taskset", "util-linux")
}

/// An error unless the system has this program, which comes in that package.
pub(super) fn needs(program: &str, package: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    let there = process::read(command.arg("--version"), LIMIT);
    there.map(drop).map_err(|why| format!("{program} is needed (package {package}): {why}"))
}

/// `rustc` or `cargo` of a toolchain.
fn tool(toolchain: Option<&str>, name: &str) -> Command {
    let Some(toolchain) = toolchain else {
        return match name {
            "cargo" => workspace::cargo(),
            name => Command::new(name),
        };
    };
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, name]);
    command
}

/// The `97` of `rustc 1.97.0-nightly (…)`.
fn minor(version: &str) -> Option<u32> {
    version.split_once(" 1.")?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_second_number() {
        assert_eq!(minor("rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\n"), Some(97));
        assert_eq!(minor("rustc 1.100.1"), Some(100));
        assert_eq!(minor("error: no such toolchain"), None);
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let of = |name, version| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n");
        let lock = of("wtx-x", "1.0.0") + &of("wtx", "0.51.0") + &of("wtx", "0.52.1");
        assert_eq!(locked(&lock, "wtx").as_deref(), Some("0.52.1"));
        assert_eq!(locked(&lock, "wt"), None);
    }
}
