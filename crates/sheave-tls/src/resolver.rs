use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates of a server by the name that the client asks for. They may be exchanged at any time.
#[derive(Debug)]
pub(crate) struct Resolver(RwLock<Table>);

/// By pattern as [`crate::name::sni_pattern`] makes them; `None` is the default.
pub(crate) type Table = HashMap<Option<String>, Arc<CertifiedKey>>;

impl Resolver {
    pub(crate) fn new(table: Table) -> Self {
        Self(RwLock::new(table))
    }

    /// All at once: no handshake sees some of the new certificates without the others.
    pub(crate) fn replace(&self, new: Table) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(new);
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let named = name.and_then(|name| {
            table.get(&Some(name.to_owned())).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                table.get(&Some(format!("*.{parent}")))
            })
        });
        named.or_else(|| table.get(&None)).cloned()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls hands the name over in lower case.
        self.find(client_hello.server_name().map(|name| name.strip_suffix('.').unwrap_or(name)))
    }
}
