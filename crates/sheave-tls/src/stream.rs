use rustls::{CommonState, ProtocolVersion};
use rustls_pki_types::CertificateDer;

/// A TLS connection on the client's side, as [`ClientConfig::connect`](crate::ClientConfig::connect) makes it.
///
/// What is written may stay in its buffer until it is flushed. `get_ref` gives the transport and the session.
pub type ClientStream<S> = tokio_rustls::client::TlsStream<S>;

/// A TLS connection on the server's side, as [`ServerConfig::accept`](crate::ServerConfig::accept) makes it.
///
/// What is written may stay in its buffer until it is flushed. `get_ref` gives the transport and the session.
pub type ServerStream<S> = tokio_rustls::server::TlsStream<S>;

/// A TLS connection of either side.
pub type TlsStream<S> = tokio_rustls::TlsStream<S>;

/// The ALPN protocol that the two sides agreed on; `None` if one of them named none.
pub fn alpn_protocol<T: TlsSession + ?Sized>(session: &T) -> Option<&[u8]> {
    session.known().alpn_protocol
}

/// The peer's certificates, its own first; `None` if it presented none, as most clients do.
///
/// They have been verified as far as the configuration asks for. A resumed session has those of the first one.
pub fn peer_certificates<T: TlsSession + ?Sized>(session: &T) -> Option<&[CertificateDer<'static>]> {
    session.known().peer_certificates
}

/// The version of TLS in use.
pub fn protocol_version<T: TlsSession + ?Sized>(session: &T) -> Option<ProtocolVersion> {
    session.known().protocol_version
}

/// On a server, the DNS name that the client asked for (SNI), in lower case; `None` if it sent none, as with an IP address.
pub fn server_name<T: TlsSession + ?Sized>(session: &T) -> Option<&str> {
    session.known().server_name
}

/// Either side of a TLS connection, or what was [noted](Session) of it. Nothing else is one; there is no need to import it.
pub trait TlsSession: sealed::Sealed {}

impl<S> TlsSession for ClientStream<S> {}
impl<S> TlsSession for ServerStream<S> {}
impl<S> TlsSession for TlsStream<S> {}
impl TlsSession for Session {}

/// What is known of a TLS connection, for who has not got that itself.
#[derive(Clone, Debug)]
pub struct Session {
    alpn_protocol: Option<Vec<u8>>,
    peer_certificates: Option<Vec<CertificateDer<'static>>>,
    protocol_version: Option<ProtocolVersion>,
    server_name: Option<String>,
}

impl Session {
    /// What is known of this one.
    pub fn of<T: TlsSession + ?Sized>(session: &T) -> Self {
        let known = session.known();
        Self {
            alpn_protocol: known.alpn_protocol.map(Into::into),
            peer_certificates: known.peer_certificates.map(Into::into),
            protocol_version: known.protocol_version,
            server_name: known.server_name.map(Into::into),
        }
    }
}

mod sealed {
    use super::{
        CertificateDer, ClientStream, CommonState, ProtocolVersion, ServerStream, Session, TlsStream,
    };

    /// The same of all of them.
    pub struct Known<'a> {
        pub(super) alpn_protocol: Option<&'a [u8]>,
        pub(super) peer_certificates: Option<&'a [CertificateDer<'static>]>,
        pub(super) protocol_version: Option<ProtocolVersion>,
        pub(super) server_name: Option<&'a str>,
    }

    impl<'a> Known<'a> {
        fn new(state: &'a CommonState, server_name: Option<&'a str>) -> Self {
            Self {
                alpn_protocol: state.alpn_protocol(),
                peer_certificates: state.peer_certificates(),
                protocol_version: state.protocol_version(),
                server_name,
            }
        }
    }

    pub trait Sealed {
        fn known(&self) -> Known<'_>;
    }

    impl<S> Sealed for ClientStream<S> {
        fn known(&self) -> Known<'_> {
            Known::new(self.get_ref().1, None)
        }
    }

    impl<S> Sealed for ServerStream<S> {
        fn known(&self) -> Known<'_> {
            let session = self.get_ref().1;
            Known::new(session, session.server_name())
        }
    }

    impl<S> Sealed for TlsStream<S> {
        fn known(&self) -> Known<'_> {
            match self {
                Self::Client(stream) => stream.known(),
                Self::Server(stream) => stream.known(),
            }
        }
    }

    impl Sealed for Session {
        fn known(&self) -> Known<'_> {
            Known {
                alpn_protocol: self.alpn_protocol.as_deref(),
                peer_certificates: self.peer_certificates.as_deref(),
                protocol_version: self.protocol_version,
                server_name: self.server_name.as_deref(),
            }
        }
    }
}
