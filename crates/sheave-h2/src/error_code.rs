//! Why a stream or a connection ends, as it is said on the wire.

use std::fmt;

/// The code of RST_STREAM and GOAWAY (RFC 9113 §7). An unknown one is kept, and means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(u32);

/// The codes with their names.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// What the RFC calls it. `None` if it is unknown.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// No error: a graceful end.
    NO_ERROR = 0x0;
    /// The peer broke the protocol in a way that has no code of its own.
    PROTOCOL_ERROR = 0x1;
    /// The fault of who sends it.
    INTERNAL_ERROR = 0x2;
    /// The peer sent more than a window allows.
    FLOW_CONTROL_ERROR = 0x3;
    /// SETTINGS were not acknowledged in time.
    SETTINGS_TIMEOUT = 0x4;
    /// A frame for a stream whose half is closed.
    STREAM_CLOSED = 0x5;
    /// A frame of a size that it must not have.
    FRAME_SIZE_ERROR = 0x6;
    /// The stream was refused before anything was done with it: the request can be made again.
    REFUSED_STREAM = 0x7;
    /// The stream is not needed any more.
    CANCEL = 0x8;
    /// The field section cannot be decompressed.
    COMPRESSION_ERROR = 0x9;
    /// The connection of a CONNECT failed.
    CONNECT_ERROR = 0xa;
    /// The peer causes more work than is acceptable.
    ENHANCE_YOUR_CALM = 0xb;
    /// The transport is not secure enough.
    INADEQUATE_SECURITY = 0xc;
    /// The request has to be made over HTTP/1.1.
    HTTP_1_1_REQUIRED = 0xd;
}

impl ErrorCode {
    /// The code of this number.
    pub const fn new(code: u32) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown code {:#x}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
