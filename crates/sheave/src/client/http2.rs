//! Opening a WebSocket as a stream of HTTP/2 (RFC 8441 §5).

use std::pin::pin;

use bytes::BytesMut;
use http::Response;
use tokio::time::sleep;

use super::builder::ClientBuilder;
use crate::carrier::Berth;
use crate::error::Error;
use crate::h2::io::RecvStream;
use crate::h2::io::client::{Connection, SendRequest, handshake_with};
use crate::h2::{self, Protocol, Settings};
use crate::line::Line;
use crate::stream::Stream;
use crate::tunnel::Tunnel;
use crate::websocket::WebSocket;
use crate::ws::handshake::{ClientRequest, HandshakeError, Rejection};
use crate::ws::{self, Role, Timeout, io};

/// Begins with HTTP/2 and waits for what the server allows.
pub(super) async fn begin(
    line: Line,
    config: &h2::Config,
) -> Result<(SendRequest, Connection<Line>, Settings), Error> {
    let (requests, mut connection) = handshake_with(line, config.clone());
    let settings = tokio::select! {
        biased;
        settings = requests.settings() => settings,
        ended = &mut connection => Err(ended.err().unwrap_or(h2::Error::Closed)),
    };
    match settings {
        Ok(settings) => Ok((requests, connection, settings)),
        Err(error) => {
            end(connection);
            Err(error.into())
        }
    }
}

/// Has a connection that is of no use end in order, which takes little time.
pub(super) fn end(connection: Connection<Line>) {
    tokio::spawn(connection);
}

/// Makes the request on this connection. Dropped, it takes the request back.
pub(super) async fn open(
    settings: &ClientBuilder,
    request: &ClientRequest,
    mut requests: SendRequest,
    berth: Berth,
) -> Result<WebSocket, Error> {
    let config = settings.shared_config();
    let extensions = config.extensions(request.is_secure());
    // There is neither a key nor an answer to it: RFC 8441 §5.
    let mut head = request.connect(&extensions)?;
    head.extensions_mut().insert(Protocol::websocket());
    let (response, stream) = requests.send_request(head, false).map_err(|error| match error {
        h2::Error::Usage(_) => error,
        // The connection has ended meanwhile.
        _ => h2::Error::Unprocessed,
    })?;
    let mut time = pin!(sleep(settings.handshake_timeout));
    let response = tokio::select! {
        biased;
        response = response => response?,
        () = &mut time => return Err(ws::Error::Timeout(Timeout::Handshake).into()),
    };
    let (head, mut receiving) = response.into_parts();
    let response = Response::from_parts(head, ());
    let limit = settings.limits.headers;
    if response.headers().len() > limit {
        return Err(HandshakeError::TooManyHeaders { limit }.into());
    }
    if response.status().is_success() {
        let agreed = request.confirm(&extensions, response.headers())?;
        let stream = Stream::from(Tunnel::granted(receiving, stream, berth));
        let ws = io::WebSocket::new(stream, Role::Client, &config, BytesMut::new());
        return Ok(WebSocket::new(ws.agreed(agreed, &config).response(response), None));
    }
    let mut body = BytesMut::new();
    let is_whole = tokio::select! {
        biased;
        is_whole = collect(&mut receiving, &mut body) => is_whole,
        // A server that has refused but does not end its body has refused nevertheless.
        () = &mut time => false,
    };
    Err(ws::Error::Rejected(Rejection::new(response.map(|()| body.freeze()), !is_whole)).into())
}

/// Reads a body, as much as is kept of it. Whether that is all.
async fn collect(receiving: &mut RecvStream, body: &mut BytesMut) -> bool {
    while let Some(data) = receiving.data().await {
        // The status says more than why the body broke off.
        let Ok(data) = data else { return false };
        let room = Rejection::MAX_BODY - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return false;
        }
    }
    true
}
