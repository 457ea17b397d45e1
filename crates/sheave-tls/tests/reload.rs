//! Certificates that are exchanged while the server runs, and certificates by name.
#![cfg(feature = "dev-certificates")]

mod common;

use std::path::{Path, PathBuf};
use std::task::Poll;

use common::{bounded, connected, der, exchange, handshake, handshake_error, localhost, rustls};
use rustls::{HandshakeKind, SupportedProtocolVersion};
use sheave_tls::{CertificateReloader, ClientConfig, DevCertificate, Error, ServerConfig, peer_certificates};

fn trusting(certificates: &[&DevCertificate]) -> ClientConfig {
    let builder = ClientConfig::builder();
    certificates.iter().fold(builder, |builder, dev| builder.roots_pem(dev.ca_pem())).build().unwrap()
}

async fn assert_presents(
    server: &ServerConfig,
    client: &ClientConfig,
    name: &str,
    expected: &DevCertificate,
) {
    let (mut near, mut far) = connected(client, name, server).await;
    // So that the tickets for resumption arrive.
    exchange(&mut near, &mut far).await;
    assert_eq!(peer_certificates(&near), Some(&[der(expected.chain_pem())][..]), "{name}");
}

#[tokio::test]
async fn new_handshakes_see_the_new_certificate() {
    let (old, new) = (localhost(), localhost());
    let client = trusting(&[&old, &new]);
    let server = old.server_config_builder().build().unwrap();
    let other_alpn = server.with_alpn(&[b"http/1.1"]);
    let (mut near, mut far) = connected(&client, "localhost", &server).await;
    exchange(&mut near, &mut far).await;

    server.reloader().unwrap().replace_pem(new.chain_pem(), new.key_pem()).unwrap();
    // The same client, which would resume its session if it could.
    assert_presents(&server, &client, "localhost", &new).await;
    assert_presents(&other_alpn, &client, "localhost", &new).await;
    exchange(&mut near, &mut far).await;
    assert_eq!(peer_certificates(&near), Some(&[der(old.chain_pem())][..]));
}

#[tokio::test]
async fn a_handshake_that_a_reload_overtakes_leaves_no_session() {
    use rustls::version::{TLS12, TLS13};
    for version in [&TLS12, &TLS13] {
        let (old, new) = (localhost(), localhost());
        let client = speaking(version, &[&old, &new]);
        let server = old.server_config_builder().build().unwrap();

        let (near, far) = tokio::io::duplex(64 * 1024);
        let mut connecting = Box::pin(client.connect("localhost", near));
        let accepting = tokio::spawn({
            let server = server.clone();
            async move { server.accept(far).await }
        });
        // The client's first flight, and the server's answer with its certificate.
        let polled = std::future::poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        server.reloader().unwrap().replace_pem(new.chain_pem(), new.key_pem()).unwrap();

        let mut near = bounded(connecting).await.unwrap();
        let mut far = bounded(accepting).await.unwrap().unwrap();
        exchange(&mut near, &mut far).await;
        assert_eq!(peer_certificates(&near), Some(&[der(old.chain_pem())][..]), "{version:?}");
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (mut near, mut far) = connected(&client, "localhost", &server).await;
            exchange(&mut near, &mut far).await;
            assert_eq!(peer_certificates(&near), Some(&[der(new.chain_pem())][..]), "{version:?}");
            assert_eq!(near.get_ref().1.handshake_kind(), Some(kind), "{version:?}");
        }
    }
}

/// A client of one version of TLS only.
fn speaking(version: &'static SupportedProtocolVersion, certificates: &[&DevCertificate]) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    for dev in certificates {
        roots.add(der(dev.ca_pem())).unwrap();
    }
    let builder = rustls::ClientConfig::builder_with_provider(sheave_tls::default_provider());
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    builder.with_root_certificates(roots).with_no_client_auth().into()
}

#[tokio::test]
async fn a_failed_reload_changes_nothing() {
    let (old, new) = (localhost(), localhost());
    let client = trusting(&[&old, &new]);
    let server = old.server_config_builder().build().unwrap();
    let reloader = server.reloader().unwrap();
    assert!(matches!(reloader.replace_pem(new.chain_pem(), old.key_pem()), Err(Error::KeyMismatch)));
    assert!(matches!(reloader.replace_pem("", new.key_pem()), Err(Error::Pem { item: "certificate", .. })));
    assert!(matches!(reloader.replace_pem(new.chain_pem(), ""), Err(Error::Pem { item: "private key", .. })));
    assert!(matches!(reloader.reload_files(), Err(Error::NoFiles)));
    let wrong_name = reloader.replace_pem_for("a.example", new.chain_pem(), new.key_pem());
    assert!(matches!(wrong_name, Err(Error::Certificate(_))));
    let no_name = reloader.replace_pem_for("127.0.0.1", new.chain_pem(), new.key_pem());
    assert!(matches!(no_name, Err(Error::InvalidServerName(_))));
    assert_presents(&server, &client, "localhost", &old).await;
}

#[tokio::test]
async fn from_files() {
    let folder = Folder::new("from_files");
    let (default, named, new) = (localhost(), DevCertificate::generate(&["a.example"]).unwrap(), localhost());
    let new_named = DevCertificate::generate(&["a.example"]).unwrap();
    let client = trusting(&[&default, &named, &new, &new_named]);
    folder.write("default", &default);
    folder.write("named", &named);
    let server = ServerConfig::builder()
        .certificate_pem_files(folder.path("default.chain"), folder.path("default.key"))
        .certificate_for_pem_files("a.example", folder.path("named.chain"), folder.path("named.key"))
        .build()
        .unwrap();
    let reloader: CertificateReloader = server.reloader().unwrap();
    reloader.reload_files().unwrap();
    assert_presents(&server, &client, "localhost", &default).await;
    assert_presents(&server, &client, "a.example", &named).await;

    // All or nothing: the default is fine, the other is not.
    folder.write("default", &new);
    std::fs::write(folder.path("named.chain"), new_named.chain_pem()).unwrap();
    assert!(matches!(reloader.reload_files(), Err(Error::KeyMismatch)));
    assert_presents(&server, &client, "localhost", &default).await;
    std::fs::remove_file(folder.path("named.key")).unwrap();
    let error = reloader.reload_files().unwrap_err();
    assert!(matches!(&error, Error::File { path, .. } if *path == folder.path("named.key")), "{error:?}");
    assert_presents(&server, &client, "a.example", &named).await;

    folder.write("named", &new_named);
    reloader.reload_files().unwrap();
    assert_presents(&server, &client, "localhost", &new).await;
    assert_presents(&server, &client, "a.example", &new_named).await;

    // What replaced a file's certificate lasts until the files are read again.
    reloader.replace_pem(default.chain_pem(), default.key_pem()).unwrap();
    assert_presents(&server, &client, "localhost", &default).await;
    reloader.reload_files().unwrap();
    assert_presents(&server, &client, "localhost", &new).await;
}

#[tokio::test]
async fn by_name() {
    let generate = |name| DevCertificate::generate(&[name]).unwrap();
    let all = DevCertificate::generate(&["*.example.org", "*.b.example.org", "a.example.org", "localhost"])
        .unwrap();
    let (exact, wild) = (generate("a.example.org"), generate("*.example.org"));
    let client = trusting(&[&all, &exact, &wild]);
    let server = all
        .server_config_builder()
        .certificate_for_pem("*.EXAMPLE.org", wild.chain_pem(), wild.key_pem())
        .certificate_for_pem("A.example.org.", exact.chain_pem(), exact.key_pem())
        .build()
        .unwrap();
    for (name, expected) in [
        ("a.example.org", &exact),
        ("A.EXAMPLE.ORG", &exact),
        ("x.example.org", &wild),
        ("x.b.example.org", &all), // One level only.
        ("localhost", &all),
    ] {
        assert_presents(&server, &client, name, expected).await;
    }

    let newer = generate("x.example.org");
    let client = trusting(&[&newer]);
    server.reloader().unwrap().replace_pem_for("x.example.org", newer.chain_pem(), newer.key_pem()).unwrap();
    assert_presents(&server, &client, "x.example.org", &newer).await;
}

#[tokio::test]
async fn by_name_without_a_default() {
    let dev = DevCertificate::generate(&["a.example", "b.example"]).unwrap();
    let client = trusting(&[&dev]);
    let server = ServerConfig::builder()
        .certificate_for_pem("a.example", dev.chain_pem(), dev.key_pem())
        .build()
        .unwrap();
    assert_presents(&server, &client, "a.example", &dev).await;
    let (near, far) = handshake(&client, "b.example", &server).await;
    handshake_error(near);
    handshake_error(far);
    server.reloader().unwrap().replace_pem(dev.chain_pem(), dev.key_pem()).unwrap();
    assert_presents(&server, &client, "b.example", &dev).await;
}

/// Files of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, dev: &DevCertificate) {
        std::fs::write(self.path(&format!("{name}.chain")), dev.chain_pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), dev.key_pem()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
