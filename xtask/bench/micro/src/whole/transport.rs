//! A transport in memory, whose other end answers at once.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The other end of a connection.
pub(super) trait Peer: Send + 'static {
    /// Begins so many passes, when the last ones are over.
    fn begin(&mut self, passes: u64);

    /// Whether they are over.
    fn is_over(&self) -> bool;

    /// Takes what was written.
    fn take(&mut self, written: &[u8]);

    /// Gives what there is to read; nothing for as long as it waits for more.
    fn give(&mut self, buffer: &mut ReadBuf<'_>);

    /// Whether there is something to read.
    fn has_more(&self) -> bool;
}

/// Our end.
pub(super) struct Transport<P>(Arc<Mutex<Shared<P>>>);

/// What drives the other end.
pub(super) struct Remote<P>(Arc<Mutex<Shared<P>>>);

struct Shared<P> {
    peer: P,
    reader: Option<Waker>,
    driver: Option<Waker>,
}

impl<P: Peer> Transport<P> {
    pub(super) fn new(peer: P) -> (Self, Remote<P>) {
        let shared = Arc::new(Mutex::new(Shared { peer, reader: None, driver: None }));
        (Self(shared.clone()), Remote(shared))
    }
}

impl<P: Peer> Remote<P> {
    fn begin(&self, passes: u64) {
        let mut shared = lock(&self.0);
        shared.peer.begin(passes);
        shared.wake();
    }

    /// Does so many passes.
    pub(super) async fn passes(&self, passes: u64) {
        self.begin(passes);
        let over = |cx: &mut Context<'_>| {
            let mut shared = lock(&self.0);
            if shared.peer.is_over() {
                return Poll::Ready(());
            }
            shared.driver = Some(cx.waker().clone());
            Poll::Pending
        };
        poll_fn(over).await;
    }
}

impl<P: Peer> Shared<P> {
    fn take(&mut self, written: &[u8]) -> usize {
        self.peer.take(written);
        written.len()
    }

    /// Wakes whoever has something to do now.
    fn wake(&mut self) {
        if self.reader.is_some() && self.peer.has_more() {
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        if self.driver.is_some() && self.peer.is_over() {
            self.driver.take().into_iter().for_each(Waker::wake);
        }
    }
}

fn lock<P>(shared: &Mutex<Shared<P>>) -> MutexGuard<'_, Shared<P>> {
    shared.lock().expect("nothing has panicked")
}

impl<P: Peer> AsyncRead for Transport<P> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut shared = lock(&self.0);
        let before = buffer.filled().len();
        shared.peer.give(buffer);
        shared.wake();
        if buffer.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        shared.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<P: Peer> AsyncWrite for Transport<P> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, written: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = lock(&self.0);
        let length = shared.take(written);
        shared.wake();
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut shared = lock(&self.0);
        let length = slices.iter().map(|slice| shared.take(slice)).sum();
        shared.wake();
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
