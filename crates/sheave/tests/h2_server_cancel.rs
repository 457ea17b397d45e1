//! What may be dropped at any await point over HTTP/2, dropped at every one.

mod support;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::Response;
use sheave::h2::ErrorCode;
use sheave::{CloseCode, Error, Message, Request, Server, ServerBuilder};
use support::frames::{CONNECT, Frames, GET, Seen, last, some, unmasked};
use support::raw::{self, BINARY, CLOSE, TEXT, close};
use support::soon;
use support::stream::Trickle;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::sleep;

const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MOMENT: Duration = Duration::from_millis(1);

/// Awaits what the expression makes by a future that is made anew for every poll; counts these.
macro_rules! anew {
    ($polls:ident, $future:expr) => {
        poll_fn(|cx| {
            $polls += 1;
            pin!($future).poll(cx)
        })
        .await
    };
}

/// A server that reads and writes a byte at a time.
async fn trickling<H, F>(
    configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
    settings: &[(u16, u32)],
    handler: H,
) -> (Frames<DuplexStream>, JoinHandle<Result<(), Error>>)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let server = configure(Server::detached()).build().await.unwrap();
    let (near, far) = duplex(64 << 10);
    let task = tokio::spawn(async move { server.serve_connection(Trickle(far), handler).await });
    (Frames::begin_with(near, settings).await, task)
}

#[tokio::test(start_paused = true)]
async fn a_body() {
    let (mut client, task) = trickling(
        |builder| builder,
        &[],
        |mut request: Request| async move {
            let mut polls = 0;
            let body = anew!(polls, request.body())?;
            assert!(polls > 10, "only {polls}");
            request.respond(Response::new(body)).await
        },
    )
    .await;
    let post = [(":method", "POST"), GET[1], GET[2], GET[3]];
    for (stream, more) in [(1, ("content-length", "11")), (3, ("x", "y")), (5, ("expect", "100-continue"))] {
        client.request(stream, &[&post[..], &[more]].concat(), false).await;
        if stream == 5 {
            // One and no more, however often it was begun.
            let seen = client.see().await;
            assert!(matches!(seen, Seen::Headers { stream: 5, status: 100, .. }), "{seen:?}");
        }
        for byte in b"hello world" {
            sleep(MOMENT).await;
            client.data(stream, [*byte], false).await;
        }
        client.data(stream, b"", true).await;
        assert_eq!(client.answer(stream).await, (200, b"hello world".to_vec()));
    }
    drop(client);
    let _ = soon(task).await.unwrap();
}

/// An answer that is given up after so many polls is reset, unless it was whole by then; and nobody else is.
#[tokio::test(start_paused = true)]
async fn an_answer() {
    let most = Arc::new(AtomicUsize::new(0));
    let set = Arc::clone(&most);
    let (mut client, task) = trickling(
        |builder| builder,
        &[(INITIAL_WINDOW_SIZE, 100)],
        move |request: Request| {
            let set = Arc::clone(&set);
            async move {
                if request.is_websocket() {
                    return support::echo(request).await;
                }
                let most = set.load(Ordering::SeqCst);
                let mut polls = 0;
                let mut answer = Box::pin(request.respond(Response::new(vec![7; 1000])));
                let _ = poll_fn(|cx| {
                    polls += 1;
                    match answer.as_mut().poll(cx) {
                        Poll::Pending if polls < most => Poll::Pending,
                        poll => Poll::Ready(poll),
                    }
                })
                .await;
                drop(answer);
                Ok(())
            }
        },
    )
    .await;
    client.open(1).await;
    let (mut stream, mut resets) = (3, 0);
    loop {
        most.fetch_add(1, Ordering::SeqCst);
        client.request(stream, &GET, true).await;
        let mut got = 0;
        let whole = loop {
            match client.see().await {
                Seen::Headers { status: 200, .. } => {}
                Seen::Data { data, end, .. } => {
                    got += data.len();
                    if end {
                        break true;
                    }
                    client.credit(stream, 100).await;
                }
                Seen::Reset(of, ErrorCode::CANCEL) if of == stream => break false,
                seen => panic!("{seen:?}"),
            }
        };
        client.frame(1, TEXT, b"!").await;
        assert_eq!(client.see().await, some(1, &unmasked(TEXT, b"!")));
        client.credit(1, 3).await;
        if whole {
            assert_eq!(got, 1000);
            break;
        }
        assert!(got < 1000);
        resets += 1;
        stream += 2;
    }
    assert!(resets > 3, "only {resets}");
    drop(client);
    let _ = soon(task).await.unwrap();
}

/// An acceptance waits for nothing; given up before, the request was not answered.
#[tokio::test(start_paused = true)]
async fn an_acceptance() {
    let (mut client, task) = trickling(
        |builder| builder,
        &[(INITIAL_WINDOW_SIZE, 0)],
        |request: Request| async move {
            if request.path() == "/never" {
                drop(request.accept());
                return Ok(());
            }
            let mut accepting = Box::pin(request.accept());
            let accepted = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
            let Poll::Ready(ws) = accepted else { panic!("it waits") };
            assert!(ws?.recv().await?.is_none());
            Ok(())
        },
    )
    .await;
    client.open(1).await;
    let mut fields = CONNECT;
    fields[4].1 = "/never";
    client.request(3, &fields, true).await;
    let seen = client.see().await;
    assert!(matches!(seen, Seen::Headers { stream: 3, status: 404, .. }), "{seen:?}");
    client.credit(1, 1000).await;
    client.data(1, raw::frame(CLOSE, &close(1000)), true).await;
    assert_eq!(client.see().await, last(1, &unmasked(CLOSE, &close(1000))));
    drop(client);
    let _ = soon(task).await.unwrap();
}

const COUNT: usize = 60;

/// Messages that are told apart, of many lengths.
fn message(index: usize) -> Message {
    vec![index as u8; index * 37 % 700].into()
}

/// Receives, sends and closes, each by futures that are dropped after one poll.
async fn converse(request: Request) -> Result<(), Error> {
    let in_halves = request.path() == "/halves";
    let mut ws = request.accept().await?;
    let (mut received, mut sent, mut closed) = (0, 0, 0);
    if in_halves {
        let (mut sender, mut receiver) = ws.split();
        for index in 0..COUNT {
            assert_eq!(anew!(received, receiver.recv())?, Some(message(index)));
            // What waited was not taken.
            anew!(sent, sender.feed(message(index)))?;
            if index % 3 == 0 {
                anew!(sent, sender.flush())?;
            }
        }
        anew!(closed, sender.close(CloseCode::NORMAL))?;
        assert_eq!(anew!(received, receiver.recv())?, None);
        assert_eq!(receiver.peer_close().unwrap().code(), CloseCode::NORMAL);
    } else {
        for index in 0..COUNT {
            assert_eq!(anew!(received, ws.recv())?, Some(message(index)));
            anew!(sent, ws.feed(message(index)))?;
            if index % 3 == 0 {
                anew!(sent, ws.flush())?;
            }
        }
        anew!(closed, ws.close(CloseCode::NORMAL))?;
        assert_eq!(ws.peer_close().unwrap().code(), CloseCode::NORMAL);
    }
    assert!(received > COUNT * 2, "only {received}");
    assert!(sent > COUNT, "only {sent}");
    assert!(closed > 1, "only {closed}");
    Ok(())
}

/// However the futures are dropped: every message once, in its order, and one Close.
#[tokio::test(start_paused = true)]
async fn a_websocket() {
    for path in ["/whole", "/halves"] {
        let http2 = sheave::h2::Config::default().max_send_queue(50).initial_window_size(60_000);
        let config = sheave::Config::default().high_water_mark(100);
        let configure = |builder: ServerBuilder| builder.http2(http2).config(config);
        let (mut client, task) = trickling(configure, &[(INITIAL_WINDOW_SIZE, 0)], converse).await;
        let mut fields = CONNECT;
        fields[4].1 = path;
        client.request(1, &fields, false).await;
        client.is_opened(1).await;
        let (mut expected, mut got, mut window) = (Vec::new(), Vec::new(), 0);
        for index in 0..COUNT {
            let Message::Binary(payload) = message(index) else { unreachable!() };
            let frame = raw::frame(BINARY, &payload);
            let (first, rest) = frame.split_at(frame.len() / 2);
            client.data(1, first, false).await;
            sleep(MOMENT).await;
            client.data(1, rest, false).await;
            let head = match payload.len() {
                length @ 0..=125 => vec![0x82, length as u8],
                length => vec![0x82, 126, (length >> 8) as u8, length as u8],
            };
            expected.extend_from_slice(&head);
            expected.extend_from_slice(&payload);
        }
        expected.extend(unmasked(CLOSE, &close(1000)));
        while got.len() < expected.len() {
            if window == 0 {
                sleep(MOMENT).await;
                client.credit(1, 29).await;
                window = 29;
            }
            let seen = client.see().await;
            let Seen::Data { data, end: false, .. } = seen else { panic!("{seen:?}") };
            window -= data.len();
            got.extend_from_slice(&data);
        }
        assert!(got == expected, "{path}");
        client.data(1, &raw::frame(CLOSE, &close(1000))[..3], false).await;
        sleep(MOMENT).await;
        client.data(1, &raw::frame(CLOSE, &close(1000))[3..], false).await;
        assert_eq!(client.see().await, last(1, b""));
        client.data(1, b"", true).await;
        sleep(MOMENT).await;
        drop(client);
        assert!(soon(task).await.unwrap().is_ok(), "{path}");
    }
}

/// The future that serves a connection, dropped at every one of its first polls: nothing is left behind, and nothing hangs.
#[tokio::test(start_paused = true)]
async fn serving() {
    for polls in 1..200 {
        let server = Server::detached().build().await.unwrap();
        let (near, far) = duplex(64 << 10);
        let client = tokio::spawn(async move {
            let mut client = Frames::new(near);
            let mut bytes = support::frames::preface(&[]);
            bytes.extend_from_slice(&client.headers(1, &CONNECT, false));
            bytes.extend_from_slice(&client.headers(3, &GET, true));
            // It may be gone by now.
            let _ = client.io.write_all(&bytes).await;
            client.until_gone().await
        });
        let ended = Arc::new(());
        let witness = Arc::clone(&ended);
        let mut serving = Box::pin(server.serve_connection(Trickle(far), move |request: Request| {
            let witness = Arc::clone(&witness);
            async move {
                let _witness = witness;
                support::mirror(request).await
            }
        }));
        let mut polled = 0;
        poll_fn(|cx| {
            polled += 1;
            match serving.as_mut().poll(cx) {
                Poll::Pending if polled < polls => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
        drop(serving);
        soon(client).await.unwrap();
        // Aborted tasks go when the runtime gets to them.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(Arc::strong_count(&ended), 1, "{polls}");
    }
}
