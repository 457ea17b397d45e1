use std::fmt;
use std::path::{Path, PathBuf};

use rustls::InconsistentKeys;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::{Error, pem};

/// Where a certificate chain and its private key come from.
pub(crate) enum Identity {
    Pem { chain: Vec<u8>, key: Vec<u8> },
    Files { chain: PathBuf, key: PathBuf },
    Der { chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static> },
}

impl Identity {
    pub(crate) fn pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self::Pem { chain: chain.as_ref().to_vec(), key: key.as_ref().to_vec() }
    }

    pub(crate) fn files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self::Files { chain: chain.as_ref().to_owned(), key: key.as_ref().to_owned() }
    }

    pub(crate) fn is_files(&self) -> bool {
        matches!(self, Self::Files { .. })
    }

    /// Reads, parses and checks that the key belongs to the certificate.
    pub(crate) fn load(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        let (chain, key) = match self {
            Self::Pem { chain, key } => (pem::certificates(chain)?, pem::private_key(key)?),
            Self::Files { chain, key } => {
                (pem::certificates(&pem::read(chain)?)?, pem::private_key(&pem::read(key)?)?)
            }
            Self::Der { chain, key } => (chain.clone(), key.clone_key()),
        };
        let leaf = chain.first().ok_or(Error::NoCertificate)?;
        ParsedCertificate::try_from(leaf).map_err(Error::Certificate)?;
        let key = provider.key_provider.load_private_key(key).map_err(Error::PrivateKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A provider may be unable to tell; then the first handshake will.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => Err(Error::KeyMismatch),
            Err(error) => Err(Error::Certificate(error)),
        }
    }

    /// As [`load`](Self::load); and where `pattern` is an exact name, the certificate has to be valid for it.
    pub(crate) fn load_for(
        &self,
        pattern: Option<&str>,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, Error> {
        let certified = self.load(provider)?;
        // A wildcard may be served by a certificate that lists the names one by one.
        if let Some(name) = pattern.filter(|pattern| !pattern.starts_with("*.")) {
            let expected =
                ServerName::try_from(name).map_err(|_| Error::InvalidServerName(name.to_owned()))?;
            certified
                .end_entity_cert()
                .and_then(ParsedCertificate::try_from)
                .and_then(|leaf| verify_server_name(&leaf, &expected))
                .map_err(Error::Certificate)?;
        }
        Ok(certified)
    }
}

/// Never shows a key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem { .. } => f.write_str("Pem"),
            Self::Files { chain, key } => {
                f.debug_struct("Files").field("chain", chain).field("key", key).finish()
            }
            Self::Der { .. } => f.write_str("Der"),
        }
    }
}
