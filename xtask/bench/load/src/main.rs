//! The load generator: `load --address HOST:PORT --pid PID [--connections N] [--in-flight N] [--messages N]
//! [--length BYTES]`.
//!
//! It sends texts over permessage-deflate with context takeover to an echo server, a tenth of them to warm up, and checks
//! every echo. Then it prints, of the rest, `messages=… bytes=… cpu_ticks=… seconds=…`: what came back, the bytes that the
//! server wrote for it, and the processor time that the server's process `PID` took, in ticks of the system's clock.

mod connection;
mod text;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Instant;

use connection::Connection;

struct Options {
    address: SocketAddr,
    pid: u32,
    connections: usize,
    in_flight: usize,
    messages: usize,
    length: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(run(&options))
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut connections = Vec::new();
    for seed in 0..options.connections {
        connections.push(Connection::open(options.address, seed as u64, options.length).await?);
    }
    let each = options.messages / options.connections;
    let (connections, _) = all(connections, each / 10, options.in_flight).await?;
    let (ticks, started) = (cpu_ticks(options.pid)?, Instant::now());
    let (_, bytes) = all(connections, each, options.in_flight).await?;
    let (seconds, ticks) = (started.elapsed().as_secs_f64(), cpu_ticks(options.pid)? - ticks);
    println!("messages={} bytes={bytes} cpu_ticks={ticks} seconds={seconds}", each * options.connections);
    Ok(())
}

/// Has every connection send so many messages. Gives them back, with how many bytes came.
async fn all(
    connections: Vec<Connection>,
    messages: usize,
    in_flight: usize,
) -> Result<(Vec<Connection>, u64), Box<dyn Error>> {
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            tokio::spawn(async move {
                let bytes = connection.run(messages, in_flight).await;
                bytes.map(|bytes| (connection, bytes))
            })
        })
        .collect();
    let (mut back, mut sum) = (Vec::new(), 0);
    for task in tasks {
        let (connection, bytes) = task.await??;
        back.push(connection);
        sum += bytes;
    }
    Ok((back, sum))
}

/// User and system time of a process so far: the 14th and 15th field of its `stat`.
fn cpu_ticks(pid: u32) -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name that may hold anything.
    let (_, fields) = stat.rsplit_once(") ").ok_or("no stat")?;
    let ticks: Vec<u64> = fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum())
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        use lexopt::prelude::{Long, ValueExt as _};
        let (mut address, mut pid) = (None, None);
        let (mut connections, mut in_flight, mut messages, mut length) = (1, 1, 100_000, 1024);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("address") => address = Some(parser.value()?.parse()?),
                Long("pid") => pid = Some(parser.value()?.parse()?),
                Long("connections") => connections = parser.value()?.parse::<usize>()?.max(1),
                Long("in-flight") => in_flight = parser.value()?.parse::<usize>()?.max(1),
                Long("messages") => messages = parser.value()?.parse()?,
                Long("length") => length = parser.value()?.parse::<usize>()?.max(64),
                other => return Err(other.unexpected().into()),
            }
        }
        let address = address.ok_or("--address is missing")?;
        let pid = pid.ok_or("--pid is missing")?;
        Ok(Self { address, pid, connections, in_flight, messages, length })
    }
}
