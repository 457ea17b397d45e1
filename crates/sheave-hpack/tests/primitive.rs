//! RFC 7541 §5: integers and strings.

mod support;

use sheave_hpack::{Decoder, Error};
use support::codes::CODES;
use support::wire::{WITHOUT, encode_huffman, hex, huffman, integer, literal, pack, string, update};
use support::{Random, decode, decode_any_way, encode};

/// A literal with this value.
fn with_value(value: &[u8]) -> Vec<u8> {
    [&[0x00], &string(b"a")[..], value].concat()
}

fn decode_value(value: &[u8]) -> Result<Vec<u8>, Error> {
    let mut lines = decode(&mut Decoder::default(), &with_value(value))?;
    Ok(lines.remove(0).1)
}

/// §5.1
#[test]
fn integers_beyond_the_limits() {
    let block = |dump| decode_any_way(&mut Decoder::new(usize::MAX), &hex(dump)).map(|_| ());
    for (dump, expected) in [
        // Updates of a table without a limit: of 31, with one zero and with all that there may be.
        ("3f00", Ok(())),
        ("3f8000", Ok(())),
        ("3f8080808000", Ok(())),
        ("3f808080808000", Err(Error::IntegerOverflow)),
        ("3f8080808080", Err(Error::IntegerOverflow)),
        // The largest, and one more.
        ("3fe0ffffff0f", Ok(())),
        ("3fe1ffffff0f", Err(Error::IntegerOverflow)),
        ("3fffffffff7f", Err(Error::IntegerOverflow)),
        // Of an index, and of the lengths of a name and of a value.
        ("ffffffffff7f", Err(Error::IntegerOverflow)),
        ("ff80feffff0f", Err(Error::InvalidIndex)),
        ("7fffffffffffffff", Err(Error::IntegerOverflow)),
        ("0fffffffffffffff", Err(Error::IntegerOverflow)),
        ("1fffffffffffffff", Err(Error::IntegerOverflow)),
        ("007fffffffffffff", Err(Error::IntegerOverflow)),
        ("00ffffffffffffff", Err(Error::IntegerOverflow)),
        ("0001617fffffffffff", Err(Error::IntegerOverflow)),
        // Cut off.
        ("3f", Err(Error::Truncated)),
        ("3f80", Err(Error::Truncated)),
        ("00", Err(Error::Truncated)),
        ("0001", Err(Error::Truncated)),
        ("000161", Err(Error::Truncated)),
        ("00016102", Err(Error::Truncated)),
        ("0001610262", Err(Error::Truncated)),
        ("007fffffffff0e", Err(Error::Truncated)),
        ("0001617fffffffff0e", Err(Error::Truncated)),
    ] {
        assert_eq!(block(dump), expected, "{dump}");
    }
}

/// §5.1
#[test]
fn every_size_and_length_around_the_borders() {
    for at in 0..32 {
        for size in (1usize << at).saturating_sub(35)..=(1 << at) + 35 {
            let mut encoder = sheave_hpack::Encoder::with_max_table_size(size);
            encoder.set_max_table_size(size);
            let expected = if size == 4096 { vec![] } else { update(size) };
            assert_eq!(encode(&mut encoder, &[]), expected);
            assert_eq!(decode(&mut Decoder::new(size), &update(size)), Ok(vec![]));
        }
    }
    for length in (0..600).chain(16_500..16_520) {
        // What no code is shorter for.
        let value = vec![0x01; length];
        assert_eq!(decode_value(&string(&value)).as_ref(), Ok(&value));
        let lines = [(b"\x01".to_vec(), value.clone(), false)];
        let block = encode(&mut sheave_hpack::Encoder::with_max_table_size(0), &lines);
        assert_eq!(block[1..], literal(WITHOUT, b"\x01", &value)[..]);
    }
}

/// §5.2, Appendix B
#[test]
fn every_symbol() {
    for symbol in 0..=255u8 {
        // Eight of them end with an octet.
        for count in 1..=8 {
            let text = vec![symbol; count];
            let code = encode_huffman(&text);
            assert_eq!(decode_value(&huffman(&code)).as_ref(), Ok(&text), "{count} of {symbol}");
            let lines = [(b"a".to_vec(), text.clone(), false)];
            let block = encode(&mut sheave_hpack::Encoder::with_max_table_size(0), &lines);
            let shorter = if code.len() < count { huffman(&code) } else { string(&text) };
            // An update, and a literal whose name is no shorter by the code.
            assert_eq!(block, [&[0x20][..], &with_value(&shorter)].concat());
        }
        assert_eq!(encode_huffman(&[symbol]).len(), CODES[usize::from(symbol)].1.div_ceil(8) as usize);
    }
}

/// §5.2, Appendix B
#[test]
fn every_pair_of_symbols() {
    for first in 0..=255 {
        let mut text = Vec::new();
        for second in 0..=255 {
            text.extend([first, second]);
            let pair = &text[text.len() - 2..];
            assert_eq!(decode_value(&huffman(&encode_huffman(pair))).as_deref(), Ok(pair));
        }
        assert_eq!(decode_value(&huffman(&encode_huffman(&text))), Ok(text));
    }
}

/// §5.2
#[test]
fn strings_of_any_kind() {
    let mut random = Random::new(52);
    for _ in 0..20_000 {
        let length = random.below(80);
        let text = if random.one_in(3) { random.noise(length) } else { random.text(length) };
        assert_eq!(decode_value(&huffman(&encode_huffman(&text))).as_ref(), Ok(&text));
        let lines = [(text, b"x".to_vec(), random.one_in(2))];
        let block = encode(&mut sheave_hpack::Encoder::new(), &lines);
        assert_eq!(decode(&mut Decoder::default(), &block).unwrap(), lines);
    }
}

/// §5.2
#[test]
fn padding() {
    for (code, expected) in [
        ("", Ok("")),
        // '0' is 00000; the rest is padding.
        ("07", Ok("0")),
        ("06", Err(())),
        ("03", Err(())),
        ("00", Err(())),
        // '&' is 11111000: there is none.
        ("f8", Ok("&")),
        // More than seven bits, even where they are ones.
        ("ff", Err(())),
        ("07ff", Err(())),
        ("f8ff", Err(())),
        ("ffff", Err(())),
        ("ffffff", Err(())),
        ("ffffffff", Err(())),
        // A long code ('\\' is 1111111111111110000) that is cut off.
        ("fffe", Err(())),
        ("fffe1f", Ok("\\")),
        ("fffe0f", Err(())),
        ("fffe", Err(())),
    ] {
        let found = decode_value(&huffman(&hex(code)));
        assert_eq!(found, expected.map(Vec::from).map_err(|()| Error::InvalidHuffman), "{code}");
        // And behind what fills any number of steps.
        for count in 1..20 {
            let text = vec![b'&'; count];
            let found = decode_value(&huffman(&[encode_huffman(&text), hex(code)].concat()));
            let expected = expected.map(|end| [text, end.into()].concat());
            assert_eq!(found, expected.map_err(|()| Error::InvalidHuffman), "{code} behind {count}");
        }
    }
}

/// §5.2: every way to pad a string, against what the code says.
#[test]
fn padding_behind_every_symbol() {
    for symbol in 0..=255u8 {
        let (code, length) = CODES[usize::from(symbol)];
        let open = (8 - length % 8) % 8;
        for padding in 0..1 << open {
            let found = decode_value(&huffman(&pack(&[(code, length), (padding, open)])));
            let found = found.is_ok_and(|text| text == [symbol]);
            assert_eq!(found, padding == (1 << open) - 1, "{symbol} and {padding} in {open} bits");
        }
        let octet_of_ones = pack(&[(code, length), ((1 << open) - 1, open), (0xff, 8)]);
        assert_eq!(decode_value(&huffman(&octet_of_ones)), Err(Error::InvalidHuffman));
    }
}

/// §5.2
#[test]
fn eos_in_a_string() {
    let eos = CODES[256];
    for symbol in 0..=255u8 {
        let code = CODES[usize::from(symbol)];
        for count in 0..12 {
            let before = vec![code; count];
            for behind in [&[][..], &[code], &[code, code, code, code, code, code, code, code]] {
                let data = pack(&[&before[..], &[eos], behind].concat());
                assert_eq!(decode_value(&huffman(&data)), Err(Error::InvalidHuffman));
            }
        }
    }
}

/// §5.2: an error in a name is one, as is an error in what is not stored.
#[test]
fn errors_wherever_the_string_is() {
    for block in [
        [&integer(0x00, 4, 0)[..], &huffman(&[0xff]), &string(b"b")].concat(),
        [&integer(0x40, 6, 0)[..], &huffman(&[0xff]), &string(b"b")].concat(),
        [&integer(0x10, 4, 0)[..], &string(b"a"), &huffman(&[0xff])].concat(),
        [&integer(0x40, 6, 1)[..], &huffman(&[0xff])].concat(),
    ] {
        assert_eq!(decode_any_way(&mut Decoder::default(), &block), Err(Error::InvalidHuffman));
        let mut list = sheave_hpack::FieldList::new(0);
        assert_eq!(Decoder::new(0).decode(&block, true, &mut list), Err(Error::InvalidHuffman));
    }
}
