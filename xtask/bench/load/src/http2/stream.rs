//! One stream: a WebSocket by extended CONNECT (RFC 8441), or a request.

use std::collections::VecDeque;
use std::io;

use super::windows::{Credit, SendWindow};
use crate::bad;
use crate::socket::Socket;

pub(crate) struct Stream {
    pub(crate) id: u32,
    pub(crate) content: Content,
    pub(crate) window: SendWindow,
    pub(crate) credit: Credit,
    /// When it was opened.
    pub(crate) began: u64,
    /// Messages that came and were not told of yet.
    pub(crate) came: u64,
    pub(crate) state: State,
    /// Whether the stream is among those that have something to send.
    pub(crate) queued: bool,
    /// Whether it is among those to look at when all is read.
    pub(crate) touched: bool,
    /// END_STREAM came.
    pub(crate) over: bool,
    /// END_STREAM was sent.
    pub(crate) finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The answer has not come.
    Asked,
    /// It has, just now.
    Answered,
    Open,
}

pub(crate) enum Content {
    Socket(Box<Socket>),
    /// How much of the body came.
    Body(usize),
}

impl Stream {
    /// What it has to send. An END_STREAM comes behind it if the socket is closed.
    pub(crate) fn output(&self) -> &[u8] {
        match &self.content {
            Content::Socket(socket) => socket.output(),
            Content::Body(_) => &[],
        }
    }

    /// Whether it is to be told that nothing more comes.
    pub(crate) fn has_to_finish(&self) -> bool {
        !self.finished && matches!(&self.content, Content::Socket(socket) if socket.is_closed())
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.window.take(count);
        if let Content::Socket(socket) = &mut self.content {
            socket.advance(count);
        }
    }

    pub(crate) fn receive(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.over || self.state == State::Asked {
            return Err(bad("DATA outside of an answer"));
        }
        match &mut self.content {
            Content::Socket(socket) => self.came += socket.receive(piece)?,
            Content::Body(length) => *length += piece.len(),
        }
        Ok(())
    }
}

/// Which place each open stream has. Identifiers grow, so those of the open ones are near to each other.
#[derive(Default)]
pub(crate) struct Places {
    /// What was opened first of those that are open, counted from 0.
    base: usize,
    places: VecDeque<Option<usize>>,
}

impl Places {
    /// The identifier of a new stream.
    pub(crate) fn open(&mut self, place: usize) -> io::Result<u32> {
        let number = self.base + self.places.len();
        self.places.push_back(Some(place));
        u32::try_from(2 * number + 1)
            .ok()
            .filter(|id| *id < 1 << 31)
            .ok_or_else(|| bad("no identifier is left"))
    }

    pub(crate) fn get(&self, id: u32) -> Option<usize> {
        let number = (id as usize / 2).checked_sub(self.base).filter(|_| id % 2 == 1)?;
        self.places.get(number).copied().flatten()
    }

    /// Whether it is open or was.
    pub(crate) fn knows(&self, id: u32) -> bool {
        id % 2 == 1 && (id as usize / 2) < self.base + self.places.len()
    }

    pub(crate) fn close(&mut self, id: u32) {
        let number = (id as usize / 2).checked_sub(self.base);
        if let Some(place) = number.and_then(|number| self.places.get_mut(number)) {
            *place = None;
        }
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_identifiers() {
        let mut places = Places::default();
        assert_eq!([7, 8, 9].map(|place| places.open(place).unwrap()), [1, 3, 5]);
        assert_eq!([1, 2, 3, 5, 7].map(|id| places.get(id)), [Some(7), None, Some(8), Some(9), None]);
        places.close(3);
        assert_eq!([1, 3, 5].map(|id| places.get(id)), [Some(7), None, Some(9)]);
        places.close(1);
        assert_eq!([1, 3, 5].map(|id| places.get(id)), [None, None, Some(9)]);
        assert_eq!(places.open(7).unwrap(), 7);
        places.close(5);
        places.close(7);
        assert!(places.knows(7) && !places.knows(9) && !places.knows(2));
        assert_eq!(places.open(1).unwrap(), 9);
        assert_eq!(places.get(9), Some(1));
    }
}
