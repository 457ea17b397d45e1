//! Python's `hpack` and `sheave-hpack`, each decoding what the other encodes.

use std::path::Path;

use super::peers::Peers;
use super::{Table, log};
use crate::checks::{conclude, run_client};

/// What is done with dynamic tables of these sizes.
const TABLES: [&str; 5] = ["table-4096", "table-0", "table-200", "table-65536", "table-changes"];

pub(super) fn run(table: &mut Table, peers: &Peers, program: &Path) -> Result<(), String> {
    let title = "python hpack, sheave-hpack";
    let mut command = peers.python("hpack_both_ways.py");
    let (lines, ended) = run_client(command.arg(program), &log(title))?;
    let both = ["encoded-by-sheave", "decoded-by-sheave"];
    let checks: Vec<_> = both.iter().flat_map(|way| TABLES.map(|table| format!("{way}-{table}"))).collect();
    table.add(title, conclude(&format!("h2 {title}"), &checks, &lines, ended));
    Ok(())
}
