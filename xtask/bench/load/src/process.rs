//! What the system tells of a process.

use std::fs;
use std::io;

use crate::bad;

/// The processor time of all threads of a process so far, in nanoseconds.
pub(crate) fn cpu_ns(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let time = text.split(' ').next().and_then(|time| time.parse::<u64>().ok());
        sum += time.ok_or_else(|| bad(format!("schedstat has {text:?}")))?;
    }
    Ok(sum)
}

/// What a process holds in memory, in bytes.
pub(crate) fn rss(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map(|count| count << 10).ok_or_else(|| bad("the process has no VmRSS"))
}
