//! What two threads do with the halves of a split WebSocket, checked by loom in every order and with every value that
//! an atomic may be seen to have: `cargo xtask test` runs it. A wakeup that is lost shows as a deadlock.
//!
//! The peer is the model's first thread. It stops nobody: what it waits for, the halves have to do by themselves.

mod halves;
mod peer;
mod resting;
mod shared;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::{Condvar, Mutex};

/// Checks `model` with at most so many switches from a thread that could go on; in every order if `None`.
fn check(preemptions: impl Into<Option<usize>>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.into();
    builder.max_branches = 10_000;
    builder.check(model);
}

/// Polls `future` whenever it is woken, and only then.
fn block_on<F: Future>(future: F) -> F::Output {
    let task = Arc::new(Task::default());
    let waker = Waker::from(Arc::clone(&task));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        task.wait();
    }
}

#[derive(Default)]
struct Task {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Task {
    fn wait(&self) {
        let mut woken = self.woken.lock().unwrap();
        while !std::mem::take(&mut *woken) {
            woken = self.condition.wait(woken).unwrap();
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.condition.notify_one();
    }
}
