//! Handles that are dropped or waited for at odd times, and transports that end at odd times.
#![cfg(feature = "tokio")]

mod io_common;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use io_common::{all, bounded, bytes, get, post, serve};
use sheave_h2::io::{client, server};
use sheave_h2::{Config, Error, ErrorCode, Timeout};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// MAX_CONCURRENT_STREAMS is 0.
const NO_STREAMS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0];

/// Takes everything until it was given so much, and then fails; what can be read comes only after that.
#[derive(Default)]
struct Scripted {
    takes: usize,
    reads: VecDeque<u8>,
    never_flushes: bool,
    never_ends: bool,
    has_failed: bool,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.has_failed || self.reads.is_empty() {
            return Poll::Pending;
        }
        buffer.put_slice(self.reads.make_contiguous());
        self.reads.clear();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = bytes.len().min(self.takes);
        self.takes -= count;
        if count == 0 {
            self.has_failed = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.never_flushes { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.never_ends { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

#[tokio::test]
async fn what_came_before_a_failed_write_is_read() {
    let response = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];
    let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11];
    let reads = SETTINGS.iter().chain(&response).chain(&goaway).copied().collect();
    let io = Scripted { takes: 40, reads, ..Scripted::default() };
    let (mut requests, connection) = client::handshake(io);
    let (response, mut send) = requests.send_request(get(), false).unwrap();
    let error = bounded(connection).await.unwrap_err();
    assert!(
        matches!(&error, Error::GoAway(reason) if reason.code == ErrorCode::ENHANCE_YOUR_CALM),
        "{error:?}"
    );
    assert_eq!(bounded(response).await.unwrap().status(), 200);
    assert!(matches!(send.send_data(&b"more"[..]).await, Err(Error::GoAway(_))));
    assert!(matches!(requests.handle().ping().await, Err(Error::GoAway(_))));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_does_not_flush_is_given_up() {
    let config = Config::default().handshake_timeout(None).settings_timeout(None);
    let io = Scripted { takes: usize::MAX, never_flushes: true, ..Scripted::default() };
    let (_requests, connection) = client::handshake_with(io, config);
    let error = bounded(connection).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Write)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_does_not_end_is_given_up() {
    let io = Scripted { takes: usize::MAX, never_ends: true, ..Scripted::default() };
    let (requests, connection) = client::handshake(io);
    drop(requests);
    bounded(connection).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_taken_back_while_it_waits() {
    for end_stream in [false, true] {
        let (near, mut far) = duplex(1 << 16);
        let (mut requests, connection) = client::handshake(near);
        let driving = tokio::spawn(connection);
        far.write_all(NO_STREAMS).await.unwrap();
        bounded(requests.settings()).await.unwrap();
        for _ in 0..10 {
            let asked = requests.send_request(get(), end_stream).unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(1), requests.ready()).await.is_err());
            drop(asked);
            bounded(requests.ready()).await.unwrap();
        }
        // None of them keeps the connection up.
        drop(requests);
        drop(far);
        bounded(driving).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_request_made_before_a_shutdown_is_not_left_out() {
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, Config::default(), io_common::echo);
    let (mut requests, connection) = client::handshake(near);
    let (response, send) = requests.send_request(get(), true).unwrap();
    requests.handle().shutdown();
    let driving = tokio::spawn(connection);
    assert!(all(bounded(response).await.unwrap().body_mut()).await.is_empty());
    assert!(matches!(requests.ready().await, Err(Error::Closed)));
    drop(send);
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_ended_connection_that_is_kept_answers_its_handles() {
    let (near, far) = duplex(1 << 16);
    let (requests, client) = client::handshake(near);
    let mut server = server::handshake(far);
    let handle = server.handle();
    drop(requests);
    let (ended, accepted) = tokio::join!(bounded(client), bounded(server.accept()));
    ended.unwrap();
    assert!(accepted.is_none());
    assert!(matches!(bounded(handle.ping()).await, Err(Error::Closed)));
}

#[tokio::test]
async fn two_that_do_not_read_do_not_wait_for_each_other() {
    let config = Config::default().initial_window_size(1000).max_window_size(1000).max_send_queue(1000);
    let (near, far) = duplex(1 << 16);
    let content = Bytes::from(bytes(20_000));
    let sent = content.clone();
    let serving = serve(far, config.clone(), move |request, respond| {
        let sent = sent.clone();
        async move {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            drop(request);
            for piece in sent.chunks(500) {
                bounded(send.send_data(piece)).await.unwrap();
            }
            send.finish().unwrap();
        }
    });
    let (mut requests, connection) = client::handshake_with(near, config);
    let driving = tokio::spawn(connection);
    let (response, mut send) = requests.send_request(post(), false).unwrap();
    drop(bounded(response).await.unwrap());
    for piece in content.chunks(500) {
        if bounded(send.send_data(piece)).await.is_err() {
            break;
        }
    }
    let _ = send.finish();
    drop((send, requests));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn pushes_of_what_has_ended_end() {
    let (near, far) = duplex(1 << 16);
    let (mut requests, client) = client::handshake_with(near, Config::default().enable_push(true));
    let driving = tokio::spawn(client);
    let (mut response, send) = requests.send_request(get(), true).unwrap();
    let mut server = server::handshake(far);
    let (_request, mut respond) = bounded(server.accept()).await.unwrap().unwrap();
    let push = respond.push(get()).unwrap();
    let mut pushed = push.send_response(Response::new(()), false).unwrap();
    // Its parent goes before the connection has looked at it.
    drop(respond);
    let serving = tokio::spawn(async move { while bounded(server.accept()).await.is_some() {} });
    let error = bounded(pushed.failed()).await;
    assert!(matches!(error, Error::Closed), "{error:?}");
    let mut promises = response.promises().unwrap();
    drop(response);
    assert!(bounded(promises.next()).await.is_none());
    drop((requests, send));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn promises_end_with_a_response_without_content() {
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, Config::default(), |request, respond| async move {
        // The client waits for promises by then: time passes only once there is nothing else to do.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let _send = respond.send_response(Response::new(()), true).unwrap();
        drop(request.into_body().data().await);
    });
    let (mut requests, connection) = client::handshake_with(near, Config::default().enable_push(true));
    let driving = tokio::spawn(connection);
    let (mut response, mut send) = requests.send_request(get(), false).unwrap();
    let mut promises = response.promises().unwrap();
    assert!(bounded(promises.next()).await.is_none());
    bounded(response).await.unwrap();
    send.finish().unwrap();
    drop((requests, send));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_dropped_unreleased_is_given_back() {
    let config = Config::default().connection_window_size(65_535).initial_window_size(65_535);
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, config.clone(), |request, respond| async move {
        let mut body = request.into_body();
        body.manual_release(true);
        let content = all(&mut body).await;
        respond.send_response(Response::new(()), true).unwrap();
        assert_eq!(content.len(), 50_000);
    });
    let (mut requests, connection) = client::handshake_with(near, config);
    let driving = tokio::spawn(connection);
    for _ in 0..10 {
        let (response, mut send) = requests.send_request(post(), false).unwrap();
        send.send_data(Bytes::from(bytes(50_000))).await.unwrap();
        send.finish().unwrap();
        bounded(response).await.unwrap();
    }
    drop(requests);
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_read_and_kept_is_given_back() {
    let config = Config::default().connection_window_size(65_535);
    let (near, far) = duplex(1 << 16);
    let (tell, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let serving = serve(far, config.clone(), move |request, respond| {
        let tell = tell.clone();
        async move {
            let mut body = request.into_body();
            assert_eq!(all(&mut body).await.len(), 20_000);
            respond.send_response(Response::new(()), true).unwrap();
            tell.send(body).unwrap();
        }
    });
    let (mut requests, connection) = client::handshake_with(near, config);
    let driving = tokio::spawn(connection);
    let mut bodies = Vec::new();
    for _ in 0..20 {
        let (response, mut send) = requests.send_request(post(), false).unwrap();
        send.send_data(Bytes::from(bytes(20_000))).await.unwrap();
        send.finish().unwrap();
        bounded(response).await.unwrap();
        bodies.push(bounded(kept.recv()).await.unwrap());
    }
    drop(requests);
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_written_last_lets_others_begin_and_ends_the_connection() {
    let begun = tokio::time::Instant::now();
    let (near, far) = duplex(1 << 16);
    let config = Config::default().max_concurrent_streams(1);
    let serving = serve(far, config, |request, respond| async move {
        let _send = respond.send_response(Response::new(()), true).unwrap();
        drop(request.into_body().data().await);
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    bounded(requests.settings()).await.unwrap();
    let mut asked: Vec<_> = (0..3).map(|_| requests.send_request(get(), false).unwrap()).collect();
    drop(requests);
    for (response, mut send) in asked.drain(..) {
        bounded(response).await.unwrap();
        // It ends a stream that the server has ended already.
        send.finish().unwrap();
    }
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_promise_that_is_dropped_is_cancelled() {
    for taken in [true, false] {
        let (near, far) = duplex(1 << 16);
        let (mut requests, client) = client::handshake_with(near, Config::default().enable_push(true));
        let driving = tokio::spawn(client);
        let (mut response, send) = requests.send_request(get(), true).unwrap();
        let mut server = server::handshake(far);
        let (_request, mut respond) = bounded(server.accept()).await.unwrap().unwrap();
        let serving = tokio::spawn(async move { while bounded(server.accept()).await.is_some() {} });
        let push = respond.push(get()).unwrap();
        let mut asked = respond.send_response(Response::new(()), false).unwrap();
        let mut promises = response.promises().unwrap();
        let response = bounded(response).await.unwrap();
        if taken {
            // Nothing was answered to it yet.
            drop(bounded(promises.next()).await.unwrap());
        }
        drop((response, promises, send));
        asked.finish().unwrap();
        bounded(requests.handle().ping()).await.unwrap();
        let error = match push.send_response(Response::new(()), false) {
            Ok(mut pushed) => bounded(pushed.failed()).await,
            Err(error) => error,
        };
        assert!(matches!(error, Error::Reset(ErrorCode::CANCEL)), "{error:?}");
        drop(requests);
        bounded(driving).await.unwrap().unwrap();
        bounded(serving).await.unwrap();
    }
}
