use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use http::HeaderMap;
use tokio::io::{AsyncRead, ReadBuf};

use super::cell::Cell;
use crate::error::Error;
use crate::error_code::ErrorCode;
use crate::stream_id::StreamId;

/// What the peer sends on a stream: the content of a request or a response, or the bytes of a tunnel.
///
/// What is read lets the peer send more (RFC 9113 §5.2), unless that is done [by hand](Self::manual_release). What was received
/// before the stream failed can still be read.
///
/// Dropped before the end, it has a client reset the stream with CANCEL, and a server with NO_ERROR (RFC 9113 §8.1), as
/// soon as nothing is sent on it any more; a tunnel only if the peer does not [soon](crate::Config::tunnel_linger) end it.
/// Until then what comes is passed over, so that the peer is not held up.
#[derive(Debug)]
pub struct RecvStream {
    cell: Arc<Cell>,
    is_client: bool,
    releases: bool,
    /// How much was read and is to be released by hand, in bytes: what windows allow at most.
    held: u32,
}

impl RecvStream {
    pub(super) fn new(cell: Arc<Cell>, is_client: bool) -> Self {
        Self { cell, is_client, releases: true, held: 0 }
    }

    /// The next content, as it came; `None` when all of it has been read.
    ///
    /// # Errors
    ///
    /// Why the stream has ended before its time.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped while it waits, nothing was read.
    pub async fn data(&mut self) -> Option<Result<BytesMut, Error>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// [`data`](Self::data) as a poll function.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<BytesMut, Error>>> {
        let data = ready!(self.cell.poll_content(cx, self.releases));
        if let (false, Some(Ok(data))) = (self.releases, &data) {
            self.hold(data.len());
        }
        Poll::Ready(data)
    }

    fn was_read(&mut self, length: usize) {
        match self.releases {
            true => self.cell.release(length),
            false => self.hold(length),
        }
    }

    fn hold(&mut self, length: usize) {
        self.held = self.held.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// The trailers, if there are any, once all content has come. What of it was not read is passed over
    /// and released.
    ///
    /// # Errors
    ///
    /// Why the stream has ended before its time.
    ///
    /// # Cancel safety
    ///
    /// Safe, but for content that it passed over.
    pub async fn trailers(&mut self) -> Result<Option<HeaderMap>, Error> {
        while let Some(data) = self.data().await {
            let length = data?.len();
            if !self.releases {
                self.release(length);
            }
        }
        Ok(self.cell.take_trailers())
    }

    /// Whether all content has been read.
    pub fn is_end_stream(&self) -> bool {
        self.cell.is_complete()
    }

    /// Lets the peer send more only by [`release`](Self::release). Default: it is let send as much as was read.
    pub fn manual_release(&mut self, manual: bool) {
        self.releases = !manual;
    }

    /// Lets the peer send so many bytes more, but no more than were read and not released. When the stream is dropped, the
    /// rest is released by itself.
    pub fn release(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX).min(self.held);
        self.held -= length;
        self.cell.release(length as usize);
    }

    /// The stream's number, once it is opened.
    pub fn id(&self) -> Option<StreamId> {
        self.cell.id()
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let Some(data) = ready!(this.cell.poll_content(cx, false)) else { return Poll::Ready(Ok(())) };
        let mut data = data?;
        let length = data.len().min(buffer.remaining());
        buffer.put_slice(&data[..length]);
        data.advance(length);
        this.cell.unread(data);
        this.was_read(length);
        Poll::Ready(Ok(()))
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        let code = if self.is_client { ErrorCode::CANCEL } else { ErrorCode::NO_ERROR };
        self.cell.drop_receiver(code, self.held as usize);
    }
}
