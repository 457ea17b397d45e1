//! A client of HTTP/2, which keeps to a script and to the windows.

use std::mem;

use bytes::{Bytes, BytesMut};
use sheave::h2::frame::{self, Frame, Head, Kind, Ping, Setting, WindowUpdate, flag};
use sheave::h2::{PREFACE, StreamId};
use tokio::io::ReadBuf;

use super::input::{Input, Piece};
use super::script::{Script, Step, Tally};
use super::transport::Peer;

const MAX_FRAME_SIZE: usize = 16_384;
const MAX_WINDOW: u32 = (1 << 31) - 1;
const DEFAULT_WINDOW: u32 = 65_535;

/// After so much of a window it is credited.
const CREDIT: u32 = 1 << 20;

/// RFC 9113 §6.5.2.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Plays a script.
pub(super) struct Client {
    script: Script,
    /// Which step of its opening is played, or of a pass if it has `opened`.
    nth: usize,
    opened: bool,
    /// What has been given of the step.
    given: Given,
    seen: Tally,
    /// Of all streams together, and of each.
    window: Window,
    windows: Vec<Window>,
    initial_window: i64,
    /// The first of the streams.
    base: u32,
    /// What goes before the step: the preface, credit, acknowledgements.
    control: BytesMut,
    input: Input,
    /// What came on each stream in this step, for as long as it is compared.
    answers: Option<Vec<Vec<u8>>>,
    /// The server's SETTINGS have come.
    ready: bool,
    /// Those that have not begun.
    passes: u64,
}

/// How far a step is.
#[derive(Default)]
struct Given {
    /// What of it is sent now, and what of that is before the next frame.
    nth: usize,
    before: usize,
    /// The frame that is being given: what is left of its head, and of its payload.
    head: Bytes,
    left: usize,
}

/// What may be sent, and what has come and was not credited.
#[derive(Clone, Copy)]
struct Window {
    room: i64,
    used: u32,
}

impl Given {
    fn is_inside_frame(&self) -> bool {
        self.left > 0 || !self.head.is_empty()
    }
}

impl Client {
    pub(super) fn new(script: Script) -> Self {
        let mut control = BytesMut::from(&PREFACE[..]);
        frame::Settings::write(&[Setting { id: INITIAL_WINDOW_SIZE, value: MAX_WINDOW }], &mut control);
        let increment = MAX_WINDOW - DEFAULT_WINDOW;
        WindowUpdate { stream: StreamId::CONNECTION, increment }.write(&mut control);
        let window = Window { room: DEFAULT_WINDOW.into(), used: 0 };
        Self {
            nth: 0,
            opened: false,
            given: Given::default(),
            seen: Tally::default(),
            window,
            windows: vec![window; script.streams],
            initial_window: window.room,
            base: 1,
            control,
            input: Input::default(),
            answers: Some(vec![Vec::new(); script.streams]),
            ready: false,
            passes: 0,
            script,
        }
    }

    fn part(&self) -> &[Step] {
        if self.opened { &self.script.pass } else { &self.script.opening }
    }

    fn step(&self) -> &Step {
        &self.part()[self.nth]
    }

    /// Everything of the step was given, and everything that it expects has come.
    fn step_is_over(&self) -> bool {
        self.given.nth == self.step().frames.len() && self.seen == self.step().expected
    }

    /// There is nothing to be done before the next pass.
    fn is_resting(&self) -> bool {
        self.opened && self.nth + 1 == self.script.pass.len() && self.step_is_over()
    }

    fn begin_next_step(&mut self) {
        if let Some(answers) = &self.answers {
            let expected = &self.step().answer;
            assert!(answers.iter().all(|answer| answer == expected), "the answer is another");
        }
        if let Some(answers) = &mut self.answers {
            answers.iter_mut().for_each(Vec::clear);
        }
        self.nth += 1;
        if self.nth == self.part().len() {
            if self.opened {
                // The first pass has been looked at.
                self.answers = None;
            }
            self.nth = 0;
            self.opened = true;
            self.passes -= 1;
            if self.script.renews {
                self.base += 2 * self.windows.len() as u32;
                self.windows.fill(Window { room: self.initial_window, used: 0 });
            }
        }
        (self.given, self.seen) = (Given::default(), Tally::default());
    }

    /// How much of the payload the next frame may take, if there is one.
    fn may_begin(&self) -> Option<usize> {
        let sent = self.step().frames.get(self.given.nth).filter(|_| self.ready)?;
        let rest = sent.payload.len() - self.given.before;
        if sent.kind != Kind::DATA || rest == 0 {
            return Some(rest);
        }
        let room = self.window.room.min(self.windows[sent.stream].room);
        let room = usize::try_from(room).ok().filter(|room| *room > 0)?;
        Some(rest.min(room).min(MAX_FRAME_SIZE))
    }

    fn begin_frame(&mut self, length: usize) {
        let Self { script, given, .. } = self;
        let part = if self.opened { &script.pass } else { &script.opening };
        let sent = &part[self.nth].frames[given.nth];
        let mut flags = 0;
        if sent.kind == Kind::DATA {
            self.window.room -= length as i64;
            self.windows[sent.stream].room -= length as i64;
        } else {
            flags |= flag::END_HEADERS;
        }
        if sent.end_stream && given.before + length == sent.payload.len() {
            flags |= flag::END_STREAM;
        }
        let stream = StreamId::new(self.base + 2 * sent.stream as u32);
        let mut head = BytesMut::with_capacity(Head::LENGTH);
        Head { length: length as u32, kind: sent.kind, flags, stream }.write(&mut head);
        (given.head, given.left) = (head.freeze(), length);
    }

    /// Gives as much of the frame that has begun as there is room for.
    fn give_frame(&mut self, buffer: &mut ReadBuf<'_>) {
        let Self { script, given, .. } = self;
        let part = if self.opened { &script.pass } else { &script.opening };
        let payload = &part[self.nth].frames[given.nth].payload;
        buffer.put_slice(&given.head.split_to(given.head.len().min(buffer.remaining())));
        let count = given.left.min(buffer.remaining());
        buffer.put_slice(&payload[given.before..given.before + count]);
        given.before += count;
        given.left -= count;
        if given.before == payload.len() && given.head.is_empty() {
            (given.nth, given.before) = (given.nth + 1, 0);
        }
    }

    /// Which of the streams has this number.
    fn nth_stream(&self, id: StreamId) -> Option<usize> {
        let nth = id.get().checked_sub(self.base)? as usize / 2;
        (nth < self.windows.len()).then_some(nth)
    }

    fn take_data(&mut self, id: StreamId, data: &[u8]) {
        let stream = self.nth_stream(id).expect("DATA on one of the streams");
        self.seen.data += data.len();
        if let Some(answers) = &mut self.answers {
            answers[stream].extend_from_slice(data);
        }
        for (id, window) in [(StreamId::CONNECTION, &mut self.window), (id, &mut self.windows[stream])] {
            window.used += data.len() as u32;
            if window.used >= CREDIT {
                WindowUpdate { stream: id, increment: window.used }.write(&mut self.control);
                window.used = 0;
            }
        }
    }

    fn take_frame(&mut self, frame: Frame<'_>) {
        match frame {
            Frame::Headers(headers) => {
                self.seen.headers += 1;
                self.seen.ends += usize::from(headers.end_stream);
            }
            Frame::Settings(settings) if !settings.ack => {
                let initial = settings.iter().find(|setting| setting.id == INITIAL_WINDOW_SIZE);
                if let Some(Setting { value, .. }) = initial {
                    self.initial_window = value.into();
                    self.windows.iter_mut().for_each(|window| window.room = value.into());
                }
                frame::Settings::write_ack(&mut self.control);
                self.ready = true;
            }
            Frame::Settings(_) => {}
            Frame::Ping(ping) if !ping.ack => Ping { ack: true, ..ping }.write(&mut self.control),
            Frame::WindowUpdate(update) if update.stream.is_connection() => {
                self.window.room += i64::from(update.increment);
            }
            Frame::WindowUpdate(update) => {
                // It may be for a stream of the last pass.
                if let Some(stream) = self.nth_stream(update.stream) {
                    self.windows[stream].room += i64::from(update.increment);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Peer for Client {
    fn begin(&mut self, passes: u64) {
        // The opening counts as one that nobody asked for.
        self.passes += passes + u64::from(!self.opened);
    }

    fn is_over(&self) -> bool {
        self.passes == 0 && self.is_resting()
    }

    fn take(&mut self, written: &[u8]) {
        let mut input = mem::take(&mut self.input);
        input.read(written, |piece| match piece {
            Piece::Data(stream, data) => self.take_data(stream, data),
            Piece::End => self.seen.ends += 1,
            Piece::Frame(head, payload) => {
                self.take_frame(Frame::read(head, payload).expect("the frame is right"));
            }
        });
        self.input = input;
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.control.len().min(buffer.remaining());
        buffer.put_slice(&self.control.split_to(count));
        while buffer.remaining() > 0 && self.has_more() {
            if self.step_is_over() {
                self.begin_next_step();
            } else {
                if let Some(length) = self.may_begin().filter(|_| !self.given.is_inside_frame()) {
                    self.begin_frame(length);
                }
                self.give_frame(buffer);
            }
        }
    }

    fn has_more(&self) -> bool {
        !self.control.is_empty()
            || self.given.is_inside_frame()
            || self.may_begin().is_some()
            || self.step_is_over() && !self.is_over()
    }
}
