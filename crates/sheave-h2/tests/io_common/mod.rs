//! Connections over streams in memory.
#![allow(dead_code, reason = "each test uses a part")]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use sheave_h2::io::client::{self, SendRequest};
use sheave_h2::io::server::{self, SendResponse};
use sheave_h2::io::{RecvStream, SendStream};
use sheave_h2::{Config, Error, Protocol};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take that does not come by itself.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it takes too long")
}

/// A stream that counts the calls that moved something.
pub(crate) struct Counted {
    io: DuplexStream,
    pub(crate) reads: Arc<AtomicUsize>,
    pub(crate) writes: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn new(io: DuplexStream) -> Self {
        Self { io, reads: Arc::default(), writes: Arc::default() }
    }
}

pub(crate) fn taken(count: &AtomicUsize) -> usize {
    count.swap(0, Ordering::Relaxed)
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        self.reads.fetch_add(usize::from(read.is_ready()), Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.writes.fetch_add(usize::from(written.is_ready()), Ordering::Relaxed);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.writes.fetch_add(usize::from(written.is_ready()), Ordering::Relaxed);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Serves each request with a task of its own, until the connection ends.
pub(crate) fn serve<T, F>(
    io: T,
    config: Config,
    answer: impl Fn(Request<RecvStream>, SendResponse) -> F + Send + 'static,
) -> JoinHandle<Result<(), Error>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let mut connection = server::handshake_with(io, config);
        while let Some(accepted) = connection.accept().await {
            let (request, respond) = accepted?;
            tokio::spawn(answer(request, respond));
        }
        Ok(())
    })
}

pub(crate) async fn echo(request: Request<RecvStream>, respond: SendResponse) {
    let mut send = respond.send_response(Response::new(()), false).unwrap();
    let mut body = request.into_body();
    while let Some(Ok(data)) = body.data().await {
        if send.send_data(data).await.is_err() {
            return;
        }
    }
    if let Ok(trailers) = body.trailers().await {
        let _ = match trailers {
            Some(trailers) => send.send_trailers(trailers),
            None => send.finish(),
        };
    }
}

pub(crate) fn get() -> Request<()> {
    Request::get("https://example.org/").body(()).unwrap()
}

pub(crate) fn post() -> Request<()> {
    Request::post("https://example.org/").body(()).unwrap()
}

/// An extended CONNECT (RFC 8441).
pub(crate) fn connect() -> Request<()> {
    Request::connect("https://example.org/").extension(Protocol::websocket()).body(()).unwrap()
}

/// A client of a server that echoes.
pub(crate) struct Echo {
    pub(crate) requests: SendRequest,
    driving: JoinHandle<Result<(), Error>>,
    serving: JoinHandle<Result<(), Error>>,
}

impl Echo {
    pub(crate) fn start(config: Config) -> Self {
        let (near, far) = duplex(64 << 10);
        Self::on(near, far, config)
    }

    pub(crate) fn on<A, B>(near: A, far: B, config: Config) -> Self
    where
        A: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let serving = serve(far, config.clone().enable_connect_protocol(true), echo);
        let (requests, connection) = client::handshake_with(near, config);
        Self { requests, driving: tokio::spawn(connection), serving }
    }

    /// Opens a tunnel.
    pub(crate) async fn tunnel(&mut self) -> (SendStream, RecvStream) {
        bounded(self.requests.ready()).await.unwrap();
        let (response, send) = self.requests.send_request(connect(), false).unwrap();
        (send, bounded(response).await.unwrap().into_body())
    }

    /// Both sides end by themselves.
    pub(crate) async fn end(self) {
        drop(self.requests);
        bounded(self.driving).await.unwrap().unwrap();
        bounded(self.serving).await.unwrap().unwrap();
    }
}

/// All content that comes.
pub(crate) async fn all(body: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(data) = bounded(body.data()).await {
        all.extend_from_slice(&data.unwrap());
    }
    all
}

/// Bytes that are not the same everywhere.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}
