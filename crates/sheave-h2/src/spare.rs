//! Small buffers that are used again: for what comes and goes with every message, while nobody who is idle holds one.

use std::cell::RefCell;

use bytes::{Buf, BytesMut};

/// How large a new one is, in bytes.
const NEW: usize = 128;
/// The largest that is kept, in bytes, and how many are: so a thread holds 512 KiB at most.
const LARGEST: usize = 8 << 10;
const MOST: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with some room.
pub(crate) fn take() -> BytesMut {
    // There is none any more while the thread ends.
    let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
    spare.unwrap_or_else(|| BytesMut::with_capacity(NEW))
}

/// Takes back a buffer that nobody else holds any memory of.
pub(crate) fn give(mut buffer: BytesMut) {
    buffer.clear();
    // A part of a larger one does not tell its size, but could have that much room.
    if !buffer.try_reclaim(LARGEST + 1) && buffer.try_reclaim(NEW) {
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST {
                spare.push(buffer);
            }
        });
    }
}

/// As [`give`], of one of which a part may be held elsewhere.
pub(crate) fn recycle(mut buffer: BytesMut) {
    // Kept is what turns out to have its memory alone.
    buffer.advance(buffer.len());
    // It gets more room than it seems to have only out of what was in it, if nobody holds that.
    if buffer.try_reclaim(buffer.capacity() + 1) {
        give(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_taken_again() {
        let mut buffer = take();
        buffer.extend_from_slice(&[7; 100]);
        let memory = buffer.as_ptr();
        buffer.advance(100);
        recycle(buffer);
        let mut buffer = take();
        assert!(buffer.is_empty() && buffer.capacity() >= NEW);
        buffer.extend_from_slice(b"x");
        assert_eq!(buffer.as_ptr(), memory);
    }

    #[test]
    fn a_part_of_a_larger_buffer_is_not_kept() {
        let kept = || SPARE.with_borrow(Vec::len);
        let before = kept();
        let mut large = BytesMut::zeroed(100 << 10);
        let mut part = large.split_to(1000);
        part.clear();
        recycle(part);
        let mut part = large.split_to(1000);
        part.advance(1000);
        recycle(part);
        // Alone, it or a part of it, it is too large.
        let part = large.split_to(1000);
        drop(large);
        recycle(part);
        let mut large = BytesMut::zeroed(100 << 10);
        large.advance(90 << 10);
        recycle(large);
        assert_eq!(kept(), before);
    }

    #[test]
    fn no_more_is_kept_than_is_worth_it() {
        (0..2 * MOST).for_each(|_| give(BytesMut::with_capacity(NEW)));
        assert_eq!(SPARE.with_borrow(Vec::len), MOST);
        SPARE.with_borrow_mut(Vec::clear);
        give(BytesMut::with_capacity(LARGEST + 1));
        give(BytesMut::new());
        assert_eq!(SPARE.with_borrow(Vec::len), 0);
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
