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
pub fn alpn_protocol<T: TlsSession>(stream: &T) -> Option<&[u8]> {
    stream.session().alpn_protocol()
}

/// The peer's certificates, its own first; `None` if it presented none, as most clients do.
///
/// They have been verified as far as the configuration asks for. A resumed session has those of the first one.
pub fn peer_certificates<T: TlsSession>(stream: &T) -> Option<&[CertificateDer<'static>]> {
    stream.session().peer_certificates()
}

/// The version of TLS in use.
pub fn protocol_version<T: TlsSession>(stream: &T) -> Option<ProtocolVersion> {
    stream.session().protocol_version()
}

/// The DNS name that the client asked for (SNI), in lower case; `None` if it sent none, as with an IP address.
pub fn server_name<S>(stream: &ServerStream<S>) -> Option<&str> {
    stream.get_ref().1.server_name()
}

/// Either side of a TLS connection. Only [`ClientStream`], [`ServerStream`] and [`TlsStream`] are; there is no need to import it.
pub trait TlsSession: sealed::Sealed {
    /// What rustls knows about the connection.
    fn session(&self) -> &CommonState;
}

impl<S> TlsSession for ClientStream<S> {
    fn session(&self) -> &CommonState {
        self.get_ref().1
    }
}

impl<S> TlsSession for ServerStream<S> {
    fn session(&self) -> &CommonState {
        self.get_ref().1
    }
}

impl<S> TlsSession for TlsStream<S> {
    fn session(&self) -> &CommonState {
        self.get_ref().1
    }
}

mod sealed {
    pub trait Sealed {}
    impl<S> Sealed for super::ClientStream<S> {}
    impl<S> Sealed for super::ServerStream<S> {}
    impl<S> Sealed for super::TlsStream<S> {}
}
