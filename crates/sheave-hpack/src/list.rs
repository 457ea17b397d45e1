use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::slice;

use bytes::Bytes;

use crate::MAX_SIZE;
use crate::entry::Entry;
use crate::field::{Field, size_of_field};
use crate::huffman;

/// The field lines of a block, in their order.
///
/// All of them lie in one buffer, which is used again after [`clear`](Self::clear). What goes beyond the limit
/// is not stored, and [`is_overflowed`](Self::is_overflowed) tells so.
///
/// A new list has no memory. It takes what its fields need: a small multiple of the limit at most.
#[derive(Clone)]
pub struct FieldList {
    /// The octets of the fields, and behind them room that has been written to before.
    octets: Vec<u8>,
    /// How many of them are those of fields.
    used: usize,
    spans: Vec<Span>,
    size: usize,
    max_size: usize,
    overflowed: bool,
    join_cookies: bool,
    /// The crumbs of the cookie so far, joined.
    crumbs: Vec<u8>,
    /// Whether one of them is sensitive, if there are any.
    cookie: Option<bool>,
}

#[derive(Clone, Copy)]
struct Span {
    // They fit: the list is not larger than MAX_SIZE.
    name_len: u32,
    value_len: u32,
    sensitive: bool,
}

impl FieldList {
    /// An empty list that takes fields up to this size, counted as SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113
    /// §6.5.2) counts: 32 for each field, its name and its value.
    pub fn new(max_size: usize) -> Self {
        Self {
            octets: Vec::new(),
            used: 0,
            spans: Vec::new(),
            size: 0,
            max_size: max_size.min(MAX_SIZE),
            overflowed: false,
            join_cookies: false,
            crumbs: Vec::new(),
            cookie: None,
        }
    }

    /// Joins all `cookie` fields into one with `"; "` between them, as they have to be before they leave HTTP/2
    /// (RFC 9113 §8.2.3). It is the last field. Default: off.
    pub fn join_cookies(self, join: bool) -> Self {
        Self { join_cookies: join, ..self }
    }

    /// The fields.
    pub fn iter(&self) -> Fields<'_> {
        Fields { spans: self.spans.iter(), octets: &self.octets[..self.used] }
    }

    /// The same fields in memory that their values can share: what `HeaderValue::from_maybe_shared` takes without
    /// another copy. It is made for this call, and lives as long as one of the values.
    pub fn share(&self) -> SharedFields<'_> {
        SharedFields { spans: &self.spans, octets: share(&self.octets[..self.used]) }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The size of what has been stored, each crumb of a cookie counted as the field that it came as.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How much memory it holds, in bytes, which [`clear`](Self::clear) does not give back.
    pub fn capacity(&self) -> usize {
        self.octets.capacity() + self.crumbs.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// Whether the block had more than the limit allows. From the first field that went beyond it on, none was
    /// stored.
    pub fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Forgets everything but the limit, and keeps the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        self.spans.clear();
        self.size = 0;
        self.overflowed = false;
        self.crumbs.clear();
        self.cookie = None;
    }
}

/// What the decoder does with it.
impl FieldList {
    /// Whether there is room for a field with that many octets.
    #[inline]
    pub(crate) fn has_room(&self, len: usize) -> bool {
        !self.overflowed && size_of_field(len, 0) <= self.max_size - self.size
    }

    /// From here on nothing is stored.
    pub(crate) fn overflow(&mut self) {
        self.overflowed = true;
    }

    /// Adds an entry of a table.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry<'_>) {
        let len = entry.text().len();
        if !self.has_room(len) {
            return self.overflow();
        }
        self.grow_to(self.used + len);
        self.octets[self.used..self.used + len].copy_from_slice(entry.text());
        self.commit(entry.name_len(), len - entry.name_len(), false);
    }

    /// Room to write a field to, name first, of that many octets.
    #[inline]
    pub(crate) fn scratch(&mut self, len: usize) -> &mut [u8] {
        let end = self.used + len + huffman::SLACK;
        self.grow_to(end);
        &mut self.octets[self.used..end]
    }

    /// Adds what has been written there; there has to be [room](Self::has_room) for it.
    #[inline]
    pub(crate) fn commit(&mut self, name_len: usize, value_len: usize, sensitive: bool) {
        self.size += size_of_field(name_len, value_len);
        let end = self.used + name_len + value_len;
        if self.join_cookies && &self.octets[self.used..self.used + name_len] == COOKIE {
            match &mut self.cookie {
                Some(secret) => {
                    *secret |= sensitive;
                    // RFC 9113 §8.2.3: "using the two-octet delimiter of 0x3b, 0x20".
                    self.crumbs.extend_from_slice(b"; ");
                }
                none => *none = Some(sensitive),
            }
            return self.crumbs.extend_from_slice(&self.octets[self.used + name_len..end]);
        }
        self.used = end;
        self.spans.push(Span { name_len: name_len as u32, value_len: value_len as u32, sensitive });
    }

    /// The block has ended.
    pub(crate) fn finish(&mut self) {
        if let Some(sensitive) = self.cookie.take() {
            // Its size has been counted crumb by crumb.
            let (start, value) = (self.used, self.used + COOKIE.len());
            let end = value + self.crumbs.len();
            self.grow_to(end);
            self.octets[start..value].copy_from_slice(COOKIE);
            self.octets[value..end].copy_from_slice(&self.crumbs);
            self.used = end;
            let (name_len, value_len) = (COOKIE.len() as u32, self.crumbs.len() as u32);
            self.spans.push(Span { name_len, value_len, sensitive });
            self.crumbs.clear();
        }
    }

    /// What has been made room for stays written to, so that it is not written to for nothing again.
    #[inline]
    fn grow_to(&mut self, len: usize) {
        if len > self.octets.len() {
            self.grow(len);
        }
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.octets.resize(len.max(2 * self.octets.len()).max(LEAST), 0);
    }
}

const COOKIE: &[u8] = b"cookie";

/// What a small request takes.
const LEAST: usize = 256;

impl<'a> IntoIterator for &'a FieldList {
    type Item = Field<'a>;
    type IntoIter = Fields<'a>;

    fn into_iter(self) -> Fields<'a> {
        self.iter()
    }
}

impl fmt::Debug for FieldList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The fields of a [`FieldList`], in memory that can be shared.
pub struct SharedFields<'a> {
    spans: &'a [Span],
    octets: Bytes,
}

impl SharedFields<'_> {
    /// The fields.
    pub fn iter(&self) -> Fields<'_> {
        Fields { spans: self.spans.iter(), octets: &self.octets }
    }

    /// A value of [these](Self::iter), as a part of the memory that all of them share.
    ///
    /// # Panics
    /// If it is not one of theirs.
    pub fn part(&self, value: &[u8]) -> Bytes {
        self.octets.slice_ref(value)
    }
}

impl<'a> IntoIterator for &'a SharedFields<'_> {
    type Item = Field<'a>;
    type IntoIter = Fields<'a>;

    fn into_iter(self) -> Fields<'a> {
        self.iter()
    }
}

impl fmt::Debug for SharedFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// A copy to share. Of a few octets it is one allocation, where `Bytes` take another as soon as they are shared.
fn share(octets: &[u8]) -> Bytes {
    match octets.len() {
        0..=64 => share_few::<64>(octets),
        65..=128 => share_few::<128>(octets),
        129..=256 => share_few::<256>(octets),
        _ => Bytes::copy_from_slice(octets),
    }
}

fn share_few<const ROOM: usize>(octets: &[u8]) -> Bytes {
    struct Few<const ROOM: usize>([u8; ROOM], usize);
    impl<const ROOM: usize> AsRef<[u8]> for Few<ROOM> {
        fn as_ref(&self) -> &[u8] {
            &self.0[..self.1]
        }
    }
    let mut few = Few([0; ROOM], octets.len());
    few.0[..octets.len()].copy_from_slice(octets);
    Bytes::from_owner(few)
}

/// The fields of a [`FieldList`].
#[derive(Clone)]
pub struct Fields<'a> {
    spans: slice::Iter<'a, Span>,
    /// Those of the fields to come.
    octets: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let span = self.spans.next()?;
        let (name, rest) = self.octets.split_at(span.name_len as usize);
        let (value, rest) = rest.split_at(span.value_len as usize);
        self.octets = rest;
        Some(Field { name, value, sensitive: span.sensitive })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl FusedIterator for Fields<'_> {}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
