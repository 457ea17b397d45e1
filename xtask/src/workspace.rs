//! Where things are, and how they are built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use crate::process;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the workspace").to_owned()
}

/// Cargo's target directory, which also holds what the tasks fetch and write.
///
/// A relative `CARGO_TARGET_DIR` starts where `cargo xtask` was called, as it did for cargo.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => env::current_dir().unwrap_or_else(|_| root()).join(dir),
        None => root().join("target"),
    }
}

/// `cargo`, in the root of the workspace, with the same target directory wherever the task was called.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    if env::var_os("CARGO_TARGET_DIR").is_some() {
        command.env("CARGO_TARGET_DIR", target());
    }
    command
}

/// Builds binaries of `examples` with optimisation and returns where they are, in the same order.
pub(crate) fn build_examples<const N: usize>(names: [&str; N]) -> Result<[PathBuf; N], String> {
    let mut command = cargo();
    command.args(["build", "--release", "--package", "examples", "--message-format=json-render-diagnostics"]);
    for name in names {
        command.args(["--bin", name]);
    }
    let messages = process::read(&mut command, Duration::from_secs(30 * 60))?;
    let mut paths = names.map(|_| PathBuf::new());
    for (name, path) in names.iter().zip(&mut paths) {
        *path = executable(&messages, name).ok_or(format!("cargo did not say where it put {name}"))?.into();
    }
    Ok(paths)
}

/// Makes an empty directory of this name, whatever was there.
pub(crate) fn fresh_dir(dir: &Path) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", dir.display());
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(failed)?;
    }
    fs::create_dir_all(dir).map_err(failed)
}

/// Has `set_up` fill the empty directory `dir` unless an earlier run has finished that, for the same `wanted`.
pub(crate) fn once(
    dir: &Path,
    wanted: &str,
    set_up: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let stamp = dir.join("stamp");
    // The path is part of what was set up: scripts and settings name it.
    let wanted = format!("{}\n{wanted}", dir.display());
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    fresh_dir(dir)?;
    set_up()?;
    write(&stamp, &wanted)
}

/// Reads a file, with an error that names it.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file, with an error that names it.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The path of the binary `name` in cargo's messages.
fn executable<'m>(messages: &'m str, name: &str) -> Option<&'m str> {
    let kind = "\"kind\":[\"bin\"]";
    let name = format!("\"name\":\"{name}\"");
    let line = messages.lines().find(|line| line.contains(kind) && line.contains(&name))?;
    let (_, rest) = line.split_once("\"executable\":\"")?;
    rest.split_once('"').map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::{executable, once, read, write};

    #[test]
    fn what_is_wanted_is_set_up_once() {
        let dir = std::env::temp_dir().join(format!("xtask-once-{}", std::process::id()));
        let made = dir.join("made");
        let set_up = |text| once(&dir, text, || write(&made, text));
        set_up("one").unwrap();
        assert_eq!(read(&made).unwrap(), "one");
        once(&dir, "one", || panic!("it is there")).unwrap();
        // What failed is not finished, and what is left of it is in nobody's way.
        assert_eq!(once(&dir, "two", || Err("no network".to_owned())).unwrap_err(), "no network");
        assert!(!made.exists());
        set_up("two").unwrap();
        assert_eq!(read(&made).unwrap(), "two");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_executable_is_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"echo"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"echo"},"executable":"/t/release/echo","fresh":true}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "echo"), Some("/t/release/echo"));
        assert_eq!(executable(messages, "other"), None);
    }
}
