//! What the manifests have to say, and the dependencies that each crate may have.

/// The normal dependencies that each crate may have, with every feature on.
pub(crate) const ALLOWED: [(&str, &[&str]); 8] = [
    ("sheave-hpack", &["bytes"]),
    ("sheave-h2", &["bytes", "http", "sheave-hpack", "tokio", "tracing"]),
    ("sheave-deflate", &["bytes", "zlib-rs"]),
    (
        "sheave-ws",
        &[
            "base64",
            "bytes",
            "futures-core",
            "futures-sink",
            "getrandom",
            "http",
            "httparse",
            "sha1",
            "sheave-deflate",
            "simdutf8",
            "tokio",
            "tracing",
        ],
    ),
    ("sheave-tls", &["rcgen", "rustls", "rustls-native-certs", "rustls-pki-types", "tokio", "tokio-rustls"]),
    (
        "sheave",
        &[
            "bytes",
            "futures-core",
            "futures-sink",
            "http",
            "httpdate",
            "pin-project-lite",
            "sheave-deflate",
            "sheave-h2",
            "sheave-hpack",
            "sheave-tls",
            "sheave-ws",
            "socket2",
            "tokio",
            "tracing",
        ],
    ),
    ("examples", &["bytes", "http", "lexopt", "sheave", "sheave-hpack", "tokio"]),
    ("xtask", &["lexopt"]),
];

/// The list for one crate.
pub(crate) fn allowed(name: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(listed, _)| *listed == name).map(|(_, list)| *list)
}

/// The direct dependencies in the output of `cargo tree --depth 1 --prefix none`, whose first line is the crate itself.
pub(crate) fn dependencies(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| !word.starts_with('['))
}

/// What the workspace's own manifest lacks.
pub(crate) fn workspace_breaches(text: &str) -> impl Iterator<Item = &'static str> {
    let required = [
        ("workspace.lints.rust", "unsafe_code = \"forbid\"", "unsafe code is not forbidden"),
        ("workspace.lints.rust", "missing_docs = \"warn\"", "missing documentation is not warned of"),
        ("workspace.package", "rust-version = ", "no rust-version"),
    ];
    let missing = required.map(|(table, line, what)| (!has(text, table, line)).then_some(what));
    missing.into_iter().flatten()
}

/// What the manifest of a crate lacks.
pub(crate) fn crate_breaches(folder: &str, text: &str) -> Vec<String> {
    let required = [
        ("package", format!("name = \"{folder}\""), "the crate is not named like its folder"),
        ("package", "rust-version.workspace = true".to_owned(), "rust-version is not the workspace's"),
        ("lints", "workspace = true".to_owned(), "lints are not the workspace's"),
    ];
    let missing = required.iter().filter(|(table, line, _)| !has(text, table, line));
    missing.map(|(_, _, what)| (*what).to_owned()).collect()
}

/// Whether a table has a line that starts so.
fn has(text: &str, table: &str, start: &str) -> bool {
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == format!("[{table}]");
        } else if inside && line.starts_with(start) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_held_to_their_rules() {
        let good = "[package]\nname = \"a\"\nrust-version.workspace = true\n\n[lints]\nworkspace = true\n";
        assert_eq!(crate_breaches("a", good), [""; 0]);
        let bad = "[package]\nname = \"a\"\nrust-version = \"1.0\"\n[dependencies]\nworkspace = true\n";
        assert_eq!(crate_breaches("b", bad).len(), 3);

        let good = "[workspace.package]\nrust-version = \"1.0\"\n[workspace.lints.rust]\nmissing_docs = \"warn\"\nunsafe_code = \"forbid\"";
        assert_eq!(workspace_breaches(good).count(), 0);
        assert_eq!(workspace_breaches("[workspace.lints.clippy]\nunsafe_code = \"forbid\"").count(), 3);
    }

    #[test]
    fn dependencies_are_the_names_after_the_first_line() {
        let tree = "a v0.1.0 (somewhere)\nbytes v1.0.0\n[build-dependencies]\nb v0.1.0 (elsewhere) (*)\n";
        assert!(dependencies(tree).eq(["bytes", "b"]));
    }

    #[test]
    fn siblings_never_meet() {
        assert!(!allowed("sheave-ws").unwrap().contains(&"sheave-h2"));
        assert_eq!(allowed("nobody"), None);
    }
}
