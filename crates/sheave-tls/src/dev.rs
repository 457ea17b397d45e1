use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::{ClientConfig, ClientConfigBuilder, Error, ServerConfig, ServerConfigBuilder, name};

/// A certificate for development and tests, with a certificate authority of its own, made on the fly.
///
/// The authority signs this one certificate and its key is thrown away, so that whoever trusts it trusts nothing
/// else. Both are valid from a day ago for a year. The certificate serves a server as well as a client (for tests
/// of client certificates). ECDSA P-256.
#[derive(Clone)]
pub struct DevCertificate {
    names: Vec<String>,
    ca: String,
    chain: String,
    key: String,
}

impl DevCertificate {
    /// Makes a certificate for `names`: DNS names, with `*.` for a first label if wanted, and IP addresses, such as
    /// `["localhost", "127.0.0.1", "::1"]`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidServerName`]; [`Error::DevCertificate`] if there is no name or no randomness.
    pub fn generate(names: &[&str]) -> Result<Self, Error> {
        let names = names.iter().map(|name| subject(name)).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = names.first() else {
            return Err(Error::DevCertificate("a certificate needs at least one name".into()));
        };
        let leaf = leaf(&names, first).map_err(boxed)?;
        let ca_key = KeyPair::generate().map_err(boxed)?;
        let authority = authority(first, &ca_key);
        let ca = authority.self_signed(&ca_key).map_err(boxed)?;
        let key = KeyPair::generate().map_err(boxed)?;
        let signed = leaf.signed_by(&key, &Issuer::from_params(&authority, &ca_key)).map_err(boxed)?;
        Ok(Self { ca: ca.pem(), chain: signed.pem(), key: key.serialize_pem(), names })
    }

    /// The names that the certificate is for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The authority's certificate: what a client has to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca
    }

    /// The certificate itself, without the authority's.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain
    }

    /// The certificate's private key, PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key
    }

    /// A server that has this certificate.
    pub fn server_config_builder(&self) -> ServerConfigBuilder {
        ServerConfig::builder().certificate_pem(&self.chain, &self.key)
    }

    /// A client that trusts this certificate and no other.
    pub fn client_config_builder(&self) -> ClientConfigBuilder {
        ClientConfig::builder().roots_pem(&self.ca)
    }
}

/// Never shows the key.
impl fmt::Debug for DevCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

/// As rcgen wants it: an address without brackets, else a DNS name.
fn subject(name: &str) -> Result<String, Error> {
    if name.starts_with("*.") {
        return name::sni_pattern(name);
    }
    Ok(name::server_name(name)?.to_str().into_owned())
}

/// Its name is its own: verifiers take two authorities of one name for the same, and complain of bad signatures.
fn authority(name: &str, key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id: String = params.key_identifier(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let common_name = format!("sheave development authority {id} for {name}");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for_a_year(&mut params);
    params
}

fn leaf(names: &[String], common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    valid_for_a_year(&mut params);
    Ok(params)
}

/// Some verifiers refuse certificates that are valid for more than 825 days.
fn valid_for_a_year(params: &mut CertificateParams) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + since_1970;
    params.not_before = now - DAY;
    params.not_after = now + 365 * DAY;
}

fn boxed(error: rcgen::Error) -> Error {
    Error::DevCertificate(Box::new(error))
}
