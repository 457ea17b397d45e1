//! The client of the interop checks on hyper: `hyper_client URL [--ca FILE] CHECK...`.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2_peers::{Error, Options, PAGE, content, letters, octets, same, trailers};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::main]
async fn main() -> Result<(), Error> {
    Options::parse()?.run(check).await;
    Ok(())
}

async fn check(options: &Options, name: &str) -> Result<(), Error> {
    let io = TokioIo::new(options.connect().await?);
    let mut builder = Builder::new(TokioExecutor::new());
    let (requests, connection) = builder.max_header_list_size(1 << 16).handshake(io).await?;
    let driving = tokio::spawn(connection);
    let mut client = Client { url: options.url.clone(), requests };
    client.check(name).await?;
    drop(client);
    Ok(driving.await??)
}

struct Client {
    url: String,
    requests: SendRequest<BoxBody<Bytes, Error>>,
}

/// What is sent of a request whose content comes bit by bit.
type Content = Sender<Bytes, Error>;

impl Client {
    async fn check(&mut self, name: &str) -> Result<(), Error> {
        match name {
            "get" => self.get().await,
            "head" => same(&read(self.ask(Method::HEAD, "/").await?).await?.0[..], b""),
            "trailers" => {
                let (content, received) = read(self.ask(Method::GET, "/trailers").await?).await?;
                same(&content[..], PAGE)?;
                same(received, Some(trailers()))
            }
            "trailers-echo" => self.echo(1000, Some(trailers())).await,
            "fields" => {
                let mut request = self.request(Method::GET, "/fields")?;
                request.headers_mut().insert("x-large", letters(40_000).parse()?);
                let response = self.requests.send_request(request).await?;
                same(response.headers().get("x-large") == Some(&letters(40_000).parse()?), true)
            }
            "streams-1000" => self.streams(1000).await,
            "cancel" => self.cancel().await,
            "reset" => {
                let result = async { read(self.ask(Method::GET, "/reset").await?).await }.await;
                let error = result.err().ok_or("the response ended in order")?;
                same(reason(&*error), Some(Reason::CANCEL))?;
                self.get().await
            }
            "connect" => self.connect().await,
            "shutdown" => self.shutdown().await,
            _ => self.echo(name.strip_prefix("echo-").ok_or("no such check")?.parse()?, None).await,
        }
    }

    fn request(&self, method: Method, path: &str) -> Result<Request<BoxBody<Bytes, Error>>, Error> {
        let body = BoxBody::new(Empty::new().map_err(Error::from));
        Ok(Request::builder().method(method).uri(format!("{}{path}", self.url)).body(body)?)
    }

    fn post(&self) -> Result<(Content, Request<BoxBody<Bytes, Error>>), Error> {
        let (sender, body) = Channel::new(8);
        let request = self.request(Method::POST, "/echo")?;
        Ok((sender, request.map(|_| BoxBody::new(body))))
    }

    async fn ask(&mut self, method: Method, path: &str) -> Result<Incoming, Error> {
        let request = self.request(method, path)?;
        self.requests.ready().await?;
        content(self.requests.send_request(request).await?)
    }

    async fn get(&mut self) -> Result<(), Error> {
        same(&read(self.ask(Method::GET, "/").await?).await?.0[..], PAGE)
    }

    async fn echo(&mut self, size: usize, trailers: Option<HeaderMap>) -> Result<(), Error> {
        let (mut sender, request) = self.post()?;
        let sending = async {
            let mut rest = octets(size);
            while !rest.is_empty() {
                sender.send_data(rest.split_to(rest.len().min(1 << 16))).await?;
            }
            if let Some(trailers) = trailers.clone() {
                sender.send_trailers(trailers).await?;
            }
            drop(sender);
            Ok::<_, Error>(())
        };
        let receiving = async { read(content(self.requests.send_request(request).await?)?).await };
        let ((), (received, received_trailers)) = tokio::try_join!(sending, receiving)?;
        same(received == octets(size), true)?;
        same(received_trailers, trailers)
    }

    async fn streams(&mut self, count: usize) -> Result<(), Error> {
        // By then the server's settings are there.
        self.get().await?;
        let mut open = Vec::new();
        for _ in 0..count {
            let (mut sender, request) = self.post()?;
            sender.send_data(Bytes::from_static(b"one-")).await?;
            open.push((sender, self.requests.send_request(request)));
        }
        let mut half = Vec::new();
        for (sender, response) in open {
            let mut body = content(response.await?)?;
            same(next(&mut body).await?, Bytes::from_static(b"one-"))?;
            half.push((sender, body));
        }
        for (mut sender, body) in half {
            sender.send_data(Bytes::from_static(b"two")).await?;
            drop(sender);
            same(&read(body).await?.0[..], b"two")?;
        }
        Ok(())
    }

    async fn cancel(&mut self) -> Result<(), Error> {
        let mut body = self.ask(Method::GET, "/bytes/1073741824").await?;
        next(&mut body).await?;
        drop(body);
        self.get().await?;
        let (mut sender, request) = self.post()?;
        sender.send_data(octets(10_000)).await?;
        let response = self.requests.send_request(request).await?;
        sender.abort("cancelled".into());
        drop(response);
        self.get().await
    }

    async fn connect(&mut self) -> Result<(), Error> {
        // By then the server's settings are there.
        self.get().await?;
        let mut request = self.request(Method::CONNECT, "/chat")?;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let response = self.requests.send_request(request).await?;
        same(response.status(), StatusCode::OK)?;
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(hyper::upgrade::on(response).await?));
        for size in [1, 1000, 100_000] {
            let (message, mut received) = (octets(size), vec![0; size]);
            tokio::try_join!(writer.write_all(&message), reader.read_exact(&mut received))?;
            same(received == message, true)?;
        }
        writer.shutdown().await?;
        same(reader.read_to_end(&mut Vec::new()).await?, 0)
    }

    async fn shutdown(&mut self) -> Result<(), Error> {
        let mut open = Vec::new();
        for _ in 0..100 {
            let (mut sender, request) = self.post()?;
            sender.send_data(Bytes::from_static(b"one-")).await?;
            open.push((sender, content(self.requests.send_request(request).await?)?));
        }
        println!("shut down");
        while !self.requests.is_closed() && self.get().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for (mut sender, body) in open {
            sender.send_data(octets(10_000)).await?;
            drop(sender);
            same(read(body).await?.0 == [b"one-", &octets(10_000)[..]].concat(), true)?;
        }
        Ok(())
    }
}

async fn next(body: &mut Incoming) -> Result<Bytes, Error> {
    let frame = body.frame().await.ok_or("the response is over")??;
    Ok(frame.into_data().map_err(|_| "trailers instead of data")?)
}

async fn read(body: Incoming) -> Result<(Bytes, Option<HeaderMap>), Error> {
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    Ok((collected.to_bytes(), trailers))
}

/// Why the server has reset the stream.
fn reason(mut error: &(dyn std::error::Error + 'static)) -> Option<Reason> {
    loop {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason();
        }
        error = error.source()?;
    }
}
