//! `Sec-WebSocket-Extensions` (RFC 6455 §9.1): reading and writing it.

use std::fmt;

use crate::error::MalformedExtensions;

/// An extension with its parameters: a client's offer, or a server's answer to one.
///
/// Names and values keep their case and their order; a parameter may occur several times, which is the
/// extension's to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionOffer {
    name: String,
    parameters: Vec<(String, Option<String>)>,
}

impl ExtensionOffer {
    /// How many extensions a peer may list.
    pub const MAX_EXTENSIONS: usize = 64;
    /// How many parameters a peer may give to each.
    pub const MAX_PARAMETERS: usize = 32;

    /// An extension without parameters.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: Vec::new() }
    }

    /// Adds a parameter without a value.
    pub fn flag(mut self, name: impl Into<String>) -> Self {
        self.parameters.push((name.into(), None));
        self
    }

    /// Adds a parameter with a value.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), Some(value.into())));
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parameters, unquoted, in their order.
    pub fn parameters(&self) -> &[(String, Option<String>)] {
        &self.parameters
    }

    /// Whether name, parameters and values are all tokens, so that the handshake can carry them.
    pub fn is_well_formed(&self) -> bool {
        is_token(self.name.as_bytes())
            && self.parameters.iter().all(|(name, value)| {
                is_token(name.as_bytes()) && value.as_ref().is_none_or(|value| is_token(value.as_bytes()))
            })
    }

    /// Reads all lines of `Sec-WebSocket-Extensions`, in order. Without a line there is no extension.
    ///
    /// # Errors
    ///
    /// [`MalformedExtensions`] for what is not of the grammar, for lines that list nothing, and for more than
    /// [`MAX_EXTENSIONS`](Self::MAX_EXTENSIONS) or [`MAX_PARAMETERS`](Self::MAX_PARAMETERS).
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Self>, MalformedExtensions> {
        let mut offers = Vec::new();
        let mut any = false;
        // RFC 6455 §9.1: lines are equivalent to one line, joined by commas
        for line in lines {
            any = true;
            Parser { rest: line }.list(&mut offers)?;
        }
        if any && offers.is_empty() { Err(malformed("no extension listed")) } else { Ok(offers) }
    }
}

/// Writes the extension as in the header, quoting values that are no tokens.
impl fmt::Display for ExtensionOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.parameters {
            write!(f, "; {name}")?;
            match value {
                None => {}
                Some(value) if is_token(value.as_bytes()) => write!(f, "={value}")?,
                Some(value) => {
                    write!(f, "=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))?;
                }
            }
        }
        Ok(())
    }
}

/// What is left of a header line.
struct Parser<'a> {
    rest: &'a [u8],
}

impl<'a> Parser<'a> {
    /// `extension-list = 1#extension`, where elements may be empty (RFC 9110 §5.6.1.2).
    fn list(mut self, offers: &mut Vec<ExtensionOffer>) -> Result<(), MalformedExtensions> {
        loop {
            while self.eat(b',') {}
            if self.rest.is_empty() {
                return Ok(());
            }
            if offers.len() == ExtensionOffer::MAX_EXTENSIONS {
                return Err(malformed("too many extensions"));
            }
            offers.push(self.extension()?);
            if !self.rest.is_empty() && !self.eat(b',') {
                return Err(malformed("comma expected"));
            }
        }
    }

    /// `extension = extension-token *( ";" extension-param )`
    fn extension(&mut self) -> Result<ExtensionOffer, MalformedExtensions> {
        let mut offer = ExtensionOffer::new(self.token()?);
        while self.eat(b';') {
            if offer.parameters.len() == ExtensionOffer::MAX_PARAMETERS {
                return Err(malformed("too many parameters"));
            }
            let name = self.token()?.to_owned();
            let value = if self.eat(b'=') { Some(self.value()?) } else { None };
            offer.parameters.push((name, value));
        }
        Ok(offer)
    }

    /// `token | quoted-string`
    fn value(&mut self) -> Result<String, MalformedExtensions> {
        if !self.eat(b'"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        loop {
            let (mut byte, mut rest) = self.rest.split_first().ok_or(malformed("quote not closed"))?;
            if *byte == b'"' {
                self.rest = rest;
                break;
            }
            if *byte == b'\\' {
                (byte, rest) = rest.split_first().ok_or(malformed("quote not closed"))?;
            }
            self.rest = rest;
            // RFC 6455 §9.1: the value after unescaping MUST conform to the 'token' ABNF
            if !is_token(&[*byte]) {
                return Err(malformed("quoted value is no token"));
            }
            value.push(char::from(*byte));
        }
        self.skip_whitespace();
        if value.is_empty() { Err(malformed("quoted value is empty")) } else { Ok(value) }
    }

    fn token(&mut self) -> Result<&'a str, MalformedExtensions> {
        self.skip_whitespace();
        let end = self.rest.iter().position(|byte| !is_token(&[*byte])).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.skip_whitespace();
        match std::str::from_utf8(token) {
            Ok(token) if !token.is_empty() => Ok(token),
            _ => Err(malformed("token expected")),
        }
    }

    /// Takes `byte` and the whitespace around it ("implied *LWS", RFC 2616 §2.1). What is quoted keeps its
    /// own.
    fn eat(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        match self.rest.strip_prefix(&[byte]) {
            Some(rest) => {
                self.rest = rest;
                if byte != b'"' {
                    self.skip_whitespace();
                }
                true
            }
            None => false,
        }
    }

    fn skip_whitespace(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

fn malformed(what: &'static str) -> MalformedExtensions {
    MalformedExtensions(what)
}

/// Whether these bytes are a token (RFC 9110 §5.6.2).
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
