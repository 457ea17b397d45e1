//! An echo server on the raw frames of sockudo-ws, as in its example `wtx_bench_echo`: no message is made, and text is not
//! checked. Each frame is written as it comes, header and payload by one vectored write; in batches, all that one read
//! brought are put together and written once.

use std::io::IoSlice;

use bench_common::{Command, Error, Io, Serve};
use bytes::{Buf, BytesMut};
use sockudo_ws::frame::encode_frame_header;
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{Config, MAX_FRAME_HEADER_SIZE, OpCode, RECV_BUFFER_SIZE, RawMessage, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn main() -> Result<(), Error> {
    let options = Command::parse()?.server("the raw frames of sockudo-ws");
    let options = options.without_http2("that is bench_sockudo");
    let options = options.without_deflate("that is bench_sockudo");
    bench_common::serve(&options, Echo { batch: options.batch })
}

#[derive(Clone)]
struct Echo {
    batch: bool,
}

impl Serve for Echo {
    async fn serve(self, mut io: impl Io) -> Result<(), Error> {
        let mut received = BytesMut::with_capacity(RECV_BUFFER_SIZE);
        handshake(&mut io, &mut received).await?;
        let config = Config::default();
        let mut protocol = Protocol::new(Role::Server, config.max_frame_size, config.max_message_size);
        let (mut messages, mut output) = (Vec::new(), BytesMut::with_capacity(MAX_FRAME_HEADER_SIZE));
        loop {
            protocol.process_raw_into(&mut received, &mut messages)?;
            if messages.is_empty() {
                received.reserve(RECV_BUFFER_SIZE);
                if io.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
                continue;
            }
            for message in messages.drain(..) {
                let (opcode, payload) = match message {
                    RawMessage::Text(payload) => (OpCode::Text, payload),
                    RawMessage::Binary(payload) => (OpCode::Binary, payload),
                    RawMessage::Ping(payload) => (OpCode::Pong, payload),
                    RawMessage::Pong(_) => continue,
                    RawMessage::Close(_) => {
                        encode_frame_header(&mut output, OpCode::Close, 0, true, None);
                        return Ok(io.write_all(&output).await?);
                    }
                };
                encode_frame_header(&mut output, opcode, payload.len(), true, None);
                if self.batch {
                    output.extend_from_slice(payload.as_ref());
                } else {
                    write_both(&mut io, &mut output, payload.as_ref()).await?;
                }
            }
            io.write_all_buf(&mut output).await?;
            io.flush().await?;
            output.clear();
        }
    }
}

/// Header and payload, and the header is gone.
async fn write_both(io: &mut impl Io, header: &mut BytesMut, payload: &[u8]) -> Result<(), Error> {
    let mut payload = payload;
    while header.has_remaining() || !payload.is_empty() {
        let written = io.write_vectored(&[IoSlice::new(header), IoSlice::new(payload)]).await?;
        if written == 0 {
            return Err("closed".into());
        }
        let of_header = written.min(header.len());
        header.advance(of_header);
        payload = &payload[written - of_header..];
    }
    header.clear();
    Ok(())
}

async fn handshake(io: &mut impl Io, received: &mut BytesMut) -> Result<(), Error> {
    loop {
        if io.read_buf(received).await? == 0 {
            return Err("closed within the handshake".into());
        }
        if let Some((request, length)) = parse_request(received)? {
            io.write_all(&build_response(&generate_accept_key(request.key), None, None)).await?;
            io.flush().await?;
            received.advance(length);
            return Ok(());
        }
    }
}
