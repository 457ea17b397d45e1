//! Limits and times of one WebSocket.

use std::time::Duration;

use sheave_deflate::DeflateConfig;

/// Which end of the connection this is. It decides who masks (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Masks what it sends.
    Client,
    /// Demands that what it receives is masked.
    Server,
}

/// Whether the `no-masking` extension is offered or accepted (draft-damjanovic-websockets-nomasking).
///
/// Masking keeps a script in a browser from choosing the bytes on the wire, which could deceive a proxy that
/// does not know WebSockets (RFC 6455 §10.3). Where nobody in between reads the bytes it is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum NoMasking {
    /// No.
    #[default]
    Never,
    /// On encrypted transports alone.
    Encrypted,
    /// On any transport.
    Always,
}

/// The limits and times of a WebSocket, each with a safe default.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The longest message that is received, in bytes. Default: 64 MiB.
    pub max_message_size: usize,
    /// The longest message that is received in parts, by a reader, in bytes. Default: 64 MiB.
    pub max_streamed_size: u64,
    /// The longest frame that is received whole, in bytes. Default: 16 MiB.
    pub max_frame_size: usize,
    /// The most frames that a message may come in that is received whole; 0 counts as 1. Default: 131 072.
    pub max_fragments: usize,
    /// How many bytes may wait to be written before sending waits. Default: 64 KiB. One message above it is
    /// taken whole.
    pub high_water_mark: usize,
    /// The longest frame that is sent, in bytes: a longer message leaves in fragments, and Pings and Pongs leave
    /// in between. Default: never fragmented.
    pub max_sent_frame_size: Option<usize>,
    /// permessage-deflate (RFC 7692), offered or accepted if it is set. Default: not.
    pub deflate: Option<DeflateConfig>,
    /// Whether a client need not mask, if both sides agree. Default: it masks.
    pub no_masking: NoMasking,
    /// After how long without a sign of life the peer is sent a Ping. Default: never.
    pub keepalive_interval: Option<Duration>,
    /// How long after a keepalive Ping the peer may stay silent, unless it is still taking what was queued
    /// before. Default: 20 s.
    pub keepalive_timeout: Duration,
    /// After how long without a message in either direction the WebSocket is closed (1001). Default: never.
    pub idle_timeout: Option<Duration>,
    /// How long closing may take: the peer's Close, and then the end of its stream. It begins when the peer has
    /// taken what was queued before. Default: 5 s.
    pub close_timeout: Duration,
    /// How long the peer may take none of what is being written; only what a transport's own buffer hides is
    /// not seen ([`Transmit::departed`](crate::io::Transmit::departed)). Default: 60 s.
    pub write_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_size: 64 << 20,
            max_streamed_size: 64 << 20,
            max_frame_size: 16 << 20,
            max_fragments: 128 << 10,
            high_water_mark: 64 << 10,
            max_sent_frame_size: None,
            deflate: None,
            no_masking: NoMasking::Never,
            keepalive_interval: None,
            keepalive_timeout: Duration::from_secs(20),
            idle_timeout: None,
            close_timeout: Duration::from_secs(5),
            write_timeout: Some(Duration::from_secs(60)),
        }
    }
}

impl Config {
    /// Sets [`Self::max_message_size`].
    #[must_use]
    pub fn max_message_size(self, bytes: usize) -> Self {
        Self { max_message_size: bytes, ..self }
    }

    /// Sets [`Self::max_streamed_size`].
    #[must_use]
    pub fn max_streamed_size(self, bytes: u64) -> Self {
        Self { max_streamed_size: bytes, ..self }
    }

    /// Sets [`Self::max_sent_frame_size`]; 0 counts as 1.
    #[must_use]
    pub fn max_sent_frame_size(self, bytes: impl Into<Option<usize>>) -> Self {
        Self { max_sent_frame_size: bytes.into(), ..self }
    }

    /// Sets [`Self::deflate`].
    #[must_use]
    pub fn deflate(self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        Self { deflate: deflate.into(), ..self }
    }

    /// Sets [`Self::no_masking`].
    #[must_use]
    pub fn no_masking(self, no_masking: NoMasking) -> Self {
        Self { no_masking, ..self }
    }

    /// Sets [`Self::max_frame_size`].
    #[must_use]
    pub fn max_frame_size(self, bytes: usize) -> Self {
        Self { max_frame_size: bytes, ..self }
    }

    /// Sets [`Self::max_fragments`].
    #[must_use]
    pub fn max_fragments(self, frames: usize) -> Self {
        Self { max_fragments: frames, ..self }
    }

    /// Sets [`Self::high_water_mark`].
    #[must_use]
    pub fn high_water_mark(self, bytes: usize) -> Self {
        Self { high_water_mark: bytes, ..self }
    }

    /// Sets [`Self::keepalive_interval`].
    #[must_use]
    pub fn keepalive_interval(self, interval: impl Into<Option<Duration>>) -> Self {
        Self { keepalive_interval: interval.into(), ..self }
    }

    /// Sets [`Self::keepalive_timeout`].
    #[must_use]
    pub fn keepalive_timeout(self, timeout: Duration) -> Self {
        Self { keepalive_timeout: timeout, ..self }
    }

    /// Sets [`Self::idle_timeout`].
    #[must_use]
    pub fn idle_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        Self { idle_timeout: timeout.into(), ..self }
    }

    /// Sets [`Self::close_timeout`].
    #[must_use]
    pub fn close_timeout(self, timeout: Duration) -> Self {
        Self { close_timeout: timeout, ..self }
    }

    /// Sets [`Self::write_timeout`].
    #[must_use]
    pub fn write_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        Self { write_timeout: timeout.into(), ..self }
    }
}
