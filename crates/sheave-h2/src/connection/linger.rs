//! Tunnels that are over on this side (RFC 9113 §8.5, RFC 8441), and not yet on the peer's.

use std::collections::VecDeque;
use std::time::Instant;

use super::Connection;
use crate::scheduler::make_room;
use crate::streams::{StreamKey, Streams};

/// Tunnels that have ended here and are not read any more. Those that close meanwhile stay until there is no room for
/// more.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    /// Those whose end may not be written yet; and how much of the output is taken once it is, in bytes.
    ending: VecDeque<(u64, StreamKey)>,
    /// The others, and when they are reset.
    ended: VecDeque<(Instant, StreamKey)>,
    /// How much of the output was taken, in bytes, and how much was left then.
    taken: u64,
    left: usize,
}

impl Connection {
    /// The stream is a tunnel that has ended here and is not read any more. A reset at once may overtake what was sent
    /// last, where that goes on behind the peer.
    pub(super) fn linger(&mut self, key: StreamKey) {
        let streams = &self.streams;
        let Lingering { ending, taken, left, .. } = &mut self.lingering;
        make_room(ending, |&(_, key)| streams.get(key).is_some());
        ending.push_back((*taken + self.output.len().max(*left) as u64, key));
    }

    /// Looks at what was taken of the output: the time of those whose end was written begins.
    pub(super) fn look_at_output(&mut self, now: Instant) {
        let (streams, output) = (&self.streams, self.output.len());
        let Lingering { ending, ended, taken, left } = &mut self.lingering;
        *taken += left.saturating_sub(output) as u64;
        *left = output;
        while let Some(&(_, key)) = ending.front().filter(|(whole, _)| whole <= taken) {
            ending.pop_front();
            // Never, if that is too far away.
            if let Some(until) = now.checked_add(self.config.tunnel_linger) {
                make_room(ended, |&(_, key)| streams.get(key).is_some());
                ended.push_back((until, key));
            }
        }
    }

    /// Something was added to the output.
    pub(super) fn added_to_output(&mut self) {
        self.lingering.left = self.output.len();
    }

    /// Resets those whose time has come.
    pub(super) fn end_lingering(&mut self, now: Instant) {
        while let Some(&(_, key)) = self.lingering.ended.front().filter(|(until, _)| *until <= now) {
            self.lingering.ended.pop_front();
            if let Some(code) = self.streams.get(key).and_then(|stream| stream.sending.then_reset) {
                self.reset(key, code);
            }
        }
    }
}

impl Lingering {
    /// When the next is reset.
    pub(super) fn timeout(&self) -> Option<Instant> {
        self.ended.front().map(|&(until, _)| until)
    }

    pub(super) fn shrink(&mut self, streams: &Streams) {
        /// Not worth to be given back.
        const LITTLE: usize = 4;
        self.ending.retain(|&(_, key)| streams.get(key).is_some());
        self.ended.retain(|&(_, key)| streams.get(key).is_some());
        if self.ending.capacity().max(self.ended.capacity()) > LITTLE {
            self.ending.shrink_to_fit();
            self.ended.shrink_to_fit();
        }
    }
}
