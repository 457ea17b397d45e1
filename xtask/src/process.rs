//! Other programs: every one has a bound, and none outlives the task that started it.
//!
//! What a task waits for stays in the terminal's process group, where Ctrl-C reaches it. A [`Helper`] runs beside the
//! task in a group of its own, which is killed as a whole; if xtask itself is killed, the end of its input tells it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Runs `command` with the terminal's own output; an error unless it exits with 0 within `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<(), String> {
    let name = describe(command);
    let mut child = start(command.stdin(Stdio::null()))?;
    let status = child.wait(limit)?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

/// Runs `command` and returns what it wrote to its standard output; an error unless it exits with 0 within `limit`.
pub(crate) fn read(command: &mut Command, limit: Duration) -> Result<String, String> {
    let name = describe(command);
    let (status, text) = collect(command.stdin(Stdio::null()), limit, Echo::Errors)?;
    if status.success() { Ok(text) } else { Err(format!("{name}: {status}")) }
}

/// Runs `command`, passes on what it writes and returns it too, standard output and standard error together.
pub(crate) fn watch(command: &mut Command, limit: Duration) -> Result<(ExitStatus, String), String> {
    collect(command.stdin(Stdio::null()), limit, Echo::All)
}

/// Runs `command` with its output in the file `log`, whose end is shown if it fails.
pub(crate) fn run_logged(command: &mut Command, log: &Path, limit: Duration) -> Result<(), String> {
    let name = describe(command);
    let (out, err) = log_pair(log)?;
    let mut child = start(command.stdin(Stdio::null()).stdout(out).stderr(err))?;
    let status = child.wait(limit);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}\n{}", tail(log))),
        Err(why) => Err(format!("{why}\n{}", tail(log))),
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(25)..];
    format!("--- the end of {}\n{}\n---", log.display(), last.join("\n"))
}

/// A program that runs beside the task. Its output goes to a log. Killed on drop, with its process group.
pub(crate) struct Helper {
    child: Running,
    lines: Receiver<String>,
    log: std::path::PathBuf,
}

impl Helper {
    /// Starts `command`. Its standard input is a pipe that closes with the helper, and also if xtask is killed: so a
    /// program that watches it never outlives its parent.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        let (mut out, err) = log_pair(log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(err).process_group(0);
        let mut child = start(command)?;
        child.leads_group = true;
        let stdout = child.child.stdout.take().expect("standard output is a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in lines_of(stdout) {
                let _ = writeln!(out, "{line}");
                // The receiver may be gone; the log is still wanted.
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, lines, log: log.to_owned() })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.child.id()
    }

    /// The rest of the first line that starts with `prefix`.
    pub(crate) fn wait_for(&mut self, prefix: &str, limit: Duration) -> Result<String, String> {
        let deadline = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(prefix) {
                        return Ok(rest.to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "{} did not say {prefix:?} in time\n{}",
                        self.child.name,
                        tail(&self.log)
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!(
                        "{} ended before it said {prefix:?}\n{}",
                        self.child.name,
                        tail(&self.log)
                    ));
                }
            }
        }
    }

    /// Waits for the program to end by itself; an error unless it exits with 0.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<(), String> {
        match self.child.wait(limit) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{}: {status}\n{}", self.child.name, tail(&self.log))),
            Err(why) => Err(format!("{why}\n{}", tail(&self.log))),
        }
    }

    /// Closes the standard input of a server of ours, which asks it to end, and waits for that; an error unless it exits
    /// with 0 and nothing in it panicked.
    pub(crate) fn shut_down(mut self, limit: Duration) -> Result<(), String> {
        self.ask_to_end();
        let (log, name) = (self.log.clone(), self.child.name.clone());
        self.finish(limit)?;
        if fs::read(&log).is_ok_and(|text| String::from_utf8_lossy(&text).contains("panicked at")) {
            return Err(format!("{name} panicked\n{}", tail(&log)));
        }
        Ok(())
    }

    /// Closes its standard input, which asks a script to end, and returns the lines that it still wrote.
    pub(crate) fn close(mut self, limit: Duration) -> Result<Vec<String>, String> {
        self.ask_to_end();
        let (lines, ended) = self.rest(limit);
        ended.map(|()| lines)
    }

    /// Closes its standard input, which asks it to end.
    pub(crate) fn ask_to_end(&mut self) {
        drop(self.child.child.stdin.take());
    }

    /// The lines until the end of its output, or as many as came in time; an error if that is not all.
    pub(crate) fn rest(&mut self, limit: Duration) -> (Vec<String>, Result<(), String>) {
        self.rest_with(limit, |_| ())
    }

    /// The same; each line is told as it comes.
    pub(crate) fn rest_with(
        &mut self,
        limit: Duration,
        mut tell: impl FnMut(&str),
    ) -> (Vec<String>, Result<(), String>) {
        let deadline = Instant::now() + limit;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    tell(&line);
                    lines.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => return (lines, Ok(())),
                Err(RecvTimeoutError::Timeout) => {
                    let why = format!("{} did not end in time\n{}", self.child.name, tail(&self.log));
                    return (lines, Err(why));
                }
            }
        }
    }
}

/// A child process that is killed, with all that it started, when this is dropped.
struct Running {
    child: Child,
    name: String,
    ended: bool,
    /// Its process group has its own id and holds nothing that it did not start.
    leads_group: bool,
}

impl Running {
    fn wait(&mut self, limit: Duration) -> Result<ExitStatus, String> {
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| format!("{}: {error}", self.name))? {
                self.ended = true;
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(format!("{}: still running after {} s, killed", self.name, limit.as_secs()));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.leads_group {
            // Also after its end: what it started may still be there.
            signal_kill(&[format!("-{}", self.child.id())]);
        }
        if self.ended {
            return;
        }
        let mut tree = Vec::new();
        descendants(self.child.id(), &mut tree);
        let _ = self.child.kill();
        if !tree.is_empty() {
            signal_kill(&tree.iter().map(u32::to_string).collect::<Vec<_>>());
        }
        let _ = self.child.wait();
    }
}

/// Sends SIGKILL to processes, or to a process group by its negative number. The shell has `kill` built in.
fn signal_kill(targets: &[String]) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -s KILL -- \"$@\"", "kill"]).args(targets);
    let _ = shell.stdin(Stdio::null()).stderr(Stdio::null()).status();
}

/// The processes below `pid`, where the system tells.
fn descendants(pid: u32, into: &mut Vec<u32>) {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return };
    for thread in threads.flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|word| word.parse().ok()) {
            into.push(child);
            descendants(child, into);
        }
    }
}

fn start(command: &mut Command) -> Result<Running, String> {
    let name = describe(command);
    let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    Ok(Running { child, name, ended: false, leads_group: false })
}

/// The program's own name, for messages.
fn describe(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let arg = command.get_args().next().map(|arg| {
        let arg = Path::new(arg);
        format!(" {}", arg.file_name().unwrap_or(arg.as_os_str()).to_string_lossy())
    });
    format!("{}{}", name.to_string_lossy(), arg.unwrap_or_default())
}

#[derive(Clone, Copy, PartialEq)]
enum Echo {
    /// Pass on everything, and collect both streams.
    All,
    /// Pass on standard error, collect standard output.
    Errors,
}

fn collect(command: &mut Command, limit: Duration, echo: Echo) -> Result<(ExitStatus, String), String> {
    let stderr = if echo == Echo::All { Stdio::piped() } else { Stdio::inherit() };
    let mut child = start(command.stdout(Stdio::piped()).stderr(stderr))?;
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = child.child.stdout.take() {
        let sender = sender.clone();
        thread::spawn(move || {
            for line in lines_of(stdout) {
                if echo == Echo::All {
                    println!("{line}");
                }
                let _ = sender.send(line);
            }
        });
    }
    if let Some(stderr) = child.child.stderr.take() {
        thread::spawn(move || {
            for line in lines_of(stderr) {
                eprintln!("{line}");
                let _ = sender.send(line);
            }
        });
    } else {
        drop(sender);
    }
    let status = child.wait(limit)?;
    // A grandchild could hold the pipes open, so their end is not waited for without a bound.
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut text = String::new();
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        text.push_str(&line);
        text.push('\n');
    }
    Ok((status, text))
}

/// The lines of a stream, whatever their encoding.
fn lines_of(stream: impl std::io::Read) -> impl Iterator<Item = String> {
    BufReader::new(stream).split(b'\n').map_while(Result::ok).map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        String::from_utf8_lossy(line).into_owned()
    })
}

fn log_pair(log: &Path) -> Result<(File, File), String> {
    let failed = |error| format!("{}: {error}", log.display());
    if let Some(parent) = log.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(log, "").map_err(failed)?;
    let open = || File::options().append(true).open(log).map_err(failed);
    Ok((open()?, open()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        command
    }

    #[test]
    fn a_program_that_hangs_is_an_error_in_time() {
        let started = Instant::now();
        let error = read(&mut shell("sleep 60"), Duration::from_millis(100)).unwrap_err();
        assert!(error.contains("still running"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn output_is_read_and_failure_seen() {
        assert_eq!(read(&mut shell("echo one; echo two"), Duration::from_secs(10)).unwrap(), "one\ntwo\n");
        assert!(read(&mut shell("echo one; exit 3"), Duration::from_secs(10)).is_err());
    }

    #[test]
    fn a_helper_is_waited_for_and_asked_to_end() {
        let log = std::env::temp_dir().join(format!("xtask-helper-{}", std::process::id()));
        let mut command = shell("echo noise; echo listening on 1; cat >/dev/null; echo bye");
        let mut helper = Helper::start(&mut command, &log).unwrap();
        assert_eq!(helper.wait_for("listening on ", Duration::from_secs(10)).unwrap(), "1");
        assert_eq!(helper.close(Duration::from_secs(10)).unwrap(), ["bye"]);
        assert_eq!(fs::read_to_string(&log).unwrap(), "noise\nlistening on 1\nbye\n");
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn the_rest_is_all_that_a_helper_writes_or_what_came_in_time() {
        let log = std::env::temp_dir().join(format!("xtask-rest-{}", std::process::id()));
        let mut helper = Helper::start(&mut shell("seq 2000; exit 3"), &log).unwrap();
        let (lines, ended) = helper.rest(Duration::from_secs(10));
        assert_eq!((lines.len(), ended), (2000, Ok(())));
        assert!(helper.finish(Duration::from_secs(10)).unwrap_err().contains("exit status: 3"));

        let mut helper = Helper::start(&mut shell("printf 'one\\ntwo\\n'; sleep 60"), &log).unwrap();
        helper.wait_for("one", Duration::from_secs(10)).unwrap();
        let (lines, ended) = helper.rest(Duration::from_millis(500));
        assert_eq!(lines, ["two"]);
        assert!(ended.unwrap_err().contains("did not end in time"));
        drop(helper);
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_panic_in_a_log_is_a_failure() {
        let log = std::env::temp_dir().join(format!("xtask-panic-{}", std::process::id()));
        for (script, fine) in [
            ("cat >/dev/null", true),
            ("cat >/dev/null; exit 3", false),
            ("cat >/dev/null; echo \"thread 'main' panicked at here\" >&2", false),
        ] {
            let helper = Helper::start(&mut shell(script), &log).unwrap();
            assert_eq!(helper.shut_down(Duration::from_secs(10)).is_ok(), fine, "{script}");
        }
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn what_a_helper_started_ends_with_it() {
        let log = std::env::temp_dir().join(format!("xtask-group-{}", std::process::id()));
        for (script, ends) in [("sleep 300 & echo $!; wait", false), ("sleep 300 & echo $!", true)] {
            let mut helper = Helper::start(&mut shell(script), &log).unwrap();
            let pid = helper.wait_for("", Duration::from_secs(10)).unwrap();
            if ends {
                helper.finish(Duration::from_secs(10)).unwrap();
            } else {
                drop(helper);
            }
            let deadline = Instant::now() + Duration::from_secs(10);
            while runs(&pid) {
                assert!(Instant::now() < deadline, "{script}: {pid} still runs");
                thread::sleep(Duration::from_millis(5));
            }
        }
        fs::remove_file(log).unwrap();
    }

    /// Whether a process is there and is not merely waiting for its parent to take note of its end.
    fn runs(pid: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    }
}
