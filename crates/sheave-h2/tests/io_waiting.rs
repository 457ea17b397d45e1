//! Requests that wait for the server's leave, or for the transport.
#![cfg(feature = "tokio")]

mod io_common;

use http::Request;
use io_common::{bounded, connect, get};
use sheave_h2::Error;
use sheave_h2::io::client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

const PREFACE: usize = 24;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;

/// The type and the stream of the next frame.
async fn frame(io: &mut DuplexStream) -> (u8, u32) {
    let mut head = [0; 9];
    bounded(io.read_exact(&mut head)).await.unwrap();
    let [_, high, low, kind, _, stream @ ..] = head;
    let mut payload = vec![0; usize::from(high) << 8 | usize::from(low)];
    bounded(io.read_exact(&mut payload)).await.unwrap();
    (kind, u32::from_be_bytes(stream))
}

/// The stream of the next HEADERS.
async fn headers(io: &mut DuplexStream) -> u32 {
    loop {
        if let (HEADERS, stream) = frame(io).await {
            return stream;
        }
    }
}

/// RFC 8441 §3: a client "MUST NOT" use it before the server has said that it may. Nothing else waits for that.
#[tokio::test]
async fn only_extended_connect_waits_for_settings() {
    let (near, mut far) = duplex(1 << 16);
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let first = requests.send_request(connect(), false).unwrap();
    let taken_back = requests.send_request(connect(), false).unwrap();
    let second = requests.send_request(connect(), false).unwrap();
    let got = requests.send_request(get(), true).unwrap();

    bounded(far.read_exact(&mut [0; PREFACE])).await.unwrap();
    assert_eq!(frame(&mut far).await, (SETTINGS, 0));
    assert_eq!(headers(&mut far).await, 1);
    assert_eq!(got.1.id().unwrap().get(), 1);
    assert_eq!(first.1.id(), None);
    drop(taken_back);
    tokio::task::yield_now().await;

    // ENABLE_CONNECT_PROTOCOL
    far.write_all(&[0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1]).await.unwrap();
    for expected in [3, 5] {
        assert_eq!(headers(&mut far).await, expected);
    }
    assert_eq!(first.1.id().unwrap().get(), 3);
    assert_eq!(second.1.id().unwrap().get(), 5);
    drop((first, second, got, requests, far));
    let _ = bounded(driving).await.unwrap();
}

/// What the transport has never been given can be made again elsewhere, however the connection ends.
#[tokio::test]
async fn a_request_that_has_never_left_was_not_processed() {
    let (near, far) = duplex(64);
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let mut responses = Vec::new();
    for number in 0..90 {
        let large = format!("{number}{}", "~".repeat(4000));
        let request = Request::get("https://example.org/").header("large", large).body(()).unwrap();
        let (response, _send) = requests.send_request(request, true).unwrap();
        responses.push((response, _send));
    }
    while responses.iter().any(|(_, send)| send.id().is_none()) {
        tokio::task::yield_now().await;
    }
    drop(far);
    let mut failed = [0; 2];
    for (response, _) in responses {
        match bounded(response).await.unwrap_err() {
            Error::Io(_) => failed[0] += 1,
            Error::Unprocessed => failed[1] += 1,
            other => panic!("{other}"),
        }
    }
    let [in_part, never] = failed;
    assert!(in_part > 0 && never > 0, "{in_part} may have left, {never} have not");
    bounded(driving).await.unwrap().unwrap_err();
}
