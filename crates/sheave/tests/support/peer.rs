//! Servers by hand, that know nothing of the facade's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use http::{Request, Response};
use sheave::h2::io::server::{SendResponse, handshake_with};
use sheave::h2::io::{RecvStream, SendStream};
use sheave::tls::{DevCertificate, ServerStream, alpn_protocol};
use sheave::ws::{Role, io};
use sheave::{Client, ClientBuilder, Config, Versions, h2};
use tokio::io::{AsyncRead, AsyncWrite, Join, join};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// What listens on a port that the system chose, and ends with this.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Each connection, with its number from 1 on, is served in a task of its own.
    pub(crate) async fn start<F>(serve: impl Fn(TcpStream, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                connections.spawn(serve(tcp, number));
            }
        });
        Self { address, accepted, task }
    }

    /// The test speaks on the connections itself.
    pub(crate) async fn by_hand() -> (Self, mpsc::UnboundedReceiver<TcpStream>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let serve = move |tcp, _| {
            sender.send(tcp).unwrap();
            async {}
        };
        (Self::start(serve).await, receiver)
    }

    /// Each connection is HTTP/2 without TLS, and each request is answered like this.
    pub(crate) async fn h2c<F>(config: h2::Config, answer: impl Answer<F>) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start(move |tcp, _| http2(tcp, config.clone(), answer.clone())).await
    }

    /// How many connections were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn ws(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub(crate) fn wss(&self, path: &str) -> String {
        format!("wss://{}{path}", self.address)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What answers requests.
pub(crate) trait Answer<F>:
    Fn(Request<RecvStream>, SendResponse) -> F + Clone + Send + 'static
{
}

impl<F, T: Fn(Request<RecvStream>, SendResponse) -> F + Clone + Send + 'static> Answer<F> for T {}

/// Serves a connection to its end.
pub(crate) async fn http2<S, F>(io: S, config: h2::Config, answer: impl Answer<F>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connection = handshake_with(io, config);
    let mut answers = JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let Ok((request, respond)) = accepted else { break };
        answers.spawn(answer(request, respond));
    }
}

/// The settings of a server that takes WebSockets.
pub(crate) fn taking() -> h2::Config {
    h2::Config::default().enable_connect_protocol(true)
}

/// Opens the WebSocket and sends every message back.
pub(crate) async fn echo(request: Request<RecvStream>, respond: SendResponse) {
    let Ok(stream) = respond.send_response(Response::new(()), false) else { return };
    let mut ws = socket(request.into_body(), stream);
    while let Ok(Some(message)) = ws.recv().await {
        if ws.send(message).await.is_err() {
            return;
        }
    }
}

/// A server's WebSocket over the two directions of a stream.
pub(crate) fn socket(receive: RecvStream, send: SendStream) -> io::WebSocket<Join<RecvStream, SendStream>> {
    io::WebSocket::new(join(receive, send), Role::Server, &Config::default(), BytesMut::new())
}

/// Opens a WebSocket by HTTP/1.1 and sends every message back.
pub(crate) async fn echo_http1(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let Ok(mut ws) = io::accept(io).await else { return };
    while let Ok(Some(message)) = ws.recv().await {
        if ws.send(message).await.is_err() {
            return;
        }
    }
}

/// TLS for servers and their clients.
#[derive(Clone)]
pub(crate) struct Tls {
    certificate: Arc<DevCertificate>,
}

impl Tls {
    pub(crate) fn new() -> Self {
        Self { certificate: Arc::new(DevCertificate::generate(&["localhost", "127.0.0.1"]).unwrap()) }
    }

    /// A server's side; `None` if there is no agreement.
    pub(crate) async fn accept(&self, tcp: TcpStream, alpn: &[&[u8]]) -> Option<ServerStream<TcpStream>> {
        let config = self.certificate.server_config_builder().build().unwrap();
        config.with_alpn(alpn).accept(tcp).await.ok()
    }

    pub(crate) fn server(&self) -> sheave::tls::ServerConfig {
        self.certificate.server_config_builder().build().unwrap()
    }

    pub(crate) fn client(&self) -> ClientBuilder {
        Client::builder().tls(self.certificate.client_config_builder().build().unwrap())
    }

    /// Serves what the client wants of these, echoing.
    pub(crate) async fn serve(&self, tcp: TcpStream, alpn: &[&[u8]], config: h2::Config) {
        let Some(io) = self.accept(tcp, alpn).await else { return };
        if alpn_protocol(&io) == Some(b"h2") {
            http2(io, config, echo).await;
        } else {
            echo_http1(io).await;
        }
    }
}

/// A client that speaks HTTP/2 alone.
pub(crate) fn h2_only() -> ClientBuilder {
    Client::builder().versions(Versions::Http2Only)
}
