//! How tunnels end whose peer does not end them.
#![cfg(feature = "tokio")]

mod io_common;

use std::time::Duration;

use http::Response;
use io_common::{all, bounded, bytes, connect, serve};
use sheave_h2::io::{RecvStream, SendStream, client, server};
use sheave_h2::{Config, Error, ErrorCode};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const LINGER: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(10);

fn config() -> Config {
    Config::default().enable_connect_protocol(true)
}

/// A client, and a server that ends each tunnel by itself after a word, and reads nothing.
fn start(config: Config) -> (client::SendRequest, [JoinHandle<Result<(), Error>>; 2]) {
    let (near, far) = duplex(64 << 10);
    let serving = serve(far, config, |request, respond| async move {
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        send.send_data(&b"bye"[..]).await.unwrap();
        send.finish().unwrap();
        drop(request);
    });
    let (requests, connection) = client::handshake(near);
    (requests, [tokio::spawn(connection), serving])
}

/// Opens a tunnel, and reads it to its end.
async fn tunnel(requests: &mut client::SendRequest) -> (SendStream, RecvStream) {
    let (response, send) = requests.send_request(connect(), false).unwrap();
    let mut receive = bounded(response).await.unwrap().into_body();
    assert_eq!(all(&mut receive).await, b"bye");
    (send, receive)
}

async fn end(requests: client::SendRequest, tasks: [JoinHandle<Result<(), Error>>; 2]) {
    drop(requests);
    for task in tasks {
        bounded(task).await.unwrap().unwrap();
    }
}

/// As with Firefox, which never does.
#[tokio::test(start_paused = true)]
async fn tunnels_that_a_client_never_ends_make_place_for_others() {
    let (mut requests, tasks) = start(config().max_concurrent_streams(5));
    bounded(requests.settings()).await.unwrap();
    let begin = Instant::now();
    let mut tunnels = Vec::new();
    for number in 0..18 {
        tunnels.push(tunnel(&mut requests).await);
        // Five at once, and the next after a while.
        let waited = LINGER * (number / 5);
        assert!(begin.elapsed() >= waited, "{number}: {:?}", begin.elapsed());
        assert!(begin.elapsed() < waited + LINGER / 2, "{number}: {:?}", begin.elapsed());
    }
    for (send, _) in &mut tunnels {
        assert!(matches!(bounded(send.failed()).await, Error::Reset(ErrorCode::NO_ERROR)));
    }
    assert!(begin.elapsed() < LINGER * 9 / 2);
    end(requests, tasks).await;
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_that_the_peer_ends_in_time_is_not_reset() {
    let (mut requests, tasks) = start(config());
    let (mut send, _receive) = tunnel(&mut requests).await;
    sleep(LINGER - MOMENT).await;
    // What it still has to say is passed over: also what fills windows.
    bounded(send.write_all(&bytes(1 << 20))).await.unwrap();
    send.finish().unwrap();
    assert!(matches!(bounded(send.failed()).await, Error::Closed));
    end(requests, tasks).await;
}

/// A client that reads no more is no other.
#[tokio::test(start_paused = true)]
async fn what_was_said_last_is_read_before_a_reset() {
    let (near, far) = duplex(64 << 10);
    let (tell, mut accepted) = mpsc::unbounded_channel();
    let serving = serve(far, config(), move |request, respond| {
        let send = respond.send_response(Response::new(()), false).unwrap();
        tell.send((send, request.into_body())).unwrap();
        async {}
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let (response, mut send) = requests.send_request(connect(), false).unwrap();
    let begin = Instant::now();
    send.send_data(&b"bye"[..]).await.unwrap();
    send.finish().unwrap();
    drop(bounded(response).await.unwrap());
    let (mut other_send, mut other_receive) = bounded(accepted.recv()).await.unwrap();
    let error = bounded(other_send.failed()).await;
    assert!(matches!(error, Error::Reset(ErrorCode::CANCEL)), "{error:?}");
    assert!(begin.elapsed() >= LINGER);
    assert_eq!(all(&mut other_receive).await, b"bye");
    end(requests, [driving, serving]).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_once_they_are_reset() {
    let (near, far) = duplex(64 << 10);
    let mut connection = server::handshake_with(far, config());
    let handle = connection.handle();
    let serving = tokio::spawn(async move {
        while let Some(accepted) = connection.accept().await {
            let (_, respond) = accepted?;
            respond.send_response(Response::new(()), false).unwrap().finish().unwrap();
        }
        Ok::<_, Error>(())
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let (response, mut send) = requests.send_request(connect(), false).unwrap();
    assert_eq!(all(bounded(response).await.unwrap().body_mut()).await, b"");
    let begin = Instant::now();
    handle.shutdown();
    assert!(matches!(bounded(send.failed()).await, Error::Reset(ErrorCode::NO_ERROR)));
    assert!(begin.elapsed() >= LINGER - MOMENT && begin.elapsed() < LINGER + MOMENT);
    assert!(timeout(LINGER / 2, serving).await.unwrap().unwrap().is_ok());
    assert!(timeout(LINGER / 2, driving).await.unwrap().unwrap().is_ok());
}
