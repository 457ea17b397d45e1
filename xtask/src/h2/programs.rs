//! Programs that are clients as they are: curl, nghttp and h2load, each with checks that it can make.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::peers::nghttp2;
use super::{OurServer, Table, dir};
use crate::{Tally, process, workspace};

const PAGE: &str = "This server speaks HTTP/2.\n";
const SIZES: [usize; 6] = [0, 1, 16_383, 65_536, 1 << 20, 16 << 20];
const LIMIT: Duration = Duration::from_secs(60);

type Result<T = ()> = std::result::Result<T, String>;

/// Runs all three against one server each.
pub(super) fn run(table: &mut Table, server: &Path, tls: bool) -> Result {
    let transport = if tls { "TLS" } else { "h2c" };
    for (name, checks) in [("curl", curl as fn(&mut Checks<'_>)), ("nghttp", nghttp), ("h2load", h2load)] {
        let title = format!("{name}, sheave server, {transport}");
        let server = OurServer::start(server, &title, tls)?;
        let files = dir().join("curl");
        workspace::fresh_dir(&files)?;
        let mut made = Checks { server: &server, files, title: &title, tally: Tally::default() };
        checks(&mut made);
        let mut tally = made.tally;
        tally += server.end(&title);
        println!("h2 {title}: {tally}");
        table.add(&title, tally);
    }
    Ok(())
}

struct Checks<'s> {
    server: &'s OurServer,
    /// Where files of the checks lie.
    files: PathBuf,
    title: &'s str,
    tally: Tally,
}

impl Checks<'_> {
    fn check(&mut self, name: &str, check: impl FnOnce(&Self) -> Result) {
        match check(self) {
            Ok(()) => self.tally.passed += 1,
            Err(why) => {
                println!("h2 {}: {name}: {why}", self.title);
                self.tally.failed += 1;
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// Writes a file of letters.
    fn letters(&self, size: usize) -> Result<PathBuf> {
        let path = self.file(&format!("letters-{size}"));
        workspace::write(&path, &letters(size))?;
        Ok(path)
    }

    /// curl, with what comes in the file `body` and its fields in `fields`.
    fn curl(&self, path: &str) -> Command {
        self.curl_to("body", path)
    }

    fn curl_to(&self, body: &str, path: &str) -> Command {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--write-out",
            "%{http_version} %{http_code}",
        ]);
        command.arg("--dump-header").arg(self.file("fields")).arg("--output").arg(self.file(body));
        match &self.server.ca {
            Some(ca) => command.arg("--http2").arg("--cacert").arg(ca),
            None => command.arg("--http2-prior-knowledge"),
        };
        command.arg(self.url(path));
        command
    }

    /// nghttp's standard output.
    fn nghttp(&self, args: &[&str], path: &str) -> Result<String> {
        let mut command = nghttp2("nghttp")?;
        // It knows servers by names alone.
        let url = self.url(path).replace("127.0.0.1", "localhost");
        command.args(args).arg(url).envs(self.server.ca.iter().map(|ca| ("SSL_CERT_FILE", ca)));
        process::read(&mut command, LIMIT)
    }

    /// Has h2load make so many requests, all of which have to succeed.
    fn h2load(&self, requests: u32, args: &[&str], path: &str) -> Result {
        let mut command = nghttp2("h2load")?;
        command.arg(format!("--requests={requests}")).args(args).arg(self.url(path));
        let told = process::read(&mut command, LIMIT)?;
        contains(&told, &format!("{requests} done, {requests} succeeded, 0 failed, 0 errored, 0 timeout"))?;
        contains(&told, &format!("status codes: {requests} 2xx"))
    }
}

fn curl(checks: &mut Checks<'_>) {
    checks.check("get", |its| {
        curl_says(&mut its.curl("/"), "2 200")?;
        same(&read(&its.file("body"))?, PAGE.as_bytes())
    });
    checks.check("head", |its| curl_says(its.curl("/").arg("--head"), "2 200"));
    for size in SIZES {
        checks.check(&format!("echo-{size}"), |its| {
            let content = its.letters(size)?;
            let data = format!("@{}", content.display());
            curl_says(its.curl("/echo").arg("--data-binary").arg(data), "2 200")?;
            same(&read(&its.file("body"))?, &read(&content)?)
        });
    }
    checks.check("trailers", |its| {
        curl_says(&mut its.curl("/trailers"), "2 200")?;
        contains(&workspace::read(&its.file("fields"))?, "checksum: 27")
    });
    checks.check("early-hints", |its| {
        curl_says(&mut its.curl("/early"), "2 200")?;
        let fields = workspace::read(&its.file("fields"))?;
        contains(&fields, "HTTP/2 103").and_then(|()| contains(&fields, "HTTP/2 200"))
    });
    checks.check("fields", |its| {
        let field = format!("x-large: {}", letters(40_000));
        let file = its.file("field");
        workspace::write(&file, &field)?;
        curl_says(its.curl("/fields").arg("--header").arg(format!("@{}", file.display())), "2 200")?;
        contains(&workspace::read(&its.file("fields"))?, &field)
    });
    // Without TLS curl 7.88 fails requests in parallel by itself, whatever the server.
    if checks.server.ca.is_some() {
        checks.check("streams-300", streams_300);
    }
    checks.check("reset", |its| match process::read(&mut its.curl("/reset"), LIMIT) {
        // CURLE_HTTP2_STREAM
        Err(why) if why.contains("exit status: 92") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// As many as curl has at once, at most.
fn streams_300(its: &Checks<'_>) -> Result {
    let mut curl = its.curl_to("body-#1", "/bytes/[1001-1300]");
    curl.args(["--parallel", "--parallel-max", "300", "--no-progress-meter"]);
    process::read(&mut curl, LIMIT)?;
    let lengths = (1001..=1300).map(|length| (its.file(&format!("body-{length}")), length));
    for (file, length) in lengths {
        let found = fs::metadata(&file).map_err(|error| format!("{}: {error}", file.display()))?.len();
        if found != length {
            return Err(format!("{found} bytes instead of {length}"));
        }
    }
    Ok(())
}

fn nghttp(checks: &mut Checks<'_>) {
    checks.check("get", |its| same(its.nghttp(&[], "/")?.as_bytes(), PAGE.as_bytes()));
    for size in [1, 16_383, 65_536, 1 << 20] {
        checks.check(&format!("echo-{size}"), |its| {
            let data = format!("--data={}", its.letters(size)?.display());
            same(its.nghttp(&[&data], "/echo")?.trim_end().as_bytes(), letters(size).as_bytes())
        });
    }
    checks.check("padding", |its| {
        let data = format!("--data={}", its.letters(65_536)?.display());
        let told = its.nghttp(&["--padding=255", &data], "/echo")?;
        same(told.trim_end().as_bytes(), letters(65_536).as_bytes())
    });
    checks.check("trailers-echo", |its| {
        let data = format!("--data={}", its.letters(1000)?.display());
        let told = its.nghttp(&["--verbose", "--trailer=checksum: 27", &data], "/echo")?;
        let received = told.lines().any(|line| line.contains("recv (") && line.ends_with("checksum: 27"));
        if received { Ok(()) } else { Err("no trailers".to_owned()) }
    });
    checks.check("early-hints", |its| {
        let told = its.nghttp(&["--verbose"], "/early")?;
        contains(&told, ":status: 103").and_then(|()| contains(&told, ":status: 200"))
    });
    checks.check("push", |its| {
        let told = its.nghttp(&[], "/push")?;
        same(told.as_bytes(), PAGE.repeat(2).as_bytes())
    });
    checks
        .check("continuation", |its| same(its.nghttp(&["--continuation"], "/")?.as_bytes(), PAGE.as_bytes()));
    checks.check("streams-1000", |its| {
        let told = its.nghttp(&["--multiply=1000", "--null-out", "--stat"], "/bytes/1000")?;
        let count =
            told.lines().filter(|line| line.contains(" 200 ") && line.ends_with("/bytes/1000")).count();
        if count == 1000 { Ok(()) } else { Err(format!("{count} of 1000 were answered")) }
    });
}

fn h2load(checks: &mut Checks<'_>) {
    checks.check("get", |its| its.h2load(20_000, &["--clients=10", "--max-concurrent-streams=100"], "/"));
    checks.check("streams-1000", |its| {
        its.h2load(5000, &["--clients=2", "--max-concurrent-streams=1000"], "/bytes/1000")
    });
    checks.check("echo-65536", |its| {
        let data = format!("--data={}", its.letters(65_536)?.display());
        its.h2load(1000, &["--clients=10", "--max-concurrent-streams=10", &data], "/echo")
    });
    checks.check("bytes-16777216", |its| {
        its.h2load(12, &["--clients=4", "--max-concurrent-streams=3"], "/bytes/16777216")
    });
}

fn curl_says(curl: &mut Command, expected: &str) -> Result {
    let told = process::read(curl, LIMIT)?;
    same(told.trim_end().as_bytes(), expected.as_bytes())
}

fn contains(text: &str, part: &str) -> Result {
    let shown = &part[..part.len().min(80)];
    if text.contains(part) { Ok(()) } else { Err(format!("no {shown:?} in what it told")) }
}

fn same(found: &[u8], expected: &[u8]) -> Result {
    if found == expected {
        return Ok(());
    }
    let show = |bytes: &[u8]| {
        format!("{} bytes {:?}", bytes.len(), String::from_utf8_lossy(&bytes[..bytes.len().min(40)]))
    };
    Err(format!("{} instead of {}", show(found), show(expected)))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    // curl writes no file where nothing comes.
    match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| format!("{}: {error}", path.display())),
    }
}

/// Letter i is `a` + i mod 26.
fn letters(size: usize) -> String {
    ('a'..='z').cycle().take(size).collect()
}

/// What nghttpd serves: the page, and 1 GiB that takes no room.
pub(super) fn write_files(dir: &Path) -> Result {
    workspace::fresh_dir(&dir.join("bytes"))?;
    for name in ["index.html", "trailers"] {
        workspace::write(&dir.join(name), PAGE)?;
    }
    let huge = dir.join("bytes/1073741824");
    let made = File::create(&huge).and_then(|file| file.set_len(1 << 30));
    made.map_err(|error| format!("{}: {error}", huge.display()))
}
