//! How hyper serves HTTP/2.

use hyper::server::conn::http2::Builder;
use hyper_util::rt::TokioExecutor;

/// hyper's server, with room for many streams: by default it has 200 of them, and a window of 1 MiB for all together.
pub fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(10_000);
    builder.enable_connect_protocol();
    builder
}
