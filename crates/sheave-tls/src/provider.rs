use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

/// The crypto provider that every configuration uses unless it is given another one: *ring*, with rustls' own
/// choice of cipher suites.
///
/// It is handed to rustls explicitly each time. No process-wide default is read or installed, so that none has to
/// be there and none is in anybody's way.
#[must_use]
pub fn default_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}
