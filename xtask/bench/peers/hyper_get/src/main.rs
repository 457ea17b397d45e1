//! A server of `GET` over HTTP/2 on hyper, as its example `hello-http2` has it.

use std::convert::Infallible;

use bench_common::{Command, Error, Io, PAGE, Serve, h2};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

fn main() -> Result<(), Error> {
    let options = Command::parse()?.server("hyper");
    let options = options.without_http1("this is about HTTP/2");
    let options = options.without_deflate("this is about GET").without_batch("this is about GET");
    bench_common::serve(&options, Pages)
}

#[derive(Clone)]
struct Pages;

impl Serve for Pages {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let service = service_fn(async |_| {
            let mut response = Response::new(Full::new(Bytes::from_static(PAGE)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok::<_, Infallible>(response)
        });
        Ok(h2::builder().serve_connection(TokioIo::new(io), service).await?)
    }
}
