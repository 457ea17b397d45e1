//! What an answer has besides what the handler gave (RFC 9110, RFC 9112, RFC 9113).

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Version};

use crate::ws::handshake::has_token;

/// Adds the length, the date and the fate of the connection; takes the body off an answer that has none.
pub(super) fn complete(
    mut response: Response<Bytes>,
    request: &http::Request<()>,
    keep_alive: bool,
) -> Response<Bytes> {
    let status = response.status();
    if status == StatusCode::RESET_CONTENT {
        // RFC 9110 §15.3.6
        *response.body_mut() = Bytes::new();
    }
    let length = response.body().len();
    let head_only = *request.method() == Method::HEAD;
    // RFC 9110 §8.6: these have no content and announce none.
    let bare = status.is_informational() || status == StatusCode::NO_CONTENT;
    let unmodified = status == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    // The body is at hand as a whole.
    headers.remove(TRANSFER_ENCODING);
    // The handler's is that of a GET, or of a 200; no content tells nothing of that of a 200.
    let keeps = (head_only || unmodified) && headers.contains_key(CONTENT_LENGTH);
    if bare {
        headers.remove(CONTENT_LENGTH);
    } else if !keeps && (!unmodified || length > 0) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if !headers.contains_key(DATE)
        && let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()))
    {
        headers.insert(DATE, now);
    }
    if request.version() >= Version::HTTP_2 {
        // RFC 9113 §8.2.2: nothing of one connection has a place there.
        for name in [
            CONNECTION,
            UPGRADE,
            TE,
            HeaderName::from_static("keep-alive"),
            HeaderName::from_static("proxy-connection"),
        ] {
            headers.remove(name);
        }
    } else if !keep_alive {
        // Beside what else it lists, such as the `Upgrade` of a 426 (RFC 9110 §7.8).
        if !has_token(headers, &CONNECTION, "close") {
            headers.append(CONNECTION, HeaderValue::from_static("close"));
        }
    } else if request.version() < Version::HTTP_11 {
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    if bare || head_only || unmodified {
        *response.body_mut() = Bytes::new();
    }
    response
}
