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
    pub(crate) receiving: Inlet,
    sending: Outlet,
    pub(crate) berth: Berth,
}

/// What is received.
#[derive(Debug)]
pub(crate) struct Inlet {
    pub(crate) stream: RecvStream,
    /// Whether the input may hold more memory than it was cut to when it last was, and how long it was then.
    is_loose: bool,
    cut: u32,
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
        Self { receiving: Inlet::new(receiving), sending: Outlet::Unanswered(respond), berth }
    }

    /// A request of ours that was granted.
    pub(crate) fn granted(receiving: RecvStream, stream: SendStream, berth: Berth) -> Self {
        let sending = Sending { stream, given: 0, is_client: true, finished: false };
        Self { receiving: Inlet::new(receiving), sending: Outlet::Open(sending), berth }
    }

    /// Sends an interim response.
    pub(crate) fn inform(&mut self, response: Response<()>) -> Result<(), h2::Error> {
        match &mut self.sending {
            Outlet::Unanswered(respond) => respond.send_informational(response),
            _ => Err(h2::Error::Closed),
        }
    }

    /// Sends the response that opens a WebSocket, as [`answer`](Self::answer).
    pub(crate) fn grant(&mut self, response: Response<()>) -> Result<(), h2::Error> {
        let stream = self.unanswered(&response)?.send_response(response, false)?;
        self.sending = Outlet::Open(Sending { stream, given: 0, is_client: false, finished: false });
        Ok(())
    }

    /// Sends the response, and its body if that is not too long. An interim one (1xx) is an error, and leaves the request
    /// unanswered.
    pub(crate) fn answer(&mut self, response: Response<()>, body: &mut Bytes) -> Result<(), h2::Error> {
        let length = body.len();
        let stream = self.unanswered(&response)?.send_whole(response, body)?;
        if length > 0 {
            let finished = body.is_empty();
            let given = if finished { length as u64 } else { 0 };
            self.sending = Outlet::Open(Sending { stream, given, is_client: false, finished });
        }
        Ok(())
    }

    fn unanswered(&mut self, response: &Response<()>) -> Result<SendResponse, h2::Error> {
        if response.status().is_informational() {
            return Err(h2::Usage::Malformed("an interim response for the final one").into());
        }
        match std::mem::replace(&mut self.sending, Outlet::Done) {
            Outlet::Unanswered(respond) => Ok(respond),
            _ => Err(h2::Error::Closed),
        }
    }

    pub(crate) fn outlet(&mut self) -> &mut Outlet {
        &mut self.sending
    }

    pub(crate) fn departed(&self) -> u64 {
        self.sending.departed()
    }

    pub(crate) fn is_untried(&self) -> bool {
        self.sending.is_untried()
    }

    pub(crate) fn split(self) -> (TunnelReader, TunnelWriter) {
        let berth = Arc::new(self.berth);
        let reader = TunnelReader { receiving: self.receiving, _berth: Arc::clone(&berth) };
        (reader, TunnelWriter { sending: self.sending, _berth: berth })
    }
}

impl Inlet {
    fn new(stream: RecvStream) -> Self {
        Self { stream, is_loose: false, cut: 0 }
    }

    /// The content of a DATA frame becomes the input as it is, if there is no other.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        missing: usize,
    ) -> Poll<io::Result<usize>> {
        // Some of it was taken, and its room is still there.
        self.is_loose |= input.len() < self.cut as usize;
        let Poll::Ready(data) = self.stream.poll_data(cx) else {
            self.rest(input, missing);
            return Poll::Pending;
        };
        let Some(data) = data.transpose()? else { return Poll::Ready(Ok(0)) };
        let length = data.len();
        if input.is_empty() {
            replace(input, data);
            (self.is_loose, self.cut) = (true, 0);
        } else {
            // What was cut to its size stays so until its frame is whole: then it may all be taken, or all but a little.
            self.is_loose |= length >= missing;
            append(input, &data, missing);
            h2::recycle(data);
        }
        Poll::Ready(Ok(length))
    }

    /// The start of a frame does not hold what the connection has read with it, nor what was read before it.
    fn rest(&mut self, input: &mut BytesMut, missing: usize) {
        // More is not so little beside what it may hold.
        const MOST: usize = 64 << 10;
        const LITTLE: usize = 2 << 10;
        // What comes bit by bit is not copied with each.
        let (length, cut) = (input.len(), self.cut as usize);
        let has_changed = length <= LITTLE || length >= 2 * cut || length < cut / 2;
        if self.is_loose && has_changed && length <= MOST {
            let mut start = h2::buffer(length + earned(missing, length));
            start.extend_from_slice(input);
            replace(input, start);
            // No more than `MOST`.
            self.cut = length as u32;
            self.is_loose = false;
        }
    }
}

/// Adds what has come of a frame to its start.
fn append(input: &mut BytesMut, data: &[u8], missing: usize) {
    /// What is larger is not used again, and may grow where it is.
    const USED_AGAIN: usize = 128 << 10;
    if !input.try_reclaim(data.len()) {
        let length = input.len();
        let room = data.len().max(earned(missing, length));
        if length + room > USED_AGAIN {
            input.reserve(room);
        } else {
            let mut larger = h2::buffer(length + room);
            larger.extend_from_slice(input);
            replace(input, larger);
        }
    }
    input.extend_from_slice(data);
}

/// What was there before may be used again, if it held memory.
fn replace(input: &mut BytesMut, with: BytesMut) {
    let before = std::mem::replace(input, with);
    if before.capacity() > 0 {
        h2::recycle(before);
    }
}

/// How much room what is `missing` by a claimed length earns: only in proportion to what has really come, so much that what
/// is moved once is seldom moved again.
fn earned(missing: usize, come: usize) -> usize {
    // 64 KiB that come in frames of 16 are moved once, whatever the heads take of the first.
    missing.min(4 * come)
}

impl Outlet {
    /// Hands over to the connection, which sends as its windows allow.
    pub(crate) fn poll_transmit(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut Output,
    ) -> Poll<io::Result<()>> {
        self.open()?.poll_send(cx, output)
    }

    /// Sends `body` and then ends the stream's own half, if the answer was not all. Ready once all of it has left.
    pub(crate) fn poll_last(&mut self, cx: &mut Context<'_>, body: &mut Bytes) -> Poll<io::Result<()>> {
        if let Self::Done = self {
            return Poll::Ready(Ok(()));
        }
        let sending = self.open()?;
        ready!(sending.poll_send(cx, body))?;
        sending.poll_finish(cx)
    }

    /// Whether the connection has not tried yet to send what was given last, and tells when it has.
    pub(crate) fn is_untried(&self) -> bool {
        matches!(self, Self::Open(sending) if sending.finished && sending.stream.is_untried())
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
    fn poll_send(&mut self, cx: &mut Context<'_>, data: &mut impl Buf) -> Poll<io::Result<()>> {
        while data.has_remaining() {
            self.given += ready!(self.stream.poll_send(cx, data))? as u64;
        }
        Poll::Ready(Ok(()))
    }

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
    pub(crate) receiving: Inlet,
    _berth: Arc<Berth>,
}

/// The sending direction of a [`Tunnel`].
pub(crate) struct TunnelWriter {
    pub(crate) sending: Outlet,
    _berth: Arc<Berth>,
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;
    use crate::carrier::{Carrier, h2_config};
    use crate::h2::frame::{Data, Headers, Settings};
    use crate::h2::io::server::handshake_with;
    use crate::h2::{PREFACE, StreamId};
    use crate::ws::{self, Config, Connection, Event, Message, Role};

    /// A message of so many bytes as a client sends it, masked with zeros.
    fn frame(length: u16) -> BytesMut {
        let mut frame = BytesMut::from(&[0x82, 0xfe][..]);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.resize(frame.len() + usize::from(length), 7);
        frame
    }

    /// A server's stream on which these DATA frames have come, all with one read.
    async fn received(config: h2::Config, contents: &[BytesMut]) -> Tunnel {
        let mut block = BytesMut::new();
        for (name, value) in [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/"),
        ] {
            // RFC 7541 §6.2.2: literally.
            block.extend_from_slice(&[0, name.len() as u8]);
            block.extend_from_slice(name.as_bytes());
            block.extend_from_slice(&[value.len() as u8]);
            block.extend_from_slice(value.as_bytes());
        }
        let (stream, padding) = (StreamId::new(1), None);
        let mut bytes = BytesMut::from(&PREFACE[..]);
        Settings::write(&[], &mut bytes);
        Settings::write_ack(&mut bytes);
        let (fragment, dependency) = (&block[..], None);
        Headers { stream, end_stream: false, end_headers: true, dependency, fragment, padding }
            .write(&mut bytes);
        for data in contents {
            Data { stream, end_stream: false, data, padding }.write(&mut bytes);
        }
        let (mut near, far) = duplex(1 << 20);
        near.write_all(&bytes).await.unwrap();
        let mut connection = handshake_with(far, config.enable_connect_protocol(true));
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        tokio::spawn(async move {
            let _near = near;
            while let Some(accepted) = connection.accept().await {
                accepted.unwrap();
            }
        });
        // All of it has been taken in.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let berth = Carrier::new(None, None).berth(1).unwrap();
        Tunnel::requested(request.into_body(), respond, berth)
    }

    async fn chunk(tunnel: &mut Tunnel) -> BytesMut {
        let mut input = BytesMut::new();
        poll_fn(|cx| tunnel.receiving.poll_receive(cx, &mut input, 0)).await.unwrap();
        input
    }

    /// Where DATA frames have come with one read, one lies behind the other, and a frame's head between them.
    #[tokio::test(start_paused = true)]
    async fn content_stays_where_it_was_read() {
        let frames = [frame(5000), frame(5000)];
        let mut tunnel = received(h2_config(), &frames).await;
        let (first, second) = (chunk(&mut tunnel).await, chunk(&mut tunnel).await);
        assert_eq!((&first, &second), (&frames[0], &frames[1]));
        assert_eq!(second.as_ptr() as usize - first.as_ptr() as usize, frames[0].len() + 9);
    }

    /// And so do the messages in them that are lent.
    #[tokio::test(start_paused = true)]
    async fn lent_messages_stay_where_they_were_read() {
        let frames = [frame(5000), frame(5000)];
        let stream = received(h2_config(), &frames).await.into();
        let mut ws: ws::io::WebSocket<crate::Stream> =
            ws::io::WebSocket::new(stream, Role::Server, &Config::default(), BytesMut::new());
        let mut places = Vec::new();
        for _ in 0..2 {
            let message = ws.recv_ref().await.unwrap().unwrap();
            assert_eq!(message.as_bytes(), &[7; 5000]);
            places.push(message.as_bytes().as_ptr() as usize);
        }
        assert_eq!(places[1] - places[0], frames[0].len() + 9);
    }

    /// A message of one's own is the content itself, if it is so large that holding the read buffer with it is
    /// worth it.
    #[tokio::test(start_paused = true)]
    async fn large_messages_are_the_content() {
        for (length, is_content) in [(32 << 10, true), ((32 << 10) - 1, false)] {
            let config = h2_config().max_frame_size(64 << 10).initial_window_size(1 << 20);
            let mut tunnel = received(config, &[frame(length)]).await;
            let mut input = chunk(&mut tunnel).await;
            let payload = input[8..].as_ptr();
            let mut core = Connection::new(Role::Server, &Config::default(), || Ok([0; 4]));
            let event = core.recv(&mut input).unwrap();
            let Some(Event::Message(Message::Binary(message))) = event else { panic!() };
            assert_eq!((message.len(), message.as_ptr() == payload), (length.into(), is_content));
        }
    }

    /// One that comes in several frames is moved but once, as soon as the second has come.
    #[tokio::test(start_paused = true)]
    async fn a_message_in_several_contents_is_moved_once() {
        let message = frame(60_000);
        let contents: Vec<BytesMut> = message.chunks(16 << 10).map(BytesMut::from).collect();
        let mut tunnel = received(h2_config().initial_window_size(1 << 20), &contents).await;
        let (mut input, mut places) = (chunk(&mut tunnel).await, Vec::new());
        assert_eq!(input.len(), 16 << 10);
        while input.len() < message.len() {
            let missing = message.len() - input.len();
            poll_fn(|cx| tunnel.receiving.poll_receive(cx, &mut input, missing)).await.unwrap();
            places.push(input.as_ptr());
        }
        assert_eq!(input, message);
        assert_eq!(places, [places[0]; 3]);
    }

    /// A longer one seldom, however short its frames, and takes memory in proportion to what has come.
    #[test]
    fn what_comes_of_a_long_frame_is_seldom_moved() {
        const CLAIMED: usize = 64 << 20;
        for length in [1, 2100, 16 << 10] {
            let (mut input, mut moves) = (BytesMut::from(&[0; 14][..]), 0);
            while input.len() < 2 << 20 {
                let (content, before) = (vec![input.len() as u8; length], input.clone());
                let room = input.capacity();
                append(&mut input, &content, CLAIMED - before.len());
                assert!(input[..before.len()] == before && input[before.len()..] == content);
                moves += usize::from(input.capacity() != room);
                assert!(input.capacity() <= 10 * input.len(), "{} {}", input.capacity(), input.len());
                if length == 1 && input.len() > 20_000 {
                    break;
                }
            }
            assert!(moves <= 10, "{length}: {moves}");
        }
    }

    /// Short content is copied together, so that it holds no read buffer: here all of it is one chunk.
    #[tokio::test(start_paused = true)]
    async fn short_contents_are_one_chunk() {
        let frames = [frame(200), frame(300), frame(400)];
        let mut tunnel = received(h2_config(), &frames).await;
        let chunk = chunk(&mut tunnel).await;
        assert_eq!(chunk.len(), frames.iter().map(BytesMut::len).sum::<usize>());
    }
}
