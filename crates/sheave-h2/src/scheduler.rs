//! Whose DATA goes next.

use std::collections::VecDeque;

use crate::priority::Priority;
use crate::stream::{Listed, Stream};
use crate::streams::{StreamKey, Streams};

/// The streams that may send, by urgency: the most urgent go first (RFC 9218 §10).
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    levels: [Level; Priority::URGENCIES],
    /// Which of them may have something, bit by bit.
    busy: u8,
    /// How many frames were sent.
    frames: usize,
}

/// How much a stream sends before it is the next one's turn, in bytes; and the most that goes into one DATA frame.
pub(crate) const QUANTUM: i32 = 16 << 10;
/// Of so many frames one may be of any urgency, so that what is urgent does not stop the rest (RFC 9218 §10.1).
const FAVOURED: usize = 16;

impl Scheduler {
    /// The stream may have got something to send, or may be allowed to send it.
    pub(crate) fn ready(&mut self, key: StreamKey, streams: &mut Streams) {
        let Some(stream) = streams.get_mut(key) else { return };
        if stream.sending.listed == Listed::No && stream.sending.is_ready() {
            let level = usize::from(stream.sending.priority.urgency);
            self.levels[level].add(key, streams);
            self.busy |= 1 << level;
        }
    }

    /// The next stream that sends, and how much it may. There is something to send then, and the stream's own window
    /// allows it.
    pub(crate) fn next(&mut self, streams: &mut Streams) -> Option<(StreamKey, usize)> {
        let (round, frame) = (self.frames / FAVOURED, self.frames % FAVOURED);
        self.frames = self.frames.wrapping_add(1);
        let first = if frame == 0 { round % Priority::URGENCIES } else { 0 };
        while self.busy != 0 {
            // From the first one on, and round.
            let ahead = self.busy.rotate_right(first as u32).trailing_zeros() as usize;
            let level = (first + ahead) % Priority::URGENCIES;
            let next = self.levels[level].next(streams);
            if next.is_some() {
                return next;
            }
            self.busy &= !(1 << level);
        }
        None
    }

    /// The stream has sent this much.
    pub(crate) fn sent(stream: &mut Stream, length: usize) {
        stream.sending.deficit -= i32::try_from(length).unwrap_or(i32::MAX).min(QUANTUM);
    }

    /// The stream's priority is another now.
    pub(crate) fn reprioritize(&mut self, key: StreamKey, priority: Priority, streams: &mut Streams) {
        let Some(stream) = streams.get_mut(key) else { return };
        let sending = &mut stream.sending;
        let before = std::mem::replace(&mut sending.priority, priority);
        sending.is_prioritized = true;
        let listed = std::mem::take(&mut sending.listed);
        if listed != Listed::No {
            self.levels[usize::from(before.urgency)].list(listed).retain(|&listed| listed != key);
            self.ready(key, streams);
        }
    }

    /// Gives up what it keeps for more.
    pub(crate) fn shrink(&mut self) {
        for level in &mut self.levels {
            for list in [&mut level.whole, &mut level.new, &mut level.old] {
                list.shrink_to_fit();
            }
        }
    }
}

/// The streams of one urgency. Those that are of no use in part go one by one (RFC 9218 §4.2), beside the others, which
/// take turns of [`QUANTUM`] bytes.
///
/// Of these, those that have just got something to send go ahead: what is short is not held up by what is long. Who has
/// used up its turn waits behind the others, so that a stream that gets something again and again holds nobody up either
/// (as in RFC 8290).
#[derive(Debug, Default)]
struct Level {
    /// In the order of the requests.
    whole: VecDeque<StreamKey>,
    new: VecDeque<StreamKey>,
    old: VecDeque<StreamKey>,
    /// Whose turn it is of the two kinds.
    shares: bool,
}

impl Level {
    fn add(&mut self, key: StreamKey, streams: &mut Streams) {
        let Some(stream) = streams.get_mut(key) else { return };
        stream.sending.deficit = QUANTUM;
        if is_whole(stream) {
            stream.sending.listed = Listed::Whole;
            // RFC 9218 §10: "in ascending order of the stream ID".
            make_room(&mut self.whole, |&key| streams.get(key).is_some());
            let before = self.whole.iter().rposition(|other| other.id() < key.id());
            self.whole.insert(before.map_or(0, |before| before + 1), key);
        } else {
            stream.sending.listed = Listed::New;
            push(&mut self.new, key, streams);
        }
    }

    fn next(&mut self, streams: &mut Streams) -> Option<(StreamKey, usize)> {
        if self.whole.is_empty() {
            return self.next_share(streams);
        }
        self.shares = !self.shares;
        match self.shares {
            true => self.next_share(streams).or_else(|| self.next_whole(streams)),
            false => self.next_whole(streams).or_else(|| self.next_share(streams)),
        }
    }

    fn next_whole(&mut self, streams: &mut Streams) -> Option<(StreamKey, usize)> {
        while let Some(&key) = self.whole.front() {
            // If it is not there it is closed.
            if let Some(stream) = streams.get_mut(key) {
                if stream.sending.is_ready() {
                    return Some((key, QUANTUM as usize));
                }
                stream.sending.listed = Listed::No;
            }
            self.whole.pop_front();
        }
        None
    }

    fn next_share(&mut self, streams: &mut Streams) -> Option<(StreamKey, usize)> {
        loop {
            let listed = if self.new.is_empty() { Listed::Old } else { Listed::New };
            let &key = self.list(listed).front()?;
            let Some(stream) = streams.get_mut(key) else {
                // It is closed.
                self.list(listed).pop_front();
                continue;
            };
            let sending = &mut stream.sending;
            if sending.is_ready() && sending.deficit > 0 {
                return Some((key, sending.deficit as usize));
            }
            self.list(listed).pop_front();
            if sending.is_ready() {
                sending.deficit += QUANTUM;
            } else if listed == Listed::Old || self.old.is_empty() {
                sending.listed = Listed::No;
                continue;
            }
            // Also one that is empty: it would go ahead of the others as soon as it gets something.
            sending.listed = Listed::Old;
            push(&mut self.old, key, streams);
        }
    }

    fn list(&mut self, listed: Listed) -> &mut VecDeque<StreamKey> {
        match listed {
            Listed::Whole => &mut self.whole,
            Listed::New => &mut self.new,
            Listed::No | Listed::Old => &mut self.old,
        }
    }
}

/// Whether it is said to be of no use in part.
fn is_whole(stream: &Stream) -> bool {
    stream.sending.is_prioritized && !stream.sending.priority.incremental && !stream.is_tunnel
}

/// Adds to a list, which grows with the streams that there are, not with those that there were.
pub(crate) fn push(list: &mut VecDeque<StreamKey>, key: StreamKey, streams: &Streams) {
    make_room(list, |&key| streams.get(key).is_some());
    list.push_back(key);
}

/// Has room in a list for one more, where those that are closed were.
pub(crate) fn make_room<T>(list: &mut VecDeque<T>, is_open: impl Fn(&T) -> bool) {
    if list.len() == list.capacity() {
        list.retain(is_open);
        list.reserve(list.len().max(4));
    }
}
