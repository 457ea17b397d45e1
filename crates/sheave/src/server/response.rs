//! What an answer has besides what the handler gave (RFC 9110, RFC 9112).

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Response, StatusCode, Version};

/// Adds the length, the date and the fate of the connection; takes the body off an answer that has none.
pub(super) fn complete(
    mut response: Response<Bytes>,
    request: &http::Request<()>,
    keep_alive: bool,
) -> Response<Bytes> {
    let status = response.status();
    let length = response.body().len();
    let head_only = *request.method() == Method::HEAD;
    // RFC 9110 §8.6: these have no content and announce none.
    let bare = status.is_informational() || status == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    // The body is at hand as a whole.
    headers.remove(TRANSFER_ENCODING);
    if bare {
        headers.remove(CONTENT_LENGTH);
    } else if !(head_only || status == StatusCode::NOT_MODIFIED) || !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if !headers.contains_key(DATE)
        && let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()))
    {
        headers.insert(DATE, now);
    }
    if !keep_alive {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    } else if request.version() < Version::HTTP_11 {
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    if bare || head_only || status == StatusCode::NOT_MODIFIED {
        *response.body_mut() = Bytes::new();
    }
    response
}
