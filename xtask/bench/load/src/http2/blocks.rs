//! RFC 7541, as much as it takes: the fields of requests that are all alike, and the status of an answer.

use crate::http1::offer;
use crate::options::{Options, Workload};

/// Smaller tables are not used.
const TABLE: u32 = 1024;
/// Where the dynamic table begins (§2.3.3).
const DYNAMIC: usize = 62;

enum Field {
    /// In the static table.
    Indexed(u8),
    /// The index of the name, or 0 if it has none.
    Literal(u8, &'static str, &'static str),
}

/// The fields of every request: those that are in no table are put there by the first one.
pub(crate) struct Blocks {
    first: Vec<u8>,
    later: Vec<u8>,
    sent: bool,
}

impl Blocks {
    /// For a server whose decoder may have a table of that size.
    pub(crate) fn new(options: &Options, table: u32) -> Self {
        use Field::{Indexed, Literal};
        let scheme = Indexed(6 + u8::from(options.tls));
        let path = Indexed(4);
        let authority = Literal(1, ":authority", "localhost");
        let mut fields = match options.workload {
            Workload::Get => vec![Indexed(2), scheme, path, authority, Literal(58, "user-agent", "load")],
            _ => vec![
                Literal(2, ":method", "CONNECT"),
                Literal(0, ":protocol", "websocket"),
                scheme,
                path,
                authority,
                Literal(0, "sec-websocket-version", "13"),
            ],
        };
        if let Some(takeover) = options.deflate {
            fields.push(Literal(0, "sec-websocket-extensions", offer(takeover)));
        }
        Self::of(&fields, table)
    }

    fn of(fields: &[Field], table: u32) -> Self {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        let indexing = table >= TABLE;
        if table < 4096 {
            // §4.2: the size that both sides begin with is no longer allowed.
            put_integer(&mut first, 0x20, 5, if indexing { table as usize } else { 0 });
        }
        let mut behind = fields.iter().filter(|field| matches!(field, Field::Literal(..))).count();
        for field in fields {
            match *field {
                Field::Indexed(index) => {
                    first.push(0x80 | index);
                    later.push(0x80 | index);
                }
                Field::Literal(index, name, value) if indexing => {
                    behind -= 1;
                    put_literal(&mut first, 0x40, 6, index, name, value);
                    put_integer(&mut later, 0x80, 7, DYNAMIC + behind);
                }
                Field::Literal(index, name, value) => {
                    put_literal(&mut first, 0, 4, index, name, value);
                    put_literal(&mut later, 0, 4, index, name, value);
                }
            }
        }
        Self { first, later, sent: false }
    }

    /// What the next request has.
    pub(crate) fn next(&mut self) -> &[u8] {
        if std::mem::replace(&mut self.sent, true) { &self.later } else { &self.first }
    }
}

/// §5.1.
fn put_integer(output: &mut Vec<u8>, pattern: u8, bits: u32, value: usize) {
    let prefix = (1 << bits) - 1;
    if value < prefix {
        output.push(pattern | value as u8);
        return;
    }
    output.push(pattern | prefix as u8);
    let mut rest = value - prefix;
    while rest >= 0x80 {
        output.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    output.push(rest as u8);
}

/// §6.2, without Huffman.
fn put_literal(output: &mut Vec<u8>, pattern: u8, bits: u32, index: u8, name: &str, value: &str) {
    put_integer(output, pattern, bits, usize::from(index));
    for text in [Some(name).filter(|_| index == 0), Some(value)].into_iter().flatten() {
        put_integer(output, 0, 7, text.len());
        output.extend(text.as_bytes());
    }
}

/// Whether the block's first field is `:status 200`, in one of the forms that a server may choose.
pub(crate) fn is_ok(mut block: &[u8]) -> bool {
    // §6.3: updates of the table's size.
    while let [first, rest @ ..] = block
        && first & 0xe0 == 0x20
    {
        let more =
            if first & 0x1f == 0x1f { 1 + rest.iter().take_while(|byte| **byte >= 0x80).count() } else { 0 };
        block = rest.get(more..).unwrap_or_default();
    }
    match block {
        [0x88, ..] => true,
        // §6.2: a literal whose name is that of any status in the static table.
        [0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e, value @ ..] => {
            value.starts_with(b"\x03200") || value.starts_with(&[0x82, 0x10, 0x01])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 3] =
        [Field::Indexed(2), Field::Literal(1, ":authority", "localhost"), Field::Literal(0, "a", "b")];

    #[test]
    fn later_requests_are_indexed() {
        let mut blocks = Blocks::of(&FIELDS, 4096);
        assert_eq!(blocks.next(), b"\x82\x41\x09localhost\x40\x01a\x01b");
        assert_eq!(blocks.next(), b"\x82\xbf\xbe");
        assert_eq!(blocks.next(), b"\x82\xbf\xbe");
    }

    #[test]
    fn a_server_may_have_a_smaller_table() {
        let mut blocks = Blocks::of(&FIELDS, 2048);
        assert_eq!(blocks.next(), b"\x3f\xe1\x0f\x82\x41\x09localhost\x40\x01a\x01b");
        assert_eq!(blocks.next(), b"\x82\xbf\xbe");
        let mut blocks = Blocks::of(&FIELDS, 0);
        assert_eq!(blocks.next(), b"\x20\x82\x01\x09localhost\x00\x01a\x01b");
        assert_eq!(blocks.next(), b"\x82\x01\x09localhost\x00\x01a\x01b");
    }

    #[test]
    fn integers_are_those_of_the_rfc() {
        let mut output = Vec::new();
        put_integer(&mut output, 0, 5, 10);
        put_integer(&mut output, 0, 5, 1337);
        put_integer(&mut output, 0, 8, 42);
        assert_eq!(output, [0x0a, 0x1f, 0x9a, 0x0a, 0x2a]);
    }

    #[test]
    fn the_status_is_found_in_every_form() {
        for block in [
            &b"\x88"[..],
            b"\x88\x82",
            b"\x20\x88",
            b"\x3f\xe1\x1f\x88",
            b"\x20\x3f\xe1\x1f\x48\x03200",
            b"\x08\x03200",
            b"\x18\x82\x10\x01",
            b"\x4e\x82\x10\x01",
        ] {
            assert!(is_ok(block), "{block:02x?}");
        }
        for block in
            [&b""[..], b"\x89", b"\x20", b"\x3f\xe1", b"\x48\x03404", b"\x48\x82\x10\x02", b"\x82\x88"]
        {
            assert!(!is_ok(block), "{block:02x?}");
        }
    }
}
