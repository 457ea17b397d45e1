//! Many tasks on many threads that drop what they like when they like, over streams that fail when they like: whatever
//! happens, everything ends.
#![cfg(feature = "tokio")]

#[path = "io_common/chaotic.rs"]
mod chaotic;
mod io_common;
#[path = "common/numbers.rs"]
mod numbers;

use std::time::Duration;

use bytes::Bytes;
use chaotic::Chaotic;
use futures_util::future::join_all;
use http::{Request, Response};
use io_common::{all, bounded, bytes, post, serve};
use numbers::Random;
use sheave_h2::io::client::{self, SendRequest};
use sheave_h2::io::server::SendResponse;
use sheave_h2::io::{RecvStream, SendStream};
use sheave_h2::{Config, ErrorCode, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Drops whatever is to be done, now and then.
async fn perhaps<T>(random: &mut Random, future: impl Future<Output = T>) -> Option<T> {
    match random.below(12) {
        0 => None,
        1 => tokio::time::timeout(Duration::from_micros(random.below(2000) as u64), future).await.ok(),
        _ => Some(bounded(future).await),
    }
}

async fn sender(mut random: Random, mut send: SendStream) -> Option<()> {
    for _ in 0..random.below(20) {
        let length = match random.below(4) {
            0 => random.below(20_000),
            _ => random.below(100),
        };
        match random.below(30) {
            0 => return None,
            1 => send.reset(ErrorCode::CANCEL),
            2 => tokio::task::yield_now().await,
            3 => drop(tokio::time::timeout(Duration::from_millis(1), send.failed()).await),
            n if n % 2 == 0 => {
                perhaps(&mut random, send.send_data(Bytes::from(bytes(length)))).await?.ok()?;
            }
            _ => perhaps(&mut random, send.write_all(&bytes(length))).await?.ok()?,
        }
    }
    send.finish().ok()
}

async fn receiver(mut random: Random, mut receive: RecvStream) -> Option<()> {
    receive.manual_release(random.one_in(5));
    loop {
        match random.below(30) {
            0 => return None,
            1 => receive.release(100),
            2 => perhaps(&mut random, receive.trailers()).await?.ok().map(drop)?,
            n if n % 2 == 0 => {
                let data = perhaps(&mut random, receive.data()).await??.ok()?;
                receive.release(data.len());
            }
            _ => {
                let read = perhaps(&mut random, receive.read(&mut [0; 50])).await?.ok()?;
                receive.release(read);
                if read == 0 {
                    return None;
                }
            }
        }
    }
}

async fn answer(mut random: Random, request: Request<RecvStream>, mut respond: SendResponse) {
    if random.one_in(10) {
        return;
    }
    let ok = Response::new(());
    if random.one_in(3) {
        let pushed = Request::get("https://example.org/pushed").body(()).unwrap();
        if let Ok(push) = respond.push(pushed)
            && !random.one_in(4)
            && let Ok(send) = push.send_response(Response::new(()), random.one_in(4))
        {
            tokio::spawn(sender(random.clone(), send));
        }
    }
    let Ok(send) = respond.send_response(ok, random.one_in(10)) else { return };
    tokio::join!(sender(random.clone(), send), receiver(random.clone(), request.into_body()));
}

async fn ask(mut random: Random, mut requests: SendRequest) -> Option<()> {
    for _ in 0..random.below(6) {
        if !random.one_in(3) {
            perhaps(&mut random, requests.ready()).await?.ok()?;
        }
        if random.one_in(8) {
            let _ = perhaps(&mut random, requests.handle().ping()).await;
        }
        if random.one_in(8) {
            perhaps(&mut random, requests.settings()).await?.ok()?;
        }
        let request = match random.one_in(2) {
            true => Request::connect("https://example.org/").extension(Protocol::websocket()),
            false => Request::post("https://example.org/"),
        };
        let end_stream = random.one_in(4) && request.method_ref() == Some(&http::Method::POST);
        let (mut response, send) = requests.send_request(request.body(()).unwrap(), end_stream).ok()?;
        let promises = (!random.one_in(3)).then(|| response.promises().unwrap());
        let watching = promises.map(|mut promises| {
            let mut random = random.clone();
            tokio::spawn(async move {
                while let Some((_, pushed)) = bounded(promises.next()).await {
                    if let Some(Ok(pushed)) = perhaps(&mut random, pushed).await {
                        receiver(random.clone(), pushed.into_body()).await;
                    }
                }
            })
        });
        let sending = tokio::spawn(sender(random.clone(), send));
        let body = perhaps(&mut random, response).await.and_then(Result::ok).map(Response::into_body);
        if let Some(body) = body {
            receiver(random.clone(), body).await;
        }
        bounded(sending).await.unwrap();
        if let Some(watching) = watching {
            bounded(watching).await.unwrap();
        }
    }
    Some(())
}

async fn chaos(seed: u64) {
    let mut random = Random::new(seed);
    // No timer of ours brings about what does not come by itself.
    let config = Config::default()
        .handshake_timeout(None)
        .settings_timeout(None)
        .write_timeout(None)
        .initial_window_size(1 + random.below(3000) as u32)
        .max_window_size(1 << 16)
        .max_send_queue(1 + random.below(5000))
        .max_concurrent_streams(1 + random.below(20) as u32);
    let (near, far) = duplex(1 + random.below(9000));
    let mut fails = || random.one_in(2).then(|| 1 + random.below(60_000));
    let (near, far) = (Chaotic::new(near, seed, fails()), Chaotic::new(far, !seed, fails()));
    let seeds = std::sync::atomic::AtomicU64::new(seed * 1000);
    let serving = serve(far, config.clone().enable_connect_protocol(true), move |request, respond| {
        let seed = seeds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        answer(Random::new(seed), request, respond)
    });
    let (requests, connection) = client::handshake_with(near, config.enable_push(!seed.is_multiple_of(3)));
    let handle = requests.handle();
    let driving = tokio::spawn(connection);
    let asking = (0..16).map(|index| {
        let requests = requests.clone();
        tokio::spawn(ask(Random::new(seed * 100 + index), requests))
    });
    let asking: Vec<_> = asking.collect();
    drop(requests);
    match seed % 5 {
        0 => {
            tokio::time::sleep(Duration::from_millis(2)).await;
            handle.shutdown();
        }
        1 => {
            tokio::time::sleep(Duration::from_millis(2)).await;
            driving.abort();
        }
        _ => {}
    }
    for asking in asking {
        bounded(asking).await.unwrap();
    }
    let _ = bounded(driving).await;
    let _ = bounded(serving).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_ends() {
    let seeds: u64 = std::env::var("SHEAVE_CHAOS").map_or(24, |seeds| seeds.parse().unwrap());
    for start in (0..seeds).step_by(4) {
        join_all((start..start + 4).map(|seed| async move {
            let ended = tokio::spawn(chaos(seed)).await;
            assert!(ended.is_ok(), "seed {seed}");
        }))
        .await;
    }
}

/// Nothing that was asked for is lost over such streams as long as they do not fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_arrives() {
    for seed in 0..12 {
        let config = Config::default()
            .initial_window_size(700)
            .max_send_queue(100 + seed as usize * 100)
            .max_concurrent_streams(5);
        let (near, far) = duplex(2000);
        let (near, far) = (Chaotic::new(near, seed, None), Chaotic::new(far, !seed, None));
        let mut echo = io_common::Echo::on(near, far, config);
        // Until it knows how many there may be at once, some would be refused.
        bounded(echo.requests.settings()).await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let (response, mut send) = echo.requests.send_request(post(), false).unwrap();
            tasks.push(tokio::spawn(async move {
                let sending = tokio::spawn(async move {
                    for piece in bytes(3000).chunks(37) {
                        send.write_all(piece).await.unwrap();
                    }
                    send.finish().unwrap();
                });
                let mut response = bounded(response).await.unwrap();
                assert_eq!(all(response.body_mut()).await, bytes(3000));
                bounded(sending).await.unwrap();
            }));
        }
        for task in tasks {
            bounded(task).await.unwrap();
        }
        echo.end().await;
    }
}
