//! Futures that are dropped whenever they have to wait.
#![cfg(feature = "tokio")]

mod io_common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use http::{HeaderMap, Request, Response};
use io_common::{bounded, bytes, post};
use sheave_h2::Config;
use sheave_h2::io::{RecvStream, SendStream, client, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// What comes of polling `future` so many times, before it is dropped.
async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(done) = polled {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Makes the future anew until it is done within so many polls.
macro_rules! insist {
    ($polls:expr, $future:expr) => {
        loop {
            if let Some(done) = polled($polls, $future).await {
                break done;
            }
            tokio::task::yield_now().await;
        }
    };
}

const BODY: usize = 3000;

async fn send(polls: usize, stream: &mut SendStream, body: &[u8]) {
    for (index, piece) in body.chunks(101).enumerate() {
        if index % 2 == 0 {
            insist!(polls, stream.send_data(piece)).unwrap();
            continue;
        }
        let mut left = piece;
        while !left.is_empty() {
            let count = insist!(polls, stream.write(left)).unwrap();
            left = &left[count..];
        }
    }
}

async fn receive(polls: usize, stream: &mut RecvStream) -> Vec<u8> {
    let mut body = Vec::new();
    let mut buffer = [0; 77];
    while body.len() < BODY {
        match insist!(polls, stream.data()) {
            Some(data) => body.extend_from_slice(&data.unwrap()),
            None => return body,
        }
        let count = insist!(polls, stream.read(&mut buffer)).unwrap();
        body.extend_from_slice(&buffer[..count]);
    }
    body
}

/// Both sides of an exchange over a pipe of so many bytes.
async fn exchange(polls: usize, pipe: usize) {
    let config = Config::default().initial_window_size(500).max_send_queue(200);
    let (near, far) = duplex(pipe);
    let mut connection = server::handshake_with(far, config.clone());
    let serving = tokio::spawn(async move {
        let mut answering = Vec::new();
        while let Some(accepted) = insist!(polls, connection.accept()) {
            let (request, mut respond) = accepted.unwrap();
            answering.push(tokio::spawn(async move {
                let interim = Response::builder().status(103).body(()).unwrap();
                respond.send_informational(interim).unwrap();
                let pushed = Request::get("https://example.org/pushed").body(()).unwrap();
                let push = respond.push(pushed).unwrap();
                push.send_response(Response::new(()), true).unwrap();
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                let mut body = request.into_body();
                let received = receive(polls, &mut body).await;
                assert_eq!(received, bytes(BODY));
                send(polls, &mut stream, &received).await;
                let trailers = insist!(polls, body.trailers()).unwrap();
                stream.send_trailers(trailers.unwrap()).unwrap();
            }));
        }
        for answering in answering {
            answering.await.unwrap();
        }
    });
    let (mut requests, connection) = client::handshake_with(near, config.enable_push(true));
    let driving = tokio::spawn(connection);
    insist!(polls, requests.settings()).unwrap();
    for _ in 0..3 {
        insist!(polls, requests.ready()).unwrap();
        let (mut response, mut stream) = requests.send_request(post(), false).unwrap();
        let sending = tokio::spawn(async move {
            send(polls, &mut stream, &bytes(BODY)).await;
            stream
                .send_trailers(HeaderMap::from_iter([("a".parse().unwrap(), "b".parse().unwrap())]))
                .unwrap();
        });
        assert_eq!(insist!(polls, response.informational()).unwrap().unwrap().status(), 103);
        let mut promises = response.promises().unwrap();
        let (_, mut pushed) = insist!(polls, promises.next()).unwrap();
        insist!(polls, &mut pushed).unwrap();
        let mut body = insist!(polls, &mut response).unwrap().into_body();
        assert_eq!(receive(polls, &mut body).await, bytes(BODY));
        assert_eq!(insist!(polls, body.trailers()).unwrap().unwrap()["a"], "b");
        sending.await.unwrap();
    }
    bounded(requests.handle().ping()).await.unwrap();
    drop(requests);
    driving.await.unwrap().unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn nothing_is_lost() {
    for polls in 1..4 {
        for pipe in [1, 10, 1000] {
            bounded(exchange(polls, pipe)).await;
        }
    }
}
