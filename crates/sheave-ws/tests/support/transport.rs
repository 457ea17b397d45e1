//! A transport that does what a test tells it to.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use sheave_ws::Role;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::{Frame, Got, frame, parse, parse_some};

/// The end that a WebSocket uses.
#[derive(Debug)]
pub struct Script(Arc<Mutex<State>>);

/// The other end, for the test.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sent: VecDeque<u8>,
    /// Comes in the place of the end.
    read_error: Option<io::ErrorKind>,
    ended: bool,
    reader: Option<Waker>,
    /// Written and, if that matters, flushed.
    received: Vec<u8>,
    /// Written and not yet flushed.
    unflushed: Vec<u8>,
    /// Whether only a flush really sends.
    buffers: bool,
    /// How many bytes are taken at most in one write, and in all.
    step: Option<usize>,
    window: Option<usize>,
    writer: Option<Waker>,
    write_error: Option<io::ErrorKind>,
    writes_zero: bool,
    is_shut_down: bool,
    /// How often each operation is Pending (and wakes at once) before it is done.
    hiccups: u32,
    hiccups_left: [u32; 4],
    writes: usize,
    reads: usize,
}

impl Script {
    pub fn new() -> (Self, Peer) {
        let state = Arc::new(Mutex::new(State::default()));
        (Self(Arc::clone(&state)), Peer(state))
    }
}

impl Peer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Sends bytes to the WebSocket.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let waker = {
            let mut state = self.state();
            state.sent.extend(bytes.as_ref());
            state.reader.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    pub fn send_frame(&self, frame: &Frame) {
        self.send(frame.bytes());
    }

    /// Ends the sending direction once all is read.
    pub fn end(&self) {
        self.state().ended = true;
        self.send([]);
    }

    /// Answers with a Close and ends, after some time.
    pub fn end_later(&self, role: Role, time: Duration) {
        let peer = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            peer.send(frame().close(1001, "").to(role).bytes());
            peer.end();
        });
    }

    /// Fails reading once all is read.
    pub fn fail_reads(&self, kind: io::ErrorKind) {
        self.state().read_error = Some(kind);
        self.send([]);
    }

    /// Fails writing from now on.
    pub fn fail_writes(&self, kind: io::ErrorKind) {
        self.state().write_error = Some(kind);
        self.wake_writer();
    }

    pub fn write_zero(&self) {
        self.state().writes_zero = true;
    }

    /// Takes so many more bytes.
    pub fn take(&self, bytes: usize) {
        self.state().window = Some(bytes);
        self.wake_writer();
    }

    /// Takes all that comes.
    pub fn take_all(&self) {
        self.state().window = None;
        self.wake_writer();
    }

    /// Takes so many bytes at most in one write.
    pub fn step(&self, bytes: usize) {
        self.state().step = Some(bytes);
    }

    /// Has every operation be Pending so often before it is done.
    pub fn hiccups(&self, count: u32) {
        let mut state = self.state();
        state.hiccups = count;
        state.hiccups_left = [count; 4];
    }

    /// Sends only what is flushed, as TLS may.
    pub fn buffer(&self) {
        self.state().buffers = true;
    }

    fn wake_writer(&self) {
        let waker = self.state().writer.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// All bytes that have arrived.
    pub fn received(&self) -> Vec<u8> {
        self.state().received.clone()
    }

    /// All frames that have arrived, which are whole.
    pub fn frames(&self) -> Vec<Got> {
        parse(&self.state().received)
    }

    /// All frames that have arrived whole, and how much of a further one.
    pub fn some_frames(&self) -> (Vec<Got>, usize) {
        parse_some(&self.state().received)
    }

    pub fn is_shut_down(&self) -> bool {
        self.state().is_shut_down
    }

    pub fn writes(&self) -> usize {
        self.state().writes
    }

    pub fn reads(&self) -> usize {
        self.state().reads
    }

    /// How much was not read yet.
    pub fn unread(&self) -> usize {
        self.state().sent.len()
    }
}

impl State {
    fn hiccup(&mut self, operation: usize, cx: &Context<'_>) -> Poll<()> {
        let left = &mut self.hiccups_left[operation];
        if *left > 0 {
            *left -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        *left = self.hiccups;
        Poll::Ready(())
    }

    /// How much of `length` can be taken.
    fn poll_take(&mut self, cx: &Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        if self.writes_zero {
            return Poll::Ready(Ok(0));
        }
        let length = length.min(self.step.unwrap_or(length)).min(self.window.unwrap_or(length));
        if length == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ready!(self.hiccup(1, cx));
        if let Some(window) = &mut self.window {
            *window -= length;
        }
        self.writes += 1;
        Poll::Ready(Ok(length))
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.buffers { &mut self.unflushed } else { &mut self.received }.extend_from_slice(bytes);
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if state.sent.is_empty() && !state.ended {
            if let Some(kind) = state.read_error {
                return Poll::Ready(Err(kind.into()));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ready!(state.hiccup(0, cx));
        state.reads += 1;
        let most = state.step.unwrap_or(usize::MAX);
        let length = buffer.remaining().min(state.sent.len()).min(most);
        let bytes: Vec<u8> = state.sent.drain(..length).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        let length = ready!(state.poll_take(cx, bytes.len()))?;
        state.put(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut state = self.0.lock().unwrap();
        let length = ready!(state.poll_take(cx, bytes.len()))?;
        state.put(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if let Some(kind) = state.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        if !state.unflushed.is_empty() {
            if state.window == Some(0) {
                state.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            ready!(state.hiccup(2, cx));
            let unflushed = std::mem::take(&mut state.unflushed);
            state.received.extend_from_slice(&unflushed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        ready!(state.hiccup(3, cx));
        state.is_shut_down = true;
        Poll::Ready(Ok(()))
    }
}
