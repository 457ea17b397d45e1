use std::path::Path;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Error;

/// Every certificate in `text`, in order; at least one.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    const ITEM: &str = "certificate";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(Error::Pem { item: ITEM, source: pem::Error::NoItemsFound })
        }
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(Error::Pem { item: ITEM, source }),
    }
}

/// The first private key in `text`: PKCS#8, PKCS#1 or SEC 1, not encrypted.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(text).map_err(|source| Error::Pem { item: "private key", source })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}
