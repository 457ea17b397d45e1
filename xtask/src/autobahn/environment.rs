//! The suite's home: Python 2.7 and the pinned packages, under the target directory, made once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use crate::{apt, certificates, process, python, workspace};

/// The last Debian release with Python 2.7.
const RELEASE: &str = "bullseye";
/// Python 2.7, its headers, and the two libraries of its modules that newer releases no longer have.
const PACKAGES: [&str; 8] = [
    "libffi7",
    "libpython2.7",
    "libpython2.7-dev",
    "libpython2.7-minimal",
    "libpython2.7-stdlib",
    "libssl1.1",
    "python2.7",
    "python2.7-minimal",
];
/// The last pip for Python 2.7.
const PIP: &str = "pip==20.3.4";
/// With these pip builds what comes as source.
const BUILD_TOOLS: [&str; 2] = ["setuptools==44.0.0", "wheel==0.37.1"];
/// What the suite needs, with exact versions.
const REQUIREMENTS: &str = include_str!("../../autobahn/requirements.txt");

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The suite, ready to run.
pub(crate) struct Environment {
    dir: PathBuf,
}

impl Environment {
    /// Makes the environment unless an earlier run has finished that.
    pub(crate) fn prepare() -> Result<Self, String> {
        let suite = Self { dir: workspace::target().join("autobahn") };
        let wanted = format!("{RELEASE} {PACKAGES:?} {PIP} {BUILD_TOOLS:?}\n{REQUIREMENTS}");
        workspace::once(&suite.dir, &wanted, || {
            println!("autobahn: setting up the suite, once");
            suite.set_up().map_err(|why| format!("the Autobahn suite could not be set up: {why}"))
        })?;
        Ok(suite)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A Python 3 with what [`certificates`] needs.
    pub(crate) fn python3(&self) -> PathBuf {
        self.dir.join("python3/bin/python")
    }

    /// The suite's own Python, running `script`.
    pub(crate) fn python(&self, script: &Path) -> Command {
        let mut command = self.bare_python();
        command.arg(script).env("AUTOBAHN_SITE", self.dir.join("site")).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn set_up(&self) -> Result<(), String> {
        let gcc = Command::new("gcc").arg("--version").output();
        gcc.map_err(|_| "gcc is missing (Debian: build-essential)".to_owned())?;

        println!("autobahn: Python 2.7 from Debian {RELEASE}");
        apt::unpack(&self.dir.join("debian"), RELEASE, &PACKAGES)?;
        self.libraries()?;

        println!("autobahn: pip for Python 2.7");
        let python3 = python::environment(&self.dir.join("python3"), &[certificates::PACKAGE])?;
        let wheels = self.dir.join("wheels");
        let mut pip = Command::new(python3);
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"]);
        process::run(pip.arg(&wheels).arg(PIP), Duration::from_secs(5 * 60))?;
        let wheel = fs::read_dir(&wheels).map_err(|error| error.to_string())?.flatten().next();
        let wheel = wheel.ok_or("pip downloaded nothing")?.path();

        println!("autobahn: the suite and what it needs");
        let tools = self.dir.join("tools");
        // A pip that runs from its archive cannot build wheels.
        let mut pip = self.pip_install(&tools, &wheel)?;
        process::run_logged(pip.arg(PIP).args(BUILD_TOOLS), &self.log(), LIMIT)?;
        let mut pip = self.pip_install(&self.dir.join("site"), &tools)?;
        pip.arg("--requirement").arg(workspace::root().join("xtask/autobahn/requirements.txt"));
        process::run_logged(&mut pip, &self.log(), LIMIT)
    }

    /// Python 2.7's pip, installing into a folder; `path` is where it finds itself.
    fn pip_install(&self, into: &Path, path: &Path) -> Result<Command, String> {
        let headers = self.dir.join("debian/root/usr/include");
        let include =
            env::join_paths([headers.join("python2.7"), headers]).map_err(|error| error.to_string())?;
        let mut pip = self.bare_python();
        pip.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-warn-script-location",
            "--target",
        ])
        .arg(into)
        .env("PYTHONPATH", path)
        .env("CPATH", include);
        Ok(pip)
    }

    fn log(&self) -> PathBuf {
        self.dir.join("pip.log")
    }

    fn bare_python(&self) -> Command {
        let mut command = Command::new(self.dir.join("debian/root/usr/bin/python2.7"));
        command
            .env("LD_LIBRARY_PATH", self.libraries().unwrap_or_default())
            .env("PYTHONNOUSERSITE", "1")
            .env_remove("PYTHONHOME")
            .env_remove("PYTHONPATH");
        command
    }

    fn libraries(&self) -> Result<PathBuf, String> {
        apt::libraries(&self.dir.join("debian"), "libssl.so.1.1")
    }
}
