//! What the echo servers have in common: the command line, and how they are started and ended.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::exit;

/// What an echo server is told: `[--level N] [--send]`.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The level of compression.
    pub level: u8,
    /// Write after every message, also where the library could write several at once.
    pub send: bool,
}

impl Options {
    /// Those of the command line. The process ends with its standard input.
    ///
    /// # Errors
    /// If there are others.
    pub fn parse() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::{Long, ValueExt as _};
        let mut options = Self { level: 6, send: false };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("level") => options.level = parser.value()?.parse()?,
                Long("send") => options.send = true,
                other => return Err(other.unexpected()),
            }
        }
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            exit(0);
        });
        Ok(options)
    }
}

/// Tells `cargo xtask bench` where the server listens, and which process it is.
pub fn listening(address: SocketAddr) {
    println!("listening on {address} {}", std::process::id());
    let _ = std::io::stdout().flush();
}
