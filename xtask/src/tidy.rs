//! `cargo xtask tidy`: the rules of the repository that no compiler checks.

mod manifest;
mod source;

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::{Outcome, Tally, process, workspace};

const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Prints every breach as `file: what`; each counts as a failure.
pub(crate) fn task() -> Outcome {
    let mut breaches = Vec::new();
    check_manifests(&mut breaches)?;
    check_dependencies(&mut breaches)?;
    check_files(&mut breaches)?;
    for breach in &breaches {
        println!("tidy: {breach}");
    }
    println!("tidy: {} breaches", breaches.len());
    Ok(Tally { failed: breaches.len() as u64, ..Tally::default() })
}

fn check_manifests(breaches: &mut Vec<String>) -> Result<(), String> {
    let root = workspace::root();
    let text = workspace::read(&root.join("Cargo.toml"))?;
    breaches.extend(manifest::workspace_breaches(&text).map(|what| format!("Cargo.toml: {what}")));

    let mut folders = vec![root.join("examples"), root.join("xtask")];
    let crates = fs::read_dir(root.join("crates")).map_err(|error| format!("crates: {error}"))?;
    folders.extend(crates.flatten().map(|entry| entry.path()));
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = workspace::read(&folder.join("Cargo.toml"))?;
        let found = manifest::crate_breaches(&name, &text);
        breaches.extend(found.into_iter().map(|what| format!("{name}/Cargo.toml: {what}")));
        if manifest::allowed(&name).is_none() {
            breaches.push(format!("{name}: no list of dependencies that it may have"));
        }
    }
    Ok(())
}

fn check_dependencies(breaches: &mut Vec<String>) -> Result<(), String> {
    for (name, allowed) in manifest::ALLOWED {
        let mut command = workspace::cargo();
        command.args(["tree", "--package", name, "--depth", "1", "--edges", "normal", "--all-features"]);
        command.args(["--prefix", "none", "--target", "all"]);
        let tree = process::read(&mut command, LIMIT)?;
        let unknown = manifest::dependencies(&tree).filter(|dependency| !allowed.contains(dependency));
        breaches.extend(unknown.map(|dependency| format!("{name}: must not depend on {dependency}")));
    }
    Ok(())
}

fn check_files(breaches: &mut Vec<String>) -> Result<(), String> {
    let root = workspace::root();
    let mut command = Command::new("git");
    command.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(&root);
    let files = process::read(&mut command, LIMIT)
        .map_err(|why| format!("git is needed to know which files belong to the repository: {why}"))?;
    for file in files.lines() {
        // Deleted but not yet committed, or not text.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        breaches.extend(source::breaches(file, &text).into_iter().map(|what| format!("{file}: {what}")));
    }
    Ok(())
}
