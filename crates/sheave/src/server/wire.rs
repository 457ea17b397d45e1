//! What a request came by, and its answer goes by.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use tokio::time::{Sleep, sleep};

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

/// With a client that may take nothing of what it is sent: since when, and how much had departed then.
#[derive(Debug, Default)]
pub(super) struct Patience(Option<(Pin<Box<Sleep>>, u64)>);

impl Patience {
    /// What is sent has to wait. Ready once nothing has departed for so long.
    fn poll(&mut self, cx: &mut Context<'_>, time: Duration, departed: impl Fn() -> u64) -> Poll<()> {
        let (timer, before) = self.0.get_or_insert_with(|| (Box::pin(sleep(time)), departed()));
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = departed();
            if now == *before {
                return Poll::Ready(());
            }
            (*timer, *before) = (Box::pin(sleep(time)), now);
        }
    }
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
            Self::Http2(stream) => stream.tunnel()?.answer(head, body)?,
        }
        Ok(())
    }

    /// Sends what was fed, and of HTTP/2 the body, for as long as the client takes it.
    pub(super) async fn flush(&mut self, body: &mut Bytes, patience: Duration) -> Result<(), Error> {
        match self {
            Self::Http1(http, _) => Ok(http.flush().await?),
            Self::Http2(_) => {
                let mut waited = Patience::default();
                poll_fn(|cx| self.poll_sent(cx, body, &mut waited, patience)).await
            }
        }
    }

    /// Sends the body of what was fed over HTTP/2, for as long as the client takes it. Ready once all of it has left.
    pub(super) fn poll_sent(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Bytes,
        waited: &mut Patience,
        patience: Duration,
    ) -> Poll<Result<(), Error>> {
        let Self::Http2(stream) = self else { return Poll::Ready(Ok(())) };
        let tunnel = stream.tunnel()?;
        if let Poll::Ready(sent) = tunnel.outlet().poll_last(cx, body) {
            return Poll::Ready(sent.map_err(|error| ws::Error::from(error).into()));
        }
        if tunnel.is_untried() {
            return Poll::Pending;
        }
        ready!(waited.poll(cx, patience, || tunnel.departed()));
        Poll::Ready(Err(ws::Error::Timeout(Timeout::Write).into()))
    }

    /// Takes over the answer that agrees to a WebSocket.
    pub(super) fn open(&mut self, response: Response<()>) -> Result<(), Error> {
        match self {
            Self::Http1(http, _) => http.feed(&response, Bytes::new()),
            Self::Http2(stream) => stream.tunnel()?.grant(response)?,
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
