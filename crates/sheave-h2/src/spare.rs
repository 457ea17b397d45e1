//! Buffers that are used again: for what comes and goes with every message and every read, while nobody who is idle holds
//! one.

use std::cell::RefCell;

use bytes::{Buf, Bytes, BytesMut};

/// How large a new one is, in bytes.
const NEW: usize = 128;
/// The largest that is kept, in bytes, and how many are: so a thread holds 512 KiB at most.
const LARGEST: usize = 8 << 10;
const MOST: usize = 64;
/// The same of those beyond: a thread holds 1 MiB of them at most.
pub(crate) const LARGEST_LARGE: usize = 128 << 10;
const MOST_LARGE: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
    static LARGE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with some room.
pub(crate) fn take() -> BytesMut {
    // There is none any more while the thread ends.
    let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
    spare.unwrap_or_else(|| BytesMut::with_capacity(NEW))
}

/// Takes back a buffer that nobody else holds any memory of.
#[inline]
pub(crate) fn give(mut buffer: BytesMut) {
    buffer.clear();
    // A part of a larger one does not tell its size, but could have that much room.
    if buffer.try_reclaim(LARGEST + 1) {
        give_large(buffer);
    } else if buffer.try_reclaim(NEW) {
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST {
                spare.push(buffer);
            }
        });
    }
}

#[inline(never)]
fn give_large(mut buffer: BytesMut) {
    if !buffer.try_reclaim(LARGEST_LARGE + 1) {
        let _ = LARGE.try_with(|large| {
            let mut large = large.borrow_mut();
            if large.len() < MOST_LARGE {
                large.push(buffer);
            }
        });
    }
}

/// An empty buffer with room for so many bytes: if they are many, one that was [given back](recycle), where one of that
/// size was; else a new one.
#[inline]
pub fn buffer(room: usize) -> BytesMut {
    let kept = if room > LARGEST { large(room, 2 * room) } else { None };
    kept.unwrap_or_else(|| BytesMut::with_capacity(room))
}

/// A large buffer that was given back and has room for so many bytes, but no more than for so many.
pub(crate) fn large(least: usize, most: usize) -> Option<BytesMut> {
    let taken = LARGE.try_with(|large| {
        let mut large = large.borrow_mut();
        let fits = |buffer: &mut BytesMut| !buffer.try_reclaim(most + 1) && buffer.try_reclaim(least);
        let place = large.iter_mut().rposition(fits)?;
        Some(large.swap_remove(place))
    });
    taken.ok().flatten()
}

/// Gives back content that was received and is not needed any more, so that its memory is used again for what comes next
/// on any connection of this thread. It need not be given back: then it is freed like others.
pub fn recycle(mut buffer: BytesMut) {
    // Kept is what turns out to have its memory alone.
    buffer.advance(buffer.len());
    // It gets more room than it seems to have only out of what was in it, if nobody holds that.
    if buffer.try_reclaim(buffer.capacity() + 1) {
        give(buffer);
    }
}

/// As [`recycle`], of content that was sent.
pub(crate) fn recycle_sent(chunk: Bytes) {
    if let Ok(buffer) = chunk.try_into_mut() {
        recycle(buffer);
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
        let kept = || SPARE.with_borrow(Vec::len) + LARGE.with_borrow(Vec::len);
        let before = kept();
        let mut large = BytesMut::zeroed(200 << 10);
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
        let mut large = BytesMut::zeroed(200 << 10);
        large.advance(190 << 10);
        recycle(large);
        assert_eq!(kept(), before);
    }

    #[test]
    fn a_large_buffer_is_used_again_for_what_it_fits() {
        let size = 100 << 10;
        let sent = || {
            let mut buffer = BytesMut::zeroed(size);
            let mut first = buffer.split_to(30 << 10).freeze();
            let mut rest = buffer.freeze();
            let memory = first.as_ptr();
            // Others hold some of it until the last is given back.
            first.advance(first.len());
            recycle_sent(first);
            assert_eq!(LARGE.with_borrow(Vec::len), 0);
            rest.advance(rest.len());
            recycle_sent(rest);
            assert_eq!(LARGE.with_borrow(Vec::len), 1);
            memory
        };
        let memory = sent();
        // For less than half of it, or for more, a new one is made.
        for room in [size / 2 - 1, size + 1] {
            assert!(buffer(room).capacity() >= room);
            assert_eq!(LARGE.with_borrow(Vec::len), 1);
        }
        for room in [size / 2, size] {
            let mut again = buffer(room);
            assert!(again.is_empty() && again.capacity() >= room);
            again.extend_from_slice(&[7]);
            assert_eq!((again.as_ptr(), LARGE.with_borrow(Vec::len)), (memory, 0));
            recycle(again);
        }
        LARGE.with_borrow_mut(Vec::clear);
        // What is a part of the program, or held elsewhere, stays there.
        recycle_sent(Bytes::from_static(&[7; 2 * LARGEST]));
        let held = Bytes::from(vec![7; size]);
        recycle_sent(held.clone());
        assert_eq!((LARGE.with_borrow(Vec::len), held.len()), (0, size));
        recycle_sent(held);
        assert_eq!(LARGE.with_borrow(Vec::len), 1);
    }

    #[test]
    fn no_more_is_kept_than_is_worth_it() {
        (0..2 * MOST).for_each(|_| give(BytesMut::with_capacity(NEW)));
        assert_eq!(SPARE.with_borrow(Vec::len), MOST);
        SPARE.with_borrow_mut(Vec::clear);
        give(BytesMut::with_capacity(LARGEST + 1));
        give(BytesMut::new());
        assert_eq!(SPARE.with_borrow(Vec::len), 0);
        (0..2 * MOST_LARGE).for_each(|_| recycle(BytesMut::zeroed(LARGEST + 1)));
        assert_eq!(LARGE.with_borrow(Vec::len), MOST_LARGE);
        LARGE.with_borrow_mut(Vec::clear);
        recycle(BytesMut::zeroed(LARGEST_LARGE + 1));
        assert_eq!(LARGE.with_borrow(Vec::len), 0);
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
                recycle(super::buffer(2 * LARGEST));
                recycle(BytesMut::zeroed(2 * LARGEST));
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
