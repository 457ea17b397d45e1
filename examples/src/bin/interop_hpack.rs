//! HPACK for the interop checks, which are told in `xtask/h2/README.md`: `interop_hpack encode|decode`.
//!
//! Reads lines and answers each block. All that is not a number is in hexadecimal digits.
//!
//! | line | what it is |
//! |---|---|
//! | `table SIZE` | from here on the dynamic table may be so large |
//! | `field NAME VALUE`, `sensitive NAME VALUE` | a field, which may be indexed or must never be |
//! | `end` | the end of the fields of a block |
//! | `block BYTES` | a block |

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use bytes::BytesMut;
use examples::{Error, report};
use sheave_hpack::{Decoder, Encoder, Field, FieldList};

/// The largest table of the checks, in bytes.
const MAX_TABLE: usize = 1 << 16;

fn main() -> ExitCode {
    report(run())
}

fn run() -> Result<(), Error> {
    match std::env::args().nth(1).as_deref() {
        Some("encode") => encode(),
        Some("decode") => decode(),
        _ => Err("say which: encode or decode".into()),
    }
}

fn encode() -> Result<(), Error> {
    let mut encoder = Encoder::with_max_table_size(MAX_TABLE);
    let mut fields = Vec::new();
    each_line(|words, out| {
        match *words {
            ["table", size] => encoder.set_max_table_size(size.parse()?),
            ["field" | "sensitive", name, value] => {
                fields.push((bytes(name)?, bytes(value)?, words[0] == "sensitive"));
            }
            ["end"] => {
                let mut block = BytesMut::new();
                let all = fields.iter().map(|(name, value, sensitive)| Field {
                    name,
                    value,
                    sensitive: *sensitive,
                });
                encoder.encode(all, &mut block);
                fields.clear();
                writeln!(out, "block {}", digits(&block))?;
            }
            _ => return Err("not a line for encoding".into()),
        }
        Ok(())
    })
}

fn decode() -> Result<(), Error> {
    let mut decoder = Decoder::default();
    each_line(|words, out| {
        match *words {
            ["table", size] => decoder.set_max_table_size(size.parse()?),
            ["block", block] => {
                let mut fields = FieldList::new(1 << 20);
                decoder.decode(&bytes(block)?, true, &mut fields)?;
                for Field { name, value, sensitive } in fields.iter() {
                    let kind = if sensitive { "sensitive" } else { "field" };
                    writeln!(out, "{kind} {} {}", digits(name), digits(value))?;
                }
                writeln!(out, "end")?;
            }
            _ => return Err("not a line for decoding".into()),
        }
        Ok(())
    })
}

fn each_line(
    mut take: impl FnMut(&[&str], &mut std::io::StdoutLock<'static>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        take(&line?.split(' ').collect::<Vec<_>>(), &mut out)?;
    }
    Ok(())
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Result<Vec<u8>, Error> {
    let pairs =
        digits.as_bytes().chunks(2).map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?));
    pairs.collect()
}
