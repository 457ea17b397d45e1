//! The client of the interop checks on the `h2` crate: `h2_client URL [--ca FILE] CHECK...`.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use h2_peers::{Error, Options, PAGE, content, data, letters, octets, same, send, trailers};
use http::{HeaderMap, Method, Request, StatusCode};

#[tokio::main]
async fn main() -> Result<(), Error> {
    Options::parse()?.run(check).await;
    Ok(())
}

async fn check(options: &Options, name: &str) -> Result<(), Error> {
    let mut builder = Builder::new();
    // A thousand streams with a few unread bytes each are more than it bears by default.
    builder.enable_push(false).max_header_list_size(1 << 16).data_frame_budget(1 << 20);
    let (requests, connection) = builder.handshake(options.connect().await?).await?;
    let driving = tokio::spawn(connection);
    let mut client = Client { url: options.url.clone(), requests };
    client.check(name).await?;
    drop(client);
    Ok(driving.await??)
}

struct Client {
    url: String,
    requests: SendRequest<Bytes>,
}

impl Client {
    async fn check(&mut self, name: &str) -> Result<(), Error> {
        match name {
            "get" => self.get().await,
            "head" => same(&read(&mut self.ask(Method::HEAD, "/").await?).await?[..], b""),
            "trailers" => {
                let mut body = self.ask(Method::GET, "/trailers").await?;
                same(&read(&mut body).await?[..], PAGE)?;
                same(body.trailers().await?, Some(trailers()))
            }
            "trailers-echo" => self.echo(1000, Some(trailers())).await,
            "early-hints" => self.early_hints().await,
            "fields" => {
                let mut request = self.request(Method::GET, "/fields")?;
                request.headers_mut().insert("x-large", letters(40_000).parse()?);
                let response = self.send(request, true).await?.0.await?;
                same(response.headers().get("x-large") == Some(&letters(40_000).parse()?), true)
            }
            "streams-1000" => self.streams(1000).await,
            "cancel" => self.cancel().await,
            "reset" => {
                let request = self.request(Method::GET, "/reset")?;
                let (response, _) = self.send(request, true).await?;
                let result = async { read(response.await?.body_mut()).await }.await;
                let error = result.err().ok_or("the response ended in order")?;
                same(error.downcast_ref().and_then(h2::Error::reason), Some(Reason::CANCEL))?;
                self.get().await
            }
            "connect" => self.connect().await,
            "shutdown" => self.shutdown().await,
            _ => self.echo(name.strip_prefix("echo-").ok_or("no such check")?.parse()?, None).await,
        }
    }

    fn request(&self, method: Method, path: &str) -> Result<Request<()>, Error> {
        Ok(Request::builder().method(method).uri(format!("{}{path}", self.url)).body(())?)
    }

    async fn send(
        &mut self,
        request: Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), Error> {
        poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        Ok(self.requests.send_request(request, end)?)
    }

    async fn ask(&mut self, method: Method, path: &str) -> Result<RecvStream, Error> {
        let request = self.request(method, path)?;
        content(self.send(request, true).await?.0.await?)
    }

    async fn get(&mut self) -> Result<(), Error> {
        same(&read(&mut self.ask(Method::GET, "/").await?).await?[..], PAGE)
    }

    async fn echo(&mut self, size: usize, trailers: Option<HeaderMap>) -> Result<(), Error> {
        let request = self.request(Method::POST, "/echo")?;
        let (response, mut stream) = self.send(request, false).await?;
        let sending = async {
            send(&mut stream, octets(size)).await?;
            match trailers.clone() {
                Some(trailers) => stream.send_trailers(trailers)?,
                None => stream.send_data(Bytes::new(), true)?,
            }
            Ok::<_, Error>(())
        };
        let receiving = async {
            let mut body = content(response.await?)?;
            same(read(&mut body).await? == octets(size), true)?;
            Ok::<_, Error>(body.trailers().await?)
        };
        let ((), received) = tokio::try_join!(sending, receiving)?;
        same(received, trailers)
    }

    async fn early_hints(&mut self) -> Result<(), Error> {
        let request = self.request(Method::GET, "/early")?;
        let (mut response, _) = self.send(request, true).await?;
        let hints = poll_fn(|cx| response.poll_informational(cx)).await.ok_or("no interim response")??;
        same(hints.status(), StatusCode::EARLY_HINTS)?;
        same(&read(&mut content(response.await?)?).await?[..], PAGE)
    }

    async fn streams(&mut self, count: usize) -> Result<(), Error> {
        // By then the server's settings are there.
        self.get().await?;
        let mut open = Vec::new();
        for _ in 0..count {
            let request = self.request(Method::POST, "/echo")?;
            let (response, mut stream) = self.send(request, false).await?;
            stream.send_data(Bytes::from_static(b"one-"), false)?;
            open.push((response, stream));
        }
        let mut half = Vec::new();
        for (response, stream) in open {
            let mut body = content(response.await?)?;
            same(next(&mut body).await?, Bytes::from_static(b"one-"))?;
            half.push((body, stream));
        }
        for (mut body, mut stream) in half {
            stream.send_data(Bytes::from_static(b"two"), true)?;
            same(&read(&mut body).await?[..], b"two")?;
        }
        Ok(())
    }

    async fn cancel(&mut self) -> Result<(), Error> {
        let mut body = self.ask(Method::GET, "/bytes/1073741824").await?;
        next(&mut body).await?;
        drop(body);
        self.get().await?;
        let request = self.request(Method::POST, "/echo")?;
        let (_response, mut stream) = self.send(request, false).await?;
        send(&mut stream, octets(10_000)).await?;
        stream.send_reset(Reason::CANCEL);
        self.get().await
    }

    async fn connect(&mut self) -> Result<(), Error> {
        // By then the server's settings are there.
        self.get().await?;
        same(self.requests.is_extended_connect_protocol_enabled(), true)?;
        let mut request = self.request(Method::CONNECT, "/chat")?;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let (response, mut stream) = self.send(request, false).await?;
        let mut body = content(response.await?)?;
        for size in [1, 1000, 100_000] {
            let mut received = Vec::new();
            let receiving = async {
                while received.len() < size {
                    received.extend_from_slice(&next(&mut body).await?);
                }
                Ok(())
            };
            tokio::try_join!(send(&mut stream, octets(size)), receiving)?;
            same(received == octets(size), true)?;
        }
        stream.send_data(Bytes::new(), true)?;
        same(&read(&mut body).await?[..], b"")
    }

    async fn shutdown(&mut self) -> Result<(), Error> {
        let mut open = Vec::new();
        for _ in 0..100 {
            let request = self.request(Method::POST, "/echo")?;
            let (response, mut stream) = self.send(request, false).await?;
            stream.send_data(Bytes::from_static(b"one-"), false)?;
            open.push((content(response.await?)?, stream));
        }
        println!("shut down");
        while poll_fn(|cx| self.requests.poll_ready(cx)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for (mut body, mut stream) in open {
            send(&mut stream, octets(10_000)).await?;
            stream.send_data(Bytes::new(), true)?;
            same(read(&mut body).await? == [b"one-", &octets(10_000)[..]].concat(), true)?;
        }
        Ok(())
    }
}

async fn next(body: &mut RecvStream) -> Result<Bytes, Error> {
    Ok(data(body).await?.ok_or("the response is over")?)
}

async fn read(body: &mut RecvStream) -> Result<Bytes, Error> {
    let mut content = Vec::new();
    while let Some(data) = data(body).await? {
        content.extend_from_slice(&data);
    }
    Ok(content.into())
}
