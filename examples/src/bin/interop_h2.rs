//! The client of the interop checks of HTTP/2, which are told in `xtask/h2/README.md`.
//!
//! `interop_h2 [--ca FILE] URL CHECK...`

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use examples::{Checks, Error, letters, octets, report};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use sheave::h2::io::client::{ResponseFuture, SendRequest, handshake};
use sheave::h2::io::{RecvStream, SendStream};
use sheave::h2::{self, ErrorCode, Protocol};
use sheave::tls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const PAGE: &[u8] = b"This server speaks HTTP/2.\n";

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut ca, mut words) = (None, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ca") => ca = Some(parser.value()?.string()?),
            Value(value) => words.push(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut words = words.into_iter();
    let url: Uri = words.next().ok_or("a URL is needed")?.parse()?;
    let tls = match ca {
        Some(file) => Some(ClientConfig::builder().roots_pem_file(file).alpn(["h2"]).build()?),
        None => None,
    };
    let peer = Peer { url, tls };
    let results = Checks::default();
    for name in words {
        results.check(&name, peer.check(&name)).await;
    }
    results.finish()
}

/// Where the checks are made.
struct Peer {
    url: Uri,
    tls: Option<ClientConfig>,
}

impl Peer {
    /// Opens a connection, makes the check on it, and ends it: that has to come to its end too.
    async fn check(&self, name: &str) -> Result<(), Error> {
        let mut connection = self.open().await?;
        connection.check(name).await?;
        drop(connection.requests);
        Ok(connection.driving.await??)
    }

    async fn open(&self) -> Result<Connection, Error> {
        let host = self.url.host().ok_or("a URL without a host")?;
        let port = self.url.port_u16().ok_or("a URL without a port")?;
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        let (requests, driving) = match &self.tls {
            Some(tls) => {
                let (requests, connection) = handshake(tls.connect(host, tcp).await?);
                (requests, tokio::spawn(connection))
            }
            None => {
                let (requests, connection) = handshake(tcp);
                (requests, tokio::spawn(connection))
            }
        };
        Ok(Connection { url: self.url.clone(), requests, driving })
    }
}

struct Connection {
    url: Uri,
    requests: SendRequest,
    driving: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    async fn check(&mut self, name: &str) -> Result<(), Error> {
        match name {
            "get" => self.get().await,
            "head" => self.head().await,
            "trailers" => self.trailers().await,
            "trailers-echo" => self.echo(1000, Some(trailers())).await,
            "early-hints" => self.early_hints().await,
            "fields" => self.fields().await,
            "streams-1000" => self.streams(1000).await,
            "cancel" => self.cancel().await,
            "reset" => self.reset().await,
            "connect" => self.connect().await,
            "shutdown" => self.shutdown().await,
            _ => match name.strip_prefix("echo-") {
                Some(size) => self.echo(size.parse()?, None).await,
                None => Err("no such check".into()),
            },
        }
    }

    fn request(&self, method: Method, path: &str) -> Result<Request<()>, Error> {
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = Some(path.parse()?);
        Ok(Request::builder().method(method).uri(Uri::from_parts(parts)?).body(())?)
    }

    /// A request without content, and its response.
    async fn ask(&mut self, method: Method, path: &str) -> Result<Response<RecvStream>, Error> {
        let request = self.request(method, path)?;
        self.requests.ready().await?;
        let response = self.requests.send_request(request, true)?.0.await?;
        same(response.status(), StatusCode::OK)?;
        Ok(response)
    }

    fn post(&mut self) -> Result<(ResponseFuture, SendStream), Error> {
        let request = self.request(Method::POST, "/echo")?;
        Ok(self.requests.send_request(request, false)?)
    }

    async fn get(&mut self) -> Result<(), Error> {
        let mut body = self.ask(Method::GET, "/").await?.into_body();
        same(&read(&mut body).await?[..], PAGE)
    }

    async fn head(&mut self) -> Result<(), Error> {
        let mut body = self.ask(Method::HEAD, "/").await?.into_body();
        same(&read(&mut body).await?[..], b"")
    }

    async fn echo(&mut self, size: usize, trailers: Option<HeaderMap>) -> Result<(), Error> {
        let content = octets(size);
        let (response, mut stream) = self.post()?;
        let sending = async {
            let mut rest = content.clone();
            while !rest.is_empty() {
                stream.send_data(rest.split_to(rest.len().min(16_000))).await?;
            }
            match trailers.clone() {
                Some(trailers) => stream.send_trailers(trailers)?,
                None => stream.finish()?,
            }
            Ok::<_, Error>(())
        };
        let receiving = async {
            let mut body = response.await?.into_body();
            let received = read(&mut body).await?;
            Ok::<_, Error>((received, body.trailers().await?))
        };
        let ((), (received, received_trailers)) = tokio::try_join!(sending, receiving)?;
        if received != content {
            return Err(format!("{} other bytes came back", received.len()).into());
        }
        // Some send trailers without fields for none.
        same(received_trailers.unwrap_or_default(), trailers.unwrap_or_default())
    }

    async fn trailers(&mut self) -> Result<(), Error> {
        let mut body = self.ask(Method::GET, "/trailers").await?.into_body();
        same(&read(&mut body).await?[..], PAGE)?;
        same(body.trailers().await?, Some(trailers()))
    }

    async fn early_hints(&mut self) -> Result<(), Error> {
        let request = self.request(Method::GET, "/early")?;
        let (mut response, _) = self.requests.send_request(request, true)?;
        let hints = response.informational().await?.ok_or("no interim response")?;
        same(hints.status(), StatusCode::EARLY_HINTS)?;
        let response = response.await?;
        same(response.status(), StatusCode::OK)?;
        same(&read(&mut response.into_body()).await?[..], PAGE)
    }

    /// Fields that take more than one frame each way.
    async fn fields(&mut self) -> Result<(), Error> {
        let large = HeaderValue::try_from(letters(40_000))?;
        let mut request = self.request(Method::GET, "/fields")?;
        request.headers_mut().insert("x-large", large.clone());
        let response = self.requests.send_request(request, true)?.0.await?;
        same(response.headers().get("x-large") == Some(&large), true)
    }

    /// So many streams at once: the first half of each echo has come before any sends its second.
    async fn streams(&mut self, count: u32) -> Result<(), Error> {
        let allowed = self.requests.settings().await?.max_concurrent_streams;
        if allowed < count {
            return Err(format!("the server takes {allowed} streams").into());
        }
        let mut open = Vec::new();
        for _ in 0..count {
            self.requests.ready().await?;
            let (response, mut stream) = self.post()?;
            stream.send_data(&b"one-"[..]).await?;
            open.push((response, stream));
        }
        let mut half = Vec::new();
        for (response, stream) in open {
            let mut body = response.await?.into_body();
            same(&read_exact(&mut body, 4).await?[..], b"one-")?;
            half.push((body, stream));
        }
        for (mut body, mut stream) in half {
            stream.send_data(&b"two"[..]).await?;
            stream.finish()?;
            same(&read(&mut body).await?[..], b"two")?;
        }
        Ok(())
    }

    /// Takes a response back in its middle, and a request.
    async fn cancel(&mut self) -> Result<(), Error> {
        let mut body = self.ask(Method::GET, "/bytes/1073741824").await?.into_body();
        read_exact(&mut body, 100_000).await?;
        drop(body);
        self.get().await?;
        let (response, mut stream) = self.post()?;
        stream.send_data(octets(10_000)).await?;
        stream.reset(ErrorCode::CANCEL);
        drop(response);
        self.get().await
    }

    /// The server breaks a response off.
    async fn reset(&mut self) -> Result<(), Error> {
        let request = self.request(Method::GET, "/reset")?;
        let (response, _) = self.requests.send_request(request, true)?;
        let result = async { read(response.await?.body_mut()).await };
        match result.await {
            Err(error) if matches!(error.downcast_ref(), Some(h2::Error::Reset(_))) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err("the response ended in order".into()),
        }
        self.get().await
    }

    /// RFC 8441
    async fn connect(&mut self) -> Result<(), Error> {
        let mut request = self.request(Method::CONNECT, "/chat")?;
        request.extensions_mut().insert(Protocol::websocket());
        let (response, mut stream) = self.requests.send_request(request, false)?;
        let response = response.await?;
        same(response.status(), StatusCode::OK)?;
        let mut body = response.into_body();
        for size in [1, 1000, 100_000] {
            let message = octets(size);
            stream.send_data(message.clone()).await?;
            same(read_exact(&mut body, size).await? == message, true)?;
        }
        stream.finish()?;
        same(&read(&mut body).await?[..], b"")
    }

    /// The server is asked to end while it has requests: they are answered to their end, and no more are taken.
    async fn shutdown(&mut self) -> Result<(), Error> {
        let mut open = Vec::new();
        for _ in 0..100 {
            let (response, mut stream) = self.post()?;
            stream.send_data(&b"one-"[..]).await?;
            open.push((response.await?, stream));
        }
        println!("shut down");
        while self.requests.ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for (response, mut stream) in open {
            stream.send_data(octets(10_000)).await?;
            stream.finish()?;
            let mut body = response.into_body();
            same(&read_exact(&mut body, 4).await?[..], b"one-")?;
            same(read(&mut body).await? == octets(10_000), true)?;
        }
        Ok(())
    }
}

async fn read(body: &mut RecvStream) -> Result<Bytes, Error> {
    let mut content = Vec::new();
    while let Some(data) = body.data().await {
        content.extend_from_slice(&data?);
    }
    Ok(content.into())
}

async fn read_exact(body: &mut RecvStream, size: usize) -> Result<Bytes, Error> {
    use tokio::io::AsyncReadExt as _;
    let mut content = vec![0; size];
    body.read_exact(&mut content).await?;
    Ok(content.into())
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("checksum"), HeaderValue::from_static("27"))])
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}").into()) }
}
