//! The server of the interop checks on hyper: `hyper_server [CHAIN KEY]`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2_peers::{Error, Io, PAGE, own_fields, serve, trailers};
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Error> {
    serve("http", connection).await
}

async fn connection(io: Box<dyn Io>, mut stopped: watch::Receiver<()>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(1000).max_header_list_size(1 << 16).enable_connect_protocol();
    // The others send none either.
    builder.auto_date_header(false);
    let connection = builder.serve_connection(TokioIo::new(io), service_fn(answer));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        eprintln!("a connection: {error}");
    }
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Error>>, Infallible> {
    let path = request.uri().path().to_owned();
    let page = || Full::new(Bytes::from_static(PAGE));
    Ok(match (request.method(), &path[..]) {
        (&Method::CONNECT, _) => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await?));
                tokio::io::copy(&mut reader, &mut writer).await?;
                tokio::io::AsyncWriteExt::shutdown(&mut writer).await?;
                Ok::<_, Error>(())
            });
            body(Empty::new())
        }
        (&Method::HEAD, _) => body(Empty::new()),
        (&Method::POST, "/echo") => body(request.into_body()),
        (_, "/trailers") => body(page().with_trailers(async { Some(Ok(trailers())) })),
        (_, "/fields") => {
            let mut response = body(Empty::new());
            *response.headers_mut() = own_fields(request.headers());
            response
        }
        (_, "/reset") => body(Bytewise { left: PAGE.len(), then: Some(Reason::CANCEL.into()) }),
        (_, path) => match path.strip_prefix("/bytes/") {
            Some(length) => body(Bytewise { left: length.parse().unwrap_or(0), then: None }),
            None => body(page()),
        },
    })
}

fn body<B>(body: B) -> Response<BoxBody<Bytes, Error>>
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    Error: From<B::Error>,
{
    Response::new(BoxBody::new(body.map_err(Error::from)))
}

/// So many bytes, and then perhaps an error.
struct Bytewise {
    left: usize,
    then: Option<h2::Error>,
}

impl Body for Bytewise {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let length = self.left.min(1 << 16);
        self.left -= length;
        if length > 0 {
            return Poll::Ready(Some(Ok(Frame::data(vec![b'.'; length].into()))));
        }
        Poll::Ready(self.then.take().map(Err))
    }
}
