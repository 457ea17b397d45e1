//! The load generator: drives an echo server or an HTTP/2 server from one thread, checks what comes back, and tells how
//! long that took and what processor time the server used for it.
//!
//! ```text
//! load --address HOST:PORT --pid PID --http1|--http2 [--tls] [--deflate takeover|no-takeover]
//!      --workload echo|open|idle|fairness|get --connections N [--sockets N] [--in-flight N] [--length BYTES] [--text]
//!      (--millis N | --messages N)
//! ```
//!
//! It prints `messages=… seconds=… cpu_ns=… bytes=… p50_ns=… p99_ns=… p999_ns=… load_cpu_ns=…` about what came after the
//! warm-up, which is a tenth as long and comes before. The bytes are those that came from the server; `cpu_ns` is the
//! processor time of process `PID`, `load_cpu_ns` its own. `--workload idle` prints `sockets=… rss_before=… rss_after=…`,
//! `--workload fairness` also `bulk_messages=…`. At any wrong echo or answer it ends with an error.
//!
//! The lengths and kinds of all messages are checked, and the content of one in 61, or of all that are compressed.

mod drive;
mod frames;
mod histogram;
mod http1;
mod http2;
mod measure;
mod options;
mod process;
mod ring;
mod run;
mod socket;
mod text;
mod tls;
mod transport;

use std::error::Error;
use std::io;

use options::{Options, Workload};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    if options.workload == Workload::Idle {
        let idle = drive::idle(&options)?;
        println!("sockets={} rss_before={} rss_after={}", idle.sockets, idle.before, idle.after);
        return Ok(());
    }
    let report = drive::measure(&options)?;
    let [p50, p99, p999] = report.latencies;
    print!(
        "messages={} seconds={:.6} cpu_ns={} bytes={} p50_ns={p50} p99_ns={p99} p999_ns={p999} load_cpu_ns={}",
        report.messages, report.seconds, report.cpu_ns, report.bytes, report.load_cpu_ns,
    );
    if options.workload == Workload::Fairness {
        print!(" bulk_messages={}", report.bulk);
    }
    println!();
    Ok(())
}

/// The server did what it may not, or not what was asked for.
fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
