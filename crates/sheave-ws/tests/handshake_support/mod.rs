//! What the tests of the handshake share: cuts of the input, a generator, a made-up extension.
#![allow(dead_code)] // each test binary uses a part

use std::fmt::Debug;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use sheave_ws::extension::{Extension, ExtensionOffer, ReservedBits};
use sheave_ws::handshake::{
    Agreed, ClientHandshake, ClientOutcome, ClientRequest, HandshakeError, HeadLimits, HeadReader, Rejection,
};

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const NONCE: [u8; 16] = *b"the sample nonce";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Runs with the bytes whole, one by one, and cut in two at each position; all must give the same.
pub(crate) fn with_every_cut<T: Debug + PartialEq>(bytes: &[u8], mut run: impl FnMut(&[&[u8]]) -> T) -> T {
    let whole = run(&[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(run(&single), whole, "byte by byte");
    for at in 1..bytes.len() {
        let (front, back) = bytes.split_at(at);
        assert_eq!(run(&[front, back]), whole, "cut at {at}");
    }
    whole
}

/// Hands the parts over one after the other until `step` has a result; the rest is left over.
pub(crate) fn feed<T>(
    parts: &[&[u8]],
    mut step: impl FnMut(&mut BytesMut) -> Result<Option<T>, HandshakeError>,
) -> Found<T> {
    let mut input = BytesMut::new();
    let mut result = None;
    for part in parts {
        input.extend_from_slice(part);
        if result.is_none() {
            result = step(&mut input)?;
        }
    }
    Ok(result.map(|result| (result, input.to_vec())))
}

/// What was found and the rest of the input, or nothing yet.
pub(crate) type Found<T> = Result<Option<(T, Vec<u8>)>, HandshakeError>;
pub(crate) type Headers = Vec<(String, String)>;

pub(crate) fn list(headers: &HeaderMap) -> Headers {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// A request with the rest of the input.
pub(crate) fn read_request(bytes: &[u8], limits: &HeadLimits) -> Found<Request<()>> {
    let request = |parts: &[&[u8]]| {
        let mut reader = HeadReader::new(limits.clone());
        feed(parts, |input| reader.read_request(input))
    };
    with_every_cut(bytes, |parts| {
        request(parts)
            .map(|found| found.map(|(request, rest)| (format!("{:?}", request.into_parts().0), rest)))
    })?;
    request(&[bytes])
}

/// A response with the rest of the input.
pub(crate) fn read_response(bytes: &[u8]) -> Found<Response<()>> {
    let response = |parts: &[&[u8]]| {
        let mut reader = HeadReader::default();
        feed(parts, |input| reader.read_response(input))
    };
    with_every_cut(bytes, |parts| {
        response(parts)
            .map(|found| found.map(|(response, rest)| (format!("{:?}", response.into_parts().0), rest)))
    })?;
    response(&[bytes])
}

/// How a client's handshake ended, in a form that can be compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Accepted { agreed: Agreed, headers: Headers, rest: Vec<u8> },
    Rejected { status: u16, headers: Headers, body: Bytes, truncated: bool, rest: Vec<u8> },
    Waiting,
}

impl Answer {
    fn new(outcome: ClientOutcome, rest: Vec<u8>) -> Self {
        match outcome {
            ClientOutcome::Accepted { agreed, response } => {
                Self::Accepted { agreed, headers: list(response.headers()), rest }
            }
            ClientOutcome::Rejected(rejection) => Self::rejected(&rejection, rest),
        }
    }

    fn rejected(rejection: &Rejection, rest: Vec<u8>) -> Self {
        Self::Rejected {
            status: rejection.status().as_u16(),
            headers: list(rejection.headers()),
            body: rejection.body().clone(),
            truncated: rejection.is_truncated(),
            rest,
        }
    }
}

/// What a client makes of an answer, however it is cut; `eof` tells it that the connection ended.
pub(crate) fn answer(
    request: &ClientRequest,
    extensions: &[Arc<dyn Extension>],
    bytes: &[u8],
    eof: bool,
) -> Result<Answer, HandshakeError> {
    with_every_cut(bytes, |parts| {
        let mut handshake = start(request, extensions).0;
        match feed(parts, |input| handshake.read(input))? {
            Some((outcome, rest)) => Ok(Answer::new(outcome, rest)),
            None if eof => {
                let mut input = BytesMut::new();
                handshake.read_eof(&mut input).map(|outcome| Answer::new(outcome, input.to_vec()))
            }
            None => Ok(Answer::Waiting),
        }
    })
}

/// Starts a handshake with the nonce of RFC 6455 §1.3.
pub(crate) fn start(request: &ClientRequest, extensions: &[Arc<dyn Extension>]) -> (ClientHandshake, String) {
    let mut out = BytesMut::new();
    let handshake = request.encode(NONCE, extensions, &mut out).expect("a valid request");
    (handshake, String::from_utf8(out.to_vec()).expect("ASCII"))
}

pub(crate) fn client(uri: &str) -> ClientRequest {
    uri.parse().expect(uri)
}

pub(crate) fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| header(name, value)).collect()
}

pub(crate) fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (name.parse().expect("a header name"), value.parse().expect("a header value"))
}

/// An extension with one parameter, `level`: it offers 9 and then none; a server answers levels up to
/// its own.
#[derive(Clone)]
pub(crate) struct MadeUp {
    pub(crate) name: &'static str,
    pub(crate) level: u32,
    pub(crate) bits: ReservedBits,
    pub(crate) offered: bool,
}

impl MadeUp {
    pub(crate) fn new(name: &'static str, bits: ReservedBits) -> Self {
        Self { name, level: 9, bits, offered: true }
    }

    pub(crate) fn shared(self) -> Arc<dyn Extension> {
        Arc::new(self)
    }

    /// The only parameter's value, when the parameters are in order.
    fn level(offer: &ExtensionOffer) -> Option<u32> {
        match offer.parameters() {
            [] => Some(0),
            [(name, Some(value))] if name == "level" => value.parse().ok(),
            _ => None,
        }
    }
}

impl Extension for MadeUp {
    fn name(&self) -> &str {
        self.name
    }

    fn offers(&self) -> Vec<ExtensionOffer> {
        if !self.offered {
            return Vec::new();
        }
        let level = self.level.to_string();
        vec![ExtensionOffer::new(self.name).parameter("level", level), ExtensionOffer::new(self.name)]
    }

    fn answer(&self, offer: &ExtensionOffer) -> Option<ExtensionOffer> {
        let level = Self::level(offer).filter(|level| *level <= self.level)?;
        Some(ExtensionOffer::new(self.name).parameter("level", level.to_string()))
    }

    fn confirm(&self, answer: &ExtensionOffer) -> bool {
        Self::level(answer).is_some_and(|level| level <= self.level)
    }

    fn reserved_bits(&self) -> ReservedBits {
        self.bits
    }
}

/// A small deterministic generator (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}
