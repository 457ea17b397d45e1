//! The bytes of a WebSocket, from a socket to a stream and back.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use examples::Error;
use sheave::h2::io::{RecvStream, SendStream};
use sheave::h2::{self, ErrorCode};
use sheave::tls::ClientStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// What carries a WebSocket over HTTP/1.1.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for ClientStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Has the socket be reset when it is dropped.
pub(crate) fn abort(socket: &impl Socket) {
    // One that is not connected any more is none of our concern.
    let _ = socket.tcp().set_zero_linger();
}

/// Once one direction has ended: how long the other may take for the next of its bytes.
const HALF_CLOSED: Duration = Duration::from_secs(10);
/// How long what came before a reset has to get ahead of it.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How much is read at once, in bytes.
const PIECE: usize = 16 << 10;

/// A socket and a stream that are tied together.
pub(crate) struct Pump<S> {
    socket: S,
    receive: RecvStream,
    send: SendStream,
    /// Read from the socket and not sent yet.
    to_stream: BytesMut,
    /// Received on the stream and not written yet.
    to_socket: BytesMut,
    needs_flush: bool,
    /// From the socket to the stream.
    up: Way,
    /// From the stream to the socket.
    down: Way,
    /// Runs once one of them is not open any more.
    timer: Option<Pin<Box<Sleep>>>,
}

/// How far one direction has come.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Open,
    /// Nobody takes what comes: it is passed over until it ends.
    Void,
    /// All was passed on; the end is on its way.
    Ending,
    Done,
}

/// Why it does not end in both directions.
#[derive(PartialEq)]
enum Broken {
    /// The socket was reset, or failed in another way.
    Socket,
    /// The same of the stream.
    Stream,
    /// It took too long.
    Stalled,
}

impl<S: Socket> Pump<S> {
    /// `received` has come on the socket behind the handshake.
    pub(crate) fn new(socket: S, receive: RecvStream, send: SendStream, received: BytesMut) -> Self {
        Self {
            socket,
            receive,
            send,
            to_stream: received,
            to_socket: BytesMut::new(),
            needs_flush: false,
            up: Way::Open,
            down: Way::Open,
            timer: None,
        }
    }

    /// Until both have ended, or one was cut off and with it the other.
    ///
    /// # Errors
    /// If one has ended, and the other has neither ended nor gone on in time.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let Err(broken) = poll_fn(|cx| self.poll(cx)).await else { return Ok(()) };
        if broken == Broken::Socket {
            // A reset discards what is queued.
            let left = async {
                while self.send.queued() > 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let _ = timeout(LAST_WORDS, left).await;
        }
        self.send.reset(ErrorCode::CANCEL);
        abort(&self.socket);
        match broken {
            Broken::Socket | Broken::Stream => Ok(()),
            Broken::Stalled => Err("half of it has not ended in time".into()),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let moved = self.poll_up(cx)? | self.poll_down(cx)?;
        if self.up == Way::Done && self.down == Way::Done {
            return Poll::Ready(Ok(()));
        }
        if self.up == Way::Open && self.down == Way::Open {
            return Poll::Pending;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(HALF_CLOSED)));
        if moved {
            timer.as_mut().reset(Instant::now() + HALF_CLOSED);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(Broken::Stalled))
    }

    /// Goes on until there is nothing to do at once. True if something has moved.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        let mut moved = false;
        loop {
            match self.up {
                Way::Open if self.to_stream.is_empty() => {
                    // Also while there is nothing to send.
                    if pin!(self.send.failed()).poll(cx).is_ready() {
                        self.up = Way::Void;
                        continue;
                    }
                    match self.send.poll_ready(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => continue,
                        Poll::Pending => return Ok(moved),
                    }
                    let Poll::Ready(read) = self.poll_read(cx) else { return Ok(moved) };
                    if read.map_err(|_| Broken::Socket)? == 0 {
                        // If it has failed meanwhile, who receives is told why.
                        let _ = self.send.finish();
                        self.up = Way::Done;
                    }
                }
                Way::Open => match self.send.poll_send(cx, &mut self.to_stream) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(_)) => self.up = Way::Void,
                    Poll::Pending => return Ok(moved),
                },
                Way::Void => {
                    self.to_stream.clear();
                    match self.poll_read(cx) {
                        Poll::Ready(Ok(1..)) => {}
                        Poll::Ready(_) => self.up = Way::Done,
                        Poll::Pending => return Ok(moved),
                    }
                }
                Way::Ending | Way::Done => return Ok(moved),
            }
            moved = true;
        }
    }

    /// The same for the other direction.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        let mut moved = false;
        loop {
            match self.down {
                Way::Open if !self.to_socket.is_empty() => {
                    match Pin::new(&mut self.socket).poll_write(cx, &self.to_socket) {
                        Poll::Ready(Ok(written @ 1..)) => {
                            self.to_socket.advance(written);
                            self.needs_flush = true;
                        }
                        // What the socket's peer has still to say may be there nevertheless.
                        Poll::Ready(_) => self.down = Way::Void,
                        Poll::Pending => return Ok(moved),
                    }
                }
                Way::Open | Way::Void => {
                    self.to_socket.clear();
                    match self.receive.poll_data(cx) {
                        Poll::Ready(Some(Ok(data))) => self.to_socket = data,
                        Poll::Ready(Some(Err(error))) if !self.is_end(&error) => return Err(Broken::Stream),
                        Poll::Ready(_) if self.down == Way::Void => self.down = Way::Done,
                        Poll::Ready(_) => self.down = Way::Ending,
                        Poll::Pending if self.poll_flush(cx) => self.down = Way::Void,
                        Poll::Pending => return Ok(moved),
                    }
                }
                Way::Ending => match Pin::new(&mut self.socket).poll_shutdown(cx) {
                    Poll::Ready(_) => self.down = Way::Done,
                    Poll::Pending => return Ok(moved),
                },
                Way::Done => return Ok(moved),
            }
            moved = true;
        }
    }

    /// Whether a stream has failed by something that only says that nothing more comes: its peer has got all there is.
    fn is_end(&self, error: &h2::Error) -> bool {
        self.up == Way::Done && matches!(error, h2::Error::Reset(ErrorCode::NO_ERROR | ErrorCode::CANCEL))
    }

    /// What was written leaves. True if that has failed.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.needs_flush || self.down != Way::Open {
            return false;
        }
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.needs_flush = flushed.is_pending();
        matches!(flushed, Poll::Ready(Err(_)))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.to_stream.reserve(PIECE);
        match ready!(pin!(self.socket.read_buf(&mut self.to_stream)).poll(cx)) {
            // Many end TLS without a word.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            read => Poll::Ready(read),
        }
    }
}
