//! WebSockets over HTTP/2, each in a task of its own.

use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use wtx::collections::Vector;
use wtx::http::{Headers, HttpRecvParams, Protocol};
use wtx::http2::{Http2, Http2Buffer, Http2ErrorCode, Http2RecvStatus, ServerStream, WebSocketOverStream};
use wtx::net::Stream as _;
use wtx::rng::{ChaCha20, CryptoSeedableRng as _, Xorshift64};
use wtx::tls::{TlsAcceptor, TlsConfig, TlsCtxSk};
use wtx::web_socket::OpCode;

/// Serves a connection to its end.
pub(crate) async fn serve<TCX>(stream: TcpStream, config: &TlsConfig<TCX>) -> wtx::Result<()>
where
    TCX: TlsCtxSk + Send + Sync + 'static,
{
    let mut rng = ChaCha20::from_getrandom()?;
    let buffer = Http2Buffer::new(&mut rng);
    let tls = TlsAcceptor::new(config, &mut rng, stream).accept().await?.tls_stream;
    let (reader, http2) = Http2::accept(buffer, params(), tls.into_split()?).await?;
    tokio::spawn(reader);
    while let Some((stream, protocol)) = http2.stream(|_, protocol| protocol).await? {
        if protocol == Some(Protocol::WebSocket) {
            tokio::spawn(async move {
                let _ = echo(stream).await;
            });
        }
    }
    Ok(())
}

/// What its examples have, with room for many streams that stay open.
fn params() -> HttpRecvParams {
    HttpRecvParams::with_optioned_params()
        .set_enable_connect_protocol(true)
        .set_max_concurrent_streams_num(10_000)
        .set_max_recv_streams_num(u32::MAX)
        .set_max_body_len(u32::MAX)
}

async fn echo<TCX: TlsCtxSk>(mut stream: ServerStream<OwnedWriteHalf, TCX>) -> wtx::Result<()> {
    let rng = Xorshift64::from_getrandom()?;
    let mut ws = WebSocketOverStream::new(&Headers::new(), false, rng, &mut stream).await?;
    let mut buffer = Vector::new();
    loop {
        let mut frame = ws.read_frame(&mut buffer).await?;
        match frame.op_code() {
            OpCode::Binary | OpCode::Text => ws.write_frame(&mut frame).await?,
            // It was answered.
            OpCode::Close => break,
            _ => {}
        }
    }
    // Its `close` would send another Close, and a reset at once, after which the client's end ends the connection.
    while matches!(stream.common().recv_data(|_| Ok(())).await?, Http2RecvStatus::Ongoing(())) {}
    stream.common().send_reset(Http2ErrorCode::NoError).await;
    stream.common().clear().await
}
