//! What a field line costs: `cargo bench -p sheave-hpack`. It reads the stories that `tests/corpora.rs` tells of.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use bytes::BytesMut;
use serde_json::Value;
use sheave_hpack::{Decoder, Encoder, Field, FieldList};

const ROUNDS: usize = 9;
const REPEATS: usize = 20;

/// A block, and the field lines in it.
struct Case {
    wire: Vec<u8>,
    fields: Vec<(String, String)>,
}

fn stories(folder: &str) -> Vec<Vec<Case>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpora = env::var_os("SHEAVE_CORPORA").map_or(root.join("../shared/corpora"), PathBuf::from);
    let Ok(files) = fs::read_dir(corpora.join("hpack").join(folder)) else {
        println!("no corpora: {}", corpora.display());
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Case> {
    let story: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let field = |header: &Value| {
        let (name, value) = header.as_object().unwrap().iter().next().unwrap();
        (name.clone(), value.as_str().unwrap().to_owned())
    };
    let case = |case: &Value| Case {
        wire: hex(case["wire"].as_str().unwrap_or_default()),
        fields: case["headers"].as_array().unwrap().iter().map(field).collect(),
    };
    story["cases"].as_array().unwrap().iter().map(case).collect()
}

fn hex(digits: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(octet).collect()
}

fn decode(stories: &[Vec<Case>]) {
    for story in stories {
        let mut decoder = Decoder::default();
        let mut list = FieldList::new(usize::MAX);
        for case in story {
            list.clear();
            decoder.decode(&case.wire, true, &mut list).unwrap();
            assert_eq!(black_box(&list).len(), case.fields.len());
        }
    }
}

fn encode(stories: &[Vec<Case>]) {
    let mut block = BytesMut::new();
    for story in stories {
        let mut encoder = Encoder::new();
        for case in story {
            block.clear();
            encoder.encode(case.fields.iter().map(|(name, value)| Field::new(name, value)), &mut block);
            black_box(&block);
        }
    }
}

/// The quickest round and the median, in nanoseconds a field line.
fn measure(what: &str, stories: &[Vec<Case>], work: fn(&[Vec<Case>])) {
    let fields: usize = stories.iter().flatten().map(|case| case.fields.len()).sum();
    if fields == 0 {
        return;
    }
    let round = |_| {
        let start = Instant::now();
        (0..REPEATS).for_each(|_| work(stories));
        start.elapsed().as_nanos() as f64 / (REPEATS * fields) as f64
    };
    let mut costs: Vec<f64> = (0..ROUNDS).map(round).collect();
    costs.sort_by(f64::total_cmp);
    let (least, median) = (costs[0], costs[ROUNDS / 2]);
    println!("{what}: {least:.0} ns a field line, median {median:.0}, of {fields}");
}

fn main() {
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let indexed = stories("nghttp2");
    measure("decode, with the dynamic table (nghttp2)", &indexed, decode);
    let literal = stories("haskell-http2-naive-huffman");
    measure("decode, literals with Huffman code (haskell-http2-naive-huffman)", &literal, decode);
    measure("encode (the same fields)", &indexed, encode);
}
