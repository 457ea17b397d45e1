//! What the tests share: blocks written by hand, random fields, and another decoder.
#![allow(dead_code, unreachable_pub, unused_imports)]

pub mod codes;
pub mod plain;
mod random;
pub mod wire;

use bytes::BytesMut;
use sheave_hpack::{Decoder, Encoder, Error, Field, FieldList};

pub use self::random::Random;

/// A name, a value, and whether it is sensitive.
pub type Line = (Vec<u8>, Vec<u8>, bool);

pub fn line(name: &str, value: &str) -> Line {
    (name.into(), value.into(), false)
}

pub fn field((name, value, sensitive): &Line) -> Field<'_> {
    Field { name, value, sensitive: *sensitive }
}

pub fn lines(list: &FieldList) -> Vec<Line> {
    list.iter().map(|field| (field.name.to_vec(), field.value.to_vec(), field.sensitive)).collect()
}

/// Decodes a block in one piece.
pub fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Line>, Error> {
    let mut list = FieldList::new(usize::MAX);
    decoder.decode(block, true, &mut list)?;
    Ok(lines(&list))
}

/// Decodes a block in one piece, cut everywhere, and octet by octet: that must be the same.
pub fn decode_any_way(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Line>, Error> {
    let before = decoder.clone();
    let whole = decode(decoder, block);
    let in_parts = |parts: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = before.clone();
        let mut list = FieldList::new(usize::MAX);
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            decoder.decode(part, parts.peek().is_none(), &mut list)?;
        }
        Ok((lines(&list), decoder.table_size()))
    };
    let expected = whole.clone().map(|lines| (lines, decoder.table_size()));
    for at in 0..=block.len() {
        assert_eq!(in_parts(&mut [&block[..at], &block[at..]].into_iter()), expected, "cut at {at}");
    }
    if !block.is_empty() {
        assert_eq!(in_parts(&mut block.chunks(1)), expected, "octet by octet");
    }
    whole
}

pub fn encode(encoder: &mut Encoder, lines: &[Line]) -> Vec<u8> {
    let mut block = BytesMut::new();
    encoder.encode(lines.iter().map(field), &mut block);
    block.to_vec()
}

/// The entries of the dynamic table, newest first, as one who sends indices gets to see them.
pub fn entries(decoder: &Decoder) -> Vec<(String, String)> {
    let entry = |index| {
        let lines = decode(&mut decoder.clone(), &wire::indexed(index)).ok()?;
        let [(name, value, _)]: [Line; 1] = lines.try_into().unwrap();
        Some((String::from_utf8(name).unwrap(), String::from_utf8(value).unwrap()))
    };
    (62..).map_while(entry).collect()
}
