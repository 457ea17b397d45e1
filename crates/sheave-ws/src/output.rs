//! Bytes on their way out, in the chunks that they came in.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::spare;

/// The write queue: small frames gathered in one buffer, large payloads as they are.
///
/// It is a [`Buf`], so that a gathered write takes all of it; [`pop`](Self::pop) hands out the chunks
/// themselves to a transport that keeps them.
#[derive(Debug, Default)]
pub struct Output {
    /// Few have any.
    chunks: Option<Box<Chunks>>,
    /// What follows the chunks and can still be appended to.
    tail: BytesMut,
}

/// At least one.
#[derive(Debug, Default)]
struct Chunks {
    queue: VecDeque<Bytes>,
    /// How many bytes they are.
    length: usize,
}

impl Output {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.chunks.as_ref().map_or(0, |chunks| chunks.length) + self.tail.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the first chunk out.
    pub fn pop(&mut self) -> Option<Bytes> {
        if let Some(chunks) = &mut self.chunks {
            let chunk = chunks.queue.pop_front();
            chunks.length -= chunk.as_ref().map_or(0, Bytes::len);
            self.chunks.take_if(|chunks| chunks.queue.is_empty());
            return chunk;
        }
        if self.tail.is_empty() { None } else { Some(mem::take(&mut self.tail).freeze()) }
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Moves all of `other` to the end of this, without copying what is large.
    #[cfg(any(feature = "tokio", test))]
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            mem::swap(self, other);
            other.clear();
            return;
        }
        match other.chunks.take() {
            None => self.tail.extend_from_slice(&other.tail),
            Some(mut behind) => {
                self.seal();
                let chunks = self.chunks.get_or_insert_default();
                chunks.length += behind.length;
                chunks.queue.append(&mut behind.queue);
                self.tail = mem::take(&mut other.tail);
            }
        }
        other.clear();
    }

    /// The buffer to append small things to.
    #[inline]
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        if self.tail.capacity() == 0 {
            self.tail = spare::take();
        }
        &mut self.tail
    }

    /// Appends a chunk that others hold as well: as it is, unless a copy costs less.
    pub(crate) fn push_shared(&mut self, chunk: &Bytes) {
        const SMALL: usize = 1 << 10;
        if chunk.len() < SMALL {
            self.tail().extend_from_slice(chunk);
        } else {
            self.push(chunk.clone());
        }
    }

    /// Appends a chunk as it is.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.seal();
        self.push_back(chunk);
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.push_back(tail);
        }
    }

    fn push_back(&mut self, chunk: Bytes) {
        let chunks = self.chunks.get_or_insert_default();
        chunks.length += chunk.len();
        chunks.queue.push_back(chunk);
    }

    fn front(&self) -> Option<&Bytes> {
        self.chunks.as_ref()?.queue.front()
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self.front().map_or(&self.tail[..], |chunk| &chunk[..])
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = Some(&self.tail[..]).filter(|tail| !tail.is_empty());
        let chunks = self.chunks.iter().flat_map(|chunks| &chunks.queue);
        let pieces = chunks.map(|chunk| &chunk[..]).chain(tail);
        pieces.zip(slices).map(|(piece, slice)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        if let Some(chunks) = &mut self.chunks {
            while let Some(chunk) = chunks.queue.front_mut() {
                if count < chunk.len() {
                    chunk.advance(count);
                    chunks.length -= count;
                    return;
                }
                count -= chunk.len();
                chunks.length -= chunk.len();
                chunks.queue.pop_front();
            }
            self.chunks = None;
        }
        if count < self.tail.len() {
            self.tail.advance(count);
            return;
        }
        debug_assert!(count <= self.tail.len());
        // An idle connection holds no buffer.
        spare::give(mem::take(&mut self.tail));
    }

    /// Without a copy, if the bytes lie in one piece.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        let front =
            self.chunks.as_mut().and_then(|chunks| Some((chunks.queue.front_mut()?, &mut chunks.length)));
        match front {
            Some((chunk, length)) if count < chunk.len() => {
                *length -= count;
                chunk.split_to(count)
            }
            Some((chunk, _)) if count == chunk.len() => self.pop().unwrap_or_default(),
            None if count == self.tail.len() => self.pop().unwrap_or_default(),
            _ => {
                let mut copied = BytesMut::with_capacity(count);
                copied.put(self.take(count));
                copied.freeze()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use bytes::{Buf, Bytes};

    use super::Output;

    fn mixed() -> Output {
        let mut output = Output::default();
        output.tail().extend_from_slice(b"head");
        output.push(Bytes::from_static(b"-large-"));
        output.tail().extend_from_slice(b"tail");
        output
    }

    #[test]
    fn keeps_the_order_however_it_is_taken() {
        for step in 1..16 {
            let mut output = mixed();
            let mut taken = Vec::new();
            while output.has_remaining() {
                let count = step.min(output.chunk().len());
                taken.extend_from_slice(&output.chunk()[..count]);
                output.advance(count);
            }
            assert_eq!(taken, b"head-large-tail", "step {step}");
        }
        let mut popped = Vec::new();
        let mut output = mixed();
        while let Some(chunk) = output.pop() {
            popped.extend_from_slice(&chunk);
        }
        assert_eq!(popped, b"head-large-tail");
        assert!(output.is_empty());
    }

    #[test]
    fn gathers_everything_and_advances_over_chunks() {
        for count in 0..=15 {
            let mut output = mixed();
            let mut slices = [IoSlice::new(&[]); 8];
            let used = output.chunks_vectored(&mut slices);
            let gathered: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(gathered, b"head-large-tail");
            output.advance(count);
            assert_eq!(output.len(), 15 - count);
            assert_eq!(output.copy_to_bytes(15 - count), &b"head-large-tail"[count..]);
        }
    }

    #[test]
    fn bytes_in_one_piece_are_not_copied() {
        let mut output = mixed();
        let lies = |output: &Output| output.chunk().as_ptr();
        for length in [4, 3, 4, 4] {
            let there = lies(&output);
            let taken = output.copy_to_bytes(length);
            assert_eq!((taken.as_ptr(), taken.len()), (there, length));
        }
        assert!(output.is_empty());
        // Part of the tail, and more than one piece, is.
        let mut output = mixed();
        assert_eq!(output.copy_to_bytes(6), &b"head-l"[..]);
        assert_eq!(output.copy_to_bytes(7), &b"arge-ta"[..]);
        assert_eq!(output.copy_to_bytes(2), &b"il"[..]);
        assert_eq!((output.len(), output.pop()), (0, None));
    }

    #[test]
    fn appends_all_kinds() {
        let mut small = Output::default();
        small.tail().extend_from_slice(b"+small");
        for (first, second, whole) in [
            (Output::default(), mixed(), "head-large-tail"),
            (mixed(), Output::default(), "head-large-tail"),
            (mixed(), mixed(), "head-large-tailhead-large-tail"),
            (mixed(), small, "head-large-tail+small"),
        ] {
            let (mut first, mut second) = (first, second);
            first.append(&mut second);
            assert!(second.is_empty());
            assert_eq!(first.len(), whole.len());
            assert_eq!(first.copy_to_bytes(whole.len()), whole.as_bytes());
        }
    }
}
