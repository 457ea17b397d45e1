use alloc::vec::Vec;
use core::{fmt, mem};

use crate::dynamic_table::DynamicTable;
use crate::entry::Entry;
use crate::error::Error;
use crate::field::size_of_field;
use crate::list::FieldList;
use crate::primitive::{Stop, StringLiteral};
use crate::representation::{Indexing, Name, Representation};
use crate::{DEFAULT_TABLE_SIZE, static_table};

/// Turns header blocks into field lines (RFC 7541 §3).
///
/// One decodes everything that a peer sends over a connection. Until the first entry comes for its dynamic
/// table, it has no memory beyond its own size.
#[derive(Clone)]
pub struct Decoder {
    table: DynamicTable,
    /// What we allow the encoder to use.
    limit: usize,
    /// The next block has to begin with a size update that goes as low as that.
    owed_update: Option<usize>,
    /// The block has had a field.
    in_fields: bool,
    /// The beginning of a representation, of which more is to come.
    rest: Vec<u8>,
    /// How much of it there has to be before it is worth another look.
    needed: usize,
}

impl Decoder {
    /// A decoder with a dynamic table of that many bytes, which is also the limit for size updates.
    ///
    /// In HTTP/2 a connection begins with the [`default`](Self::default) of 4096, whatever our own SETTINGS say:
    /// they hold once they are acknowledged (RFC 9113 §6.5.3), by [`set_max_table_size`](Self::set_max_table_size).
    pub fn new(max_table_size: usize) -> Self {
        Self {
            table: DynamicTable::new(max_table_size),
            limit: max_table_size,
            owed_update: None,
            in_fields: false,
            rest: Vec::new(),
            needed: 0,
        }
    }

    /// Sets the limit to our SETTINGS_HEADER_TABLE_SIZE, once the peer has acknowledged it.
    ///
    /// The table itself changes as the peer's encoder says. If the limit is below what that uses now, its next
    /// block has to begin with saying so (RFC 7541 §4.2).
    pub fn set_max_table_size(&mut self, size: usize) {
        self.limit = size;
        if size < self.owed_update.unwrap_or(self.table.max_size()) {
            self.owed_update = Some(size);
        }
    }

    /// The size of what is in the dynamic table (RFC 7541 §4.1).
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// Decodes the next fragment of a block, the payload of HEADERS or CONTINUATION, and appends its fields to
    /// `list`. `end` says that the block ends with it.
    ///
    /// Fragments may be cut anywhere. What is left of a representation that is not yet whole is kept here: that is
    /// never more than has come, but it is not less either, so that the sum of the fragments is what to limit.
    ///
    /// When the list is full, the rest of the block is still decoded, since the next block depends on it.
    ///
    /// # Errors
    /// Each is final, and the connection with it: COMPRESSION_ERROR.
    pub fn decode(&mut self, fragment: &[u8], end: bool, list: &mut FieldList) -> Result<(), Error> {
        let mut input = fragment;
        if !self.rest.is_empty() {
            input = self.complete_rest(input, list)?;
        }
        while !input.is_empty() {
            match Representation::read(input) {
                Ok((representation, length)) => {
                    self.apply(representation, list)?;
                    input = &input[length..];
                }
                Err(Stop::Needs(_)) if end => return Err(Error::Truncated),
                Err(Stop::Needs(needed)) => {
                    self.needed = needed;
                    self.rest = input.to_vec();
                    break;
                }
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        if end {
            if !self.rest.is_empty() {
                return Err(Error::Truncated);
            }
            self.in_fields = false;
            list.finish();
        }
        Ok(())
    }

    /// Adds as much of `input` to the rest as makes a representation of it. Returns what is left of `input`.
    #[cold]
    fn complete_rest<'a>(&mut self, mut input: &'a [u8], list: &mut FieldList) -> Result<&'a [u8], Error> {
        loop {
            let missing = self.needed.saturating_sub(self.rest.len());
            let (part, behind) = input.split_at(missing.min(input.len()));
            self.rest.extend_from_slice(part);
            input = behind;
            if self.rest.len() < self.needed {
                return Ok(input);
            }
            let rest = mem::take(&mut self.rest);
            match Representation::read(&rest) {
                // What was asked for is the least that it takes: nothing is left.
                Ok((representation, _)) => return self.apply(representation, list).map(|()| input),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Needs(needed)) => {
                    self.needed = needed;
                    self.rest = rest;
                }
            }
        }
    }

    #[inline(always)]
    fn apply(&mut self, representation: Representation<'_>, list: &mut FieldList) -> Result<(), Error> {
        if let Representation::SizeUpdate(size) = representation {
            return self.update_size(size);
        }
        if !self.in_fields {
            if self.owed_update.is_some() {
                return Err(Error::SizeUpdateMissing);
            }
            self.in_fields = true;
        }
        match representation {
            Representation::Indexed(index) => list.push(self.entry(index)?),
            Representation::Literal { name, value, indexing } => self.literal(name, value, indexing, list)?,
            Representation::SizeUpdate(_) => {}
        }
        Ok(())
    }

    fn update_size(&mut self, size: usize) -> Result<(), Error> {
        // RFC 7541 §4.2: "This dynamic table size update MUST occur at the beginning of the first header block".
        if self.in_fields {
            return Err(Error::SizeUpdateMisplaced);
        }
        // RFC 7541 §6.3: "A value that exceeds this limit MUST be treated as a decoding error."
        if size > self.limit {
            return Err(Error::SizeUpdateTooLarge);
        }
        // RFC 7541 §4.2: "the smallest maximum table size that occurs in that interval MUST be signaled".
        if self.owed_update.take().is_some_and(|owed| size > owed) {
            return Err(Error::SizeUpdateMissing);
        }
        self.table.set_max_size(size);
        Ok(())
    }

    #[inline]
    fn entry(&self, index: usize) -> Result<Entry<'_>, Error> {
        let entry = match index.checked_sub(static_table::LEN + 1) {
            Some(newer) => self.table.get(newer),
            None => static_table::get(index),
        };
        // RFC 7541 §2.3.3: "Indices strictly greater than the sum of the lengths of both tables MUST be treated as a
        // decoding error", and so MUST 0 (§6.1).
        entry.ok_or(Error::InvalidIndex)
    }

    #[inline(always)]
    fn literal(
        &mut self,
        name: Name<'_>,
        value: StringLiteral<'_>,
        indexing: Indexing,
        list: &mut FieldList,
    ) -> Result<(), Error> {
        let index = indexing == Indexing::Incremental;
        let mut room = value.longest()
            + match &name {
                Name::Index(index) => self.entry(*index)?.name_len(),
                Name::New(name) => name.longest(),
            };
        let mut stored = list.has_room(room);
        if !stored {
            // It may be shorter, which takes a look.
            room = value.len()?
                + match &name {
                    Name::Index(index) => self.entry(*index)?.name_len(),
                    Name::New(name) => name.len()?,
                };
            stored = list.has_room(room);
        }
        if !stored {
            list.overflow();
            if !index {
                return Ok(());
            }
            if size_of_field(room, 0) > self.table.max_size() {
                // RFC 7541 §4.4: "an attempt to add an entry larger than the maximum size causes the table to be
                // emptied of all existing entries".
                self.table.clear();
                return Ok(());
            }
        }
        let output = list.scratch(room);
        let name_len = match name {
            // RFC 7541 §4.4: the name may be that of an entry that is evicted for this one, so it is copied first.
            Name::Index(index) => {
                let name = self.entry(index)?.name();
                output[..name.len()].copy_from_slice(name);
                name.len()
            }
            Name::New(name) => name.decode(output)?,
        };
        let value_len = value.decode(&mut output[name_len..])?;
        if index {
            let (name, value) = output.split_at(name_len);
            self.table.insert(name, &value[..value_len]);
        }
        if stored {
            list.commit(name_len, value_len, indexing == Indexing::Never);
        }
        Ok(())
    }
}

/// With the 4096 bytes that HTTP/2 begins with (RFC 9113 §6.5.2).
impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_TABLE_SIZE)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Decoder");
        debug.field("table_size", &self.table.size()).field("limit", &self.limit).finish_non_exhaustive()
    }
}
