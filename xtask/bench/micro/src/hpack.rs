//! HPACK, on the stories that the tests of sheave-hpack read (its `tests/corpora.rs` tells of them), and its Huffman code.

use std::cell::LazyCell;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{env, fs};

use bytes::BytesMut;
use serde_json::Value;
use sheave_hpack::{Decoder, Encoder, Field, FieldList};

use crate::text::value;
use crate::{Case, Units, Work};

/// A block, and the field lines in it.
struct Block {
    wire: Vec<u8>,
    /// Names and values, one behind the other, so that how they lie is not what is measured.
    text: Vec<u8>,
    /// How long they are.
    fields: Vec<(usize, usize)>,
}

impl Block {
    fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let mut rest = &self.text[..];
        self.fields.iter().map(move |&(name, value)| {
            let (field, behind) = rest.split_at(name + value);
            let (name, value) = field.split_at(name);
            rest = behind;
            Field { name, value, sensitive: false }
        })
    }
}

/// Blocks that came one after the other on a connection.
type Story = Vec<Block>;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("hpack/huffman-encode", "KiB", 1, 2000, huffman_encode),
        Case::new("hpack/huffman-decode", "KiB", 1, 2000, huffman_decode),
    ];
    for (name, folder, work) in [
        ("hpack/encode", "nghttp2", encode as fn(&[Story])),
        ("hpack/decode-dynamic", "nghttp2", decode),
        ("hpack/decode-literal", "haskell-http2-naive-huffman", decode),
    ] {
        let folder = corpora().join(folder);
        if !folder.is_dir() {
            eprintln!("{name} is left out: there are no corpora in {}", folder.display());
            continue;
        }
        let stories: Rc<LazyCell<Vec<Story>, _>> = Rc::new(LazyCell::new(move || stories(&folder)));
        let counted = stories.clone();
        let count = move || counted.iter().flatten().map(|block| block.fields.len()).sum();
        let start = move || -> Work {
            let stories = stories.clone();
            Box::new(move |passes| (0..passes).for_each(|_| work(&stories)))
        };
        let units = Units::Counted(Box::new(count));
        cases.push(Case { name, unit: "field", passes: 5, units, start: Box::new(start) });
    }
    cases
}

fn corpora() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    env::var_os("SHEAVE_CORPORA").map_or(root.join("../shared/corpora"), PathBuf::from).join("hpack")
}

fn stories(folder: &Path) -> Vec<Story> {
    let files = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Story {
    let story: Value = serde_json::from_slice(&fs::read(path).expect("a story")).expect("JSON");
    let block = |case: &Value| {
        let (mut text, mut fields) = (Vec::new(), Vec::new());
        for header in case["headers"].as_array().expect("fields") {
            let (name, value) = header.as_object().and_then(|header| header.iter().next()).expect("a field");
            let value = value.as_str().expect("a value");
            text.extend([name.as_bytes(), value.as_bytes()].concat());
            fields.push((name.len(), value.len()));
        }
        Block { wire: hex(case["wire"].as_str().expect("a block")), text, fields }
    };
    story["cases"].as_array().expect("blocks").iter().map(block).collect()
}

fn hex(digits: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(octet).collect()
}

fn decode(stories: &[Story]) {
    for story in stories {
        let mut decoder = Decoder::default();
        let mut list = FieldList::new(usize::MAX);
        for block in story {
            list.clear();
            decoder.decode(&block.wire, true, &mut list).expect("the block is right");
            assert_eq!(black_box(&list).len(), block.fields.len());
        }
    }
}

fn encode(stories: &[Story]) {
    let mut wire = BytesMut::new();
    for story in stories {
        let mut encoder = Encoder::new();
        for block in story {
            wire.clear();
            encoder.encode(block.fields(), &mut wire);
            black_box(&wire);
        }
    }
}

/// A block with one long value, which is in Huffman code and never indexed.
fn put_value(value: &str, wire: &mut BytesMut) {
    Encoder::with_max_table_size(0).encode([Field::new("x", value).sensitive()], wire);
}

fn huffman_encode() -> Work {
    let (value, mut wire) = (value(1024), BytesMut::new());
    Box::new(move |passes| {
        for _ in 0..passes {
            wire.clear();
            put_value(black_box(&value), &mut wire);
            assert!(black_box(&wire).len() < value.len());
        }
    })
}

fn huffman_decode() -> Work {
    let (value, mut wire) = (value(1024), BytesMut::new());
    put_value(&value, &mut wire);
    // RFC 7541 §4.2: the size of the table was said at the beginning; it stays 0.
    let mut list = FieldList::new(2048);
    Box::new(move |passes| {
        for _ in 0..passes {
            list.clear();
            Decoder::default().decode(black_box(&wire), true, &mut list).expect("the block is right");
            assert_eq!(black_box(&list).size(), 32 + 1 + value.len());
        }
    })
}
