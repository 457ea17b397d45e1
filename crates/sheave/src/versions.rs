//! Which versions of HTTP are spoken.

/// The versions of HTTP that a client or a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Versions {
    /// Both. Over TLS the two sides agree by ALPN, HTTP/2 preferred. Without TLS a server tells them apart by how a connection
    /// begins, and a client speaks HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    Http1Only,
    /// HTTP/2 alone; without TLS by prior knowledge (RFC 9113 §3.3).
    Http2Only,
}

impl Versions {
    /// The ALPN protocols, the most preferred first (RFC 7301 §3.1).
    pub(crate) fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::Auto => &[b"h2", b"http/1.1"],
            Self::Http1Only => &[b"http/1.1"],
            Self::Http2Only => &[b"h2"],
        }
    }
}
