//! A plain HTTP/2 client.
//!
//! `h2_client [--ca FILE | --insecure] [--post TEXT] URL`
//!
//! Makes one request and prints the response: the fields to standard error, the content to standard output. To `http` it
//! speaks HTTP/2 at once (RFC 9113 §3.3).

use std::process::ExitCode;
use std::time::Duration;

use examples::{Error, report};
use http::{Request, Uri};
use sheave::h2::io::client::{SendRequest, handshake};
use sheave::tls::{ClientConfig, alpn_protocol};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How long the connection stays when there is nothing more to ask of the server.
const GRACE: Duration = Duration::from_millis(50);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut url, mut post, mut tls) = (None, None, ClientConfig::builder());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ca") => tls = tls.roots_pem_file(parser.value()?.string()?),
            Long("insecure") => tls = tls.danger_accept_invalid_certificates(),
            Long("post") => post = Some(parser.value()?.string()?),
            Value(value) if url.is_none() => url = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let url: Uri = url.ok_or("a URL is needed: [--ca FILE | --insecure] [--post TEXT] URL")?.parse()?;
    let host = url.host().ok_or("a URL without a host")?;
    let secure = match url.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("a URL that is neither http nor https".into()),
    };
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((name, port)).await?;
    tcp.set_nodelay(true)?;
    if secure {
        let stream = tls.alpn(["h2"]).build()?.connect(name, tcp).await?;
        // RFC 9113 §3.2: it is TLS that tells.
        if alpn_protocol(&stream) != Some(b"h2") {
            return Err("the server does not speak HTTP/2".into());
        }
        exchange(stream, url, post).await
    } else {
        exchange(tcp, url, post).await
    }
}

async fn exchange(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: Uri,
    post: Option<String>,
) -> Result<(), Error> {
    let (requests, connection) = handshake(io);
    let driving = tokio::spawn(connection);
    let result = request(requests, url, post).await;
    driving.await??;
    result
}

async fn request(mut requests: SendRequest, url: Uri, post: Option<String>) -> Result<(), Error> {
    let method = if post.is_some() { "POST" } else { "GET" };
    let request = Request::builder().method(method).uri(url).body(())?;
    let (response, mut content) = requests.send_request(request, post.is_none())?;
    if let Some(post) = post {
        content.send_data(post.as_bytes()).await?;
        content.finish()?;
    }
    let (head, mut body) = response.await?.into_parts();
    eprintln!("{:?} {}", head.version, head.status);
    let fields = |fields: &http::HeaderMap| {
        for (name, value) in fields {
            eprintln!("{name}: {}", value.as_bytes().escape_ascii());
        }
    };
    fields(&head.headers);
    let mut stdout = tokio::io::stdout();
    while let Some(data) = body.data().await {
        stdout.write_all(&data?).await?;
    }
    stdout.flush().await?;
    if let Some(trailers) = body.trailers().await? {
        fields(&trailers);
    }
    // What the server asks right behind the response, such as PING, gets its answer before the connection ends.
    sleep(GRACE).await;
    Ok(())
}
