//! Flow control over HTTP/2: who is not read, or does not read, holds up nobody else (RFC 9113 §5.2).

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use sheave::h2::frame::{self, Head, flag};
use sheave::h2::{ErrorCode, StreamId};
use sheave::{CloseCode, Config, Error, Message, Request, ws};
use support::frames::{CONNECT, Frames, Seen, last, some, unmasked};
use support::raw::{self, BINARY, CLOSE, TEXT, close};
use support::{detached, soon};
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const INITIAL_WINDOW_SIZE: u16 = 0x4;
/// What the server lets a client send on a stream at first.
const WINDOW: usize = 16 << 10;

async fn open(client: &mut Frames<DuplexStream>, stream: u32, path: &str) {
    let mut fields = CONNECT;
    fields[4].1 = path;
    client.request(stream, &fields, false).await;
    client.is_opened(stream).await;
}

/// What came as DATA until all that was sent has been taken in, and what it brought about was done.
async fn settled(client: &mut Frames<DuplexStream>) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..2 {
        sleep(Duration::from_millis(1)).await;
        client.ping(*b"settled?").await;
        loop {
            match client.see().await {
                Seen::Data { data, .. } => content.extend_from_slice(&data),
                seen => break assert_eq!(seen, Seen::Pong(*b"settled?")),
            }
        }
    }
    content
}

/// An echo that begins only when it is let, unless it is at `/now`.
async fn reluctant() -> (DuplexStream, JoinHandle<Result<(), Error>>, Arc<Semaphore>) {
    let go = Arc::new(Semaphore::new(0));
    let let_go = Arc::clone(&go);
    let (near, task) = detached(
        |builder| builder,
        move |request: Request| {
            let go = Arc::clone(&go);
            async move {
                let waits = request.path() != "/now";
                let mut ws = request.accept().await?;
                if waits {
                    go.acquire().await.unwrap().forget();
                }
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                Ok(())
            }
        },
    )
    .await;
    (near, task, let_go)
}

/// A WebSocket that its handler does not read holds what its window lets come, and no more; the others go on.
#[tokio::test(start_paused = true)]
async fn sockets_that_are_not_read() {
    let (near, task, go) = reluctant().await;
    let mut client = Frames::begin(near).await;
    open(&mut client, 1, "/now").await;
    // As many as there may be: all of their windows together leave the connection's open.
    let unread: Vec<u32> = (3..2000).step_by(2).collect();
    let frame = raw::frame(BINARY, &[7; WINDOW - 8]);
    assert_eq!(frame.len(), WINDOW);
    for &stream in &unread {
        client.connect(stream, &[]).await;
        client.data(stream, &frame, false).await;
    }
    let mut opened = 0;
    while opened < unread.len() {
        assert!(matches!(client.see().await, Seen::Headers { status: 200, .. }));
        opened += 1;
    }
    client.credits.retain(|(stream, _)| *stream > 1);
    assert_eq!(client.credits, []);
    for round in 0..200 {
        client.frame(1, BINARY, &[round; 10_000]).await;
        let answer = client.take(1, 10_004).await;
        assert!(answer[4..].iter().all(|byte| *byte == round));
        client.credit(0, 10_004).await;
        client.credit(1, 10_004).await;
    }
    assert!(client.credits.iter().all(|(stream, _)| *stream <= 1), "{:?}", client.credits);
    // The next is read, and credited.
    go.add_permits(1);
    client.credit(0, 1 << 20).await;
    let Seen::Data { stream, data, .. } = client.see().await else { panic!() };
    assert!(unread.contains(&stream) && data.len() > 1000);
    settled(&mut client).await;
    assert!(client.credits.iter().any(|(credited, _)| *credited == stream), "{:?}", client.credits);
    drop(client);
    go.add_permits(unread.len());
    assert!(soon(task).await.unwrap().is_err());
}

/// More than the window allows ends that stream.
#[tokio::test(start_paused = true)]
async fn more_than_the_window() {
    let (near, _task, _go) = reluctant().await;
    let mut client = Frames::begin(near).await;
    open(&mut client, 1, "/now").await;
    open(&mut client, 3, "/wait").await;
    client.data(3, [0x82, 0xfe, 0xff, 0xff], false).await;
    client.data(3, [0; WINDOW - 4], false).await;
    client.data(3, [0], false).await;
    assert_eq!(client.see().await, Seen::Reset(3, ErrorCode::FLOW_CONTROL_ERROR));
    client.frame(1, TEXT, b"unharmed").await;
    assert_eq!(client.see().await, some(1, &unmasked(TEXT, b"unharmed")));
}

/// What a sender was let queue, and how that ended.
#[derive(Debug)]
struct Flooded {
    accepted: usize,
    error: ws::Error,
    after: Duration,
}

const PIECE: usize = 10_000;

/// A server that floods, but for the echo at `/now`.
async fn flood(
    config: Config,
    feeds: bool,
) -> (DuplexStream, JoinHandle<Result<(), Error>>, UnboundedReceiver<Flooded>) {
    let (sender, floods) = unbounded_channel();
    let (near, task) = detached(
        |builder| builder.config(config),
        move |request: Request| {
            let sender = sender.clone();
            async move {
                if request.path() == "/now" {
                    return support::echo(request).await;
                }
                let in_halves = request.path() == "/halves";
                let ws = request.accept().await?;
                let mut accepted = 0;
                let message = Message::from(vec![7; PIECE]);
                let mut last = Instant::now();
                // One or the other half of a match would do; both have the same methods.
                macro_rules! flood {
                    ($ws:expr) => {
                        loop {
                            let sent = match feeds {
                                true => $ws.feed(message.clone()).await,
                                false => $ws.send(message.clone()).await,
                            };
                            match sent {
                                Ok(()) => accepted += PIECE,
                                Err(error) => break error,
                            }
                            last = Instant::now();
                        }
                    };
                }
                let (mut ws, mut halves) = match in_halves {
                    true => (None, Some(ws.split())),
                    false => (Some(ws), None),
                };
                let error = match (&mut ws, &mut halves) {
                    (Some(ws), _) => flood!(ws),
                    (_, Some((half, _))) => flood!(half),
                    _ => unreachable!(),
                };
                let _ = sender.send(Flooded { accepted, error, after: last.elapsed() });
                Ok(())
            }
        },
    )
    .await;
    (near, task, floods)
}

/// A client that does not read: sending waits, within bounds, and then fails with a typed error; the others go on.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read() {
    for feeds in [false, true] {
        for path in ["/flood", "/halves"] {
            for window in [0, 1000, 65_535] {
                let config = Config::default().write_timeout(Duration::from_secs(30));
                let (near, task, mut floods) = flood(config, feeds).await;
                let mut client = Frames::begin_with(near, &[(INITIAL_WINDOW_SIZE, window)]).await;
                client.credit(0, 1 << 20).await;
                open(&mut client, 1, "/now").await;
                client.credit(1, 1 << 20).await;
                open(&mut client, 3, path).await;
                if window > 0 {
                    client.take(3, window as usize).await;
                }
                for _ in 0..5 {
                    sleep(Duration::from_secs(5)).await;
                    assert!(floods.try_recv().is_err(), "it is to wait");
                    client.frame(1, BINARY, &[1; 10_000]).await;
                    client.take(1, 10_004).await;
                }
                let flooded = soon(floods.recv()).await.unwrap();
                assert!(matches!(flooded.error, ws::Error::Timeout(ws::Timeout::Write)), "{flooded:?}");
                assert!(flooded.after >= Duration::from_secs(29), "{flooded:?}");
                // The window, the stream's queue, the WebSocket's, and a message each beyond.
                // Of a half there is one more queue, its own.
                let queues = if path == "/halves" { 3 } else { 2 };
                let most = window as usize + queues * ((64 << 10) + PIECE);
                assert!(flooded.accepted <= most, "{flooded:?}");
                assert_eq!(client.see().await, Seen::Reset(3, ErrorCode::CANCEL));
                client.frame(1, TEXT, b"unharmed").await;
                assert_eq!(client.see().await, some(1, &unmasked(TEXT, b"unharmed")));
                drop(client);
                assert!(soon(task).await.unwrap().is_err());
            }
        }
    }
}

/// A Close that finds no window waits for one, but not for ever.
#[tokio::test(start_paused = true)]
async fn a_close_without_a_window() {
    let (near, task) = detached(|builder| builder, support::echo).await;
    let mut client = Frames::begin_with(near, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    let answer = unmasked(CLOSE, &close(1000));
    for stream in [1, 3] {
        client.open(stream).await;
        client.frame(stream, CLOSE, &close(1000)).await;
        let seen = timeout(Duration::from_millis(4990), client.see()).await;
        assert!(seen.is_err(), "{seen:?}");
        if stream == 1 {
            // Just in time, and whatever is taken of it gives it as long again.
            client.credit(stream, 3).await;
            assert_eq!(client.see().await, some(stream, &answer[..3]));
            sleep(Duration::from_secs(4)).await;
            client.credit(stream, 3).await;
            assert_eq!(client.see().await, last(stream, &answer[3..]));
            client.data(stream, b"", true).await;
        } else {
            assert_eq!(client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));
        }
    }
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// One that reads slowly is waited for, however slow it is.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly() {
    let config = Config::default().write_timeout(Duration::from_secs(30));
    let (near, task, mut floods) = flood(config, false).await;
    let mut client = Frames::begin_with(near, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.credit(0, 1 << 20).await;
    open(&mut client, 3, "/flood").await;
    for _ in 0..300 {
        sleep(Duration::from_secs(25)).await;
        client.credit(3, 1).await;
        client.take(3, 1).await;
    }
    assert!(floods.try_recv().is_err());
    drop(client);
    let flooded = soon(floods.recv()).await.unwrap();
    assert!(!matches!(flooded.error, ws::Error::Timeout(_)), "{flooded:?}");
    assert!(soon(task).await.unwrap().is_err());
}

/// A client that takes nothing at all off the transport: everything ends, in time.
#[tokio::test(start_paused = true)]
async fn a_transport_that_is_not_read() {
    let config = Config::default().write_timeout(Duration::from_secs(30));
    let (near, task, mut floods) = flood(config, false).await;
    let mut client = Frames::begin_with(near, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.credit(0, 1 << 30).await;
    for stream in [1, 3, 5] {
        open(&mut client, stream, "/flood").await;
    }
    for stream in [1, 3, 5] {
        client.credit(stream, 1 << 30).await;
    }
    let begun = Instant::now();
    let error = soon(task).await.unwrap().unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(65), "{:?}", begun.elapsed());
    assert!(error.to_string().contains("took nothing"), "{error}");
    for _ in 0..3 {
        let flooded = soon(floods.recv()).await.unwrap();
        let is_timeout = matches!(flooded.error, ws::Error::Timeout(ws::Timeout::Write))
            || sheave::stream_error(&flooded.error).is_some();
        assert!(is_timeout, "{flooded:?}");
    }
}

/// A window that the connection's takes away: who has a window of its own waits for that of all, and goes on then.
#[tokio::test(start_paused = true)]
async fn the_connections_window() {
    let (near, task, _floods) = flood(Config::default(), false).await;
    let mut client = Frames::begin_with(near, &[(INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    open(&mut client, 1, "/now").await;
    open(&mut client, 3, "/flood").await;
    client.take(3, 65_535).await;
    client.frame(1, TEXT, b"hello").await;
    let seen = timeout(Duration::from_secs(5), client.see()).await;
    assert!(seen.is_err(), "{seen:?}");
    // Short ones go ahead of bulk.
    client.credit(0, 7).await;
    assert_eq!(client.see().await, some(1, &unmasked(TEXT, b"hello")));
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// The messages that are echoed in whatever pieces they come, some of them in several frames.
fn conversation() -> (Vec<u8>, Vec<u8>) {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for length in [0, 1, 125, 126, 300] {
        there.extend_from_slice(&raw::frame(BINARY, &vec![9; length]));
        back.extend(server_frame(BINARY, &vec![9; length]));
    }
    // Grüße, cut inside a character, with a Ping in between.
    there.extend_from_slice(&[0x01, 0x83, 0, 0, 0, 0, b'G', b'r', 0xc3]);
    there.extend_from_slice(&[0x89, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]);
    there.extend_from_slice(&[0x80, 0x84, 5, 6, 7, 8, 0xbc ^ 5, 0xc3 ^ 6, 0x9f ^ 7, b'e' ^ 8]);
    back.extend(unmasked(10, b"hi"));
    back.extend(unmasked(TEXT, "Grüße".as_bytes()));
    (there, back)
}

fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    match payload.len() {
        0..=125 => unmasked(opcode, payload),
        length => [&[0x80 | opcode, 126, (length >> 8) as u8, length as u8][..], payload].concat(),
    }
}

/// The boundaries of DATA frames mean nothing: cut in two at every byte, into single bytes, with padding and empty ones between.
#[tokio::test(start_paused = true)]
async fn boundaries_mean_nothing() {
    let (near, task, _) = reluctant().await;
    let mut client = Frames::begin(near).await;
    client.credit(0, 1 << 30).await;
    let (there, back) = conversation();
    let mut stream = 1;
    for cut in 0..=there.len() {
        open(&mut client, stream, "/now").await;
        client.data(stream, &there[..cut], false).await;
        // At once, or once the first part has been looked at.
        let mut seen = if cut % 2 == 0 { settled(&mut client).await } else { Vec::new() };
        client.data(stream, &there[cut..], false).await;
        seen.extend(client.take(stream, back.len() - seen.len()).await);
        assert_eq!(seen, back, "{cut}");
        client.reset(stream, ErrorCode::CANCEL).await;
        stream += 2;
    }
    open(&mut client, stream, "/now").await;
    for byte in &there {
        client.data(stream, [*byte], false).await;
        client.data(stream, [], false).await;
        let mut padded = BytesMut::new();
        let (stream, data, padding) = (StreamId::new(stream), &[][..], Some(3));
        frame::Data { stream, end_stream: false, data, padding }.write(&mut padded);
        client.send(padded).await;
    }
    assert_eq!(client.take(stream, back.len()).await, back);
    // All in one.
    client.data(stream, &there, false).await;
    assert_eq!(client.take(stream, back.len()).await, back);
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// A message over many DATA frames of any size, in both directions, beyond all windows.
#[tokio::test(start_paused = true)]
async fn messages_over_many_frames() {
    let (near, task, _) = reluctant().await;
    let mut client = Frames::begin(near).await;
    client.credit(0, 1 << 30).await;
    let payload: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    for (stream, size) in [(1, 1000), (3, 4096), (5, 9999), (7, 16_384)] {
        open(&mut client, stream, "/now").await;
        client.credit(stream, 1 << 30).await;
        let mut bytes = vec![0x82, 0xff];
        bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&payload);
        let mut window = WINDOW;
        let mut back = Vec::new();
        for piece in bytes.chunks(size) {
            while window < piece.len() {
                client.ping(*b"settled?").await;
                match client.see().await {
                    Seen::Data { data, .. } => back.extend_from_slice(&data),
                    seen => assert_eq!(seen, Seen::Pong(*b"settled?")),
                }
                let credited = client.credits.drain(..).filter(|(of, _)| *of == stream);
                window += credited.map(|(_, credit)| credit as usize).sum::<usize>();
            }
            window -= piece.len();
            client.data(stream, piece, false).await;
        }
        while back.len() < payload.len() + 10 {
            if let Seen::Data { data, .. } = client.see().await {
                back.extend_from_slice(&data);
            }
        }
        assert_eq!(back[..10], bytes_of_head(payload.len()));
        assert!(back[10..] == payload, "{size}");
    }
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

fn bytes_of_head(length: usize) -> Vec<u8> {
    [&[0x82, 127][..], &(length as u64).to_be_bytes()].concat()
}

/// A DATA frame above the announced size ends the connection; one of exactly that size does not.
#[tokio::test(start_paused = true)]
async fn the_largest_frame() {
    let (near, task, _) = reluctant().await;
    let mut client = Frames::begin(near).await;
    open(&mut client, 1, "/now").await;
    client.data(1, raw::frame(BINARY, &[1; WINDOW - 8]), false).await;
    client.take(1, WINDOW - 4).await;
    let mut head = BytesMut::new();
    let kind = frame::Kind::DATA;
    Head { length: WINDOW as u32 + 1, kind, flags: flag::END_STREAM, stream: StreamId::new(1) }
        .write(&mut head);
    client.send(head).await;
    assert_eq!(client.see().await, Seen::GoAway(1, ErrorCode::FRAME_SIZE_ERROR));
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// A Close behind much that is taken slowly: split or not, closing goes on while the client takes something.
#[tokio::test(start_paused = true)]
async fn a_close_to_a_client_that_reads_slowly() {
    const MESSAGE: usize = 32 << 10;
    const STEP: usize = 1024;
    for splits in [false, true] {
        let config = Config::default().close_timeout(Duration::from_secs(10));
        let (near, task) = detached(
            |server| server.config(config),
            move |request: Request| async move {
                let mut ws = request.accept().await?;
                ws.send(vec![7; MESSAGE]).await?;
                if !splits {
                    return Ok(ws.close(CloseCode::NORMAL).await?);
                }
                let (mut sender, mut receiver) = ws.split();
                sender.close(CloseCode::NORMAL).await?;
                while receiver.recv().await?.is_some() {}
                Ok(())
            },
        )
        .await;
        let mut client = Frames::begin_with(near, &[(INITIAL_WINDOW_SIZE, 0)]).await;
        client.credit(0, 1 << 20).await;
        open(&mut client, 1, "/").await;
        // The heads of both frames, and the code.
        let mut left = 4 + MESSAGE + 4;
        while left > 0 {
            sleep(Duration::from_secs(4)).await;
            let step = left.min(STEP);
            client.credit(1, step as u32).await;
            client.take(1, step).await;
            left -= step;
        }
        client.frame(1, CLOSE, &close(1000)).await;
        assert_eq!(
            client.see().await,
            Seen::Data { stream: 1, data: Default::default(), end: true },
            "{splits}"
        );
        drop(client);
        assert!(soon(task).await.unwrap().is_err());
    }
}
