//! What a request came by, and its answer goes by.

use std::future::poll_fn;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use tokio::time::timeout;

use super::place::Place;
use crate::carrier::without_keepalive;
use crate::error::Error;
use crate::stream::Stream;
use crate::ws::handshake::{Agreed, BodyLength, BodyPiece, BodyReader};
use crate::ws::io::{Http1, WebSocket};
use crate::ws::{self, Config, Role, Timeout};

/// A connection of HTTP/1.1 with a request on it, or a stream of HTTP/2.
#[derive(Debug)]
pub(crate) enum Wire {
    Http1(Box<Http1<Stream>>, BodyReader),
    /// Always a tunnel.
    Http2(Stream),
}

impl Wire {
    pub(super) fn http1(http: Box<Http1<Stream>>, body: BodyLength) -> Self {
        Self::Http1(http, BodyReader::new(body))
    }

    pub(super) fn stream(&self) -> &Stream {
        match self {
            Self::Http1(http, _) => http.get_ref(),
            Self::Http2(stream) => stream,
        }
    }

    /// Has the client send the body that it holds back (RFC 9110 §15.2.1).
    pub(super) async fn proceed(&mut self) -> Result<(), Error> {
        let mut proceed = Response::new(());
        *proceed.status_mut() = StatusCode::CONTINUE;
        match self {
            Self::Http1(http, _) => {
                http.feed(&proceed, Bytes::new());
                http.flush().await?;
            }
            Self::Http2(stream) => stream.tunnel()?.inform(proceed)?,
        }
        Ok(())
    }

    /// The next piece of the body, added to `received`; false at its end.
    pub(super) async fn body(&mut self, received: &mut BytesMut) -> Result<bool, Error> {
        match self {
            Self::Http1(http, reader) => match http.body(reader).await? {
                BodyPiece::End => return Ok(false),
                BodyPiece::Data(data) => received.extend_from_slice(&data),
            },
            Self::Http2(stream) => match stream.tunnel()?.receiving.stream.data().await {
                None => return Ok(false),
                Some(data) => received.extend_from_slice(&data?),
            },
        }
        Ok(true)
    }

    /// Takes all of a response over; [`flush`](Self::flush) sends it.
    pub(super) fn feed(&mut self, head: Response<()>, body: &mut Bytes) -> Result<(), Error> {
        match self {
            Self::Http1(http, _) => http.feed(&head, std::mem::take(body)),
            Self::Http2(stream) => stream.tunnel()?.respond(head, body.is_empty())?,
        }
        Ok(())
    }

    /// Sends what was fed, and of HTTP/2 the body, for as long as the client takes it.
    pub(super) async fn flush(&mut self, body: &mut Bytes, patience: Duration) -> Result<(), Error> {
        match self {
            Self::Http1(http, _) => http.flush().await?,
            Self::Http2(_) if body.is_empty() => {}
            Self::Http2(stream) => {
                let tunnel = stream.tunnel()?;
                loop {
                    let departed = tunnel.departed();
                    let sent = poll_fn(|cx| tunnel.outlet().poll_last(cx, body));
                    match timeout(patience, sent).await {
                        Ok(sent) => break sent.map_err(ws::Error::from)?,
                        Err(_) if tunnel.departed() > departed => {}
                        Err(_) => return Err(ws::Error::Timeout(Timeout::Write).into()),
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes over the answer that agrees to a WebSocket.
    pub(super) fn open(&mut self, response: Response<()>) -> Result<(), Error> {
        match self {
            Self::Http1(http, _) => http.feed(&response, Bytes::new()),
            Self::Http2(stream) => stream.tunnel()?.respond(response, false)?,
        }
        Ok(())
    }

    /// Makes it a WebSocket, which a shutdown closes, once the answer that agreed to that was sent.
    pub(super) fn into_websocket(self, agreed: Agreed, config: &Config, place: &Place) -> WebSocket<Stream> {
        match self {
            Self::Http1(http, _) => {
                let mut ws = http.into_websocket(agreed, config);
                place.track(ws.close_handle());
                ws
            }
            Self::Http2(stream) => {
                let config = &without_keepalive(config, &place.settings.config);
                let ws = WebSocket::new(stream, Role::Server, config, BytesMut::new());
                let mut ws = ws.agreed(agreed, config);
                let handle = ws.close_handle();
                ws.get_ref().track(handle);
                ws
            }
        }
    }
}
