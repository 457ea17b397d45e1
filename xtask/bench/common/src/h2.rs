//! How hyper serves HTTP/2.

use std::convert::Infallible;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::ext::Protocol;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::{Error, Io};

/// hyper's server with room for many streams: by default it has 200. The windows are left as they are, 1 MiB for a stream
/// and 1 MiB for all, but for the latter: what one stream leaves unread would stop the others. Nor is a connection ended
/// after 1024 streams on which something came that was too late: a WebSocket that is dropped behind its Close resets its
/// stream, and the client's end of it is still to come.
pub fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(10_000);
    builder.initial_connection_window_size(16 << 20);
    builder.max_local_error_reset_streams(None);
    builder.enable_connect_protocol();
    builder
}

/// Serves WebSockets by extended CONNECT (RFC 8441), each in a task of its own, with what hyper's upgrade gives.
///
/// # Errors
/// What ends the connection.
pub async fn serve_websockets<F>(
    io: impl Io,
    echo: impl Fn(TokioIo<Upgraded>) -> F + Clone + Send + 'static,
) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let service = service_fn(move |request| answer(request, echo.clone()));
    Ok(builder().serve_connection(TokioIo::new(io), service).await?)
}

async fn answer<F>(
    mut request: Request<Incoming>,
    echo: impl Fn(TokioIo<Upgraded>) -> F + Send + 'static,
) -> Result<Response<Empty<Bytes>>, Infallible>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut response = Response::new(Empty::new());
    let protocol = request.extensions().get::<Protocol>();
    if request.method() != Method::CONNECT || protocol.is_none_or(|protocol| protocol.as_str() != "websocket")
    {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let _ = echo(TokioIo::new(upgraded)).await;
        }
    });
    Ok(response)
}
