//! What libraries have in common whose two directions are apart.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use crate::Error;

/// What is received. If that takes waiting, what is queued leaves before.
///
/// # Errors
/// If it cannot be flushed.
pub async fn flush_before_waiting<T, F>(
    receive: impl Future<Output = T>,
    flush: impl FnOnce() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let mut receive = pin!(receive);
    if let Poll::Ready(received) = poll_fn(|cx| Poll::Ready(receive.as_mut().poll(cx))).await {
        return Ok(received);
    }
    flush().await?;
    Ok(receive.await)
}
