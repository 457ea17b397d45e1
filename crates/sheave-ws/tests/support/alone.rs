//! One test at a time, for counts of the whole process.

use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::runtime::Builder;

/// Runs `test` in a thread and a runtime of its own, with the clock paused or not. What those hold is given back
/// before the next one runs.
pub fn alone<F: Future<Output = ()>>(paused: bool, test: impl FnOnce() -> F + Send) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let run =
        || Builder::new_current_thread().enable_all().start_paused(paused).build().unwrap().block_on(test());
    let result = thread::scope(|scope| scope.spawn(run).join());
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}
