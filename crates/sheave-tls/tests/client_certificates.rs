//! Servers that ask for a client certificate, and clients that have one or not.
#![cfg(feature = "dev-certificates")]

mod common;

use common::{bounded, connected, der, exchange, handshake, handshake_error, localhost, rustls};
use rustls::{CertificateError, Error as Tls};
use sheave_tls::{DevCertificate, Error, peer_certificates};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn presented_and_verified() {
    let (dev, alice) = (localhost(), DevCertificate::generate(&["alice.example"]).unwrap());
    for required in [true, false] {
        let server = dev
            .server_config_builder()
            .client_roots_pem(alice.ca_pem())
            .require_client_certificate(required)
            .build()
            .unwrap();
        let client = dev
            .client_config_builder()
            .client_certificate_pem(alice.chain_pem(), alice.key_pem())
            .build()
            .unwrap();
        let (mut near, mut far) = connected(&client, "localhost", &server).await;
        exchange(&mut near, &mut far).await;
        assert_eq!(peer_certificates(&far), Some(&[der(alice.chain_pem())][..]));
    }
}

#[tokio::test]
async fn absent() {
    let dev = localhost();
    let client = dev.client_config_builder().build().unwrap();

    // Required by default.
    let server = dev.server_config_builder().client_roots_pem(dev.ca_pem()).build().unwrap();
    let (near, far) = handshake(&client, "localhost", &server).await;
    assert_eq!(handshake_error(far), Tls::NoCertificatesPresented);
    // With TLS 1.3 the client learns it with its first read.
    let error = bounded(near.unwrap().read(&mut [0; 8])).await.unwrap_err();
    let error = error.downcast::<Tls>().unwrap();
    assert_eq!(error, Tls::AlertReceived(rustls::AlertDescription::CertificateRequired));

    let server = dev
        .server_config_builder()
        .client_roots_pem(dev.ca_pem())
        .require_client_certificate(false)
        .build()
        .unwrap();
    let (mut near, mut far) = connected(&client, "localhost", &server).await;
    exchange(&mut near, &mut far).await;
    assert_eq!(peer_certificates(&far), None);
}

#[tokio::test]
async fn signed_by_somebody_else() {
    let (dev, mallory) = (localhost(), DevCertificate::generate(&["alice.example"]).unwrap());
    let client = dev
        .client_config_builder()
        .client_certificate_pem(mallory.chain_pem(), mallory.key_pem())
        .build()
        .unwrap();
    for required in [true, false] {
        let server = dev
            .server_config_builder()
            .client_roots_pem(dev.ca_pem())
            .require_client_certificate(required)
            .build()
            .unwrap();
        let (near, far) = handshake(&client, "localhost", &server).await;
        assert_eq!(handshake_error(far), Tls::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(bounded(near.unwrap().read(&mut [0; 8])).await.is_err());
    }
}

#[test]
fn required_without_roots() {
    let error = localhost().server_config_builder().require_client_certificate(true).build().unwrap_err();
    assert!(matches!(error, Error::NoRoots { .. }));
    assert!(localhost().server_config_builder().require_client_certificate(false).build().is_ok());
}
