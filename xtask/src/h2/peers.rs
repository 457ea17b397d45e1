//! The other implementations, each set up once under the target directory.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::dir;
use crate::certificates::{self, Certificates};
use crate::{apt, process, python, workspace};

/// The Debian release that nghttp2's programs come from, with those of its libraries that not every system has.
const RELEASE: &str = "bookworm";
const NGHTTP2: [&str; 10] = [
    "libev4",
    "libicu72",
    "libjansson4",
    "libjemalloc2",
    "liblzma5",
    "libnghttp2-14",
    "libssl3",
    "libxml2",
    "nghttp2-client",
    "nghttp2-server",
];
const PYTHON_H2: &str = "h2==4.3.0";
const PYTHON_HPACK: &str = "hpack==4.1.0";
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

/// A peer with a client and a server of its own that make and serve the checks.
#[derive(Clone, Copy)]
pub(super) enum Peer {
    Node,
    Python,
    H2,
    Hyper,
}

impl Peer {
    pub(super) const ALL: [Self; 4] = [Self::Node, Self::Python, Self::H2, Self::Hyper];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Node => "node http2",
            Self::Python => "python h2",
            Self::H2 => "h2 crate",
            Self::Hyper => "hyper",
        }
    }

    /// What it has no way to do.
    pub(super) fn lacks(self) -> &'static [&'static str] {
        match self {
            Self::Node | Self::H2 => &[],
            // It takes a GOAWAY, or its own, for the end of every stream.
            Self::Python => &["shutdown"],
            // It has no interim responses in HTTP/2.
            Self::Hyper => &["early-hints"],
        }
    }
}

/// Where all of them are.
pub(super) struct Peers {
    pub(super) certificates: Certificates,
    python: PathBuf,
    programs: PathBuf,
}

impl Peers {
    /// Sets up what an earlier run has not.
    pub(super) fn prepare() -> Result<Self, String> {
        let python = dir().join("python");
        let packages = [PYTHON_H2, PYTHON_HPACK, certificates::PACKAGE];
        workspace::once(&python, &packages.join(" "), || {
            println!("h2: setting up {PYTHON_H2}, once");
            python::environment(&python, &packages).map(|_| ())
        })?;
        prepare_nghttp2()?;
        let mut build = workspace::cargo();
        build.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]);
        build.arg(scripts().join("peers/Cargo.toml")).env("CARGO_TARGET_DIR", dir().join("peers"));
        process::run(&mut build, BUILD_LIMIT)?;
        let python = python.join("bin/python");
        let certificates = certificates::make(&python, &dir().join("certificates"))?;
        Ok(Self { certificates, python, programs: dir().join("peers/release") })
    }

    /// Its `client` or `server`.
    pub(super) fn command(&self, peer: Peer, which: &str) -> Command {
        match peer {
            Peer::Node => {
                let mut command = Command::new("node");
                command.arg(scripts().join(format!("{which}.mjs")));
                command
            }
            Peer::Python => self.python(&format!("{which}.py")),
            Peer::H2 => Command::new(self.programs.join(format!("h2_{which}"))),
            Peer::Hyper => Command::new(self.programs.join(format!("hyper_{which}"))),
        }
    }

    pub(super) fn python(&self, script: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(scripts().join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

fn scripts() -> PathBuf {
    workspace::root().join("xtask/h2")
}

/// Unpacks nghttp2's programs, unless an earlier run has.
pub(crate) fn prepare_nghttp2() -> Result<(), String> {
    let nghttp2 = dir().join("nghttp2");
    workspace::once(&nghttp2, &format!("{RELEASE} {}", NGHTTP2.join(" ")), || {
        eprintln!("h2: unpacking nghttp2's programs, once");
        apt::unpack(&nghttp2.join("debian"), RELEASE, &NGHTTP2)
    })
}

/// `nghttp`, `h2load` or `nghttpd`.
pub(crate) fn nghttp2(program: &str) -> Result<Command, String> {
    let debian = dir().join("nghttp2/debian");
    let usr = debian.join("root/usr");
    let found =
        ["bin", "sbin"].map(|folder| usr.join(folder).join(program)).into_iter().find(|path| path.exists());
    let mut command = Command::new(found.ok_or(format!("{program} was not unpacked"))?);
    command.env("LD_LIBRARY_PATH", apt::libraries(&debian, "libnghttp2.so.14")?);
    Ok(command)
}
