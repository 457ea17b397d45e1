//! What is wrong with a configuration is said when it is built, and by an error.
#![cfg(feature = "dev-certificates")]

mod common;

use std::error::Error as _;
use std::path::Path;
use std::process::Command;

use common::{connected, der, localhost, rustls_pki_types};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sheave_tls::{ClientConfig, DevCertificate, Error, ServerConfig};

#[test]
fn damaged_pem() {
    let dev = localhost();
    let (chain, key) = (dev.chain_pem(), dev.key_pem());
    let no_end = &chain[..chain.len() / 2];
    let not_base64 = chain.replacen('M', "!", 1);
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let good_then_bad = format!("{chain}{no_end}");
    for bad in ["", "nonsense", key, no_end, &not_base64, &good_then_bad] {
        let is_pem = |error: Error| matches!(error, Error::Pem { item: "certificate", .. });
        assert!(is_pem(ServerConfig::builder().certificate_pem(bad, key).build().unwrap_err()), "{bad}");
        assert!(is_pem(ClientConfig::builder().roots_pem(bad).build().unwrap_err()), "{bad}");
        assert!(is_pem(dev.server_config_builder().client_roots_pem(bad).build().unwrap_err()), "{bad}");
        let client = dev.client_config_builder().client_certificate_pem(bad, key);
        assert!(is_pem(client.build().unwrap_err()), "{bad}");
    }
    let is_certificate = |error: Error| matches!(error, Error::Certificate(_));
    assert!(is_certificate(ServerConfig::builder().certificate_pem(not_der, key).build().unwrap_err()));
    assert!(is_certificate(ClientConfig::builder().roots_pem(not_der).build().unwrap_err()));

    for bad in ["", "nonsense", chain, &key[..key.len() / 2]] {
        let error = ServerConfig::builder().certificate_pem(chain, bad).build().unwrap_err();
        assert!(matches!(error, Error::Pem { item: "private key", .. }), "{error:?}");
        assert!(error.is_configuration() && error.source().is_some() && !error.to_string().is_empty());
    }
    let not_der = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let error = ServerConfig::builder().certificate_pem(chain, not_der).build().unwrap_err();
    assert!(matches!(error, Error::PrivateKey(_)), "{error:?}");
}

#[test]
fn the_key_of_another() {
    let (dev, other) = (localhost(), localhost());
    let server = ServerConfig::builder().certificate_pem(dev.chain_pem(), other.key_pem()).build();
    assert!(matches!(server, Err(Error::KeyMismatch)));
    let server =
        dev.server_config_builder().certificate_for_pem("localhost", dev.chain_pem(), other.key_pem());
    assert!(matches!(server.build(), Err(Error::KeyMismatch)));
    let client = dev.client_config_builder().client_certificate_pem(dev.chain_pem(), other.key_pem());
    assert!(matches!(client.build(), Err(Error::KeyMismatch)));
}

#[test]
fn missing_and_misnamed() {
    let dev = localhost();
    let (chain, key) = (dev.chain_pem(), dev.key_pem());
    assert!(matches!(ServerConfig::builder().build(), Err(Error::NoCertificate)));
    let der_key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let no_chain = ServerConfig::builder().certificate_der(Vec::new(), der_key).build();
    assert!(matches!(no_chain, Err(Error::NoCertificate)));
    for bad in ["", "*", "127.0.0.1", "a b"] {
        let server = dev.server_config_builder().certificate_for_pem(bad, chain, key).build();
        assert!(matches!(server, Err(Error::InvalidServerName(name)) if name == bad));
    }
    let server = dev.server_config_builder().certificate_for_pem("a.example", chain, key).build();
    assert!(matches!(server, Err(Error::Certificate(_))));
    let missing = Path::new("does/not/exist.pem");
    let server = ServerConfig::builder().certificate_pem_files(missing, missing).build();
    assert!(matches!(server, Err(Error::File { path, .. }) if path == missing));
    let client = ClientConfig::builder().roots_pem_file(missing).build();
    assert!(matches!(client, Err(Error::File { path, .. }) if path == missing));
}

#[test]
fn protocol_names() {
    let dev = localhost();
    assert!(dev.client_config_builder().alpn([vec![b'x'; 255]]).build().is_ok());
    for bad in [vec![Vec::new()], vec![vec![b'x'; 256]], vec![vec![b'x'; 255]; 200]] {
        let client = dev.client_config_builder().alpn(bad.clone()).build();
        assert!(matches!(client, Err(Error::InvalidAlpn(_))));
        assert!(matches!(dev.server_config_builder().alpn(bad).build(), Err(Error::InvalidAlpn(_))));
    }
}

#[tokio::test]
async fn der_and_several_roots() {
    let (one, two) = (localhost(), localhost());
    let key = PrivateKeyDer::from_pem_slice(one.key_pem().as_bytes()).unwrap();
    let server = ServerConfig::builder().certificate_der(vec![der(one.chain_pem())], key).build().unwrap();
    let builders = [
        ClientConfig::builder().root_certificate(der(one.ca_pem())),
        two.client_config_builder().root_certificate(der(one.ca_pem())),
        ClientConfig::builder().roots_pem(format!("{}{}", two.ca_pem(), one.ca_pem())),
    ];
    for builder in builders {
        connected(&builder.build().unwrap(), "localhost", &server).await;
    }
    let bad = ClientConfig::builder().root_certificate(CertificateDer::from(vec![0]));
    assert!(matches!(bad.build(), Err(Error::Certificate(_))));
}

#[test]
fn development_names() {
    let dev = DevCertificate::generate(&["LocalHost", "[::1]", "127.0.0.1", "*.localhost"]).unwrap();
    assert_eq!(dev.names()[1..], ["::1", "127.0.0.1", "*.localhost"]);
    assert!(matches!(DevCertificate::generate(&[]), Err(Error::DevCertificate(_))));
    for bad in ["", "a b", "a.*", "localhost:80"] {
        assert!(matches!(DevCertificate::generate(&[bad]), Err(Error::InvalidServerName(_))), "{bad}");
    }
}

#[test]
fn debug_shows_no_key() {
    let dev = localhost();
    let secret: Vec<&str> = dev.key_pem().lines().filter(|line| !line.starts_with('-')).collect();
    let bytes = format!("{:?}", dev.key_pem().as_bytes());
    let server = dev.server_config_builder().alpn(["h2"]);
    let client = dev.client_config_builder().client_certificate_pem(dev.chain_pem(), dev.key_pem());
    let mut shown = format!("{dev:?} {server:?} {client:?}");
    let (server, client) = (server.build().unwrap(), client.build().unwrap());
    shown.push_str(&format!("{server:?} {client:?} {:?}", server.reloader()));
    assert!(shown.contains("h2") && shown.contains("localhost"));
    assert!(!shown.contains(&bytes[1..40]) && !shown.contains("PRIVATE"));
    assert!(secret.iter().all(|line| !shown.contains(line)));
}

/// The environment of a running process cannot be changed safely, so these run in a process of their own.
#[test]
fn platform_roots() {
    let dev = localhost();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |name: &str| folder.join(format!("{}-{name}.pem", std::process::id()));
    std::fs::write(file("ca"), dev.ca_pem()).unwrap();
    std::fs::write(file("chain"), dev.chain_pem()).unwrap();
    std::fs::write(file("key"), dev.key_pem()).unwrap();
    std::fs::write(file("empty"), "").unwrap();
    for (roots, expected) in [("ca", "trusted"), ("empty", "none"), ("missing", "none")] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "in_a_process_of_its_own"])
            .env("SSL_CERT_FILE", file(roots))
            .env_remove("SSL_CERT_DIR")
            .env("SHEAVE_TLS_EXPECT", expected)
            .env("SHEAVE_TLS_CHAIN", file("chain"))
            .env("SHEAVE_TLS_KEY", file("key"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{roots}: {said}");
    }
    for name in ["ca", "chain", "key", "empty"] {
        std::fs::remove_file(file(name)).unwrap();
    }
}

#[tokio::test]
async fn in_a_process_of_its_own() {
    let Ok(expected) = std::env::var("SHEAVE_TLS_EXPECT") else { return };
    let default = ClientConfig::builder().build();
    if expected == "none" {
        for _ in 0..2 {
            let error = ClientConfig::builder().platform_roots().build().unwrap_err();
            assert!(matches!(&error, Error::NoRoots { cause } if !cause.is_empty()), "{error:?}");
        }
        assert!(matches!(default, Err(Error::NoRoots { .. })));
        return;
    }
    let path = |name| std::env::var(name).unwrap();
    let server = ServerConfig::builder()
        .certificate_pem_files(path("SHEAVE_TLS_CHAIN"), path("SHEAVE_TLS_KEY"))
        .build()
        .unwrap();
    let with_own = localhost().client_config_builder().platform_roots().build();
    for client in [default, with_own] {
        connected(&client.unwrap(), "localhost", &server).await;
    }
    // Own roots alone leave the platform's out.
    let own = localhost().client_config_builder().build().unwrap();
    assert!(common::handshake(&own, "localhost", &server).await.0.is_err());
}
