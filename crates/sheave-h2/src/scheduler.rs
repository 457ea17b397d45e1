//! Whose DATA goes next.

use std::collections::VecDeque;

use crate::priority::Priority;
use crate::stream::{Listed, Stream};
use crate::streams::{StreamKey, Streams};

/// For each urgency (RFC 9218 §4.1), streams that take turns of [`QUANTUM`] bytes, and ahead of them those that have just
/// got something to send: what is short is not held up by what is long. Who has used up its turn waits behind the
/// others, so that a stream that gets something again and again holds nobody up either (as in RFC 8290).
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    levels: [Level; Priority::URGENCIES],
}

#[derive(Debug, Default)]
struct Level {
    new: VecDeque<StreamKey>,
    old: VecDeque<StreamKey>,
}

/// How much a stream sends before it is the next one's turn, in bytes; and the most that goes into one DATA frame.
pub(crate) const QUANTUM: i32 = 16 << 10;

impl Scheduler {
    /// The stream may have got something to send, or may be allowed to send it.
    pub(crate) fn ready(&mut self, key: StreamKey, streams: &mut Streams) {
        let Some(stream) = streams.get_mut(key) else { return };
        if stream.sending.listed == Listed::No && stream.sending.is_ready() {
            stream.sending.listed = Listed::New;
            stream.sending.deficit = QUANTUM;
            let urgency = stream.sending.priority.urgency;
            let list = &mut self.levels[usize::from(urgency)].new;
            push(list, key, streams);
        }
    }

    /// The next stream that may send, and how much before its turn is over. There is something to send then, and the
    /// stream's own window allows it.
    pub(crate) fn next(&mut self, streams: &mut Streams) -> Option<(StreamKey, usize)> {
        for level in &mut self.levels {
            while let Some((key, listed)) = level.first() {
                let Some(stream) = streams.get_mut(key) else {
                    // It is closed.
                    level.list(listed).pop_front();
                    continue;
                };
                if stream.sending.is_ready() && stream.sending.deficit > 0 {
                    return Some((key, stream.sending.deficit as usize));
                }
                level.list(listed).pop_front();
                if stream.sending.is_ready() {
                    stream.sending.deficit += QUANTUM;
                    if stands_first(stream) {
                        level.list(listed).push_front(key);
                        continue;
                    }
                } else if listed == Listed::Old || level.old.is_empty() {
                    stream.sending.listed = Listed::No;
                    continue;
                }
                // Also one that is empty: it would go ahead of the others as soon as it gets something.
                stream.sending.listed = Listed::Old;
                push(&mut level.old, key, streams);
            }
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
        let urgency = usize::from(std::mem::replace(&mut sending.priority, priority).urgency);
        sending.is_prioritized = true;
        if urgency != usize::from(priority.urgency) && sending.listed != Listed::No {
            self.levels[urgency].list(sending.listed).retain(|&listed| listed != key);
            sending.listed = Listed::No;
            self.ready(key, streams);
        }
    }

    /// Gives up what it keeps for more.
    pub(crate) fn shrink(&mut self) {
        for level in &mut self.levels {
            if level.first().is_none() {
                *level = Level::default();
            }
        }
    }
}

impl Level {
    fn first(&self) -> Option<(StreamKey, Listed)> {
        let old = || self.old.front().map(|&key| (key, Listed::Old));
        self.new.front().map(|&key| (key, Listed::New)).or_else(old)
    }

    fn list(&mut self, listed: Listed) -> &mut VecDeque<StreamKey> {
        if listed == Listed::New { &mut self.new } else { &mut self.old }
    }
}

/// Whether it sends all it has before others of its urgency: it is said to be of no use in part (RFC 9218 §4.2).
fn stands_first(stream: &Stream) -> bool {
    stream.sending.is_prioritized && !stream.sending.priority.incremental && !stream.is_tunnel
}

/// Adds to a list, which never holds much more than there are streams.
fn push(list: &mut VecDeque<StreamKey>, key: StreamKey, streams: &Streams) {
    if list.len() > 2 * streams.len() + 16 {
        list.retain(|&key| streams.get(key).is_some());
    }
    list.push_back(key);
}
