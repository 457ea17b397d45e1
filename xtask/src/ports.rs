//! Ports for programs that do not take 0.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// A port that the system has just given.
pub(crate) fn free() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.map_err(|error| format!("no port: {error}"))?.port())
}

/// Waits until somebody listens there.
pub(crate) fn wait_for(port: u16, limit: Duration) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() >= deadline {
            return Err(format!("nobody listens on port {port}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
