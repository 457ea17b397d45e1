//! When to ping, and when to give up; time is passed in.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::Config;
use crate::error::Timeout;

/// Tells when the peer is to be pinged, when it is taken for dead, and how long it takes to answer.
#[derive(Debug)]
pub struct Keepalive {
    interval: Option<Duration>,
    patience: Duration,
    idle: Option<Duration>,
    last_received: Instant,
    last_message: Instant,
    /// The keepalive Ping that nothing has followed yet.
    unanswered: Option<Instant>,
    /// The newest Ping whose Pong is awaited, to measure with.
    measured: Option<(Bytes, Instant)>,
    sent: u64,
    rtt: Option<Duration>,
}

/// What a [`Keepalive`] asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a Ping with this payload.
    Ping(Bytes),
    /// Give up for this reason.
    Expired(Timeout),
}

impl Keepalive {
    /// A keepalive as configured, of a connection that begins `now`.
    pub fn new(config: &Config, now: Instant) -> Self {
        Self {
            interval: config.keepalive_interval,
            patience: config.keepalive_timeout,
            idle: config.idle_timeout,
            last_received: now,
            last_message: now,
            unanswered: None,
            measured: None,
            sent: 0,
            rtt: None,
        }
    }

    /// Something arrived, whatever it is.
    pub fn received(&mut self, now: Instant) {
        self.last_received = now;
        self.unanswered = None;
    }

    /// A data message was received or sent.
    pub fn message(&mut self, now: Instant) {
        // A split half tells late when it sent.
        self.last_message = self.last_message.max(now);
    }

    /// A Ping with this payload was sent.
    pub fn pinged(&mut self, payload: Bytes, now: Instant) {
        self.measured = Some((payload, now));
    }

    /// A Pong with this payload arrived.
    pub fn ponged(&mut self, payload: &Bytes, now: Instant) {
        if let Some((_, at)) = self.measured.take_if(|(ping, _)| ping == payload) {
            self.rtt = Some(now.saturating_duration_since(at));
        }
    }

    /// The peer does not answer a keepalive Ping, but takes what is written before that: it is given as long
    /// again.
    pub fn taking(&mut self, now: Instant) {
        self.unanswered = self.unanswered.and(Some(now));
    }

    /// How long the peer took to answer the last Ping that it answered.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.idle_at().into_iter().chain(self.keepalive_at()).min()
    }

    /// What is due `now`, if anything.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if self.idle_at().is_some_and(|at| now >= at) {
            return Some(Due::Expired(Timeout::Idle));
        }
        if self.keepalive_at().is_none_or(|at| now < at) {
            return None;
        }
        if self.unanswered.is_some() {
            return Some(Due::Expired(Timeout::Keepalive));
        }
        self.sent += 1;
        let payload = Bytes::copy_from_slice(&self.sent.to_be_bytes());
        self.unanswered = Some(now);
        self.pinged(payload.clone(), now);
        Some(Due::Ping(payload))
    }

    /// A time too far away to be told is never.
    fn idle_at(&self) -> Option<Instant> {
        self.last_message.checked_add(self.idle?)
    }

    fn keepalive_at(&self) -> Option<Instant> {
        match self.unanswered {
            Some(at) => at.checked_add(self.patience),
            None => self.last_received.checked_add(self.interval?),
        }
    }
}
