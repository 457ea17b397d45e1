//! Closing from elsewhere.
#![cfg(feature = "tokio")]

mod support;

use sheave_ws::{CloseCode, Error, Role};
use support::{bounded, frame, no_time, polled, scripted, wire};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn closes_while_recv_waits() {
    for role in ROLES {
        for split in [false, true] {
            let (mut ws, peer) = scripted(role, &no_time());
            let handle = ws.close_handle();
            let receiving = if split {
                let (sender, mut receiver) = ws.split();
                tokio::spawn(async move { (receiver.recv().await, Some(sender)) })
            } else {
                tokio::spawn(async move { (ws.recv().await, None) })
            };
            settle().await;
            handle.close(CloseCode::GOING_AWAY);
            settle().await;
            assert_eq!(peer.frames()[0].close_code(), Some(1001));
            peer.send(wire(role, &[frame().close(1001, "")]));
            peer.end();
            let (received, sender) = bounded(receiving).await.unwrap();
            assert_eq!(received.unwrap(), None);
            assert!(sender.is_none_or(|sender| sender.is_closed()));
            assert_eq!(peer.frames().len(), 1);
        }
    }
}

#[tokio::test]
async fn closes_after_the_send_that_waits() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        let handle = ws.close_handle();
        peer.take(5);
        let sending = tokio::spawn(async move { (ws.send("a message").await, ws) });
        settle().await;
        handle.close(CloseCode::GOING_AWAY);
        settle().await;
        assert_eq!(peer.received().len(), 5, "the frame goes first");
        peer.take_all();
        let (sent, mut ws) = bounded(sending).await.unwrap();
        sent.unwrap();
        assert!(matches!(ws.send("late").await, Err(Error::Closed)));
        peer.send(wire(role, &[frame().close(1001, "")]));
        peer.end();
        assert_eq!(bounded(ws.recv()).await.unwrap(), None);
        let frames = peer.frames();
        assert_eq!((frames[0].opcode, frames[1].close_code()), (1, Some(1001)));
        assert_eq!(frames.len(), 2);
    }
}

#[tokio::test]
async fn one_who_only_sends_writes_the_close() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        ws.close_handle().close(CloseCode::GOING_AWAY);
        assert!(matches!(ws.send("tick").await, Err(Error::Closed)));
        assert_eq!(peer.frames()[0].close_code(), Some(1001));
    }
}

#[tokio::test]
async fn a_second_call_is_ignored() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        let (first, second) = (ws.close_handle(), ws.close_handle().clone());
        first.close(CloseCode::GOING_AWAY);
        second.close(CloseCode::NORMAL);
        assert!(polled(3, ws.recv()).await.is_none());
        second.close(CloseCode::NORMAL);
        first.close(CloseCode::NORMAL);
        assert!(polled(3, ws.recv()).await.is_none());
        ws.start_close(CloseCode::NORMAL);
        peer.send(wire(role, &[frame().close(1001, "")]));
        peer.end();
        assert_eq!(bounded(ws.recv()).await.unwrap(), None);
        second.close(CloseCode::NORMAL);
        assert_eq!(bounded(ws.recv()).await.unwrap(), None);
        assert_eq!(peer.frames().len(), 1);
        assert_eq!(peer.frames()[0].close_code(), Some(1001));
    }
}

#[tokio::test]
async fn a_handle_may_outlive_its_websocket() {
    let (mut ws, _peer) = scripted(Role::Server, &no_time());
    let handle = ws.close_handle();
    assert!(polled(1, ws.recv()).await.is_none());
    drop(ws);
    handle.close(CloseCode::NORMAL);
}

#[tokio::test]
async fn a_handle_used_before_anything_else_closes_at_once() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &no_time());
        ws.close_handle().close(CloseCode::GOING_AWAY);
        assert!(matches!(ws.send("x").await, Err(Error::Closed)));
        ws.flush().await.unwrap();
        assert_eq!(peer.frames()[0].close_code(), Some(1001));
    }
}
