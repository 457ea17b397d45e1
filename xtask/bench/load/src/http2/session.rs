//! The protocol of one connection as a value: bytes in, bytes out.

use std::collections::VecDeque;
use std::io;

use super::blocks::{self, Blocks};
use super::frame::{self, Head};
use super::settings::{self, MAX_FRAME, Settings};
use super::stream::{Content, Places, State, Stream};
use super::windows::{self, Credit, SendWindow, WINDOW};
use super::{number, put_window_update};
use crate::bad;
use crate::options::Workload;
use crate::run::Run;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// So much output is put together before it is written.
const OUTPUT: usize = 256 << 10;
/// So many streams wait for their answer at a time while sockets are opened that stay.
const OPENING: usize = 64;
pub(crate) struct Session {
    incoming: Incoming,
    /// Frames that were not taken yet.
    output: Vec<u8>,
    settings: Settings,
    /// Whether the server's settings have come.
    settled: bool,
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

impl Session {
    pub(crate) fn new(run: &Run) -> Self {
        let mut output = PREFACE.to_vec();
        settings::put_ours(&mut output);
        put_window_update(&mut output, 0, WINDOW - windows::INITIAL);
        let settings = Settings::new();
        Self {
            incoming: Incoming::default(),
            output,
            settled: false,
            window: SendWindow::new(windows::INITIAL),
            credit: Credit::new(WINDOW),
            blocks: Blocks::new(&run.options, settings.table),
            settings,
            streams: Vec::new(),
            places: Places::default(),
            queue: VecDeque::new(),
            touched: Vec::new(),
            asked: 0,
        }
    }

    /// All sockets are open.
    pub(crate) fn start(&mut self, run: &Run) {
        for place in 0..self.streams.len() {
            if let Content::Socket(socket) = &mut self.streams[place].content {
                run.start(socket);
                self.enqueue(place);
            }
        }
    }

    /// What is to be written now. The caller takes from its front, and asks again when all is written.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        self.put_data();
        &mut self.output
    }

    /// Takes all that one read brought.
    pub(crate) fn receive(&mut self, input: &[u8], run: &mut Run) -> io::Result<()> {
        self.take(input, run)?;
        self.settle(run)
    }

    fn take(&mut self, mut input: &[u8], run: &Run) -> io::Result<()> {
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
                if head.length > MAX_FRAME {
                    return Err(bad("a frame that is too large"));
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
        if !self.settled && head.kind != frame::SETTINGS {
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
                self.take_block(head, inner)
            }
            frame::CONTINUATION => {
                let (first, mut block) = self.incoming.block.take().unwrap_or((head, Vec::new()));
                block.extend_from_slice(payload);
                let flags = first.flags | head.flags & frame::END_HEADERS;
                self.take_block(Head { flags, ..first }, &block)
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

    fn take_block(&mut self, head: Head, block: &[u8]) -> io::Result<()> {
        if !head.has(frame::END_HEADERS) {
            self.incoming.block = Some((head, block.to_vec()));
            return Ok(());
        }
        let place = self.places.get(head.stream).ok_or_else(|| bad("HEADERS on no stream"))?;
        let stream = &mut self.streams[place];
        if stream.state == State::Asked {
            if !blocks::is_ok(block) {
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
        let before = self.settings.initial_window;
        self.settings.receive(payload)?;
        let by = i64::from(self.settings.initial_window) - i64::from(before);
        if by != 0 {
            for place in 0..self.streams.len() {
                self.streams[place].window.change(by)?;
                self.enqueue(place);
            }
        }
        frame::put(&mut self.output, frame::SETTINGS, frame::ACK, 0, &[]);
        let options = &run.options;
        if options.workload != Workload::Get && !self.settings.connect {
            return Err(bad("the server has no extended CONNECT"));
        }
        if options.sockets > self.settings.streams as usize {
            return Err(bad(format!("the server allows {} streams", self.settings.streams)));
        }
        if !self.settled {
            self.settled = true;
            self.blocks = Blocks::new(options, self.settings.table);
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
        while self.settled && self.streams.len() < run.options.sockets && self.asked < at_once {
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
            window: SendWindow::new(self.settings.initial_window),
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

    /// One DATA frame of each stream after the other, as far as the windows allow.
    fn put_data(&mut self) {
        while self.output.len() < OUTPUT
            && let Some(place) = self.queue.pop_front()
        {
            let stream = &mut self.streams[place];
            let output = stream.output();
            let length =
                output.len().min(self.settings.max_frame).min(self.window.room()).min(stream.window.room());
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

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
