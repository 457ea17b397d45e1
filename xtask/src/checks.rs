//! Clients that print `ok NAME` or `FAIL NAME why` for each check. A check that was not reported has failed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Tally;
use crate::process::Helper;

/// How long a program may take to start, and to end.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(30);
const RUN_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The lines of a client, also where it broke off, and how it ended.
pub(crate) type Reported = (Vec<String>, Result<(), String>);

/// Runs a client to its end.
pub(crate) fn run_client(command: &mut Command, log: &Path) -> Result<Reported, String> {
    run_client_with(command, log, |_| ())
}

/// The same; each line is told as it comes.
pub(crate) fn run_client_with(
    command: &mut Command,
    log: &Path,
    tell: impl FnMut(&str),
) -> Result<Reported, String> {
    let mut client = Helper::start(command, log)?;
    let (lines, ended) = client.rest_with(RUN_LIMIT, tell);
    Ok((lines, ended.and_then(|()| client.finish(START_LIMIT))))
}

/// Ends a server of ours. That it does so in order is a check too: a panic costs it one connection only, which no client
/// may have seen.
pub(crate) fn end_of_server(server: Helper, title: &str) -> Tally {
    match server.shut_down(START_LIMIT) {
        Ok(()) => Tally::default(),
        Err(why) => {
            println!("{title}: {why}");
            Tally::ONE_FAILURE
        }
    }
}

/// Prints what failed and the counts of one run, each line with its title.
pub(crate) fn conclude(title: &str, checks: &[String], lines: &[String], ended: Result<(), String>) -> Tally {
    let mut failures = evaluate(checks, lines);
    // A client that fails because a check failed tells nothing new.
    if let (Err(why), true) = (ended, failures.is_empty()) {
        failures.push(why);
    }
    for failure in &failures {
        println!("{title}: {failure}");
    }
    let failed = failures.len() as u64;
    let tally = Tally { passed: (checks.len() as u64).saturating_sub(failed), failed, skipped: 0 };
    println!("{title}: {tally}");
    tally
}

/// Holds the reported lines against the checks that had to be made. Each has to be reported exactly once.
fn evaluate(checks: &[String], lines: &[String]) -> Vec<String> {
    let mut reported: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    for line in lines {
        if let Some(name) = line.strip_prefix("ok ") {
            reported.entry(name.trim()).or_default().push(None);
        } else if let Some(failure) = line.strip_prefix("FAIL ") {
            let (name, why) = failure.split_once(' ').unwrap_or((failure, "no reason given"));
            reported.entry(name).or_default().push(Some(why));
        }
    }
    let mut failures = Vec::new();
    for check in checks {
        match reported.remove(check.as_str()).as_deref() {
            Some([None]) => {}
            Some([Some(why)]) => failures.push(format!("{check}: {why}")),
            Some(times) => failures.push(format!("{check}: reported {} times", times.len())),
            None => failures.push(format!("{check}: not reported")),
        }
    }
    failures.extend(reported.into_keys().map(|name| format!("{name}: no such check")));
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn each_check_is_reported_exactly_once() {
        let checks = owned(&["a", "b", "c", "d"]);
        let lines = owned(&["listening", "ok a", "FAIL b too short", "ok c", "ok c", "ok e"]);
        assert_eq!(
            evaluate(&checks, &lines),
            ["b: too short", "c: reported 2 times", "d: not reported", "e: no such check"]
        );
        assert_eq!(evaluate(&checks[..1], &lines[..2]), [""; 0]);
    }
}
