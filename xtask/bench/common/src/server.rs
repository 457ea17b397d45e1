//! How connections are accepted.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::exit;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

use crate::{Error, ServerOptions};

/// TCP or TLS.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// What a library makes of a connection.
pub trait Serve: Clone + Send + 'static {
    /// Serves it to its end.
    fn serve(self, io: impl Io) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Serves all connections, on this thread.
///
/// # Errors
/// If there is no port or no certificate. What ends a connection is shown by a build for debugging only: it may be a client
/// that is gone.
pub fn serve(options: &ServerOptions, server: impl Serve) -> Result<(), Error> {
    runtime()?.block_on(accept(options, server))
}

async fn accept(options: &ServerOptions, server: impl Serve) -> Result<(), Error> {
    let tls = options.tls.then(|| acceptor(options.http2)).transpose()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    listening(listener.local_addr()?);
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let server = server.clone();
        match tls.clone() {
            None => drop(tokio::spawn(async { ended(server.serve(tcp).await) })),
            Some(tls) => drop(tokio::spawn(async move {
                ended(match tls.accept(tcp).await {
                    Ok(tls) => server.serve(tls).await,
                    Err(error) => Err(error.into()),
                });
            })),
        }
    }
}

/// Runs a library that accepts connections itself, on this thread. It is given a listener.
///
/// # Errors
/// If there is no port; those of the library.
pub fn serve_on<F>(library: impl FnOnce(TcpListener) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        listening(listener.local_addr()?);
        library(listener).await
    })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Tells where the server listens, and which process it is, which from now on ends with its standard input.
fn listening(address: SocketAddr) {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        exit(0);
    });
    println!("listening on {address} {}", std::process::id());
    let _ = std::io::stdout().flush();
}

fn ended(result: Result<(), Error>) {
    if let Err(error) = result
        && cfg!(debug_assertions)
    {
        eprintln!("a connection: {error}");
    }
}

fn acceptor(http2: bool) -> Result<TlsAcceptor, Error> {
    let (certificate, key) = certificate()?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13])?.with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    // As a server of its own makes sure of: that it works before the first connection comes.
    ServerConnection::new(Arc::new(config.clone()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A certificate for `localhost` that it signed itself, and its key.
///
/// # Errors
/// If there is no randomness.
pub fn certificate() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), Error> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    Ok((made.cert.der().clone(), key))
}
