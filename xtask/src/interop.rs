//! `cargo xtask interop`: other implementations of WebSockets as clients of `interop_server` and as servers of
//! `interop_client` and `interop_deflate`, over HTTP/1.1 and over HTTP/2.
//!
//! Every client, ours and theirs, does the same named checks and prints `ok NAME` or `FAIL NAME why` for each; every
//! server has the same paths. `xtask/interop/README.md` is the contract. A check that was not reported has failed.

mod http1;
mod http2;
mod peers;
mod proxies;

use crate::{Outcome, Tally};

/// Every size that a length is encoded in, from both sides of each border.
const SIZES: [u32; 9] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20];
/// The closes that either side begins, by the name of their check.
const CLOSES: [&str; 6] = ["1000", "1001", "1008", "3000", "4999-reason", "none"];
const OTHER_CHECKS: [&str; 11] = [
    "text-unicode",
    "fragments-text",
    "fragments-binary",
    "fragments-ping",
    "fragments-by-peer",
    "ping",
    "ping-empty",
    "ping-125",
    "ping-by-peer",
    "subprotocol-chosen",
    "subprotocol-none",
];

/// Window bits, in both directions.
const WINDOW_BITS: std::ops::RangeInclusive<u8> = 9..=15;
/// Who may refer back to earlier messages.
const TAKEOVERS: [&str; 4] = ["both", "server", "client", "none"];
/// Offers that a server of ours has to decline.
const DECLINED: [&str; 9] = [
    "server-8",
    "server-7",
    "server-16",
    "server-without-value",
    "client-7",
    "client-with-zero",
    "flag-with-value",
    "twice",
    "unknown",
];
/// What only our client checks of permessage-deflate.
const OUR_DEFLATE_CHECKS: [&str; 2] = ["declined", "imposed-8"];

/// `cargo xtask interop [http1|http2]`.
pub(crate) fn task(mut args: lexopt::Parser) -> Outcome {
    let part = match args.next().map_err(|error| error.to_string())? {
        None => None,
        Some(lexopt::Arg::Value(part)) => Some(part.to_string_lossy().into_owned()),
        Some(other) => return Err(other.unexpected().to_string()),
    };
    crate::no_more(args)?;
    match part.as_deref() {
        None => Ok(http1()? + http2()?),
        Some("http1") => http1(),
        Some("http2") => http2(),
        Some(other) => Err(format!("no part is called {other:?}: http1, http2")),
    }
}

/// Over HTTP/1.1.
pub(crate) fn http1() -> Outcome {
    told("HTTP/1.1", http1::run()?)
}

/// Over HTTP/2.
pub(crate) fn http2() -> Outcome {
    told("HTTP/2", http2::run()?)
}

fn told(version: &str, tally: Tally) -> Outcome {
    println!("interop over {version}: {tally}");
    Ok(tally)
}

/// What every client checks of messages.
fn message_checks() -> Vec<String> {
    let sizes = SIZES.iter().flat_map(|size| [format!("text-{size}"), format!("binary-{size}")]);
    let closes = CLOSES.iter().flat_map(|close| [format!("close-{close}"), format!("close-by-peer-{close}")]);
    sizes.chain(closes).chain(OTHER_CHECKS.map(str::to_owned)).collect()
}

/// What every client checks of permessage-deflate over HTTP/1.1.
fn deflate_checks() -> Vec<String> {
    let pairs = WINDOW_BITS.flat_map(|server| WINDOW_BITS.map(move |client| (server, client)));
    let pairs: Vec<_> = pairs.collect();
    let mut checks = combinations(&["asked", "imposed"], &pairs);
    checks.extend(large_checks());
    checks
}

/// What only their clients check of permessage-deflate.
fn their_deflate_checks() -> Vec<String> {
    let declined = DECLINED.iter().map(|offer| format!("declined-{offer}"));
    declined.chain(["unlimited".to_owned()]).collect()
}

fn large_checks() -> Vec<String> {
    TAKEOVERS.iter().map(|takeover| format!("large-{takeover}")).collect()
}

/// The names of these checks for window bits of server and client, with every kind of context takeover.
fn combinations(checks: &[&str], bits: &[(u8, u8)]) -> Vec<String> {
    let mut names = Vec::new();
    for takeover in TAKEOVERS {
        for (server, client) in bits {
            names.extend(checks.iter().map(|check| format!("{check}-{server}-{client}-{takeover}")));
        }
    }
    names
}
