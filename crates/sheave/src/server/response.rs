//! What an answer has besides what the handler gave (RFC 9110, RFC 9112, RFC 9113).

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, Entry, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Version};

use crate::ws::handshake::has_token;

/// Adds the length, the date and the fate of the connection; takes the body off an answer that has none.
pub(super) fn complete(response: &mut Response<Bytes>, request: &http::Request<()>, keep_alive: bool) {
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
    // The body is at hand as a whole. RFC 9113 §8.2.2: nothing of one connection has a place in HTTP/2.
    let is_http2 = request.version() >= Version::HTTP_2;
    let is_out_of_place = |name: &HeaderName| {
        *name == TRANSFER_ENCODING || is_http2 && OF_ONE_CONNECTION.iter().any(|other| name == other)
    };
    while let Some(name) = headers.keys().find(|name| is_out_of_place(name)).cloned() {
        headers.remove(name);
    }
    // The handler's is that of a GET, or of a 200; no content tells nothing of that of a 200.
    let keeps = (head_only || unmodified) && headers.contains_key(CONTENT_LENGTH);
    if bare {
        headers.remove(CONTENT_LENGTH);
    } else if !keeps && (!unmodified || length > 0) {
        headers.insert(CONTENT_LENGTH, decimal(length));
    }
    if let Ok(Entry::Vacant(place)) = headers.try_entry(DATE)
        && let Some(now) = date()
    {
        place.insert(now);
    }
    if !is_http2 && !keep_alive {
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
}

/// What HTTP/2 has no place for, besides [`TRANSFER_ENCODING`].
const OF_ONE_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    UPGRADE,
    TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A number as a value. Many answers of a server are of the same length: the last one is kept.
fn decimal(number: usize) -> HeaderValue {
    thread_local! {
        static LAST: RefCell<Option<(usize, HeaderValue)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        let (_, value) = match last {
            Some(known) if known.0 == number => known,
            _ => last.insert((number, number.into())),
        };
        value.clone()
    })
}

/// The value of `Date`, put together once a second.
fn date() -> Option<HeaderValue> {
    thread_local! {
        static LAST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|(of, _)| *of != second) {
            *last = Some((second, HeaderValue::try_from(httpdate::fmt_http_date(now)).ok()?));
        }
        last.as_ref().map(|(_, value)| value.clone())
    })
}
