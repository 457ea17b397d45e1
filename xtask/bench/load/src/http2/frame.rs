//! RFC 9113 §4.1 and §6: what frames are made of.

pub(crate) const HEADER: usize = 9;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITY: u8 = 0x20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl Head {
    /// Nothing if it has not come whole.
    pub(crate) fn parse(input: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, rest @ ..] = input.first_chunk::<HEADER>()?;
        Some(Self {
            length: u32::from_be_bytes([0, *a, *b, *c]) as usize,
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes(*rest) & 0x7fff_ffff,
        })
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

pub(crate) fn put_head(output: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, a, b, c] = (length as u32).to_be_bytes();
    let [e, f, g, h] = stream.to_be_bytes();
    output.extend([a, b, c, kind, flags, e, f, g, h]);
}

pub(crate) fn put(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    put_head(output, payload.len(), kind, flags, stream);
    output.extend_from_slice(payload);
}

/// The payload without what PADDED and PRIORITY put around it.
pub(crate) fn without_padding(head: Head, mut payload: &[u8]) -> Option<&[u8]> {
    if head.has(PADDED) {
        let (padding, rest) = payload.split_first()?;
        payload = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
    }
    if head.kind == HEADERS && head.has(PRIORITY) {
        payload = payload.get(5..)?;
    }
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_what_was_put() {
        let mut output = Vec::new();
        put(&mut output, HEADERS, END_STREAM | END_HEADERS, 0x7fff_fffd, b"xyz");
        assert_eq!(output, b"\x00\x00\x03\x01\x05\x7f\xff\xff\xfdxyz");
        let head = Head { length: 3, kind: HEADERS, flags: END_STREAM | END_HEADERS, stream: 0x7fff_fffd };
        assert_eq!(Head::parse(&output), Some(head));
        for cut in 0..HEADER {
            assert_eq!(Head::parse(&output[..cut]), None);
        }
        assert!(head.has(END_HEADERS) && !head.has(PADDED));
    }

    #[test]
    fn padding_and_priority_are_skipped() {
        let head = |flags| Head { length: 0, kind: HEADERS, flags, stream: 1 };
        assert_eq!(without_padding(head(0), b"block"), Some(&b"block"[..]));
        assert_eq!(without_padding(head(PADDED), b"\x02block.."), Some(&b"block"[..]));
        assert_eq!(without_padding(head(PRIORITY), b"12345block"), Some(&b"block"[..]));
        assert_eq!(without_padding(head(PADDED | PRIORITY), b"\x0112345block."), Some(&b"block"[..]));
        assert_eq!(without_padding(head(PADDED), b""), None);
        assert_eq!(without_padding(head(PADDED), b"\x03ab"), None);
        assert_eq!(without_padding(head(PRIORITY), b"1234"), None);
    }
}
