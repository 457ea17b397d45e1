//! Handshakes that succeed and those that one side refuses.
#![cfg(feature = "dev-certificates")]

mod common;

use common::{bounded, connected, der, exchange, handshake, handshake_error, localhost, rustls};
use rustls::{AlertDescription, CertificateError, Error as Tls, ProtocolVersion};
use sheave_tls::{
    ClientConfig, DevCertificate, Error, ServerConfig, alpn_protocol, peer_certificates, protocol_version,
    server_name,
};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn bytes_go_both_ways() {
    let dev = localhost();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();
    let (mut near, mut far) = connected(&client, "LocalHost", &server).await;
    exchange(&mut near, &mut far).await;
    assert_eq!(peer_certificates(&near), Some(&[der(dev.chain_pem())][..]));
    assert_eq!(peer_certificates(&far), None);
    assert_eq!(server_name(&far), Some("localhost"));
    assert_eq!(alpn_protocol(&near), None);
    assert_eq!(protocol_version(&near), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(protocol_version(&far), Some(ProtocolVersion::TLSv1_3));
}

#[tokio::test]
async fn over_loopback() {
    let dev = DevCertificate::generate(&["127.0.0.1"]).unwrap();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = bounded(async {
        tokio::join!(
            async { client.connect("127.0.0.1", TcpStream::connect(address).await.unwrap()).await },
            async { server.accept(listener.accept().await.unwrap().0).await },
        )
    })
    .await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    exchange(&mut near, &mut far).await;
    assert_eq!(server_name(&far), None);
}

#[tokio::test]
async fn unknown_authority_is_refused() {
    let server = localhost().server_config_builder().build().unwrap();
    let client = localhost().client_config_builder().build().unwrap();
    let (near, far) = handshake(&client, "localhost", &server).await;
    assert_eq!(handshake_error(near), Tls::InvalidCertificate(CertificateError::UnknownIssuer));
    assert!(matches!(handshake_error(far), Tls::AlertReceived(_)));
}

#[tokio::test]
async fn names_have_to_match() {
    let dev = DevCertificate::generate(&["a.example", "*.b.example", "127.0.0.1", "::1"]).unwrap();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();
    for good in ["a.example", "A.Example", "a.example.", "x.b.example", "127.0.0.1", "::1", "[::1]"] {
        let (near, far) = handshake(&client, good, &server).await;
        assert!(near.is_ok() && far.is_ok(), "{good}: {near:?} {far:?}");
    }
    for wrong in ["b.example", "x.a.example", "x.y.b.example", "127.0.0.2", "[::2]"] {
        let (near, _) = handshake(&client, wrong, &server).await;
        let error = handshake_error(near);
        let Tls::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) = error else {
            panic!("{wrong}: {error:?}");
        };
    }
}

#[tokio::test]
async fn names_that_are_none() {
    let client = localhost().client_config_builder().build().unwrap();
    for bad in ["", "[::1", "a b", "localhost:443", "1.2.3"] {
        let (io, mut peer) = tokio::io::duplex(1024);
        let error = client.connect(bad, io).await.unwrap_err();
        assert!(matches!(&error, Error::InvalidServerName(name) if name == bad), "{error:?}");
        assert!(error.is_configuration());
        // Nothing was sent.
        let read = bounded(tokio::io::AsyncReadExt::read(&mut peer, &mut [0; 8])).await.unwrap();
        assert_eq!(read, 0);
    }
}

#[tokio::test]
async fn the_server_chooses_the_protocol() {
    let cases: &[(&[&str], &[&str], Option<&str>)] = &[
        (&["h2", "http/1.1"], &["h2", "http/1.1"], Some("h2")),
        (&["http/1.1", "h2"], &["h2", "http/1.1"], Some("h2")),
        (&["h2", "http/1.1"], &["http/1.1", "h2"], Some("http/1.1")),
        (&["http/1.1"], &["h2", "http/1.1"], Some("http/1.1")),
        (&[], &["h2"], None),
        (&["h2"], &[], None),
    ];
    let dev = localhost();
    for (offered, spoken, chosen) in cases {
        let client = dev.client_config_builder().alpn(offered.iter().copied()).build().unwrap();
        let server = dev.server_config_builder().alpn(spoken.iter().copied()).build().unwrap();
        let (near, far) = connected(&client, "localhost", &server).await;
        assert_eq!(alpn_protocol(&near), chosen.map(str::as_bytes), "{offered:?} {spoken:?}");
        assert_eq!(alpn_protocol(&far), chosen.map(str::as_bytes), "{offered:?} {spoken:?}");
    }
}

#[tokio::test]
async fn no_protocol_in_common() {
    let dev = localhost();
    let client = dev.client_config_builder().alpn(["h2"]).build().unwrap();
    let server = dev.server_config_builder().alpn(["http/1.1"]).build().unwrap();
    let (near, far) = handshake(&client, "localhost", &server).await;
    let (near, far) = (near.unwrap_err(), far.unwrap_err());
    assert!(near.is_no_application_protocol() && !near.is_configuration());
    assert!(far.is_no_application_protocol() && !far.is_configuration());
    assert!(matches!(far, Error::Handshake(Tls::NoApplicationProtocol)));
    assert!(matches!(near, Error::Handshake(Tls::AlertReceived(AlertDescription::NoApplicationProtocol))));
}

#[tokio::test]
async fn other_protocols_for_one_connection() {
    let dev = localhost();
    let client = dev.client_config_builder().alpn(["h2", "http/1.1"]).build().unwrap();
    let server = dev.server_config_builder().alpn(["h2", "http/1.1"]).build().unwrap();
    let old = client.with_alpn(&[b"http/1.1"]);
    assert_eq!(old.alpn(), [b"http/1.1"]);
    // In turn, so that the second and later ones resume the session of the first.
    for (config, expected) in [(&client, "h2"), (&old, "http/1.1"), (&client, "h2")] {
        let (mut near, mut far) = connected(config, "localhost", &server).await;
        exchange(&mut near, &mut far).await;
        assert_eq!(alpn_protocol(&near), Some(expected.as_bytes()));
    }
    let (near, _) = connected(&client, "localhost", &server.with_alpn(&[b"http/1.1"])).await;
    assert_eq!(alpn_protocol(&near), Some(&b"http/1.1"[..]));
    let (near, _) = connected(&client, "localhost", &server.with_alpn(&[])).await;
    assert_eq!(alpn_protocol(&near), None);

    let (io, _peer) = tokio::io::duplex(1024);
    let error = client.with_alpn(&[b""]).connect("localhost", io).await.unwrap_err();
    assert!(matches!(error, Error::InvalidAlpn(_)));
    let (io, _peer) = tokio::io::duplex(1024);
    let error = server.with_alpn(&[b"http/1.1", &[b'a'; 256]]).accept(io).await.unwrap_err();
    assert!(matches!(error, Error::InvalidAlpn(_)));
}

#[tokio::test]
async fn configurations_of_rustls_itself() {
    let dev = localhost();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();
    let client = ClientConfig::from(client.rustls().clone());
    let server = ServerConfig::from(server.rustls().clone());
    assert!(server.reloader().is_none());
    let (mut near, mut far) = connected(&client, "localhost", &server).await;
    exchange(&mut near, &mut far).await;
}
