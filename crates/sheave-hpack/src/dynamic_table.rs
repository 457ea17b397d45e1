//! The dynamic table (RFC 7541 §2.3.2, §4), the same on both sides.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::MAX_SIZE;
use crate::entry::Entry;
use crate::field::size_of_field;

/// Entries whose octets lie one behind the other in one buffer, so that an entry needs no memory of its own
/// and is always in one piece. It takes memory for what is in it, at most about three times `max_size`.
#[derive(Clone, Default)]
pub(crate) struct DynamicTable {
    /// The octets of the entries, oldest first, behind what is left of evicted ones.
    octets: Vec<u8>,
    /// How many octets have been before those.
    gone: usize,
    /// Oldest first.
    entries: VecDeque<Span>,
    size: usize,
    max_size: usize,
}

#[derive(Clone)]
struct Span {
    /// Where it begins, counted over all octets that ever were; may wrap around.
    at: usize,
    // They fit: the table is not larger than MAX_SIZE.
    name_len: u32,
    value_len: u32,
}

impl DynamicTable {
    pub(crate) fn new(max_size: usize) -> Self {
        Self { max_size: max_size.min(MAX_SIZE), ..Self::default() }
    }

    /// The sum of the sizes of its entries.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn max_size(&self) -> usize {
        self.max_size
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Changes what it may hold.
    pub(crate) fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size.min(MAX_SIZE);
        // RFC 7541 §4.3.
        self.evict_to(self.max_size);
        if self.octets.capacity() > self.max_size.saturating_mul(2) {
            self.slide();
            self.octets.shrink_to(self.max_size);
            self.entries.shrink_to(self.max_size / size_of_field(0, 0));
        }
    }

    /// The entry that `newer` have been added after.
    #[inline]
    pub(crate) fn get(&self, newer: usize) -> Option<Entry<'_>> {
        let span = self.entries.get(self.entries.len().wrapping_sub(newer).wrapping_sub(1))?;
        let start = span.at.wrapping_sub(self.gone);
        let text = self.octets.get(start..start + span.len())?;
        Some(Entry::new(text, span.name_len as usize))
    }

    /// Adds an entry. One that is larger than the table empties it (RFC 7541 §4.4).
    pub(crate) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let size = size_of_field(name.len(), value.len());
        let Some(room) = self.max_size.checked_sub(size) else { return self.clear() };
        self.evict_to(room);
        self.make_room(name.len() + value.len());
        let at = self.gone.wrapping_add(self.octets.len());
        self.octets.extend_from_slice(name);
        self.octets.extend_from_slice(value);
        self.entries.push_back(Span { at, name_len: name.len() as u32, value_len: value.len() as u32 });
        self.size += size;
    }

    pub(crate) fn clear(&mut self) {
        self.evict_to(0);
    }

    /// Evicts the oldest entries until what is left is no larger than `size`.
    fn evict_to(&mut self, size: usize) {
        while self.size > size
            && let Some(span) = self.entries.pop_front()
        {
            self.size -= size_of_field(span.name_len as usize, span.value_len as usize);
        }
    }

    /// Sees to it that `more` octets fit in behind the others.
    fn make_room(&mut self, more: usize) {
        if self.octets.len() + more <= self.octets.capacity() {
            return;
        }
        self.slide();
        // With twice the room that is needed, as many octets come before the next time as are moved now.
        let enough = 2 * (self.octets.len() + more);
        if enough > self.octets.capacity() {
            self.octets.reserve_exact(enough - self.octets.len());
        }
    }

    /// Moves the octets of the entries to the beginning.
    fn slide(&mut self) {
        let dead = match self.entries.front() {
            Some(oldest) => oldest.at.wrapping_sub(self.gone),
            None => self.octets.len(),
        };
        self.octets.drain(..dead);
        self.gone = self.gone.wrapping_add(dead);
    }
}

impl Span {
    fn len(&self) -> usize {
        self.name_len as usize + self.value_len as usize
    }
}
