//! Random blocks: our encoder against our decoder and a plain one, and our decoder against the plain one with
//! blocks that mean something and blocks that do not.

mod support;

use sheave_hpack::{Decoder, Encoder, FieldList};
use support::plain::PlainDecoder;
use support::wire::{self, INCREMENTAL, NEVER, WITHOUT};
use support::{Line, Random, decode, encode, lines};

/// What is given to the encoder and comes out, short secrets marked.
fn expected(fields: &[Line]) -> Vec<Line> {
    let mark = |(name, value, secret): &Line| {
        let secret = *secret || name == b"cookie" && value.len() < 20;
        (name.clone(), value.clone(), secret)
    };
    fields.iter().map(mark).collect()
}

/// With tables of any size, which change.
#[test]
fn round_trips() {
    let mut random = Random::new(1);
    for _ in 0..300 {
        let sizes = [0, 31, 32, 33, 100, 256, 1000, 4096, 16_384, 1 << 17];
        let limit = sizes[random.below(sizes.len())];
        let (mut encoder, mut decoder) = (Encoder::with_max_table_size(limit), Decoder::default());
        let mut plain = PlainDecoder::new(4096);
        plain.set_limit(1 << 17);
        for _ in 0..random.below(80) {
            if random.one_in(6) {
                for _ in 0..=random.below(3) {
                    let size = sizes[random.below(sizes.len())];
                    decoder.set_max_table_size(size);
                    encoder.set_max_table_size(size);
                }
            }
            let fields = random.fields();
            let block = encode(&mut encoder, &fields);
            let mut list = FieldList::new(usize::MAX);
            let (front, back) = block.split_at(random.below(block.len() + 1));
            decoder.decode(front, false, &mut list).unwrap();
            decoder.decode(back, true, &mut list).unwrap();
            let fields = expected(&fields);
            assert_eq!(lines(&list), fields);
            assert_eq!(plain.decode(&block), Some(fields));
            assert_eq!((encoder.table_size(), plain.size()), (decoder.table_size(), plain.size()));
            assert_eq!(encoder.table_size(), plain.size());
        }
    }
}

/// A block out of anything that a block is made of, mostly right.
fn any_block(random: &mut Random) -> Vec<u8> {
    let mut block = Vec::new();
    for at in 0..random.below(20) {
        let known = if random.one_in(3) { 63 } else { 80 };
        let index = random.below(known);
        let kind = [INCREMENTAL, INCREMENTAL, WITHOUT, NEVER][random.below(4)];
        let (name, value, _) = random.field();
        let mut string = |text: &[u8]| match random.below(3) {
            0 => wire::string(text),
            _ => wire::huffman(&wire::encode_huffman(text)),
        };
        let (name, value) = (string(&name), string(&value));
        block.extend(match random.below(8) {
            0 if at < 2 || random.one_in(40) => wire::update(random.below(1030)),
            1..4 => wire::indexed(index.max(1)),
            4..6 => [wire::integer(kind.0, kind.1, index.max(1)), value].concat(),
            _ => [wire::integer(kind.0, kind.1, 0), name, value].concat(),
        });
    }
    match random.below(30) {
        0 => {
            let at = random.below(block.len().max(1));
            block.truncate(at);
        }
        1..4 if !block.is_empty() => {
            let at = random.below(block.len());
            block[at] ^= 1 << random.below(8);
        }
        _ => {}
    }
    block
}

/// Both take or refuse the same blocks, and see the same in them.
#[test]
fn any_blocks() {
    let mut random = Random::new(2);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..3000 {
        let (mut decoder, mut plain) = (Decoder::new(1024), PlainDecoder::new(1024));
        loop {
            let block = any_block(&mut random);
            let found = decode(&mut decoder, &block).ok();
            assert_eq!(found, plain.decode(&block), "{block:02x?}");
            if found.is_none() {
                refused += 1;
                break;
            }
            taken += 1;
            assert_eq!(decoder.table_size(), plain.size());
        }
    }
    assert!(taken > 2000 && refused == 3000, "{taken}");
}

/// Blocks of noise: no panic, and what the plain decoder says of them.
#[test]
fn noise() {
    let mut random = Random::new(3);
    let mut decoder = Decoder::default();
    for at in 0..100_000 {
        if at % 16 == 0 {
            decoder = Decoder::new(random.below(300));
        }
        let length = random.below(60);
        let block = random.noise(length);
        let mut list = FieldList::new(random.below(300)).join_cookies(random.one_in(2));
        // Even after an error.
        for part in block.chunks(random.below(60) + 1) {
            _ = decoder.decode(part, random.one_in(9), &mut list);
        }
        _ = decoder.decode(&[], true, &mut list);
        assert!(list.iter().count() == list.len() && list.share().iter().count() == list.len());
        if at % 4 == 0 {
            let whole = decode(&mut Decoder::default(), &block).ok();
            assert_eq!(whole, PlainDecoder::new(4096).decode(&block), "{block:02x?}");
        }
    }
}

/// Strings of noise that say that they are Huffman encoded.
#[test]
fn noise_as_code() {
    let mut random = Random::new(4);
    for _ in 0..30_000 {
        let length = random.below(24);
        let mut code = random.noise(length);
        if random.one_in(2) {
            // Where the codes are long.
            code.iter_mut().for_each(|octet| *octet |= 0xfc);
        }
        let block = [&[0x00], &wire::string(b"a")[..], &wire::huffman(&code)].concat();
        assert_eq!(decode(&mut Decoder::default(), &block).ok(), PlainDecoder::new(4096).decode(&block));
    }
}
