//! How a client's WebSocket over HTTP/2 ends, as a server sees it frame by frame (RFC 8441 §5).

mod support;

use std::time::Duration;

use sheave::h2::{self, ErrorCode};
use sheave::{CloseCode, Config, Message, WebSocket, stream_error, ws};
use support::peer::h2_only;
use support::raw_server::Frames;
use support::soon;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// An unmasked Close with 1000.
const CLOSE: &[u8] = b"\x88\x02\x03\xe8";

/// A WebSocket, and its server.
async fn open() -> (WebSocket, Frames<DuplexStream>) {
    let (near, far) = duplex(64 << 10);
    let client = h2_only().config(Config::default().close_timeout(Duration::from_secs(30))).build();
    let opening = tokio::spawn(client.request("ws://example.org/").connect_over(near));
    let mut frames = Frames::taking(far).await;
    assert_eq!(frames.open().await, 1);
    (soon(opening).await.unwrap().unwrap(), frames)
}

/// Closes, in whole or split, beside the server.
fn closing(mut ws: WebSocket, split: bool) -> JoinHandle<Result<(), ws::Error>> {
    tokio::spawn(async move {
        if !split {
            return soon(ws.close(CloseCode::NORMAL)).await;
        }
        let (mut sender, mut receiver) = ws.split();
        sender.close(CloseCode::NORMAL).await?;
        assert_eq!(soon(receiver.recv()).await?, None);
        Ok(())
    })
}

/// Our Close has come.
async fn closed(frames: &mut Frames<DuplexStream>) {
    assert_eq!(frames.next().await, "DATA 1");
    assert_eq!(frames.unmasked(), (0x88, vec![0x03, 0xe8]));
}

/// Nothing more is said but that the connection is of no use.
async fn over(mut frames: Frames<DuplexStream>) {
    assert_eq!(frames.next().await, "GOAWAY NO_ERROR");
    assert_eq!(frames.next().await, "end");
}

/// Who has ended its half may have forgotten the stream: hypercorn and libwebsockets take an END_STREAM for an error of the
/// connection.
#[tokio::test(start_paused = true)]
async fn the_server_ends_its_half() {
    for split in [false, true] {
        for with_the_close in [false, true] {
            let (ws, mut frames) = open().await;
            let begun = Instant::now();
            let closing = closing(ws, split);
            closed(&mut frames).await;
            frames.data(1, CLOSE, with_the_close).await;
            if !with_the_close {
                tokio::time::sleep(Duration::from_millis(500)).await;
                frames.data(1, b"", true).await;
            }
            soon(closing).await.unwrap().unwrap();
            assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
            over(frames).await;
        }
    }
}

/// The server closes first. If it ends its half with that, our answer ends ours.
#[tokio::test(start_paused = true)]
async fn the_server_begins() {
    for with_the_close in [false, true] {
        let (mut ws, mut frames) = open().await;
        frames.data(1, CLOSE, with_the_close).await;
        let receiving = tokio::spawn(async move {
            assert_eq!(soon(ws.recv()).await.unwrap(), None);
            assert_eq!(ws.peer_close().unwrap().code(), CloseCode::NORMAL);
        });
        let came = frames.next().await;
        assert_eq!(frames.unmasked(), (0x88, vec![0x03, 0xe8]));
        if with_the_close {
            assert_eq!(came, "DATA 1 END_STREAM");
        } else {
            assert_eq!(came, "DATA 1");
            frames.data(1, b"", true).await;
            assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
        }
        soon(receiving).await.unwrap();
        over(frames).await;
    }
}

/// Apache ends its half only after us, hypercorn never does.
#[tokio::test(start_paused = true)]
async fn the_server_does_not_end_its_half() {
    for split in [false, true] {
        for follows in [false, true] {
            let (ws, mut frames) = open().await;
            let closing = closing(ws, split);
            closed(&mut frames).await;
            frames.data(1, CLOSE, false).await;
            let begun = Instant::now();
            assert_eq!(frames.next().await, "DATA 1 END_STREAM");
            assert!(frames.payload.is_empty());
            assert_eq!(begun.elapsed().as_millis() / 100, 10, "{:?}", begun.elapsed());
            if follows {
                frames.data(1, b"", true).await;
            } else {
                assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
                assert_eq!(begun.elapsed().as_millis() / 100, 20, "{:?}", begun.elapsed());
            }
            soon(closing).await.unwrap().unwrap();
            over(frames).await;
        }
    }
}

/// A reset behind the Close is as good an end as any.
#[tokio::test(start_paused = true)]
async fn the_server_resets_after_its_close() {
    for code in [ErrorCode::NO_ERROR, ErrorCode::CANCEL] {
        for split in [false, true] {
            let (ws, mut frames) = open().await;
            let closing = closing(ws, split);
            closed(&mut frames).await;
            frames.data(1, CLOSE, false).await;
            frames.reset(1, code).await;
            soon(closing).await.unwrap().unwrap();
            over(frames).await;
        }
    }
}

/// END_STREAM without a Close is a FIN: 1006 elsewhere.
#[tokio::test(start_paused = true)]
async fn an_end_without_a_close() {
    let (mut ws, mut frames) = open().await;
    frames.data(1, b"\x81\x04last", true).await;
    assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("last")));
    let error = soon(ws.recv()).await.unwrap_err();
    assert!(matches!(error, ws::Error::Disconnected), "{error:?}");
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    drop(ws);
    assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
    over(frames).await;
}

/// RST_STREAM is told with its code; what came before it is not lost.
#[tokio::test(start_paused = true)]
async fn a_reset_without_a_close() {
    for code in [ErrorCode::NO_ERROR, ErrorCode::CANCEL, ErrorCode::INTERNAL_ERROR, ErrorCode::new(77)] {
        let (mut ws, mut frames) = open().await;
        frames.data(1, b"\x81\x04last", false).await;
        frames.reset(1, code).await;
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(Message::from("last")));
        let error = soon(ws.recv()).await.unwrap_err();
        let told = stream_error(&error).expect("a stream's");
        assert!(matches!(told, h2::Error::Reset(told) if *told == code), "{told:?}");
        assert_eq!(soon(ws.recv()).await.unwrap(), None);
        assert!(matches!(soon(ws.send("more")).await, Err(ws::Error::Closed | ws::Error::Io(_))));
    }
}

/// Dropped, it is a TCP reset.
#[tokio::test(start_paused = true)]
async fn dropped() {
    for split in [false, true] {
        let (mut ws, mut frames) = open().await;
        soon(ws.send("hello")).await.unwrap();
        assert_eq!(frames.next().await, "DATA 1");
        if split {
            drop(ws.split());
        } else {
            drop(ws);
        }
        assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
        over(frames).await;
    }
}

/// A server that does not answer a Close: it is given up when the time for that is over.
#[tokio::test(start_paused = true)]
async fn a_close_without_an_answer() {
    let (ws, mut frames) = open().await;
    let closing = closing(ws, false);
    closed(&mut frames).await;
    let begun = Instant::now();
    assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
    // It begins anew where what was said before has left meanwhile.
    assert!((30..=60).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let error = soon(closing).await.unwrap().unwrap_err();
    assert!(matches!(error, ws::Error::Timeout(ws::Timeout::Close)), "{error:?}");
    over(frames).await;
}

/// The server breaks RFC 6455: it gets the Close that says so, and the end of the stream.
#[tokio::test(start_paused = true)]
async fn a_violation() {
    for ends in [false, true] {
        let (mut ws, mut frames) = open().await;
        // Text that is none.
        frames.data(1, b"\x81\x01\xff", ends).await;
        let error = soon(ws.recv()).await.unwrap_err();
        assert!(matches!(error, ws::Error::Protocol(_)), "{error:?}");
        assert_eq!(frames.next().await, "DATA 1 END_STREAM");
        assert_eq!(frames.unmasked().1[..2], 1007_u16.to_be_bytes());
        drop(ws);
        if !ends {
            assert_eq!(frames.next().await, "RST_STREAM 1 CANCEL");
        }
        over(frames).await;
    }
}
