//! The life of one HTTP/2 connection: requests and WebSockets side by side, an end in order.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use pin_project_lite::pin_project;
use tracing::Instrument as _;

use super::connection::unanswered;
use super::exchanges::{Exchanges, Part};
use super::handled::Handled;
use super::home::{Home, Returned};
use super::place::Place;
use super::request::Request;
use super::response;
use super::tasks::AbortAtEnd;
use super::wire::Wire;
use crate::carrier::Carrier;
use crate::error::Error;
use crate::h2::ErrorCode;
use crate::h2::io::server::{Incoming, handshake_with};
use crate::line::Line;
use crate::tunnel::Tunnel;
use crate::websocket::Inner;
use crate::ws::CloseCode;
use crate::ws::handshake::Refusal;

/// Serves a connection to its end, each of its requests in a task of its own.
pub(super) async fn serve<H, F>(line: Line, place: Arc<Place>, handler: Arc<H>) -> Result<(), Error>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (settings, tracker) = (&place.settings, &place.tracker);
    let carrier = Carrier::new(line.session(), Some(Arc::clone(&place)));
    place.carry(&carrier);
    let mut connection = handshake_with(line, settings.http2.clone());
    let exchanges = Exchanges::new(handler, Arc::clone(&place));
    let _cut = AbortAtEnd(Arc::clone(&exchanges.tasks));
    // A handler may take a while to see that its stream is gone.
    let most = (settings.http2.get_max_concurrent_streams() as usize).saturating_mul(2);
    let mut shutdown = pin!(tracker.shutdown());
    let mut overdue = pin!(tracker.overdue());
    // What it takes for a first request, and to go when told so.
    let (kept, patience) = (settings.keep_alive, settings.handshake_timeout);
    let mut unused = pin!(carrier.unused_for(kept, patience));
    let mut stuck = pin!(carrier.unused_for(kept.saturating_add(patience), patience.saturating_mul(2)));
    let (mut ending, mut cut) = (false, false);
    let ended = loop {
        tokio::select! {
            biased;
            () = &mut shutdown, if !ending => {
                ending = true;
                connection.shutdown();
            }
            () = &mut overdue, if !cut => {
                // What they held of their streams is reset.
                cut = true;
                exchanges.tasks.abort_all();
            }
            ended = poll_fn(|cx| {
                while let Some(incoming) = ready!(connection.poll_incoming(cx)) {
                    let incoming = match incoming {
                        Ok(incoming) => incoming,
                        Err(error) => return Poll::Ready(Err(error)),
                    };
                    match exchanges.part(most) {
                        Some(part) => begin(part, incoming, &carrier),
                        // Handlers of requests that were taken back are still at work.
                        None => incoming.respond.reset(ErrorCode::REFUSED_STREAM),
                    }
                }
                Poll::Ready(Ok(()))
            }) => break ended.map_err(Into::into),
            () = &mut unused, if !ending => {
                ending = true;
                connection.shutdown();
            }
            // It was told to go, and holds on to something that is not whole.
            () = &mut stuck => break Ok(()),
        }
    };
    // Handlers may go on; their streams are gone, and they know.
    drop(connection);
    exchanges.tasks.end().await;
    ended
}

/// Gives a request a task of its own.
fn begin<H, F>(part: Part<H>, incoming: Incoming, carrier: &Arc<Carrier>)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let Some(berth) = carrier.berth(usize::MAX) else { return };
    let Incoming { request: head, protocol, content, respond } = incoming;
    let tunnel = Tunnel::requested(content, respond, berth);
    let home = Arc::new(Home::default());
    let (exchanges, place) = (Arc::clone(&part.exchanges), part.place);
    let request = Request::http2(head, protocol, tunnel, &exchanges.place, &home);
    let stage = Stage::Begun { request: Some(request) };
    exchanges.tasks.spawn(place, Exchange { stage, home, part });
}

pin_project! {
    /// Has a request answered, or its WebSocket come to an end in order. Written out, as [`Handled`] is.
    struct Exchange<H, F> {
        #[pin]
        stage: Stage<F>,
        // Dropped before the part, which lasts as long as anything of the task's.
        home: Arc<Home>,
        part: Part<H>,
    }
}

pin_project! {
    #[project = Staged]
    enum Stage<F> {
        /// The handler's turn comes; `None` once it is over.
        Begun { request: Option<Request> },
        Handled { #[pin] handled: Handled<F> },
        Ending { end: Pin<Box<dyn Future<Output = ()> + Send>> },
    }
}

impl<H, F> Future for Exchange<H, F>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<(), Error>>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        // As `instrument` would, which keeps the span once more for each task.
        let Exchanges { handler, span, .. } = &*this.part.exchanges;
        loop {
            let next = match this.stage.as_mut().project() {
                Staged::Begun { request } => {
                    let Some(request) = request.take() else { return Poll::Ready(()) };
                    let handled = span.in_scope(|| Handled::new(&**handler, request));
                    Stage::Handled { handled }
                }
                Staged::Handled { handled } => {
                    let handled = ready!(span.in_scope(|| handled.poll(cx)));
                    // What the handler still holds comes home.
                    this.stage.set(Stage::Begun { request: None });
                    match end(handled, this.home, &this.part.exchanges) {
                        Some(end) => Stage::Ending { end },
                        None => return Poll::Ready(()),
                    }
                }
                Staged::Ending { end } => return end.as_mut().poll(cx),
            };
            this.stage.set(next);
        }
    }
}

/// Ends what a handler left, if it left something. Boxed: the task's memory is that of the longest part.
fn end<H>(
    handled: Result<(), Error>,
    home: &Home,
    exchanges: &Exchanges<H>,
) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
    let Some(returned) = home.take() else {
        exchanges.span.in_scope(|| tell(handled));
        return None;
    };
    let (place, span) = (Arc::clone(&exchanges.place), exchanges.span.clone());
    let end = async move {
        tell(match returned {
            Returned::Unanswered { wire, head, fault } => {
                let refusal = unanswered(handled.is_ok(), fault);
                refuse(wire, refusal, head, &place).await.and(handled)
            }
            Returned::WebSocket(open) => close(open, handled.is_ok()).await.and(handled),
            Returned::Answered { .. } => handled,
        });
    };
    Some(Box::pin(end.instrument(span)))
}

fn tell(ended: Result<(), Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a stream ended");
    }
}

/// Answers a request that its handler did not.
async fn refuse(
    mut wire: Wire,
    refusal: Refusal,
    head: Box<http::Request<()>>,
    place: &Place,
) -> Result<(), Error> {
    let mut response = refusal.into_response();
    response::complete(&mut response, &head, true);
    let (head, mut body): (_, Bytes) = response.into_parts();
    wire.feed(http::Response::from_parts(head, ()), &mut body)?;
    wire.flush(&mut body, place.settings.handshake_timeout).await
}

/// Closes a WebSocket that its handler left open.
async fn close(mut open: Box<Inner>, is_ok: bool) -> Result<(), Error> {
    let code = if is_ok { CloseCode::NORMAL } else { CloseCode::INTERNAL_ERROR };
    Ok(open.ws.close(code).await?)
}
