//! Randomness from the operating system.

use std::cell::RefCell;
use std::io;

use crate::frame::MaskingKey;

/// A masking key (RFC 6455 §5.3), from a batch that each thread draws from the system's CSPRNG.
///
/// # Errors
/// If the system has no randomness to give.
pub fn masking_key() -> io::Result<MaskingKey> {
    thread_local! {
        static BATCH: RefCell<Batch> = const { RefCell::new(Batch { keys: [[0; 4]; KEYS], next: KEYS }) };
    }
    BATCH.with_borrow_mut(Batch::take)
}

/// The random bytes of a `Sec-WebSocket-Key` (RFC 6455 §4.1).
///
/// # Errors
/// If the system has no randomness to give.
pub fn handshake_key() -> io::Result<[u8; 16]> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)?;
    Ok(key)
}

const KEYS: usize = 256;

struct Batch {
    keys: [MaskingKey; KEYS],
    next: usize,
}

impl Batch {
    fn take(&mut self) -> io::Result<MaskingKey> {
        if self.next == KEYS {
            getrandom::fill(self.keys.as_flattened_mut())?;
            self.next = 0;
        }
        // Taken out: a key is never used twice, nor left in memory.
        let key = std::mem::take(&mut self.keys[self.next]);
        self.next += 1;
        Ok(key)
    }
}
