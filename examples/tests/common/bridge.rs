//! `h2_bridge`, and both its sides.
#![allow(dead_code, reason = "each test uses a part")]

use sheave::h2::io::RecvStream;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::timeout;

use super::{LIMIT, start};

const BRIDGE: &str = env!("CARGO_BIN_EXE_h2_bridge");
/// From RFC 6455 §1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it takes too long")
}

pub(crate) async fn bridge(arguments: &[&str]) -> (Child, String) {
    start(BRIDGE, &[&["--listen", "127.0.0.1:0"], arguments].concat()).await
}

pub(crate) fn address(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

/// What comes until the end.
pub(crate) async fn rest(io: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    bounded(io.read_to_end(&mut rest)).await.unwrap();
    rest
}

/// The head of a message, without the empty line at its end.
pub(crate) async fn head(io: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(bounded(io.read_u8()).await.unwrap());
    }
    head.truncate(head.len() - 4);
    String::from_utf8(head).unwrap()
}

/// Reads until the other side resets the connection.
pub(crate) async fn reset(io: &mut TcpStream) {
    let mut rest = Vec::new();
    let error = bounded(io.read_to_end(&mut rest)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// More than fits into what lies between.
pub(crate) fn much() -> Vec<u8> {
    (0..8 << 20).map(|index| (index % 251) as u8).collect()
}

/// All that comes on a stream.
pub(crate) async fn all(receive: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    bounded(receive.read_to_end(&mut all)).await.unwrap();
    all
}
