//! The tasks of one HTTP/2 connection, each with a request or what has become of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::Span;

use super::place::Place;
use crate::table::Table;

/// What the tasks have in common, so that each holds little of its own.
#[derive(Debug)]
pub(super) struct Exchanges<H> {
    pub(super) handler: Arc<H>,
    pub(super) place: Arc<Place>,
    pub(super) span: Span,
    tasks: Mutex<Tasks>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Tasks {
    running: Table<JoinHandle<()>>,
    /// The place of one that is being spawned, unless it has ended already.
    begun: Option<u32>,
}

/// A task's part in them. It lasts as long as anything of the task's.
#[derive(Debug)]
pub(super) struct Part<H> {
    pub(super) exchanges: Arc<Exchanges<H>>,
    pub(super) place: u32,
}

impl<H: Send + Sync + 'static> Exchanges<H> {
    /// None yet. They are in the span of now.
    pub(super) fn new(handler: Arc<H>, place: Arc<Place>) -> Arc<Self> {
        let (tasks, ended) = (Mutex::default(), Notify::new());
        Arc::new(Self { handler, place, span: Span::current(), tasks, ended })
    }

    /// A part for one more, which is to be spawned before there is another; `None` if there are as many as may be.
    pub(super) fn part(self: &Arc<Self>, most: usize) -> Option<Part<H>> {
        let mut tasks = self.tasks();
        if tasks.running.len() >= most {
            return None;
        }
        let place = tasks.running.take_place();
        tasks.begun = Some(place);
        Some(Part { exchanges: Arc::clone(self), place })
    }

    /// Spawns one that has this place.
    pub(super) fn spawn(&self, place: u32, exchange: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(exchange);
        let mut tasks = self.tasks();
        if tasks.begun.take().is_some() {
            tasks.running.put(place, task);
        }
    }

    /// Waits until none is left.
    pub(super) async fn end(&self) {
        loop {
            let ended = self.ended.notified();
            if self.tasks().running.is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl<H> Exchanges<H> {
    /// Ends all of them at once.
    pub(super) fn abort_all(&self) {
        let tasks = self.tasks().running.empty();
        tasks.iter().for_each(JoinHandle::abort);
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Drop for Part<H> {
    fn drop(&mut self) {
        let mut tasks = self.exchanges.tasks();
        tasks.begun.take_if(|begun| *begun == self.place);
        let task = tasks.running.leave(self.place);
        let is_last = tasks.running.is_empty();
        drop(tasks);
        drop(task);
        if is_last {
            self.exchanges.ended.notify_waiters();
        }
    }
}

/// Ends all that are left when their connection is gone.
#[derive(Debug)]
pub(super) struct AbortAtEnd<H>(pub(super) Arc<Exchanges<H>>);

impl<H> Drop for AbortAtEnd<H> {
    fn drop(&mut self) {
        self.0.abort_all();
    }
}
