//! Messages that are written in parts and not finished when something else happens.
#![cfg(feature = "tokio")]

mod support;

use sheave_ws::deflate::DeflateConfig;
use sheave_ws::{Compress, Config, Error, Prepared, Role};
use support::{Random, bounded, frame, no_time, polled, scripted_agreed, squeeze};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const RSV1: u8 = 0x40;

fn configs() -> [Config; 2] {
    [no_time(), no_time().deflate(DeflateConfig::default())].map(|config| config.high_water_mark(1000))
}

#[tokio::test]
async fn a_close_ends_a_message_that_is_being_written_between_two_frames() {
    for role in ROLES {
        for config in configs() {
            for window in (0..6000).step_by(211) {
                let (ws, peer) = scripted_agreed(role, &config);
                let (mut sender, mut receiver) = ws.split();
                peer.take(window);
                let part = Random::new(1).bytes(500);
                let mut writer = sender.writer(false).frame_size(700);
                while let Some(written) = polled(3, writer.write(&part)).await {
                    written.unwrap();
                }
                for frame in [frame().ping("in between"), frame().close(1000, "")] {
                    peer.send_frame(&frame.to(role));
                    assert!(polled(3, receiver.recv()).await.is_none());
                }
                peer.end();
                assert!(matches!(bounded(writer.write(&part)).await, Err(Error::Closed)));
                assert!(matches!(bounded(writer.finish()).await, Err(Error::Closed)));
                peer.take_all();
                assert_eq!(bounded(receiver.recv()).await.unwrap(), None);
                let mut frames = peer.frames();
                assert_eq!(frames.pop().unwrap().close_code(), Some(1000), "{window}: {frames:?}");
                frames.retain(|frame| frame.opcode != 10);
                let reserved = if config.deflate.is_some() { RSV1 } else { 0 };
                for (index, frame) in frames.iter().enumerate() {
                    let start = if index == 0 { (2, reserved) } else { (0, 0) };
                    assert_eq!((frame.opcode, frame.reserved), start, "{window}: {frames:?}");
                    assert!(!frame.fin && frame.payload.len() == 700);
                }
            }
        }
    }
}

#[tokio::test]
async fn only_messages_have_to_wait_for_it() {
    let config = no_time().deflate(DeflateConfig::default());
    let content = "a message that comes meanwhile";
    let payload = squeeze(content);
    for role in ROLES {
        for compress in [Compress::Auto, Compress::Never] {
            let (mut ws, peer) = scripted_agreed(role, &config);
            let mut writer = ws.writer(true).compress(compress);
            writer.write(b"one half, ").await.unwrap();
            writer.flush().await.unwrap();
            drop(writer);
            assert!(matches!(ws.send("another").await, Err(Error::Usage(_))));
            let prepared = Prepared::new("another ".repeat(100));
            assert!(matches!(ws.send_prepared(&prepared).await, Err(Error::Usage(_))));
            ws.ping("?").await.unwrap();
            for frame in [
                frame().text(&payload[..5]).reserved(RSV1).unfinished(),
                frame().ping("!"),
                frame().continuation(&payload[5..]),
            ] {
                peer.send_frame(&frame.to(role));
            }
            assert_eq!(bounded(ws.recv()).await.unwrap(), Some(content.into()));
            let mut writer = ws.writer(true).resume();
            writer.write(b"and the other").await.unwrap();
            writer.finish().await.unwrap();
            ws.send_prepared(&prepared).await.unwrap();
            let opcodes: Vec<u8> = peer.frames().iter().map(|frame| frame.opcode).collect();
            assert_eq!(opcodes, [1, 9, 10, 0, 1]);
            // The peer makes two messages of it.
            let (other, end) = scripted_agreed(support::other(role), &config);
            end.send(peer.received());
            let (_, mut receiver) = other.split();
            assert_eq!(receiver.recv().await.unwrap(), Some("one half, and the other".into()));
            assert_eq!(receiver.recv().await.unwrap().as_ref(), Some(prepared.message()));
        }
    }
}
