//! A plain HTTP/2 server.
//!
//! `h2_server [--addr HOST:PORT] [--tls [--ca-out FILE]] [--threads N] [--until-stdin-ends]`
//!
//! Without TLS it takes clients that know beforehand that it speaks HTTP/2 (RFC 9113 §3.3). It answers
//! * GET and POST of `/` with a short page, once all is there that was sent; `GET /bytes/N` with N bytes,
//! * `POST /echo`, and an extended CONNECT of any path, with what was sent, trailers included,
//! * `GET /trailers` with trailers, `GET /early` with 103 before, `GET /push` with a push of `/` beside it,
//! * `GET /fields` with the fields of the request whose names begin with `x-`,
//! * `GET /reset` with the beginning of a response, which it breaks off.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use examples::{Error, ServerOptions, serve};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use sheave::h2::io::server::{SendResponse, handshake_with};
use sheave::h2::io::{RecvStream, SendStream};
use sheave::h2::{self, Config, ErrorCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

const PAGE: &str = "This server speaks HTTP/2.\n";

fn main() -> ExitCode {
    serve("127.0.0.1:9003", run)
}

async fn run(options: ServerOptions) -> Result<(), Error> {
    let tls = match options.certificate()? {
        Some(certificate) => Some(certificate.server_config_builder().alpn(["h2"]).build()?),
        None => None,
    };
    let listener = TcpListener::bind(&options.addr).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}", listener.local_addr()?);

    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(options.stop());
    loop {
        let tcp = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        tcp.set_nodelay(true)?;
        let (tls, stopped) = (tls.clone(), stopped.clone());
        connections.spawn(async move {
            match tls {
                Some(tls) => match tls.accept(tcp).await {
                    Ok(stream) => connection(stream, stopped).await,
                    Err(error) => eprintln!("TLS: {error}"),
                },
                None => connection(tcp, stopped).await,
            }
        });
    }
    drop(stopping);
    let ended = timeout(Duration::from_secs(10), async { while connections.join_next().await.is_some() {} });
    ended.await.map_err(|_| "connections did not end in time".into())
}

async fn connection(io: impl AsyncRead + AsyncWrite + Unpin, mut stopped: watch::Receiver<()>) {
    let config = Config::default().max_concurrent_streams(1000).enable_connect_protocol(true);
    let mut connection = handshake_with(io, config);
    let mut stopping = false;
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                connection.shutdown();
                continue;
            }
        };
        match accepted {
            Some(Ok((request, respond))) => {
                tokio::spawn(async move {
                    if let Err(error) = answer(request, respond).await {
                        eprintln!("a stream: {error}");
                    }
                });
            }
            Some(Err(error)) => return eprintln!("a connection: {error}"),
            None => return,
        }
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse) -> Result<(), h2::Error> {
    let path = request.uri().path().to_owned();
    let page = |respond: SendResponse| send(respond, StatusCode::OK, PAGE.into());
    match (request.method(), &path[..]) {
        (&Method::CONNECT, _) | (&Method::POST, "/echo") => echo(request, respond).await,
        (&Method::HEAD, "/") => respond.send_response(Response::new(()), true).map(|_| ()),
        (&Method::GET | &Method::POST, "/") => {
            request.into_body().trailers().await?;
            page(respond).await
        }
        (&Method::GET, "/early") => {
            let mut hints = Response::new(());
            *hints.status_mut() = StatusCode::EARLY_HINTS;
            respond.send_informational(hints)?;
            page(respond).await
        }
        (&Method::GET, "/trailers") => {
            let mut stream = respond.send_response(Response::new(()), false)?;
            stream.send_data(PAGE.as_bytes()).await?;
            let checksum = (HeaderName::from_static("checksum"), HeaderValue::from_static("27"));
            stream.send_trailers(HeaderMap::from_iter([checksum]))
        }
        (&Method::GET, "/fields") => {
            let fields = request.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-"));
            let mut response = Response::new(());
            response.headers_mut().extend(fields.map(|(name, value)| (name.clone(), value.clone())));
            respond.send_response(response, true).map(|_| ())
        }
        (&Method::GET, "/reset") => {
            let mut stream = respond.send_response(Response::new(()), false)?;
            stream.send_data(PAGE.as_bytes()).await?;
            stream.reset(ErrorCode::CANCEL);
            Ok(())
        }
        (&Method::GET, "/push") => {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(PathAndQuery::from_static("/"));
            let mut pushed = Request::new(());
            *pushed.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
            if let Ok(push) = respond.push(pushed) {
                // A client that takes none has told so.
                let _ = page(push).await;
            }
            page(respond).await
        }
        (&Method::GET, _) => match path.strip_prefix("/bytes/").and_then(|length| length.parse().ok()) {
            Some(length) if length <= 1 << 30 => {
                let mut stream = respond.send_response(Response::new(()), false)?;
                bytes(&mut stream, length).await?;
                stream.finish()
            }
            _ => send(respond, StatusCode::NOT_FOUND, "There is nothing here.\n".into()).await,
        },
        _ => send(respond, StatusCode::METHOD_NOT_ALLOWED, "Not this method.\n".into()).await,
    }
}

async fn send(respond: SendResponse, status: StatusCode, page: Bytes) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_LENGTH, page.len().into());
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(page).await?;
    stream.finish()
}

async fn echo(request: Request<RecvStream>, respond: SendResponse) -> Result<(), h2::Error> {
    let mut stream = respond.send_response(Response::new(()), false)?;
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        stream.send_data(data?.freeze()).await?;
    }
    match body.trailers().await? {
        Some(trailers) => stream.send_trailers(trailers),
        None => stream.finish(),
    }
}

async fn bytes(stream: &mut SendStream, mut length: usize) -> Result<(), h2::Error> {
    let piece = Bytes::from_static(&[b'.'; 16 << 10]);
    while length > 0 {
        let part = piece.slice(..length.min(piece.len()));
        length -= part.len();
        stream.send_data(part).await?;
    }
    Ok(())
}
