//! A stream of HTTP/2 as a transport.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::Response;

use crate::carrier::Berth;
use crate::h2;
use crate::h2::io::server::SendResponse;
use crate::h2::io::{RecvStream, SendStream};
use crate::ws::Output;

/// A stream: a request and its response to come, or the WebSocket that it has become (RFC 8441 §5).
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) receiving: RecvStream,
    sending: Outlet,
    pub(crate) berth: Berth,
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// A server's, before it has answered.
    Unanswered(SendResponse),
    Open(Sending),
    /// The answer was all.
    Done,
}

/// The sending direction.
#[derive(Debug)]
pub(crate) struct Sending {
    stream: SendStream,
    /// How much was given to be sent, in bytes.
    given: u64,
    is_client: bool,
    finished: bool,
}

impl Tunnel {
    /// A request that has come.
    pub(crate) fn requested(receiving: RecvStream, respond: SendResponse, berth: Berth) -> Self {
        Self { receiving, sending: Outlet::Unanswered(respond), berth }
    }

    /// A request of ours that was granted.
    pub(crate) fn granted(receiving: RecvStream, stream: SendStream, berth: Berth) -> Self {
        let sending = Sending { stream, given: 0, is_client: true, finished: false };
        Self { receiving, sending: Outlet::Open(sending), berth }
    }

    /// Sends an interim response.
    pub(crate) fn inform(&mut self, response: Response<()>) -> Result<(), h2::Error> {
        match &mut self.sending {
            Outlet::Unanswered(respond) => respond.send_informational(response),
            _ => Err(h2::Error::Closed),
        }
    }

    /// Sends the response; with `end_stream`, nothing follows. What cannot be one leaves the request unanswered.
    pub(crate) fn respond(&mut self, response: Response<()>, end_stream: bool) -> Result<(), h2::Error> {
        if response.status().is_informational() {
            return Err(h2::Usage::Malformed("an interim response for the final one").into());
        }
        let Outlet::Unanswered(respond) = std::mem::replace(&mut self.sending, Outlet::Done) else {
            return Err(h2::Error::Closed);
        };
        let stream = respond.send_response(response, end_stream)?;
        if !end_stream {
            let sending = Sending { stream, given: 0, is_client: false, finished: false };
            self.sending = Outlet::Open(sending);
        }
        Ok(())
    }

    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        poll_receive(&mut self.receiving, cx, input, missing)
    }

    pub(crate) fn outlet(&mut self) -> &mut Outlet {
        &mut self.sending
    }

    pub(crate) fn departed(&self) -> u64 {
        self.sending.departed()
    }

    pub(crate) fn split(self) -> (TunnelReader, TunnelWriter) {
        let berth = Arc::new(self.berth);
        let reader = TunnelReader { receiving: self.receiving, _berth: Arc::clone(&berth) };
        (reader, TunnelWriter { sending: self.sending, _berth: berth })
    }
}

impl Outlet {
    /// Hands over to the connection, which sends as its windows allow.
    pub(crate) fn poll_transmit(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut Output,
    ) -> Poll<io::Result<()>> {
        let sending = self.open()?;
        while output.has_remaining() {
            sending.given += ready!(sending.stream.poll_send(cx, output))? as u64;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends `body` and then ends the stream's own half. Ready once all of it has left.
    pub(crate) fn poll_last(&mut self, cx: &mut Context<'_>, body: &mut Bytes) -> Poll<io::Result<()>> {
        let sending = self.open()?;
        while body.has_remaining() {
            sending.given += ready!(sending.stream.poll_send(cx, body))? as u64;
        }
        sending.poll_finish(cx)
    }

    /// Ends the stream's own half. Ready once all that was sent before has left.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_finish(cx)
    }

    pub(crate) fn departed(&self) -> u64 {
        match self {
            Self::Open(sending) => sending.given - sending.stream.queued() as u64,
            _ => 0,
        }
    }

    fn open(&mut self) -> io::Result<&mut Sending> {
        match self {
            Self::Open(sending) => Ok(sending),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Sending {
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.finished {
            self.finished = true;
            if self.is_client && self.stream.peer_has_ended() && self.stream.queued() == 0 {
                // Some servers have forgotten the stream, and take its end for an error that ends the connection.
                self.stream.reset(h2::ErrorCode::CANCEL);
                return Poll::Ready(Ok(()));
            }
            self.stream.finish()?;
        }
        self.stream.poll_sent(cx).map_err(Into::into)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        // A peer that takes no more does not keep it.
        if self.finished && self.stream.queued() > 0 {
            self.stream.reset(h2::ErrorCode::CANCEL);
        }
    }
}

/// The receiving direction of a [`Tunnel`].
pub(crate) struct TunnelReader {
    receiving: RecvStream,
    _berth: Arc<Berth>,
}

/// The sending direction of a [`Tunnel`].
pub(crate) struct TunnelWriter {
    pub(crate) sending: Outlet,
    _berth: Arc<Berth>,
}

impl TunnelReader {
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        poll_receive(&mut self.receiving, cx, input, missing)
    }
}

/// The content of a DATA frame becomes the input as it is, if there is no other.
fn poll_receive(
    receiving: &mut RecvStream,
    cx: &mut Context<'_>,
    input: &mut BytesMut,
    missing: usize,
) -> Poll<io::Result<usize>> {
    let Poll::Ready(data) = receiving.poll_data(cx) else {
        rest(input);
        return Poll::Pending;
    };
    let Some(data) = data.transpose()? else { return Poll::Ready(Ok(0)) };
    let length = data.len();
    if input.is_empty() {
        *input = data;
    } else {
        // A claimed length earns room only in proportion to what has really come.
        input.reserve(missing.clamp(length, length.max(input.len())));
        input.extend_from_slice(&data);
    }
    Poll::Ready(Ok(length))
}

/// The start of a frame does not hold what the connection has read with it.
fn rest(input: &mut BytesMut) {
    const SMALL: usize = 4 << 10;
    if input.len() < SMALL && input.capacity() > 0 {
        *input = BytesMut::from(&input[..]);
    }
}
