use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;

use crate::current::Current;
use crate::generation::{Generation, Table};
use crate::identity::Identity;
use crate::{Error, name};

/// Exchanges the certificates of a running server. From
/// [`ServerConfig::reloader`](crate::ServerConfig::reloader); cloning is cheap.
///
/// Handshakes that begin afterwards see the new certificate and resume no session that began with the old one;
/// handshakes that are under way end with the old one, and connections that exist go on untouched. If anything
/// is wrong with what is new, the error says so and **nothing** changes.
#[derive(Clone)]
pub struct CertificateReloader {
    shared: Arc<Shared>,
}

impl CertificateReloader {
    pub(crate) fn new(slots: Vec<Slot>, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        if slots.is_empty() {
            return Err(Error::NoCertificate);
        }
        let current = Arc::new(Current::new(load(&slots, &provider)?));
        let files = slots.into_iter().filter(|(_, identity)| identity.is_files()).collect();
        Ok(Self { shared: Arc::new(Shared { current, provider, files, reloading: Mutex::new(()) }) })
    }

    /// Replaces the default certificate; or adds one, if there was none.
    ///
    /// # Errors
    ///
    /// [`Error::Pem`], [`Error::Certificate`], [`Error::PrivateKey`], [`Error::KeyMismatch`].
    pub fn replace_pem(&self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<(), Error> {
        self.replace(&[(None, Identity::pem(chain, key))])
    }

    /// Replaces or adds the certificate for `name`, as
    /// [`certificate_for_pem`](crate::ServerConfigBuilder::certificate_for_pem) has it.
    ///
    /// # Errors
    ///
    /// Those of [`replace_pem`](Self::replace_pem), and [`Error::InvalidServerName`].
    pub fn replace_pem_for(
        &self,
        name: &str,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<(), Error> {
        self.replace(&[(Some(name::sni_pattern(name)?), Identity::pem(chain, key))])
    }

    /// Reads every certificate that came from files again, and exchanges all of them or none. One that came from
    /// files and was replaced since is the files' again.
    ///
    /// This blocks on the files. If they are being written at that moment, the key may not match the
    /// certificate: then the old ones stay, and a later call gets the new ones.
    ///
    /// # Errors
    ///
    /// [`Error::NoFiles`], [`Error::File`], and those of [`replace_pem`](Self::replace_pem).
    pub fn reload_files(&self) -> Result<(), Error> {
        if self.shared.files.is_empty() {
            return Err(Error::NoFiles);
        }
        self.replace(&self.shared.files)
    }

    fn replace(&self, slots: &[Slot]) -> Result<(), Error> {
        // Held while reading, too: whoever reads last also stores last.
        let _one_at_a_time = self.shared.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.current.replace(load(slots, &self.shared.provider)?);
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.shared.current)
    }

    pub(crate) fn generation(&self) -> Arc<Generation> {
        self.shared.current.get()
    }
}

impl fmt::Debug for CertificateReloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateReloader").field("files", &self.shared.files).finish_non_exhaustive()
    }
}

/// A certificate and the name that it is for; `None` is the default.
pub(crate) type Slot = (Option<String>, Identity);

struct Shared {
    current: Arc<Current>,
    provider: Arc<CryptoProvider>,
    files: Vec<Slot>,
    reloading: Mutex<()>,
}

fn load(slots: &[Slot], provider: &CryptoProvider) -> Result<Table, Error> {
    let mut table = Table::new();
    for (pattern, identity) in slots {
        table.insert(pattern.clone(), Arc::new(identity.load_for(pattern.as_deref(), provider)?));
    }
    Ok(table)
}
