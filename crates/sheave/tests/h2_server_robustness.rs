//! Clients over HTTP/2 that do anything at all: nothing panics, nothing hangs, nothing is left behind.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use http::Response;
use sheave::h2::frame::{Head, Kind};
use sheave::h2::{ErrorCode, StreamId};
use sheave::{Compress, Config, DeflateConfig, Error, Request};
use support::frames::{CONNECT, Frames, GET, Seen, data_frame, unmasked};
use support::raw::{self, TEXT};
use support::{detached, soon, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{sleep, timeout};

/// Numbers that are the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// Does one of many things with the WebSocket or the request.
async fn anything(mut request: Request, choice: usize) -> Result<(), Error> {
    if !request.is_websocket() {
        return match choice % 5 {
            0 => Ok(()),
            1 => Err(Error::other("as asked")),
            2 => request.respond(Response::new(vec![1; 40_000])).await,
            3 => {
                let body = request.body().await?;
                request.respond(Response::new(body)).await
            }
            _ => request.reject(http::StatusCode::IM_A_TEAPOT, "no coffee").await,
        };
    }
    let mut ws = match choice % 9 {
        0 => return request.reject(http::StatusCode::FORBIDDEN, "no").await,
        1 => return Ok(()),
        _ => request.accept().await?,
    };
    match choice % 9 {
        2 => drop(ws),
        3 => {
            let _ = timeout(Duration::from_secs(3), ws.recv()).await;
        }
        4 => ws.close(sheave::CloseCode::NORMAL).await?,
        5 => {
            let (mut sender, mut receiver) = ws.split();
            tokio::spawn(
                async move { while sender.send_with(vec![1; 5000], Compress::Never).await.is_ok() {} },
            );
            while receiver.recv().await?.is_some() {}
        }
        6 => {
            tokio::spawn(async move { while let Ok(Some(_)) = ws.recv().await {} });
        }
        _ => {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
        }
    }
    Ok(())
}

/// A client, and which of the streams that it has opened it has not ended.
struct Wild {
    client: Frames<DuplexStream>,
    chance: Chance,
    next: u32,
    open: Vec<u32>,
}

impl Wild {
    /// One thing that a client might do; most of them are in order.
    fn act(&mut self) -> BytesMut {
        let Self { client, chance, next, open } = self;
        let frame = |kind, flags, stream: u32, payload: &[u8]| {
            let mut bytes = BytesMut::new();
            let (kind, stream) = (Kind::new(kind), StreamId::new(stream));
            Head { length: payload.len() as u32, kind, flags, stream }.write(&mut bytes);
            bytes.extend_from_slice(payload);
            bytes
        };
        let choice = chance.below(if open.is_empty() { 9 } else { 40 });
        if choice < 9 {
            let (opened, is_get) = (*next, choice > 5);
            *next += 2;
            let extension = ("sec-websocket-extensions", "permessage-deflate");
            let fields = match is_get {
                true => GET.to_vec(),
                false => [&CONNECT[..], &[extension][..chance.below(2)]].concat(),
            };
            let end = chance.below(10) == 0;
            open.extend(Some(opened).filter(|_| !end));
            return client.headers(opened, &fields, end);
        }
        let index = chance.below(open.len());
        let stream = open[index];
        let end = chance.below(20) == 0;
        if matches!(choice, 9..=25) && end || matches!(choice, 26..=27) {
            open.swap_remove(index);
        }
        match choice {
            9..=18 => data_frame(stream, &raw::frame(TEXT, &vec![b'x'; chance.below(2000)]), end),
            19..=21 => data_frame(stream, &chance.bytes(30), end),
            22..=23 => data_frame(stream, &raw::frame(8, &raw::close(1000)), end),
            24 => data_frame(stream, &raw::frame(9, b"ping"), end),
            // As if compressed.
            25 => data_frame(stream, &[&[0xc1, 0x85, 0, 0, 0, 0][..], &chance.bytes(6)].concat(), end),
            26..=27 => frame(0x3, 0, stream, &(chance.below(16) as u32).to_be_bytes()),
            28..=32 => frame(0x8, 0, stream, &(1 + chance.below(50_000) as u32).to_be_bytes()),
            33..=35 => frame(0x8, 0, 0, &(1 + chance.below(50_000) as u32).to_be_bytes()),
            36 => frame(0x6, 0, 0, &[7; 8]),
            37 => frame(0x2, 0, stream, &[0, 0, 0, 0, 1]),
            38 => frame(0x4, 0, 0, &[0, 4, 0, 0, chance.below(255) as u8, 0]),
            // Anything at all, now and then: mostly the end.
            _ if chance.below(20) == 0 => {
                frame(chance.below(20) as u8, chance.below(256) as u8, stream, &chance.bytes(20))
            }
            _ => frame(0x7f, 0, stream, &chance.bytes(20)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_anything() {
    let (mut served, mut ended) = (0, 0);
    for seed in 1..=60_u64 {
        let chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (count, witness) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
        let config =
            Config::default().deflate(DeflateConfig::default()).write_timeout(Duration::from_secs(20));
        let (handlers, witnesses) = (Arc::clone(&count), Arc::clone(&witness));
        let (near, task) = detached(
            |builder| builder.config(config).keepalive(Duration::from_secs(30)),
            move |request: Request| {
                let choice = handlers.fetch_add(1, Ordering::Relaxed);
                let witness = Arc::clone(&witnesses);
                async move {
                    let _witness = witness;
                    anything(request, choice).await
                }
            },
        )
        .await;
        let client = Frames::begin(near).await;
        let mut wild = Wild { client, chance, next: 1, open: Vec::new() };
        for _ in 0..wild.chance.below(300) {
            let bytes = wild.act();
            let Wild { client, chance, .. } = &mut wild;
            let (first, rest) = bytes.split_at(chance.below(bytes.len() + 1));
            if client.io.write_all(first).await.is_err() {
                break;
            }
            if chance.below(8) == 0 {
                sleep(Duration::from_millis(chance.below(3000) as u64)).await;
            }
            if client.io.write_all(rest).await.is_err() {
                break;
            }
            // What comes is read, without a look.
            let mut rest = [0; 16 << 10];
            while let Ok(Ok(1..)) = timeout(Duration::ZERO, client.io.read(&mut rest)).await {}
        }
        served += count.load(Ordering::Relaxed);
        drop(wild);
        ended += usize::from(soon(task).await.unwrap().is_err());
        // What was moved elsewhere goes as well.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(Arc::strong_count(&witness), 1, "{seed}");
    }
    println!("{served} requests, {ended} connections that failed");
    assert!(served > 1000 && ended > 5, "{served} {ended}");
}

/// Requests that are taken back at once are borne up to a limit, and it is the connection of who makes them that ends.
#[tokio::test]
async fn a_flood_of_requests_that_are_taken_back() {
    let server = start(|builder| builder, support::mirror).await;
    let mut other = Frames::dial(server.address).await;
    other.open(1).await;
    let mut client = Frames::dial(server.address).await;
    let mut bytes = BytesMut::new();
    for stream in (1..6001).step_by(2) {
        bytes.extend_from_slice(&client.headers(stream, &CONNECT, false));
        let mut reset = BytesMut::new();
        sheave::h2::frame::RstStream { stream: StreamId::new(stream), code: ErrorCode::CANCEL }
            .write(&mut reset);
        bytes.extend_from_slice(&reset);
    }
    let _ = client.io.write_all(&bytes).await;
    let seen = client.until_gone().await;
    let ends = |seen: &Seen| matches!(seen, Seen::GoAway(_, ErrorCode::ENHANCE_YOUR_CALM));
    assert!(seen.iter().any(ends), "{:?}", seen.last());
    other.frame(1, TEXT, b"unharmed").await;
    assert_eq!(other.take(1, 10).await, unmasked(TEXT, b"unharmed"));
    drop((client, other));
    server.stop().await;
}

/// A connection of HTTP/2 is one of those that there may be, until the last of its WebSockets is gone, wherever that is.
#[tokio::test]
async fn a_connection_counts_as_one() {
    let (moved, mut sockets) = unbounded_channel();
    let server = start(
        |builder| builder.max_connections(1),
        move |request: Request| {
            let moved = moved.clone();
            async move {
                if !request.is_websocket() {
                    return support::path(request).await;
                }
                moved.send(request.accept().await?).unwrap();
                Ok(())
            }
        },
    )
    .await;
    let mut client = Frames::dial(server.address).await;
    for stream in [1, 3, 5] {
        client.open(stream).await;
    }
    drop(client);
    let second = tokio::spawn(async move {
        let mut client = Frames::dial(server.address).await;
        let answer = client.get(1).await;
        drop(client);
        server.stop().await;
        answer
    });
    for _ in 0..3 {
        sleep(Duration::from_millis(30)).await;
        assert!(!second.is_finished());
        drop(soon(sockets.recv()).await.unwrap());
    }
    assert_eq!(soon(second).await.unwrap(), (200, b"/page".to_vec()));
}

/// CVE-2023-44487: a handler goes on when its request is taken back, so there may only be so many.
#[tokio::test(start_paused = true)]
async fn handlers_of_requests_that_were_taken_back() {
    const STREAMS: u32 = 4;
    let at_work = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&at_work);
    let http2 = sheave::h2::Config::default().max_concurrent_streams(STREAMS);
    let (near, _task) = detached(
        |server| server.http2(http2),
        move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::pending()
        },
    )
    .await;
    let mut client = Frames::begin(near).await;
    for number in 0..100 {
        let stream = 2 * number + 1;
        client.request(stream, &GET, true).await;
        if number >= 2 * STREAMS {
            assert_eq!(client.see().await, Seen::Reset(stream, ErrorCode::REFUSED_STREAM));
        } else {
            // Its handler has begun.
            sleep(Duration::from_millis(1)).await;
            client.reset(stream, ErrorCode::CANCEL).await;
        }
    }
    assert_eq!(at_work.load(Ordering::SeqCst), 2 * STREAMS as usize);
}
