//! Certificates for the servers of other implementations: a throwaway authority and one leaf for the loopback names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{process, workspace};

/// The package that `xtask/certificates.py` needs.
pub(crate) const PACKAGE: &str = "trustme==1.2.1";

/// PEM files: what clients trust, and what the server shows and signs with.
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// Makes new certificates in `dir` with a Python that has [`PACKAGE`].
pub(crate) fn make(python: &Path, dir: &Path) -> Result<Certificates, String> {
    workspace::fresh_dir(dir)?;
    let script = workspace::root().join("xtask/certificates.py");
    process::run(Command::new(python).arg(script).arg(dir), Duration::from_secs(60))?;
    Ok(Certificates { ca: dir.join("ca.pem"), chain: dir.join("chain.pem"), key: dir.join("key.pem") })
}
