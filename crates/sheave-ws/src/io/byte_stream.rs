//! A WebSocket as a stream of bytes.

use std::fmt;
use std::io;
use std::ops::DerefMut;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::parts::{MessageReader, ReadParts, WriteParts};
use super::transport::Transport;
use super::websocket::WebSocket;
use crate::close::CloseCode;
use crate::outgoing::Compress;

/// A stream of bytes over the binary messages of a WebSocket, for tunnels: their boundaries mean nothing.
///
/// It takes a [`WebSocket`] in a [`Box`], a `&mut` to one, or whatever else leads to one. What is written at once
/// is a message of at most 64 KiB, which leaves when the stream is flushed, or when reading has to wait. Shutting
/// down sends a Close (1000); what the peer still sends can be read up to its own Close, which is the end. But a
/// peer that receives a Close answers at once: there is no half-close. A text message is an error
/// ([`io::ErrorKind::InvalidData`]). Dropping the stream drops the WebSocket.
///
/// Errors have the WebSocket's [`Error`](crate::Error) inside. A call that is given up while it waits has read
/// or written nothing.
pub struct ByteStream<W> {
    ws: W,
    /// Inside a message.
    inside: bool,
}

impl<W> ByteStream<W> {
    /// A stream over `ws`.
    pub fn new(ws: W) -> Self {
        Self { ws, inside: false }
    }

    /// The WebSocket. What was not read of a message is skipped.
    pub fn into_inner(self) -> W {
        self.ws
    }
}

impl<S: Transport, W: DerefMut<Target = WebSocket<S>> + Unpin> AsyncRead for ByteStream<W> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        while buffer.remaining() > 0 && buffer.filled().len() == before {
            if !this.inside {
                match ready!(this.ws.poll_start(cx))? {
                    Some(false) => this.inside = true,
                    Some(true) => {
                        let text = "a text message in a stream of bytes";
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                    }
                    None => break,
                }
            }
            ready!(pin!(MessageReader::inside(&mut *this.ws, false)).poll_read(cx, buffer))?;
            this.inside = buffer.filled().len() > before;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Transport, W: DerefMut<Target = WebSocket<S>> + Unpin> AsyncWrite for ByteStream<W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        const MESSAGE: usize = 64 << 10;
        let bytes = &bytes[..bytes.len().min(MESSAGE)];
        if !bytes.is_empty() {
            let queue =
                self.get_mut().ws.poll_queue(cx, |outgoing| outgoing.message(bytes.into(), Compress::Auto));
            ready!(queue)?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        WriteParts::poll_written(&mut *self.get_mut().ws, cx).map_err(Into::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.ws.start_close(CloseCode::NORMAL);
        WriteParts::poll_written(&mut *this.ws, cx).map_err(Into::into)
    }
}

impl<W: fmt::Debug> fmt::Debug for ByteStream<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("ws", &self.ws).finish_non_exhaustive()
    }
}
