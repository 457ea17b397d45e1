//! What libraries whose WebSockets are `Stream` and `Sink` have in common.

use std::future::poll_fn;
use std::task::ready;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};

use crate::{Client, Error};

/// Echoes what is data, until the end.
///
/// # Errors
/// Those of the library.
pub async fn echo<S, M, E>(mut socket: S, batch: bool, is_data: fn(&M) -> bool) -> Result<(), Error>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    Error: From<E>,
{
    while let Some(message) = next(&mut socket, batch).await? {
        if !is_data(&message) {
            continue;
        }
        if batch {
            socket.feed(message).await?;
        } else {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// The next message. In batches, what is queued leaves before this waits.
///
/// # Errors
/// Those of the library.
pub async fn next<S, M, E>(socket: &mut S, batch: bool) -> Result<Option<M>, E>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    poll_fn(|cx| {
        let next = socket.poll_next_unpin(cx);
        if next.is_pending() && batch {
            ready!(socket.poll_flush_unpin(cx))?;
        }
        next.map(Option::transpose)
    })
    .await
}

/// A client whose messages cost nothing to clone.
#[derive(Debug)]
pub struct StreamClient<S, M> {
    /// The WebSocket.
    pub socket: S,
    /// What is sent, again and again.
    pub message: M,
    /// The length of what is data.
    pub length: fn(&M) -> Option<usize>,
    /// Whether to flush only before it waits.
    pub batch: bool,
}

impl<S, M, E> Client for StreamClient<S, M>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: Clone,
    Error: From<E>,
{
    async fn send(&mut self) -> Result<(), Error> {
        if self.batch {
            self.socket.feed(self.message.clone()).await?;
        } else {
            self.socket.send(self.message.clone()).await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        loop {
            let message = next(&mut self.socket, self.batch).await?.ok_or("closed")?;
            if let Some(length) = (self.length)(&message) {
                return Ok(length);
            }
        }
    }
}
