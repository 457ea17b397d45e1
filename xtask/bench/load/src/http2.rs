//! WebSockets or requests on one HTTP/2 connection: RFC 9113 and 8441, by hand.

mod blocks;
mod frame;
mod stream;
mod windows;

use std::collections::VecDeque;
use std::io;

use blocks::Blocks;
use frame::Head;
use stream::{Content, Places, State, Stream};
use windows::{Credit, SendWindow};

use crate::bad;
use crate::options::Workload;
use crate::run::Run;
use crate::transport::{Buffers, Read, Transport};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The receive window of the connection and of each stream.
const WINDOW: u32 = 16 << 20;
/// §4.2: the size that we did not change.
const MAX_FRAME: usize = 16 << 10;
/// So much output is put together before it is written.
const OUTPUT: usize = 256 << 10;
/// So many streams wait for their answer at a time while sockets are opened that stay.
const OPENING: usize = 64;
/// §6.5.2.
const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

pub(crate) struct Connection {
    transport: Transport,
    incoming: Incoming,
    /// Frames that are being written, and how much of them is.
    output: Vec<u8>,
    written: usize,
    peer: Peer,
    window: SendWindow,
    credit: Credit,
    blocks: Blocks,
    streams: Vec<Stream>,
    places: Places,
    /// Streams with something to send.
    queue: VecDeque<usize>,
    /// Streams that something came for.
    touched: Vec<usize>,
    /// Streams that wait for their answer.
    asked: usize,
}

/// What is under way of a frame.
#[derive(Default)]
struct Incoming {
    /// A frame that has not come whole.
    cut: Vec<u8>,
    /// DATA that is passed on as it comes: where to, and how much is left of it.
    data: Option<(Head, usize, usize)>,
    /// A block of fields that CONTINUATION goes on with.
    block: Option<(Head, Vec<u8>)>,
}

/// The server's settings.
struct Peer {
    known: bool,
    initial_window: u32,
    max_frame: usize,
    table: u32,
    streams: u32,
    connect: bool,
}

impl Connection {
    pub(crate) fn new(transport: Transport, run: &Run) -> Self {
        let mut output = PREFACE.to_vec();
        let settings = [(ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, WINDOW)];
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        frame::put(&mut output, frame::SETTINGS, 0, 0, &payload);
        put_window_update(&mut output, 0, WINDOW - windows::INITIAL);
        Self {
            transport,
            incoming: Incoming::default(),
            output,
            written: 0,
            peer: Peer {
                known: false,
                initial_window: windows::INITIAL,
                max_frame: MAX_FRAME,
                table: 4096,
                streams: u32::MAX,
                connect: false,
            },
            window: SendWindow::new(windows::INITIAL),
            credit: Credit::new(WINDOW),
            blocks: Blocks::new(&run.options, 4096),
            streams: Vec::new(),
            places: Places::default(),
            queue: VecDeque::new(),
            touched: Vec::new(),
            asked: 0,
        }
    }

    /// The transport is writable, or something has come.
    pub(crate) fn ready(
        &mut self,
        run: &mut Run,
        buffers: &mut Buffers,
        readable: bool,
        at_end: bool,
    ) -> io::Result<()> {
        if !readable {
            return self.flush();
        }
        loop {
            let (bytes, wire, full) = match self.transport.read(buffers)? {
                Read::Some { bytes, wire, full } => (bytes, wire, full),
                Read::Blocked => break,
                Read::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            run.measure.look();
            run.measure.count_bytes(wire);
            self.receive(bytes, run)?;
            self.settle(run)?;
            self.flush()?;
            if !full && !at_end {
                break;
            }
        }
        self.flush()
    }

    /// All sockets are open.
    pub(crate) fn start(&mut self, run: &Run) -> io::Result<()> {
        for place in 0..self.streams.len() {
            if let Content::Socket(socket) = &mut self.streams[place].content {
                run.start(socket);
                self.enqueue(place);
            }
        }
        self.flush()
    }

    fn receive(&mut self, mut input: &[u8], run: &Run) -> io::Result<()> {
        while !input.is_empty() {
            if let Some((head, place, left)) = &mut self.incoming.data {
                let (piece, rest) = input.split_at(input.len().min(*left));
                input = rest;
                *left -= piece.len();
                let (head, place, left) = (*head, *place, *left);
                self.streams[place].receive(piece)?;
                if left == 0 {
                    self.incoming.data = None;
                    self.end_data(head, place);
                }
                continue;
            }
            if self.incoming.cut.is_empty()
                && let Some(head) = Head::parse(input)
            {
                let rest = &input[frame::HEADER..];
                if head.kind == frame::DATA && !head.has(frame::PADDED) {
                    input = rest;
                    self.begin_data(head)?;
                    continue;
                }
                if let Some((payload, rest)) = rest.split_at_checked(head.length) {
                    input = rest;
                    self.take_frame(head, payload, run)?;
                    continue;
                }
            }
            input = self.receive_cut(input, run)?;
        }
        Ok(())
    }

    /// Puts a frame together that has not come at once. Gives what is behind it.
    fn receive_cut<'a>(&mut self, input: &'a [u8], run: &Run) -> io::Result<&'a [u8]> {
        let cut = &mut self.incoming.cut;
        let head = Head::parse(cut);
        let wanted = frame::HEADER + head.map_or(0, |head| head.length);
        let (part, rest) = input.split_at(input.len().min(wanted - cut.len()));
        cut.extend_from_slice(part);
        let Some(head) = Head::parse(cut) else { return Ok(rest) };
        if head.length > MAX_FRAME {
            return Err(bad("a frame that is too large"));
        }
        if head.kind == frame::DATA && !head.has(frame::PADDED) {
            cut.clear();
            self.begin_data(head)?;
        } else if cut.len() == frame::HEADER + head.length {
            let mut whole = std::mem::take(cut);
            self.take_frame(head, &whole[frame::HEADER..], run)?;
            whole.clear();
            self.incoming.cut = whole;
        }
        Ok(rest)
    }

    fn begin_data(&mut self, head: Head) -> io::Result<()> {
        if head.length > MAX_FRAME {
            return Err(bad("a frame that is too large"));
        }
        let place = self.places.get(head.stream).ok_or_else(|| bad("DATA on no stream"))?;
        if let Some(increment) = self.credit.receive(head.length)? {
            put_window_update(&mut self.output, 0, increment);
        }
        let stream = &mut self.streams[place];
        if let Some(increment) = stream.credit.receive(head.length)?
            && !head.has(frame::END_STREAM)
        {
            put_window_update(&mut self.output, head.stream, increment);
        }
        if head.length > 0 {
            self.incoming.data = Some((head, place, head.length));
        } else {
            self.end_data(head, place);
        }
        Ok(())
    }

    fn end_data(&mut self, head: Head, place: usize) {
        self.streams[place].over |= head.has(frame::END_STREAM);
        self.touch(place);
    }

    fn touch(&mut self, place: usize) {
        if !std::mem::replace(&mut self.streams[place].touched, true) {
            self.touched.push(place);
        }
    }

    fn enqueue(&mut self, place: usize) {
        let stream = &mut self.streams[place];
        if !stream.queued && (!stream.output().is_empty() || stream.has_to_finish()) {
            stream.queued = true;
            self.queue.push_back(place);
        }
    }

    /// Any frame but DATA without padding.
    fn take_frame(&mut self, head: Head, payload: &[u8], run: &Run) -> io::Result<()> {
        if !self.peer.known && head.kind != frame::SETTINGS {
            return Err(bad("the first frame is not SETTINGS"));
        }
        if self.incoming.block.is_some() != (head.kind == frame::CONTINUATION) {
            return Err(bad("CONTINUATION is missing, or continues nothing"));
        }
        match head.kind {
            frame::DATA | frame::HEADERS => {
                let inner = frame::without_padding(head, payload).ok_or_else(|| bad("too much padding"))?;
                if head.kind == frame::DATA {
                    // The padding counts too (§6.9.1), and nothing is as rare.
                    let bare = Head { flags: head.flags & !frame::END_STREAM, ..head };
                    self.begin_data(bare)?;
                    self.incoming.data = None;
                    let place = self.places.get(head.stream).ok_or_else(|| bad("DATA on no stream"))?;
                    self.streams[place].receive(inner)?;
                    self.end_data(head, place);
                    return Ok(());
                }
                self.take_block(head, inner.to_vec())
            }
            frame::CONTINUATION => {
                let (first, mut block) = self.incoming.block.take().unwrap_or((head, Vec::new()));
                block.extend_from_slice(payload);
                let flags = first.flags | head.flags & frame::END_HEADERS;
                self.take_block(Head { flags, ..first }, block)
            }
            frame::SETTINGS if head.has(frame::ACK) => Ok(()),
            frame::SETTINGS => self.take_settings(payload, run),
            frame::PING if !head.has(frame::ACK) => {
                frame::put(&mut self.output, frame::PING, frame::ACK, 0, payload);
                Ok(())
            }
            frame::WINDOW_UPDATE => self.take_window_update(head, number(payload)?),
            frame::RST_STREAM => match self.places.get(head.stream) {
                // A server may end a stream so once both Closes were sent.
                Some(place) if self.streams[place].finished || self.streams[place].has_to_finish() => {
                    self.streams[place].over = true;
                    self.touch(place);
                    Ok(())
                }
                Some(_) => Err(bad(format!("RST_STREAM with error {}", number(payload)?))),
                None => Ok(()),
            },
            frame::GOAWAY => {
                let code = number(payload.get(4..).unwrap_or_default())?;
                Err(bad(format!("GOAWAY with error {code}")))
            }
            // PUSH_PROMISE was refused, others mean nothing (§5.5).
            5 => Err(bad("PUSH_PROMISE")),
            _ => Ok(()),
        }
    }

    fn take_block(&mut self, head: Head, block: Vec<u8>) -> io::Result<()> {
        if !head.has(frame::END_HEADERS) {
            self.incoming.block = Some((head, block));
            return Ok(());
        }
        let place = self.places.get(head.stream).ok_or_else(|| bad("HEADERS on no stream"))?;
        let stream = &mut self.streams[place];
        if stream.state == State::Asked {
            if !blocks::is_ok(&block) {
                return Err(bad(format!("the status is not 200: {block:02x?}")));
            }
            stream.state = State::Answered;
        } else if !head.has(frame::END_STREAM) {
            return Err(bad("HEADERS in the middle of a stream"));
        }
        self.end_data(head, place);
        Ok(())
    }

    fn take_settings(&mut self, payload: &[u8], run: &Run) -> io::Result<()> {
        for setting in payload.chunks(6) {
            let [a, b, value @ ..] = setting else { return Err(bad("half a setting")) };
            let value = number(value)?;
            match u16::from_be_bytes([*a, *b]) {
                HEADER_TABLE_SIZE => self.peer.table = value,
                MAX_CONCURRENT_STREAMS => self.peer.streams = value,
                INITIAL_WINDOW_SIZE => {
                    let by = i64::from(value) - i64::from(self.peer.initial_window);
                    self.peer.initial_window = value;
                    for place in 0..self.streams.len() {
                        self.streams[place].window.change(by)?;
                        self.enqueue(place);
                    }
                }
                MAX_FRAME_SIZE => self.peer.max_frame = value as usize,
                ENABLE_CONNECT_PROTOCOL => self.peer.connect = value == 1,
                _ => {}
            }
        }
        frame::put(&mut self.output, frame::SETTINGS, frame::ACK, 0, &[]);
        let options = &run.options;
        if options.workload != Workload::Get && !self.peer.connect {
            return Err(bad("the server has no extended CONNECT"));
        }
        if options.sockets > self.peer.streams as usize {
            return Err(bad(format!("the server allows {} streams", self.peer.streams)));
        }
        if !self.peer.known {
            self.peer.known = true;
            self.blocks = Blocks::new(options, self.peer.table);
        }
        Ok(())
    }

    fn take_window_update(&mut self, head: Head, increment: u32) -> io::Result<()> {
        if head.stream != 0 {
            return match self.places.get(head.stream) {
                Some(place) => {
                    self.streams[place].window.change(i64::from(increment))?;
                    self.enqueue(place);
                    Ok(())
                }
                None if self.places.knows(head.stream) => Ok(()),
                None => Err(bad("WINDOW_UPDATE on no stream")),
            };
        }
        let was_empty = self.window.room() == 0;
        self.window.change(i64::from(increment))?;
        if was_empty {
            (0..self.streams.len()).for_each(|place| self.enqueue(place));
        }
        Ok(())
    }

    /// All that came is read: what follows from it for each stream.
    fn settle(&mut self, run: &mut Run) -> io::Result<()> {
        let mut touched = std::mem::take(&mut self.touched);
        for place in touched.drain(..) {
            self.settle_stream(place, run)?;
        }
        self.touched = touched;
        let at_once = if run.starts_at_once() { usize::MAX } else { OPENING };
        while self.peer.known && self.streams.len() < run.options.sockets && self.asked < at_once {
            let stream = self.open(self.streams.len(), run)?;
            self.streams.push(stream);
        }
        Ok(())
    }

    fn settle_stream(&mut self, place: usize, run: &mut Run) -> io::Result<()> {
        let stream = &mut self.streams[place];
        stream.touched = false;
        let messages = std::mem::take(&mut stream.came);
        if stream.state == State::Answered {
            stream.state = State::Open;
            self.asked -= 1;
            if let Content::Socket(socket) = &mut stream.content {
                run.opened(socket);
            }
        }
        match &mut stream.content {
            Content::Socket(socket) => {
                if messages > 0 {
                    run.echoed(socket, messages)?;
                }
                if stream.over && !socket.is_closed() {
                    return Err(bad("the server ends a socket"));
                }
            }
            Content::Body(length) => {
                if stream.over && *length != run.options.length {
                    return Err(bad(format!("a body of {length} bytes")));
                }
            }
        }
        if stream.over && (stream.finished || stream.has_to_finish()) {
            if stream.has_to_finish() {
                frame::put_head(&mut self.output, 0, frame::DATA, frame::END_STREAM, stream.id);
                stream.finished = true;
            }
            run.ended(stream.began);
            let (id, queued) = (stream.id, stream.queued);
            self.places.close(id);
            let stream = self.open(place, run)?;
            self.streams[place] = Stream { queued, ..stream };
        } else {
            self.enqueue(place);
        }
        Ok(())
    }

    /// Asks for a stream of that place.
    fn open(&mut self, place: usize, run: &Run) -> io::Result<Stream> {
        let get = run.options.workload == Workload::Get;
        let content = if get { Content::Body(0) } else { Content::Socket(Box::new(run.socket(place == 0))) };
        let id = self.places.open(place)?;
        let flags = frame::END_HEADERS | if get { frame::END_STREAM } else { 0 };
        frame::put(&mut self.output, frame::HEADERS, flags, id, self.blocks.next());
        self.asked += 1;
        Ok(Stream {
            id,
            content,
            window: SendWindow::new(self.peer.initial_window),
            credit: Credit::new(WINDOW),
            began: run.measure.now,
            came: 0,
            state: State::Asked,
            queued: false,
            touched: false,
            over: false,
            finished: get,
        })
    }

    /// Writes what can be written.
    fn flush(&mut self) -> io::Result<()> {
        loop {
            self.put_data();
            if self.output.is_empty() {
                return Ok(());
            }
            if self.written == 0
                && self.transport.is_ready()
                && self.transport.alpn().is_some_and(|it| it != b"h2")
            {
                return Err(bad("ALPN did not agree on h2"));
            }
            self.written += self.transport.write(&self.output[self.written..])?;
            if self.written < self.output.len() {
                self.output.drain(..std::mem::take(&mut self.written));
                return Ok(());
            }
            self.output.clear();
            self.written = 0;
        }
    }

    /// One DATA frame of each stream after the other, as far as the windows allow.
    fn put_data(&mut self) {
        while self.output.len() < OUTPUT
            && let Some(place) = self.queue.pop_front()
        {
            let stream = &mut self.streams[place];
            let output = stream.output();
            let length =
                output.len().min(self.peer.max_frame).min(self.window.room()).min(stream.window.room());
            if length > 0 {
                frame::put(&mut self.output, frame::DATA, 0, stream.id, &output[..length]);
                self.window.take(length);
                stream.advance(length);
            }
            if stream.output().is_empty() && stream.has_to_finish() {
                frame::put_head(&mut self.output, 0, frame::DATA, frame::END_STREAM, stream.id);
                stream.finished = true;
            }
            stream.queued = length > 0 && !stream.output().is_empty();
            if stream.queued {
                self.queue.push_back(place);
            }
        }
    }
}

fn put_window_update(output: &mut Vec<u8>, stream: u32, increment: u32) {
    frame::put(output, frame::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
}

fn number(bytes: &[u8]) -> io::Result<u32> {
    bytes
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes))
        .ok_or_else(|| bad("a frame that is too short"))
}
