//! What is counted for the whole process is measured by one test at a time.

use std::sync::{Mutex, PoisonError};

static ALONE: Mutex<()> = Mutex::new(());

/// Runs this in a thread of its own, whose pool is empty at first and gone in the end, while no other does.
pub fn alone(test: impl FnOnce() + Send) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Joined by hand: the scope would not wait for what the thread lets go of at its very end.
    let outcome = std::thread::scope(|scope| scope.spawn(test).join());
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
