//! A server of `GET` over HTTP/2 on wtx, with its own TLS, on its low-level API as in its example `http2-server`, a task for
//! each request.

use std::sync::Arc;

use bench_common::{Command, Error, PAGE, ServerOptions};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use wtx::collections::{ShortBoxSliceU16, Vector};
use wtx::http::{Header, Headers, HttpRecvParams, Response, StatusCode};
use wtx::http2::{Http2, Http2Buffer, ServerStream};
use wtx::net::Stream as _;
use wtx::rng::{ChaCha20, CryptoSeedableRng as _};
use wtx::tls::{TlsAcceptor, TlsConfig, TlsCtxSk};

fn main() -> Result<(), Error> {
    let options = Command::parse()?.server("wtx");
    let options = options.without_http1("this is about HTTP/2");
    let options = options.without_deflate("this is about GET").without_batch("this is about GET");
    bench_common::serve_on(|listener| start(listener, options))
}

async fn start(listener: TcpListener, options: ServerOptions) -> Result<(), Error> {
    if !options.tls {
        return accept(listener, TlsConfig::plaintext()).await;
    }
    let (certificate, key) = bench_common::certificate()?;
    let key = ShortBoxSliceU16::try_from(key.secret_der()).map_err(told)?;
    let mut rng = ChaCha20::from_getrandom().map_err(told)?;
    let mut config = TlsConfig::from_keys_der([certificate.as_ref()], &mut rng, key).map_err(told)?;
    let name = b"h2".as_slice().try_into().map_err(told)?;
    config.alpn_mut().get_or_insert_default().protocol_name_list.push(name).map_err(told)?;
    accept(listener, config).await
}

async fn accept<TCX>(listener: TcpListener, config: TlsConfig<TCX>) -> Result<(), Error>
where
    TCX: TlsCtxSk + Send + Sync + 'static,
{
    let config = Arc::new(config);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            let _ = serve(stream, &config).await;
        });
    }
}

async fn serve<TCX>(stream: TcpStream, config: &TlsConfig<TCX>) -> wtx::Result<()>
where
    TCX: TlsCtxSk + Send + Sync + 'static,
{
    let mut rng = ChaCha20::from_getrandom()?;
    let buffer = Http2Buffer::new(&mut rng);
    let tls = TlsAcceptor::new(config, &mut rng, stream).accept().await?.tls_stream;
    let params = HttpRecvParams::with_optioned_params()
        .set_max_concurrent_streams_num(10_000)
        .set_max_recv_streams_num(u32::MAX);
    let (reader, http2) = Http2::accept(buffer, params, tls.into_split()?).await?;
    tokio::spawn(reader);
    while let Some((stream, ())) = http2.stream(|_, _| {}).await? {
        tokio::spawn(async move {
            let _ = answer(stream).await;
        });
    }
    Ok(())
}

async fn answer<TCX: TlsCtxSk>(mut stream: ServerStream<OwnedWriteHalf, TCX>) -> wtx::Result<()> {
    let (_, message) = stream.recv_req().await?;
    let mut headers: Headers = message.headers;
    headers.clear();
    headers.push_from_iter(Header::from_name_and_value("content-type", ["text/plain"]))?;
    stream.send_res(&mut Vector::new(), Response::new((PAGE, headers), StatusCode::Ok)).await?;
    Ok(())
}

fn told(error: impl std::fmt::Debug) -> Error {
    format!("{error:?}").into()
}
