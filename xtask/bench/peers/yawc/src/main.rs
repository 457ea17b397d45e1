//! An echo server and a client on yawc.
//!
//! As in its own benchmark (`benches/comparison`): hyper's upgrade, `with_utf8` (by default it does not check text), and for
//! batches what that benchmark calls tuned: a read buffer of 128 KiB, a write boundary of 64 KiB, `feed` and one flush. Its
//! README advises the features `simd` and `zlib`.

use bench_common::{Client, ClientOptions, Command, Error, Io, Serve};
use bench_yawc::{echo, next, options, send};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use yawc::{Frame, OpCode, Options, WebSocket};

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(command) => {
            let command = command.without_http2("that is bench_hyper_yawc");
            let options = options(command.batch, command.deflate);
            bench_common::serve(&command, Echo { batch: command.batch, options })
        }
        Command::Client(command) => bench_common::run_client(&command, async || {
            let (url, options) = ("ws://localhost/".parse()?, options(command.batch, None));
            let ws = WebSocket::handshake(url, command.connect().await?, options).await?;
            Ok(Echoes { ws, payload: command.payload().into(), command })
        }),
    }
}

#[derive(Clone)]
struct Echo {
    batch: bool,
    options: Options,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let service = service_fn(|request| answer(request, self.clone()));
        http1::Builder::new().serve_connection(TokioIo::new(io), service).with_upgrades().await?;
        Ok(())
    }
}

async fn answer(mut request: Request<Incoming>, echoing: Echo) -> yawc::Result<Response<Empty<Bytes>>> {
    let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, echoing.options)?;
    tokio::spawn(async move {
        if let Ok(ws) = upgraded.await {
            let _ = echo(ws, echoing.batch).await;
        }
    });
    Ok(response)
}

struct Echoes {
    ws: WebSocket<TcpStream>,
    payload: Bytes,
    command: ClientOptions,
}

impl Client for Echoes {
    async fn send(&mut self) -> Result<(), Error> {
        send(&mut self.ws, Frame::binary(self.payload.clone()), self.command.batch).await
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        loop {
            let frame = next(&mut self.ws, self.command.batch).await?;
            match frame.opcode() {
                OpCode::Close => return Err("closed".into()),
                OpCode::Text | OpCode::Binary => return Ok(frame.payload().len()),
                _ => {}
            }
        }
    }
}
