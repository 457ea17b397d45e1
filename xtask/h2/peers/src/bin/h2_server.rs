//! The server of the interop checks on the `h2` crate: `h2_server [CHAIN KEY]`.

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use h2_peers::{Error, Io, PAGE, data, own_fields, send, serve, trailers};
use http::{HeaderMap, Method, Request, Response};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Error> {
    serve("http", connection).await
}

async fn connection(io: Box<dyn Io>, mut stopped: watch::Receiver<()>) {
    let mut builder = Builder::new();
    // A thousand streams with a few unread bytes each are more than it bears by default.
    builder.data_frame_budget(1 << 20);
    builder.max_concurrent_streams(1000).max_header_list_size(1 << 16).enable_connect_protocol();
    let mut connection = match builder.handshake(io).await {
        Ok(connection) => connection,
        Err(error) => return eprintln!("a handshake: {error}"),
    };
    let mut stopping = false;
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                connection.graceful_shutdown();
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

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), Error> {
    let path = request.uri().path().to_owned();
    let mut response = Response::new(());
    match (request.method(), &path[..]) {
        (&Method::CONNECT, _) | (&Method::POST, "/echo") => {
            let mut stream = respond.send_response(response, false)?;
            let mut body = request.into_body();
            while let Some(data) = data(&mut body).await? {
                send(&mut stream, data).await?;
            }
            match body.trailers().await? {
                Some(trailers) => stream.send_trailers(trailers)?,
                None => stream.send_data(Bytes::new(), true)?,
            }
        }
        (&Method::HEAD, _) => drop(respond.send_response(response, true)?),
        (_, "/early") => {
            *response.status_mut() = http::StatusCode::EARLY_HINTS;
            respond.send_informational(response)?;
            page(respond, None).await?;
        }
        (_, "/trailers") => page(respond, Some(trailers())).await?,
        (_, "/fields") => {
            *response.headers_mut() = own_fields(request.headers());
            respond.send_response(response, true)?;
        }
        (_, "/reset") => {
            let mut stream = respond.send_response(response, false)?;
            send(&mut stream, Bytes::from_static(PAGE)).await?;
            stream.send_reset(Reason::CANCEL);
        }
        (_, path) => match path.strip_prefix("/bytes/") {
            Some(length) => {
                let mut left: usize = length.parse()?;
                let mut stream = respond.send_response(response, false)?;
                while left > 0 {
                    let length = left.min(1 << 16);
                    send(&mut stream, Bytes::from(vec![b'.'; length])).await?;
                    left -= length;
                }
                stream.send_data(Bytes::new(), true)?;
            }
            None => page(respond, None).await?,
        },
    }
    Ok(())
}

async fn page(mut respond: SendResponse<Bytes>, trailers: Option<HeaderMap>) -> Result<(), Error> {
    let mut stream = respond.send_response(Response::new(()), false)?;
    stream.send_data(Bytes::from_static(PAGE), trailers.is_none())?;
    match trailers {
        Some(trailers) => Ok(stream.send_trailers(trailers)?),
        None => Ok(()),
    }
}
