//! An echo server and a client on wtx, over HTTP/1.1 and HTTP/2, with its own TLS.
//!
//! As in its own benchmark: `split_mut`, `WebSocketPayloadOrigin::Adaptive`, one buffer. Its documentation advises the
//! feature `optimizations-std` (simdutf8, memchr), and the machine's instruction set, which no peer gets here. It writes
//! every message as it comes: there are no batches. Text is checked. Whether context is taken over is up to the client.
//!
//! Over HTTP/2 its `WebSocketOverStream` takes what one read brought for one whole frame, so that it echoes one message
//! at a time that fits into a DATA frame, and nothing else.

mod http2;

use std::sync::Arc;

use bench_common::{Client, ClientOptions, Command, Deflate, Error, ServerOptions};
use tokio::net::{TcpListener, TcpStream};
use wtx::codec::CompressionLevel;
use wtx::collections::{ShortBoxSliceU16, Vector};
use wtx::net::Uri;
use wtx::rng::{ChaCha20, CryptoSeedableRng as _};
use wtx::tls::{PlaintextCtx, TlsAcceptor, TlsConfig, TlsConnector, TlsCtxSk};
use wtx::web_socket::web_socket_compression::{WindowBits, ZlibRs};
use wtx::web_socket::{
    DeflateConfig, Frame, OpCode, WebSocket, WebSocketAcceptor, WebSocketConnector, WebSocketPayloadOrigin,
    WsCompression,
};

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(options) => {
            let options = options.without_batch("wtx writes every message as it comes");
            let compressed = options.http2 && options.deflate.is_some();
            let options = options.without(compressed, "wtx does not compress over HTTP/2");
            bench_common::serve_on(|listener| start(listener, options))
        }
        Command::Client(options) => {
            let options = options.without_batch("wtx writes every message as it comes");
            bench_common::run_client(&options, async || connect(options).await)
        }
    }
}

async fn start(listener: TcpListener, options: ServerOptions) -> Result<(), Error> {
    if !options.tls {
        return accept(listener, options, TlsConfig::plaintext()).await;
    }
    let (certificate, key) = bench_common::certificate()?;
    let key = ShortBoxSliceU16::try_from(key.secret_der()).map_err(told)?;
    let mut rng = ChaCha20::from_getrandom().map_err(told)?;
    let mut config = TlsConfig::from_keys_der([certificate.as_ref()], &mut rng, key).map_err(told)?;
    let protocol: &[u8] = if options.http2 { b"h2" } else { b"http/1.1" };
    let name = protocol.try_into().map_err(told)?;
    config.alpn_mut().get_or_insert_default().protocol_name_list.push(name).map_err(told)?;
    accept(listener, options, config).await
}

async fn accept<TCX>(
    listener: TcpListener,
    options: ServerOptions,
    config: TlsConfig<TCX>,
) -> Result<(), Error>
where
    TCX: TlsCtxSk + Send + Sync + 'static,
{
    let config = Arc::new(config);
    let deflate = options.deflate.map(compression).transpose()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (config, deflate) = (Arc::clone(&config), deflate.clone());
        tokio::spawn(async move {
            // It has no other word for a connection that ends without a Close.
            let _ = match deflate {
                _ if options.http2 => http2::serve(stream, &config).await,
                Some(deflate) => echo(stream, &config, deflate).await,
                None => echo(stream, &config, ()).await,
            };
        });
    }
}

fn compression(deflate: Deflate) -> Result<ZlibRs, Error> {
    Ok(ZlibRs::from(DeflateConfig {
        client_max_window_bits: WindowBits::Fifteen,
        compression_level: CompressionLevel::try_from(deflate.level).map_err(told)?,
        server_max_window_bits: WindowBits::Fifteen,
    }))
}

async fn echo<TCX: TlsCtxSk>(
    stream: TcpStream,
    config: &TlsConfig<TCX>,
    compression: impl WsCompression<false>,
) -> wtx::Result<()> {
    let mut rng = ChaCha20::from_getrandom()?;
    let acceptor = WebSocketAcceptor::default().set_compression(compression);
    let mut ws = acceptor.accept(TlsAcceptor::new(config, &mut rng, stream)).await?;
    let (mut common, mut reader, mut writer) = ws.split_mut();
    let mut buffer = Vector::new();
    loop {
        let origin = WebSocketPayloadOrigin::Adaptive;
        let mut frame = reader.read_frame(&mut buffer, &mut common, origin).await?;
        match frame.op_code() {
            OpCode::Binary | OpCode::Text => writer.write_frame(&mut common, &mut frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

struct Echoes {
    ws: WebSocket<(), TcpStream, PlaintextCtx, true>,
    payload: Vec<u8>,
    buffer: Vector<u8>,
}

async fn connect(options: ClientOptions) -> Result<Echoes, Error> {
    let (config, stream) = (TlsConfig::plaintext(), options.connect().await?);
    let mut rng = ChaCha20::from_getrandom().map_err(told)?;
    let connector = TlsConnector::new(&config, &mut rng, stream, Uri::new("ws://localhost/"));
    let ws = WebSocketConnector::default().set_no_masking(false).connect(connector).await.map_err(told)?;
    Ok(Echoes { ws, payload: options.payload(), buffer: Vector::new() })
}

impl Client for Echoes {
    async fn send(&mut self) -> Result<(), Error> {
        // It is masked where it lies.
        let mut frame = Frame::new_fin(OpCode::Binary, &mut self.payload[..]).map_err(told)?;
        self.ws.write_frame(&mut frame).await.map_err(told)
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        loop {
            let origin = WebSocketPayloadOrigin::Adaptive;
            let frame = self.ws.read_frame(&mut self.buffer, origin).await.map_err(told)?;
            match frame.op_code() {
                OpCode::Binary | OpCode::Text => return Ok(frame.payload().len()),
                OpCode::Close => return Err("closed".into()),
                _ => {}
            }
        }
    }
}

fn told(error: impl std::fmt::Debug) -> Error {
    format!("{error:?}").into()
}
