//! A WebSocket over HTTP/2 (RFC 8441) by hand, as with the single crates: `sheave-h2` carries what `sheave-ws` speaks, and
//! neither knows of the other.
//!
//! `manual_h2_websocket`
//!
//! Server and client are both in here, on a TCP connection between them.

use std::process::ExitCode;

use bytes::BytesMut;
use examples::{Error, report, show};
use http::{HeaderMap, Request};
use sheave::h2::io::server::SendResponse;
use sheave::h2::io::{RecvStream, client, server};
use sheave::h2::{self, Protocol};
use sheave::ws::Role;
use sheave::ws::handshake::{ClientRequest, ServerHandshake};
use sheave::ws::io::{Transport, WebSocket};
use sheave::{CloseCode, Config, DeflateConfig};
use tokio::io::join;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move { serve(listener.accept().await?.0).await });

    let (requests, connection) = client::handshake(TcpStream::connect(address).await?);
    let driving = tokio::spawn(connection);
    talk(requests, &format!("ws://{address}/talk")).await?;
    // With its last request the client's side ends, and then the server's.
    driving.await??;
    serving.await?
}

/// What both sides are ready for.
fn config() -> Config {
    Config::default().deflate(DeflateConfig::default())
}

async fn talk(mut requests: client::SendRequest, url: &str) -> Result<(), Error> {
    let (config, extensions) = (config(), config().extensions(false));
    let opening = url.parse::<ClientRequest>()?.subprotocol("chat.v2")?.subprotocol("chat.v1")?;
    let mut request = opening.connect(&extensions)?;
    request.extensions_mut().insert(Protocol::websocket());
    let (response, send) = requests.send_request(request, false)?;
    let (answer, receive) = response.await?.into_parts();
    if !answer.status.is_success() {
        return Err(format!("the server says {}", answer.status).into());
    }
    let agreed = opening.confirm(&extensions, &answer.headers)?;
    let id = send.id().map_or(0, |id| id.get());
    let mut ws =
        WebSocket::new(join(receive, send), Role::Client, &config, BytesMut::new()).agreed(agreed, &config);
    let extensions: Vec<_> = ws.extensions().iter().map(|extension| extension.name()).collect();
    let subprotocol = ws.subprotocol().unwrap_or("no subprotocol");
    println!("client: {} on stream {id}, {subprotocol}, {}", answer.status, extensions.join(", "));

    for message in ["one", "two", "and one that is worth compressing ".repeat(1000).as_str()] {
        ws.send(message).await?;
        println!("client: {}", show(ws.recv().await?.as_ref()));
    }
    ws.close(CloseCode::NORMAL).await?;
    println!("client: closed with {}", code(&ws));
    Ok(())
}

fn code<S: Transport>(ws: &WebSocket<S>) -> String {
    ws.peer_close().map_or("nothing".to_owned(), |close| close.code().get().to_string())
}

async fn serve(tcp: TcpStream) -> Result<(), Error> {
    // Clients ask for no WebSocket unless the server says that it takes this.
    let config = h2::Config::default().enable_connect_protocol(true);
    let mut connection = server::handshake_with(tcp, config);
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        // The connection has to be driven meanwhile.
        tokio::spawn(async move {
            if let Err(error) = answer(request, respond).await {
                eprintln!("server: {error}");
            }
        });
    }
    Ok(())
}

async fn answer(request: Request<RecvStream>, respond: SendResponse) -> Result<(), Error> {
    let protocol = request.extensions().get::<Protocol>().map_or("", Protocol::as_str);
    let upgrade = match ServerHandshake::default().check_connect(&request, protocol) {
        Ok(upgrade) => upgrade,
        Err(refusal) => {
            let (head, why) = refusal.into_response().into_parts();
            let mut send = respond.send_response(http::Response::from_parts(head, ()), false)?;
            send.send_data(why).await?;
            return Ok(send.finish()?);
        }
    };
    println!("server: {} {} for {protocol}", request.method(), request.uri().path());
    let config = config();
    let subprotocol = upgrade.choose(&["chat.v1"]);
    let (response, agreed) = upgrade.accept(subprotocol, &config.extensions(false), HeaderMap::new())?;
    let send = respond.send_response(response, false)?;
    let stream = join(request.into_body(), send);
    let mut ws = WebSocket::new(stream, Role::Server, &config, BytesMut::new()).agreed(agreed, &config);
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    println!("server: closed with {}", code(&ws));
    Ok(())
}
