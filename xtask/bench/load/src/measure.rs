//! What is counted: how much came back, how long it took and what processor time went into it.

use std::io;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::options::Until;
use crate::process;

pub(crate) struct Measure {
    pid: u32,
    until: Until,
    began: Instant,
    /// In nanoseconds since the beginning: read once for all that a read brought.
    pub(crate) now: u64,
    phase: Phase,
    /// Of this phase.
    messages: u64,
    bulk: u64,
    bytes: u64,
    histogram: Histogram,
}

enum Phase {
    Opening,
    WarmUp { since: u64 },
    Measured { since: u64, cpu: u64, load_cpu: u64 },
    Over,
}

impl Measure {
    pub(crate) fn new(pid: u32, until: Until) -> Self {
        let (began, histogram) = (Instant::now(), Histogram::new());
        Self { pid, until, began, now: 0, phase: Phase::Opening, messages: 0, bulk: 0, bytes: 0, histogram }
    }

    /// Reads the clock.
    pub(crate) fn look(&mut self) {
        self.now = self.began.elapsed().as_nanos() as u64;
    }

    /// So many messages came back just now, that long after they were sent.
    pub(crate) fn count(&mut self, messages: u64, sent: u64) {
        self.messages += messages;
        self.histogram.record(self.now.saturating_sub(sent), messages);
    }

    #[cfg(test)]
    pub(crate) fn counted(&self) -> u64 {
        self.messages
    }

    /// Messages whose latency does not count.
    pub(crate) fn count_bulk(&mut self, messages: u64) {
        self.bulk += messages;
    }

    /// So many bytes came over the wire.
    pub(crate) fn count_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) fn start(&mut self) {
        self.look();
        self.phase = Phase::WarmUp { since: self.now };
        self.reset();
    }

    /// What was measured, once it is over.
    pub(crate) fn report(&mut self) -> io::Result<Option<Report>> {
        match self.phase {
            Phase::WarmUp { since } if self.reached(since, 10) => {
                let (cpu, load_cpu) = (process::cpu_ns(self.pid)?, process::cpu_ns(std::process::id())?);
                self.look();
                self.phase = Phase::Measured { since: self.now, cpu, load_cpu };
                self.reset();
                Ok(None)
            }
            Phase::Measured { since, cpu, load_cpu } if self.reached(since, 1) => {
                self.look();
                self.phase = Phase::Over;
                Ok(Some(Report {
                    messages: self.messages,
                    bulk: self.bulk,
                    seconds: Duration::from_nanos(self.now - since).as_secs_f64(),
                    cpu_ns: process::cpu_ns(self.pid)?.saturating_sub(cpu),
                    bytes: self.bytes,
                    latencies: [500, 990, 999].map(|permille| self.histogram.permille(permille)),
                    load_cpu_ns: process::cpu_ns(std::process::id())?.saturating_sub(load_cpu),
                }))
            }
            _ => Ok(None),
        }
    }

    fn reached(&self, since: u64, part: u32) -> bool {
        match self.until {
            Until::Messages(messages) => self.messages >= messages.div_ceil(u64::from(part)),
            Until::Passed(time) => self.now - since >= (time / part).as_nanos() as u64,
        }
    }

    fn reset(&mut self) {
        (self.messages, self.bulk, self.bytes) = (0, 0, 0);
        self.histogram.clear();
    }
}

pub(crate) struct Report {
    pub(crate) messages: u64,
    pub(crate) bulk: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu_ns: u64,
    pub(crate) bytes: u64,
    /// p50, p99 and p99.9.
    pub(crate) latencies: [u64; 3],
    pub(crate) load_cpu_ns: u64,
}
