use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache, StoresServerSessions};
use rustls::sign::CertifiedKey;

/// The certificates of a server by the name that the client asks for, and the sessions that began with them.
///
/// One of the two never goes without the other: a resumed session shows no certificate, so a client would
/// otherwise go on seeing the one that it began with.
#[derive(Debug)]
pub(crate) struct Generation {
    table: Table,
    sessions: Arc<ServerSessionMemoryCache>,
}

/// By pattern as [`crate::name::sni_pattern`] makes them; `None` is the default.
pub(crate) type Table = HashMap<Option<String>, Arc<CertifiedKey>>;

impl Generation {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, sessions: ServerSessionMemoryCache::new(CAPACITY) }
    }

    /// The next generation: these certificates in the place of those for the same names, and no session.
    pub(crate) fn with(&self, new: Table) -> Self {
        let mut table = self.table.clone();
        table.extend(new);
        Self::new(table)
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            self.table.get(&Some(name.to_owned())).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                self.table.get(&Some(format!("*.{parent}")))
            })
        });
        named.or_else(|| self.table.get(&None)).cloned()
    }
}

impl ResolvesServerCert for Generation {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls hands the name over in lower case.
        self.find(client_hello.server_name().map(|name| name.strip_suffix('.').unwrap_or(name)))
    }
}

impl StoresServerSessions for Generation {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.sessions.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// As rustls has it.
const CAPACITY: usize = 256;
