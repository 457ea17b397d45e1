//! Packages of a Debian release, mostly not the machine's own, unpacked into a directory of their own.
//!
//! The system is not touched: apt runs with private lists, cache and status, but with the machine's own mirror, proxy
//! and credentials. So nothing is installed, no root is needed, and no other installation ever sees that release.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{process, workspace};

const LIMIT: Duration = Duration::from_secs(10 * 60);
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Unpacks `packages` of the release `suite` into `dir/root`; `dir` is scratch space.
pub(crate) fn unpack(dir: &Path, suite: &str, packages: &[&str]) -> Result<(), String> {
    for program in ["apt-get", "apt-config", "dpkg-deb"] {
        Command::new(program).arg("--version").output().map_err(|_| {
            format!("{program} is missing: {} comes from Debian's mirror", packages.join(", "))
        })?;
    }
    let source = configured_source()?;
    workspace::fresh_dir(dir)?;
    for part in ["state/lists/partial", "cache/archives/partial", "packages", "root"] {
        workspace::fresh_dir(&dir.join(part))?;
    }
    workspace::write(&dir.join("status"), "")?;
    workspace::write(&dir.join("sources.list"), &source_line(&source, suite, Path::new(KEYRING).exists()))?;
    let own = process::read(Command::new("apt-config").arg("dump"), LIMIT)?;
    workspace::write(&dir.join("apt.conf"), &private_configuration(&own, dir))?;

    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", dir.join("apt.conf")).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let log = dir.join("apt.log");
    process::run_logged(apt().args(["--error-on=any", "update"]), &log, LIMIT).map_err(|why| {
        format!("the mirror that apt uses does not serve Debian {suite}, or no network: {why}")
    })?;
    process::run_logged(apt().arg("download").args(packages).current_dir(dir.join("packages")), &log, LIMIT)?;
    let archives = fs::read_dir(dir.join("packages")).map_err(|error| error.to_string())?;
    for archive in archives.flatten() {
        let mut command = Command::new("dpkg-deb");
        process::run(command.arg("--extract").arg(archive.path()).arg(dir.join("root")), LIMIT)?;
    }
    Ok(())
}

/// Where the shared libraries lie that were unpacked into `dir/root`, this one among them; the folder is named by the
/// machine's architecture.
pub(crate) fn libraries(dir: &Path, library: &str) -> Result<PathBuf, String> {
    let folder = dir.join("root/usr/lib");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| path.join(library).exists()).ok_or(format!("{library} was not unpacked"))
}

/// Where apt takes the system's own packages from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
    signed_by: Option<String>,
}

fn configured_source() -> Result<Source, String> {
    let mut sources = Vec::new();
    let list = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    sources.extend(parse_list(&list));
    let mut parts: Vec<_> = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    parts.sort();
    for part in parts {
        let text = fs::read_to_string(&part).unwrap_or_default();
        match part.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => sources.extend(parse_deb822(&text)),
            Some("list") => sources.extend(parse_list(&text)),
            _ => {}
        }
    }
    choose(&sources).ok_or("apt has no source of a Debian release with the component main".to_owned())
}

/// The first source of a whole release: not its security or update suites, which lie elsewhere.
fn choose(sources: &[Source]) -> Option<Source> {
    let whole = |source: &&Source| {
        source.components.iter().any(|component| component == "main")
            && source.suites.iter().any(|suite| !suite.contains(['-', '/']))
    };
    // Other vendors' archives have a component `main` too; Debian's has a well-known last folder.
    let debian = |source: &&Source| source.uri.trim_end_matches('/').ends_with("debian");
    sources.iter().filter(whole).find(debian).or_else(|| sources.iter().find(whole)).cloned()
}

/// Sources in the form of stanzas (deb822).
fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    for stanza in text.split("\n\n") {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in stanza.lines().filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let field = |name: &str| {
            let field = fields.iter().find(|(field, _)| field == name);
            field.map_or("", |(_, value)| value.as_str())
        };
        let words = |name: &str| field(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        if field("enabled").eq_ignore_ascii_case("no") || !words("types").iter().any(|kind| kind == "deb") {
            continue;
        }
        // A key may also stand here itself, which is no path.
        let signed_by = Some(field("signed-by")).filter(|path| path.starts_with('/')).map(str::to_owned);
        for uri in words("uris") {
            let (suites, components) = (words("suites"), words("components"));
            sources.push(Source { uri, suites, components, signed_by: signed_by.clone() });
        }
    }
    sources
}

/// Sources in the form of one line each.
fn parse_list(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t'])) else {
            continue;
        };
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some(both) => both,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else { continue };
        let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        let signed_by = signed_by.map(str::to_owned);
        sources.push(Source { uri, suites: vec![suite], components: words.collect(), signed_by });
    }
    sources
}

/// The line for another release from the same place, checked with the keys of all Debian releases where they are there.
fn source_line(source: &Source, suite: &str, keyring: bool) -> String {
    let key = if keyring { Some(KEYRING) } else { source.signed_by.as_deref() };
    let options = key.map(|key| format!("[signed-by={key}] ")).unwrap_or_default();
    format!("deb {options}{} {suite} main\n", source.uri)
}

/// The machine's configuration without its hooks and with every place that apt would change moved below `dir`.
fn private_configuration(own: &str, dir: &Path) -> String {
    let hook = |line: &&str| {
        ["Dir::", "Dir ", "APT::Update::", "DPkg::P", "APT::Sandbox::User"]
            .iter()
            .any(|prefix| line.starts_with(prefix))
    };
    let mut text: String = own.lines().filter(|line| !hook(line)).map(|line| format!("{line}\n")).collect();
    let dir = dir.display();
    text.push_str(&format!(
        r#"Dir "/";
Dir::Etc "etc/apt/";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{dir}/state";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
APT::Sandbox::User "root";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "2";
"#
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, suites: &[&str], components: &[&str], signed_by: Option<&str>) -> Source {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Source {
            uri: uri.into(),
            suites: owned(suites),
            components: owned(components),
            signed_by: signed_by.map(str::to_owned),
        }
    }

    #[test]
    fn stanzas() {
        let text = "\
Types: deb deb-src
# a comment inside
URIs: http://mirror.test/debian
Suites: stable
 stable-updates
Components: main contrib
Signed-By: /usr/share/keyrings/k.gpg

Enabled: no
Types: deb
URIs: http://other.test/debian
Suites: stable
Components: main

Types: deb-src
URIs: http://source.test/debian
Suites: stable
Components: main

Types: deb
URIs: http://key.test/debian
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
";
        let expected = [
            source(
                "http://mirror.test/debian",
                &["stable", "stable-updates"],
                &["main", "contrib"],
                Some("/usr/share/keyrings/k.gpg"),
            ),
            source("http://key.test/debian", &["stable"], &["main"], None),
        ];
        assert_eq!(parse_deb822(text), expected);
    }

    #[test]
    fn lines() {
        let text = "\
# deb http://no.test/debian stable main
deb-src http://no.test/debian stable main
deb [arch=amd64 signed-by=/k.gpg] http://a.test/debian stable main contrib # the first
deb\thttp://b.test/debian stable-updates main
";
        let expected = [
            source("http://a.test/debian", &["stable"], &["main", "contrib"], Some("/k.gpg")),
            source("http://b.test/debian", &["stable-updates"], &["main"], None),
        ];
        assert_eq!(parse_list(text), expected);
    }

    #[test]
    fn the_source_of_the_release_is_chosen() {
        let vendor = source("https://vendor.test/apt", &["stable"], &["main"], None);
        let security = source("http://a.test/debian-security", &["stable-security"], &["main"], None);
        let contrib = source("http://c.test/debian", &["stable"], &["contrib"], None);
        let release = source("http://a.test/debian/", &["stable"], &["main"], None);
        let sources = [vendor.clone(), security.clone(), contrib, release.clone()];
        assert_eq!(choose(&sources), Some(release));
        assert_eq!(choose(&sources[..3]), Some(vendor));
        assert_eq!(choose(&[security]), None);
    }

    #[test]
    fn the_private_configuration_has_no_hooks_and_keeps_the_proxy() {
        let own = "Dir \"/\";\nDir::State \"var/lib/apt\";\nAPT::Update::Post-Invoke:: \"rm x\";\nAcquire::http::Proxy \"p\";\n";
        let text = private_configuration(own, Path::new("/scratch"));
        assert!(text.starts_with("Acquire::http::Proxy \"p\";\nDir \"/\";\n"), "{text}");
        assert!(text.contains("Dir::State \"/scratch/state\";") && !text.contains("rm x"));
    }

    #[test]
    fn the_line_names_the_key() {
        let source = source("http://a.test/debian", &["stable"], &["main"], Some("/k.gpg"));
        assert_eq!(
            source_line(&source, "old", false),
            "deb [signed-by=/k.gpg] http://a.test/debian old main\n"
        );
    }
}
