//! What the peers of the interop checks have in common. The checks are told in `xtask/h2/README.md`.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{Response, StatusCode};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What may go wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What `GET /` is answered with.
pub const PAGE: &[u8] = b"This server speaks HTTP/2.\n";

const LIMIT: Duration = Duration::from_secs(20);

/// TCP or TLS.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// `PEER [CHAIN KEY]`: serves each connection until standard input ends; then `connection` is told and has to end. The URL
/// has this scheme, with an `s` behind it over TLS.
pub async fn serve<F>(
    scheme: &str,
    connection: fn(Box<dyn Io>, watch::Receiver<()>) -> F,
) -> Result<(), Error>
where
    F: Future<Output = ()> + Send + 'static,
{
    let args: Vec<_> = std::env::args().skip(1).collect();
    let tls = match &args[..] {
        [chain, key] => {
            let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
            let key = PrivateKeyDer::from_pem_file(key)?;
            let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            Some(TlsAcceptor::from(Arc::new(config)))
        }
        _ => None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let s = if tls.is_some() { "s" } else { "" };
    println!("listening on {scheme}{s}://{}", listener.local_addr()?);
    let (stopping, stopped) = watch::channel(());
    let mut end = pin!(stdin_ends());
    let mut connections = JoinSet::new();
    loop {
        let tcp = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = &mut end => break,
        };
        tcp.set_nodelay(true)?;
        let (tls, stopped) = (tls.clone(), stopped.clone());
        connections.spawn(async move {
            match tls {
                Some(tls) => match tls.accept(tcp).await {
                    Ok(stream) => connection(Box::new(stream), stopped).await,
                    Err(error) => eprintln!("TLS: {error}"),
                },
                None => connection(Box::new(tcp), stopped).await,
            }
        });
    }
    drop(stopping);
    timeout(LIMIT, connections.join_all()).await?;
    Ok(())
}

async fn stdin_ends() -> io::Result<usize> {
    tokio::io::stdin().read_to_end(&mut Vec::new()).await
}

/// What a client is told: `PEER URL [--ca FILE] CHECK...`.
pub struct Options {
    /// Without a path.
    pub url: String,
    /// What to check.
    pub checks: Vec<String>,
    tls: Option<TlsConnector>,
}

impl Options {
    /// Those of the command line.
    pub fn parse() -> Result<Self, Error> {
        let mut args = std::env::args().skip(1);
        let url = args.next().ok_or("a URL is needed")?;
        let (mut checks, mut tls) = (Vec::new(), None);
        while let Some(arg) = args.next() {
            if arg == "--ca" {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(args.next().ok_or("--ca without a file")?)?)?;
                let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
                config.alpn_protocols = vec![b"h2".to_vec()];
                tls = Some(TlsConnector::from(Arc::new(config)));
            } else {
                checks.push(arg);
            }
        }
        Ok(Self { url, checks, tls })
    }

    /// A connection to the server.
    pub async fn connect(&self) -> Result<Box<dyn Io>, Error> {
        let (_, address) = self.url.split_once("://").ok_or("a URL without a scheme")?;
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => Ok(Box::new(tls.connect(ServerName::try_from("127.0.0.1")?, tcp).await?)),
            None => Ok(Box::new(tcp)),
        }
    }

    /// Makes each check and tells how it ended.
    pub async fn run(&self, check: impl AsyncFn(&Self, &str) -> Result<(), Error>) {
        let mut failed = false;
        for name in &self.checks {
            let result = timeout(LIMIT, check(self, name)).await;
            match result.unwrap_or_else(|_| Err("took too long".into())) {
                Ok(()) => println!("ok {name}"),
                Err(why) => {
                    failed = true;
                    println!("FAIL {name} {}", format!("{why} {why:?}").replace('\n', " "));
                }
            }
        }
        std::process::exit(failed.into());
    }
}

/// Byte i is (7 i + 3) mod 256.
pub fn octets(size: usize) -> Bytes {
    (0..size).map(|i| (7 * i + 3) as u8).collect()
}

/// Letter i is `a` + i mod 26.
pub fn letters(size: usize) -> String {
    ('a'..='z').cycle().take(size).collect()
}

/// The trailers of every check.
pub fn trailers() -> http::HeaderMap {
    let checksum = http::HeaderName::from_static("checksum");
    http::HeaderMap::from_iter([(checksum, http::HeaderValue::from_static("27"))])
}

/// The fields that `/fields` answers with.
pub fn own_fields(fields: &http::HeaderMap) -> http::HeaderMap {
    let own = fields.iter().filter(|(name, _)| name.as_str().starts_with("x-"));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The content of a response, which has to be 200.
pub fn content<B>(response: Response<B>) -> Result<B, Error> {
    same(response.status(), StatusCode::OK)?;
    Ok(response.into_body())
}

/// What comes next on a stream, if anything does; the peer may send as much again.
pub async fn data(body: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let Some(data) = body.data().await.transpose()? else { return Ok(None) };
    body.flow_control().release_capacity(data.len())?;
    Ok(Some(data))
}

/// Sends data as far as the windows allow, until all is sent.
pub async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await.ok_or("the stream is over")??;
        stream.send_data(data.split_to(room.min(data.len())), false)?;
    }
    Ok(())
}

/// An error unless both are the same.
pub fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}").into()) }
}
