//! How a client keeps messages in flight.

use std::fs;
use std::time::Instant;

use tokio::net::TcpStream;

use crate::server::runtime;
use crate::{ClientOptions, Error};

/// What a library makes of a connection to an echo server.
pub trait Client {
    /// Sends a binary message of the length of the options, or queues it for a flush in [`receive`](Self::receive).
    fn send(&mut self) -> impl Future<Output = Result<(), Error>>;

    /// The length of the next message. What is queued leaves before this waits.
    fn receive(&mut self) -> impl Future<Output = Result<usize, Error>>;
}

/// Sends all messages, checks the lengths of their echoes and prints what it took.
///
/// # Errors
/// If the server is not there, or an echo is wrong; those of the library.
pub fn run_client<C: Client, F>(options: &ClientOptions, open: impl FnOnce() -> F) -> Result<(), Error>
where
    F: Future<Output = Result<C, Error>>,
{
    runtime()?.block_on(async { talk(&mut open().await?, options).await })
}

impl ClientOptions {
    /// A connection to the server.
    ///
    /// # Errors
    /// If the server is not there.
    pub async fn connect(&self) -> Result<TcpStream, Error> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    /// What is sent.
    pub fn payload(&self) -> Vec<u8> {
        vec![b'*'; self.length]
    }
}

async fn talk(client: &mut impl Client, options: &ClientOptions) -> Result<(), Error> {
    let warm_up = options.messages / 10;
    let end = warm_up + options.messages;
    let (mut cpu, mut started) = (cpu_ns()?, Instant::now());
    let mut sent = options.in_flight.min(end);
    for _ in 0..sent {
        client.send().await?;
    }
    for received in 0..end {
        if received == warm_up {
            (cpu, started) = (cpu_ns()?, Instant::now());
        }
        let length = client.receive().await?;
        if length != options.length {
            return Err(format!("an echo of {length} bytes, not {}", options.length).into());
        }
        if sent < end {
            client.send().await?;
            sent += 1;
        }
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_ns()? - cpu);
    println!("messages={} cpu_ns={cpu} seconds={seconds}", options.messages);
    Ok(())
}

/// How long the threads of this process have run, in nanoseconds: the first field of the `schedstat` of each.
fn cpu_ns() -> Result<u64, Error> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let told = fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += told.split(' ').next().ok_or("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(sum)
}
