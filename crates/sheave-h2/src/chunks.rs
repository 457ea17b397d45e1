//! Bytes on their way out.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::spare;

/// A queue of bytes: small pieces are copied together, large ones are handed on as they are.
///
/// Where DATA frames begin and end means nothing (RFC 9113 §6.1), so a thousand small writes to a stream leave in one
/// frame, and the frames of a thousand streams in one write.
#[derive(Debug, Default)]
pub struct Chunks {
    /// Few have any.
    large: Option<Box<Large>>,
    /// Behind them: what is still written to.
    tail: BytesMut,
    /// Whether the tail's memory may be that of pieces that were cut off, too.
    is_cut: bool,
}

/// Large pieces.
#[derive(Debug, Default)]
struct Large {
    chunks: VecDeque<Bytes>,
    /// How long they are in all.
    length: usize,
}

/// From this length on, in bytes, a piece is not copied.
pub(crate) const LARGE: usize = 8 << 10;

impl Chunks {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.large.as_ref().map_or(0, |large| large.length) + self.tail.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() < LARGE {
            self.push_slice(&bytes);
        } else {
            self.seal();
            self.push_back(bytes);
        }
    }

    /// Copies bytes to the end.
    pub fn push_slice(&mut self, bytes: &[u8]) {
        self.tail().extend_from_slice(bytes);
    }

    /// The end, to be written to.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        if self.tail.capacity() == 0 {
            self.tail = spare::take();
        }
        &mut self.tail
    }

    /// Moves this many bytes from the front to the end of another queue. There have to be as many.
    pub(crate) fn move_to(&mut self, other: &mut Self, mut length: usize) {
        while let Some(large) = self.large.as_mut().filter(|_| length > 0) {
            let Some(front) = large.chunks.front_mut() else { break };
            let piece = length.min(front.len());
            let whole = piece == front.len();
            match (whole, piece < LARGE) {
                (_, true) => {
                    other.push_slice(&front[..piece]);
                    front.advance(piece);
                }
                (true, false) => other.push(std::mem::take(front)),
                (false, false) => other.push(front.split_to(piece)),
            }
            large.length -= piece;
            length -= piece;
            if whole {
                large.chunks.pop_front();
            }
        }
        if length >= LARGE {
            self.is_cut = true;
            other.push(self.tail.split_to(length).freeze());
        } else if length == self.tail.len() && length > 0 {
            other.push_slice(&self.tail);
            self.tail.clear();
        } else if length > 0 {
            other.push_slice(&self.tail[..length]);
            self.tail.advance(length);
        }
        self.forget();
    }

    /// Moves everything to the end of another queue.
    pub(crate) fn append_to(&mut self, other: &mut Self) {
        if other.is_empty() {
            std::mem::swap(self, other);
        } else {
            self.move_to(other, self.len());
        }
    }

    /// An empty queue holds no memory.
    fn forget(&mut self) {
        if self.is_empty() {
            self.large = None;
            let tail = std::mem::take(&mut self.tail);
            match std::mem::take(&mut self.is_cut) {
                true => spare::recycle(tail),
                false => spare::give(tail),
            }
        }
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.is_cut = true;
            let tail = self.tail.split().freeze();
            self.push_back(tail);
        }
    }

    fn push_back(&mut self, chunk: Bytes) {
        let large = self.large.get_or_insert_default();
        large.length += chunk.len();
        large.chunks.push_back(chunk);
    }
}

/// Memory that is lent for a while.
#[cfg(feature = "tokio")]
impl Chunks {
    /// Gives it memory to write to, if it has none.
    pub(crate) fn lend(&mut self, buffer: impl FnOnce() -> BytesMut) {
        if self.tail.is_empty() && !self.tail.try_reclaim(1) {
            self.tail = buffer();
        }
    }

    /// Takes its memory back, if nothing is in it.
    pub(crate) fn recall(&mut self) -> Option<BytesMut> {
        if !self.is_empty() {
            return None;
        }
        self.large = None;
        self.is_cut = false;
        let mut buffer = std::mem::take(&mut self.tail);
        buffer.clear();
        buffer.try_reclaim(1).then_some(buffer)
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        let front = self.large.as_ref().and_then(|large| large.chunks.front());
        front.map_or(&self.tail, |front| front)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let chunks = self.large.iter().flat_map(|large| &large.chunks);
        let pieces = chunks.map(|chunk| &chunk[..]).chain(tail);
        let mut used = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            used += 1;
        }
        used
    }

    fn advance(&mut self, mut length: usize) {
        if let Some(large) = &mut self.large {
            while let Some(front) = large.chunks.front_mut().filter(|_| length > 0) {
                let piece = length.min(front.len());
                front.advance(piece);
                let is_sent = front.is_empty();
                large.length -= piece;
                length -= piece;
                if is_sent && let Some(sent) = large.chunks.pop_front() {
                    spare::recycle_sent(sent);
                }
            }
        }
        self.tail.advance(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of these lengths, with bytes that count up.
    fn queue(lengths: &[usize]) -> (Chunks, Vec<u8>) {
        let (mut queue, mut bytes) = (Chunks::default(), Vec::new());
        for &length in lengths {
            let piece: Vec<u8> = (bytes.len()..bytes.len() + length).map(|byte| byte as u8).collect();
            bytes.extend_from_slice(&piece);
            queue.push(piece.into());
        }
        (queue, bytes)
    }

    const MIXED: &[usize] = &[1, 20, LARGE, 5, LARGE + 7, LARGE - 1, 3, 2 * LARGE, 1];

    #[test]
    fn small_pieces_become_one() {
        let (mut queue, bytes) = queue(&[10, 20, 30]);
        assert_eq!(queue.len(), 60);
        assert_eq!(queue.chunk(), bytes);
        assert_eq!(queue.copy_to_bytes(60), bytes);
        assert!(queue.is_empty());
    }

    #[test]
    fn moved_at_every_length() {
        let total: usize = MIXED.iter().sum();
        for step in [1, 7, 1000, LARGE - 1, LARGE, LARGE + 1, 10_000, total] {
            let (mut from, bytes) = queue(MIXED);
            let mut to = Chunks::default();
            while !from.is_empty() {
                let length = step.min(from.len());
                from.move_to(&mut to, length);
            }
            assert_eq!(to.len(), total);
            assert_eq!(to.copy_to_bytes(total), bytes, "{step}");
        }
    }

    #[test]
    fn appended_behind_what_is_there() {
        let (mut from, bytes) = queue(MIXED);
        let mut to = Chunks::default();
        to.push_slice(b"front");
        from.append_to(&mut to);
        assert!(from.is_empty());
        assert_eq!(to.copy_to_bytes(5), b"front"[..]);
        assert_eq!(to.copy_to_bytes(to.len()), bytes);
    }

    #[test]
    fn gathered_and_advanced() {
        let (mut queue, bytes) = queue(MIXED);
        let mut taken = Vec::new();
        while queue.has_remaining() {
            let mut slices = [IoSlice::new(&[]); 4];
            let used = queue.chunks_vectored(&mut slices);
            let gathered: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.iter().copied()).collect();
            let length = gathered.len().min(3000);
            taken.extend_from_slice(&gathered[..length]);
            queue.advance(length);
        }
        assert_eq!(taken, bytes);
    }

    #[test]
    fn an_empty_queue_keeps_nothing() {
        for lengths in [MIXED, &[257], &[1; 60_000], &[10, LARGE], &[LARGE, 10]] {
            for step in [1, 1000, 5000, usize::MAX] {
                let (mut from, _) = queue(lengths);
                let mut to = Chunks::default();
                while !from.is_empty() {
                    let length = step.min(from.len());
                    from.move_to(&mut to, length);
                }
                assert_eq!((from.large.is_some(), from.tail.capacity()), (false, 0), "{lengths:?} {step}");
            }
        }
    }
}
