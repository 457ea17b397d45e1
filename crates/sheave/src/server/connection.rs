//! The life of one connection: TLS, requests, perhaps a WebSocket, an end in order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::time::timeout;

use super::builder::Settings;
use super::home::{Home, Returned};
use super::place::{Place, Tracker};
use super::request::Request;
use super::response;
use crate::error::Error;
use crate::plain::Plain;
use crate::stream::Stream;
use crate::tls::TlsStream;
use crate::ws::handshake::{BodyLength, Refusal, host};
use crate::ws::io::{Http1, WebSocket};
use crate::ws::{self, CloseCode, Timeout};

/// Serves a connection to its end.
pub(super) async fn serve<H, F>(plain: Plain, place: Arc<Place>, handler: &H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<(), Error>>,
{
    let (settings, tracker) = (&place.settings, &place.tracker);
    // Boxed, as are all parts that last only for a while: the task's memory is that of the longest part.
    let Some(stream) = Box::pin(secure(plain, settings, tracker)).await? else { return Ok(()) };
    let http = Http1::new(stream.at(Arc::clone(&place)), settings.limits.clone());
    let mut http = Box::new(http.write_timeout(settings.handshake_timeout));
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
        let result = handle(handler, Request::new(head, body, http, last, &place, &home)).await;
        match home.take() {
            Some(Returned::Answered { http: kept, keep_alive: true }) if result.is_ok() => http = kept,
            Some(Returned::Answered { http, .. }) => break (End::Finish(http, LINGER), result),
            Some(Returned::Unanswered { http, head, fault }) => {
                let refusal = match &result {
                    Ok(()) => refusal(StatusCode::NOT_FOUND),
                    Err(_) => fault.unwrap_or_else(|| refusal(StatusCode::INTERNAL_SERVER_ERROR)),
                };
                break (End::Refuse(http, refusal, Some(head)), result);
            }
            Some(Returned::WebSocket(ws)) => {
                let code = if result.is_ok() { CloseCode::NORMAL } else { CloseCode::INTERNAL_ERROR };
                break (End::Close(ws, code), result);
            }
            // Split, or taken to another task: no longer ours.
            None => return result,
        }
    };
    result.and(Box::pin(end.reach(settings)).await)
}

/// The connection, with TLS if the server has it; `None` if a shutdown comes first.
async fn secure(plain: Plain, settings: &Settings, tracker: &Tracker) -> Result<Option<Stream>, Error> {
    let Some(tls) = &settings.tls else { return Ok(Some(plain.into())) };
    let stream = tokio::select! {
        biased;
        () = tracker.shutdown() => return Ok(None),
        stream = timeout(settings.handshake_timeout, tls.accept(plain)) => stream,
    };
    match stream {
        Ok(stream) => Ok(Some(Stream::from(Box::new(TlsStream::from(stream?))))),
        Err(_) => Err(ws::Error::Timeout(Timeout::Handshake).into()),
    }
}

/// Waits for the next request that a handler can be given; a shutdown comes before one whose head is not whole.
async fn next_request(
    http: &mut Http1<Stream>,
    kept_alive: bool,
    settings: &Settings,
    tracker: &Tracker,
) -> Result<Option<(Box<http::Request<()>>, BodyLength)>, Error> {
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
    Ok(Some((Box::new(head), body)))
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

/// Runs the handler; its panic, or that of the origin policy, is an error like others.
async fn handle<H, F>(handler: &H, request: Request) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<(), Error>>,
{
    let panicked = |_| {
        tracing::error!("a handler or an origin policy panicked");
        Error::other("the handler or the origin policy panicked")
    };
    let request = catch_unwind(AssertUnwindSafe(|| request.judged())).map_err(panicked)?;
    if let Some(refusal) = request.refusal() {
        return request.respond(refusal.into_response().map(Bytes::from)).await;
    }
    let mut future = pin!(catch_unwind(AssertUnwindSafe(|| handler(request))).map_err(panicked)?);
    std::future::poll_fn(|cx| {
        let future: Pin<&mut F> = future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll,
            Err(panic) => std::task::Poll::Ready(Err(panicked(panic))),
        }
    })
    .await
}

/// What is told of a request that the handler did not answer.
fn refusal(status: StatusCode) -> Refusal {
    Refusal::new(status, status.canonical_reason().unwrap_or_default()).closing()
}

/// How a connection ends in order.
enum End {
    /// With this answer. The request's head may be what is refused.
    Refuse(Box<Http1<Stream>>, Refusal, Option<Box<http::Request<()>>>),
    /// After its last answer, within so long that the client can read that.
    Finish(Box<Http1<Stream>>, Duration),
    Close(Box<WebSocket<Stream>>, CloseCode),
}

impl End {
    async fn reach(self, settings: &Settings) -> Result<(), Error> {
        match self {
            Self::Refuse(mut http, refusal, head) => {
                let response = response::complete(refusal.into_response(), &head.unwrap_or_default(), false);
                let (head, body) = response.into_parts();
                http.feed(&http::Response::from_parts(head, ()), body);
                let _ = timeout(settings.handshake_timeout, http.finish()).await;
            }
            Self::Finish(mut http, patience) => {
                let _ = timeout(settings.handshake_timeout.min(patience), http.finish()).await;
            }
            Self::Close(mut ws, code) => ws.close(code).await?,
        }
        Ok(())
    }
}

/// How long a client that does not end its direction may take to read its last answer.
const LINGER: Duration = Duration::from_secs(2);
