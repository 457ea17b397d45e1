//! Counts of messages, and what they come to on the wire.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use sheave::DeflateConfig;
use sheave::deflate::{Agreement, Compressor, ExtensionOffer};

/// What was echoed, in all.
#[derive(Debug, Default)]
pub(super) struct Totals {
    messages: AtomicU64,
    bytes: AtomicU64,
    measured: AtomicU64,
    wire: AtomicU64,
}

impl Totals {
    /// Counts a message.
    pub(super) fn message(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a message that was measured.
    pub(super) fn compressed(&self, bytes: usize, wire: usize) {
        self.measured.fetch_add(bytes as u64, Ordering::Relaxed);
        self.wire.fetch_add(wire as u64, Ordering::Relaxed);
    }
}

/// The members of a JSON object.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [messages, bytes, measured, wire] = [&self.messages, &self.bytes, &self.measured, &self.wire]
            .map(|count| count.load(Ordering::Relaxed));
        write!(f, r#""messages":{messages},"bytes":{bytes},"measured":{measured},"wire":{wire}"#)
    }
}

/// Tells how long the frames of a server's WebSocket are.
///
/// A WebSocket does not tell how small its messages became, so they are compressed once more, with the same settings and the
/// same memory of earlier messages.
#[derive(Debug)]
pub(super) struct Measure {
    compressor: Option<Compressor>,
    threshold: usize,
    payload: BytesMut,
}

impl Measure {
    /// For a WebSocket that agreed on `extension`, if on any.
    pub(super) fn new(extension: Option<&ExtensionOffer>, config: &DeflateConfig) -> Self {
        let agreement = extension.and_then(Agreement::of_answer);
        Self {
            compressor: agreement.map(|agreement| Compressor::new(config, agreement.server)),
            threshold: config.get_threshold(),
            payload: BytesMut::new(),
        }
    }

    /// The length of the frame that carries `message`.
    pub(super) fn on_the_wire(&mut self, message: &[u8]) -> usize {
        let payload = match &mut self.compressor {
            Some(compressor) if message.len() >= self.threshold => {
                self.payload.clear();
                compressor.compress_message(message, &mut self.payload);
                self.payload.len()
            }
            _ => message.len(),
        };
        // RFC 6455 §5.2: a server's frame has no mask.
        let header = match payload {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        header + payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_its_header_and_what_is_left_of_the_message() {
        let config = DeflateConfig::default();
        let mut plain = Measure::new(None, &config);
        for (message, wire) in [(0, 2), (125, 127), (126, 130), (65_535, 65_539), (65_536, 65_546)] {
            assert_eq!(plain.on_the_wire(&vec![b'x'; message]), wire);
        }

        let (answer, _) = config.answer(&config.offer()).unwrap();
        let mut compressed = Measure::new(Some(&answer), &config);
        let message = b"what is said a second time is short, because it refers to the first: 0123456789";
        let first = compressed.on_the_wire(message);
        let second = compressed.on_the_wire(message);
        assert!(second < first && first < message.len(), "{first}, then {second}");
        assert_eq!(compressed.on_the_wire(b"short"), 2 + 5, "below the threshold");
    }
}
