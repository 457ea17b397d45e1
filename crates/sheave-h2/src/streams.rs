//! All streams of a connection.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::stream::{Closed, Stream};
use crate::stream_id::StreamId;

/// Which stream is meant. One that is closed is never mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    index: u32,
    id: StreamId,
}

impl StreamKey {
    /// The stream's number.
    pub fn id(self) -> StreamId {
        self.id
    }

    /// A number below the most streams that were ever open at once, which no other stream has until this one is
    /// closed: for a table beside the connection's.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// The streams that are not closed, and what is remembered of those that are.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    slots: Vec<Option<Stream>>,
    free: Vec<u32>,
    ids: HashMap<StreamId, u32, BuildHasherDefault<IdHasher>>,
    closed: Remembered,
}

impl Streams {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn insert(&mut self, stream: Stream) -> StreamKey {
        let id = stream.id;
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = Some(stream);
                index
            }
            None => {
                self.slots.push(Some(stream));
                (self.slots.len() - 1) as u32
            }
        };
        self.ids.insert(id, index);
        StreamKey { index, id }
    }

    pub(crate) fn key(&self, id: StreamId) -> Option<StreamKey> {
        self.ids.get(&id).map(|&index| StreamKey { index, id })
    }

    pub(crate) fn get(&self, key: StreamKey) -> Option<&Stream> {
        self.slots.get(key.index())?.as_ref().filter(|stream| stream.id == key.id)
    }

    pub(crate) fn get_mut(&mut self, key: StreamKey) -> Option<&mut Stream> {
        self.slots.get_mut(key.index())?.as_mut().filter(|stream| stream.id == key.id)
    }

    /// The stream is closed.
    pub(crate) fn remove(&mut self, key: StreamKey, closed: Closed) -> Option<Stream> {
        self.get(key)?;
        let stream = self.slots[key.index()].take();
        self.ids.remove(&key.id);
        self.closed.push(key.id, closed);
        self.free.push(key.index);
        stream
    }

    /// Holds nothing for streams if there are none, and were more than a few. Tells whether there were.
    pub(crate) fn shrink(&mut self) -> bool {
        /// As many have room in the least memory that a vector takes.
        const FEW: usize = 4;
        let were_more = self.slots.len() > FEW;
        if were_more && self.ids.is_empty() {
            (self.slots, self.free, self.ids) = <_>::default();
        }
        were_more
    }

    /// A stream that is not here closed like this.
    pub(crate) fn remember(&mut self, id: StreamId, closed: Closed) {
        match self.closed.position(id) {
            Some(at) => self.closed.ring[at].1 = closed,
            None => self.closed.push(id, closed),
        }
    }

    /// How a stream closed that is not here, and not idle.
    pub(crate) fn closed(&self, id: StreamId) -> Closed {
        self.closed.get(id)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = StreamKey> + '_ {
        self.ids.iter().map(|(&id, &index)| StreamKey { index, id })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.slots.iter_mut().flatten()
    }
}

/// The last streams that closed.
#[derive(Debug, Default)]
struct Remembered {
    ring: Vec<(StreamId, Closed)>,
    next: usize,
    /// The highest that is not remembered any more.
    forgotten: StreamId,
}

impl Remembered {
    /// Enough for what a peer does not know yet, with many streams that come and go.
    const MOST: usize = 1024;

    fn push(&mut self, id: StreamId, closed: Closed) {
        if self.ring.len() < Self::MOST {
            self.ring.push((id, closed));
        } else {
            let (forgotten, _) = std::mem::replace(&mut self.ring[self.next], (id, closed));
            self.forgotten = self.forgotten.max(forgotten);
            self.next = (self.next + 1) % Self::MOST;
        }
    }

    /// The newest are looked at first: what comes late seldom comes much later.
    fn position(&self, id: StreamId) -> Option<usize> {
        let (newer, older) = self.ring.split_at(self.next);
        let find = |part: &[(StreamId, Closed)]| part.iter().rposition(|remembered| remembered.0 == id);
        find(newer).or_else(|| find(older).map(|at| self.next + at))
    }

    fn get(&self, id: StreamId) -> Closed {
        match self.position(id) {
            Some(at) => self.ring[at].1,
            None if id <= self.forgotten => Closed::Forgotten,
            None => Closed::Skipped,
        }
    }
}

/// Stream ids come in order: multiplication is enough to spread them.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
