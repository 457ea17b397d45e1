//! An echo server and a client on soketto.
//!
//! As in its example `autobahn_server`: `BufReader` and `BufWriter` around the socket with the sizes that are there, a
//! flush after each message, one `Vec` for all messages, `send_binary_mut`. Its documentation says nothing more about
//! speed. In batches the `Sender` is flushed when the `Receiver` has to wait. The library does not check text; the example
//! does (`str::from_utf8`), and so does this.
//!
//! It cannot inflate with a flate2 of today: its `Deflate` calls `finish` on what has no final block, which flate2 1.1.11
//! answers with "incomplete deflate stream", so that it is left out.

use bench_common::{Client, ClientOptions, Command, Error, Io, Serve, flush_before_waiting};
use futures_util::io::{BufReader, BufWriter};
use soketto::handshake::{self, ServerResponse, server};
use soketto::{Data, Receiver, Sender};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

type Buffered<S> = BufReader<BufWriter<Compat<S>>>;

fn main() -> Result<(), Error> {
    match Command::parse()? {
        Command::Server(options) => {
            let options = options.without_http2("soketto has no HTTP/2");
            let options = options.without_deflate("soketto 0.8.1 with flate2 1.1.11 cannot inflate");
            bench_common::serve(&options, Echo { batch: options.batch })
        }
        Command::Client(options) => bench_common::run_client(&options, async || {
            let mut client = handshake::Client::new(buffered(options.connect().await?), "localhost", "/");
            let ServerResponse::Accepted { .. } = client.handshake().await? else {
                return Err("refused".into());
            };
            let (sender, receiver) = client.into_builder().finish();
            Ok(Echoes { sender, receiver, message: options.payload(), received: Vec::new(), options })
        }),
    }
}

fn buffered<S: Io>(io: S) -> Buffered<S> {
    BufReader::with_capacity(8 << 10, BufWriter::with_capacity(16 << 10, io.compat()))
}

#[derive(Clone)]
struct Echo {
    batch: bool,
}

impl Serve for Echo {
    async fn serve(self, io: impl Io) -> Result<(), Error> {
        let mut server = handshake::Server::new(buffered(io));
        let key = server.receive_request().await?.key();
        server.send_response(&server::Response::Accept { key, protocol: None }).await?;
        let (mut sender, mut receiver) = server.into_builder().finish();
        let mut message = Vec::new();
        loop {
            message.clear();
            match receive(&mut sender, &mut receiver, &mut message, self.batch).await? {
                Data::Binary(_) => sender.send_binary_mut(&mut message).await?,
                Data::Text(_) => sender.send_text(std::str::from_utf8(&message)?).await?,
            }
            if !self.batch {
                sender.flush().await?;
            }
        }
    }
}

async fn receive<S: Io>(
    sender: &mut Sender<Buffered<S>>,
    receiver: &mut Receiver<Buffered<S>>,
    message: &mut Vec<u8>,
    batch: bool,
) -> Result<Data, Error> {
    let receive = receiver.receive_data(message);
    if batch {
        Ok(flush_before_waiting(receive, async || Ok(sender.flush().await?)).await??)
    } else {
        Ok(receive.await?)
    }
}

struct Echoes<S: Io> {
    sender: Sender<Buffered<S>>,
    receiver: Receiver<Buffered<S>>,
    message: Vec<u8>,
    received: Vec<u8>,
    options: ClientOptions,
}

impl<S: Io> Client for Echoes<S> {
    async fn send(&mut self) -> Result<(), Error> {
        // It is masked where it lies.
        self.sender.send_binary_mut(&mut self.message).await?;
        if !self.options.batch {
            self.sender.flush().await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        self.received.clear();
        receive(&mut self.sender, &mut self.receiver, &mut self.received, self.options.batch).await?;
        Ok(self.received.len())
    }
}
