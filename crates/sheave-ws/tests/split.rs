//! The halves of a split WebSocket: Pings and Closes are answered whatever the sender does.
#![cfg(feature = "tokio")]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use sheave_ws::io::{ReadHalf, Receiver, Sender, Transport, WriteHalf};
use sheave_ws::{CloseCode, Config, Error, Role, Timeout};
use support::{Got, Peer, Script, bounded, frame, no_time, polled, scripted, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn halves(role: Role, config: &Config) -> (Sender<Script>, Receiver<Script>, Peer) {
    let (ws, peer) = scripted(role, config);
    let (sender, receiver) = ws.split();
    (sender, receiver, peer)
}

/// Lets the tasks of the runtime do all that they can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn opcodes(frames: &[Got]) -> Vec<u8> {
    frames.iter().map(|frame| frame.opcode).collect()
}

#[tokio::test]
async fn pings_and_closes_are_answered_while_the_sender_is_idle() {
    for role in ROLES {
        let (sender, mut receiver, peer) = halves(role, &no_time());
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        peer.send(wire(role, &[frame().ping("1")]));
        settle().await;
        assert_eq!(opcodes(&peer.frames()), [10]);
        peer.send(wire(role, &[frame().close(3000, "")]));
        peer.end();
        assert_eq!(bounded(receiving).await.unwrap().unwrap(), None);
        assert_eq!(peer.frames()[1].close_code(), Some(3000));
        assert!(sender.is_closed());
        assert!(peer.is_shut_down());
    }
}

#[tokio::test]
async fn a_pong_never_lands_inside_a_frame() {
    for role in ROLES {
        for taken in 0..60 {
            let (mut sender, mut receiver, peer) = halves(role, &no_time());
            peer.take(taken);
            let sending = tokio::spawn(async move { sender.send("x".repeat(40)).await.map(|()| sender) });
            settle().await;
            peer.send(wire(role, &[frame().ping("1"), frame().ping("2")]));
            let receiving = tokio::spawn(async move { receiver.recv().await });
            settle().await;
            let all: usize = if role == Role::Client { 46 } else { 42 };
            if taken < all {
                let (frames, rest) = peer.some_frames();
                assert_eq!((frames.len(), rest), (0, taken), "the frame is on its way");
            }
            peer.take_all();
            let mut sender = bounded(sending).await.unwrap().unwrap();
            bounded(sender.flush()).await.unwrap();
            settle().await;
            assert_eq!(opcodes(&peer.frames()), [1, 10, 10]);
            drop(receiving);
        }
    }
}

#[tokio::test]
async fn a_close_waits_for_the_frame_that_is_half_written() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time());
        peer.take(10);
        let sending = tokio::spawn(async move { (sender.send("x".repeat(40)).await, sender) });
        settle().await;
        peer.send(wire(role, &[frame().close(1000, "")]));
        peer.end();
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        assert_eq!(peer.received().len(), 10);
        peer.take_all();
        let (sent, mut sender) = bounded(sending).await.unwrap();
        sent.unwrap();
        assert_eq!(bounded(receiving).await.unwrap().unwrap(), None);
        assert_eq!(opcodes(&peer.frames()), [1, 8]);
        assert!(matches!(sender.send("late").await, Err(Error::Closed)));
        sender.close(CloseCode::NORMAL).await.unwrap();
        assert_eq!(peer.frames().len(), 2);
    }
}

#[tokio::test]
async fn pings_are_answered_after_the_senders_future_was_dropped_mid_frame() {
    for role in ROLES {
        for taken in 0..50 {
            let (mut sender, mut receiver, peer) = halves(role, &no_time());
            peer.take(taken);
            let _ = polled(2, sender.send("x".repeat(40))).await;
            peer.send(wire(role, &[frame().ping("1")]));
            peer.take_all();
            let receiving = tokio::spawn(async move { receiver.recv().await });
            settle().await;
            assert_eq!(opcodes(&peer.frames()), [1, 10]);
            drop((sender, receiving));
        }
    }
}

#[tokio::test]
async fn a_waiting_receiver_goes_on_with_what_a_dropped_send_left() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time());
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        peer.take(10);
        assert!(polled(2, sender.send("x".repeat(40))).await.is_none());
        settle().await;
        assert_eq!(peer.some_frames().1, 10);
        peer.take_all();
        settle().await;
        assert_eq!(opcodes(&peer.frames()), [1], "nobody uses the sender, the peer says nothing");
        drop((sender, receiving));
    }
}

#[tokio::test]
async fn a_waiting_receiver_goes_on_with_what_a_dropped_fragment_left() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time().high_water_mark(1));
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        peer.take(10);
        // The first is half written, the second is queued, the third finds no room.
        sender.feed_fragment("x".repeat(40), false).await.unwrap();
        sender.feed_fragment("y".repeat(40), false).await.unwrap();
        assert!(polled(2, sender.feed_fragment("z".repeat(40), true)).await.is_none());
        peer.take_all();
        settle().await;
        assert_eq!(opcodes(&peer.frames()), [1], "nobody uses the sender, the peer says nothing");
        bounded(sender.flush()).await.unwrap();
        assert_eq!(opcodes(&peer.frames()), [1, 0]);
        drop((sender, receiving));
    }
}

/// `tokio::io::split` puts both directions behind one mutex; sockets do without.
#[tokio::test]
async fn sockets_are_split_without_a_lock() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    assert!(matches!(Transport::split(tcp), (ReadHalf::Tcp(_), WriteHalf::Tcp(_))));
    #[cfg(unix)]
    {
        let (unix, _peer) = tokio::net::UnixStream::pair().unwrap();
        assert!(matches!(Transport::split(unix), (ReadHalf::Unix(_), WriteHalf::Unix(_))));
    }
    let (duplex, _peer) = tokio::io::duplex(1);
    assert!(matches!(Transport::split(duplex), (ReadHalf::Shared(_), WriteHalf::Shared(_))));
}

#[tokio::test]
async fn a_dropped_senders_messages_leave_through_a_waiting_receiver() {
    for role in ROLES {
        for waits in [false, true] {
            let (mut sender, mut receiver, peer) = halves(role, &no_time());
            sender.feed("first").await.unwrap();
            let receiving = async move { receiver.recv().await };
            if waits {
                let receiving = tokio::spawn(receiving);
                settle().await;
                sender.feed("second").await.unwrap();
                drop(sender);
                settle().await;
                drop(receiving);
            } else {
                sender.feed("second").await.unwrap();
                drop(sender);
                let _ = polled(2, receiving).await;
            }
            let payloads: Vec<Vec<u8>> = peer.frames().into_iter().map(|frame| frame.payload).collect();
            assert_eq!(payloads, [&b"first"[..], b"second"], "waits: {waits}");
        }
    }
}

#[tokio::test]
async fn a_sender_dropped_mid_frame_leaves_the_rest_and_more() {
    for taken in 0..50 {
        let (mut sender, mut receiver, peer) = halves(Role::Server, &no_time());
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        peer.take(taken);
        let _ = polled(2, sender.send("x".repeat(40))).await;
        sender.feed("more").await.unwrap();
        drop(sender);
        peer.take_all();
        settle().await;
        assert_eq!(opcodes(&peer.frames()), [1, 1], "{taken} bytes taken");
        drop(receiving);
    }
}

#[tokio::test]
async fn a_sender_works_on_without_its_receiver() {
    for role in ROLES {
        let (mut sender, receiver, peer) = halves(role, &no_time());
        drop(receiver);
        peer.step(3);
        peer.hiccups(3);
        bounded(sender.send("x".repeat(100))).await.unwrap();
        bounded(sender.ping("p")).await.unwrap();
        bounded(sender.close(CloseCode::NORMAL)).await.unwrap();
        assert_eq!(opcodes(&peer.frames()), [1, 9, 8]);
    }
}

#[tokio::test]
async fn only_the_newest_pong_is_owed() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time().high_water_mark(100));
        peer.take(5);
        let sending = tokio::spawn(async move { sender.send("x".repeat(200)).await });
        settle().await;
        let pings: Vec<_> = (0..1000).map(|index| frame().ping(format!("{index}"))).collect();
        peer.send(wire(role, &pings));
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        assert_eq!(peer.unread(), 0);
        peer.take_all();
        bounded(sending).await.unwrap().unwrap();
        settle().await;
        let frames = peer.frames();
        assert_eq!(opcodes(&frames), [1, 10]);
        assert_eq!(frames[1].payload, b"999");
        drop(receiving);
    }
}

#[tokio::test]
async fn pings_that_find_no_room_do_not_pile_up() {
    let (mut sender, mut receiver, peer) = halves(Role::Server, &no_time().high_water_mark(100));
    peer.take(5);
    let _ = polled(2, sender.send("x".repeat(200))).await;
    for index in 0..1000 {
        let _ = polled(2, sender.ping(index.to_string())).await;
        let _ = polled(2, receiver.recv()).await;
    }
    peer.take_all();
    bounded(sender.flush()).await.unwrap();
    let frames = peer.frames();
    assert_eq!(opcodes(&frames), [1, 9]);
    assert_eq!(frames[1].payload, b"999");
}

#[tokio::test]
async fn a_flush_that_was_pending_is_finished() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time());
        peer.buffer();
        peer.take(1 << 20);
        // All is written, but not flushed.
        peer.hiccups(5);
        assert!(polled(5, sender.send("x")).await.is_none());
        bounded(sender.flush()).await.unwrap();
        assert_eq!(opcodes(&peer.frames()), [1]);
        peer.send(wire(role, &[frame().ping("1")]));
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        settle().await;
        assert_eq!(opcodes(&peer.frames()), [1, 10]);
        drop(receiving);
    }
}

#[tokio::test]
async fn a_failure_that_one_half_saw_reaches_the_other() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time().close_timeout(Duration::ZERO));
        peer.take(5);
        assert!(polled(2, sender.send("lost")).await.is_none());
        peer.fail_writes(ErrorKind::BrokenPipe);
        let received = bounded(receiver.recv()).await;
        assert!(matches!(received, Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe));
        let flushed = sender.flush().await;
        assert!(matches!(flushed, Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe));
        assert!(matches!(sender.feed("x").await, Err(Error::Closed)));
        assert!(sender.is_closed());
        assert!(receiver.recv().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_sender_that_waits_learns_that_the_connection_is_over() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time());
        peer.take(5);
        let sending = tokio::spawn(async move { sender.send("x".repeat(40)).await });
        settle().await;
        peer.fail_reads(ErrorKind::ConnectionReset);
        assert!(bounded(receiver.recv()).await.is_err());
        assert!(bounded(sending).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn what_a_close_overtook_is_reported() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time());
        sender.feed("too late").await.unwrap();
        peer.send(wire(role, &[frame().close(1000, "")]));
        peer.end();
        assert_eq!(bounded(receiver.recv()).await.unwrap(), None);
        assert!(matches!(sender.flush().await, Err(Error::Closed)));
        assert!(sender.close(CloseCode::NORMAL).await.is_ok(), "closing what is closed is no error");
        assert_eq!(opcodes(&peer.frames()), [8]);
    }
}

#[tokio::test]
async fn closing_with_fed_messages_after_the_peers_close_is_no_error() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &no_time());
        sender.feed("too late").await.unwrap();
        peer.send(wire(role, &[frame().close(1000, "")]));
        peer.end();
        assert_eq!(bounded(receiver.recv()).await.unwrap(), None);
        sender.close(CloseCode::NORMAL).await.unwrap();
        assert_eq!(opcodes(&peer.frames()), [8]);
    }
}

#[tokio::test]
async fn what_was_queued_before_the_split_leaves() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        ws.feed("before").await.unwrap();
        let (sender, mut receiver) = ws.split();
        let _ = polled(2, receiver.recv()).await;
        assert_eq!(opcodes(&peer.frames()), [1]);
        drop(sender);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_ever_though_the_receiver_was_waiting() {
    for role in ROLES {
        let config = Config::default().close_timeout(Duration::from_secs(5));
        let (mut sender, mut receiver, peer) = halves(role, &config);
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        sender.close(CloseCode::NORMAL).await.unwrap();
        let received = tokio::time::timeout(Duration::from_secs(60), receiving).await;
        let received = received.expect("the receiver watches closing").unwrap();
        assert!(matches!(received, Err(Error::Timeout(Timeout::Close))), "{received:?}");
        assert_eq!(opcodes(&peer.frames()), [8]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_timeout_of_the_sender_ends_the_receiver() {
    for role in ROLES {
        let (mut sender, mut receiver, peer) = halves(role, &Config::default());
        let receiving = tokio::spawn(async move { receiver.recv().await });
        settle().await;
        peer.take(3);
        assert!(matches!(sender.send("stuck").await, Err(Error::Timeout(Timeout::Write))));
        let received = tokio::time::timeout(Duration::from_secs(60), receiving).await;
        let received = received.expect("the receiver is told").unwrap();
        assert!(matches!(received, Err(Error::Timeout(Timeout::Write))), "{received:?}");
    }
}
