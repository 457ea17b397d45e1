//! The static table (RFC 7541 §2.3.1, Appendix A).

use crate::entry::Entry;
use crate::hash::hash;

/// How many entries it has, with the indices from 1 on.
pub(crate) const LEN: usize = 61;

/// The entry with this index.
#[inline]
pub(crate) fn get(index: usize) -> Option<Entry<'static>> {
    ENTRIES.get(index.wrapping_sub(1)).copied()
}

/// The first index of a name with this hash.
pub(crate) fn find_name(name_hash: u64, name: &[u8]) -> Option<usize> {
    let mut slot = first_slot(name_hash);
    loop {
        // There are free slots, so that this ends.
        let index = usize::from(NAMES[slot]);
        if get(index)?.name() == name {
            return Some(index);
        }
        slot = next_slot(slot);
    }
}

/// The index of a field, whose name is that of `first` and those behind it.
#[inline]
pub(crate) fn find_value(first: usize, value: &[u8]) -> Option<usize> {
    let mut index = first;
    while get(index)?.value() != value {
        if REPEATED >> index & 1 == 0 {
            return None;
        }
        index += 1;
    }
    Some(index)
}

/// A bit for each entry whose name the next one has too.
const REPEATED: u64 = {
    let (mut set, mut index) = (0, 1);
    while index < LEN {
        if same(ENTRIES[index - 1].name(), ENTRIES[index].name()) {
            set |= 1 << index;
        }
        index += 1;
    }
    set
};

/// A bit for each of those names, at its first index.
pub(crate) const fn set_of(names: &[&str]) -> u64 {
    let (mut set, mut at) = (0, 0);
    while at < names.len() {
        let mut index = 1;
        while !same(ENTRIES[index - 1].name(), names[at].as_bytes()) {
            index += 1;
        }
        set |= 1 << index;
        at += 1;
    }
    set
}

/// The first index of each name, to be found by its hash.
static NAMES: [u8; SLOTS] = names();

/// Enough to find most of the 52 names at the first attempt.
const SLOTS: usize = 256;

const fn first_slot(name_hash: u64) -> usize {
    (name_hash >> 32) as usize % SLOTS
}

const fn next_slot(slot: usize) -> usize {
    (slot + 1) % SLOTS
}

const fn names() -> [u8; SLOTS] {
    let mut names = [0; SLOTS];
    let mut index = 1;
    while index <= LEN {
        let name = ENTRIES[index - 1].name();
        // All entries of a name are next to each other.
        if index == 1 || !same(ENTRIES[index - 2].name(), name) {
            let mut slot = first_slot(hash(0, name));
            while names[slot] != 0 {
                slot = next_slot(slot);
            }
            names[slot] = index as u8;
        }
        index += 1;
    }
    names
}

/// `==`, which is not for constants yet.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

macro_rules! entries {
    ($($name:literal $value:literal,)*) => {
        [$(Entry::new(concat!($name, $value).as_bytes(), $name.len()),)*]
    };
}

const ENTRIES: [Entry<'static>; LEN] = entries![
    ":authority" "",
    ":method" "GET",
    ":method" "POST",
    ":path" "/",
    ":path" "/index.html",
    ":scheme" "http",
    ":scheme" "https",
    ":status" "200",
    ":status" "204",
    ":status" "206",
    ":status" "304",
    ":status" "400",
    ":status" "404",
    ":status" "500",
    "accept-charset" "",
    "accept-encoding" "gzip, deflate",
    "accept-language" "",
    "accept-ranges" "",
    "accept" "",
    "access-control-allow-origin" "",
    "age" "",
    "allow" "",
    "authorization" "",
    "cache-control" "",
    "content-disposition" "",
    "content-encoding" "",
    "content-language" "",
    "content-length" "",
    "content-location" "",
    "content-range" "",
    "content-type" "",
    "cookie" "",
    "date" "",
    "etag" "",
    "expect" "",
    "expires" "",
    "from" "",
    "host" "",
    "if-match" "",
    "if-modified-since" "",
    "if-none-match" "",
    "if-range" "",
    "if-unmodified-since" "",
    "last-modified" "",
    "link" "",
    "location" "",
    "max-forwards" "",
    "proxy-authenticate" "",
    "proxy-authorization" "",
    "range" "",
    "referer" "",
    "refresh" "",
    "retry-after" "",
    "server" "",
    "set-cookie" "",
    "strict-transport-security" "",
    "transfer-encoding" "",
    "user-agent" "",
    "vary" "",
    "via" "",
    "www-authenticate" "",
];
