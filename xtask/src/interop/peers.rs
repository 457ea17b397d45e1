//! The other implementations, each set up once under the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::certificates::{self, Certificates};
use crate::{apt, process, python, workspace};

const PYTHON: [&str; 5] =
    ["websockets==15.0.1", "hypercorn==0.18.0", "h2==4.4.1", "wsproto==1.3.2", certificates::PACKAGE];
const NODE: [&str; 2] = ["ws@8.18.3", "undici@7.30.2"];
/// The Debian release that the proxies come from, with those of their libraries that not every system has.
const RELEASE: &str = "bookworm";
const PROXIES: [&str; 11] = [
    "haproxy",
    "libc-ares2",
    "libev4",
    "libjemalloc2",
    "liblua5.3-0",
    "libnghttp2-14",
    "libopentracing-c-wrapper0",
    "libopentracing1",
    "libpcre2-8-0",
    "libssl3",
    "nghttp2-proxy",
];
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The scripts, in environments of their own.
pub(super) struct Peers {
    pub(super) certificates: Certificates,
    dir: PathBuf,
}

impl Peers {
    /// Makes the environments unless an earlier run has finished that.
    pub(super) fn prepare() -> Result<Self, String> {
        let dir = workspace::target().join("interop");
        let python = dir.join("python");
        workspace::once(&python, &PYTHON.join(" "), || {
            println!("interop: setting up {}, once", PYTHON.join(", "));
            python::environment(&python, &PYTHON).map(|_| ())
        })?;
        let node = dir.join("node");
        workspace::once(&node, &NODE.join(" "), || {
            println!("interop: setting up {}, once", NODE.join(", "));
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"]);
            process::run(npm.arg(&node).args(NODE), INSTALL_LIMIT)
                .map_err(|why| format!("npm has failed ({why}); Node.js with npm is needed"))
        })?;
        let certificates = certificates::make(&python.join("bin/python"), &dir.join("certificates"))?;
        Ok(Self { certificates, dir })
    }

    /// A script of `xtask/interop` in Python, without `.py`.
    pub(super) fn python(&self, script: &str) -> Command {
        let mut command = Command::new(self.dir.join("python/bin/python"));
        command.arg(scripts().join(format!("{script}.py")));
        command.env("PYTHONPATH", scripts()).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// A script of `xtask/interop` in JavaScript, without `.mjs`.
    pub(super) fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(scripts().join(format!("{script}.mjs"))).env("INTEROP_NODE", self.dir.join("node"));
        command
    }

    /// A file of these tasks.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn log(&self, title: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{}.log", title.replace(' ', "-").replace('/', ".")))
    }
}

/// What only HTTP/2 needs: peers in Rust, and proxies.
pub(super) struct Programs {
    rust: PathBuf,
    debian: PathBuf,
}

impl Programs {
    /// Sets up what an earlier run has not.
    pub(super) fn prepare() -> Result<Self, String> {
        let dir = workspace::target().join("interop");
        let debian = dir.join("debian");
        workspace::once(&debian, &format!("{RELEASE} {}", PROXIES.join(" ")), || {
            println!("interop: unpacking nghttpx and HAProxy, once");
            apt::unpack(&debian.join("unpacked"), RELEASE, &PROXIES)
        })?;
        let rust = dir.join("peers");
        let mut build = workspace::cargo();
        build.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]);
        build.arg(scripts().join("h2/peers/Cargo.toml")).env("CARGO_TARGET_DIR", &rust);
        process::run(&mut build, BUILD_LIMIT)?;
        Ok(Self { rust: rust.join("release"), debian: debian.join("unpacked") })
    }

    /// `axum_server` or `hyper_client`.
    pub(super) fn rust(&self, program: &str) -> Command {
        Command::new(self.rust.join(program))
    }

    /// `nghttpx` or `haproxy`.
    pub(super) fn proxy(&self, program: &str) -> Result<Command, String> {
        let path = self.debian.join("root/usr/sbin").join(program);
        if !path.exists() {
            return Err(format!("{program} was not unpacked"));
        }
        let mut command = Command::new(path);
        command.env("LD_LIBRARY_PATH", apt::libraries(&self.debian, "libnghttp2.so.14")?);
        Ok(command)
    }
}

/// Adds the file of a certificate's authority, if there is one.
pub(super) fn trusting<'c>(command: &'c mut Command, ca: Option<&Path>) -> &'c mut Command {
    command.args(ca.iter().flat_map(|ca| [Path::new("--ca"), ca]))
}

fn scripts() -> PathBuf {
    workspace::root().join("xtask/interop")
}
