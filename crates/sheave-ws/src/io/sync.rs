//! The locks and atomics of what two threads share: std's, or loom's where `model.rs` checks it.

#[cfg(not(all(test, sheave_loom)))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, fence};
/// `Tried` is for a lock that is mostly tried.
#[cfg(not(all(test, sheave_loom)))]
pub(super) use std::sync::{Mutex, Mutex as Tried, MutexGuard as TriedGuard};

#[cfg(all(test, sheave_loom))]
pub(super) use self::modelled::{Tried, TriedGuard};
#[cfg(all(test, sheave_loom))]
pub(super) use loom::sync::Mutex;
#[cfg(all(test, sheave_loom))]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, fence};

/// std's mutex as loom's atomics: loom's own has every other thread that is about to try it wait until it is free, so
/// that hardly a try fails.
#[cfg(all(test, sheave_loom))]
mod modelled {
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::Ordering;
    use std::sync::{LockResult, Mutex, MutexGuard, TryLockError, TryLockResult};

    use loom::sync::atomic::AtomicBool;

    #[derive(Debug, Default)]
    pub(in crate::io) struct Tried<T> {
        taken: AtomicBool,
        data: Mutex<T>,
    }

    pub(in crate::io) struct TriedGuard<'a, T> {
        taken: &'a AtomicBool,
        /// There until dropped.
        data: Option<MutexGuard<'a, T>>,
    }

    impl<T> Tried<T> {
        pub(in crate::io) fn new(data: T) -> Self {
            Self { taken: AtomicBool::new(false), data: Mutex::new(data) }
        }

        pub(in crate::io) fn try_lock(&self) -> TryLockResult<TriedGuard<'_, T>> {
            // A try that fails is a relaxed load: it orders nothing, and what it sees may be past.
            if self.taken.load(Ordering::Relaxed) {
                return Err(TryLockError::WouldBlock);
            }
            self.exchange().ok_or(TryLockError::WouldBlock)
        }

        pub(in crate::io) fn lock(&self) -> LockResult<TriedGuard<'_, T>> {
            loop {
                if let Some(guard) = self.exchange() {
                    return Ok(guard);
                }
                loom::thread::yield_now();
            }
        }

        fn exchange(&self) -> Option<TriedGuard<'_, T>> {
            self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
            let data = self.data.try_lock().expect("only who has `taken` it comes here");
            Some(TriedGuard { taken: &self.taken, data: Some(data) })
        }
    }

    impl<T> Drop for TriedGuard<'_, T> {
        fn drop(&mut self) {
            self.data = None;
            self.taken.store(false, Ordering::Release);
        }
    }

    impl<T> Deref for TriedGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.data.as_ref().expect("until dropped")
        }
    }

    impl<T> DerefMut for TriedGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.data.as_mut().expect("until dropped")
        }
    }
}
