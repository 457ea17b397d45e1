//! RFC 6455 §5.4: a message sent in fragments. Also what else a caller of the sending half may get wrong.
#![cfg(feature = "tokio")]

mod support;

use sheave_ws::{CloseCode, CloseFrame, Error, Message, Role, Usage};
use support::{Got, bounded, frame, no_time, polled, scripted};

/// The fragments' opcodes, FIN bits and payloads.
fn shape(frames: &[Got]) -> Vec<(u8, bool, &[u8])> {
    frames.iter().map(|frame| (frame.opcode, frame.fin, &frame.payload[..])).collect()
}

#[tokio::test]
async fn fragments_leave_as_they_were_fed_with_control_frames_between() {
    for role in [Role::Client, Role::Server] {
        let (mut ws, peer) = scripted(role, &no_time());
        ws.feed_fragment("one", false).await.unwrap();
        ws.ping("between").await.unwrap();
        ws.feed_fragment("", false).await.unwrap();
        ws.feed_fragment("three", true).await.unwrap();
        ws.send("whole").await.unwrap();
        let frames = peer.frames();
        let expected: [(u8, bool, &[u8]); 5] = [
            (1, false, b"one"),
            (9, true, b"between"),
            (0, false, b""),
            (0, true, b"three"),
            (1, true, b"whole"),
        ];
        assert_eq!(shape(&frames), expected);
        assert!(frames.iter().all(|frame| frame.masked == (role == Role::Client)));
    }
}

#[tokio::test]
async fn a_fragmented_message_is_finished_before_another_begins() {
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    ws.feed_fragment(vec![1], false).await.unwrap();
    let wrong = [ws.feed("whole").await, ws.feed_fragment("text", true).await, ws.send("whole").await];
    for result in wrong {
        assert!(matches!(result, Err(Error::Usage(Usage::InsideMessage))), "{result:?}");
    }
    ws.feed_fragment(vec![2], true).await.unwrap();
    ws.send("whole").await.unwrap();
    let expected: [(u8, bool, &[u8]); 3] = [(2, false, &[1]), (0, true, &[2]), (1, true, b"whole")];
    assert_eq!(shape(&peer.frames()), expected);
}

#[tokio::test]
async fn a_message_begun_before_the_split_goes_on_after_it() {
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    ws.feed_fragment("one", false).await.unwrap();
    let (mut sender, _receiver) = ws.split();
    assert!(matches!(sender.feed("whole").await, Err(Error::Usage(Usage::InsideMessage))));
    sender.feed_fragment("two", true).await.unwrap();
    bounded(sender.flush()).await.unwrap();
    let expected: [(u8, bool, &[u8]); 2] = [(1, false, b"one"), (0, true, b"two")];
    assert_eq!(shape(&peer.frames()), expected);
}

#[tokio::test]
async fn a_fragment_is_queued_whole_or_not_at_all() {
    let config = no_time().high_water_mark(1);
    for polls in 1..6 {
        let (mut ws, peer) = scripted(Role::Server, &config);
        peer.take(0);
        ws.feed_fragment("first", false).await.unwrap();
        // There is no room: dropped, it was not sent, and the message is still open for the same kind.
        assert!(polled(polls, ws.feed_fragment("lost", true)).await.is_none());
        peer.take_all();
        bounded(ws.feed_fragment("last", true)).await.unwrap();
        bounded(ws.flush()).await.unwrap();
        let expected: [(u8, bool, &[u8]); 2] = [(1, false, b"first"), (0, true, b"last")];
        assert_eq!(shape(&peer.frames()), expected);
    }
}

#[tokio::test]
async fn a_close_without_a_code_is_empty_on_the_wire() {
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    peer.send_frame(&frame().masked().empty_close());
    ws.close(CloseCode::NO_STATUS).await.unwrap();
    let expected: [(u8, bool, &[u8]); 1] = [(8, true, b"")];
    assert_eq!(shape(&peer.frames()), expected);
    assert_eq!(ws.peer_close().map(CloseFrame::code), Some(CloseCode::NO_STATUS));
    assert_eq!(CloseFrame::new(CloseCode::NO_STATUS, "why"), Err(Usage::ReasonWithoutCode));
    assert_eq!(CloseCode::new(1005), None, "never on the wire");
}

#[tokio::test]
async fn the_pong_to_a_ping_of_ones_own_is_measured() {
    let (mut ws, peer) = scripted(Role::Server, &no_time());
    ws.ping("mine").await.unwrap();
    peer.send_frame(&frame().masked().pong("another"));
    assert!(polled(3, ws.recv()).await.is_none());
    assert_eq!(ws.rtt(), None);
    peer.send_frame(&frame().masked().pong("mine"));
    peer.send_frame(&frame().masked().text("after"));
    assert_eq!(bounded(ws.recv()).await.unwrap(), Some(Message::from("after")));
    assert!(ws.rtt().is_some());
}
