//! Programs that serve.

pub(crate) mod bridge;

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long anything may take that does not come by itself.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A program that serves until it is dropped, and its URL.
pub(crate) async fn start(program: &str, arguments: &[&str]) -> (Child, String) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    timeout(LIMIT, output.read_line(&mut line)).await.unwrap().unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (child, url)
}
