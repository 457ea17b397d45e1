//! An echo server on wtx, on one thread, as its documentation advises for speed.

use std::error::Error;

use bench_common::Options;
use tokio::net::{TcpListener, TcpStream};
use wtx::codec::CompressionLevel;
use wtx::collections::Vector;
use wtx::rng::{ChaCha20, CryptoSeedableRng as _};
use wtx::tls::{TlsAcceptor, TlsConfig};
use wtx::web_socket::web_socket_compression::{WindowBits, ZlibRs};
use wtx::web_socket::{DeflateConfig, OpCode, WebSocketAcceptor, WebSocketPayloadOrigin};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = Options::parse()?;
    // It always writes after every message.
    let level = CompressionLevel::try_from(options.level).map_err(|error| format!("{error:?}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(level))
}

async fn run(level: CompressionLevel) -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    bench_common::listening(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // It has no other word for a connection that ends without a Close.
            let _ = echo(stream, level).await;
        });
    }
}

async fn echo(stream: TcpStream, level: CompressionLevel) -> wtx::Result<()> {
    let deflate = DeflateConfig {
        client_max_window_bits: WindowBits::Fifteen,
        compression_level: level,
        server_max_window_bits: WindowBits::Fifteen,
    };
    let config = TlsConfig::plaintext();
    let mut rng = ChaCha20::from_getrandom()?;
    let mut ws = WebSocketAcceptor::default()
        .set_compression(ZlibRs::from(deflate))
        .accept(TlsAcceptor::new(&config, &mut rng, stream))
        .await?;
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
