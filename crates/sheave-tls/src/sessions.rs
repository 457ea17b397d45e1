use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

/// Sessions to resume, forgotten all at once when a certificate is exchanged: a resumed session shows no
/// certificate, so a client would otherwise go on seeing the old one.
#[derive(Debug)]
pub(crate) struct Sessions(RwLock<Arc<ServerSessionMemoryCache>>);

impl Sessions {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(ServerSessionMemoryCache::new(CAPACITY)))
    }

    pub(crate) fn forget_all(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ServerSessionMemoryCache::new(CAPACITY);
    }

    fn current(&self) -> Arc<ServerSessionMemoryCache> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.current().put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.current().get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.current().take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// As rustls has it.
const CAPACITY: usize = 256;
