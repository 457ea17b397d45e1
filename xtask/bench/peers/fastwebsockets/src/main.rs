//! An echo server and a client on fastwebsockets.
//!
//! As in its example `echo_server`: hyper's upgrade, a `FragmentCollector`, a task without tokio's budget, and the defaults
//! for the rest, which are what its README sets: `writev`, `auto_close` and `auto_pong`. It writes each frame as it comes.
//! In batches it is split as in its example `echo_server_split`, with a buffer in front of the writing half, which is
//! flushed as the documentation of `flush` says. Text is checked (feature `simd`).

use bench_common::{Client, ClientOptions, Command, Error, Io, Serve};
use bench_fastwebsockets::{Split, Transport, echo};
use bytes::Bytes;
use fastwebsockets::upgrade::upgrade;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocket, WebSocketError, handshake};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::unconstrained;

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(options) => {
            let options = options.without_http2("that is bench_hyper_fastwebsockets");
            let options = options.without_deflate("fastwebsockets has no compression");
            bench_common::serve(&options, Echo { batch: options.batch })
        }
        Command::Client(options) if options.batch => bench_common::run_client(&options, async || {
            Ok(Batches { ws: Split::new(connect(&options).await?), payload: options.payload() })
        }),
        Command::Client(options) => bench_common::run_client(&options, async || {
            let ws = FragmentCollector::new(connect(&options).await?);
            Ok(Each { ws, payload: options.payload() })
        }),
    }
}

#[derive(Clone)]
struct Echo {
    batch: bool,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let service = service_fn(move |request| answer(request, self.batch));
        http1::Builder::new().serve_connection(TokioIo::new(io), service).with_upgrades().await?;
        Ok(())
    }
}

async fn answer(
    mut request: Request<Incoming>,
    batch: bool,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade(&mut request)?;
    tokio::spawn(unconstrained(async move {
        if let Ok(ws) = upgraded.await {
            let _ = echo(ws, batch).await;
        }
    }));
    Ok(response)
}

async fn connect(options: &ClientOptions) -> Result<WebSocket<Transport>, Error> {
    let request = Request::get("http://localhost/")
        .header(HOST, HeaderValue::from_static("localhost"))
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(CONNECTION, HeaderValue::from_static("upgrade"))
        .header(SEC_WEBSOCKET_KEY, handshake::generate_key())
        .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .body(Empty::<Bytes>::new())?;
    let (ws, _) = handshake::client(&TokioExecutor::new(), request, options.connect().await?).await?;
    Ok(ws)
}

struct Each {
    ws: FragmentCollector<Transport>,
    payload: Vec<u8>,
}

impl Client for Each {
    async fn send(&mut self) -> Result<(), Error> {
        // It is masked where it lies.
        Ok(self.ws.write_frame(Frame::binary(Payload::BorrowedMut(&mut self.payload))).await?)
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        loop {
            let frame = self.ws.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Err("closed".into()),
                OpCode::Text | OpCode::Binary => return Ok(frame.payload.len()),
                _ => {}
            }
        }
    }
}

struct Batches {
    ws: Split,
    payload: Vec<u8>,
}

impl Client for Batches {
    async fn send(&mut self) -> Result<(), Error> {
        Ok(self.ws.writer.write_frame(Frame::binary(Payload::BorrowedMut(&mut self.payload))).await?)
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        self.ws.receive().await
    }
}
