//! Tasks that are waited for, or ended, together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::table::Table;

/// Those that run. One that has ended leaves nothing here, and wakes nobody who does not [wait for the end](Self::end).
#[derive(Debug, Default)]
pub(super) struct Tasks {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    running: Table<JoinHandle<()>>,
    /// The place of one that is being spawned, unless it has ended already.
    begun: Option<u32>,
}

impl Tasks {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.state().running.len()
    }

    /// A place for one more, which is to be [spawned](Self::spawn) before there is another. The task [leaves](Self::leave) it
    /// with the last that it has.
    pub(super) fn place(&self) -> u32 {
        let mut state = self.state();
        let place = state.running.take_place();
        state.begun = Some(place);
        place
    }

    /// Spawns one that has this place.
    pub(super) fn spawn(&self, place: u32, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(task);
        let mut state = self.state();
        if state.begun.take().is_some() {
            state.running.put(place, task);
        }
    }

    /// The task with this place is over.
    pub(super) fn leave(&self, place: u32) {
        let mut state = self.state();
        state.begun.take_if(|begun| *begun == place);
        let task = state.running.leave(place);
        let is_last = state.running.is_empty();
        drop(state);
        drop(task);
        if is_last {
            self.ended.notify_waiters();
        }
    }

    /// Waits until none is left.
    pub(super) async fn end(&self) {
        loop {
            let ended = self.ended.notified();
            if self.state().running.is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// Ends all of them at once.
    pub(super) fn abort_all(&self) {
        let tasks = self.state().running.empty();
        tasks.iter().for_each(JoinHandle::abort);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's place among them, which it has as long as anything of it lasts.
pub(super) struct Seat {
    tasks: Arc<Tasks>,
    pub(super) place: u32,
}

impl Seat {
    /// For a task that is spawned next.
    pub(super) fn take(tasks: &Arc<Tasks>) -> Self {
        Self { tasks: Arc::clone(tasks), place: tasks.place() }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.tasks.leave(self.place);
    }
}

/// Ends all that are left when it is dropped.
pub(super) struct AbortAtEnd(pub(super) Arc<Tasks>);

impl Drop for AbortAtEnd {
    fn drop(&mut self) {
        self.0.abort_all();
    }
}
