//! Where the bridge leads to.

use examples::Error;
use sheave::tls::{ClientConfig, ClientConfigBuilder, ClientStream};
use sheave::ws::handshake::ClientRequest;
use tokio::net::TcpStream;

/// A server.
#[derive(Debug)]
pub(crate) struct Target {
    /// Without brackets.
    host: String,
    port: u16,
    tls: Option<ClientConfig>,
}

/// A connection to it.
pub(crate) enum Connected {
    Plain(TcpStream),
    Tls(Box<ClientStream<TcpStream>>),
}

impl Target {
    /// The server of a URL: `ws` or `http`; `wss` or `https`, which is by TLS.
    pub(crate) fn new(url: &str, tls: ClientConfigBuilder) -> Result<Self, Error> {
        let request: ClientRequest = url.parse()?;
        if request.uri().path_and_query().is_some_and(|path| path != "/") {
            return Err("a URL with a path, which is that of the clients".into());
        }
        let host = request.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = request.is_secure().then(|| tls.build()).transpose()?;
        Ok(Self { host, port: request.port(), tls })
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) async fn connect(&self) -> Result<Connected, Error> {
        let tcp = TcpStream::connect((&self.host[..], self.port)).await?;
        tcp.set_nodelay(true)?;
        Ok(match &self.tls {
            Some(tls) => Connected::Tls(Box::new(tls.connect(&self.host, tcp).await?)),
            None => Connected::Plain(tcp),
        })
    }
}
