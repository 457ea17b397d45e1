//! Small buffers that are used again: frames are written into one with every message, while a connection that waits holds
//! none.

use std::cell::RefCell;

use bytes::{Buf, BytesMut};

/// How large a new one is, in bytes.
const NEW: usize = 256;
/// The largest that is kept, in bytes, and how many are: so a thread holds 256 KiB at most.
const LARGEST: usize = 8 << 10;
const MOST: usize = 32;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with some room.
pub(crate) fn take() -> BytesMut {
    // There is none any more while the thread ends.
    let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
    spare.unwrap_or_else(|| BytesMut::with_capacity(NEW))
}

/// Takes a buffer back that is not needed any more: it is kept if its memory is its own alone.
pub(crate) fn give(mut buffer: BytesMut) {
    buffer.advance(buffer.len());
    // It gets more room than it seems to have only out of what was in it, if nobody holds that.
    let is_own = buffer.try_reclaim(buffer.capacity() + 1);
    // A part of a larger one does not tell its size, but could have that much room.
    if is_own && !buffer.try_reclaim(LARGEST + 1) && buffer.try_reclaim(NEW) {
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST {
                spare.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        SPARE.with_borrow(Vec::len)
    }

    #[test]
    fn what_was_given_is_taken_again() {
        let mut buffer = take();
        buffer.extend_from_slice(&[7; 100]);
        let memory = buffer.as_ptr();
        give(buffer);
        let mut buffer = take();
        assert!(buffer.is_empty() && buffer.capacity() >= NEW);
        buffer.extend_from_slice(b"x");
        assert_eq!(buffer.as_ptr(), memory);
    }

    #[test]
    fn what_others_hold_is_not_kept() {
        let mut buffer = take();
        buffer.extend_from_slice(&[7; 100]);
        let held = buffer.split_to(50).freeze();
        give(buffer);
        assert_eq!((kept(), held.len()), (0, 50));
    }

    #[test]
    fn no_more_is_kept_than_is_worth_it() {
        let used = |size: usize| BytesMut::zeroed(size);
        (0..2 * MOST).for_each(|_| give(used(NEW)));
        assert_eq!(kept(), MOST);
        SPARE.with_borrow_mut(Vec::clear);
        give(used(LARGEST + 1));
        give(used(LARGEST + 1).split_to(NEW));
        give(used(NEW / 2));
        give(BytesMut::new());
        assert_eq!(kept(), 0);
    }

    /// What is dropped when a thread ends may still want a buffer.
    #[test]
    fn while_a_thread_ends() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                let mut buffer = take();
                buffer.extend_from_slice(b"late");
                give(buffer);
            }
        }
        thread_local! {
            static LATE: Late = const { Late };
        }
        let thread = std::thread::spawn(|| {
            // It ends after what comes into being after it.
            LATE.with(|_| ());
            give(take());
        });
        thread.join().unwrap();
    }
}
