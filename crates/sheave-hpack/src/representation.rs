//! The binary format (RFC 7541 §6).

use bytes::BytesMut;

use crate::primitive::{Reader, Stop, StringLiteral, put_integer, put_string};

/// What a header block is made of.
pub(crate) enum Representation<'a> {
    /// A field of a table (RFC 7541 §6.1).
    Indexed(usize),
    /// A field of its own (RFC 7541 §6.2).
    Literal { name: Name<'a>, value: StringLiteral<'a>, indexing: Indexing },
    /// From here on the dynamic table has this size (RFC 7541 §6.3).
    SizeUpdate(usize),
}

/// The name of a literal.
pub(crate) enum Name<'a> {
    Index(usize),
    New(StringLiteral<'a>),
}

/// What becomes of a literal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indexing {
    /// It goes into the dynamic table (RFC 7541 §6.2.1).
    Incremental,
    /// It does not (RFC 7541 §6.2.2).
    Without,
    /// Nor may it ever, wherever it goes from here (RFC 7541 §6.2.3).
    Never,
}

impl<'a> Representation<'a> {
    /// Reads one from the beginning of `input` and tells how long it is. No string is looked into.
    #[inline(always)]
    pub(crate) fn read(input: &'a [u8]) -> Result<(Self, usize), Stop> {
        let mut reader = Reader::new(input);
        let representation = match reader.peek()?.leading_zeros() {
            0 => Self::Indexed(reader.integer(7)?),
            1 => Self::read_literal(&mut reader, Indexing::Incremental)?,
            2 => Self::SizeUpdate(reader.integer(5)?),
            3 => Self::read_literal(&mut reader, Indexing::Never)?,
            _ => Self::read_literal(&mut reader, Indexing::Without)?,
        };
        Ok((representation, reader.position()))
    }

    #[inline(always)]
    fn read_literal(reader: &mut Reader<'a>, indexing: Indexing) -> Result<Self, Stop> {
        let (_, prefix) = indexing.pattern();
        let name = match reader.integer(prefix)? {
            0 => Name::New(reader.string()?),
            index => Name::Index(index),
        };
        Ok(Self::Literal { name, value: reader.string()?, indexing })
    }
}

impl Indexing {
    /// The first bits of the representation, and how many are left for the index.
    #[inline(always)]
    fn pattern(self) -> (u8, u32) {
        match self {
            Self::Incremental => (0b0100_0000, 6),
            Self::Without => (0b0000_0000, 4),
            Self::Never => (0b0001_0000, 4),
        }
    }
}

pub(crate) fn put_indexed(index: usize, block: &mut BytesMut) {
    put_integer(index, 0b1000_0000, 7, block);
}

/// Writes a literal whose name is that of `index`, if there is one.
pub(crate) fn put_literal(
    indexing: Indexing,
    index: Option<usize>,
    name: &[u8],
    value: &[u8],
    block: &mut BytesMut,
) {
    let (pattern, prefix) = indexing.pattern();
    put_integer(index.unwrap_or(0), pattern, prefix, block);
    if index.is_none() {
        put_string(name, block);
    }
    put_string(value, block);
}

pub(crate) fn put_size_update(size: usize, block: &mut BytesMut) {
    put_integer(size, 0b0010_0000, 5, block);
}
