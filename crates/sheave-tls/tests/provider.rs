//! The crypto provider is explicit: no process-wide default is needed or made.
#![cfg(feature = "dev-certificates")]

mod common;

use std::sync::Arc;

use common::{connected, exchange, localhost, rustls};
use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;
use sheave_tls::{ClientConfig, Error, default_provider};

#[tokio::test]
async fn no_process_wide_default() {
    assert!(CryptoProvider::get_default().is_none());
    let dev = localhost();
    let client = dev.client_config_builder().client_certificate_pem(dev.chain_pem(), dev.key_pem());
    let server = dev.server_config_builder().client_roots_pem(dev.ca_pem()).build().unwrap();
    for client in [client, ClientConfig::builder().danger_accept_invalid_certificates()] {
        let client = client.client_certificate_pem(dev.chain_pem(), dev.key_pem()).build().unwrap();
        let (mut near, mut far) = connected(&client, "localhost", &server).await;
        exchange(&mut near, &mut far).await;
    }
    server.reloader().unwrap().replace_pem(dev.chain_pem(), dev.key_pem()).unwrap();
    assert!(CryptoProvider::get_default().is_none());
}

#[tokio::test]
async fn the_callers_provider_is_used() {
    let only = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let mut provider = (*default_provider()).clone();
    provider.cipher_suites.retain(|suite| suite.suite() == only);
    let provider = Arc::new(provider);
    let dev = localhost();
    let client = dev.client_config_builder();
    let server = dev.server_config_builder();
    let own = (client.provider(Arc::clone(&provider)).build().unwrap(), server.build().unwrap());
    let client = dev.client_config_builder();
    let server = dev.server_config_builder();
    let theirs = (client.build().unwrap(), server.provider(provider).build().unwrap());
    for (client, server) in [own, theirs] {
        let (near, _) = connected(&client, "localhost", &server).await;
        assert_eq!(near.get_ref().1.negotiated_cipher_suite().unwrap().suite(), only);
    }
}

#[test]
fn a_provider_that_can_do_nothing() {
    let mut provider = (*default_provider()).clone();
    provider.cipher_suites.clear();
    let provider = Arc::new(provider);
    let client = localhost().client_config_builder().provider(Arc::clone(&provider)).build();
    assert!(matches!(client, Err(Error::Provider(_))));
    let server = localhost().server_config_builder().provider(provider).build();
    assert!(matches!(server, Err(Error::Provider(_))));
}
