//! A server of `GET` over HTTP/2 on h2, which answers in the loop that accepts, as the examples of its documentation do.

use bench_common::{Command, Error, Io, PAGE, Serve};
use bytes::Bytes;
use h2::server::Builder;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};

fn main() -> Result<(), Error> {
    let options = Command::parse()?.server("h2");
    let options = options.without_http1("this is about HTTP/2");
    let options = options.without_deflate("this is about GET").without_batch("this is about GET");
    bench_common::serve(&options, Pages)
}

#[derive(Clone)]
struct Pages;

impl Serve for Pages {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let mut connection = Builder::new().max_concurrent_streams(10_000).handshake(io).await?;
        while let Some(accepted) = connection.accept().await {
            let (_, mut respond) = accepted?;
            let mut response = Response::new(());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            respond.send_response(response, false)?.send_data(Bytes::from_static(PAGE), true)?;
        }
        Ok(())
    }
}
