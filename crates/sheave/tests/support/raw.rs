//! A client of raw bytes: requests as written, responses taken apart, frames by hand.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::soon;

/// The key of RFC 6455 §1.3, and its answer.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request for a WebSocket, with further header lines.
pub(crate) fn upgrade(headers: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    )
}

/// A frame as a client sends it, masked with zeros; 65 535 bytes at most.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

/// A response, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// The values of a header, joined.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.contains("close"))
    }
}

/// A connection, and what of it was read too far.
pub(crate) struct Raw<S> {
    pub(crate) io: S,
    pub(crate) input: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn new(io: S) -> Self {
        Self { io, input: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.io.write_all(bytes.as_ref())).await.unwrap();
        soon(self.io.flush()).await.unwrap();
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        self.send(bytes).await;
        self.reply().await
    }

    /// Sends what the server may refuse to read.
    pub(crate) async fn push_only(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon(self.io.write_all(bytes.as_ref())).await;
    }

    /// Sends what the server may refuse to read, and reads its answer.
    pub(crate) async fn push(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        self.push_only(bytes).await;
        self.reply().await
    }

    /// The next response that may have a body.
    pub(crate) async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body = String::from_utf8(self.take(length).await).unwrap();
        reply
    }

    /// The next response's head; the body, if there is one, is left.
    pub(crate) async fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let read = self.read().await.unwrap();
            assert!(read > 0, "the end, after {:?}", String::from_utf8_lossy(&self.input));
        };
        let head = String::from_utf8(self.take(end + 4).await).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").expect("a status line");
        let headers = lines.map(|line| line.split_once(": ").expect("a header"));
        Reply {
            status: status[..3].parse().unwrap(),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body: String::new(),
        }
    }

    /// So many bytes.
    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.input.len() < length {
            assert!(self.read().await.unwrap() > 0, "the end before {length} bytes");
        }
        let rest = self.input.split_off(length);
        std::mem::replace(&mut self.input, rest)
    }

    /// A frame of a server: opcode and payload.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2).await;
        assert_eq!(head[0] & 0xf0, 0x80, "a whole message without extensions");
        let length = match head[1] {
            126 => u16::from_be_bytes(self.take(2).await.try_into().unwrap()).into(),
            short => usize::from(short),
        };
        (head[0] & 0x0f, self.take(length).await)
    }

    /// Everything up to an end in order: a FIN and not a reset.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read().await.expect("an end in order") > 0 {}
        std::mem::take(&mut self.input)
    }

    /// Everything up to the end, whatever kind of end it is.
    pub(crate) async fn until_gone(&mut self) -> Vec<u8> {
        while self.read().await.is_ok_and(|read| read > 0) {}
        std::mem::take(&mut self.input)
    }

    async fn read(&mut self) -> io::Result<usize> {
        soon(self.io.read_buf(&mut self.input)).await
    }
}

/// The payload of a Close frame.
pub(crate) fn close(code: u16) -> Vec<u8> {
    code.to_be_bytes().to_vec()
}
