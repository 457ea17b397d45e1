//! One WebSocket: what it still has to send, and whether what comes is what was sent. It knows no connection.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use zlib_rs::{Inflate, InflateFlush};

use crate::bad;
use crate::frames::{self, Event, Parser};
use crate::options::Takeover;
use crate::ring::{Ring, TAIL, WINDOW_BITS};

/// Of so many messages the content of one is checked. It has no factor in common with the number of different messages,
/// so all of them have their turn.
const SAMPLE: u64 = 61;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) struct Socket {
    ring: Rc<Ring>,
    /// The next message to send.
    next: usize,
    /// What is being sent of the ring: where, and how many bytes.
    start: usize,
    left: usize,
    /// Control frames, which go when nothing of the ring is left.
    control: Vec<u8>,
    parser: Parser,
    inflater: Option<Box<Inflater>>,
    /// Messages that came back whole, and the bytes of the next one.
    received: u64,
    come: usize,
    /// When those in flight were sent, and how many at a time.
    sent: VecDeque<(u64, u64)>,
    closing: bool,
    closed: bool,
}

struct Inflater {
    inflate: Inflate,
    takeover: Takeover,
    text: Vec<u8>,
}

impl Socket {
    pub(crate) fn new(ring: &Rc<Ring>) -> Self {
        let inflater = ring.deflate().map(|takeover| {
            let (inflate, text) = (Inflate::new(false, WINDOW_BITS), vec![0; ring.length() + 1]);
            Box::new(Inflater { inflate, takeover, text })
        });
        Self {
            ring: Rc::clone(ring),
            next: 0,
            start: 0,
            left: 0,
            control: Vec::new(),
            parser: Parser::default(),
            inflater,
            received: 0,
            come: 0,
            sent: VecDeque::new(),
            closing: false,
            closed: false,
        }
    }

    /// Whether its messages are those.
    pub(crate) fn is_on(&self, ring: &Rc<Ring>) -> bool {
        Rc::ptr_eq(&self.ring, ring)
    }

    /// Sends so many messages, the ring's number at most.
    pub(crate) fn send(&mut self, count: usize, now: u64) {
        let (start, length) = self.ring.run(self.next, count);
        if self.left == 0 {
            self.start = start;
        }
        self.left += length;
        self.next = (self.next + count) & (self.ring.count() - 1);
        self.sent.push_back((now, count as u64));
    }

    /// Begins the closing handshake.
    pub(crate) fn close(&mut self) {
        self.closing = true;
        frames::put_masked(&mut self.control, frames::FIN | frames::CLOSE, KEY, &1000_u16.to_be_bytes());
    }

    /// Whether the server's Close has come.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// What goes out next, and then perhaps more.
    pub(crate) fn output(&self) -> &[u8] {
        if self.left > 0 { self.ring.bytes(self.start, self.left) } else { &self.control }
    }

    /// So much of the output was taken.
    pub(crate) fn advance(&mut self, count: usize) {
        if self.left > 0 {
            self.start += count;
            self.left -= count;
            if self.start >= self.ring.len() {
                self.start -= self.ring.len();
            }
        } else {
            self.control.drain(..count);
        }
    }

    /// Takes what came, and gives how many messages are whole with it.
    pub(crate) fn receive(&mut self, mut input: &[u8]) -> io::Result<u64> {
        let before = self.received;
        while !input.is_empty() {
            if self.inflater.is_none() && self.parser.is_between_messages() {
                input = self.receive_whole(input)?;
            }
            match self.parser.next(&mut input)? {
                None => break,
                Some(Event::Data { kind, piece, last }) => self.receive_piece(kind, piece, last)?,
                Some(Event::Ping(payload)) => {
                    frames::put_masked(&mut self.control, frames::FIN | frames::PONG, KEY, &payload);
                }
                Some(Event::Pong) => {}
                Some(Event::Close) if self.closing => self.closed = true,
                Some(Event::Close) => return Err(bad("the server closes")),
            }
        }
        Ok(self.received - before)
    }

    /// Takes the echoes that have come whole and in one frame. Gives what is behind them.
    fn receive_whole<'a>(&mut self, mut input: &'a [u8]) -> io::Result<&'a [u8]> {
        let (header, whole) = (self.ring.header(), self.ring.header().len() + self.ring.length());
        let [first, second, rest @ ..] = header else { return Ok(input) };
        // The header of most is two bytes: to compare those takes no call.
        while let Some(frame) = input.get(..whole)
            && frame[0] == *first
            && frame[1] == *second
            && (rest.is_empty() || frame[2..].starts_with(rest))
        {
            if self.received.is_multiple_of(SAMPLE) {
                check(
                    &frame[header.len()..],
                    self.ring.payload(self.received as usize & (self.ring.count() - 1)),
                )?;
            }
            self.received += 1;
            input = &input[whole..];
        }
        Ok(input)
    }

    fn receive_piece(&mut self, kind: u8, piece: &[u8], last: bool) -> io::Result<()> {
        if kind != self.ring.header()[0] & !frames::FIN {
            return Err(bad(format!("a message begins with {kind:#010b}")));
        }
        let payload = self.ring.payload(self.received as usize & (self.ring.count() - 1));
        match &mut self.inflater {
            Some(inflater) => {
                self.come = inflater.take(piece, self.come)?;
                if last {
                    self.come = inflater.end(self.come)?;
                    check(&inflater.text[..self.come], payload)?;
                }
            }
            None => {
                let Some(expected) = payload.get(self.come..self.come + piece.len()) else {
                    return Err(bad("an echo is too long"));
                };
                if self.received.is_multiple_of(SAMPLE) {
                    check(piece, expected)?;
                }
                self.come += piece.len();
            }
        }
        if last {
            if self.come != payload.len() {
                return Err(bad("an echo is too short"));
            }
            self.received += 1;
            self.come = 0;
        }
        Ok(())
    }

    /// For so many messages that came back, tells when they were sent, and how many of them at that time.
    pub(crate) fn take_sent(&mut self, mut count: u64, mut tell: impl FnMut(u64, u64)) -> io::Result<()> {
        while count > 0 {
            let (sent, batch) = self.sent.front_mut().ok_or_else(|| bad("more came back than was sent"))?;
            let part = count.min(*batch);
            tell(*sent, part);
            count -= part;
            *batch -= part;
            if *batch == 0 {
                self.sent.pop_front();
            }
        }
        Ok(())
    }
}

impl Inflater {
    /// Inflates behind what is there, and gives where it ends.
    fn take(&mut self, piece: &[u8], at: usize) -> io::Result<usize> {
        if piece.is_empty() {
            return Ok(at);
        }
        let before = self.inflate.total_out();
        let done = self.inflate.decompress(piece, &mut self.text[at..], InflateFlush::SyncFlush);
        done.map_err(|error| bad(error.as_str()))?;
        let end = at + (self.inflate.total_out() - before) as usize;
        if end == self.text.len() { Err(bad("an echo is too long")) } else { Ok(end) }
    }

    /// RFC 7692 §7.2.2.
    fn end(&mut self, at: usize) -> io::Result<usize> {
        let end = self.take(&TAIL, at)?;
        if self.takeover == Takeover::No {
            self.inflate.reset(false);
        }
        Ok(end)
    }
}

fn check(came: &[u8], sent: &[u8]) -> io::Result<()> {
    if came == sent { Ok(()) } else { Err(bad("an echo is not what was sent")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Options, Workload};

    fn sockets() -> impl Iterator<Item = Socket> {
        let kinds = [(false, None), (true, None), (true, Some(Takeover::Yes)), (true, Some(Takeover::No))];
        kinds.into_iter().flat_map(|(text, deflate)| {
            [0, 64, 200].map(|length| {
                let options = Options { text, deflate, ..Options::example(Workload::Echo) };
                Socket::new(&Rc::new(Ring::new(&options, length, 4)))
            })
        })
    }

    /// What it sends, in one piece.
    fn take(socket: &mut Socket) -> Vec<u8> {
        let mut all = Vec::new();
        while !socket.output().is_empty() {
            // More often than not a write takes no whole frame.
            let part = socket.output().len().div_ceil(3);
            all.extend_from_slice(&socket.output()[..part]);
            socket.advance(part);
        }
        all
    }

    #[test]
    fn echoes_cut_at_every_byte_are_counted_once() {
        for mut socket in sockets() {
            // All cuts together go more than once around the ring.
            let mut cut = 0;
            loop {
                socket.send(3, 7);
                let echo = frames::echo(&take(&mut socket));
                let (head, tail) = echo.split_at(cut.min(echo.len()));
                assert_eq!(socket.receive(head).unwrap() + socket.receive(tail).unwrap(), 3);
                let mut sent = Vec::new();
                socket.take_sent(3, |at, count| sent.push((at, count))).unwrap();
                assert_eq!(sent, [(7, 3)]);
                if cut > echo.len() {
                    break;
                }
                cut += 1;
            }
            assert!(socket.take_sent(1, |_, _| {}).is_err());
        }
    }

    #[test]
    fn echoes_that_are_not_what_was_sent_are_errors() {
        for mut socket in sockets().filter(|socket| socket.ring.length() > 0) {
            socket.send(1, 0);
            let echo = frames::echo(&take(&mut socket));
            let header = echo.len().min(if echo[1] == 126 { 4 } else { 2 });
            let shorter =
                [&frames::Frame::header(echo[0], echo.len() - header - 1)[..], &echo[header + 1..]].concat();
            let mut other = echo.clone();
            *other.last_mut().unwrap() ^= 1;
            let mut longer = [&frames::Frame::header(echo[0] & !frames::FIN, 1)[..], &[0x20]].concat();
            longer.extend([frames::FIN]);
            longer.extend(&echo[1..]);
            let mut kind = echo.clone();
            kind[0] ^= frames::RSV1;
            let close = [frames::FIN | frames::CLOSE, 0].to_vec();
            for wrong in [shorter, other, longer, kind, close] {
                let mut socket = Socket::new(&socket.ring);
                let result = socket.receive(&wrong);
                assert!(result.is_err(), "{wrong:02x?} was taken for {echo:02x?}");
            }
        }
    }

    #[test]
    fn a_ping_is_answered_behind_what_is_being_sent_and_a_close_when_it_was_asked_for() {
        let mut socket = Socket::new(&Rc::new(Ring::new(&Options::example(Workload::Echo), 64, 1)));
        socket.send(1, 0);
        socket.advance(10);
        assert_eq!(socket.receive(&[frames::FIN | frames::PING, 2, 4, 2]).unwrap(), 0);
        let rest = take(&mut socket);
        assert_eq!(rest.len(), 60 + 8);
        assert_eq!(frames::echo(&rest[60..]), [frames::FIN | frames::PONG, 2, 4, 2]);
        socket.close();
        let close = frames::echo(&take(&mut socket));
        assert_eq!(close, [frames::FIN | frames::CLOSE, 2, 3, 232]);
        assert!(!socket.is_closed());
        socket.receive(&close).unwrap();
        assert!(socket.is_closed());
    }
}
