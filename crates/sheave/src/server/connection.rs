//! The life of one connection: TLS, requests, perhaps a WebSocket, an end in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::timeout;

use super::builder::Settings;
use super::handled::Handled;
use super::home::{Home, Returned};
use super::place::{Place, Tracker};
use super::request::Request;
use super::wire::Wire;
use super::{http2, response};
use crate::error::Error;
use crate::h2::PREFACE;
use crate::line::Line;
use crate::plain::Plain;
use crate::stream::Stream;
use crate::tls::TlsStream;
use crate::versions::Versions;
use crate::websocket::Inner;
use crate::ws::handshake::{BodyLength, Refusal, host};
use crate::ws::io::Http1;
use crate::ws::{self, CloseCode, Timeout};

/// Serves a connection to its end.
pub(super) async fn serve<H, F>(plain: Plain, place: Arc<Place>, handler: Arc<H>) -> Result<(), Error>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    // Boxed, as are all parts that last only for a while: the task's memory is that of the longest part.
    match Box::pin(begin(plain, &place.settings, &place.tracker)).await? {
        None => Ok(()),
        Some((line, true)) => Box::pin(http2::serve(line, place, handler)).await,
        Some((line, false)) => {
            let (stream, received) = line.into_stream();
            let http = Http1::new(stream.at(Arc::clone(&place)), place.settings.limits.clone());
            let http = Box::new(http.received(received).write_timeout(place.settings.handshake_timeout));
            serve_http1(http, place, &*handler).await
        }
    }
}

/// Serves a connection of HTTP/1.1, a request at a time.
async fn serve_http1<H, F>(mut http: Box<Http1<Stream>>, place: Arc<Place>, handler: &H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<(), Error>>,
{
    let (settings, tracker) = (&place.settings, &place.tracker);
    let mut requests = 0;
    let (end, result) = loop {
        let next = Box::pin(next_request(&mut http, requests > 0, settings, tracker)).await;
        let (head, body) = match next {
            Ok(Some(next)) => next,
            // Without a request there is no answer that could be lost.
            Ok(None) if requests == 0 => break (End::Finish(http, Duration::ZERO), Ok(())),
            Ok(None) => break (End::Finish(http, LINGER), Ok(())),
            Err(error) => {
                let Some(refusal) = answer(&error) else { return Err(error) };
                break (End::Refuse(http, refusal.clone(), None), Err(refusal.into()));
            }
        };
        requests += 1;
        let last = requests >= settings.max_requests || tracker.is_shutting_down();
        let home = Arc::new(Home::default());
        let request = Request::http1(head, body, http, last, &place, &home);
        let result = Handled::new(handler, request).await;
        match home.take() {
            Some(Returned::Answered { wire: Wire::Http1(kept, _), keep_alive: true }) if result.is_ok() => {
                http = kept;
            }
            Some(Returned::Answered { wire: Wire::Http1(http, _), .. }) => {
                break (End::Finish(http, LINGER), result);
            }
            Some(Returned::Unanswered { wire: Wire::Http1(http, _), head, fault }) => {
                let refusal = unanswered(result.is_ok(), fault).closing();
                break (End::Refuse(http, refusal, Some(head)), result);
            }
            Some(Returned::WebSocket(open)) => {
                let code = if result.is_ok() { CloseCode::NORMAL } else { CloseCode::INTERNAL_ERROR };
                break (End::Close(open, code), result);
            }
            // Split, or taken to another task: no longer ours.
            _ => return result,
        }
    };
    result.and(Box::pin(end.reach(settings)).await)
}

/// The connection, with TLS if the server has it, and whether HTTP/2 is spoken on it; `None` if a shutdown comes first.
async fn begin(plain: Plain, settings: &Settings, tracker: &Tracker) -> Result<Option<(Line, bool)>, Error> {
    let begun = async {
        let mut line = match &settings.tls {
            None => Line::from(plain),
            Some(tls) => TlsStream::from(in_time(settings, tls.accept(plain)).await?).into(),
        };
        let is_http2 = in_time(settings, tell(&mut line, settings.versions)).await?;
        Ok((line, is_http2))
    };
    tokio::select! {
        biased;
        () = tracker.shutdown() => Ok(None),
        begun = begun => begun.map(Some),
    }
}

async fn in_time<T, E: Into<Error>>(
    settings: &Settings,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match timeout(settings.handshake_timeout, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(ws::Error::Timeout(Timeout::Handshake).into()),
    }
}

/// Tells by ALPN, or else by how the client begins (RFC 9113 §3.4), whether it speaks HTTP/2.
async fn tell(line: &mut Line, versions: Versions) -> io::Result<bool> {
    match (versions, line.alpn()) {
        (Versions::Http1Only, _) => Ok(false),
        (Versions::Http2Only, _) => Ok(true),
        (Versions::Auto, Some(protocol)) => Ok(protocol == b"h2"),
        (Versions::Auto, None) => line.begins_with(PREFACE).await,
    }
}

/// Waits for the next request that a handler can be given; a shutdown comes before one whose head is not whole.
async fn next_request(
    http: &mut Http1<Stream>,
    kept_alive: bool,
    settings: &Settings,
    tracker: &Tracker,
) -> Result<Option<(http::Request<()>, BodyLength)>, Error> {
    let head = tokio::select! {
        biased;
        () = tracker.shutdown() => return Ok(None),
        head = next_head(http, kept_alive, settings) => head?,
    };
    let Some(head) = head else { return Ok(None) };
    host(&head)?;
    if *head.method() == Method::CONNECT {
        // RFC 9110 §9.3.6: a 2xx would say that what follows is a tunnel.
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "there are no tunnels here").into());
    }
    let body = BodyLength::of_request(&head)?;
    Ok(Some((head, body)))
}

async fn next_head(
    http: &mut Http1<Stream>,
    kept_alive: bool,
    settings: &Settings,
) -> Result<Option<http::Request<()>>, Error> {
    let patience = if kept_alive { settings.keep_alive } else { settings.handshake_timeout };
    match timeout(patience, http.readable()).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return Ok(None),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) if kept_alive => return Ok(None),
        Err(_) => return Err(ws::Error::Timeout(Timeout::Handshake).into()),
    }
    match timeout(settings.handshake_timeout, http.request()).await {
        Ok(head) => Ok(head?),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request took too long").into()),
    }
}

/// What the client is told of a request that no handler is given.
fn answer(error: &Error) -> Option<Refusal> {
    match error {
        Error::WebSocket(ws::Error::Refused(refusal)) => Some(refusal.clone().closing()),
        Error::WebSocket(ws::Error::Handshake(error)) => error.refusal(),
        _ => None,
    }
}

/// What is told of a request that the handler did not answer: that it failed, if it did, with what was wrong with the body.
pub(super) fn unanswered(is_ok: bool, fault: Option<Refusal>) -> Refusal {
    let status = if is_ok { StatusCode::NOT_FOUND } else { StatusCode::INTERNAL_SERVER_ERROR };
    let refusal = || Refusal::new(status, status.canonical_reason().unwrap_or_default());
    fault.filter(|_| !is_ok).unwrap_or_else(refusal)
}

/// How a connection ends in order.
enum End {
    /// With this answer. The request's head may be what is refused.
    Refuse(Box<Http1<Stream>>, Refusal, Option<Box<http::Request<()>>>),
    /// After its last answer, within so long that the client can read that.
    Finish(Box<Http1<Stream>>, Duration),
    Close(Box<Inner>, CloseCode),
}

impl End {
    async fn reach(self, settings: &Settings) -> Result<(), Error> {
        match self {
            Self::Refuse(mut http, refusal, head) => {
                let mut response = refusal.into_response();
                response::complete(&mut response, &head.unwrap_or_default(), false);
                let (head, body) = response.into_parts();
                http.feed(&http::Response::from_parts(head, ()), body);
                let _ = timeout(settings.handshake_timeout, http.finish()).await;
            }
            Self::Finish(mut http, patience) => {
                let _ = timeout(settings.handshake_timeout.min(patience), http.finish()).await;
            }
            Self::Close(mut open, code) => open.ws.close(code).await?,
        }
        Ok(())
    }
}

/// How long a client that does not end its direction may take to read its last answer.
const LINGER: Duration = Duration::from_secs(2);
