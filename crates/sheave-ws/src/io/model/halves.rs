//! The two halves in a thread each, and the peer in a third.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use loom::thread;

use super::peer::{Peer, frame, halves, parse};
use super::{block_on, check};
use crate::error::Error;
use crate::io::Receiver;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The receiving half, until the peer ends.
fn receiving(mut receiver: Receiver<Peer>) -> thread::JoinHandle<()> {
    thread::spawn(move || assert!(matches!(block_on(receiver.recv()), Err(Error::Disconnected))))
}

fn sorted(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = parse(bytes);
    frames.sort();
    frames
}

#[test]
fn a_message_and_a_pong_both_leave() {
    check(2, || {
        let (mut sender, receiver, peer) = halves(&frame(PING, b"p"), 100);
        let sending = thread::spawn(move || {
            block_on(sender.send("m")).unwrap();
            sender
        });
        let receiving = receiving(receiver);
        let bytes = peer.until(6);
        assert_eq!(sorted(&bytes), [(TEXT, b"m".to_vec()), (PONG, b"p".to_vec())]);
        peer.end();
        drop(sending.join().unwrap());
        receiving.join().unwrap();
        assert_eq!(peer.taken(), 6);
    });
}

#[test]
fn both_go_on_when_the_transport_takes_more() {
    check(1, || {
        let (mut sender, receiver, peer) = halves(&frame(PING, b"p"), 1);
        let sending = thread::spawn(move || {
            block_on(sender.send("m")).unwrap();
            sender
        });
        let receiving = receiving(receiver);
        peer.until(1);
        peer.take(100);
        let bytes = peer.until(6);
        assert_eq!(sorted(&bytes), [(TEXT, b"m".to_vec()), (PONG, b"p".to_vec())]);
        peer.end();
        drop(sending.join().unwrap());
        receiving.join().unwrap();
    });
}

#[test]
fn a_ping_and_a_pong_both_leave() {
    check(2, || {
        let (mut sender, receiver, peer) = halves(&frame(PING, b"p"), 100);
        let sending = thread::spawn(move || {
            block_on(sender.ping("q")).unwrap();
            sender
        });
        let receiving = receiving(receiver);
        let bytes = peer.until(6);
        assert_eq!(sorted(&bytes), [(PING, b"q".to_vec()), (PONG, b"p".to_vec())]);
        peer.end();
        drop(sending.join().unwrap());
        receiving.join().unwrap();
    });
}

#[test]
fn the_receiver_goes_on_with_what_a_dropped_future_left() {
    check(2, || {
        let (mut sender, receiver, peer) = halves(&[], 1);
        let sending = thread::spawn({
            let peer = peer.clone();
            move || {
                {
                    let mut sending = pin!(sender.send("m"));
                    // Until it has begun.
                    block_on(poll_fn(|cx| match sending.as_mut().poll(cx) {
                        Poll::Pending if peer.taken() == 0 => Poll::Pending,
                        _ => Poll::Ready(()),
                    }));
                }
                sender
            }
        });
        let receiving = receiving(receiver);
        peer.until(1);
        let sender = sending.join().unwrap();
        peer.take(100);
        assert_eq!(parse(&peer.until(3)), [(TEXT, b"m".to_vec())]);
        peer.end();
        receiving.join().unwrap();
        drop(sender);
    });
}

#[test]
fn a_dropped_sender_leaves_its_rest_to_the_receiver() {
    check(3, || {
        let (mut sender, receiver, peer) = halves(&frame(PING, b"p"), 100);
        let sending = thread::spawn(move || block_on(sender.feed("m")).unwrap());
        let receiving = receiving(receiver);
        let bytes = peer.until(6);
        assert_eq!(sorted(&bytes), [(TEXT, b"m".to_vec()), (PONG, b"p".to_vec())]);
        peer.end();
        sending.join().unwrap();
        receiving.join().unwrap();
    });
}

#[test]
fn a_close_and_a_message_do_not_mix() {
    check(3, || {
        let (mut sender, mut receiver, peer) = halves(&frame(CLOSE, &[3, 232]), 100);
        peer.end();
        let receiving = thread::spawn(move || assert!(block_on(receiver.recv()).unwrap().is_none()));
        let sent = block_on(sender.send("m"));
        receiving.join().unwrap();
        let frames = parse(&peer.until(0));
        assert_eq!(frames.last().unwrap(), &(CLOSE, vec![3, 232]));
        match sent {
            Ok(()) => assert_eq!(frames.len(), 2),
            Err(Error::Closed) => assert_eq!(frames.len(), 1),
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn a_sender_that_waits_learns_of_the_end() {
    check(2, || {
        let (mut sender, receiver, peer) = halves(&[], 1);
        let receiving = receiving(receiver);
        let ending = thread::spawn(move || peer.end());
        assert!(block_on(sender.send("m")).is_err());
        receiving.join().unwrap();
        ending.join().unwrap();
    });
}
