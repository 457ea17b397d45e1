//! How yawc echoes, over HTTP/1.1 and over hyper's HTTP/2.

use std::future::poll_fn;
use std::task::ready;

use bench_common::{Deflate, Error};
use futures_util::SinkExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use yawc::{CompressionLevel, Frame, OpCode, Options, WebSocket};

const MOST: usize = 64 << 20;

/// As its own benchmark has them; what that calls tuned, in batches. By default it takes no more than 1 MiB.
pub fn options(batch: bool, deflate: Option<Deflate>) -> Options {
    let mut options = Options::default().with_utf8().without_compression().with_limits(MOST, 2 * MOST);
    if batch {
        options = options.with_read_buffer_capacity(128 << 10).with_backpressure_boundary(64 << 10);
    }
    if let Some(Deflate { level, takeover }) = deflate {
        // The windows are left alone: it would demand one of the client that did not offer that.
        options = options.with_compression_level(CompressionLevel::new(level.into()));
        if !takeover {
            options = options.server_no_context_takeover().client_no_context_takeover();
        }
    }
    options
}

/// Echoes what is data, until the end.
///
/// # Errors
/// Those of the library.
pub async fn echo<S>(mut ws: WebSocket<S>, batch: bool) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let frame = next(&mut ws, batch).await?;
        match frame.opcode() {
            OpCode::Close => return Ok(ws.close().await?),
            OpCode::Text | OpCode::Binary => send(&mut ws, frame, batch).await?,
            _ => {}
        }
    }
}

/// Sends a frame, or queues it for a flush in [`next`].
///
/// # Errors
/// Those of the library.
pub async fn send<S>(ws: &mut WebSocket<S>, frame: Frame, batch: bool) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if batch {
        ws.feed(frame).await?;
    } else {
        ws.send(frame).await?;
    }
    Ok(())
}

/// The next frame that is a whole message. In batches, what is queued leaves before this waits.
///
/// # Errors
/// Those of the library.
pub async fn next<S>(ws: &mut WebSocket<S>, batch: bool) -> Result<Frame, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let next = poll_fn(|cx| {
        let next = ws.poll_next_frame(cx);
        if next.is_pending() && batch {
            ready!(ws.poll_flush_unpin(cx))?;
        }
        next
    });
    Ok(next.await?)
}
