use std::fmt;
use std::io;
use std::path::PathBuf;

use rustls_pki_types::pem;

/// What went wrong, and whose doing it was.
///
/// [`Handshake`](Self::Handshake) is a failure of, or refused by, the peer; [`Io`](Self::Io) is the transport's;
/// every other variant is a mistake in the configuration and is the same on each attempt.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// PEM text is damaged, or holds none of the items that were asked for.
    Pem {
        /// The item that was looked for, such as `private key`.
        item: &'static str,
        /// What the PEM reader says.
        source: pem::Error,
    },
    /// A file with a certificate, a key or roots cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// A certificate is not valid X.509, or is not valid for the name that it was given for.
    Certificate(rustls::Error),
    /// A private key is not valid, or is of a kind that the crypto provider does not know.
    PrivateKey(rustls::Error),
    /// The private key does not belong to the certificate.
    KeyMismatch,
    /// A server was given no certificate at all.
    NoCertificate,
    /// There are no roots to verify the peer with.
    NoRoots {
        /// Why there are none.
        cause: String,
    },
    /// [`CertificateReloader::reload_files`](crate::CertificateReloader::reload_files) where no certificate came
    /// from files.
    NoFiles,
    /// The name is neither a DNS name nor an IP address (or, for a server's certificate, not a DNS name).
    InvalidServerName(String),
    /// This ALPN protocol name is empty or longer than 255 bytes (RFC 7301 §3.1), or with it all names together are
    /// longer than 32 KiB.
    InvalidAlpn(Vec<u8>),
    /// The crypto provider cannot serve TLS 1.2 and 1.3, or rustls refused the configuration.
    Provider(rustls::Error),
    /// A development certificate could not be made.
    DevCertificate(Box<dyn std::error::Error + Send + Sync>),
    /// The handshake failed: the peer's certificate was refused, the peer refused ours, nothing in common, or
    /// what it sent is not TLS.
    Handshake(rustls::Error),
    /// The transport failed. `UnexpectedEof`: the peer closed it in the middle of the handshake.
    Io(io::Error),
}

impl Error {
    /// Whether the configuration is to blame, so that trying again cannot help.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::Handshake(_) | Self::Io(_))
    }

    /// Whether the handshake failed since the two sides have no ALPN protocol in common, whichever side noticed.
    #[must_use]
    pub fn is_no_application_protocol(&self) -> bool {
        use rustls::{AlertDescription, Error as Tls};
        matches!(
            self,
            Self::Handshake(
                Tls::NoApplicationProtocol | Tls::AlertReceived(AlertDescription::NoApplicationProtocol)
            )
        )
    }

    /// tokio-rustls wraps what rustls says into `io::Error`; this takes it out again.
    pub(crate) fn from_handshake(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(tls) => Self::Handshake(tls),
            Err(io) => Self::Io(io),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem { item, source: pem::Error::NoItemsFound } => write!(f, "no {item} in the PEM text"),
            Self::Pem { item, .. } => write!(f, "damaged PEM text where a {item} was expected"),
            Self::File { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::Certificate(_) => f.write_str("unusable certificate"),
            Self::PrivateKey(_) => f.write_str("unusable private key"),
            Self::KeyMismatch => f.write_str("the private key does not belong to the certificate"),
            Self::NoCertificate => f.write_str("the server has no certificate"),
            Self::NoRoots { cause } => write!(f, "no roots to verify the peer with: {cause}"),
            Self::NoFiles => f.write_str("no certificate came from files, so none can be read again"),
            Self::InvalidServerName(name) => write!(f, "invalid server name {name:?}"),
            Self::InvalidAlpn(name) if name.is_empty() => f.write_str("an ALPN protocol name is empty"),
            Self::InvalidAlpn(name) => {
                write!(f, "too long for ALPN: the protocol name \"{}\"", name.escape_ascii())
            }
            Self::Provider(_) => f.write_str("the crypto provider or the TLS configuration cannot be used"),
            Self::DevCertificate(_) => f.write_str("cannot make a development certificate"),
            Self::Handshake(_) => f.write_str("TLS handshake failed"),
            Self::Io(_) => f.write_str("transport failed during the TLS handshake"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pem { source, .. } => Some(source),
            Self::File { source, .. } | Self::Io(source) => Some(source),
            Self::Certificate(source)
            | Self::PrivateKey(source)
            | Self::Provider(source)
            | Self::Handshake(source) => Some(source),
            Self::DevCertificate(source) => Some(source.as_ref()),
            Self::KeyMismatch
            | Self::NoCertificate
            | Self::NoRoots { .. }
            | Self::NoFiles
            | Self::InvalidServerName(_)
            | Self::InvalidAlpn(_) => None,
        }
    }
}
