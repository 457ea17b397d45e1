//! Clients by HTTP/1.1, a server by HTTP/2.

use std::time::Duration;

use bytes::BytesMut;
use examples::Error;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use sheave::h2::Protocol;
use sheave::h2::io::RecvStream;
use sheave::ws::handshake::{
    BodyLength, HandshakeError, HeadLimits, HeadReader, Refusal, accept_key, encode_response, has_token,
    host, is_upgrade, is_valid_key,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::heads::{add_via, bad_gateway, end_to_end, more, opening};
use crate::pool::Pool;
use crate::pump::{Pump, abort};
use crate::within;

/// How long a client has to read why it was refused.
const FAREWELL: Duration = Duration::from_secs(5);

/// A client's connection, which is for one WebSocket.
pub(crate) async fn websocket(mut tcp: TcpStream, pool: &Pool) -> Result<(), Error> {
    let mut input = BytesMut::new();
    let request = match within(read(&mut tcp, &mut input)).await {
        Ok(request) => request,
        Err(error) => {
            let refusal = error.downcast_ref::<HandshakeError>().and_then(HandshakeError::refusal);
            if let Some(refusal) = refusal {
                refuse(tcp, refusal).await?;
            }
            return Err(error);
        }
    };
    let (request, accept) = match translate(&request, pool.scheme()) {
        Ok(translated) => translated,
        Err(refusal) => return refuse(tcp, refusal).await,
    };
    let (response, mut send, _place) = match within(pool.open(request)).await {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("to the server: {error}");
            return refuse(tcp, bad_gateway(&error)).await;
        }
    };
    let (head, mut receive) = response.into_parts();
    if !head.status.is_success() {
        // Ours has no content.
        let _ = send.finish();
        return within(pass_on(tcp, &Response::from_parts(head, ()), &mut receive)).await;
    }
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = opening(&head.headers);
    answer.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    write_head(&mut tcp, &answer).await?;
    Pump::new(tcp, receive, send, input).run().await
}

async fn read(tcp: &mut TcpStream, input: &mut BytesMut) -> Result<Request<()>, Error> {
    let mut reader = HeadReader::new(HeadLimits::default());
    loop {
        if let Some(request) = reader.read_request(input)? {
            return Ok(request);
        }
        more(tcp, input).await?;
    }
}

/// The request as it is made by HTTP/2 (RFC 8441 §5), and what proves to the client that it was read. What else a
/// WebSocket's has to be is for the server to say.
fn translate(request: &Request<()>, scheme: &str) -> Result<(Request<()>, HeaderValue), Refusal> {
    let bad_request = |why: &str| Refusal::new(StatusCode::BAD_REQUEST, why);
    let host = host(request)?;
    let authority = request.uri().authority().map_or(host, |authority| authority.as_str());
    let headers = request.headers();
    if *request.method() != Method::GET || !is_upgrade(request) || !has_token(headers, &CONNECTION, "upgrade")
    {
        let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, "this is a bridge for WebSockets\n");
        let refusal = refusal.header(UPGRADE, HeaderValue::from_static("websocket"));
        return Err(refusal.header(CONNECTION, HeaderValue::from_static("Upgrade")));
    }
    if BodyLength::of_request(request) != Ok(BodyLength::None) {
        return Err(bad_request("a request with a body"));
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let accept = match (keys.next(), keys.next()) {
        (Some(key), None) if is_valid_key(key.as_bytes()) => accept_key(key.as_bytes()),
        _ => return Err(bad_request("no Sec-WebSocket-Key, or not one")),
    };
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    let mut connect = Request::new(());
    *connect.method_mut() = Method::CONNECT;
    *connect.uri_mut() = uri.map_err(|_| bad_request("a target that HTTP/2 does not have"))?;
    *connect.version_mut() = Version::HTTP_2;
    *connect.headers_mut() = opening(headers);
    add_via(connect.headers_mut(), "1.1 h2_bridge");
    connect.extensions_mut().insert(Protocol::websocket());
    Ok((connect, accept))
}

/// Passes on what the server says instead of opening.
async fn pass_on(mut tcp: TcpStream, head: &Response<()>, body: &mut RecvStream) -> Result<(), Error> {
    let mut answer = Response::new(());
    *answer.status_mut() = head.status();
    *answer.headers_mut() = end_to_end(head.headers());
    // It ends where the connection does, if its length is not told.
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    write_head(&mut tcp, &answer).await?;
    while let Some(data) = body.data().await {
        match data {
            Ok(data) => tcp.write_all(&data).await?,
            Err(error) => {
                abort(&tcp);
                return Err(error.into());
            }
        }
    }
    finish(tcp).await
}

async fn refuse(mut tcp: TcpStream, refusal: Refusal) -> Result<(), Error> {
    let mut output = BytesMut::new();
    refusal.closing().encode(&mut output);
    within(async { Ok(tcp.write_all(&output).await?) }).await?;
    finish(tcp).await
}

async fn write_head(tcp: &mut TcpStream, head: &Response<()>) -> Result<(), Error> {
    let mut output = BytesMut::new();
    encode_response(head, &mut output);
    Ok(tcp.write_all(&output).await?)
}

/// Ends a connection such that its client can read what was said last: TCP takes that back when something comes.
async fn finish(mut tcp: TcpStream) -> Result<(), Error> {
    tcp.shutdown().await?;
    let mut rest = [0; 4096];
    let _ = timeout(FAREWELL, async { while matches!(tcp.read(&mut rest).await, Ok(1..)) {} }).await;
    Ok(())
}
