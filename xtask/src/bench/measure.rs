//! One run of one contender under one workload.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::contenders::{Contender, NGHTTPD};
use super::programs::{CORES, pinned, target};
use super::suites::{Kind, Protocol, Takeover, Workload};
use crate::h2::peers;
use crate::process::{self, Helper};
use crate::{ports, workspace};

/// How long a load runs, a tenth of it to warm up.
const MILLIS: u32 = 400;
/// For how many messages there is time in which nothing is measured but what a client takes.
const CLIENT_MESSAGES: u32 = 200_000;
const LIMIT: Duration = Duration::from_secs(5 * 60);
const START: Duration = Duration::from_secs(10);

/// What one run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    /// Microseconds of processor time for each message (of the server, or of the client that is measured).
    pub(super) cpu: f64,
    /// Bytes that the server wrote for each message, or what a socket holds of its memory.
    pub(super) bytes: f64,
    /// Messages in a second.
    pub(super) rate: f64,
    /// Microseconds until the echo had come, for half, 99 and 99.9 of a hundred messages.
    pub(super) latency: [f64; 3],
}

/// The programs, built.
pub(super) struct Programs {
    pub(super) load: PathBuf,
    pub(super) floor: PathBuf,
    /// By the name of the program.
    pub(super) peers: Vec<(&'static str, PathBuf)>,
}

impl Programs {
    /// One run of the server or of the client, and what it took.
    pub(super) fn measure(&self, contender: &Contender, workload: &Workload) -> Result<Cost, String> {
        if workload.kind == Kind::Client {
            return self.client(contender, workload);
        }
        let (server, address) = self.start(contender, workload)?;
        let mut load = self.load(workload, &address, server.id());
        if workload.kind != Kind::Idle {
            load.args(["--millis", &MILLIS.to_string()]);
        }
        let told = process::read(&mut load, LIMIT);
        let told = told.map_err(|why| format!("{why}\n{}", process::tail(&log(contender))))?;
        end(server, contender)?;
        let told = Told(&told);
        if workload.kind == Kind::Idle {
            let bytes = (told.number("rss_after")? - told.number("rss_before")?) / told.number("sockets")?;
            return Ok(Cost { bytes, ..Cost::default() });
        }
        told.cost()
    }

    /// System calls of the server for each message, as strace counts them; the time that it costs is no measure.
    pub(super) fn system_calls(&self, contender: &Contender, workload: &Workload) -> Result<f64, String> {
        let (server, address) = self.start(contender, workload)?;
        let counts = target().join("strace.txt");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-o"]).arg(&counts).args(["-p", &server.id().to_string()]);
        let strace = Helper::start(&mut strace, &target().join("strace.log"))?;
        traced(server.id())?;
        let mut load = self.load(workload, &address, server.id());
        let told = process::read(load.args(["--messages", &workload.counted.to_string()]), LIMIT)?;
        let messages = Told(&told).number("messages")?;
        end(server, contender)?;
        strace.finish(START)?;
        let text = workspace::read(&counts)?;
        // A tenth more were sent to warm up.
        total_calls(&text).map(|calls| calls / (messages * 1.1)).ok_or(format!("strace told {text:?}"))
    }

    /// The server, which is alone on its core, and where it listens.
    fn start(&self, contender: &Contender, workload: &Workload) -> Result<(Helper, String), String> {
        if contender.library.name == NGHTTPD {
            return nghttpd(contender);
        }
        let mut server = Command::new(self.path(contender.library.program)?);
        server.arg("server");
        if workload.protocol == Protocol::Http2 {
            server.arg("--http2");
        }
        if workload.tls {
            server.arg("--tls");
        }
        if let (Some(takeover), Some(level)) = (workload.deflate, contender.level) {
            server.args(["--deflate", &level.to_string()]);
            if takeover == Takeover::Neither {
                server.arg("--no-takeover");
            }
        }
        if contender.batch {
            server.arg("--batch");
        }
        let mut server = with_files(workload, &pinned(CORES[0], &server));
        let mut server = Helper::start(&mut server, &log(contender))?;
        let told = server.wait_for("listening on ", START)?;
        let (address, _) = told.split_once(' ').ok_or(format!("no process in {told:?}"))?;
        Ok((server, address.to_owned()))
    }

    fn load(&self, workload: &Workload, address: &str, pid: u32) -> Command {
        let mut load = Command::new(&self.load);
        load.args(["--address", address, "--pid", &pid.to_string()]);
        load.arg(match workload.protocol {
            Protocol::Http1 => "--http1",
            Protocol::Http2 => "--http2",
        });
        load.args(["--workload", workload.kind.name()]);
        let numbers = [
            ("--connections", workload.connections),
            ("--sockets", workload.sockets),
            ("--in-flight", workload.in_flight),
            ("--length", workload.length),
        ];
        for (name, number) in numbers {
            load.args([name, &number.to_string()]);
        }
        if workload.tls {
            load.arg("--tls");
        }
        if workload.text {
            load.arg("--text");
        }
        match workload.deflate {
            Some(Takeover::Both) => load.args(["--deflate", "takeover"]),
            Some(Takeover::Neither) => load.args(["--deflate", "no-takeover"]),
            None => &mut load,
        };
        with_files(workload, &pinned(CORES[1], &load))
    }

    /// A client, beside the floor.
    fn client(&self, contender: &Contender, workload: &Workload) -> Result<Cost, String> {
        let mut floor = Command::new(&self.floor);
        let mut floor = pinned(CORES[1], floor.arg("server"));
        let mut floor = Helper::start(&mut floor, &target().join("floor.log"))?;
        let told = floor.wait_for("listening on ", START)?;
        let (address, _) = told.split_once(' ').ok_or(format!("no process in {told:?}"))?;
        let mut client = Command::new(self.path(contender.library.program)?);
        client.args(["client", "--address", address, "--messages", &CLIENT_MESSAGES.to_string()]);
        client.args(["--in-flight", &workload.in_flight.to_string()]);
        client.args(["--length", &workload.length.to_string()]);
        if contender.batch {
            client.arg("--batch");
        }
        let told = process::read(&mut pinned(CORES[0], &client), LIMIT)?;
        floor.shut_down(START)?;
        Told(&told).cost()
    }

    fn path(&self, program: &str) -> Result<&Path, String> {
        let found = self.peers.iter().find(|(name, _)| *name == program).map(|(_, path)| path.as_path());
        found.ok_or(format!("{program} was not built"))
    }
}

/// nghttpd with a page like everybody's.
fn nghttpd(contender: &Contender) -> Result<(Helper, String), String> {
    peers::prepare_nghttp2()?;
    let pages = target().join("nghttpd");
    workspace::fresh_dir(&pages)?;
    workspace::write(&pages.join("index.html"), "This server speaks HTTP/2.\n")?;
    let port = ports::free()?;
    let mut server = peers::nghttp2("nghttpd")?;
    server.args(["--no-tls", "--address=127.0.0.1", "--htdocs"]).arg(pages).arg(port.to_string());
    let server = Helper::start(&mut pinned(CORES[0], &server), &log(contender))?;
    ports::wait_for(port, START)?;
    Ok((server, format!("127.0.0.1:{port}")))
}

/// All but nghttpd end when they are asked to.
fn end(server: Helper, contender: &Contender) -> Result<(), String> {
    if contender.library.name == NGHTTPD {
        drop(server);
        return Ok(());
    }
    server.shut_down(START)
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Open => "open",
            Self::Idle => "idle",
            Self::Fairness => "fairness",
            Self::Get => "get",
            Self::Client => "client",
        }
    }
}

/// What a program told: `name=number name=number`.
struct Told<'a>(&'a str);

impl Told<'_> {
    fn number(&self, name: &str) -> Result<f64, String> {
        let mut words = self.0.split_whitespace();
        let number = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
        number.ok_or(format!("no {name} in {:?}", self.0))
    }

    /// A client tells of no latencies and of no bytes.
    fn cost(&self) -> Result<Cost, String> {
        let messages = self.number("messages")?;
        let micros = |name| self.number(name).map_or(0.0, |nanos| nanos / 1e3);
        Ok(Cost {
            cpu: self.number("cpu_ns")? / 1e3 / messages,
            bytes: self.number("bytes").unwrap_or(0.0) / messages,
            rate: messages / self.number("seconds")?,
            latency: ["p50_ns", "p99_ns", "p999_ns"].map(micros),
        })
    }
}

/// The same command, which may have a file open for each connection.
fn with_files(workload: &Workload, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    let files = (workload.connections + 100).max(1024);
    shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files.to_string()]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

/// Waits until strace has the process.
fn traced(pid: u32) -> Result<(), String> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        if tracer.is_some_and(|tracer| tracer.trim() != "0") {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err(format!("strace does not get hold of process {pid}"))
}

/// The calls in the last line of strace's table: `100.00 0.000053 1 29 1 total`.
fn total_calls(table: &str) -> Option<f64> {
    let line = table.lines().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

fn log(contender: &Contender) -> PathBuf {
    target().join(format!("{}.log", contender.library.program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_load_tells_is_told_for_each_message() {
        let told = Told(
            "messages=2000 seconds=0.2 cpu_ns=4000000 bytes=500000 p50_ns=1500 p99_ns=2500 p999_ns=9000 load_cpu_ns=1\n",
        );
        let expected = Cost { cpu: 2.0, bytes: 250.0, rate: 10_000.0, latency: [1.5, 2.5, 9.0] };
        assert_eq!(told.cost(), Ok(expected));
        assert!(Told("messages=2000 seconds=0.2").cost().is_err());
    }

    #[test]
    fn calls_are_those_of_the_last_line() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n \
            99.00    0.000053           1        28         1 read\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.000053           1        29         1 total\n";
        assert_eq!(total_calls(table), Some(29.0));
        assert_eq!(total_calls(""), None);
    }
}
