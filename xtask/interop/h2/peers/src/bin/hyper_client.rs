//! The client of the checks on hyper and tokio-tungstenite: `hyper_client URL [--ca FILE] CHECK...`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use h2_peers::{Error, Options, letters, octets, same};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use websocket_peers::close_words;

const CLOSE_LIMIT: Duration = Duration::from_secs(5);

type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    Options::parse()?.run(check).await;
    Ok(())
}

async fn check(options: &Options, name: &str) -> Result<(), Error> {
    let io = TokioIo::new(options.connect().await?);
    let (requests, connection) = Builder::new(TokioExecutor::new()).handshake(io).await?;
    let driving = tokio::spawn(connection);
    let (scheme, authority) = options.url.split_once("://").ok_or("a URL without a scheme")?;
    let mut client = Client { url: format!("{}://{authority}", scheme.replace("ws", "http")), requests };
    client.check(name).await?;
    drop(client);
    Ok(timeout(CLOSE_LIMIT, driving).await???)
}

struct Client {
    url: String,
    requests: SendRequest<Empty<Bytes>>,
}

impl Client {
    async fn check(&mut self, name: &str) -> Result<(), Error> {
        let words: Vec<&str> = name.split('-').collect();
        match words[..] {
            ["text", "unicode"] => self.echo(Message::text("κόσμε 😀 \u{10FFFF}")).await,
            ["text", size] => self.echo(Message::text(letters(size.parse()?))).await,
            ["binary", size] => self.echo(Message::binary(octets(size.parse()?))).await,
            ["fragments", "text"] => self.fragments(Data::Text, &["alpha-", "βήτα-", "gamma"]).await,
            ["fragments", "binary"] => {
                let parts = [1, 2, 3, 4, 5].map(|value| vec![value; 1000]);
                self.fragments(Data::Binary, &parts).await
            }
            ["fragments", "ping"] => self.fragments_ping().await,
            ["fragments", "by", "peer"] => {
                let all = ["a", "b", "c"].map(|letter| letter.repeat(1000)).concat();
                self.first_message("/fragments", &all).await
            }
            ["ping", "by", "peer"] => self.first_message("/ping/from-peer", "pong from-peer").await,
            ["ping"] => self.ping("sheave").await,
            ["ping", "empty"] => self.ping("").await,
            ["ping", "125"] => self.ping(&"p".repeat(125)).await,
            ["close", "by", "peer", ref close @ ..] => self.close_by_peer(close).await,
            ["close", ref close @ ..] => self.close(close).await,
            ["subprotocol", "chosen"] => {
                self.subprotocol(Some("unknown, superchat, chat"), Some("superchat")).await
            }
            ["subprotocol", "none"] => self.subprotocol(None, None).await,
            ["sockets", "apart"] => self.apart().await,
            ["sockets", count] => self.sockets(count.parse()?).await,
            _ => Err("no such check".into()),
        }
    }

    /// Sends the request at once, without waiting for the server's settings: that is what hyper does.
    async fn request(
        &mut self,
        path: &str,
        offered: Option<&str>,
    ) -> Result<Response<hyper::body::Incoming>, Error> {
        let mut request = Request::builder().method(Method::CONNECT).uri(format!("{}{path}", self.url));
        request = request.header("sec-websocket-version", "13");
        if let Some(offered) = offered {
            request = request.header("sec-websocket-protocol", offered);
        }
        let mut request = request.body(Empty::new())?;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let response = self.requests.send_request(request).await?;
        same(response.status(), StatusCode::OK)?;
        Ok(response)
    }

    async fn open(&mut self, path: &str) -> Result<WebSocket, Error> {
        let response = self.request(path, None).await?;
        websocket(response).await
    }

    async fn echo(&mut self, message: Message) -> Result<(), Error> {
        let mut ws = self.open("/echo").await?;
        ws.send(message.clone()).await?;
        expect(next(&mut ws).await?, message)?;
        finish(ws).await
    }

    async fn fragments(&mut self, kind: Data, parts: &[impl AsRef<[u8]>]) -> Result<(), Error> {
        let mut ws = self.open("/echo").await?;
        let last = parts.len() - 1;
        for (at, part) in parts.iter().enumerate() {
            let kind = if at == 0 { kind } else { Data::Continue };
            send_fragment(&mut ws, kind, part.as_ref(), at == last).await?;
        }
        let whole: Vec<u8> = parts.iter().flat_map(|part| part.as_ref().to_vec()).collect();
        let message = next(&mut ws).await?;
        same(message.is_text(), kind == Data::Text)?;
        same(&message.into_data()[..], &whole[..])?;
        finish(ws).await
    }

    async fn fragments_ping(&mut self) -> Result<(), Error> {
        let mut ws = self.open("/echo").await?;
        send_fragment(&mut ws, Data::Text, b"one-", false).await?;
        ws.send(Message::Ping("between".into())).await?;
        send_fragment(&mut ws, Data::Continue, b"two", true).await?;
        let (mut pong, mut message) = (None, None);
        while pong.is_none() || message.is_none() {
            match ws.next().await.ok_or("the end")?? {
                Message::Pong(payload) => pong = Some(payload),
                other if other.is_text() => message = Some(other),
                other => return Err(format!("{other:?}").into()),
            }
        }
        same(pong.as_deref(), Some(&b"between"[..]))?;
        same(message, Some(Message::text("one-two")))?;
        finish(ws).await
    }

    async fn first_message(&mut self, path: &str, expected: &str) -> Result<(), Error> {
        let mut ws = self.open(path).await?;
        expect(next(&mut ws).await?, Message::text(expected))?;
        finish(ws).await
    }

    async fn ping(&mut self, payload: &str) -> Result<(), Error> {
        let mut ws = self.open("/echo").await?;
        ws.send(Message::Ping(payload.to_owned().into())).await?;
        same(ws.next().await.ok_or("the end")??, Message::Pong(payload.to_owned().into()))?;
        finish(ws).await
    }

    async fn close(&mut self, words: &[&str]) -> Result<(), Error> {
        let close = close_frame(words);
        let code = close.as_ref().map(|close| close.code);
        let mut ws = self.open("/echo").await?;
        ws.close(close).await?;
        same(peer_close(&mut ws).await?.map(|close| close.code), code)
    }

    async fn close_by_peer(&mut self, words: &[&str]) -> Result<(), Error> {
        let path = if words == ["none"] { String::new() } else { format!("/{}", words.join("/")) };
        let mut ws = self.open(&format!("/close{path}")).await?;
        same(peer_close(&mut ws).await?, close_frame(words))
    }

    async fn subprotocol(&mut self, offered: Option<&str>, expected: Option<&str>) -> Result<(), Error> {
        let response = self.request("/echo", offered).await?;
        let chosen =
            response.headers().get("sec-websocket-protocol").map(|value| value.to_str()).transpose()?;
        same(chosen, expected)?;
        finish(websocket(response).await?).await
    }

    /// All have their first message back before any sends its second, and all have begun to close before any has.
    async fn sockets(&mut self, count: usize) -> Result<(), Error> {
        let mut sockets = Vec::new();
        for _ in 0..count {
            sockets.push(self.open("/echo").await?);
        }
        for size in [10, 10_000] {
            let text = |number| Message::text(format!("{number:010}").repeat(size / 10));
            for (number, ws) in sockets.iter_mut().enumerate() {
                ws.send(text(number)).await?;
            }
            for (number, ws) in sockets.iter_mut().enumerate() {
                expect(next(ws).await?, text(number))?;
            }
        }
        for ws in &mut sockets {
            ws.close(close_frame(&["1001"])).await?;
        }
        for ws in &mut sockets {
            same(peer_close(ws).await?, close_frame(&["1001"]))?;
        }
        Ok(())
    }

    /// Whatever way one ends, another goes on.
    async fn apart(&mut self) -> Result<(), Error> {
        let mut other = self.open("/echo").await?;
        self.close(&["1001"]).await?;
        self.close_by_peer(&["4000"]).await?;
        let mut broken = self.open("/echo").await?;
        broken.send(Message::text("broken off")).await?;
        drop(broken);
        sleep(Duration::from_secs(3)).await;
        other.send(Message::text("still here")).await?;
        expect(next(&mut other).await?, Message::text("still here"))?;
        finish(other).await
    }
}

async fn websocket(response: Response<hyper::body::Incoming>) -> Result<WebSocket, Error> {
    let io = TokioIo::new(hyper::upgrade::on(response).await?);
    let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
    Ok(WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await)
}

async fn send_fragment(ws: &mut WebSocket, kind: Data, part: &[u8], last: bool) -> Result<(), Error> {
    let frame = Frame::message(Bytes::copy_from_slice(part), OpCode::Data(kind), last);
    Ok(ws.send(Message::Frame(frame)).await?)
}

/// The next message.
async fn next(ws: &mut WebSocket) -> Result<Message, Error> {
    loop {
        let message = ws.next().await.ok_or("the end")??;
        if message.is_text() || message.is_binary() {
            return Ok(message);
        }
    }
}

/// The server's Close, behind which it has to end the stream.
async fn peer_close(ws: &mut WebSocket) -> Result<Option<CloseFrame>, Error> {
    timeout(CLOSE_LIMIT, async {
        let mut found = None;
        while let Some(message) = ws.next().await.transpose()? {
            match message {
                Message::Close(close) => found = Some(close),
                other => return Err(format!("{} bytes instead of a Close", other.len()).into()),
            }
        }
        found.ok_or("no Close".into())
    })
    .await?
}

async fn finish(mut ws: WebSocket) -> Result<(), Error> {
    ws.close(close_frame(&["1000"])).await?;
    same(peer_close(&mut ws).await?, close_frame(&["1000"]))
}

fn close_frame(words: &[&str]) -> Option<CloseFrame> {
    close_words(words).map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() })
}

fn expect(found: Message, expected: Message) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{} bytes that are not the {} expected", found.len(), expected.len()).into())
}
