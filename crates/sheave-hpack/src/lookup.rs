use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::dynamic_table::DynamicTable;

/// Finds fields and names in the encoder's dynamic table by their hashes, and remembers what was not put there.
///
/// It takes 1.5 KiB, and 16 bytes for each entry of the table.
#[derive(Clone)]
pub(crate) struct Lookup {
    /// The newest entry in each bucket of names.
    names: [Number; BUCKETS],
    /// The newest entry in each bucket of fields.
    fields: [Number; BUCKETS],
    /// One for each entry of the table, oldest first.
    links: VecDeque<Link>,
    /// How many entries there have been.
    inserted: Number,
    /// Of the fields seen lately that were not indexed, the last in each bucket.
    seen: [u32; BUCKETS],
}

/// An entry, by how many there had been when it was inserted. It wraps around.
type Number = u32;

/// An entry in its two buckets. The next ones in a bucket are older, and once one of them has been evicted, so have
/// all behind it. So eviction has nothing to do here.
#[derive(Clone)]
struct Link {
    name: u32,
    field_hash: u32,
    next_name: Number,
    next_field: Number,
}

/// A name to look for.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) octets: &'a [u8],
    pub(crate) hash: u64,
    /// Where in the static table it comes first, if it does.
    pub(crate) static_index: Option<usize>,
}

impl Name<'_> {
    /// What equal names have in common: the static index, which other names do not have, or else a hash.
    #[inline]
    fn key(self) -> u32 {
        match self.static_index {
            Some(index) => index as u32,
            None => short(self.hash) | HASHED,
        }
    }

    #[inline]
    fn is_static(self) -> bool {
        self.static_index.is_some()
    }
}

/// Makes a hash larger than any static index.
const HASHED: u32 = 1 << 31;

/// In a table of 4096 bytes there are rarely more than half as many entries.
const BUCKETS: usize = 128;

/// How many entries of a bucket are looked at, however many have been made to fall into it.
const STEPS: usize = 16;

impl Lookup {
    /// Out of line, to keep it from the stack of those who have one already.
    #[cold]
    pub(crate) fn boxed() -> Box<Self> {
        Box::new(Self {
            names: [0; BUCKETS],
            fields: [0; BUCKETS],
            links: VecDeque::new(),
            inserted: 0,
            seen: [0; BUCKETS],
        })
    }

    /// The newest entry with this name: how many are newer.
    #[inline]
    pub(crate) fn find_name(&self, table: &DynamicTable, name: Name<'_>) -> Option<usize> {
        let mut candidates = self.candidates(self.names[bucket(name.hash)], |link| link.next_name);
        candidates.find_map(|(newer, link)| {
            let found =
                link.name == name.key() && (name.is_static() || table.get(newer)?.name() == name.octets);
            found.then_some(newer)
        })
    }

    /// The newest entry that is this field: how many are newer.
    #[inline]
    pub(crate) fn find_field(
        &self,
        table: &DynamicTable,
        hash: u64,
        name: Name<'_>,
        value: &[u8],
    ) -> Option<usize> {
        let mut candidates = self.candidates(self.fields[bucket(hash)], |link| link.next_field);
        candidates.find_map(|(newer, link)| {
            if link.field_hash != short(hash) || link.name != name.key() {
                return None;
            }
            let entry = table.get(newer)?;
            let found = entry.value() == value && (name.is_static() || entry.name() == name.octets);
            found.then_some(newer)
        })
    }

    /// The entry that `table` has got has this name, and this hash.
    pub(crate) fn insert(&mut self, table: &DynamicTable, name: Name<'_>, field_hash: u64) {
        self.inserted = self.inserted.wrapping_add(1);
        let key = name.key();
        let (name, field) = (&mut self.names[bucket(name.hash)], &mut self.fields[bucket(field_hash)]);
        self.links.push_back(Link {
            name: key,
            field_hash: short(field_hash),
            next_name: *name,
            next_field: *field,
        });
        *name = self.inserted;
        *field = self.inserted;
        self.follow(table);
    }

    /// Forgets the entries that `table` has evicted.
    pub(crate) fn follow(&mut self, table: &DynamicTable) {
        let evicted = self.links.len().saturating_sub(table.len());
        self.links.drain(..evicted);
    }

    /// Whether a field with this hash was asked about lately. Now it has been.
    pub(crate) fn was_seen(&mut self, hash: u64) -> bool {
        let last = &mut self.seen[bucket(hash)];
        let seen = *last == short(hash);
        *last = short(hash);
        seen
    }

    /// The entries of a bucket, newest first, and how many of all are newer.
    #[inline]
    fn candidates(
        &self,
        newest: Number,
        next: impl Fn(&Link) -> Number,
    ) -> impl Iterator<Item = (usize, &Link)> {
        let mut number = newest;
        // Numbers that have wrapped around must not lead back to where they came from.
        let mut least = 0;
        let candidate = move || {
            let newer = self.inserted.wrapping_sub(number) as usize;
            if newer < least {
                return None;
            }
            let link = self.links.get(self.links.len().checked_sub(newer + 1)?)?;
            (number, least) = (next(link), newer + 1);
            Some((newer, link))
        };
        core::iter::from_fn(candidate).take(STEPS)
    }
}

fn bucket(hash: u64) -> usize {
    (hash >> 32) as usize % BUCKETS
}

fn short(hash: u64) -> u32 {
    hash as u32
}
