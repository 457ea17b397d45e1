use core::fmt;

/// Why a block cannot be decoded. Each is the peer's fault, a connection error of type COMPRESSION_ERROR in
/// HTTP/2 (RFC 9113 §4.3), and final: the tables of both sides are no longer the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The index 0, or one beyond both tables (RFC 7541 §2.3.3, §6.1).
    InvalidIndex,
    /// An integer of more than 32 bits or more than six octets (RFC 7541 §5.1).
    IntegerOverflow,
    /// A string with EOS in it, or with padding that is not the beginning of EOS or is longer than 7 bits
    /// (RFC 7541 §5.2).
    InvalidHuffman,
    /// The block ends inside a representation.
    Truncated,
    /// A size update above the limit (RFC 7541 §6.3).
    SizeUpdateTooLarge,
    /// A size update behind a field (RFC 7541 §4.2).
    SizeUpdateMisplaced,
    /// The limit was lowered, and the block does not begin with a size update that goes as low (RFC 7541 §4.2).
    SizeUpdateMissing,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidIndex => "an index that no table has",
            Self::IntegerOverflow => "an integer is too large",
            Self::InvalidHuffman => "a string is not Huffman encoded as it says",
            Self::Truncated => "a header block ends too early",
            Self::SizeUpdateTooLarge => "a table size update above the limit",
            Self::SizeUpdateMisplaced => "a table size update behind a field",
            Self::SizeUpdateMissing => "a table size update is missing",
        })
    }
}

impl core::error::Error for Error {}
