//! Futures under the test's control.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use sheave_ws::io::{Transport, WebSocket};
use sheave_ws::{Config, Role};

use super::transport::{Peer, Script};

/// Polls `future` so many times at most, waiting for nothing, and drops it: `None` if it was not ready by then.
pub async fn polled<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut count = 0;
    poll_fn(move |cx| {
        count += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if count >= polls => Poll::Ready(None),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// `future`, which has to end some time.
pub async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it hangs")
}

/// No time limits, for tests whose transports make nobody wait.
pub fn no_time() -> Config {
    Config::default().write_timeout(None).close_timeout(Duration::MAX)
}

/// A WebSocket on which the opening handshake is done.
pub fn websocket<S: Transport>(io: S, role: Role, config: &Config) -> WebSocket<S> {
    WebSocket::new(io, role, config, BytesMut::new())
}

/// A WebSocket over a script, and its peer.
pub fn scripted(role: Role, config: &Config) -> (WebSocket<Script>, Peer) {
    let (script, peer) = Script::new();
    (websocket(script, role, config), peer)
}

/// Again and again, `polls` polls at a time, until it is done.
macro_rules! insist {
    ($polls:expr, $future:expr) => {{
        let mut tries = 0;
        loop {
            if let Some(result) = $crate::support::polled($polls, $future).await {
                break result;
            }
            tries += 1;
            assert!(tries < 100_000, "it makes no progress");
        }
    }};
}
pub(crate) use insist;
