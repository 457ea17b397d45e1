//! Reaching a host by the first of its addresses that answers (Happy Eyeballs, RFC 8305).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::error::Error;

/// RFC 8305 §5: how long an attempt has before the next one starts beside it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A TCP connection to `host`, which may be a name or an address (IPv6 in brackets or not).
pub(crate) async fn dial(host: &str, port: u16, nodelay: bool) -> Result<TcpStream, Error> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let addresses = tokio::net::lookup_host((host, port)).await.map_err(Error::Resolve)?;
    let stream = race(interleave(addresses), TcpStream::connect).await?;
    stream.set_nodelay(nodelay).map_err(Error::Io)?;
    Ok(stream)
}

/// RFC 8305 §4: the families in turn, beginning with that of the first address.
fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses: VecDeque<SocketAddr> = addresses.into_iter().collect();
    let Some(first) = addresses.front().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut same, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.drain(..).partition(|address| address.is_ipv6() == first);
    while !same.is_empty() || !other.is_empty() {
        addresses.extend(same.pop_front());
        addresses.extend(other.pop_front());
    }
    addresses
}

/// RFC 8305 §5: starts an attempt each time that one fails or the delay is over; the first connection wins
/// and ends the others.
async fn race<T, F: Future<Output = io::Result<T>>>(
    mut addresses: VecDeque<SocketAddr>,
    mut connect: impl FnMut(SocketAddr) -> F,
) -> Result<T, Error> {
    let mut running: Vec<(SocketAddr, Pin<Box<F>>)> = Vec::new();
    let mut failures = Vec::new();
    let mut delay = pin!(tokio::time::sleep(ATTEMPT_DELAY));
    let mut start_next = true;
    poll_fn(|cx| {
        loop {
            if start_next && let Some(address) = addresses.pop_front() {
                running.push((address, Box::pin(connect(address))));
                delay.as_mut().reset(tokio::time::Instant::now() + ATTEMPT_DELAY);
            }
            start_next = false;
            let mut index = 0;
            while let Some((address, attempt)) = running.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(connection)) => return Poll::Ready(Ok(connection)),
                    Poll::Ready(Err(error)) => {
                        failures.push((*address, error));
                        drop(running.swap_remove(index));
                        start_next = true;
                    }
                    Poll::Pending => index += 1,
                }
            }
            if running.is_empty() && addresses.is_empty() {
                return Poll::Ready(Err(Error::Unreachable(std::mem::take(&mut failures))));
            }
            if !addresses.is_empty() && delay.as_mut().poll(cx).is_ready() {
                start_next = true;
            }
            if !start_next || addresses.is_empty() {
                return Poll::Pending;
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{Error, SocketAddr, interleave, io, race};

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// What an address does when it is connected to: answers or fails after some time, or never does.
    type Script<'a> = &'a [(&'a str, Option<(u64, bool)>)];

    /// Races the scripted addresses; who won, when, and when each attempt began, in milliseconds.
    async fn run(script: Script<'_>) -> (Result<SocketAddr, Error>, u64, Vec<u64>) {
        let start = Instant::now();
        let begun = RefCell::new(Vec::new());
        let addresses = script.iter().map(|(text, _)| address(text)).collect();
        let won = race(addresses, |at| {
            begun.borrow_mut().push(start.elapsed().as_millis() as u64);
            let fate = script.iter().find(|(text, _)| address(text) == at).unwrap().1;
            async move {
                let Some((after, good)) = fate else { return std::future::pending().await };
                sleep(Duration::from_millis(after)).await;
                if good { Ok(at) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
            }
        })
        .await;
        (won, start.elapsed().as_millis() as u64, begun.into_inner())
    }

    #[test]
    fn families_alternate_from_the_first() {
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"].map(address);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"].map(address);
        assert_eq!(interleave(given), expected);
        assert!(interleave([]).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_quarter_of_a_second() {
        let (won, took, begun) = run(&[("[::1]:1", None), ("1.1.1.1:1", Some((10, true)))]).await;
        assert_eq!(won.unwrap(), address("1.1.1.1:1"));
        assert_eq!((took, begun), (260, vec![0, 250]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once() {
        let script: Script<'_> =
            &[("[::1]:1", Some((5, false))), ("1.1.1.1:1", Some((5, false))), ("[::2]:1", Some((5, true)))];
        let (won, took, begun) = run(script).await;
        assert_eq!(won.unwrap(), address("[::2]:1"));
        assert_eq!((took, begun), (15, vec![0, 5, 10]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_may_still_win() {
        let (won, took, _) = run(&[("[::1]:1", Some((300, true))), ("1.1.1.1:1", Some((400, true)))]).await;
        assert_eq!((won.unwrap(), took), (address("[::1]:1"), 300));
    }

    #[tokio::test(start_paused = true)]
    async fn every_failure_is_told() {
        let (won, ..) = run(&[("[::1]:1", Some((5, false))), ("1.1.1.1:1", Some((500, false)))]).await;
        let Err(Error::Unreachable(attempts)) = won else { panic!("{won:?}") };
        let tried: Vec<_> = attempts.iter().map(|(address, _)| *address).collect();
        assert_eq!(tried, ["[::1]:1", "1.1.1.1:1"].map(address));
        assert!(matches!(run(&[]).await.0, Err(Error::Unreachable(attempts)) if attempts.is_empty()));
    }
}
