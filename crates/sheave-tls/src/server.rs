use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::generation::Generation;
use crate::identity::Identity;
use crate::reload::Slot;
use crate::roots::Roots;
use crate::{CertificateReloader, Error, ServerStream, alpn, default_provider, name};

/// How a server does TLS: its certificates, whether clients need one, and the protocols it speaks.
///
/// Made by [`builder`](Self::builder) or from an [`Arc<rustls::ServerConfig>`](rustls::ServerConfig). Cloning is
/// cheap; the clones share their certificates and up to 256 sessions to resume. TLS 1.2 and 1.3, no early data.
#[derive(Clone)]
pub struct ServerConfig {
    inner: Arc<rustls::ServerConfig>,
    reloader: Option<CertificateReloader>,
    /// `inner` with the certificates of the newest handshake.
    settled: Arc<Mutex<Option<Settled>>>,
}

type Settled = (Arc<Generation>, Arc<rustls::ServerConfig>);

impl ServerConfig {
    /// A builder with no certificate yet; with nothing else set, clients need none and no ALPN protocol is chosen.
    pub fn builder() -> ServerConfigBuilder {
        ServerConfigBuilder::default()
    }

    /// Does the handshake over `io`.
    ///
    /// There is no time limit here; put one around it, such as `tokio::time::timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAlpn`] before anything is read; [`Error::Handshake`] if either side refuses the other or the
    /// client does not speak TLS; [`Error::Io`] if the transport fails or ends too early.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `io` and so gives up the connection. The configuration is not affected.
    pub async fn accept<S>(&self, io: S) -> Result<ServerStream<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        alpn::check(&self.inner.alpn_protocols)?;
        TlsAcceptor::from(self.settled()).accept(io).await.map_err(Error::from_handshake)
    }

    /// The configuration for one handshake, whose certificates and sessions stay as they are: a handshake that saw
    /// an old certificate does not leave its session to those that see the new one.
    fn settled(&self) -> Arc<rustls::ServerConfig> {
        let Some(reloader) = &self.reloader else { return Arc::clone(&self.inner) };
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = reloader.generation();
        if let Some((known, config)) = &*settled
            && Arc::ptr_eq(known, &generation)
        {
            return Arc::clone(config);
        }
        let mut config = (*self.inner).clone();
        config.cert_resolver = Arc::clone(&generation) as _;
        config.session_storage = Arc::clone(&generation) as _;
        let config = Arc::new(config);
        *settled = Some((generation, Arc::clone(&config)));
        config
    }

    /// The handle that exchanges certificates while the server runs. `None` if this was made from a
    /// [`rustls::ServerConfig`], which has its own ways.
    #[must_use]
    pub fn reloader(&self) -> Option<CertificateReloader> {
        self.reloader.clone()
    }

    /// The same configuration speaking `protocols` instead, most wanted first; with none, ALPN is not answered.
    ///
    /// Certificates, the reloader and sessions are shared with `self`. A name that ALPN cannot carry is reported by
    /// [`accept`](Self::accept).
    #[must_use]
    pub fn with_alpn(&self, protocols: &[&[u8]]) -> Self {
        let mut config = (*self.inner).clone();
        config.alpn_protocols = alpn::owned(protocols.iter().copied());
        Self { inner: Arc::new(config), reloader: self.reloader.clone(), settled: Arc::default() }
    }

    /// The ALPN protocols to choose from, most wanted first.
    #[must_use]
    pub fn alpn(&self) -> &[Vec<u8>] {
        &self.inner.alpn_protocols
    }

    /// The rustls configuration inside. Its certificates are always the newest; only [`accept`](Self::accept) also
    /// keeps a handshake that a reload overtakes from leaving a session to later ones.
    #[must_use]
    pub fn rustls(&self) -> &Arc<rustls::ServerConfig> {
        &self.inner
    }
}

impl From<Arc<rustls::ServerConfig>> for ServerConfig {
    fn from(inner: Arc<rustls::ServerConfig>) -> Self {
        Self { inner, reloader: None, settled: Arc::default() }
    }
}

impl From<rustls::ServerConfig> for ServerConfig {
    fn from(inner: rustls::ServerConfig) -> Self {
        Arc::new(inner).into()
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("alpn", &alpn::printable(self.alpn()))
            .field("reloader", &self.reloader)
            .finish_non_exhaustive()
    }
}

/// Collects what a [`ServerConfig`] is made of. Nothing is read or parsed before [`build`](Self::build).
///
/// Chains begin with the server's own certificate; keys are PKCS#8, PKCS#1 or SEC 1 and not encrypted.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct ServerConfigBuilder {
    default: Option<Identity>,
    named: Vec<(String, Identity)>,
    client_roots: Roots,
    require_client_certificate: Option<bool>,
    alpn: Vec<Vec<u8>>,
    provider: Option<Arc<CryptoProvider>>,
}

impl ServerConfigBuilder {
    /// The default certificate: for clients that send no name, or one that no other certificate is for.
    pub fn certificate_pem(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.default = Some(Identity::pem(chain, key));
        self
    }

    /// As [`certificate_pem`](Self::certificate_pem), from files, which
    /// [`reload_files`](CertificateReloader::reload_files) reads again.
    pub fn certificate_pem_files(mut self, chain_path: impl AsRef<Path>, key_path: impl AsRef<Path>) -> Self {
        self.default = Some(Identity::files(chain_path, key_path));
        self
    }

    /// As [`certificate_pem`](Self::certificate_pem), from DER.
    pub fn certificate_der(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        self.default = Some(Identity::Der { chain, key });
        self
    }

    /// The certificate for clients that ask for `name` (SNI): a DNS name, or `*.` and a DNS name for any one label
    /// in its place. An exact name goes before a wildcard; of several for one name the last is kept.
    ///
    /// Without a default certificate, a client that asks for another name is refused.
    pub fn certificate_for_pem(
        mut self,
        name: impl Into<String>,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        self.named.push((name.into(), Identity::pem(chain, key)));
        self
    }

    /// As [`certificate_for_pem`](Self::certificate_for_pem), from files, which
    /// [`reload_files`](CertificateReloader::reload_files) reads again.
    pub fn certificate_for_pem_files(
        mut self,
        name: impl Into<String>,
        chain_path: impl AsRef<Path>,
        key_path: impl AsRef<Path>,
    ) -> Self {
        self.named.push((name.into(), Identity::files(chain_path, key_path)));
        self
    }

    /// Asks clients for a certificate that one of the roots in this PEM text has signed. May be repeated.
    pub fn client_roots_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.client_roots.add_pem(pem.as_ref());
        self
    }

    /// As [`client_roots_pem`](Self::client_roots_pem), from a file.
    pub fn client_roots_pem_file(mut self, path: impl AsRef<Path>) -> Self {
        self.client_roots.add_file(path.as_ref().to_owned());
        self
    }

    /// Whether clients without a certificate are refused. Default: yes if there are client roots. With `false` a
    /// client may come without; a certificate that it does present still has to be good.
    pub fn require_client_certificate(mut self, required: bool) -> Self {
        self.require_client_certificate = Some(required);
        self
    }

    /// The ALPN protocols to choose from: the first of these that the client offers, too. Default: none, then ALPN
    /// is not answered. A client that offers only others is refused; one that offers none is not.
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.alpn = alpn::owned(protocols);
        self
    }

    /// Uses another crypto provider than [`default_provider`].
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Reads and checks everything. This blocks on files; do it once, at the start.
    ///
    /// # Errors
    ///
    /// [`Error::NoCertificate`] if none was given; [`Error::Pem`], [`Error::File`], [`Error::Certificate`] (also
    /// if it is not valid for the exact name that it was given for), [`Error::PrivateKey`] and
    /// [`Error::KeyMismatch`] for what was given; [`Error::NoRoots`] if client certificates are required but there
    /// are no client roots; [`Error::InvalidServerName`], [`Error::InvalidAlpn`], [`Error::Provider`].
    pub fn build(self) -> Result<ServerConfig, Error> {
        alpn::check(&self.alpn)?;
        let provider = self.provider.unwrap_or_else(default_provider);

        let mut slots: Vec<Slot> = self.default.map(|identity| (None, identity)).into_iter().collect();
        for (pattern, identity) in self.named {
            let pattern = Some(name::sni_pattern(&pattern)?);
            slots.retain(|(other, _)| *other != pattern);
            slots.push((pattern, identity));
        }
        let reloader = CertificateReloader::new(slots, Arc::clone(&provider))?;

        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(Error::Provider)?;
        let required = self.require_client_certificate;
        let builder = if !self.client_roots.is_empty() {
            let roots = self.client_roots.load()?;
            let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            if required == Some(false) {
                verifier = verifier.allow_unauthenticated();
            }
            let verifier = verifier.build().map_err(|error| Error::NoRoots { cause: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        } else if required == Some(true) {
            let cause = "client certificates are required, but no client roots were given".to_owned();
            return Err(Error::NoRoots { cause });
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(reloader.current());
        config.session_storage = reloader.current();
        config.alpn_protocols = self.alpn;
        Ok(ServerConfig { inner: Arc::new(config), reloader: Some(reloader), settled: Arc::default() })
    }
}
