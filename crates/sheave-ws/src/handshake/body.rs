//! How long the body of an HTTP/1.1 message is (RFC 9112 §6), and reading it.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};

use super::{ChunkedDecoder, HandshakeError, tokens};

/// How the body that follows a head is delimited (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// So many bytes, one at least. Only claimed: reserve nothing for it.
    Length(u64),
    /// Chunks, the last of which is empty.
    Chunked,
    /// All that comes before the connection ends. Responses only.
    UntilClose,
}

impl BodyLength {
    /// How the body of this request is delimited.
    ///
    /// # Errors
    ///
    /// A framing that two readers could read in two ways is refused, so that no request is smuggled: both
    /// `Transfer-Encoding` and `Content-Length`, differing lengths, a coding from HTTP/1.0, or `chunked` not
    /// last (all 400). Codings besides `chunked` are not implemented (501). Close the connection after the
    /// answer.
    pub fn of_request<T>(request: &Request<T>) -> Result<Self, HandshakeError> {
        Ok(Self::declared(request.headers(), request.version())?.unwrap_or(Self::None))
    }

    /// How the body of this response to a request with `method` is delimited.
    ///
    /// # Errors
    ///
    /// The same as for a request: a client closes the connection and discards the response.
    pub fn of_response<T>(response: &Response<T>, method: &Method) -> Result<Self, HandshakeError> {
        let status = response.status();
        // RFC 9112 §6.3 items 1 and 2
        if *method == Method::HEAD
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
            || (*method == Method::CONNECT && status.is_success())
        {
            return Ok(Self::None);
        }
        Ok(Self::declared(response.headers(), response.version())?.unwrap_or(Self::UntilClose))
    }

    fn declared(headers: &HeaderMap, version: Version) -> Result<Option<Self>, HandshakeError> {
        if headers.contains_key(TRANSFER_ENCODING) {
            if headers.contains_key(CONTENT_LENGTH) {
                // RFC 9112 §6.3 item 3
                return Err(HandshakeError::MalformedBody("both Transfer-Encoding and Content-Length"));
            }
            if version < Version::HTTP_11 {
                // RFC 9112 §6.1: faulty framing
                return Err(HandshakeError::MalformedBody("Transfer-Encoding in HTTP/1.0"));
            }
            return chunked(headers).map(Some);
        }
        let length = content_length(headers)?;
        Ok(length.map(|length| if length == 0 { Self::None } else { Self::Length(length) }))
    }
}

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyPiece {
    /// Some bytes, one at least.
    Data(Bytes),
    /// The body is complete.
    End,
}

/// Takes a body out of the bytes received, piece by piece and without holding any of it.
#[derive(Debug)]
pub struct BodyReader(State);

#[derive(Debug)]
enum State {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    End,
}

impl BodyReader {
    /// A reader for a body that is delimited like this.
    pub fn new(length: BodyLength) -> Self {
        Self(match length {
            BodyLength::None | BodyLength::Length(0) => State::End,
            BodyLength::Length(length) => State::Length(length),
            BodyLength::Chunked => State::Chunked(ChunkedDecoder::new()),
            BodyLength::UntilClose => State::UntilClose,
        })
    }

    /// Takes the next piece from the front of `input`, or `None` when more bytes are needed.
    ///
    /// What follows the body stays in `input`. After the end, the end is all that there is.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MalformedBody`] for malformed chunks.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<BodyPiece>, HandshakeError> {
        let available = input.len();
        match &mut self.0 {
            State::End => Ok(Some(BodyPiece::End)),
            State::Chunked(decoder) => decoder.decode(input),
            _ if available == 0 => Ok(None),
            State::UntilClose => Ok(Some(BodyPiece::Data(input.split().freeze()))),
            State::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
                *left -= length as u64;
                if *left == 0 {
                    self.0 = State::End;
                }
                Ok(Some(BodyPiece::Data(input.split_to(length).freeze())))
            }
        }
    }

    /// Tells the reader that the connection has ended, after all its bytes were read.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::ClosedEarly`] when the body was not complete (RFC 9112 §8).
    pub fn read_eof(&mut self) -> Result<(), HandshakeError> {
        let complete = match &self.0 {
            State::End | State::UntilClose => true,
            State::Length(_) => false,
            State::Chunked(decoder) => decoder.is_finished(),
        };
        self.0 = State::End;
        if complete { Ok(()) } else { Err(HandshakeError::ClosedEarly) }
    }
}

fn chunked(headers: &HeaderMap) -> Result<BodyLength, HandshakeError> {
    let codings: Vec<&[u8]> = tokens(headers, &TRANSFER_ENCODING).collect();
    let is_chunked = |coding: &&&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match (codings.last().filter(is_chunked), codings.iter().filter(is_chunked).count()) {
        (Some(_), 1) if codings.len() == 1 => Ok(BodyLength::Chunked),
        (Some(_), 1) => Err(HandshakeError::UnsupportedTransferEncoding),
        (None, 0) if !codings.is_empty() => Err(HandshakeError::UnsupportedTransferEncoding),
        // RFC 9112 §6.1: chunked is applied once and last
        _ => Err(HandshakeError::MalformedBody("chunked is not the last transfer coding")),
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, HandshakeError> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        // RFC 9112 §6.3 item 5: a list of one and the same value will do
        for element in value.as_bytes().split(|&byte| byte == b',') {
            let element = parse_length(element.trim_ascii())
                .ok_or(HandshakeError::MalformedBody("Content-Length is no number"))?;
            if length.replace(element).is_some_and(|earlier| earlier != element) {
                return Err(HandshakeError::MalformedBody("differing Content-Length"));
            }
        }
    }
    Ok(length)
}

/// `1*DIGIT` (RFC 9110 §8.6): no sign, which `u64::from_str` would take.
fn parse_length(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
