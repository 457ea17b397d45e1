//! RFC 9113 without HPACK, without limits and without obeying the client's windows, which have to be large.

use std::collections::VecDeque;

use crate::echo::Echo;

const PREFACE: usize = 24;
const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
/// INITIAL_WINDOW_SIZE 2^31-1, MAX_FRAME_SIZE 1 MiB, ENABLE_CONNECT_PROTOCOL 1.
const OUR_SETTINGS: &[u8] = b"\x00\x04\x7f\xff\xff\xff\x00\x05\x00\x10\x00\x00\x00\x08\x00\x00\x00\x01";
const WINDOW: u32 = 0x7fff_ffff;
/// What the client takes in one frame (§4.2), less a header that came before.
const PIECE: usize = (16 << 10) - 16;
/// `:status 200`
const STATUS: &[u8] = &[0x88];
const PAGE: &[u8] = b"Hello from the floor below.";

#[derive(Default)]
pub(crate) struct Connection {
    /// How much of the preface came.
    preface: usize,
    /// A frame that has not come whole.
    cut: Vec<u8>,
    /// DATA that is under way: its stream, its flags, and what has not come of it.
    data: Option<(u32, u8, usize)>,
    /// How much came since the last WINDOW_UPDATE.
    used: u32,
    /// All streams since the oldest that is open, and the number of that one.
    streams: VecDeque<Stream>,
    base: u32,
}

#[derive(Default)]
struct Stream {
    echo: Echo,
    used: u32,
    over: bool,
}

impl Connection {
    pub(crate) fn receive(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        if self.preface < PREFACE {
            let part = input.len().min(PREFACE - self.preface);
            self.preface += part;
            input = &input[part..];
            if self.preface == PREFACE {
                put(output, SETTINGS, 0, 0, OUR_SETTINGS);
                put(output, WINDOW_UPDATE, 0, 0, &(WINDOW - 65_535).to_be_bytes());
            }
        }
        while !input.is_empty() {
            if let Some((id, flags, left)) = self.data {
                let (piece, rest) = input.split_at(left.min(input.len()).min(PIECE));
                input = rest;
                self.echo(id, piece, output);
                self.data = Some((id, flags, left - piece.len())).filter(|data| data.2 > 0);
                if self.data.is_none() && flags & END_STREAM != 0 {
                    self.end(id, output);
                }
                continue;
            }
            let whole = if self.cut.is_empty() { self.take(input, output) } else { None };
            if let Some(length) = whole {
                input = &input[length..];
                continue;
            }
            let mut cut = std::mem::take(&mut self.cut);
            let wanted = HEADER + if cut.len() < HEADER { 0 } else { length(&cut) };
            let (part, rest) = input.split_at(input.len().min(wanted - cut.len()));
            input = rest;
            cut.extend_from_slice(part);
            if self.take(&cut, output).is_none() {
                self.cut = cut;
            }
        }
    }

    /// Takes the frame that the input starts with, or the header alone of DATA. Gives its length if it has come whole.
    fn take(&mut self, input: &[u8], output: &mut Vec<u8>) -> Option<usize> {
        let [_, _, _, kind, flags, id @ ..] = *input.first_chunk::<HEADER>()?;
        let (length, id) = (length(input), u32::from_be_bytes(id) & WINDOW);
        if kind == DATA && flags & PADDED == 0 {
            self.credit(id, length, output);
            if length > 0 {
                self.data = Some((id, flags, length));
            } else if flags & END_STREAM != 0 {
                self.end(id, output);
            }
            return Some(HEADER);
        }
        let payload = input.get(HEADER..HEADER + length)?;
        match kind {
            DATA => {
                self.credit(id, length, output);
                let padding = payload.first().map_or(0, |padding| usize::from(*padding));
                let end = payload.len().saturating_sub(padding);
                payload.get(1..end)?.chunks(PIECE).for_each(|piece| self.echo(id, piece, output));
                if flags & END_STREAM != 0 {
                    self.end(id, output);
                }
            }
            HEADERS => self.open(id, flags, output),
            RST_STREAM => self.close(id),
            SETTINGS if flags & ACK == 0 => put(output, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => put(output, PING, ACK, 0, payload),
            _ => {}
        }
        Some(HEADER + length)
    }

    fn open(&mut self, id: u32, flags: u8, output: &mut Vec<u8>) {
        put(output, HEADERS, END_HEADERS, id, STATUS);
        while self.base as usize + self.streams.len() <= id as usize / 2 {
            self.streams.push_back(Stream::default());
        }
        if flags & END_STREAM != 0 {
            put(output, DATA, END_STREAM, id, PAGE);
            self.close(id);
        }
    }

    fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        self.streams.get_mut((id / 2).checked_sub(self.base)? as usize)
    }

    fn echo(&mut self, id: u32, piece: &[u8], output: &mut Vec<u8>) {
        let Some(stream) = self.stream(id) else { return };
        let start = output.len();
        put(output, DATA, 0, id, &[]);
        stream.echo.receive(piece, output);
        let [_, length @ ..] = ((output.len() - start - HEADER) as u32).to_be_bytes();
        if length == [0; 3] {
            output.truncate(start);
        } else {
            output[start..start + 3].copy_from_slice(&length);
        }
    }

    fn end(&mut self, id: u32, output: &mut Vec<u8>) {
        put(output, DATA, END_STREAM, id, &[]);
        self.close(id);
    }

    fn close(&mut self, id: u32) {
        if let Some(stream) = self.stream(id) {
            stream.over = true;
        }
        while self.streams.front().is_some_and(|stream| stream.over) {
            self.streams.pop_front();
            self.base += 1;
        }
    }

    /// Gives back what was used, once that is half of the window.
    fn credit(&mut self, id: u32, length: usize, output: &mut Vec<u8>) {
        update(&mut self.used, length, 0, output);
        if let Some(stream) = self.stream(id) {
            update(&mut stream.used, length, id, output);
        }
    }
}

fn update(used: &mut u32, length: usize, id: u32, output: &mut Vec<u8>) {
    *used += length as u32;
    if *used > WINDOW / 2 {
        put(output, WINDOW_UPDATE, 0, id, &std::mem::take(used).to_be_bytes());
    }
}

fn length(frame: &[u8]) -> usize {
    frame[..3].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn put(output: &mut Vec<u8>, kind: u8, flags: u8, id: u32, payload: &[u8]) {
    let ([_, a, b, c], [e, f, g, h]) = ((payload.len() as u32).to_be_bytes(), id.to_be_bytes());
    output.extend([a, b, c, kind, flags, e, f, g, h]);
    output.extend_from_slice(payload);
}
