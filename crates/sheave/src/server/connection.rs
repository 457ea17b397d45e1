//! The life of one connection: TLS, requests, perhaps a WebSocket, an end in order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{StatusCode, Version};
use tokio::time::timeout;

use super::builder::Settings;
use super::home::{Home, Returned};
use super::place::{Place, Tracker};
use super::request::Request;
use super::response;
use crate::error::Error;
use crate::stream::{Plain, Stream};
use crate::tls::TlsStream;
use crate::ws::handshake::{BodyLength, Refusal};
use crate::ws::io::Http1;
use crate::ws::{self, CloseCode, Timeout};

/// Serves a connection to its end.
pub(super) async fn serve<H, F>(plain: Plain, place: Arc<Place>, handler: &H) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<(), Error>>,
{
    let (settings, tracker) = (&place.settings, &place.tracker);
    // Boxed, as are all parts that last only for a while: the task's memory is that of the longest part.
    let stream = tokio::select! {
        biased;
        () = tracker.shutdown() => return Ok(()),
        stream = Box::pin(secure(plain, settings)) => stream?,
    };
    let stream = stream.at(Arc::clone(&place));
    let mut http = Box::new(Http1::new(stream, settings.limits.clone()));
    let mut requests = 0;
    loop {
        let next = Box::pin(next_request(&mut http, requests > 0, settings, tracker)).await;
        let (head, body) = match next {
            Ok(Next::Request(head, body)) => (head, body),
            Ok(Next::Refused(refusal)) => {
                Box::pin(refuse(http, refusal.clone(), None, settings)).await;
                return Err(refusal.into());
            }
            Ok(Next::End) => {
                Box::pin(finish(http, settings)).await;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        requests += 1;
        let last = requests >= settings.max_requests || tracker.is_shutting_down();
        let home = Arc::new(Home::default());
        let result = {
            let request = Request::new(head, body, http, last, &place, &home);
            handle(handler, request).await
        };
        match home.take() {
            Some(Returned::Answered { http: kept, keep_alive: true }) if result.is_ok() => http = kept,
            Some(Returned::Answered { http, .. }) => {
                Box::pin(finish(http, settings)).await;
                return result;
            }
            Some(Returned::Unanswered { http, head, fault }) => {
                let refusal = match &result {
                    Ok(()) => refusal(StatusCode::NOT_FOUND),
                    Err(_) => fault.unwrap_or_else(|| refusal(StatusCode::INTERNAL_SERVER_ERROR)),
                };
                Box::pin(refuse(http, refusal, Some(&head), settings)).await;
                return result;
            }
            Some(Returned::WebSocket(mut ws)) => {
                let code = if result.is_ok() { CloseCode::NORMAL } else { CloseCode::INTERNAL_ERROR };
                let closed = Box::pin(ws.close(code)).await;
                return result.and(closed.map_err(Error::from));
            }
            // Split, or taken to another task: no longer ours.
            None => return result,
        }
    }
}

/// What a connection brings next.
enum Next {
    Request(Box<http::Request<()>>, BodyLength),
    Refused(Refusal),
    End,
}

async fn secure(plain: Plain, settings: &Settings) -> Result<Stream, Error> {
    let Some(tls) = &settings.tls else { return Ok(plain.into()) };
    match timeout(settings.handshake_timeout, tls.accept(plain)).await {
        Ok(stream) => Ok(TlsStream::from(stream?).into()),
        Err(_) => Err(ws::Error::Timeout(Timeout::Handshake).into()),
    }
}

/// Waits for the next request that a handler can be given.
async fn next_request(
    http: &mut Http1<Stream>,
    kept_alive: bool,
    settings: &Settings,
    tracker: &Tracker,
) -> Result<Next, Error> {
    let patience = if kept_alive { settings.keep_alive } else { settings.handshake_timeout };
    let readable = tokio::select! {
        biased;
        () = tracker.shutdown() => return Ok(Next::End),
        readable = timeout(patience, http.readable()) => readable,
    };
    match readable {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return Ok(Next::End),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) if kept_alive => return Ok(Next::End),
        Err(_) => return Err(ws::Error::Timeout(Timeout::Handshake).into()),
    }
    let head = match timeout(settings.handshake_timeout, http.request()).await {
        Ok(Ok(Some(head))) => head,
        Ok(Ok(None)) => return Ok(Next::End),
        Ok(Err(ws::Error::Handshake(error))) => {
            return error.refusal().map(Next::Refused).ok_or_else(|| error.into());
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => {
            let late = Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request took too long");
            return Ok(Next::Refused(late.closing()));
        }
    };
    if !has_valid_host(&head) {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "missing, repeated or invalid Host");
        return Ok(Next::Refused(refusal.closing()));
    }
    Ok(match BodyLength::of_request(&head) {
        Ok(body) => Next::Request(Box::new(head), body),
        Err(error) => return error.refusal().map(Next::Refused).ok_or_else(|| error.into()),
    })
}

/// RFC 9112 §3.2: anything but one valid `Host` is refused; HTTP/1.0 may do without.
fn has_valid_host(head: &http::Request<()>) -> bool {
    let mut hosts = head.headers().get_all(HOST).iter();
    let Some(host) = hosts.next() else { return head.version() < Version::HTTP_11 };
    let valid = |host: Authority| !host.as_str().contains('@');
    hosts.next().is_none() && (host.is_empty() || Authority::try_from(host.as_bytes()).is_ok_and(valid))
}

/// Runs the handler; its panic is an error like others.
async fn handle<H, F>(handler: &H, request: Request) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<(), Error>>,
{
    let panicked = |_| {
        tracing::error!("a handler panicked");
        Error::other("the handler panicked")
    };
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

/// Answers with a refusal and ends the connection. The request's head may be what is refused.
async fn refuse(
    mut http: Box<Http1<Stream>>,
    refusal: Refusal,
    head: Option<&http::Request<()>>,
    settings: &Settings,
) {
    let unknown = http::Request::new(());
    let response = response::complete(refusal.into_response(), head.unwrap_or(&unknown), false);
    let (head, body) = response.into_parts();
    http.feed(&http::Response::from_parts(head, ()), body);
    let _ = timeout(settings.handshake_timeout, http.finish()).await;
}

/// Ends a connection after its last answer.
async fn finish(mut http: Box<Http1<Stream>>, settings: &Settings) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let _ = timeout(settings.handshake_timeout.min(PATIENCE), http.finish()).await;
}
