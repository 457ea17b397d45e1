//! The decompressor, driven in each of the ways that it allows.

use bytes::BytesMut;
use sheave_deflate::{Decompressor, DeflateConfig, DeflateError, Direction};

/// What was agreed on for one direction.
pub fn agreed(window_bits: u8, context_takeover: bool) -> Direction {
    Direction { window_bits, context_takeover }
}

/// A decompressor with the default configuration.
pub fn inflate(window_bits: u8, context_takeover: bool) -> Decompressor {
    Decompressor::new(&DeflateConfig::default(), agreed(window_bits, context_takeover))
}

/// A whole message at once.
pub fn decompress_message(decompressor: &mut Decompressor, payload: &[u8]) -> Result<Vec<u8>, DeflateError> {
    let mut message = BytesMut::new();
    decompressor.decompress_message(payload, usize::MAX, &mut message)?;
    Ok(message.to_vec())
}

/// A message in parts, with so much room at a time.
///
/// It asks again only for what was not read, and then ends the message: what had no room is for the end to give.
pub fn decompress_in_parts(
    decompressor: &mut Decompressor,
    parts: &[&[u8]],
    room: usize,
) -> Result<Vec<u8>, DeflateError> {
    let (mut message, mut output) = (Vec::new(), vec![0; room]);
    for part in parts {
        let mut part = *part;
        while !part.is_empty() {
            let progress = decompressor.decompress(part, &mut output)?;
            assert!(progress.read > 0 || progress.written > 0, "no progress");
            assert!(progress.read == part.len() || progress.written == room, "neither used up nor full");
            message.extend_from_slice(&output[..progress.written]);
            part = &part[progress.read..];
        }
    }
    loop {
        let (written, done) = decompressor.finish(&mut output)?;
        message.extend_from_slice(&output[..written]);
        if done {
            return Ok(message);
        }
        assert_eq!(written, room, "not done, though there is room");
    }
}
