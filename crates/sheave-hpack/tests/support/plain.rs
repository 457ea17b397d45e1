//! A decoder that is as plain as can be: no fragments, no buffers, no limits of a list. And no speed.

use super::Line;
use super::codes::CODES;

const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[derive(Clone)]
pub struct PlainDecoder {
    /// Newest first.
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    max_size: usize,
    limit: usize,
}

impl PlainDecoder {
    pub fn new(max_size: usize) -> Self {
        Self { entries: Vec::new(), max_size, limit: max_size }
    }

    /// For a limit that is not lowered.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub fn size(&self) -> usize {
        self.entries.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
    }

    /// Nothing, if there is anything wrong.
    pub fn decode(&mut self, block: &[u8]) -> Option<Vec<Line>> {
        let mut input = block;
        let mut lines = Vec::new();
        while let Some(&first) = input.first() {
            if first & 0x80 != 0 {
                let (name, value) = self.entry(integer(&mut input, 7)?)?;
                lines.push((name, value, false));
            } else if first & 0xe0 == 0x20 {
                self.max_size =
                    integer(&mut input, 5).filter(|&size| size <= self.limit && lines.is_empty())?;
                self.evict(self.max_size);
            } else {
                let index = integer(&mut input, if first & 0x40 != 0 { 6 } else { 4 })?;
                let name = if index == 0 { string(&mut input)? } else { self.entry(index)?.0 };
                let value = string(&mut input)?;
                if first & 0x40 != 0 {
                    let size = name.len() + value.len() + 32;
                    self.evict(self.max_size.saturating_sub(size));
                    if size <= self.max_size {
                        self.entries.insert(0, (name.clone(), value.clone()));
                    }
                }
                lines.push((name, value, first & 0xf0 == 0x10));
            }
        }
        Some(lines)
    }

    fn entry(&self, index: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        match index {
            0 => None,
            1..=61 => Some((STATIC[index - 1].0.into(), STATIC[index - 1].1.into())),
            _ => self.entries.get(index - 62).cloned(),
        }
    }

    fn evict(&mut self, size: usize) {
        while self.size() > size {
            self.entries.pop();
        }
    }
}

fn octet(input: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = input.split_first()?;
    *input = rest;
    Some(first)
}

fn integer(input: &mut &[u8], prefix: u32) -> Option<usize> {
    let most = (1 << prefix) - 1;
    let mut value = usize::from(octet(input)?) & most;
    if value < most {
        return Some(value);
    }
    for at in 0..5 {
        let octet = octet(input)?;
        value += usize::from(octet & 0x7f) << (7 * at);
        if octet & 0x80 == 0 {
            return (value < 1 << 32).then_some(value);
        }
    }
    None
}

fn string(input: &mut &[u8]) -> Option<Vec<u8>> {
    let encoded = input.first()? & 0x80 != 0;
    let length = integer(input, 7)?;
    let (data, rest) = input.split_at_checked(length)?;
    *input = rest;
    if encoded { decode_huffman(data) } else { Some(data.to_vec()) }
}

/// Bit by bit.
fn decode_huffman(data: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let (mut code, mut length) = (0, 0);
    for at in 0..8 * data.len() {
        code = code << 1 | u32::from(data[at / 8] >> (7 - at % 8) & 1);
        length += 1;
        if let Some(symbol) = CODES.iter().position(|known| *known == (code, length)) {
            text.push(u8::try_from(symbol).ok()?);
            (code, length) = (0, 0);
        }
        if length > 30 {
            return None;
        }
    }
    (length < 8 && code == (1 << length) - 1).then_some(text)
}
