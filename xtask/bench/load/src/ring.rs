//! The messages that are sent, as masked frames that were built before.

use zlib_rs::{Deflate, DeflateFlush};

use crate::frames::{self, Frame};
use crate::options::{Options, Takeover};
use crate::text::{Random, json};

/// How many different messages there are at most, if not more are in flight.
const MESSAGES: usize = 512;
/// So many bytes of messages are enough.
const BYTES: usize = 512 << 10;
const LEVEL: i32 = 6;
pub(crate) const WINDOW_BITS: u8 = 15;
/// RFC 7692 §7.2.1: what each compressed message would end with.
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Messages that are sent one after the other, and then again. If they are compressed with context takeover, the first of
/// them refers back to nothing, so that it may come at any time.
pub(crate) struct Ring {
    payloads: Vec<Vec<u8>>,
    /// All frames twice: any run of them is one slice.
    frames: Vec<u8>,
    /// Where each of those starts, and where the last one ends.
    starts: Vec<usize>,
    length: usize,
    deflate: Option<Takeover>,
    /// How an echo's frame begins, if the server sends it whole and as short as it can.
    header: Vec<u8>,
}

impl Ring {
    /// Messages of that length for sockets that have so many in flight.
    pub(crate) fn new(options: &Options, length: usize, in_flight: usize) -> Self {
        let mut random = Random(length as u64);
        let count = MESSAGES.min((BYTES / length.max(1)).max(2)).max(in_flight).next_power_of_two();
        let text = options.text || options.deflate.is_some();
        let payloads: Vec<_> = (0..count)
            .map(|_| if text { json(&mut random, length).into_bytes() } else { binary(&mut random, length) })
            .collect();
        let first = frames::FIN
            | if text { frames::TEXT } else { frames::BINARY }
            | if options.deflate.is_some() { frames::RSV1 } else { 0 };
        let mut deflate = Deflate::new(LEVEL, false, WINDOW_BITS);
        let (mut all, mut starts) = (Vec::new(), vec![0]);
        for payload in &payloads {
            let key = (random.next() as u32).to_be_bytes();
            match options.deflate {
                None => frames::put_masked(&mut all, first, key, payload),
                Some(takeover) => {
                    if takeover == Takeover::No {
                        deflate.reset();
                    }
                    frames::put_masked(&mut all, first, key, &compressed(&mut deflate, payload));
                }
            }
            starts.push(all.len());
        }
        let once = all.len();
        all.extend_from_within(..);
        starts.extend_from_within(1..);
        starts[count + 1..].iter_mut().for_each(|start| *start += once);
        let header = Frame::header(first, length);
        Self { payloads, frames: all, starts, length, deflate: options.deflate, header }
    }

    /// How many different messages there are: a power of two.
    pub(crate) fn count(&self) -> usize {
        self.payloads.len()
    }

    /// Where the frame of that message starts, and how many bytes it and those behind it have, `count` in all.
    pub(crate) fn run(&self, message: usize, count: usize) -> (usize, usize) {
        let start = self.starts[message];
        (start, self.starts[message + count] - start)
    }

    pub(crate) fn bytes(&self, start: usize, length: usize) -> &[u8] {
        &self.frames[start..start + length]
    }

    /// The bytes of all frames, each once.
    pub(crate) fn len(&self) -> usize {
        self.frames.len() / 2
    }

    pub(crate) fn payload(&self, message: usize) -> &[u8] {
        &self.payloads[message]
    }

    /// Of each payload.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn deflate(&self) -> Option<Takeover> {
        self.deflate
    }

    pub(crate) fn header(&self) -> &[u8] {
        &self.header
    }
}

fn binary(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

fn compressed(deflate: &mut Deflate, text: &[u8]) -> Vec<u8> {
    if text.is_empty() {
        // RFC 7692 §7.2.3.6: zlib writes nothing when it has nothing to flush.
        return vec![0];
    }
    let mut payload = vec![0; 2 * text.len() + 64];
    let before = deflate.total_out();
    let done = deflate.compress(text, &mut payload, DeflateFlush::SyncFlush);
    assert!(done.is_ok(), "{done:?}");
    payload.truncate((deflate.total_out() - before) as usize - TAIL.len());
    payload
}
