//! RFC 9113 §4.3: a block in any fragments.

mod support;

use sheave_hpack::{Decoder, Encoder, Error, Field, FieldList};
use support::wire::{INCREMENTAL, encode_huffman, huffman, indexed, integer, literal, string, update};
use support::{Random, decode_any_way, encode, lines};

#[test]
fn cut_everywhere() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::default());
    let mut random = Random::new(43);
    for _ in 0..100 {
        let fields = random.fields();
        let block = encode(&mut encoder, &fields);
        let found = decode_any_way(&mut decoder, &block).unwrap();
        assert!(found.iter().zip(&fields).all(|(found, field)| found.0 == field.0 && found.1 == field.1));
        assert_eq!(found.len(), fields.len());
    }
}

#[test]
fn cut_into_several() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::default());
    let mut random = Random::new(44);
    for _ in 0..1000 {
        let block = encode(&mut encoder, &random.fields());
        let expected = support::decode(&mut decoder.clone(), &block).unwrap();
        let mut list = FieldList::new(usize::MAX);
        let mut rest = &block[..];
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(random.below(rest.len().min(40) + 1));
            decoder.decode(part, false, &mut list).unwrap();
            rest = behind;
        }
        decoder.decode(&[], true, &mut list).unwrap();
        assert_eq!(lines(&list), expected);
    }
}

#[test]
fn truncated() {
    let mut whole = vec![];
    // Where a block may end.
    let mut ends = vec![0];
    for part in [
        update(100),
        indexed(2),
        literal(INCREMENTAL, b"name", b"value"),
        [integer(0x00, 4, 40), huffman(&encode_huffman(b"value"))].concat(),
        indexed(62),
    ] {
        whole.extend(part);
        ends.push(whole.len());
    }
    for end in 0..whole.len() {
        let found = decode_any_way(&mut Decoder::default(), &whole[..end]).map(|_| ());
        assert_eq!(found, if ends.contains(&end) { Ok(()) } else { Err(Error::Truncated) }, "{end}");
    }
}

/// Were all that came looked at again each time, this would take minutes.
#[test]
fn octet_by_octet_is_not_quadratic() {
    let text = vec![b'0'; 1 << 20];
    let block = [integer(0x40, 6, 0), huffman(&encode_huffman(&text)), string(&text)].concat();
    let mut decoder = Decoder::default();
    let mut list = FieldList::new(usize::MAX);
    for octet in block.chunks(1) {
        decoder.decode(octet, false, &mut list).unwrap();
    }
    decoder.decode(&[], true, &mut list).unwrap();
    assert_eq!(list.iter().next(), Some(Field::new(&text, &text)));
}
