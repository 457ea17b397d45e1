//! Numbers of streams.

use std::fmt;

/// Which stream a frame belongs to: a number of 31 bits (RFC 9113 §5.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// The connection as a whole.
    pub const CONNECTION: Self = Self(0);
    /// The highest there is.
    pub const MAX: Self = Self(u32::MAX >> 1);

    /// The stream of this number; its highest bit is reserved, and does not count (RFC 9113 §4.1).
    pub const fn new(number: u32) -> Self {
        Self(number & Self::MAX.0)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether it is the connection as a whole.
    pub const fn is_connection(self) -> bool {
        self.0 == 0
    }

    /// Whether the client opens it: it is odd.
    pub const fn is_client_initiated(self) -> bool {
        !self.0.is_multiple_of(2)
    }

    /// Whether the server opens it, by a promise: it is even, and not 0.
    pub const fn is_server_initiated(self) -> bool {
        self.0 != 0 && self.0.is_multiple_of(2)
    }

    /// The next that the same side opens. `None` when there are no more.
    pub(crate) fn next(self) -> Option<Self> {
        (self.0 <= Self::MAX.0 - 2).then(|| Self(self.0 + 2))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<StreamId> for u32 {
    fn from(id: StreamId) -> Self {
        id.0
    }
}
