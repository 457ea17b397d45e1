//! Environments for Python 3 programs, each in a directory of its own under the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process;

/// Makes a virtual environment in `dir` with exactly these packages, and returns its Python.
///
/// pip's own configuration decides where packages come from.
pub(crate) fn environment(dir: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    // The oldest that the pinned packages and the scripts of the interop checks run on.
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 10))";
    process::read(Command::new("python3").args(["-c", new_enough]), Duration::from_secs(30))
        .map_err(|why| format!("Python 3.10 or newer is needed ({why}); install python3 and python3-venv"))?;
    let python = dir.join("bin/python");
    process::run(Command::new("python3").args(["-m", "venv"]).arg(dir), Duration::from_secs(5 * 60))
        .map_err(|why| format!("no virtual environment can be made ({why}); install python3-venv"))?;
    if !packages.is_empty() {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        process::run(&mut pip, Duration::from_secs(10 * 60))
            .map_err(|why| format!("pip could not install {} ({why})", packages.join(", ")))?;
    }
    Ok(python)
}
