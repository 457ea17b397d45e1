use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::Config;

/// The PINGs that we send (RFC 9113 §6.7), and when the peer was last heard.
#[derive(Debug)]
pub(super) struct Pings {
    keepalive: Option<Duration>,
    keepalive_timeout: Duration,
    outstanding: VecDeque<Ping>,
    next: u64,
    heard: Instant,
    /// When a keepalive was sent, if nothing was heard since.
    kept_alive: Option<Instant>,
    round_trip: Option<Duration>,
    measured: Option<Instant>,
}

#[derive(Debug)]
struct Ping {
    payload: u64,
    purpose: Purpose,
    sent: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody wants to know.
    Asked,
    /// Whether the peer is alive.
    KeepAlive,
    /// How large windows have to be.
    RoundTrip,
    /// Whether the peer knows that we end.
    End,
}

/// More are not outstanding: further ones go with the last.
const MOST: usize = 16;
/// How long a measurement holds.
const FRESH: Duration = Duration::from_secs(10);

impl Pings {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            keepalive: config.keepalive,
            keepalive_timeout: config.keepalive_timeout,
            outstanding: VecDeque::new(),
            next: 0,
            heard: now,
            kept_alive: None,
            round_trip: None,
            measured: None,
        }
    }

    /// Something came from the peer.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.kept_alive = None;
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The payload of a PING to send. `None` if enough of them are on their way.
    pub(super) fn send(&mut self, purpose: Purpose, now: Instant) -> Option<[u8; 8]> {
        match purpose {
            Purpose::KeepAlive => {
                // Those before, which anything else from the peer made up for.
                self.outstanding.retain(|ping| ping.purpose != purpose);
                self.kept_alive = Some(now);
            }
            Purpose::Asked | Purpose::RoundTrip if self.outstanding.len() >= MOST => return None,
            _ => {}
        }
        self.next += 1;
        self.outstanding.push_back(Ping { payload: self.next, purpose, sent: now });
        Some(self.next.to_be_bytes())
    }

    /// The same, to know the round trip, if that is not known well.
    pub(super) fn measure(&mut self, now: Instant) -> Option<[u8; 8]> {
        let fresh = self.measured.is_some_and(|measured| now.saturating_duration_since(measured) < FRESH);
        if fresh || !self.outstanding.is_empty() {
            return None;
        }
        self.send(Purpose::RoundTrip, now)
    }

    /// One was answered. `None` for what was never asked.
    pub(super) fn answered(&mut self, payload: [u8; 8], now: Instant) -> Option<(Purpose, Duration)> {
        let payload = u64::from_be_bytes(payload);
        let index = self.outstanding.iter().position(|ping| ping.payload == payload)?;
        let ping = self.outstanding.remove(index)?;
        if self.outstanding.is_empty() {
            self.outstanding = VecDeque::new();
        }
        let sample = now.saturating_duration_since(ping.sent);
        // The shortest is the truest; the rest was spent waiting.
        self.round_trip = Some(match self.round_trip {
            Some(known) if known < sample => (known * 7 + sample) / 8,
            _ => sample,
        });
        self.measured = Some(now);
        Some((ping.purpose, sample))
    }

    /// When something has to be done: to send a keepalive, or to give up.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let keepalive = self.keepalive?;
        match self.kept_alive {
            Some(sent) => sent.checked_add(self.keepalive_timeout),
            None => self.heard.checked_add(keepalive),
        }
    }

    /// Whether the peer owes a sign of life, and it is overdue.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.kept_alive.is_some() && self.timeout().is_some_and(|timeout| timeout <= now)
    }
}
