//! What the facade's tests share: a server at work, a client that speaks raw bytes, bounded waits.
#![allow(dead_code)] // each test binary uses a part

pub(crate) mod frames;
pub(crate) mod http2;
pub(crate) mod peer;
pub(crate) mod raw;
pub(crate) mod raw_server;
pub(crate) mod stream;
pub(crate) mod ways;

use std::net::SocketAddr;
use std::time::Duration;

use http::{Response, StatusCode};
use sheave::tls::DevCertificate;
use sheave::{Client, Error, Request, Server, ServerBuilder, Versions, WebSocket};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A hang is a failure; how long anything takes is not. Longer than every time of a server's that a test with
/// a paused clock waits for.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(120), future).await.expect("it hangs")
}

/// A server on a port that the system chose.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<Result<(), Error>>,
}

/// Serves on the IPv4 loopback.
pub(crate) async fn start<H, F>(configure: impl FnOnce(ServerBuilder) -> ServerBuilder, handler: H) -> Running
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let server = configure(Server::bind("127.0.0.1:0")).build().await.unwrap();
    let address = server.local_addr().unwrap();
    let (stop, task) = spawn(server, handler);
    Running { address, stop: Some(stop), task }
}

/// Serves in a task until told to stop.
pub(crate) fn spawn<H, F>(server: Server, handler: H) -> (oneshot::Sender<()>, JoinHandle<Result<(), Error>>)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = server.serve(handler).with_graceful_shutdown(stopped);
    (stop, tokio::spawn(async move { serve.await }))
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// A WebSocket to it.
    pub(crate) async fn connect(&self) -> WebSocket {
        soon(sheave::connect(self.url("/"))).await.unwrap()
    }

    /// A connection that speaks whatever the test does.
    pub(crate) async fn raw(&self) -> raw::Raw<tokio::net::TcpStream> {
        raw::Raw::new(soon(tokio::net::TcpStream::connect(self.address)).await.unwrap())
    }

    /// Begins the graceful shutdown.
    pub(crate) fn shut_down(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Shuts down and waits for the end, which has to be a good one.
    pub(crate) async fn stop(mut self) {
        self.shut_down();
        soon(self.task).await.unwrap().unwrap();
    }
}

/// The client's end of a stream that a detached server serves, and how that ends.
pub(crate) async fn detached<H, F>(
    configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
    handler: H,
) -> (DuplexStream, JoinHandle<Result<(), Error>>)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let server = configure(Server::detached()).build().await.unwrap();
    let (near, far) = duplex(64 << 10);
    (near, tokio::spawn(async move { server.serve_connection(far, handler).await }))
}

/// Sends every message back.
pub(crate) async fn echo(request: Request) -> Result<(), Error> {
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Echoes over WebSockets and tells other requests what they asked for, body included.
pub(crate) async fn mirror(mut request: Request) -> Result<(), Error> {
    if request.is_websocket() {
        return echo(request).await;
    }
    let body = request.body().await?;
    let text = format!("{} {} {}", request.method(), request.uri(), String::from_utf8_lossy(&body));
    request.respond(Response::new(text)).await
}

/// Answers with its path, without a look at the body.
pub(crate) async fn path(request: Request) -> Result<(), Error> {
    let path = request.path().to_owned();
    request.respond(Response::new(path)).await
}

/// An answer without a body.
pub(crate) fn status(status: StatusCode) -> Response<&'static [u8]> {
    let mut response = Response::new(&b""[..]);
    *response.status_mut() = status;
    response
}

/// A server's certificate for the loopback, and a client that trusts it and speaks HTTP/1.1.
pub(crate) fn certificate() -> (sheave::tls::ServerConfig, Client) {
    let certificate = DevCertificate::generate(&["localhost", "127.0.0.1", "::1"]).unwrap();
    let client = certificate.client_config_builder().build().unwrap();
    let client = Client::builder().tls(client).versions(Versions::Http1Only).build();
    (certificate.server_config_builder().build().unwrap(), client)
}
