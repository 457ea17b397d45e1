//! Shutdowns under load, from one side or both (RFC 9113 §6.8).
#![cfg(feature = "tokio")]

mod io_common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use io_common::{bounded, bytes, echo, post};
use sheave_h2::io::client::{self, ResponseFuture};
use sheave_h2::io::server;
use sheave_h2::{Config, Error};
use tokio::io::duplex;

const REQUESTS: usize = 60;
const LENGTH: usize = 3000;

/// Whatever was accepted is answered whole; whatever was not can be made again; and both sides end by themselves.
#[tokio::test]
async fn nothing_that_was_accepted_is_lost() {
    for (server_ends, client_ends) in [(true, false), (false, true), (true, true)] {
        for after in [0, 1, 7, 20, 40] {
            for pipe in [100, 4 << 10, 1 << 20] {
                let lost = shut_down(server_ends, client_ends, after, pipe).await;
                // A client ends what it has begun.
                assert!(server_ends || lost <= REQUESTS - MOST, "{lost} {after} {pipe}");
            }
        }
    }
}

const MOST: usize = 16;

/// How many of the requests were not answered.
async fn shut_down(server_ends: bool, client_ends: bool, after: usize, pipe: usize) -> usize {
    let (near, far) = duplex(pipe);
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let mut connection = server::handshake_with(far, Config::default().max_concurrent_streams(MOST as u32));
    let server = connection.handle();
    let serving = tokio::spawn(async move {
        while let Some(accepted) = connection.accept().await {
            let (request, respond) = accepted?;
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(echo(request, respond));
        }
        Ok::<_, Error>(())
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let client = requests.handle();
    bounded(requests.settings()).await.unwrap();
    let mut exchanges = Vec::new();
    for _ in 0..REQUESTS {
        let (response, mut send) = requests.send_request(post(), false).unwrap();
        exchanges.push(tokio::spawn(async move {
            // It may have failed, which the response tells.
            if send.send_data(Bytes::from(bytes(LENGTH))).await.is_ok() {
                let _ = send.finish();
            }
            answer(response).await
        }));
    }
    let mut answered = 0;
    let mut lost = 0;
    for (index, exchange) in exchanges.into_iter().enumerate() {
        if index == after {
            if client_ends {
                client.shutdown();
            }
            if server_ends {
                server.shutdown();
            }
        }
        match bounded(exchange).await.unwrap() {
            Ok(body) => {
                assert_eq!(body, bytes(LENGTH));
                answered += 1;
            }
            Err(Error::Unprocessed) => lost += 1,
            Err(error) => panic!("{error:?} {server_ends} {client_ends} {after} {pipe}"),
        }
    }
    assert_eq!(accepted.load(Ordering::Relaxed), answered);
    assert_eq!(answered + lost, REQUESTS);
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
    assert!(matches!(requests.ready().await, Err(Error::Closed)));
    lost
}

async fn answer(response: ResponseFuture) -> Result<Vec<u8>, Error> {
    let mut body = response.await?.into_body();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data?);
    }
    Ok(all)
}
