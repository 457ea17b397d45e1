use std::fmt;

/// Why a compressed message cannot be taken. Each is the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeflateError {
    /// The payload is not what DEFLATE (RFC 1951) makes, ends too early, or refers back further than was agreed on.
    Corrupt,
    /// The message inflates to more than the limit.
    TooLarge,
    /// The message has more than [`Decompressor::MAX_FINAL_BLOCKS`](crate::Decompressor::MAX_FINAL_BLOCKS).
    TooManyFinalBlocks,
}

impl fmt::Display for DeflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corrupt => "compressed data is corrupt",
            Self::TooLarge => "the message inflates to more than the limit",
            Self::TooManyFinalBlocks => "a compressed message ends too often",
        })
    }
}

impl std::error::Error for DeflateError {}

/// `Sec-WebSocket-Extensions` is not of the grammar of RFC 6455 §9.1, or lists too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedExtensions(pub(crate) &'static str);

impl MalformedExtensions {
    /// What is wrong.
    pub fn reason(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for MalformedExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for MalformedExtensions {}
