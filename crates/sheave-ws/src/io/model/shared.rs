//! Two threads at what the halves share: the slot, the turn, the wakers.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Buf, Bytes};
use loom::thread;

use super::peer::{Peer, parse};
use super::{block_on, check};
use crate::close::CloseCode;
use crate::config::{Config, Role};
use crate::io::shared::{Half, Shared};
use crate::io::timer::Stall;
use crate::outgoing::{Control, Outgoing};

pub(super) fn shared() -> Arc<Shared<Peer>> {
    shared_over(Peer::new(&[], 0))
}

fn shared_over(peer: Peer) -> Arc<Shared<Peer>> {
    // There is no runtime that timers could be of.
    let config = Config::default().write_timeout(None);
    let outgoing = Outgoing::new(Role::Server, &config, || Ok([0; 4]));
    Arc::new(Shared::new(peer, outgoing, Stall::default(), false))
}

fn ping(payload: &'static str) -> Control {
    Control::Ping(Bytes::from_static(payload.as_bytes()))
}

fn pong(payload: &'static str) -> Control {
    Control::Pong(Bytes::from_static(payload.as_bytes()))
}

fn close(code: CloseCode) -> Control {
    Control::Close(code.into())
}

/// What is queued by now. It takes no turn, which would queue what is still in the slot.
fn queued(shared: &Shared<Peer>) -> Vec<(u8, Vec<u8>)> {
    let mut direction = shared.direction.lock().unwrap();
    let output = direction.outgoing.transmit();
    parse(&output.copy_to_bytes(output.len()))
}

fn of_opcode(frames: &[(u8, Vec<u8>)], opcode: u8) -> Vec<&[u8]> {
    frames.iter().filter(|frame| frame.0 == opcode).map(|frame| &frame.1[..]).collect()
}

#[test]
fn a_posted_frame_is_queued_once_and_the_newest_pong_last() {
    check(None, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || other.post(ping("1")));
        shared.post(pong("1"));
        shared.post(pong("2"));
        other.join().unwrap();
        let frames = queued(&shared);
        assert_eq!(of_opcode(&frames, 9), [b"1"]);
        let pongs = of_opcode(&frames, 10);
        assert!(pongs == [b"2"] || pongs == [b"1", b"2"], "{pongs:?}");
    });
}

#[test]
fn of_pings_that_both_post_one_is_queued() {
    check(None, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || other.post(ping("1")));
        shared.post(ping("2"));
        other.join().unwrap();
        let frames = queued(&shared);
        let pings = of_opcode(&frames, 9);
        let expected: [&[&[u8]]; 4] = [&[b"1"], &[b"2"], &[b"1", b"2"], &[b"2", b"1"]];
        assert!(expected.contains(&&pings[..]), "{pings:?}");
    });
}

#[test]
fn one_close_is_queued_and_nothing_behind_it() {
    check(3, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            other.post(close(CloseCode::NORMAL));
            other.post(pong("late"));
        });
        shared.post(close(CloseCode::GOING_AWAY));
        shared.post(ping("late"));
        other.join().unwrap();
        assert!(shared.is_closed());
        let frames = queued(&shared);
        assert_eq!(of_opcode(&frames, 8).len(), 1, "{frames:?}");
        assert_eq!(frames.last().unwrap().0, 8, "{frames:?}");
    });
}

#[test]
fn who_posts_first_is_heard_first() {
    check(None, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        // Holds the turn now and then.
        let other = thread::spawn(move || other.post(ping("1")));
        shared.post(close(CloseCode::GOING_AWAY));
        shared.post(close(CloseCode::NORMAL));
        other.join().unwrap();
        let frames = queued(&shared);
        let close: &[u8] = &CloseCode::GOING_AWAY.get().to_be_bytes();
        assert_eq!(of_opcode(&frames, 8), [close]);
    });
}

#[test]
fn a_pong_that_is_owed_before_a_close_leaves_before_it() {
    check(2, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || other.post(ping("1")));
        shared.post(pong("1"));
        shared.post(close(CloseCode::NORMAL));
        other.join().unwrap();
        let frames = queued(&shared);
        assert_eq!(of_opcode(&frames, 10), [b"1"]);
        assert_eq!(frames.last().unwrap().0, 8);
    });
}

#[test]
fn whoever_waits_for_the_turn_gets_it() {
    check(None, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let turn = |shared: &Shared<Peer>, half| {
            block_on(poll_fn(|cx| shared.poll_turn(half, cx, |_, _| Poll::Ready(()))));
        };
        let other = thread::spawn(move || turn(&other, Half::Sender));
        turn(&shared, Half::Receiver);
        other.join().unwrap();
    });
}

#[test]
fn whoever_waits_for_the_transport_goes_on_when_the_other_has_written() {
    check(4, || {
        let peer = Peer::new(&[], 0);
        let shared = shared_over(peer.clone());
        shared.post(ping("1"));
        let other = Arc::clone(&shared);
        let drive = |shared: &Shared<Peer>, half| {
            block_on(poll_fn(|cx| shared.poll_turn(half, cx, |direction, cx| direction.poll_write(cx))))
                .unwrap();
        };
        let other = thread::spawn(move || drive(&other, Half::Receiver));
        peer.take_unnoticed(100);
        drive(&shared, Half::Sender);
        other.join().unwrap();
        assert_eq!(parse(&peer.until(0)), [(9, b"1".to_vec())]);
    });
}

/// All that was queued before the split is written.
fn written(shared: &Shared<Peer>) {
    block_on(poll_fn(|cx| shared.poll_turn(Half::Receiver, cx, |_, _| Poll::Ready(()))));
    assert!(!shared.is_unwritten());
}

#[test]
fn what_is_posted_is_unwritten_at_every_moment() {
    check(None, || {
        let shared = shared();
        written(&shared);
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || other.post(ping("1")));
        shared.post(pong("1"));
        // Nobody writes it: it is in the slot, in the hands of the other, or queued.
        assert!(shared.is_unwritten());
        other.join().unwrap();
        assert!(shared.is_unwritten());
    });
}

#[test]
fn what_is_posted_while_the_other_writes_is_written_or_known_not_to_be() {
    check(None, || {
        let shared = shared();
        written(&shared);
        let other = Arc::clone(&shared);
        let other = thread::spawn(move || {
            block_on(poll_fn(|cx| {
                other.poll_turn(Half::Sender, cx, |direction, _| {
                    // As if it were written.
                    direction.outgoing.transmit().clear();
                    Poll::Ready(())
                })
            }));
        });
        shared.post(pong("1"));
        // Whoever queued it: either it was written since, or this half knows that it has to be.
        let unwritten = shared.is_unwritten();
        other.join().unwrap();
        let queued = queued(&shared);
        assert!(unwritten || queued.is_empty(), "{queued:?}");
    });
}

/// Notes that it was woken.
#[derive(Default)]
pub(super) struct Woken(AtomicBool);

impl Woken {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn the_receiver_learns_of_a_close() {
    check(None, || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let closing = thread::spawn(move || other.post(close(CloseCode::NORMAL)));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        // As a receiver that waits: closing may not take for ever.
        shared.attend(&Context::from_waker(&waker));
        let knows = shared.is_closed();
        closing.join().unwrap();
        assert!(knows || woken.get());
    });
}

#[test]
fn the_receiver_learns_of_a_close_though_it_comes_back_while_it_is_woken() {
    check(None, || {
        let shared = shared();
        shared.attend(&Context::from_waker(Waker::noop()));
        let other = Arc::clone(&shared);
        let closing = thread::spawn(move || {
            other.interrupted();
            other.post(close(CloseCode::NORMAL));
        });
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        shared.attend(&Context::from_waker(&waker));
        let knows = shared.is_closed();
        closing.join().unwrap();
        assert!(knows || woken.get());
    });
}
