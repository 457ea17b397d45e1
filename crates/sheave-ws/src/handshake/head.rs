//! Reading the head of an HTTP/1.1 message: start line and headers (RFC 9112 §2 to §5).

use bytes::{Buf as _, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use httparse::ParserConfig;

use super::authority::{HostPort, default_port};
use super::{HandshakeError, hide_credentials};

/// How much of a head a peer may send.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes of the whole head, the empty line at its end included. 64 KiB by default.
    pub bytes: usize,
    /// Header lines. 100 by default.
    pub headers: usize,
}

impl HeadLimits {
    /// Sets the limit in bytes.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the limit in header lines.
    pub fn headers(mut self, headers: usize) -> Self {
        self.headers = headers;
        self
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 64 * 1024, headers: 100 }
    }
}

/// Takes heads out of the bytes received.
///
/// It remembers how far it has looked, so that a peer which sends a byte at a time costs no more than one
/// which sends all at once, and parses once, when the end of the head has come. Between two calls the caller
/// may only add to the end of `input`. An error is final.
///
/// Bytes that no head can contain, such as those of a TLS handshake, fail at once rather than at the limit.
#[derive(Debug, Default)]
pub struct HeadReader {
    limits: HeadLimits,
    scan: Scan,
    bytes_scanned: u64,
}

/// What is known of the head that is being received.
#[derive(Debug, Default)]
struct Scan {
    /// How much of the input was looked at.
    position: usize,
    /// Where the current line begins.
    line_start: usize,
    /// Lines seen, the start line included.
    lines: usize,
    /// Whether the last byte looked at was a carriage return.
    after_cr: bool,
    /// Empty lines that were dropped ahead of the head.
    empty_lines: usize,
}

impl HeadReader {
    /// A reader with these limits.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes the head of a request from the front of `input`, or `None` when more bytes are needed.
    ///
    /// What follows the head stays in `input`. Up to eight empty lines ahead of it are dropped (RFC 9112 §2.2).
    ///
    /// # Errors
    ///
    /// A head that is malformed, beyond a limit or of a foreign version of HTTP. The answer to it is
    /// [`HandshakeError::refusal`].
    pub fn read_request(&mut self, input: &mut BytesMut) -> Result<Option<Request<()>>, HandshakeError> {
        if !self.begins_request(input)? {
            return Ok(None);
        }
        self.take_head(input)?.map(|(head, lines)| parse_request(&head, lines)).transpose()
    }

    /// Whether something of a request is there, if only a byte. A few empty lines ahead of it are dropped
    /// (RFC 9112 §2.2).
    ///
    /// # Errors
    ///
    /// Too many empty lines.
    pub fn begins_request(&mut self, input: &mut BytesMut) -> Result<bool, HandshakeError> {
        Ok(self.scan.position > 0 || self.skip_empty_lines(input)?)
    }

    /// Takes the head of a response from the front of `input`, or `None` when more bytes are needed.
    ///
    /// What follows the head stays in `input`.
    ///
    /// # Errors
    ///
    /// A head that is malformed, beyond a limit or of a foreign version of HTTP.
    pub fn read_response(&mut self, input: &mut BytesMut) -> Result<Option<Response<()>>, HandshakeError> {
        self.take_head(input)?.map(|(head, lines)| parse_response(&head, lines)).transpose()
    }

    /// How many bytes were looked at in search of the end of a head, over this reader's life.
    ///
    /// Each byte of a head is looked at once here, however it arrives, and once more when it is parsed.
    #[doc(hidden)] // for the test of that
    pub fn bytes_scanned(&self) -> u64 {
        self.bytes_scanned
    }

    /// Whether nothing of a next head has been seen, so that the end of the connection cuts nothing off.
    pub fn is_empty(&self) -> bool {
        self.scan.position == 0
    }

    /// Returns false when more bytes are needed to tell.
    fn skip_empty_lines(&mut self, input: &mut BytesMut) -> Result<bool, HandshakeError> {
        loop {
            let length = match input[..] {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                [] | [b'\r'] => return Ok(false),
                _ => return Ok(true),
            };
            input.advance(length);
            self.bytes_scanned += length as u64;
            self.scan.empty_lines += 1;
            if self.scan.empty_lines > MAX_EMPTY_LINES {
                return Err(HandshakeError::MalformedHead("empty lines instead of a request"));
            }
        }
    }

    /// The whole head and its number of lines, once its end is there.
    fn take_head(&mut self, input: &mut BytesMut) -> Result<Option<(BytesMut, usize)>, HandshakeError> {
        let before = self.scan.position;
        let found = self.scan.find_end(input, &self.limits);
        self.bytes_scanned += (self.scan.position - before) as u64;
        if !found? {
            return Ok(None);
        }
        let scan = std::mem::take(&mut self.scan);
        Ok(Some((input.split_to(scan.position), scan.lines)))
    }
}

impl Scan {
    /// Looks for the empty line that ends a head. Judges byte by byte, so that how the input was cut into
    /// reads never changes the verdict.
    fn find_end(&mut self, input: &[u8], limits: &HeadLimits) -> Result<bool, HandshakeError> {
        let is_plain = |byte: &&u8| !byte.is_ascii_control();
        loop {
            if !self.after_cr {
                // Most bytes are of no interest.
                let known = &input[..input.len().min(limits.bytes)];
                let rest = known.get(self.position..).unwrap_or_default();
                self.position += rest.iter().take_while(is_plain).count();
            }
            let Some(&byte) = input.get(self.position) else { return Ok(false) };
            if self.position >= limits.bytes {
                return Err(HandshakeError::HeadTooLarge { limit: limits.bytes });
            }
            self.position += 1;
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' => {
                    // RFC 9112 §2.2: a lone LF may end a line
                    if self.position - self.line_start == 1 + usize::from(after_cr) {
                        return Ok(true);
                    }
                    self.lines += 1;
                    self.line_start = self.position;
                    if self.lines > limits.headers.saturating_add(1) {
                        return Err(HandshakeError::TooManyHeaders { limit: limits.headers });
                    }
                }
                // RFC 9112 §2.2: a bare CR makes the element invalid
                _ if after_cr => return Err(HandshakeError::MalformedHead("bare carriage return")),
                b'\r' | b'\t' => {}
                0..=31 | 127 => return Err(HandshakeError::MalformedHead("control character")),
                _ => {}
            }
        }
    }
}

fn parse_request(head: &[u8], lines: usize) -> Result<Request<()>, HandshakeError> {
    let mut scratch = vec![httparse::EMPTY_HEADER; lines];
    let mut parsed = httparse::Request::new(&mut scratch);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(HandshakeError::MalformedHead("incomplete")),
        Err(error) => {
            // RFC 9112 §3: method, target and version
            let mut words = start_line(head).skip(2);
            return Err(from_httparse(error, words.next().filter(|_| words.next().is_none())));
        }
    }
    let mut request = Request::new(());
    *request.version_mut() = version(parsed.version);
    *request.method_mut() = parsed
        .method
        .and_then(|method| Method::from_bytes(method.as_bytes()).ok())
        .ok_or(HandshakeError::MalformedHead("method"))?;
    *request.uri_mut() = parsed
        .path
        .and_then(|target| request_target(request.method(), target))
        .ok_or(HandshakeError::MalformedHead("request target"))?;
    *request.headers_mut() = collect(parsed.headers)?;
    Ok(request)
}

/// The target, if it has one of the four forms and the method may have that one.
fn request_target(method: &Method, target: &str) -> Option<Uri> {
    // RFC 9112 §3.2: a request target has no fragment; Uri would drop it without a word
    if target.contains('#') {
        return None;
    }
    let uri = Uri::try_from(target).ok()?;
    let fits = if *method == Method::CONNECT {
        // RFC 9112 §3.2.3: host and port, and only for CONNECT
        HostPort::parse(target).is_some_and(|target| target.port.is_some())
    } else if target == "*" {
        // RFC 9112 §3.2.4
        *method == Method::OPTIONS
    } else if target.starts_with('/') {
        // RFC 9112 §3.2.1
        true
    } else {
        // RFC 9112 §3.2.2; RFC 9110 §4.2.4: userinfo is an error
        uri.scheme_str().and_then(default_port).is_some()
            && uri.authority().is_some_and(|authority| HostPort::parse(authority.as_str()).is_some())
    };
    fits.then_some(uri)
}

fn parse_response(head: &[u8], lines: usize) -> Result<Response<()>, HandshakeError> {
    let mut scratch = vec![httparse::EMPTY_HEADER; lines];
    let mut parsed = httparse::Response::new(&mut scratch);
    // RFC 9112 §2.2 lets servers alone skip empty lines, but httparse skips them for both
    if head.starts_with(b"\r") || head.starts_with(b"\n") {
        return Err(HandshakeError::MalformedHead("empty line instead of a response"));
    }
    // RFC 9112 §5.2: a user agent reads a folded line as one, a server may refuse it
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    match config.parse_response(&mut parsed, head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(HandshakeError::MalformedHead("incomplete")),
        Err(error) => return Err(from_httparse(error, start_line(head).next())),
    }
    let mut response = Response::new(());
    *response.version_mut() = version(parsed.version);
    *response.status_mut() = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(HandshakeError::MalformedHead("status"))?;
    *response.headers_mut() = collect(parsed.headers)?;
    Ok(response)
}

fn collect(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, HandshakeError> {
    let too_many = |_| HandshakeError::TooManyHeaders { limit: parsed.len() };
    let mut headers = HeaderMap::try_with_capacity(parsed.len()).map_err(too_many)?;
    for header in parsed {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| HandshakeError::MalformedHead("header name"))?;
        let mut value = header_value(header.value)?;
        hide_credentials(&name, &mut value);
        headers.try_append(name, value).map_err(too_many)?;
    }
    Ok(headers)
}

/// Copies the value, so that a request kept does not keep the buffer it was read into.
fn header_value(bytes: &[u8]) -> Result<HeaderValue, HandshakeError> {
    let value = if bytes.contains(&b'\n') {
        let unfolded: Vec<u8> =
            bytes.iter().map(|&byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }).collect();
        HeaderValue::from_bytes(unfolded.trim_ascii())
    } else {
        HeaderValue::from_bytes(bytes.trim_ascii())
    };
    value.map_err(|_| HandshakeError::MalformedHead("header value"))
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 }
}

/// `version` is the word that stands where the version belongs.
fn from_httparse(error: httparse::Error, version: Option<&[u8]>) -> HandshakeError {
    let number = version.and_then(|word| word.strip_prefix(b"HTTP/"));
    let is_foreign = number.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit);
    HandshakeError::MalformedHead(match error {
        httparse::Error::Version if is_foreign => return HandshakeError::UnsupportedHttpVersion,
        httparse::Error::Version => "HTTP version",
        httparse::Error::HeaderName => "header name",
        httparse::Error::HeaderValue => "header value",
        httparse::Error::Status => "status",
        httparse::Error::NewLine => "line end",
        httparse::Error::Token => "start line",
        httparse::Error::TooManyHeaders => "header lines",
    })
}

fn start_line(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&byte| byte == b'\n').next().unwrap_or_default().split(|&byte| byte == b' ')
}

/// RFC 9112 §2.2: "a server SHOULD ignore at least one empty line (CRLF) received prior to the request-line".
const MAX_EMPTY_LINES: usize = 8;
