//! Both ends of a TLS connection over an in-memory pipe.
#![allow(dead_code, unreachable_pub)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
pub use sheave_tls::rustls_pki_types;
use sheave_tls::{ClientConfig, ClientStream, DevCertificate, Error, ServerConfig, ServerStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

pub type Client = ClientStream<DuplexStream>;
pub type Server = ServerStream<DuplexStream>;

/// A hang is a failure; how long anything takes is not.
pub async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it hangs")
}

pub async fn handshake(
    client: &ClientConfig,
    name: &str,
    server: &ServerConfig,
) -> (Result<Client, Error>, Result<Server, Error>) {
    let (near, far) = duplex(64 * 1024);
    bounded(async { tokio::join!(client.connect(name, near), server.accept(far)) }).await
}

pub async fn connected(client: &ClientConfig, name: &str, server: &ServerConfig) -> (Client, Server) {
    let (client, server) = handshake(client, name, server).await;
    (client.expect("client"), server.expect("server"))
}

/// Bytes in both directions.
pub async fn exchange(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
) {
    bounded(async {
        let mut read = [0; 4];
        client.write_all(b"ping").await.unwrap();
        client.flush().await.unwrap();
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"ping");
        server.write_all(b"pong").await.unwrap();
        server.flush().await.unwrap();
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"pong");
    })
    .await;
}

pub fn localhost() -> DevCertificate {
    DevCertificate::generate(&["localhost"]).unwrap()
}

pub fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// The rustls error of a failed handshake.
pub fn handshake_error<T>(result: Result<T, Error>) -> rustls::Error {
    match result {
        Err(Error::Handshake(error)) => error,
        Err(other) => panic!("not a handshake error: {other:?}"),
        Ok(_) => panic!("the handshake succeeded"),
    }
}

/// Polls a future so many times at most, then drops it.
pub struct DropAfter<F> {
    pub future: Option<Pin<Box<F>>>,
    pub polls: usize,
}

impl<F: Future> Future for DropAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().expect("polled after the end").as_mut().poll(cx).map(Some)
    }
}

pub use sheave_tls::rustls;
