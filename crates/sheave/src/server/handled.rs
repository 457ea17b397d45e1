//! A handler at work.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::request::Request;
use crate::error::Error;

pin_project! {
    /// What a handler makes of a request. Written out, for an `async fn` would keep what it is given twice, as long as the
    /// handler runs.
    #[project = Project]
    pub(super) enum Handled<F> {
        Running { #[pin] handler: F },
        /// The handler is not asked.
        Refused { answer: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> },
        /// There is no handler, for this reason.
        Failed { error: Option<Error> },
    }
}

impl<F: Future<Output = Result<(), Error>>> Handled<F> {
    /// Has a request judged, and given to the handler if it is in order.
    pub(super) fn new(handler: &impl Fn(Request) -> F, mut request: Request) -> Self {
        let judged = catch(|| request.judge());
        if let (Ok(()), Some(refusal)) = (&judged, request.refusal()) {
            return Self::Refused { answer: Box::pin(request.respond(refusal.into_response())) };
        }
        match judged.and_then(|()| catch(|| handler(request))) {
            Ok(handler) => Self::Running { handler },
            Err(error) => Self::Failed { error: Some(error) },
        }
    }
}

impl<F: Future<Output = Result<(), Error>>> Future for Handled<F> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Project::Running { handler } => match catch(|| handler.poll(cx)) {
                Ok(poll) => poll,
                Err(error) => Poll::Ready(Err(error)),
            },
            Project::Refused { answer } => answer.as_mut().poll(cx),
            Project::Failed { error } => Poll::Ready(error.take().map_or(Ok(()), Err)),
        }
    }
}

/// A panic of the handler, or of the origin policy, is an error like others.
fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).map_err(panicked)
}

fn panicked(_: Box<dyn Any + Send>) -> Error {
    tracing::error!("a handler or an origin policy panicked");
    Error::other("the handler or the origin policy panicked")
}
