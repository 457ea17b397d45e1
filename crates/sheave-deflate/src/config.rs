use std::time::Duration;

/// What one side wants of permessage-deflate, and what it spends on it.
///
/// "Ours" is what this side compresses, "the peer's" what it has to inflate. Values out of their range are
/// brought into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    pub(crate) level: u8,
    pub(crate) memory_level: u8,
    pub(crate) window_bits: u8,
    pub(crate) context_takeover: bool,
    pub(crate) peer_window_bits: u8,
    pub(crate) peer_context_takeover: bool,
    threshold: usize,
    context_idle: Duration,
    pub(crate) context_budget: usize,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            level: 6,
            memory_level: 7,
            window_bits: 15,
            context_takeover: true,
            peer_window_bits: 15,
            peer_context_takeover: true,
            threshold: 64,
            context_idle: Duration::from_secs(10),
            context_budget: 64 << 20,
        }
    }
}

impl DeflateConfig {
    /// The least memory: every message is compressed on its own, in both directions, by a compressor that all
    /// connections of a thread share. A connection holds nothing between messages.
    pub fn small() -> Self {
        Self::default().context_takeover(false).peer_context_takeover(false)
    }

    /// How hard to try: from 1, the fastest, to 9, the smallest. Default: 6.
    #[must_use]
    pub fn level(self, level: u8) -> Self {
        Self { level: level.clamp(1, 9), ..self }
    }

    /// How much memory to compress with, beside the window: from 1 to 9. Default: 7. With 8,
    /// zlib's own, zlib-rs holds 56 KiB more and clears 24 KiB more with every message, which makes none of up to
    /// 8 KiB smaller and longer ones by about 0.1 %.
    #[must_use]
    pub fn memory_level(self, level: u8) -> Self {
        Self { memory_level: level.clamp(1, 9), ..self }
    }

    /// How far our messages refer back, at most: 2 to the power of this many bytes, from 9 to 15. Default: 15,
    /// 32 KiB. A compressor cannot keep to the 8 that RFC 7692 allows as well.
    #[must_use]
    pub fn window_bits(self, bits: u8) -> Self {
        Self { window_bits: bits.clamp(9, 15), ..self }
    }

    /// Whether our messages refer back to earlier ones: smaller, but it takes a compressor of the connection's
    /// own. Default: yes.
    #[must_use]
    pub fn context_takeover(self, takeover: bool) -> Self {
        Self { context_takeover: takeover, ..self }
    }

    /// How far the peer's messages may refer back, from 8 to 15: what is kept of them between messages.
    /// Default: 15.
    ///
    /// A client that does not know how to limit itself, or not to 8, is asked by a server to do without context
    /// takeover.
    #[must_use]
    pub fn peer_window_bits(self, bits: u8) -> Self {
        Self { peer_window_bits: bits.clamp(8, 15), ..self }
    }

    /// Whether the peer's messages may refer back to earlier ones. Default: yes.
    #[must_use]
    pub fn peer_context_takeover(self, takeover: bool) -> Self {
        Self { peer_context_takeover: takeover, ..self }
    }

    /// The shortest message that is compressed, in bytes. Default: 64.
    #[must_use]
    pub fn threshold(self, bytes: usize) -> Self {
        Self { threshold: bytes, ..self }
    }

    /// After how long without a message a connection gives its compressor and decompressor back; it may take up to
    /// twice as long. Default: 10 s.
    ///
    /// What the peer may refer back to is kept. Our next message refers back to nothing.
    #[must_use]
    pub fn context_idle(self, time: Duration) -> Self {
        Self { context_idle: time, ..self }
    }

    /// How many bytes the compressors and decompressors of all connections of this process may hold between
    /// messages. Default: 64 MiB.
    ///
    /// A connection that finds no room gives them back after each message, as after
    /// [`context_idle`](Self::context_idle).
    #[must_use]
    pub fn context_budget(self, bytes: usize) -> Self {
        Self { context_budget: bytes, ..self }
    }

    /// See [`threshold`](Self::threshold).
    pub fn get_threshold(&self) -> usize {
        self.threshold
    }

    /// See [`context_idle`](Self::context_idle).
    pub fn get_context_idle(&self) -> Duration {
        self.context_idle
    }
}
