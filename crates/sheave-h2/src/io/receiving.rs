use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

use bytes::BytesMut;

use crate::event::SMALL;

/// What was received and not read yet, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// What was not read yet; empty if there is nothing.
    pub(super) content: BytesMut,
    /// What comes behind it.
    #[expect(clippy::box_collection, reason = "few streams have it, and each has its place")]
    more: Option<Box<VecDeque<BytesMut>>>,
    /// Whether the last of them was made here, so that more can be added.
    is_gathered: bool,
    /// Whether nothing more comes.
    pub(super) complete: bool,
    /// Whether nobody reads any more.
    pub(super) unwanted: bool,
    /// Whether the connection is to [stop](crate::Connection::stop) it without an error, as with
    /// [`Sending::ends`](super::state::Sending::ends).
    pub(super) stops: bool,
    pub(super) waker: Option<Waker>,
}

impl Receiving {
    /// Adds content behind the rest.
    pub(super) fn push(&mut self, content: BytesMut) {
        let is_small = content.len() <= SMALL;
        let last = self.more.as_mut().and_then(|more| more.back_mut()).unwrap_or(&mut self.content);
        if is_small && self.is_gathered && !last.is_empty() && last.len() < GATHERED {
            last.extend_from_slice(&content);
            return;
        }
        self.is_gathered = is_small;
        if self.content.is_empty() {
            self.content = content;
        } else {
            self.more.get_or_insert_default().push_back(content);
        }
    }

    /// Puts the rest of what was taken back, which is not empty.
    pub(super) fn put_back(&mut self, rest: BytesMut) {
        let next = mem::replace(&mut self.content, rest);
        if !next.is_empty() {
            self.more.get_or_insert_default().push_front(next);
        }
    }

    /// The next content.
    pub(super) fn pop(&mut self) -> Option<BytesMut> {
        if self.content.is_empty() {
            return None;
        }
        let next = match &mut self.more {
            Some(more) => more.pop_front().unwrap_or_default(),
            None => BytesMut::new(),
        };
        self.more.take_if(|more| more.is_empty());
        Some(mem::replace(&mut self.content, next))
    }
}

/// How much is copied together, in bytes.
const GATHERED: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_contents_become_one() {
        let mut receiving = Receiving::default();
        for content in [&b"a"[..], b"b", &[b'c'; SMALL], &[b'd'; SMALL + 1], b"e", b"f"] {
            receiving.push(content.into());
        }
        let lengths: Vec<usize> =
            std::iter::from_fn(|| receiving.pop()).map(|content| content.len()).collect();
        assert_eq!(lengths, [SMALL + 2, SMALL + 1, 2]);
    }

    #[test]
    fn the_first_stays_where_it_is() {
        let mut receiving = Receiving::default();
        let content = BytesMut::from("a");
        let memory = content.as_ptr();
        receiving.push(content);
        assert_eq!(receiving.pop().unwrap().as_ptr(), memory);
    }
}
