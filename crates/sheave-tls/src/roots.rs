use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::{Error, pem};

/// The roots that a configuration was given, not yet read.
#[derive(Default)]
pub(crate) struct Roots {
    platform: bool,
    own: Vec<Source>,
}

enum Source {
    Pem(Vec<u8>),
    File(PathBuf),
    Der(CertificateDer<'static>),
}

impl Roots {
    pub(crate) fn add_platform(&mut self) {
        self.platform = true;
    }

    pub(crate) fn add_pem(&mut self, text: &[u8]) {
        self.own.push(Source::Pem(text.to_vec()));
    }

    pub(crate) fn add_file(&mut self, path: PathBuf) {
        self.own.push(Source::File(path));
    }

    pub(crate) fn add_der(&mut self, certificate: CertificateDer<'static>) {
        self.own.push(Source::Der(certificate));
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.platform && self.own.is_empty()
    }

    pub(crate) fn load(&self) -> Result<Arc<RootCertStore>, Error> {
        let platform = self.platform.then(platform_roots).transpose()?;
        if let (Some(roots), true) = (&platform, self.own.is_empty()) {
            return Ok(Arc::clone(roots));
        }
        let mut store = platform.map_or_else(RootCertStore::empty, |roots| (*roots).clone());
        for source in &self.own {
            let certificates = match source {
                Source::Pem(text) => pem::certificates(text)?,
                Source::File(path) => pem::certificates(&pem::read(path)?)?,
                Source::Der(certificate) => vec![certificate.clone()],
            };
            for certificate in certificates {
                store.add(certificate).map_err(Error::Certificate)?;
            }
        }
        Ok(Arc::new(store))
    }
}

/// In numbers, as the certificates themselves are long.
impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("platform", &self.platform).field("own", &self.own.len()).finish()
    }
}

/// Read and parsed once per process, also when many ask at the same time. A failure is not remembered, so that a
/// store that appears later is found.
fn platform_roots() -> Result<Arc<RootCertStore>, Error> {
    static LOADED: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(roots) = &*loaded {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // Platform stores do contain certificates that are of no use here; one of them must not spoil the rest.
    let (_, unusable) = store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let mut cause = match unusable {
            0 => "the platform's certificate store is empty or missing".to_owned(),
            _ => format!("none of the {unusable} certificates in the platform's store is usable"),
        };
        for error in found.errors {
            cause.push_str(&format!("; {error}"));
        }
        return Err(Error::NoRoots { cause });
    }
    Ok(Arc::clone(loaded.insert(Arc::new(store))))
}
