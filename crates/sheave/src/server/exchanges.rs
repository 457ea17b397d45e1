//! The tasks of one HTTP/2 connection, each with a request or what has become of it.

use std::sync::Arc;

use tracing::Span;

use super::place::Place;
use super::tasks::Tasks;

/// What the tasks have in common, so that each holds little of its own.
#[derive(Debug)]
pub(super) struct Exchanges<H> {
    pub(super) handler: Arc<H>,
    pub(super) place: Arc<Place>,
    pub(super) span: Span,
    pub(super) tasks: Arc<Tasks>,
}

/// A task's part in them. It lasts as long as anything of the task's.
#[derive(Debug)]
pub(super) struct Part<H> {
    pub(super) exchanges: Arc<Exchanges<H>>,
    pub(super) place: u32,
}

impl<H> Exchanges<H> {
    /// None yet. They are in the span of now.
    pub(super) fn new(handler: Arc<H>, place: Arc<Place>) -> Arc<Self> {
        Arc::new(Self { handler, place, span: Span::current(), tasks: Arc::default() })
    }

    /// A part for one more, which is to be spawned before there is another; `None` if there are as many as may be.
    pub(super) fn part(self: &Arc<Self>, most: usize) -> Option<Part<H>> {
        (self.tasks.len() < most).then(|| Part { exchanges: Arc::clone(self), place: self.tasks.place() })
    }
}

impl<H> Drop for Part<H> {
    fn drop(&mut self) {
        self.exchanges.tasks.leave(self.place);
    }
}
