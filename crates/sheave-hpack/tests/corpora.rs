//! The stories of http2jp's hpack-test-case, which are no part of the project: in the folder `hpack` of
//! `SHEAVE_CORPORA`, or of `../shared/corpora` seen from the project's root.

mod support;

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use sheave_hpack::{Decoder, Encoder, FieldList};
use support::wire::hex;
use support::{Line, encode, lines};

/// A block, what is in it, and a limit that changes before it.
struct Case {
    wire: Vec<u8>,
    lines: Vec<Line>,
    table_size: Option<usize>,
}

fn corpora() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpora = env::var_os("SHEAVE_CORPORA").map_or(root.join("../shared/corpora"), PathBuf::from);
    corpora.join("hpack")
}

/// The stories in a folder, unless there are no corpora here.
fn stories(folder: &str) -> Vec<(PathBuf, Vec<Case>)> {
    let Ok(files) = fs::read_dir(corpora().join(folder)) else {
        println!("no corpora: {}", corpora().display());
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 30, "{} stories of {folder}", paths.len());
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: &Path) -> Vec<Case> {
    let story: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let case = |case: &Value| Case {
        wire: hex(case["wire"].as_str().unwrap_or_default()),
        lines: case["headers"].as_array().unwrap().iter().map(read_line).collect(),
        table_size: case["header_table_size"].as_u64().map(|size| size as usize),
    };
    story["cases"].as_array().unwrap().iter().map(case).collect()
}

fn read_line(header: &Value) -> Line {
    let (name, value) = header.as_object().unwrap().iter().next().unwrap();
    support::line(name, value.as_str().unwrap())
}

/// Whether the list is of these fields; which are sensitive, the stories do not tell.
fn is_of(list: &FieldList, lines: &[Line]) -> bool {
    list.len() == lines.len()
        && list.iter().zip(lines).all(|(found, line)| found.name == line.0 && found.value == line.1)
}

fn assert_decoded(folder: &str) {
    for (path, story) in stories(folder) {
        let mut decoder = Decoder::default();
        for (at, case) in story.iter().enumerate() {
            if let Some(size) = case.table_size {
                decoder.set_max_table_size(size);
            }
            let mut list = FieldList::new(usize::MAX);
            let mut in_parts = |decoder: &mut Decoder, parts: &mut dyn Iterator<Item = &[u8]>| {
                list.clear();
                parts.for_each(|part| decoder.decode(part, false, &mut list).unwrap());
                decoder.decode(&[], true, &mut list).unwrap();
                is_of(&list, &case.lines)
            };
            for cut in 0..case.wire.len() {
                let parts = &mut [&case.wire[..cut], &case.wire[cut..]].into_iter();
                assert!(in_parts(&mut decoder.clone(), parts), "{}: {at}, cut at {cut}", path.display());
            }
            let octets = &mut case.wire.chunks(1);
            assert!(in_parts(&mut decoder.clone(), octets), "{}: {at}, octet by octet", path.display());
            let whole = &mut [&case.wire[..]].into_iter();
            assert!(in_parts(&mut decoder, whole), "{}: {at}", path.display());
        }
    }
}

/// Our encoder, with tables of several sizes, and back again.
fn assert_encoded(folder: &str) {
    for (path, story) in stories(folder) {
        for table_size in [0, 256, 4096, 65_536] {
            let mut encoder = Encoder::with_max_table_size(table_size).split_cookies(table_size == 256);
            encoder.set_max_table_size(table_size);
            let mut decoder = Decoder::default();
            decoder.set_max_table_size(table_size);
            for case in &story {
                let block = encode(&mut encoder, &case.lines);
                let mut list = FieldList::new(usize::MAX);
                decoder.decode(&block, true, &mut list).unwrap();
                if table_size == 256 {
                    assert_joined(list, &case.lines);
                } else {
                    assert!(is_of(&list, &case.lines), "{}", path.display());
                }
                assert_eq!(encoder.table_size(), decoder.table_size());
            }
        }
    }
}

/// Compares where cookies have come in crumbs.
fn assert_joined(list: FieldList, expected: &[Line]) {
    let values = |lines: &[Line]| {
        let cookies: Vec<_> =
            lines.iter().filter(|(name, ..)| name == b"cookie").map(|line| &line.1[..]).collect();
        cookies.join(&b"; "[..])
    };
    assert_eq!(values(&lines(&list)), values(expected));
}

macro_rules! folders {
    ($($test:ident $folder:literal,)*) => {
        $(
            #[test]
            fn $test() {
                assert_decoded($folder);
            }
        )*

        /// No folder is forgotten.
        #[test]
        fn all_folders() {
            let known = [$($folder,)* "raw-data"];
            for folder in fs::read_dir(corpora()).into_iter().flatten() {
                let folder = folder.unwrap();
                let name = folder.file_name().into_string().unwrap();
                assert!(!folder.path().is_dir() || known.contains(&&name[..]), "{name}");
            }
        }
    };
}

folders! {
    go_hpack "go-hpack",
    haskell_linear_huffman "haskell-http2-linear-huffman",
    haskell_naive_huffman "haskell-http2-naive-huffman",
    nghttp2 "nghttp2",
    nghttp2_16384_4096 "nghttp2-16384-4096",
    nghttp2_change_table_size "nghttp2-change-table-size",
    swift_nio_huffman "swift-nio-hpack-huffman",
}

#[test]
fn raw_data() {
    assert_encoded("raw-data");
}

/// What our encoder makes of all stories is not larger than what nghttp2's makes.
#[test]
fn compression() {
    let size = |story: Vec<Case>| {
        let mut encoder = Encoder::new();
        let ours: usize = story.iter().map(|case| encode(&mut encoder, &case.lines).len()).sum();
        (ours, story.iter().map(|case| case.wire.len()).sum::<usize>())
    };
    let sizes = stories("nghttp2").into_iter().map(|(_, story)| size(story));
    let (ours, theirs) = sizes.fold((0, 0), |all, story| (all.0 + story.0, all.1 + story.1));
    assert!(ours <= theirs, "{ours} of {theirs}");
}
