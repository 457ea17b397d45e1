//! Compressed payloads, made by another compressor, and the halves of a connection that agreed on them.

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, FlushCompress};
use sheave_ws::deflate::{Compressor, Decompressor, DeflateConfig, Direction};
use sheave_ws::handshake::Agreed;
use sheave_ws::{Config, Control, Error, Event, Incoming, Outgoing, Replies, Role};

use super::random::Random;

/// What is agreed on if both sides want all that there is.
pub const FULL: Direction = Direction { window_bits: 15, context_takeover: true };

/// The replies that were posted.
#[derive(Debug, Default)]
pub struct Posted(pub Vec<Control>);

impl Replies for Posted {
    fn post(&mut self, control: Control) {
        self.0.push(control);
    }
}

/// Compresses messages as a peer does that is not of this project.
#[derive(Debug)]
pub struct Squeeze(Compress);

impl Default for Squeeze {
    fn default() -> Self {
        Self(Compress::new(Compression::default(), false))
    }
}

impl Squeeze {
    /// The next message's payload (RFC 7692 §7.2.1).
    pub fn message(&mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(message.len() + message.len() / 1000 + 64);
        let before = self.0.total_in();
        self.0.compress_vec(message, &mut payload, FlushCompress::Sync).unwrap();
        assert_eq!(self.0.total_in() - before, message.len() as u64);
        assert_eq!(payload.split_off(payload.len() - 4), [0, 0, 0xff, 0xff]);
        payload
    }

    /// The payload of one that ends with a final block (RFC 7692 §7.2.3.4).
    pub fn last_message(mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(message.len() + 64);
        self.0.compress_vec(message, &mut payload, FlushCompress::Finish).unwrap();
        payload.push(0);
        payload
    }
}

/// The payload of a message that is compressed alone.
pub fn squeeze(message: impl AsRef<[u8]>) -> Vec<u8> {
    Squeeze::default().message(message.as_ref())
}

/// What the handshake of two sides with this configuration comes to.
pub fn agreed(config: &DeflateConfig) -> Agreed {
    let mut agreed = Agreed::default();
    agreed.extensions.push(config.answer(&config.offer()).unwrap().0);
    agreed
}

/// A WebSocket over a script that has agreed on what its configuration asks for, and its peer.
#[cfg(feature = "tokio")]
pub fn scripted_agreed(
    role: Role,
    config: &Config,
) -> (sheave_ws::io::WebSocket<super::Script>, super::Peer) {
    let (ws, peer) = super::scripted(role, config);
    match &config.deflate {
        Some(deflate) => (ws.agreed(agreed(deflate), config), peer),
        None => (ws, peer),
    }
}

fn keys() -> std::io::Result<[u8; 4]> {
    Ok([1, 2, 3, 4])
}

pub fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

/// The sending half of `role`, and the receiving half of its peer.
pub fn halves(role: Role, config: &Config, agreed: Direction) -> (Outgoing, Incoming) {
    let mut outgoing = Outgoing::new(role, config, keys);
    let mut incoming = Incoming::new(other(role), config);
    if let Some(deflate) = &config.deflate {
        outgoing.set_compressor(Compressor::new(deflate, agreed), deflate.get_threshold());
        incoming.set_decompressor(Decompressor::new(deflate, agreed));
    }
    (outgoing, incoming)
}

/// All that is to be sent.
pub fn drain(outgoing: &mut Outgoing) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let output = outgoing.transmit();
        if output.is_empty() {
            return bytes;
        }
        bytes.extend_from_slice(&output.copy_to_bytes(output.remaining()));
    }
}

/// All events of a whole input.
pub fn receive(incoming: &mut Incoming, bytes: &[u8]) -> Result<Vec<Event>, Error> {
    let mut input = BytesMut::from(bytes);
    let mut events = Vec::new();
    while let Some(event) = incoming.recv(&mut input, &mut Posted::default())? {
        events.push(event);
    }
    assert!(input.is_empty());
    Ok(events)
}

/// Text that compresses, of at least this many bytes, with characters of one to four.
pub fn words(random: &mut Random, length: usize) -> String {
    const WORDS: [&str; 8] = ["alpha ", "βήτα", "gamma", "\"id\":", "true", "δέλτα 😀", "{", "}"];
    let mut text = String::new();
    while text.len() < length {
        text.push_str(WORDS[random.below(WORDS.len())]);
    }
    text
}
