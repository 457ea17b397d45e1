use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::stream_id::StreamId;

/// The nine bytes that every frame begins with (RFC 9113 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How long the payload is, in bytes: up to 2^24 - 1.
    pub length: u32,
    /// What the frame is.
    pub kind: Kind,
    /// Of [`flag`]; those that have no meaning for the kind are ignored.
    pub flags: u8,
    /// The stream that it belongs to.
    pub stream: StreamId,
}

impl Head {
    /// How long a head is, in bytes.
    pub const LENGTH: usize = 9;

    /// Reads a head. `None` if there are less than nine bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, d, e, f, g] = bytes.first_chunk()?;
        Some(Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind: Kind(kind),
            flags,
            stream: StreamId::new(u32::from_be_bytes([d, e, f, g])),
        })
    }

    /// Writes it.
    pub fn write(self, out: &mut BytesMut) {
        let [_, a, b, c] = self.length.to_be_bytes();
        let [d, e, f, g] = self.stream.get().to_be_bytes();
        out.put_slice(&[a, b, c, self.kind.0, self.flags, d, e, f, g]);
    }

    /// Whether the flag is set.
    pub const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The flags of a frame (RFC 9113 §6).
pub mod flag {
    /// Of SETTINGS and PING: the answer to one.
    pub const ACK: u8 = 0x1;
    /// Of DATA and HEADERS: nothing more comes on the stream.
    pub const END_STREAM: u8 = 0x1;
    /// Of HEADERS, PUSH_PROMISE and CONTINUATION: the field block ends here.
    pub const END_HEADERS: u8 = 0x4;
    /// Of DATA, HEADERS and PUSH_PROMISE: there is padding.
    pub const PADDED: u8 = 0x8;
    /// Of HEADERS: there are fields of a priority.
    pub const PRIORITY: u8 = 0x20;
}

/// What a frame is (RFC 9113 §6). An unknown one is kept, to be ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(u8);

/// The kinds with their names.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self = Self($kind);)*

            /// What the RFC calls it. `None` if it is unknown.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($kind => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// RFC 9113 §6.1.
    DATA = 0x0;
    /// RFC 9113 §6.2.
    HEADERS = 0x1;
    /// RFC 9113 §6.3.
    PRIORITY = 0x2;
    /// RFC 9113 §6.4.
    RST_STREAM = 0x3;
    /// RFC 9113 §6.5.
    SETTINGS = 0x4;
    /// RFC 9113 §6.6.
    PUSH_PROMISE = 0x5;
    /// RFC 9113 §6.7.
    PING = 0x6;
    /// RFC 9113 §6.8.
    GOAWAY = 0x7;
    /// RFC 9113 §6.9.
    WINDOW_UPDATE = 0x8;
    /// RFC 9113 §6.10.
    CONTINUATION = 0x9;
    /// RFC 9218 §7.1.
    PRIORITY_UPDATE = 0x10;
}

impl Kind {
    /// The kind of this number.
    pub const fn new(kind: u8) -> Self {
        Self(kind)
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown kind {:#x}", self.0),
        }
    }
}
