//! What a connection tells.

use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, Request, Response};

use crate::error::{Error, GoAwayReason};
use crate::message::Protocol;
use crate::stream_id::StreamId;
use crate::streams::StreamKey;

/// Something that the peer did. What is large and seldom is boxed: most events are [`Data`](Self::Data).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// It said what it lets us do: at first, and whenever that changes.
    Settings,
    /// A client wants something.
    Request {
        /// Its stream.
        stream: StreamKey,
        /// What it wants.
        request: Box<Request<()>>,
        /// What an extended CONNECT (RFC 8441 §4) is for. It is not among the request's extensions.
        protocol: Option<Protocol>,
        /// There is no content, nor are there trailers.
        end_stream: bool,
    },
    /// An interim response: more follow.
    Informational {
        /// The request's stream.
        stream: StreamKey,
        /// Of a status below 200.
        response: Box<Response<()>>,
    },
    /// The response to a request.
    Response {
        /// The request's stream.
        stream: StreamKey,
        /// Of a status from 200 on.
        response: Box<Response<()>>,
        /// There is no content, nor are there trailers.
        end_stream: bool,
    },
    /// Content. All of it has to be [released](crate::Connection::release) some time.
    Data {
        /// The stream.
        stream: StreamKey,
        /// The next bytes.
        data: BytesMut,
        /// Nothing follows.
        end_stream: bool,
    },
    /// The end of the content, with these fields.
    Trailers {
        /// The stream.
        stream: StreamKey,
        /// The fields.
        trailers: Box<HeaderMap>,
    },
    /// The server will answer a request that was not made (RFC 9113 §8.4). Whether it may speak for that authority is for the
    /// user to know: if not, the stream is to be [reset](crate::Connection::reset) with PROTOCOL_ERROR (§10.1).
    Promise {
        /// The stream of the request that was made.
        stream: StreamKey,
        /// The stream of the response to come.
        promised: StreamKey,
        /// What it is a response to.
        request: Box<Request<()>>,
    },
    /// A stream has ended before its time. Nothing more comes on it, and nothing can be sent.
    Reset {
        /// The stream.
        stream: StreamKey,
        /// Why.
        error: Error,
    },
    /// A PING was answered.
    Pong {
        /// How long it took.
        round_trip: Duration,
    },
    /// The peer takes no new streams; those it has not done anything with end with [`Error::Unprocessed`].
    GoAway {
        /// The highest of our streams that it has done, or may do, anything with.
        last_stream: StreamId,
        /// Why.
        reason: GoAwayReason,
    },
}

/// Up to this length, in bytes, content has memory of its own, just as large: a little of it does not hold a large read buffer.
pub(crate) const SMALL: usize = 2048;

/// What has become of what was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// So many bytes of content are on their way.
    Sent(StreamKey, usize),
    /// The stream is closed: its key means nothing any more.
    Closed(StreamKey),
}
