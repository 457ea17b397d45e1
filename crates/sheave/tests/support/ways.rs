//! The ways that a WebSocket can go.

use std::fmt::{self, Display};
use std::sync::Arc;

use http::Version;
use sheave::tls::DevCertificate;
use sheave::{Client, ClientBuilder, ServerBuilder, Versions};

/// HTTP/1.1 or HTTP/2, without TLS or with it.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) version: Version,
    pub(crate) is_secure: bool,
    certificate: Arc<DevCertificate>,
}

impl Way {
    pub(crate) fn all() -> [Self; 4] {
        let certificate = Arc::new(DevCertificate::generate(&["localhost", "127.0.0.1"]).unwrap());
        let ways = [Version::HTTP_11, Version::HTTP_2].map(|version| [(version, false), (version, true)]);
        let [[a, b], [c, d]] = ways;
        [a, b, c, d].map(|(version, is_secure)| {
            let certificate = Arc::clone(&certificate);
            Self { version, is_secure, certificate }
        })
    }

    /// A server that speaks all versions, with TLS if this is with it.
    pub(crate) fn server(&self, builder: ServerBuilder) -> ServerBuilder {
        match self.is_secure {
            true => builder.tls(self.certificate.server_config_builder().build().unwrap()),
            false => builder,
        }
    }

    /// A client that goes this way and no other.
    pub(crate) fn client(&self) -> ClientBuilder {
        let versions = match self.version {
            Version::HTTP_2 => Versions::Http2Only,
            _ => Versions::Http1Only,
        };
        Client::builder().versions(versions).tls(self.certificate.client_config_builder().build().unwrap())
    }

    pub(crate) fn url(&self, authority: impl Display, path: &str) -> String {
        format!("{}://{authority}{path}", if self.is_secure { "wss" } else { "ws" })
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.version, if self.is_secure { " over TLS" } else { "" })
    }
}
