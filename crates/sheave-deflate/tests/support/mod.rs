//! What the tests share: random messages, another implementation of DEFLATE, and a third that tells what a
//! payload is made of.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod alone;
mod drive;
mod header;
mod other;
mod plain;
mod random;

pub use self::alone::alone;
pub use self::drive::{agreed, decompress_in_parts, decompress_message, inflate};
pub use self::header::{parse, parse_one};
pub use self::other::{Deflater, Inflater, TAIL, bomb};
pub use self::plain::{Blocks, Reader};
pub use self::random::Random;
