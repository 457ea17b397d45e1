//! Between the connection's state and its streams' cells.

use std::sync::Arc;

use super::cell::Cell;
use super::client::ResponseFuture;
use super::driver::Driver;
use super::recv_stream::RecvStream;
use super::server::{Incoming, SendResponse};
use super::shared::{Answer, Notice};
use super::wants::{End, More, Section, Taken, Wants};
use crate::chunks::Chunks;
use crate::error::Error;
use crate::error_code::ErrorCode;
use crate::event::{Event, Progress};
use crate::streams::StreamKey;

/// What handles want.
impl<T> Driver<T> {
    pub(super) fn heed(&mut self, notice: Notice) {
        match notice {
            Notice::Stream(cell) => self.attend(&cell),
            Notice::Answer(answer) => self.answer(answer),
            Notice::Ping(answer) => {
                if self.core.ping(self.now) {
                    self.pings.push_back(answer);
                }
            }
            Notice::Unneeded => self.is_unneeded = true,
            Notice::Shutdown => {
                // What was asked for before is not left out.
                self.open_waiting();
                self.core.shutdown(self.now);
                self.known.send_modify(|known| known.is_ending = true);
            }
        }
    }

    fn attend(&mut self, cell: &Arc<Cell>) {
        let (core, untried) = (&mut self.core, &mut self.untried);
        let send = |key, content: &mut Chunks, ends| {
            if !content.is_empty() {
                core.send_chunks(key, content)?;
            }
            if ends {
                untried.push(key);
                core.finish(key)?;
            }
            Ok(())
        };
        match cell.take_wants(send) {
            Taken::Content { key, sent, released, stops } => {
                self.release(key, released);
                self.conclude(key, cell, sent);
                if stops {
                    self.core.stop(key, ErrorCode::NO_ERROR);
                }
            }
            Taken::All(Some(key), wants) => self.fulfil(key, cell, wants),
            Taken::All(None, wants) if !wants.is_request() => {
                // It is opened with the promise of it; or never, if it has failed.
                cell.put_back(wants);
            }
            Taken::All(None, wants) if wants.is_taken_back() => {
                cell.fail(Error::Closed);
                self.waiting.remove(cell);
            }
            Taken::All(None, wants) => {
                cell.put_back(wants);
                self.waiting.push(cell);
            }
        }
    }

    /// Opens streams for the requests that wait, as far as the peer allows.
    pub(super) fn open_waiting(&mut self) {
        if !self.core.takes_streams() {
            self.waiting.drain().for_each(|cell| cell.fail(Error::Unprocessed));
        }
        while self.core.can_open() {
            let Some(cell) = self.waiting.pop(self.core.has_peer_settings()) else { return };
            self.open(&cell);
        }
    }

    fn open(&mut self, cell: &Arc<Cell>) {
        let mut wants = cell.take_all();
        if wants.is_taken_back() {
            return cell.fail(Error::Closed);
        }
        if !wants.is_request() {
            return;
        }
        let Some(Section::Request(request, end_stream)) = wants.more().sections.pop() else { return };
        match self.core.open(*request, end_stream) {
            Ok(key) => {
                self.register(key, cell);
                cell.opened(key);
                self.fulfil(key, cell, wants);
            }
            Err(error) => cell.fail(error),
        }
    }

    fn fulfil(&mut self, key: StreamKey, cell: &Arc<Cell>, mut wants: Wants) {
        let More { sections, end, stop, reset } = wants.take_more();
        let Wants { released, mut content, .. } = wants;
        self.release(key, released);
        let mut result = Ok(());
        for section in sections {
            match section {
                Section::Response(response, end_stream) => {
                    result = result.and_then(|()| self.core.respond_checked(key, response, end_stream));
                }
                Section::Promise(request, promised) => match self.core.promise(key, *request) {
                    Ok(key) => {
                        self.register(key, &promised);
                        promised.opened(key);
                        // It may have been answered before.
                        self.attend(&promised);
                    }
                    Err(error) => promised.give_up(&error),
                },
                Section::Request(..) => {}
            }
        }
        if result.is_ok() && !content.is_empty() {
            result = self.core.send_chunks(key, &mut content);
        }
        if end.is_some() {
            self.untried.push(key);
        }
        result = result.and_then(|()| match end {
            Some(End::Finish) => self.core.finish(key),
            Some(End::Trailers(trailers)) => self.core.send_trailers(key, *trailers),
            None => Ok(()),
        });
        self.conclude(key, cell, result);
        if let Some(code) = stop {
            self.core.stop(key, code);
        }
        if let Some(code) = reset {
            self.core.reset(key, code);
        }
    }

    fn answer(&mut self, answer: Answer) {
        let Answer { cell, key, head, content, end_stream } = answer;
        let is_whole = !content.is_empty();
        let mut result = self.core.respond_checked(key, head, end_stream && !is_whole);
        if is_whole {
            result = result.and_then(|()| self.core.send(key, content)).and_then(|()| self.core.finish(key));
            self.untried.push(key);
        }
        self.conclude(key, &cell, result);
    }

    /// So much of the stream's content was read.
    fn release(&mut self, key: StreamKey, length: usize) {
        if length > 0 {
            self.core.release(key, length, self.now);
            self.look_at_budget();
        }
    }

    /// Something was given to be sent, with this result.
    fn conclude(&mut self, key: StreamKey, cell: &Cell, result: Result<(), Error>) {
        if let Err(error @ Error::Usage(_)) = result {
            cell.fail(error);
            self.core.reset(key, ErrorCode::INTERNAL_ERROR);
        }
    }

    fn register(&mut self, key: StreamKey, cell: &Arc<Cell>) {
        self.is_used = true;
        if self.cells.len() <= key.index() {
            self.cells.resize_with(key.index() + 1, || None);
        }
        // Whose place it was has ended, even if that was not told yet.
        if let Some((_, before)) = self.cells[key.index()].replace((key, Arc::clone(cell))) {
            self.has_ended(&before);
        }
    }

    /// The cell's stream is closed.
    fn has_ended(&mut self, cell: &Cell) {
        let released = cell.closed();
        if released > 0 {
            self.core.discard(released);
            self.look_at_budget();
        }
    }
}

/// What has come.
impl<T> Driver<T> {
    pub(super) fn tell(&mut self, event: Event) {
        match event {
            Event::Request { stream, request, protocol, end_stream } => {
                let cell = Cell::new(self.shared.clone(), Some(stream));
                cell.received(Default::default(), end_stream);
                self.register(stream, &cell);
                let content = RecvStream::new(Arc::clone(&cell), false);
                let respond = SendResponse::new(cell);
                self.incoming.push_back(Incoming { request, protocol, content, respond });
            }
            Event::Data { stream, data, end_stream } => {
                let length = data.len();
                let wanted = self.cell(stream).is_some_and(|cell| cell.received(data, end_stream));
                if !wanted {
                    // What nobody reads is passed over. If it stopped the peer, two that do not read would wait for each
                    // other for ever.
                    self.core.release(stream, length, self.now);
                }
            }
            Event::Informational { stream, response } => {
                if let Some(cell) = self.cell(stream) {
                    cell.received_response(*response, false);
                }
            }
            Event::Response { stream, response, end_stream } => {
                if let Some(cell) = self.cell(stream) {
                    cell.received_response(*response, end_stream);
                }
            }
            Event::Trailers { stream, trailers } => {
                if let Some(cell) = self.cell(stream) {
                    cell.received_trailers(*trailers);
                }
            }
            Event::Promise { stream, promised, request } => {
                let cell = Cell::new(self.shared.clone(), Some(promised));
                cell.finish_unasked();
                self.register(promised, &cell);
                let response = ResponseFuture::new(cell);
                if let Some(parent) = self.cell(stream) {
                    parent.received_promise(*request, response);
                }
            }
            Event::Reset { stream, error } => {
                if let Some(cell) = self.cell(stream).cloned() {
                    cell.fail(error);
                    // Nobody has begun with it.
                    self.incoming.retain(|incoming| !incoming.respond.is_on(&cell));
                }
            }
            Event::Pong { round_trip } => {
                if let Some(answer) = self.pings.pop_front() {
                    let _ = answer.send(round_trip);
                }
            }
            Event::Settings => {
                let settings = *self.core.peer_settings();
                self.known.send_modify(|known| known.settings = Some(settings));
            }
            Event::GoAway { .. } => self.known.send_modify(|known| known.is_ending = true),
        }
    }

    /// What has become of what was to be sent.
    pub(super) fn tell_progress(&mut self) {
        while let Some(progress) = self.core.progress() {
            match progress {
                Progress::Sent(key, length) => {
                    if let Some(cell) = self.cell(key) {
                        cell.sent(length);
                    }
                }
                Progress::Closed(key) => {
                    // It may be another's place by now.
                    if self.cell(key).is_some()
                        && let Some((_, cell)) = self.cells[key.index()].take()
                    {
                        self.has_ended(&cell);
                    }
                }
            }
        }
    }

    /// All was sent that could be: whoever waits for the end of a stream is told if it could not.
    pub(super) fn tell_tried(&mut self) {
        while let Some(key) = self.untried.pop() {
            if let Some(cell) = self.cell(key) {
                cell.tried();
            }
        }
    }

    /// While as much is unread as may be, whatever is read counts at once.
    pub(super) fn look_at_budget(&mut self) {
        let congested = self.core.is_congested();
        if congested != self.shared.is_congested() {
            self.shared.set_congested(congested);
            if congested {
                let cells: Vec<_> = self.cells.iter().flatten().map(|(_, cell)| Arc::clone(cell)).collect();
                cells.iter().for_each(|cell| self.attend(cell));
            }
        }
    }

    fn cell(&self, key: StreamKey) -> Option<&Arc<Cell>> {
        let (known, cell) = self.cells.get(key.index())?.as_ref()?;
        (*known == key).then_some(cell)
    }
}
