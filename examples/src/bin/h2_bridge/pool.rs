//! The connections by HTTP/2 that the WebSockets of all clients share.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use examples::Error;
use http::{Request, Response};
use sheave::h2::io::client::{SendRequest, handshake_with};
use sheave::h2::io::{RecvStream, SendStream};
use sheave::h2::{self, Config};
use sheave::tls::alpn_protocol;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::target::{Connected, Target};
use crate::within;

/// How often a request is made that a server has not looked at.
const ATTEMPTS: usize = 3;

pub(crate) struct Pool {
    target: Target,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    /// Those that take requests, as far as is known.
    open: Vec<Connection>,
    /// What drives them, and those that come to their end.
    driving: JoinSet<()>,
}

struct Connection {
    requests: SendRequest,
    place: Arc<()>,
}

/// A stream's place among those that may be open on its connection at once.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is counted")] Arc<()>);

/// What came of a request.
pub(crate) type Opened = (Response<RecvStream>, SendStream, Place);

impl Pool {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, connections: Mutex::default() }
    }

    /// The scheme that requests have.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.target.is_secure() { "https" } else { "http" }
    }

    /// Makes a request whose content goes on.
    pub(crate) async fn open(&self, request: Request<()>) -> Result<Opened, Error> {
        let mut attempt = 1;
        loop {
            let (mut requests, place) = self.place().await?;
            let opened = match requests.send_request(request.clone(), false) {
                Ok((response, send)) => response.await.map(|response| (response, send)),
                Err(error) => Err(error),
            };
            match opened {
                Ok((response, send)) => return Ok((response, send, place)),
                // The connection ends, or has no place for it after all.
                Err(h2::Error::Unprocessed | h2::Error::Closed) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A place for one more stream: on a connection that there is, or on another.
    async fn place(&self) -> Result<(SendRequest, Place), Error> {
        // Who comes meanwhile waits, and finds the connection.
        let connections = &mut *self.connections.lock().await;
        while connections.driving.try_join_next().is_some() {}
        connections.open.retain_mut(Connection::takes_requests);
        for connection in &connections.open {
            let settings = connection.requests.settings().await;
            if settings.is_ok_and(|settings| connection.open() < settings.max_concurrent_streams as usize) {
                return Ok(connection.share());
            }
        }
        let requests = within(self.dial(&mut connections.driving)).await?;
        let connection = Connection { requests, place: Arc::default() };
        let shared = connection.share();
        connections.open.push(connection);
        Ok(shared)
    }

    async fn dial(&self, driving: &mut JoinSet<()>) -> Result<SendRequest, Error> {
        let requests = match self.target.connect().await? {
            Connected::Plain(tcp) => drive(tcp, driving),
            // RFC 9113 §3.2: it is TLS that tells.
            Connected::Tls(stream) if alpn_protocol(&*stream) == Some(b"h2") => drive(stream, driving),
            Connected::Tls(_) => return Err("the server does not speak HTTP/2".into()),
        };
        // RFC 8441 §3
        match requests.settings().await?.enable_connect_protocol {
            true => Ok(requests),
            false => Err("the server takes no WebSockets by HTTP/2".into()),
        }
    }

    /// Ends the connections, once their streams have ended.
    pub(crate) async fn end(&self) {
        let connections = &mut *self.connections.lock().await;
        connections.open.clear();
        while connections.driving.join_next().await.is_some() {}
    }
}

/// A connection, driven until all its streams have ended and nobody makes requests any more.
fn drive(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, driving: &mut JoinSet<()>) -> SendRequest {
    let (requests, connection) = handshake_with(io, Config::default());
    driving.spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("the connection to the server: {error}");
        }
    });
    requests
}

impl Connection {
    fn takes_requests(&mut self) -> bool {
        let ready = self.requests.poll_ready(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(())))
    }

    /// How many streams there are of us.
    fn open(&self) -> usize {
        Arc::strong_count(&self.place) - 1
    }

    fn share(&self) -> (SendRequest, Place) {
        (self.requests.clone(), Place(Arc::clone(&self.place)))
    }
}
