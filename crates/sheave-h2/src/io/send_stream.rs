use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use http::HeaderMap;
use tokio::io::AsyncWrite;

use super::cell::Cell;
use super::wants::End;
use crate::error::Error;
use crate::error_code::ErrorCode;
use crate::message;
use crate::stream_id::StreamId;

/// What is sent on a stream: the content of a request or a response, or the bytes of a tunnel.
///
/// What was sent is queued, up to [`Config::max_send_queue`](crate::Config::max_send_queue), and leaves as the windows allow
/// (RFC 9113 §5.2). It has to be [ended](Self::finish): dropped before, the stream is reset with CANCEL.
#[derive(Debug)]
pub struct SendStream {
    cell: Arc<Cell>,
}

impl SendStream {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        Self { cell }
    }

    /// Sends `data`, all of it, once there is room.
    ///
    /// # Errors
    ///
    /// Why the stream has ended; [`Error::Usage`] if it was [finished](Self::finish).
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped while it waits, nothing was sent.
    pub async fn send_data(&mut self, data: impl Buf) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        let mut data = data;
        let length = data.remaining();
        self.cell.send(&mut data, length);
        Ok(())
    }

    /// Ready once there is room to send something, however much.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.cell.poll_room(cx)
    }

    /// Sends as much of `data` as there is room for, without copying what lies in `Bytes` of its own. Ready with how much
    /// that is, once it is something.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut impl Buf) -> Poll<Result<usize, Error>> {
        self.cell.poll_send(cx, data)
    }

    /// Ends what is sent.
    ///
    /// # Errors
    ///
    /// Why the stream has ended; [`Error::Usage`] if it was finished before.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.cell.finish(End::Finish)
    }

    /// Ends what is sent with trailers (RFC 9113 §8.1).
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish), and if they cannot be said in HTTP/2.
    pub fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), Error> {
        message::check_trailers(&trailers)?;
        self.cell.finish(End::Trailers(Box::new(trailers)))
    }

    /// Ends the stream at once, in both directions (RFC 9113 §6.4). What is queued is not sent.
    pub fn reset(&mut self, code: ErrorCode) {
        self.cell.reset(code);
    }

    /// Waits until the stream has failed, or was reset by the peer: for who has nothing to send meanwhile.
    /// [`Error::Closed`] if it has ended in both directions without that.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn failed(&mut self) -> Error {
        poll_fn(|cx| self.cell.poll_failed(cx)).await
    }

    /// Ready once nothing is queued any more.
    ///
    /// # Errors
    ///
    /// Why the stream has ended before.
    pub fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.cell.poll_sent(cx)
    }

    /// Whether the connection has not tried yet to send what came before the [end](Self::finish). When it has, and could not,
    /// it wakes who waits in [`poll_sent`](Self::poll_sent), for whom it is soon enough then to have a timer.
    pub fn is_untried(&self) -> bool {
        self.cell.is_untried()
    }

    /// Whether the peer has ended what it sends. What of it was not read is still there.
    pub fn peer_has_ended(&self) -> bool {
        self.cell.has_all()
    }

    /// How much is queued, in bytes.
    pub fn queued(&self) -> usize {
        self.cell.unsent()
    }

    /// The stream's number, once it is opened.
    pub fn id(&self) -> Option<StreamId> {
        self.cell.id()
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, mut data: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, &mut data).map_err(Into::into)
    }

    /// What was written leaves by itself.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.cell.is_finished() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(this.finish().map_err(Into::into))
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        self.cell.drop_sender();
    }
}
