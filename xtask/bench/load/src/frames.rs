//! RFC 6455 §5.2: frames out, masked, and frames in, which may be cut anywhere.

use std::io;

use crate::bad;

pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
const MASKED: u8 = 0x80;

/// Appends a frame with that first byte.
pub(crate) fn put_masked(output: &mut Vec<u8>, first: u8, key: [u8; 4], payload: &[u8]) {
    let start = output.len();
    output.extend(Frame::header(first, payload.len()));
    output[start + 1] |= MASKED;
    output.extend(key);
    output.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// What a server's frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub(crate) first: u8,
    pub(crate) length: u64,
}

impl Frame {
    /// The shortest header for an unmasked frame.
    pub(crate) fn header(first: u8, length: usize) -> Vec<u8> {
        let mut header = vec![first];
        match length {
            0..126 => header.push(length as u8),
            126..0x1_0000 => {
                header.push(126);
                header.extend((length as u16).to_be_bytes());
            }
            _ => {
                header.push(127);
                header.extend((length as u64).to_be_bytes());
            }
        }
        header
    }

    /// The header that the input starts with, and its length. Nothing if it has not come whole.
    fn parse(input: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let [first, second, rest @ ..] = input else { return Ok(None) };
        let first = *first;
        Ok(match (second, rest) {
            (0..126, _) => Some((Self { first, length: u64::from(*second) }, 2)),
            (126, [a, b, ..]) => Some((Self { first, length: u64::from(u16::from_be_bytes([*a, *b])) }, 4)),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                Some((Self { first, length }, 10))
            }
            (126 | 127, _) => None,
            _ => return Err(bad("the server masks")),
        })
    }

    fn is_control(self) -> bool {
        self.first & 8 != 0
    }
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A piece of a message, perhaps an empty one.
    Data {
        /// The first byte of the message's first frame, without FIN.
        kind: u8,
        piece: &'a [u8],
        /// Whether the message ends with it.
        last: bool,
    },
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// Takes frames apart. The fields of one that is under way outlive the input.
#[derive(Default)]
pub(crate) struct Parser {
    /// A header that has not come whole, or a control frame.
    cut: Vec<u8>,
    /// The data frame that is under way, with what has not come of it.
    frame: Option<Frame>,
    /// The kind of the message that is under way.
    kind: Option<u8>,
}

impl Parser {
    /// Whether a frame that is no continuation may start with the next byte.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.cut.is_empty() && self.frame.is_none() && self.kind.is_none()
    }

    /// The next event. Moves the input's start behind it. Nothing when all input is used.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> io::Result<Option<Event<'a>>> {
        loop {
            if self.frame.is_some() {
                return Ok(self.piece(input));
            }
            if self.cut.is_empty()
                && let Some((frame, header)) = Frame::parse(input)?
                && !frame.is_control()
            {
                *input = &input[header..];
                self.begin(frame)?;
                continue;
            }
            // One byte after the other: headers are rarely cut, and control frames are rare.
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.cut.push(*byte);
            let Some((frame, header)) = Frame::parse(&self.cut)? else { continue };
            if !frame.is_control() {
                self.cut.clear();
                self.begin(frame)?;
                continue;
            }
            if frame.length > 125 || frame.first & !0x0f != FIN {
                return Err(bad("a control frame that is too long, or not whole"));
            }
            if self.cut.len() - header == frame.length as usize {
                let payload = self.cut.split_off(header);
                self.cut = Vec::new();
                return match frame.first & 0x0f {
                    CLOSE => Ok(Some(Event::Close)),
                    PING => Ok(Some(Event::Ping(payload))),
                    PONG => Ok(Some(Event::Pong)),
                    opcode => Err(bad(format!("opcode {opcode}"))),
                };
            }
        }
    }

    fn begin(&mut self, frame: Frame) -> io::Result<()> {
        let kind = frame.first & !FIN;
        match (kind, self.kind) {
            (CONTINUATION, Some(_)) => {}
            (CONTINUATION, None) => return Err(bad("a continuation of nothing")),
            (_, Some(_)) => return Err(bad("a message within a message")),
            (_, None) => self.kind = Some(kind),
        }
        self.frame = Some(frame);
        Ok(())
    }

    fn piece<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let frame = self.frame.as_mut()?;
        let kind = self.kind?;
        if input.is_empty() && frame.length > 0 {
            return None;
        }
        let count = input.len().min(usize::try_from(frame.length).unwrap_or(usize::MAX));
        let (piece, rest) = input.split_at(count);
        *input = rest;
        frame.length -= count as u64;
        let last = frame.length == 0 && frame.first & FIN != 0;
        if frame.length == 0 {
            self.frame = None;
        }
        if last {
            self.kind = None;
        }
        Some(Event::Data { kind, piece, last })
    }
}

/// What an echo server answers to whole frames: the same, unmasked.
#[cfg(test)]
pub(crate) fn echo(mut masked: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    while let [first, second, rest @ ..] = masked {
        let (length, rest) = match second & !MASKED {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(length), rest),
        };
        let (key, payload) = rest.split_at(4);
        output.extend(Frame::header(*first, length));
        output.extend(payload[..length].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        masked = &payload[length..];
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an event says, messages put together.
    #[derive(Debug, PartialEq, Eq)]
    enum Whole {
        Message(u8, Vec<u8>),
        Ping(Vec<u8>),
        Pong,
        Close,
    }

    fn parse(parts: &[&[u8]]) -> io::Result<Vec<Whole>> {
        let (mut parser, mut events, mut message) = (Parser::default(), Vec::new(), Vec::new());
        for mut part in parts.iter().copied() {
            while let Some(event) = parser.next(&mut part)? {
                events.push(match event {
                    Event::Data { kind, piece, last } => {
                        message.extend_from_slice(piece);
                        if !last {
                            continue;
                        }
                        Whole::Message(kind, std::mem::take(&mut message))
                    }
                    Event::Ping(payload) => Whole::Ping(payload),
                    Event::Pong => Whole::Pong,
                    Event::Close => Whole::Close,
                });
            }
            assert!(part.is_empty());
        }
        assert!(parser.is_between_messages());
        Ok(events)
    }

    fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
        [Frame::header(first, payload.len()), payload.to_vec()].concat()
    }

    #[test]
    fn frames_cut_at_every_byte_are_the_same() {
        let (middle, long) = (vec![7; 300], vec![8; 70_000]);
        let frames = [
            unmasked(FIN | TEXT, b"hello"),
            unmasked(FIN | BINARY, b""),
            unmasked(BINARY, b""),
            unmasked(FIN | PING, b"?"),
            unmasked(CONTINUATION, &middle),
            unmasked(FIN | PONG, b""),
            unmasked(FIN | CONTINUATION, b""),
            unmasked(FIN | RSV1 | TEXT, &middle),
            unmasked(FIN | BINARY, &long),
            unmasked(FIN | CLOSE, &[3, 232]),
        ]
        .concat();
        let expected = [
            Whole::Message(TEXT, b"hello".to_vec()),
            Whole::Message(BINARY, vec![]),
            Whole::Ping(b"?".to_vec()),
            Whole::Pong,
            Whole::Message(BINARY, middle.clone()),
            Whole::Message(RSV1 | TEXT, middle.clone()),
            Whole::Message(BINARY, long.clone()),
            Whole::Close,
        ];
        assert_eq!(parse(&[&frames]).unwrap(), expected);
        let ends = (0..700)
            .chain(frames.len() - 70_100..frames.len() - 69_900)
            .chain(frames.len() - 10..frames.len());
        for cut in ends {
            let (head, tail) = frames.split_at(cut);
            assert_eq!(parse(&[head, tail]).unwrap(), expected, "cut at {cut}");
        }
        let bytes: Vec<_> = frames.chunks(1).collect();
        assert_eq!(parse(&bytes).unwrap(), expected);
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        for frames in [
            unmasked(FIN | CONTINUATION, b"x"),
            [unmasked(TEXT, b"x"), unmasked(FIN | TEXT, b"x")].concat(),
            unmasked(PING, b""),
            unmasked(FIN | PING, &[0; 126]),
            unmasked(FIN | 11, b""),
            vec![FIN | TEXT, MASKED],
        ] {
            assert!(parse(&[&frames]).is_err(), "{frames:?}");
        }
    }

    #[test]
    fn masks_are_undone_by_their_key() {
        let (mut output, key) = (vec![1, 2, 3], [5, 6, 7, 8]);
        put_masked(&mut output, FIN | TEXT, key, b"seven b");
        assert_eq!(output[..9], [1, 2, 3, FIN | TEXT, MASKED | 7, 5, 6, 7, 8]);
        let plain: Vec<_> =
            output[9..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(plain, b"seven b");
    }
}
