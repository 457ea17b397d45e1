//! The server of the checks on axum: `axum_server [CHAIN KEY]`.

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use h2_peers::{Error, Io, serve};
use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use websocket_peers::{chosen, close_words};

const LIMIT: usize = 64 << 20;

#[tokio::main]
async fn main() -> Result<(), Error> {
    serve("ws", connection).await
}

async fn connection(io: Box<dyn Io>, mut stopped: watch::Receiver<()>) {
    let service = TowerToHyperService::new(Router::new().fallback(answer));
    let mut builder = Builder::new(TokioExecutor::new());
    let connection = builder.enable_connect_protocol().serve_connection(TokioIo::new(io), service);
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            eprintln!("a connection: {error}");
        },
        _ = stopped.changed() => {}
    }
}

async fn answer(uri: Uri, fields: HeaderMap, ws: WebSocketUpgrade) -> Response {
    let offered =
        fields.get("sec-websocket-protocol").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let subprotocol = chosen(offered.split(',').map(str::trim)).map(str::to_owned);
    let ws = ws.max_message_size(LIMIT).max_frame_size(LIMIT);
    ws.protocols(subprotocol).on_upgrade(async move |ws| {
        if let Err(error) = talk(ws, uri.path()).await {
            eprintln!("{uri}: {error}");
        }
    })
}

async fn talk(mut ws: WebSocket, path: &str) -> Result<(), axum::Error> {
    let words: Vec<_> = path.split('/').skip(1).collect();
    match &words[..] {
        ["close", close @ ..] => return close_with(&mut ws, close).await,
        ["ping", payload] => ws.send(Message::Ping(payload.as_bytes().to_vec().into())).await?,
        _ => {}
    }
    while let Some(message) = ws.recv().await.transpose()? {
        match message {
            Message::Text(_) | Message::Binary(_) => ws.send(message).await?,
            Message::Pong(payload) => {
                let text = format!("pong {}", String::from_utf8_lossy(&payload));
                ws.send(Message::Text(text.into())).await?;
            }
            Message::Ping(_) | Message::Close(_) => {}
        }
    }
    Ok(())
}

async fn close_with(ws: &mut WebSocket, words: &[&str]) -> Result<(), axum::Error> {
    let close = close_words(words).map(|(code, reason)| CloseFrame { code, reason: reason.into() });
    let sent = close.as_ref().map(|close| close.code);
    ws.send(Message::Close(close)).await?;
    let mut answer = None;
    while let Some(message) = ws.recv().await.transpose()? {
        if let Message::Close(close) = message {
            answer = Some(close.map(|close| close.code));
        }
    }
    let name = if words.is_empty() { "none".to_owned() } else { words.join("-") };
    if answer == Some(sent) {
        println!("ok close-seen-{name}");
    } else {
        println!("FAIL close-seen-{name} the answer was {answer:?}");
    }
    Ok(())
}
