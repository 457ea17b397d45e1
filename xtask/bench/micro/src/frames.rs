//! Frames of HTTP/2 (RFC 9113 §4, §6).

use std::hint::black_box;

use bytes::BytesMut;
use sheave::h2::StreamId;
use sheave::h2::frame::{Data, Frame, Head, Headers, WindowUpdate};

use crate::text::octets;
use crate::{Case, Work};

/// How many of each kind.
const COUNT: usize = 32;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("h2/frames", "frame", 3 * COUNT, 500, read)]
}

/// Reads HEADERS, DATA and WINDOW_UPDATE by turns.
fn read() -> Work {
    let (block, data) = (octets(40), octets(70));
    let mut wire = BytesMut::new();
    for nth in 0..COUNT as u32 {
        let stream = StreamId::new(2 * nth + 1);
        let (end_stream, padding) = (false, None);
        let headers =
            Headers { stream, end_stream, end_headers: true, dependency: None, fragment: &block, padding };
        headers.write(&mut wire);
        Data { stream, end_stream, data: &data, padding }.write(&mut wire);
        WindowUpdate { stream, increment: 1000 }.write(&mut wire);
    }
    Box::new(move |passes| {
        for _ in 0..passes {
            let (mut rest, mut count) = (black_box(&wire[..]), 0);
            while let Some(head) = Head::read(rest) {
                let (payload, behind) = rest[Head::LENGTH..].split_at(head.length as usize);
                black_box(Frame::read(head, payload).expect("the frame is right"));
                rest = behind;
                count += 1;
            }
            assert_eq!(count, 3 * COUNT);
        }
    })
}
