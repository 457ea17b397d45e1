use std::time::Instant;

use super::Connection;
use crate::chunks::Chunks;
use crate::event::Progress;
use crate::frame::{Continuation, Head, Headers, Kind, PushPromise, RstStream, WindowUpdate, flag};
use crate::message;
use crate::scheduler::{QUANTUM, Scheduler};
use crate::settings::MAX_WINDOW_SIZE;
use crate::stream::{Closed, Ending, Frame, Section};
use crate::stream_id::StreamId;
use crate::streams::StreamKey;

/// How much is made ready at once, in bytes: one write's worth. What comes later with a higher priority waits for no more.
const BATCH: usize = 128 << 10;

impl Connection {
    /// What is to be written next: what is taken out counts as sent. Empty once there is nothing more to send, or that may
    /// be sent.
    pub fn transmit(&mut self, now: Instant) -> &mut Chunks {
        self.look_at_output(now);
        if self.output.len() < BATCH && self.error().is_none() {
            self.transmit_control();
            self.transmit_credits(now);
            self.transmit_heads();
            self.transmit_content();
            self.added_to_output();
        }
        &mut self.output
    }

    /// What is to be written and was made ready.
    #[cfg(feature = "tokio")]
    pub(crate) fn output(&mut self) -> &mut Chunks {
        &mut self.output
    }

    pub(super) fn transmit_control(&mut self) {
        if !self.control.is_empty() {
            self.output.push_slice(&self.control);
            self.control.clear();
            (self.answers, self.acks) = (0, 0);
        }
    }

    /// RFC 9113 §6.9
    fn transmit_credits(&mut self, now: Instant) {
        let increment = self.budget.update();
        if increment > 0 {
            WindowUpdate { stream: StreamId::CONNECTION, increment }.write(self.output.tail());
        }
        // What the peer was told of settings may hold already: together that stays a window.
        let most = self.config.max_window_size.min(MAX_WINDOW_SIZE - self.local.initial_window_increase());
        for key in self.credits.drain(..) {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            stream.receiving.is_listed = false;
            if !stream.state.is_receiving() {
                continue;
            }
            let (most, mut spare) = (most, self.budget.spare());
            let before = spare;
            let increment = stream.receiving.update(now, self.pings.round_trip(), most, &mut spare);
            self.budget.grew(before - spare);
            if increment > 0 {
                WindowUpdate { stream: key.id(), increment }.write(self.output.tail());
            }
        }
    }

    /// Field sections, and ends without content, in the order in which they were asked for: so streams are opened in that
    /// of their numbers (RFC 9113 §5.1.1).
    fn transmit_heads(&mut self) {
        while self.output.len() < BATCH {
            let Some(key) = self.heads.pop_front() else { return };
            self.transmit_section(key);
            self.transmit_end(key);
            self.scheduler.ready(key, &mut self.streams);
        }
    }

    fn transmit_section(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let sending = &mut stream.sending;
        let Some(section) = sending.sections.pop() else { return };
        let end_stream = sending.sections.is_empty()
            && sending.queue.is_empty()
            && matches!(sending.ending, Some(Ending::EndStream));
        match section {
            Section::Request(parts) => {
                self.encoder.encode(message::request_fields(&parts), &mut self.encoded);
                self.write_block(key.id(), None, end_stream);
                self.sent(key, Frame::Headers { end_stream });
            }
            Section::Response(parts) => {
                self.encoder.encode(message::response_fields(&parts), &mut self.encoded);
                self.write_block(key.id(), None, end_stream);
                self.sent(key, Frame::Headers { end_stream });
            }
            // It may have been reset meanwhile.
            Section::Promise(promise) if self.streams.get(promise.0).is_none() => {}
            Section::Promise(promise) => {
                let (promised, parts) = *promise;
                self.encoder.encode(message::request_fields(&parts), &mut self.encoded);
                self.write_block(key.id(), Some(promised.id()), false);
                self.sent(promised, Frame::Promise);
            }
        }
    }

    /// RFC 9113 §4.3
    fn write_block(&mut self, stream: StreamId, promised: Option<StreamId>, end_stream: bool) {
        let most = self.remote.max_frame_size as usize;
        let (block, out) = (&self.encoded, self.output.tail());
        // A promise begins with the stream that is promised.
        let (mut fragment, mut rest) = block.split_at(block.len().min(most - promised.map_or(0, |_| 4)));
        let (padding, end_headers) = (None, rest.is_empty());
        match promised {
            Some(promised) => PushPromise { stream, promised, end_headers, fragment, padding }.write(out),
            None => {
                Headers { stream, end_stream, end_headers, dependency: None, fragment, padding }.write(out);
            }
        }
        while !rest.is_empty() {
            (fragment, rest) = rest.split_at(rest.len().min(most));
            Continuation { stream, end_headers: rest.is_empty(), fragment }.write(out);
        }
        self.encoded.clear();
    }

    /// The stream's end, if it is that which comes next.
    fn transmit_end(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let sending = &mut stream.sending;
        let is_next = sending.sections.is_empty() && sending.queue.is_empty();
        let Some(ending) = sending.ending.take_if(|_| is_next) else { return };
        match ending {
            Ending::EndStream => {
                let head = Head { length: 0, kind: Kind::DATA, flags: flag::END_STREAM, stream: key.id() };
                head.write(self.output.tail());
                self.sent(key, Frame::Data { end_stream: true });
            }
            Ending::Trailers(trailers) => {
                self.encoder.encode(message::trailer_fields(&trailers), &mut self.encoded);
                self.write_block(key.id(), None, true);
                self.sent(key, Frame::Headers { end_stream: true });
            }
        }
    }

    fn transmit_content(&mut self) {
        while self.output.len() < BATCH && self.send_window.available() > 0 {
            let Some((key, turn)) = self.scheduler.next(&mut self.streams) else { return };
            let Some(stream) = self.streams.get_mut(key) else { return };
            let sending = &mut stream.sending;
            let length = turn
                .min(QUANTUM as usize)
                .min(sending.queue.len())
                .min(sending.window.available())
                .min(self.send_window.available())
                .min(self.remote.max_frame_size as usize);
            let last = length == sending.queue.len();
            let end_stream = last && matches!(sending.ending, Some(Ending::EndStream));
            let flags = if end_stream { flag::END_STREAM } else { 0 };
            let head = Head { length: length as u32, kind: Kind::DATA, flags, stream: key.id() };
            head.write(self.output.tail());
            sending.queue.move_to(&mut self.output, length);
            sending.window.take(length);
            self.send_window.take(length);
            Scheduler::sent(stream, length);
            self.sent_data(length);
            match self.progress.back_mut() {
                Some(Progress::Sent(last, sum)) if *last == key => *sum += length,
                _ => self.progress.push_back(Progress::Sent(key, length)),
            }
            self.sent(key, Frame::Data { end_stream });
            if last {
                self.transmit_end(key);
            }
        }
    }

    /// A frame was sent on the stream: to the state that it has then.
    fn sent(&mut self, key: StreamKey, frame: Frame) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let Some(state) = stream.state.send(frame) else { return };
        stream.state = state;
        let (Frame::Headers { end_stream: true } | Frame::Data { end_stream: true }) = frame else { return };
        stream.sending.ending = None;
        stream.sending.has_ended = true;
        if state.is_closed() {
            self.close(key, Closed::Ended);
        } else if stream.is_tunnel && stream.sending.then_reset.is_some() {
            self.linger(key);
        } else if let Some(code) = stream.sending.then_reset {
            RstStream { stream: key.id(), code }.write(self.output.tail());
            self.close(key, Closed::ResetHere);
        }
    }
}
