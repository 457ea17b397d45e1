//! One connection: prebuilt frames out, echoes in and checked.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

use crate::text::{Random, json};

/// How many different messages a connection sends before it begins again. It is more than a window holds, and the
/// first of them refers back to nothing, so that it may come at any time.
const MESSAGES: usize = 512;
const LEVEL: i32 = 6;
const WINDOW_BITS: u8 = 15;
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
/// What RFC 6455 §1.3 says that the server answers to this key.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) struct Connection {
    stream: TcpStream,
    texts: Vec<String>,
    /// Masked frames, one for each text.
    frames: Vec<Vec<u8>>,
    inflate: Inflate,
    input: Vec<u8>,
    text: Vec<u8>,
    /// How many messages were sent, and how many came back.
    sent: usize,
    received: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, seed: u64, length: usize) -> io::Result<Self> {
        let mut random = Random(seed);
        let texts: Vec<_> = (0..MESSAGES).map(|_| json(&mut random, length)).collect();
        let mut deflate = Deflate::new(LEVEL, false, WINDOW_BITS);
        let frames = texts.iter().map(|text| frame(&mut deflate, text.as_bytes(), &mut random)).collect();
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(REQUEST.as_bytes()).await?;
        handshake(&mut stream).await?;
        let inflate = Inflate::new(false, WINDOW_BITS);
        let (input, text) = (Vec::with_capacity(256 << 10), vec![0; length + 1]);
        Ok(Self { stream, texts, frames, inflate, input, text, sent: 0, received: 0 })
    }

    /// Sends so many messages, `in_flight` at a time, and checks all echoes. Gives how many bytes came.
    pub(crate) async fn run(&mut self, messages: usize, in_flight: usize) -> io::Result<u64> {
        let end = self.received + messages;
        let (mut output, mut bytes) = (Vec::new(), 0);
        loop {
            while self.sent < end.min(self.received + in_flight) {
                output.extend_from_slice(&self.frames[self.sent % MESSAGES]);
                self.sent += 1;
            }
            self.stream.write_all(&output).await?;
            output.clear();
            if self.received == end {
                return Ok(bytes);
            }
            let count = self.stream.read_buf(&mut self.input).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes += count as u64;
            self.take_echoes()?;
        }
    }

    fn take_echoes(&mut self) -> io::Result<()> {
        let mut start = 0;
        while let Some((header, length)) = header(&self.input[start..])? {
            let Some(payload) = self.input[start + header..].get(..length) else { break };
            let mut written = 0;
            for part in [payload, &TAIL] {
                let before = self.inflate.total_out();
                let (text, flush) = (&mut self.text[written..], InflateFlush::SyncFlush);
                self.inflate.decompress(part, text, flush).map_err(|error| bad(error.as_str()))?;
                written += (self.inflate.total_out() - before) as usize;
            }
            if self.text[..written] != *self.texts[self.received % MESSAGES].as_bytes() {
                return Err(bad("an echo is not what was sent"));
            }
            self.received += 1;
            start += header + length;
        }
        self.input.drain(..start);
        Ok(())
    }
}

/// Reads the answer to the handshake, and holds it against what the measurement is about.
async fn handshake(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        // Nothing may follow before the first message is sent.
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(bad("no answer to the handshake"));
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let extensions: Vec<_> = answer
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"))
        .map(|(_, value)| value.trim())
        .collect();
    if !answer.starts_with("HTTP/1.1 101 ") || !answer.contains(ACCEPT) {
        return Err(bad(&format!("refused: {answer}")));
    }
    // With context takeover and the largest window, both ways.
    if extensions != ["permessage-deflate"] {
        return Err(bad(&format!("agreed on {extensions:?}")));
    }
    Ok(())
}

/// A compressed and masked text frame.
fn frame(deflate: &mut Deflate, text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut payload = vec![0; 2 * text.len() + 64];
    let before = deflate.total_out();
    let done = deflate.compress(text, &mut payload, DeflateFlush::SyncFlush);
    assert!(done.is_ok(), "{done:?}");
    payload.truncate((deflate.total_out() - before) as usize - TAIL.len());
    let key = (random.next() as u32).to_be_bytes();
    let mut frame = vec![0b1100_0001];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).expect("a short message").to_be_bytes());
        }
    }
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The lengths of the header and of the payload of the frame that starts here, if the header has come.
fn header(input: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let [first, second, rest @ ..] = input else { return Ok(None) };
    if *first != 0b1100_0001 {
        return Err(bad(&format!("no compressed text in one frame, but {first:#010b}")));
    }
    Ok(match (second, rest) {
        (0..126, _) => Some((2, usize::from(*second))),
        (126, [high, low, ..]) => Some((4, usize::from(u16::from_be_bytes([*high, *low])))),
        (126, _) => None,
        _ => return Err(bad("masked, or far too long")),
    })
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
