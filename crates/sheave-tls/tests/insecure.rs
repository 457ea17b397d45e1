//! The option that accepts any certificate, and what it still does not accept.
#![cfg(feature = "dev-certificates")]

mod common;

use std::sync::Arc;

use common::{connected, der, exchange, handshake, handshake_error, localhost, rustls};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sheave_tls::rustls_pki_types;
use sheave_tls::{ClientConfig, ServerConfig, default_provider};

#[tokio::test]
async fn self_signed_and_for_another_name() {
    let own = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
    let server = ServerConfig::builder()
        .certificate_pem(own.cert.pem(), own.signing_key.serialize_pem())
        .build()
        .unwrap();
    let client = ClientConfig::builder().danger_accept_invalid_certificates().build().unwrap();
    let (mut near, mut far) = connected(&client, "localhost", &server).await;
    exchange(&mut near, &mut far).await;

    let careful = localhost().client_config_builder().build().unwrap();
    let (near, _) = handshake(&careful, "localhost", &server).await;
    assert!(matches!(handshake_error(near), rustls::Error::InvalidCertificate(_)));
}

/// Somebody shows a certificate whose key is not theirs.
#[tokio::test]
async fn signatures_are_still_verified() {
    let (stolen, own) = (localhost(), localhost());
    let client = ClientConfig::builder().danger_accept_invalid_certificates().build().unwrap();
    for (version, honest) in [(&TLS12, true), (&TLS13, true), (&TLS12, false), (&TLS13, false)] {
        let key = if honest { stolen.key_pem() } else { own.key_pem() };
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let key = default_provider().key_provider.load_private_key(key).unwrap();
        let certified = CertifiedKey::new(vec![der(stolen.chain_pem())], key);
        let server: ServerConfig = rustls::ServerConfig::builder_with_provider(default_provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            .into();
        let (near, _) = handshake(&client, "localhost", &server).await;
        if honest {
            assert!(near.is_ok(), "{near:?}");
        } else {
            let expected = rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature);
            assert_eq!(handshake_error(near), expected);
        }
    }
}
