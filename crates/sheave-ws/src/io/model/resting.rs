//! The sender and the receiver at the compressor's context that rests.

use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::BytesMut;
use loom::thread;
use sheave_deflate::{Compressor, Decompressor, DeflateConfig, Direction};

use super::check;
use super::shared::{Woken, shared};
use crate::io::resting::Resting;

const AGREED: Direction = Direction { window_bits: 15, context_takeover: true };

fn compressor() -> Compressor {
    Compressor::new(&DeflateConfig::default(), AGREED)
}

#[test]
fn what_rests_is_known_to_who_gives_it_up() {
    check(None, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let mut compressor = compressor();
        compressor.compress_message(b"message", &mut BytesMut::new());
        let sending = thread::spawn(move || {
            for _ in 0..2 {
                other.resting.take().into_iter().for_each(|context| compressor.set_context(context));
                // What it found is lost if it finds the other at it now; then the next message makes a new one.
                compressor.take_context().into_iter().for_each(|context| other.rest(context));
            }
        });
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        // As a receiver that looks once, and then whenever it is woken or its timer goes off.
        shared.attend(&Context::from_waker(&waker));
        let mut armed = shared.resting.is_holding();
        if armed {
            armed = shared.resting.age();
        }
        sending.join().unwrap();
        armed |= woken.get();
        assert!(armed || !shared.resting.is_holding(), "nobody will give it up");
        // Not used from one time to the next, it goes.
        shared.resting.age();
        assert!(!shared.resting.age());
        assert!(shared.resting.take().is_none());
    });
}

/// Who does not know the second finds something else where the third refers back to.
const MESSAGES: [&[u8]; 3] = [b"a phrase that comes again", b"something else", b"a phrase that comes again"];

#[test]
fn whatever_was_missed_is_not_referred_to() {
    check(3, || {
        let resting = Arc::new(Resting::default());
        let other = Arc::clone(&resting);
        let receiving = thread::spawn(move || {
            other.is_holding();
            other.age();
        });
        let (mut compressor, mut decompressor) =
            (compressor(), Decompressor::new(&DeflateConfig::default(), AGREED));
        for message in MESSAGES {
            resting.take().into_iter().for_each(|context| compressor.set_context(context));
            let (mut payload, mut inflated) = (BytesMut::new(), BytesMut::new());
            compressor.compress_message(message, &mut payload);
            let _ = resting.put(compressor.take_context().unwrap());
            decompressor.decompress_message(&payload, 100, &mut inflated).unwrap();
            assert_eq!(inflated, message);
        }
        receiving.join().unwrap();
    });
}
