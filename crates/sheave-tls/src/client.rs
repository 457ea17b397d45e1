use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::identity::Identity;
use crate::roots::Roots;
use crate::verifier::AcceptAnyCertificate;
use crate::{ClientStream, Error, alpn, default_provider, name};

/// How a client does TLS: whom it trusts, who it is, and which protocols it offers.
///
/// Made by [`builder`](Self::builder) or from an [`Arc<rustls::ClientConfig>`](rustls::ClientConfig). Cloning is
/// cheap, and the clones share their memory of sessions to resume. TLS 1.2 and 1.3.
#[derive(Clone)]
pub struct ClientConfig {
    inner: Arc<rustls::ClientConfig>,
}

impl ClientConfig {
    /// A builder that, with nothing else set, trusts the platform's roots, has no client certificate and offers
    /// no ALPN protocol.
    pub fn builder() -> ClientConfigBuilder {
        ClientConfigBuilder::default()
    }

    /// Does the handshake over `io` and checks that the server is `server_name`: a DNS name or an IP address, IPv6
    /// with or without brackets.
    ///
    /// There is no time limit here; put one around it, such as `tokio::time::timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServerName`] and [`Error::InvalidAlpn`] before anything is sent; [`Error::Handshake`] if
    /// either side refuses the other; [`Error::Io`] if the transport fails or ends too early. With TLS 1.3 a
    /// server that refuses the client's certificate does so after this has returned: the first read tells.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `io` and so gives up the connection. The configuration is not affected.
    pub async fn connect<S>(&self, server_name: &str, io: S) -> Result<ClientStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = name::server_name(server_name)?;
        alpn::check(&self.inner.alpn_protocols)?;
        let connector = TlsConnector::from(Arc::clone(&self.inner));
        connector.connect(name, io).await.map_err(Error::from_handshake)
    }

    /// The same configuration offering `protocols` instead, most wanted first; none at all if empty.
    ///
    /// A name that ALPN cannot carry is reported by [`connect`](Self::connect).
    #[must_use]
    pub fn with_alpn(&self, protocols: &[&[u8]]) -> Self {
        let mut config = (*self.inner).clone();
        config.alpn_protocols = alpn::owned(protocols.iter().copied());
        Self { inner: Arc::new(config) }
    }

    /// The ALPN protocols on offer, most wanted first.
    #[must_use]
    pub fn alpn(&self) -> &[Vec<u8>] {
        &self.inner.alpn_protocols
    }

    /// The rustls configuration inside.
    #[must_use]
    pub fn rustls(&self) -> &Arc<rustls::ClientConfig> {
        &self.inner
    }
}

impl From<Arc<rustls::ClientConfig>> for ClientConfig {
    fn from(inner: Arc<rustls::ClientConfig>) -> Self {
        Self { inner }
    }
}

impl From<rustls::ClientConfig> for ClientConfig {
    fn from(inner: rustls::ClientConfig) -> Self {
        Arc::new(inner).into()
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("alpn", &alpn::printable(self.alpn()))
            .field("client_certificate", &self.inner.client_auth_cert_resolver.has_certs())
            .finish_non_exhaustive()
    }
}

/// Collects what a [`ClientConfig`] is made of. Nothing is read or parsed before [`build`](Self::build).
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientConfigBuilder {
    roots: Roots,
    identity: Option<Identity>,
    alpn: Vec<Vec<u8>>,
    provider: Option<Arc<CryptoProvider>>,
    accept_any: bool,
}

impl ClientConfigBuilder {
    /// Trusts the platform's roots: the default if no roots are named; else in addition to those.
    ///
    /// They are read once per process. `SSL_CERT_FILE` and `SSL_CERT_DIR` in the environment take the place of the
    /// platform's store.
    pub fn platform_roots(mut self) -> Self {
        self.roots.add_platform();
        self
    }

    /// Trusts every certificate in this PEM text, in addition to other roots that are named.
    pub fn roots_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots.add_pem(pem.as_ref());
        self
    }

    /// Trusts every certificate in this PEM file, in addition to other roots that are named.
    pub fn roots_pem_file(mut self, path: impl AsRef<Path>) -> Self {
        self.roots.add_file(path.as_ref().to_owned());
        self
    }

    /// Trusts this certificate, in addition to other roots that are named.
    pub fn root_certificate(mut self, certificate: CertificateDer<'static>) -> Self {
        self.roots.add_der(certificate);
        self
    }

    /// Presents this certificate when the server asks for one. Default: none.
    ///
    /// `chain` begins with the client's own certificate; `key` is PKCS#8, PKCS#1 or SEC 1 and not encrypted.
    pub fn client_certificate_pem(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some(Identity::pem(chain, key));
        self
    }

    /// As [`client_certificate_pem`](Self::client_certificate_pem), from files.
    pub fn client_certificate_pem_files(
        mut self,
        chain_path: impl AsRef<Path>,
        key_path: impl AsRef<Path>,
    ) -> Self {
        self.identity = Some(Identity::files(chain_path, key_path));
        self
    }

    /// As [`client_certificate_pem`](Self::client_certificate_pem), from DER.
    pub fn client_certificate_der(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        self.identity = Some(Identity::Der { chain, key });
        self
    }

    /// Offers these protocols by ALPN, most wanted first. Default: none.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.alpn = alpn::owned(protocols);
        self
    }

    /// Uses another crypto provider than [`default_provider`].
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Takes any certificate from any server: **for development only**, since anybody on the way can then read and
    /// change everything.
    ///
    /// Roots, names and dates are not looked at. Signatures of the handshake still are. With
    /// `DevCertificate` there is no need for this.
    pub fn danger_accept_invalid_certificates(mut self) -> Self {
        self.accept_any = true;
        self
    }

    /// Reads and checks everything. This blocks on files; do it once, at the start.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoots`] if the platform has none; [`Error::Pem`], [`Error::File`], [`Error::Certificate`],
    /// [`Error::PrivateKey`] and [`Error::KeyMismatch`] for what was given; [`Error::InvalidAlpn`];
    /// [`Error::Provider`].
    pub fn build(mut self) -> Result<ClientConfig, Error> {
        alpn::check(&self.alpn)?;
        let provider = self.provider.unwrap_or_else(default_provider);
        let identity = self.identity.map(|identity| identity.load(&provider)).transpose()?;

        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(Error::Provider)?;
        let builder = if self.accept_any {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
        } else {
            if self.roots.is_empty() {
                self.roots.add_platform();
            }
            builder.with_root_certificates(self.roots.load()?)
        };
        let mut config = match identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn;
        Ok(config.into())
    }
}
