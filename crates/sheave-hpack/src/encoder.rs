use alloc::boxed::Box;
use core::fmt;

use bytes::BytesMut;

use crate::dynamic_table::DynamicTable;
use crate::field::Field;
use crate::hash::hash;
use crate::lookup::{Lookup, Name};
use crate::representation::{Indexing, put_indexed, put_literal, put_size_update};
use crate::{DEFAULT_TABLE_SIZE, MAX_SIZE, static_table};

/// Turns field lines into header blocks (RFC 7541 §2, §6).
///
/// One encodes everything that is sent over a connection, in the order in which it is sent. Until it first has
/// something to remember, it has no memory beyond its own size.
///
/// # What it indexes
/// Each entry of the dynamic table evicts others, so what will not come again is kept out of it:
///
/// * sensitive fields, which are never indexed, and with them `authorization`, `proxy-authorization` and `cookie` where
///   the value is shorter than 20 bytes: it could be guessed (RFC 7541 §7.1.3);
/// * fields that would take more than three quarters of the table;
/// * until they come a second time, fields with a name that mostly has a new value each time (`:path`, `date`,
///   `etag`, …), or that is in the dynamic table with another value.
#[derive(Clone)]
pub struct Encoder {
    table: DynamicTable,
    lookup: Option<Box<Lookup>>,
    /// What we use of what the peer allows.
    limit: usize,
    /// The size that the table is to have in the next block, and the smallest that it was to have since the last.
    size: usize,
    smallest: usize,
    split_cookies: bool,
}

/// RFC 7541 §7.1.3: what is shorter may be found by trying.
const GUESSABLE: usize = 20;

/// The names whose short values are kept secret.
const SECRETS: u64 = static_table::set_of(&["authorization", "cookie", "proxy-authorization"]);

/// The names that mostly have a new value each time.
const VOLATILE: u64 = static_table::set_of(&[
    ":path",
    "age",
    "content-length",
    "content-location",
    "content-range",
    "date",
    "etag",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "range",
    "retry-after",
    "set-cookie",
]);

impl Encoder {
    /// An encoder that uses at most 4096 bytes of what the peer allows for its dynamic table.
    pub fn new() -> Self {
        Self::with_max_table_size(DEFAULT_TABLE_SIZE)
    }

    /// An encoder that uses at most `limit` bytes of what the peer allows for its dynamic table. The peer allows
    /// 4096 until it says otherwise.
    pub fn with_max_table_size(limit: usize) -> Self {
        let limit = limit.min(MAX_SIZE);
        let size = limit.min(DEFAULT_TABLE_SIZE);
        Self {
            table: DynamicTable::new(DEFAULT_TABLE_SIZE),
            lookup: None,
            limit,
            size,
            smallest: size,
            split_cookies: false,
        }
    }

    /// Sends each crumb of a cookie as a field of its own, so that those that stay the same need not be sent
    /// again (RFC 9113 §8.2.3). Default: off.
    pub fn split_cookies(self, split: bool) -> Self {
        Self { split_cookies: split, ..self }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE, to be called before they are acknowledged. The next block begins with
    /// what follows from it.
    pub fn set_max_table_size(&mut self, size: usize) {
        // RFC 7541 §4.2: "the chosen size MUST stay lower than or equal to the maximum set by the protocol".
        self.size = size.min(self.limit);
        self.smallest = self.smallest.min(self.size);
    }

    /// The size of what is in the dynamic table (RFC 7541 §4.1).
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// Appends a whole block with these fields, in their order, to `block`.
    pub fn encode<'a>(&mut self, fields: impl IntoIterator<Item = Field<'a>>, block: &mut BytesMut) {
        self.put_size_updates(block);
        for field in fields {
            if self.split_cookies && field.name == b"cookie" {
                self.put_crumbs(field, block);
            } else {
                self.put(field, block);
            }
        }
    }

    fn put_size_updates(&mut self, block: &mut BytesMut) {
        // RFC 7541 §4.2: "the smallest maximum table size that occurs in that interval MUST be signaled in a dynamic
        // table size update. The final maximum size is always signaled, resulting in at most two".
        for size in [self.smallest.min(self.table.max_size()), self.size] {
            if size != self.table.max_size() {
                put_size_update(size, block);
                self.table.set_max_size(size);
                self.follow_table();
            }
        }
        self.smallest = self.size;
    }

    fn follow_table(&mut self) {
        if self.table.max_size() == 0 {
            self.lookup = None;
        }
        if let Some(lookup) = &mut self.lookup {
            lookup.follow(&self.table);
        }
    }

    #[inline(never)]
    fn put_crumbs(&mut self, cookie: Field<'_>, block: &mut BytesMut) {
        let mut rest = Some(cookie.value);
        while let Some(value) = rest {
            let end = value.windows(2).position(|pair| pair == b"; ");
            rest = end.map(|end| &value[end + 2..]);
            self.put(Field { value: &value[..end.unwrap_or(value.len())], ..cookie }, block);
        }
    }

    #[inline(always)]
    fn put(&mut self, field: Field<'_>, block: &mut BytesMut) {
        let value = field.value;
        let name_hash = hash(0, field.name);
        let static_index = static_table::find_name(name_hash, field.name);
        let name = Name { octets: field.name, hash: name_hash, static_index };
        // RFC 7541 §6.2.3: what came as never indexed "MUST use the same representation to forward this header field".
        let secret = field.sensitive || value.len() < GUESSABLE && is_in(SECRETS, static_index);
        if !secret && let Some(index) = static_index.and_then(|first| static_table::find_value(first, value))
        {
            return put_indexed(index, block);
        }
        let may_index = !secret && field.size() <= self.table.max_size() / 4 * 3;
        let mut dynamic_name = None;
        let mut indexing = if secret { Indexing::Never } else { Indexing::Without };
        let field_hash = if may_index { hash(name_hash, value) } else { 0 };
        if may_index {
            let lookup = self.lookup.get_or_insert_with(Lookup::boxed);
            if let Some(newer) = lookup.find_field(&self.table, field_hash, name, value) {
                return put_indexed(dynamic_index(newer), block);
            }
            dynamic_name = lookup.find_name(&self.table, name);
            let comes_once = dynamic_name.is_some() || is_in(VOLATILE, static_index);
            if !comes_once || lookup.was_seen(field_hash) {
                indexing = Indexing::Incremental;
            }
        } else if static_index.is_none()
            && let Some(lookup) = &self.lookup
        {
            dynamic_name = lookup.find_name(&self.table, name);
        }
        let index = static_index.or(dynamic_name.map(dynamic_index));
        put_literal(indexing, index, field.name, value, block);
        if indexing == Indexing::Incremental {
            self.table.insert(field.name, value);
            if let Some(lookup) = &mut self.lookup {
                lookup.insert(&self.table, name, field_hash);
            }
        }
    }
}

/// The index of the entry that `newer` are newer than (RFC 7541 §2.3.3).
fn dynamic_index(newer: usize) -> usize {
    static_table::LEN + 1 + newer
}

/// Whether the name with this index is one of `set`.
fn is_in(set: u64, static_name: Option<usize>) -> bool {
    static_name.is_some_and(|index| set >> index & 1 == 1)
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Encoder");
        debug.field("table_size", &self.table.size()).field("limit", &self.limit).finish_non_exhaustive()
    }
}
