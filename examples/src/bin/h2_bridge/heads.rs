//! Heads of messages, as they go from one version of HTTP to the other.

use bytes::BytesMut;
use examples::Error;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sheave::ws::handshake::{Refusal, tokens};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Those that are not about the connection which they came by (RFC 9110 §7.6.1, RFC 9113 §8.2.2), nor about proving that a
/// WebSocket is spoken on it, which HTTP/2 does without (RFC 8441 §5).
pub(crate) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<&[u8]> = tokens(headers, &CONNECTION).collect();
    let is_named =
        |name: &HeaderName| named.iter().any(|own| own.eq_ignore_ascii_case(name.as_str().as_bytes()));
    let passing = headers.iter().filter(|(name, _)| !is_hop_by_hop(name) && !is_named(name));
    passing.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, UPGRADE, TRANSFER_ENCODING, TE, TRAILER, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_ACCEPT]
        .contains(name)
        || ["keep-alive", "proxy-connection", "http2-settings"].contains(&name.as_str())
}

/// The headers of what opens a WebSocket: nothing follows that could have a length.
pub(crate) fn opening(headers: &HeaderMap) -> HeaderMap {
    let mut headers = end_to_end(headers);
    headers.remove(CONTENT_LENGTH);
    headers
}

/// Adds what tells the server that there is something between (RFC 9110 §7.6.3).
pub(crate) fn add_via(headers: &mut HeaderMap, received: &'static str) {
    headers.append(VIA, HeaderValue::from_static(received));
}

/// What the client is told when there is nothing to pass on.
pub(crate) fn bad_gateway(why: &Error) -> Refusal {
    let status = if why.is::<tokio::time::error::Elapsed>() {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::BAD_GATEWAY
    };
    Refusal::new(status, format!("the bridge: {why}\n"))
}

/// More of what comes; an error at its end.
pub(crate) async fn more(io: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> Result<(), Error> {
    match io.read_buf(input).await? {
        0 => Err("it ended before its head did".into()),
        _ => Ok(()),
    }
}
