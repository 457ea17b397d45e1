//! Clients by HTTP/2, a server by HTTP/1.1.

use std::sync::Arc;

use bytes::BytesMut;
use examples::Error;
use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, request};
use sheave::h2::io::RecvStream;
use sheave::h2::io::server::{SendResponse, handshake_with};
use sheave::h2::{Config, Protocol};
use sheave::ws::handshake::{
    BodyLength, BodyPiece, BodyReader, HeadLimits, HeadReader, Refusal, accept_key, encode_key,
    encode_request, has_token, is_valid_key,
};
use sheave::ws::io::handshake_key;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::heads::{add_via, bad_gateway, end_to_end, more, opening};
use crate::pump::{Pump, Socket};
use crate::target::{Connected, Target};
use crate::within;

/// A client's connection, with any number of WebSockets.
pub(crate) async fn connection(
    io: impl AsyncRead + AsyncWrite + Unpin,
    target: &Arc<Target>,
    mut stopped: watch::Receiver<()>,
) -> Result<(), Error> {
    let config = Config::default().max_concurrent_streams(1000).enable_connect_protocol(true);
    let mut connection = handshake_with(io, config);
    let mut streams = JoinSet::new();
    let mut stopping = false;
    let result = loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            Some(_) = streams.join_next() => continue,
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                connection.shutdown();
                continue;
            }
        };
        match accepted {
            Some(Ok((request, respond))) => {
                let target = Arc::clone(target);
                streams.spawn(async move {
                    if let Err(error) = websocket(request, respond, &target).await {
                        eprintln!("a stream: {error}");
                    }
                });
            }
            Some(Err(error)) => break Err(error.into()),
            None => break Ok(()),
        }
    };
    // They find out by themselves.
    while streams.join_next().await.is_some() {}
    result
}

async fn websocket(
    request: Request<RecvStream>,
    respond: SendResponse,
    target: &Target,
) -> Result<(), Error> {
    let is_websocket = |protocol: &Protocol| protocol.as_str().eq_ignore_ascii_case("websocket");
    if *request.method() != Method::CONNECT || !request.extensions().get().is_some_and(is_websocket) {
        let why = "this is a bridge for WebSockets\n";
        return refuse(respond, Refusal::new(StatusCode::NOT_IMPLEMENTED, why)).await;
    }
    match within(target.connect()).await {
        Ok(Connected::Plain(tcp)) => bridge(tcp, request, respond).await,
        Ok(Connected::Tls(stream)) => bridge(*stream, request, respond).await,
        Err(error) => {
            eprintln!("to the server: {error}");
            refuse(respond, bad_gateway(&error)).await
        }
    }
}

async fn bridge<S: Socket>(
    mut socket: S,
    request: Request<RecvStream>,
    respond: SendResponse,
) -> Result<(), Error> {
    let (head, receive) = request.into_parts();
    let mut input = BytesMut::new();
    let key = encode_key(handshake_key()?);
    let answer = match within(exchange(&mut socket, &translate(&head, &key), &mut input)).await {
        Ok(answer) => answer,
        Err(error) => return refuse(respond, bad_gateway(&error)).await,
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return within(pass_on(socket, input, &answer, respond)).await;
    }
    if !accepts(answer.headers(), &key) {
        return refuse(respond, bad_gateway(&"the server opens what is no WebSocket".into())).await;
    }
    let mut response = Response::new(());
    *response.headers_mut() = opening(answer.headers());
    // Of no use in HTTP/2 (RFC 8441 §5), but there are clients that send one, and fail without its answer.
    if let Some(key) = head.headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_valid_key(key.as_bytes())) {
        response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept_key(key.as_bytes()));
    }
    let send = respond.send_response(response, false)?;
    Pump::new(socket, receive, send, input).run().await
}

/// The request as it is made by HTTP/1.1 (RFC 6455 §4.1).
fn translate(head: &request::Parts, key: &HeaderValue) -> Request<()> {
    let mut request = Request::new(());
    let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = opening(&head.headers);
    let headers = request.headers_mut();
    let authority = head.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    headers.extend(authority.map(|authority| (HOST, authority)));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_KEY, key.clone());
    add_via(headers, "2 h2_bridge");
    request
}

/// Makes the request. What follows the head of its answer stays in `input`.
async fn exchange(
    socket: &mut impl Socket,
    request: &Request<()>,
    input: &mut BytesMut,
) -> Result<Response<()>, Error> {
    let mut output = BytesMut::new();
    encode_request(request, &mut output);
    socket.write_all(&output).await?;
    socket.flush().await?;
    let mut reader = HeadReader::new(HeadLimits::default());
    loop {
        match reader.read_response(input)? {
            // RFC 9110 §15.2
            Some(interim)
                if interim.status().is_informational()
                    && interim.status() != StatusCode::SWITCHING_PROTOCOLS => {}
            Some(response) => return Ok(response),
            None => more(socket, input).await?,
        }
    }
}

/// RFC 6455 §4.1
fn accepts(headers: &HeaderMap, key: &HeaderValue) -> bool {
    has_token(headers, &UPGRADE, "websocket")
        && has_token(headers, &CONNECTION, "upgrade")
        && headers.get(SEC_WEBSOCKET_ACCEPT) == Some(&accept_key(key.as_bytes()))
}

/// Passes on what the server says instead of opening.
async fn pass_on(
    mut socket: impl Socket,
    mut input: BytesMut,
    answer: &Response<()>,
    respond: SendResponse,
) -> Result<(), Error> {
    if answer.status().is_success() {
        // It would open the WebSocket.
        let why = format!("the server does not know what to upgrade: {}", answer.status());
        return refuse(respond, bad_gateway(&why.into())).await;
    }
    let mut body = match BodyLength::of_response(answer, &Method::GET) {
        Ok(length) => BodyReader::new(length),
        Err(error) => return refuse(respond, bad_gateway(&error.into())).await,
    };
    let mut response = Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = end_to_end(answer.headers());
    let mut send = respond.send_response(response, false)?;
    loop {
        match body.read(&mut input)? {
            Some(BodyPiece::Data(data)) => send.send_data(data).await?,
            Some(BodyPiece::End) => return Ok(send.finish()?),
            None => {
                if socket.read_buf(&mut input).await? == 0 {
                    body.read_eof()?;
                }
            }
        }
    }
}

async fn refuse(respond: SendResponse, refusal: Refusal) -> Result<(), Error> {
    let (head, why) = refusal.into_response().into_parts();
    let mut send = respond.send_response(Response::from_parts(head, ()), false)?;
    send.send_data(why).await?;
    Ok(send.finish()?)
}
