//! A transport in memory, and the peer at its other end.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use loom::sync::Mutex;

use super::block_on;
use crate::config::{Config, Role};
use crate::io::transport::{Receive, Transmit, Transport};
use crate::io::{Receiver, Sender, WebSocket};
use crate::output::Output;

/// The peer of a server's WebSocket; also that WebSocket's transport, and either half of it.
#[derive(Clone)]
pub(super) struct Peer {
    sent: Arc<Mutex<Sent>>,
    taken: Arc<Mutex<Taken>>,
}

/// What the peer has sent and nobody has received.
#[derive(Default)]
struct Sent {
    bytes: BytesMut,
    ended: bool,
    receiver: Option<Waker>,
}

/// What the peer has taken.
#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    /// How much more it takes.
    room: usize,
    writer: Option<Waker>,
    peer: Option<Waker>,
}

/// A server's halves and their peer, which has sent `received` and takes so many bytes.
pub(super) fn halves(received: &[u8], room: usize) -> (Sender<Peer>, Receiver<Peer>, Peer) {
    let peer = Peer::new(received, room);
    // Without times: loom has no clock.
    let config = Config::default().write_timeout(None).close_timeout(std::time::Duration::MAX);
    let (sender, receiver) = WebSocket::new(peer.clone(), Role::Server, &config, BytesMut::new()).split();
    (sender, receiver, peer)
}

/// A client's frame of this opcode.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    // Masked with zeros.
    [&[0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

/// The opcodes and payloads of frames that are short, whole and not masked.
pub(super) fn parse(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let end = 2 + usize::from(bytes[1]);
        frames.push((bytes[0] & 0x0f, bytes[2..end].to_vec()));
        bytes = &bytes[end..];
    }
    frames
}

impl Peer {
    /// Has sent `bytes`, and takes so many.
    pub(super) fn new(bytes: &[u8], room: usize) -> Self {
        let sent = Sent { bytes: bytes.into(), ..Sent::default() };
        let taken = Taken { room, ..Taken::default() };
        Self { sent: Arc::new(Mutex::new(sent)), taken: Arc::new(Mutex::new(taken)) }
    }

    /// Takes so many bytes more.
    pub(super) fn take(&self, room: usize) {
        let writer = {
            let mut taken = self.taken.lock().unwrap();
            taken.room += room;
            taken.writer.take()
        };
        writer.into_iter().for_each(Waker::wake);
    }

    /// Takes so many bytes more, which is seen by who tries only.
    pub(super) fn take_unnoticed(&self, room: usize) {
        self.taken.lock().unwrap().room += room;
    }

    /// Sends nothing more.
    pub(super) fn end(&self) {
        let receiver = {
            let mut sent = self.sent.lock().unwrap();
            sent.ended = true;
            sent.receiver.take()
        };
        receiver.into_iter().for_each(Waker::wake);
    }

    /// Waits until so many bytes have come, and gives all that have.
    pub(super) fn until(&self, length: usize) -> Vec<u8> {
        block_on(poll_fn(|cx| {
            let mut taken = self.taken.lock().unwrap();
            if taken.bytes.len() >= length {
                return Poll::Ready(taken.bytes.clone());
            }
            taken.peer = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    /// How many bytes have come.
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().unwrap().bytes.len()
    }
}

impl Receive for Peer {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        _: usize,
    ) -> Poll<io::Result<usize>> {
        let mut sent = self.sent.lock().unwrap();
        let length = sent.bytes.len();
        if length == 0 && !sent.ended {
            sent.receiver = Some(cx.waker().clone());
            return Poll::Pending;
        }
        input.extend_from_slice(&sent.bytes.split());
        Poll::Ready(Ok(length))
    }
}

impl Transmit for Peer {
    fn poll_transmit(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<io::Result<()>> {
        let mut taken = self.taken.lock().unwrap();
        let length = taken.room.min(output.len());
        taken.room -= length;
        taken.bytes.extend_from_slice(&output.copy_to_bytes(length));
        let peer = taken.peer.take_if(|_| length > 0);
        let written = if output.is_empty() {
            Poll::Ready(Ok(()))
        } else {
            taken.writer = Some(cx.waker().clone());
            Poll::Pending
        };
        drop(taken);
        peer.into_iter().for_each(Waker::wake);
        written
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Peer {
    type Reader = Self;
    type Writer = Self;

    fn split(self) -> (Self, Self) {
        (self.clone(), self)
    }
}
