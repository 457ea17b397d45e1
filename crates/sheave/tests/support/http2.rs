//! A client of HTTP/2 by hand, that knows nothing of the facade's.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response};
use sheave::h2::Protocol;
use sheave::h2::io::client::{SendRequest, handshake_with};
use sheave::h2::io::{RecvStream, SendStream};
use sheave::ws::handshake::ClientRequest;
use sheave::ws::{Role, io};
use sheave::{Config, Error, h2};
use tokio::io::{AsyncRead, AsyncWrite, Join, join};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::soon;

/// A connection, and the task that drives it.
pub(crate) struct Http2 {
    pub(crate) requests: SendRequest,
    pub(crate) task: JoinHandle<Result<(), h2::Error>>,
}

/// A WebSocket over the two directions of a stream.
pub(crate) type Socket = io::WebSocket<Join<RecvStream, SendStream>>;

impl Http2 {
    pub(crate) async fn dial(address: SocketAddr) -> Self {
        Self::over(soon(TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) fn over(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (requests, connection) = handshake_with(io, h2::Config::default());
        Self { requests, task: tokio::spawn(connection) }
    }

    /// Makes a request whose body is `body`.
    pub(crate) async fn ask(&mut self, request: Request<()>, body: &'static [u8]) -> Response<Bytes> {
        let (response, mut send) = self.requests.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            soon(send.send_data(body)).await.unwrap();
            send.finish().unwrap();
        }
        whole(soon(response).await.unwrap()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response<Bytes> {
        self.ask(Request::get(format!("http://example.org{path}")).body(()).unwrap(), b"").await
    }

    /// Asks for a WebSocket.
    pub(crate) fn ask_for(
        &mut self,
        headers: HeaderMap,
        protocol: Option<&str>,
    ) -> (h2::io::client::ResponseFuture, SendStream) {
        let client: ClientRequest = "ws://example.org/chat".parse().unwrap();
        let mut request = client.connect(&[]).unwrap();
        for (name, value) in &headers {
            request.headers_mut().insert(name, value.clone());
        }
        match protocol {
            Some(protocol) => {
                request.extensions_mut().insert(Protocol::new(protocol));
            }
            None => *request.uri_mut() = "example.org:443".parse().unwrap(),
        }
        self.requests.send_request(request, false).unwrap()
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&mut self) -> Socket {
        self.open_at("/chat").await
    }

    /// Opens a WebSocket on this path.
    pub(crate) async fn open_at(&mut self, path: &str) -> Socket {
        self.try_open(path).await.expect("a WebSocket")
    }

    /// The same; `None` if that fails.
    pub(crate) async fn try_open(&mut self, path: &str) -> Option<Socket> {
        let client: ClientRequest = format!("ws://example.org{path}").parse().unwrap();
        let mut request = client.connect(&[]).unwrap();
        request.extensions_mut().insert(Protocol::websocket());
        let (response, send) = self.requests.send_request(request, false).ok()?;
        let response = soon(response).await.ok()?;
        assert_eq!(response.status(), 200);
        Some(socket(response.into_body(), send))
    }
}

pub(crate) fn socket(receive: RecvStream, send: SendStream) -> Socket {
    io::WebSocket::new(join(receive, send), Role::Client, &Config::default(), BytesMut::new())
}

/// A response with all of its body.
pub(crate) async fn whole(response: Response<RecvStream>) -> Response<Bytes> {
    let (head, mut receive) = response.into_parts();
    let mut body = BytesMut::new();
    while let Some(data) = soon(receive.data()).await {
        body.extend_from_slice(&data.unwrap());
    }
    Response::from_parts(head, body.freeze())
}

/// An ordinary request.
pub(crate) fn request(method: Method, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://example.org{path}")).body(()).unwrap()
}

/// What a stream was reset with.
pub(crate) fn reset_code(error: &Error) -> Option<h2::ErrorCode> {
    match error {
        Error::Http2(h2::Error::Reset(code)) => Some(*code),
        _ => None,
    }
}
