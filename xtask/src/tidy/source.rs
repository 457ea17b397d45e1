//! What the files of the repository must not say.

/// Lines that a Rust file may have.
const LINES: usize = 600;
/// Files above that because they are generated tables.
const GENERATED: [&str; 0] = [];

/// The crates whose protocol is a value without I/O; only their module `io` may name what is below.
const SANS_IO: [&str; 4] = ["sheave-hpack", "sheave-h2", "sheave-deflate", "sheave-ws"];
const OUTSIDE: [&str; 6] = ["tokio::", "use tokio", "std::net", "Instant::now", "SystemTime", "getrandom"];

/// Folders that exist on one machine only. Written in pieces, so that this file may lie in the repository.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
/// Hosts of package registries and mirrors: which one is used is the machine's own business.
const REGISTRIES: [&str; 7] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.debian", ".org"),
    concat!("archive.debian", ".org"),
];

/// Everything that is wrong with one file, named by its path in the repository.
pub(crate) fn breaches(path: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    if path.ends_with(".rs") {
        let lines = text.lines().count();
        if lines > LINES && !GENERATED.contains(&path) {
            breaches.push(format!("{lines} lines, {LINES} are allowed"));
        }
    }
    // A lock file names the registry that its packages come from.
    if !path.ends_with("Cargo.lock") {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = machine_word(line) {
                breaches.push(format!("line {}: names {word}", number + 1));
            }
        }
    }
    if is_protocol_module(path) {
        // Its tests may have a clock.
        let protocol = text.lines().take_while(|line| *line != "#[cfg(test)]");
        for (number, line) in protocol.enumerate() {
            if let Some(word) = OUTSIDE.iter().find(|word| without_comment(line).contains(*word)) {
                breaches.push(format!("line {}: a protocol module names {word:?}", number + 1));
            }
        }
    }
    breaches
}

fn machine_word(line: &str) -> Option<&'static str> {
    let host = REGISTRIES.into_iter().find(|host| line.contains(host));
    host.or_else(|| {
        // A folder of that name inside the repository is no path of a machine.
        MACHINE_PATHS.into_iter().find(|path| {
            let starts = |(at, _): (usize, &str)| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-".contains(c))
            };
            line.match_indices(path).any(starts)
        })
    })
}

fn is_protocol_module(path: &str) -> bool {
    let Some((name, file)) = path.strip_prefix("crates/").and_then(|path| path.split_once("/src/")) else {
        return false;
    };
    SANS_IO.contains(&name) && file.ends_with(".rs") && file != "io.rs" && !file.starts_with("io/")
}

/// The line up to its comment; `//` after a colon is part of an address.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: [String; 0] = [];

    #[test]
    fn protocol_modules_name_no_input_or_output() {
        let text = "//! Not tokio::net.\n#[cfg(feature = \"tokio\")]\nuse bytes::Bytes; // std::net\n";
        assert_eq!(breaches("crates/sheave-ws/src/lib.rs", text), CLEAN);
        for line in [
            "use tokio::io::AsyncRead;",
            "fn f(io: tokio::net::TcpStream) {}",
            "use std::net::TcpStream;",
            "let now = Instant::now();",
            "let now = std::time::SystemTime::now();",
            "getrandom::fill(&mut key)?;",
        ] {
            assert_eq!(breaches("crates/sheave-ws/src/frame.rs", line).len(), 1, "{line}");
            assert_eq!(breaches("crates/sheave-ws/src/io/mod.rs", line), CLEAN);
            assert_eq!(breaches("crates/sheave-h2/src/io.rs", line), CLEAN);
            assert_eq!(breaches("crates/sheave-ws/tests/frame.rs", line), CLEAN);
            assert_eq!(breaches("crates/sheave/src/client.rs", line), CLEAN);
        }
    }

    #[test]
    fn long_files_are_to_be_split() {
        assert_eq!(breaches("a.rs", &"x\n".repeat(600)), CLEAN);
        assert_eq!(breaches("a.rs", &"x\n".repeat(601)), ["601 lines, 600 are allowed"]);
        assert_eq!(breaches("a.md", &"x\n".repeat(601)), CLEAN);
    }

    #[test]
    fn nothing_names_a_machine_or_a_registry() {
        for path in MACHINE_PATHS {
            assert_eq!(breaches("a.toml", &format!("x = \"{path}y\"")).len(), 1);
            assert_eq!(breaches("a.toml", &format!("x = \"frame{path}y\"")), CLEAN);
        }
        for host in REGISTRIES {
            assert_eq!(
                breaches("a.md", &format!("\nsee https://{host}/x")),
                [format!("line 2: names {host}")]
            );
            assert_eq!(breaches("Cargo.lock", host), CLEAN);
        }
    }
}
