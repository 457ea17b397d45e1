use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert, StoresServerSessions};
use rustls::sign::CertifiedKey;

use crate::generation::{Generation, Table};

/// The generation of certificates that holds at the moment.
///
/// Used as a resolver and session storage itself it is always the newest; a handshake that is to stay with one
/// generation from its beginning to its end takes it with [`Self::get`].
#[derive(Debug)]
pub(crate) struct Current(RwLock<Arc<Generation>>);

impl Current {
    pub(crate) fn new(table: Table) -> Self {
        Self(RwLock::new(Arc::new(Generation::new(table))))
    }

    pub(crate) fn get(&self) -> Arc<Generation> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All at once: no handshake sees some of the new certificates without the others, or a session of before.
    pub(crate) fn replace(&self, new: Table) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(current.with(new));
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get().resolve(client_hello)
    }
}

impl StoresServerSessions for Current {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.get().put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        StoresServerSessions::get(&*Self::get(self), key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get().take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}
