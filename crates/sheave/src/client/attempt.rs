//! One request for a WebSocket, and the ways to where it is.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::time::timeout;

use super::builder::ClientBuilder;
use super::dial::dial;
use super::http2;
use super::pool::{Authority, Known, Pool, Visit};
use crate::carrier::{Berth, Carrier, ConnectionId};
use crate::error::Error;
use crate::h2::io::client::SendRequest;
use crate::h2::{self, ErrorCode};
use crate::line::Line;
use crate::plain::Plain;
use crate::tls::{self, TlsStream};
use crate::versions::Versions;
use crate::websocket::WebSocket;
use crate::ws::handshake::ClientRequest;
use crate::ws::io::Connect;
use crate::ws::{self, Timeout};

/// A request, and by what it goes.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) settings: &'a ClientBuilder,
    pub(super) request: &'a ClientRequest,
}

/// How a WebSocket is opened.
enum Way {
    /// On a connection of its own, which may be there already.
    Http1(Option<Line>),
    /// On a stream of a connection, shared or not.
    Http2(SendRequest, Berth),
}

/// How often a request is made that servers do not process.
const MOST: usize = 3;

impl Attempt<'_> {
    /// Opens the WebSocket where the URL, or the Unix socket, leads.
    pub(super) async fn open(self, pool: &Arc<Pool>, socket: Option<&Path>) -> Result<WebSocket, Error> {
        match self.settings.versions {
            Versions::Auto if self.request.is_secure() => {}
            Versions::Http2Only => {}
            _ => return self.http1(socket).await,
        }
        let visit = pool.visit(Authority::of(self.request, socket));
        let mut tried = Vec::new();
        loop {
            let (requests, berth) = match self.way(&visit, socket, &tried).await? {
                Way::Http2(requests, berth) => (requests, berth),
                Way::Http1(Some(line)) => return self.upgrade(line).await,
                Way::Http1(None) => return self.http1(socket).await,
            };
            let doubt = Doubt { visit: &visit, id: berth.carrier().id(), is_grave: false };
            let opened = http2::open(self.settings, self.request, requests, berth).await;
            let id = doubt.settle(&opened);
            match opened {
                // RFC 9113 §8.7
                Err(Error::Http2(h2::Error::Unprocessed)) if tried.len() + 1 < MOST => tried.push(id),
                Err(Error::Http2(error)) if self.may_fall_back() && wants_http1(&error) => {
                    visit.remember_http1();
                    return self.http1(socket).await;
                }
                opened => return opened,
            }
        }
    }

    /// Opens the WebSocket on a stream that leads to the server already.
    pub(super) async fn open_over(self, plain: Plain) -> Result<WebSocket, Error> {
        let versions = match self.settings.versions {
            Versions::Http2Only => Versions::Http2Only,
            _ => Versions::Http1Only,
        };
        let line = timeout(self.settings.connect_timeout, self.secure(plain, versions)).await;
        let line = line.map_err(|_| Error::ConnectTimeout)??;
        if versions == Versions::Http1Only {
            return self.upgrade(line).await;
        }
        let carrier = Carrier::new(line.session(), None);
        let (requests, connection, allowed) = http2::begin(line, &self.settings.http2).await?;
        // It ends after the last that needs it.
        http2::end(connection);
        match carrier.berth(1) {
            Some(berth) if allowed.enable_connect_protocol => {
                http2::open(self.settings, self.request, requests, berth).await
            }
            _ => Err(Error::NoExtendedConnect),
        }
    }

    /// The way there: one that is known, or else a connection is made.
    async fn way(self, visit: &Visit, socket: Option<&Path>, tried: &[ConnectionId]) -> Result<Way, Error> {
        if let Some(known) = visit.known(tried) {
            return Ok(known.into());
        }
        let reach = async {
            let turn = visit.turn().await;
            // Who had it before may have found one.
            let reached = match visit.known(tried) {
                Some(known) => Err(known),
                None => Ok(self.reach(socket, self.settings.versions).await?),
            };
            Ok::<_, Error>((turn, reached))
        };
        let reached = timeout(self.settings.connect_timeout, reach).await;
        let (_turn, line) = match reached.map_err(|_| Error::ConnectTimeout)?? {
            (_, Err(known)) => return Ok(known.into()),
            (turn, Ok(line)) => (turn, line),
        };
        if self.may_fall_back() && line.alpn() != Some(b"h2") {
            visit.remember_http1();
            return Ok(Way::Http1(Some(line)));
        }
        let carrier = Carrier::new(line.session(), None);
        let (requests, connection, allowed) = http2::begin(line, &self.settings.http2).await?;
        if allowed.enable_connect_protocol {
            let berth = visit.share(requests.clone(), connection, carrier, self.settings);
            return Ok(Way::Http2(requests, berth));
        }
        drop(requests);
        http2::end(connection);
        if !self.may_fall_back() {
            return Err(Error::NoExtendedConnect);
        }
        visit.remember_http1();
        Ok(Way::Http1(None))
    }

    fn may_fall_back(self) -> bool {
        self.settings.versions != Versions::Http2Only
    }

    /// Opens the WebSocket on a connection of its own.
    async fn http1(self, socket: Option<&Path>) -> Result<WebSocket, Error> {
        let line = timeout(self.settings.connect_timeout, self.reach(socket, Versions::Http1Only)).await;
        self.upgrade(line.map_err(|_| Error::ConnectTimeout)??).await
    }

    /// Makes the request by HTTP/1.1.
    async fn upgrade(self, line: Line) -> Result<WebSocket, Error> {
        let Self { settings, request } = self;
        let connect = Connect::default().config(settings.config.clone()).timeout(settings.handshake_timeout);
        let (stream, _) = line.into_stream();
        Ok(WebSocket::new(connect.connect(request, stream).await?, None))
    }

    /// A connection to the server, with TLS where the URL asks for it.
    async fn reach(self, socket: Option<&Path>, versions: Versions) -> Result<Line, Error> {
        #[cfg(unix)]
        if let Some(path) = socket {
            let socket = tokio::net::UnixStream::connect(path).await?;
            return self.secure(Plain::unix(socket), versions).await;
        }
        #[cfg(not(unix))]
        let _ = socket;
        let tcp = dial(self.request.host(), self.request.port(), self.settings.nodelay).await?;
        self.secure(Plain::tcp(tcp), versions).await
    }

    /// Puts TLS on a connection where the URL asks for it.
    async fn secure(self, plain: Plain, versions: Versions) -> Result<Line, Error> {
        let Self { settings, request } = self;
        if !request.is_secure() {
            return Ok(plain.into());
        }
        let config = match &settings.tls {
            Some(config) => config.clone(),
            None => default_tls().await?,
        };
        let connected = config.with_alpn(versions.alpn()).connect(request.host(), plain).await;
        let only = versions == Versions::Http2Only;
        match connected.map(|stream| Line::from(TlsStream::from(stream))) {
            Ok(line) if only && line.alpn() != Some(b"h2") => Err(Error::NoHttp2),
            Err(error) if only && error.is_no_application_protocol() => Err(Error::NoHttp2),
            connected => Ok(connected?),
        }
    }
}

/// Whether the server says that only HTTP/1.1 will do (RFC 9113 §7).
fn wants_http1(error: &h2::Error) -> bool {
    match error {
        h2::Error::Reset(code) => *code == ErrorCode::HTTP_1_1_REQUIRED,
        h2::Error::GoAway(reason) => reason.code == ErrorCode::HTTP_1_1_REQUIRED,
        _ => false,
    }
}

impl From<Known> for Way {
    fn from(known: Known) -> Self {
        match known {
            Known::Http1 => Self::Http1(None),
            Known::Http2(requests, berth) => Self::Http2(requests, berth),
        }
    }
}

/// Dropped before there is an answer, it has somebody look whether the server is still there.
struct Doubt<'a> {
    visit: &'a Visit,
    id: ConnectionId,
    /// It was waited for as long as an answer may take.
    is_grave: bool,
}

impl Doubt<'_> {
    /// There is a result. Which connection it is of.
    fn settle(mut self, result: &Result<WebSocket, Error>) -> ConnectionId {
        let id = self.id;
        self.is_grave = matches!(result, Err(Error::WebSocket(ws::Error::Timeout(Timeout::Handshake))));
        if !self.is_grave {
            std::mem::forget(self);
        }
        id
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        self.visit.doubt(self.id, self.is_grave);
    }
}

/// The platform's roots, read once.
async fn default_tls() -> Result<tls::ClientConfig, Error> {
    static DEFAULT: OnceLock<tls::ClientConfig> = OnceLock::new();
    if let Some(config) = DEFAULT.get() {
        return Ok(config.clone());
    }
    // Reads files.
    let built = tokio::task::spawn_blocking(|| tls::ClientConfig::builder().build()).await;
    let config = built.map_err(Error::other)??;
    Ok(DEFAULT.get_or_init(|| config).clone())
}
