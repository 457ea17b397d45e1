//! How streams and connections end.
#![cfg(feature = "tokio")]

mod io_common;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use io_common::{Echo, all, bounded, bytes, connect, echo, get, post, serve};
use sheave_h2::io::{client, server};
use sheave_h2::{Config, Error, ErrorCode, PREFACE, StreamId, Timeout, Usage, frame};
use sheave_hpack::{Encoder, Field};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use tokio::sync::{mpsc, watch};

#[tokio::test]
async fn a_dropped_handle_resets_its_stream_and_nothing_else() {
    let mut echo = Echo::start(Config::default());
    let (mut send, mut receive) = echo.tunnel().await;
    for round in 0..6 {
        let (other_send, other_receive) = echo.tunnel().await;
        match round % 3 {
            0 => drop((other_send, other_receive)),
            1 => drop(other_send),
            _ => drop(other_receive),
        }
        send.write_all(b"still here").await.unwrap();
        bounded(receive.read_exact(&mut [0; 10])).await.unwrap();
    }
    drop((send, receive));
    echo.end().await;
}

#[tokio::test]
async fn what_a_server_does_not_answer_is_cancelled() {
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, Config::default(), |_, respond| async move { drop(respond) });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let (response, _send) = requests.send_request(get(), true).unwrap();
    assert!(matches!(bounded(response).await, Err(Error::Reset(ErrorCode::CANCEL))));
    drop((requests, _send));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_answers_early_takes_no_more() {
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, Config::default(), |request, respond| async move {
        drop(request);
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        send.send_data(&b"enough"[..]).await.unwrap();
        send.finish().unwrap();
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let (response, mut send) = requests.send_request(post(), false).unwrap();
    let mut body = bounded(response).await.unwrap().into_body();
    assert_eq!(all(&mut body).await, b"enough");
    // RFC 9113 §8.1
    assert!(matches!(bounded(send.failed()).await, Error::Reset(ErrorCode::NO_ERROR)));
    assert!(matches!(send.send_data(&b"more"[..]).await, Err(Error::Reset(ErrorCode::NO_ERROR))));
    drop((requests, send, body));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_reset_is_read() {
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, Config::default(), |_, respond| async move {
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        send.send_data(&b"some"[..]).await.unwrap();
        while send.queued() > 0 {
            tokio::task::yield_now().await;
        }
        send.reset(ErrorCode::INTERNAL_ERROR);
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let (response, _send) = requests.send_request(get(), true).unwrap();
    let mut body = bounded(response).await.unwrap().into_body();
    // Until all of it has come: time passes only once there is nothing else to do.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(bounded(body.data()).await.unwrap().unwrap(), b"some"[..]);
    let error = bounded(body.data()).await.unwrap();
    assert!(matches!(error, Err(Error::Reset(ErrorCode::INTERNAL_ERROR))), "{error:?}");
    drop((requests, _send, body));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_loses_nothing_that_was_accepted() {
    let (near, far) = duplex(1 << 16);
    let mut connection = server::handshake(far);
    let server = connection.handle();
    let (release, released) = watch::channel(false);
    let serving = tokio::spawn(async move {
        while let Some(accepted) = connection.accept().await {
            let (request, respond) = accepted.unwrap();
            let mut released = released.clone();
            tokio::spawn(async move {
                released.wait_for(|released| *released).await.unwrap();
                echo(request, respond).await;
            });
        }
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let mut responses = Vec::new();
    for _ in 0..50 {
        requests.ready().await.unwrap();
        let (response, mut send) = requests.send_request(get(), false).unwrap();
        send.send_data(Bytes::from(bytes(1000))).await.unwrap();
        send.finish().unwrap();
        responses.push(response);
    }
    bounded(server.ping()).await.unwrap();
    server.shutdown();
    // It is told, and takes no more once the round trip is over.
    while requests.ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(requests.send_request(get(), true), Err(Error::Closed)));
    release.send(true).unwrap();
    for response in responses {
        let mut response = bounded(response).await.unwrap();
        assert_eq!(all(response.body_mut()).await, bytes(1000));
    }
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broken_transport_fails_every_stream() {
    let (near, far) = duplex(1 << 16);
    let serving = tokio::spawn(async move {
        let mut connection = server::handshake_with(far, Config::default().enable_connect_protocol(true));
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        let send = respond.send_response(Response::new(()), false).unwrap();
        // Until nothing is on its way any more.
        let driven = tokio::time::timeout(Duration::from_millis(1), connection.accept()).await;
        assert!(driven.is_err());
        drop((request, send));
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let (response, mut send) = requests.send_request(connect(), false).unwrap();
    let mut body = bounded(response).await.unwrap().into_body();
    bounded(serving).await.unwrap();
    assert!(matches!(bounded(driving).await.unwrap(), Err(Error::Io(_))));
    assert!(matches!(bounded(body.data()).await, Some(Err(Error::Io(_)))));
    assert!(matches!(send.send_data(&b"more"[..]).await, Err(Error::Io(_))));
    assert!(matches!(requests.ready().await, Err(Error::Io(_))));
}

#[tokio::test]
async fn a_dropped_connection_tells_its_handles() {
    let (near, _far) = duplex(1 << 16);
    let (mut requests, connection) = client::handshake(near);
    let (response, mut send) = requests.send_request(get(), false).unwrap();
    drop(connection);
    // It can be made again.
    assert!(matches!(bounded(response).await, Err(Error::Unprocessed)));
    assert!(matches!(send.send_data(&b"more"[..]).await, Err(Error::Unprocessed)));
    assert!(requests.ready().await.is_err());
    assert!(requests.settings().await.is_err());
    assert!(requests.handle().ping().await.is_err());
    assert!(requests.send_request(get(), true).is_err());
}

/// A stream that ends by what we send makes room as well.
#[tokio::test]
async fn the_end_of_a_request_lets_the_next_begin() {
    let (near, far) = duplex(1 << 16);
    // No timer has the connection look again by chance.
    let config = Config::default().max_concurrent_streams(1).handshake_timeout(None).settings_timeout(None);
    let serving = serve(far, config.clone(), |request, respond| async move {
        let _send = respond.send_response(Response::new(()), true).unwrap();
        all(&mut request.into_body()).await;
    });
    let (mut requests, connection) = client::handshake_with(near, config);
    let driving = tokio::spawn(connection);
    bounded(requests.settings()).await.unwrap();
    let (response, mut first) = requests.send_request(get(), false).unwrap();
    assert_eq!(all(bounded(response).await.unwrap().body_mut()).await, b"");
    let (response, mut second) = requests.send_request(get(), false).unwrap();
    first.finish().unwrap();
    bounded(response).await.unwrap();
    second.finish().unwrap();
    drop((requests, first, second));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

/// Who has taken a request back before it was looked at has nobody look at it.
#[tokio::test]
async fn what_is_taken_back_is_not_accepted() {
    let (mut near, far) = duplex(1 << 16);
    let mut connection = server::handshake(far);
    let mut bytes = BytesMut::from(&PREFACE[..]);
    frame::Settings::write(&[], &mut bytes);
    let mut encoder = Encoder::new();
    for stream in [1, 3, 5].map(StreamId::new) {
        let mut block = BytesMut::new();
        let fields =
            [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "example.org")];
        encoder.encode(fields.map(|(name, value)| Field::new(name, value)), &mut block);
        let (fragment, dependency, padding) = (&block[..], None, None);
        frame::Headers { stream, end_stream: true, end_headers: true, dependency, fragment, padding }
            .write(&mut bytes);
        if stream.get() != 3 {
            frame::RstStream { stream, code: ErrorCode::CANCEL }.write(&mut bytes);
        }
    }
    near.write_all(&bytes).await.unwrap();
    let (_request, respond) = bounded(connection.accept()).await.unwrap().unwrap();
    assert_eq!(respond.send_response(Response::new(()), true).unwrap().id(), Some(StreamId::new(3)));
    drop(near);
    while let Some(accepted) = bounded(connection.accept()).await {
        assert!(accepted.is_err(), "{accepted:?}");
    }
}

/// A peer that reads only once all that it sends was taken is told why it was in vain.
#[tokio::test(start_paused = true)]
async fn who_reads_late_is_told_as_well() {
    let (mut near, far) = duplex(50);
    let mut connection = server::handshake(far);
    let serving = tokio::spawn(async move { connection.accept().await.unwrap().unwrap_err() });
    tokio::time::timeout(Duration::from_secs(20), near.write_all(&bytes(100_000))).await.unwrap().unwrap();
    let mut told = Vec::new();
    bounded(near.read_to_end(&mut told)).await.unwrap();
    let reason = b"not the preface of HTTP/2";
    assert!(told.ends_with(reason), "{told:?}");
    drop(near);
    assert!(matches!(bounded(serving).await.unwrap(), Error::Protocol(_)));
}

/// A peer that sends for ever and ends nothing.
#[derive(Debug)]
struct Flood;

impl AsyncRead for Flood {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(b"GET / HTTP/1.1\r\n");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// However much comes after the end, others have their turn.
#[tokio::test]
async fn what_comes_after_the_end_holds_nobody_up() {
    let mut connection = server::handshake(Flood);
    for _ in 0..100 {
        let polled = poll_fn(|cx| Poll::Ready(connection.poll_accept(cx))).await;
        assert!(polled.is_pending());
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_there_is_given_up() {
    for (config, expected) in [
        (Config::default(), Timeout::Handshake),
        (
            Config::default().handshake_timeout(None).settings_timeout(Some(Duration::from_secs(3))),
            Timeout::Settings,
        ),
    ] {
        let (near, _far) = duplex(1 << 16);
        let (_requests, connection) = client::handshake_with(near, config);
        let error = bounded(connection).await.unwrap_err();
        assert!(matches!(error, Error::Timeout(timeout) if timeout == expected), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (near, _far) = duplex(100);
    let config = Config::default().handshake_timeout(None).settings_timeout(None);
    let (mut requests, connection) = client::handshake_with(near, config);
    let mut asked = Vec::new();
    for _ in 0..10 {
        asked.push(requests.send_request(get(), true).unwrap());
    }
    let error = bounded(connection).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Write)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_has_as_long_as_it_is_given() {
    let (near, _far) = duplex(10);
    let config = Config::default().write_timeout(Some(Duration::from_secs(3)));
    let (mut requests, connection) = client::handshake_with(near, config);
    let _asked = requests.send_request(get(), true).unwrap();
    let start = tokio::time::Instant::now();
    let error = bounded(connection).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Write)), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn keepalive_finds_a_peer_that_is_gone() {
    let (near, mut far) = duplex(1 << 16);
    let config = Config::default().keepalive(Some(Duration::from_secs(30))).settings_timeout(None);
    let (_requests, connection) = client::handshake_with(near, config);
    // It begins, and says nothing more.
    far.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let error = tokio::time::timeout(Duration::from_secs(600), connection).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::KeepAlive)), "{error:?}");
}

/// A push to a client that takes none fails, and with it one on it, which there is not at all (RFC 9113 §8.4.1).
#[tokio::test]
async fn pushes_that_fail() {
    let (near, far) = duplex(1 << 16);
    let (tell, mut told) = mpsc::unbounded_channel();
    let serving = serve(far, Config::default(), move |_, mut respond| {
        let tell = tell.clone();
        async move {
            let pushed = || Request::get("https://example.org/pushed").body(()).unwrap();
            let mut first = respond.push(pushed()).unwrap();
            let second = first.push(pushed()).unwrap();
            let sends =
                [first, second].map(|respond| respond.send_response(Response::new(()), false).unwrap());
            for mut send in sends {
                tell.send(bounded(send.failed()).await).unwrap();
            }
            respond.send_response(Response::new(()), true).unwrap();
        }
    });
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let (response, send) = requests.send_request(get(), true).unwrap();
    assert_eq!(bounded(response).await.unwrap().status(), 200);
    assert!(matches!(told.recv().await, Some(Error::Usage(Usage::NoPush))));
    assert!(matches!(told.recv().await, Some(Error::Unprocessed)));
    drop((requests, send));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn trailers_and_interim_responses_and_pushes() {
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, Config::default(), |_, mut respond| async move {
        respond.send_informational(Response::builder().status(103).body(()).unwrap()).unwrap();
        let pushed = respond.push(Request::get("https://example.org/pushed").body(()).unwrap()).unwrap();
        let mut send = pushed.send_response(Response::new(()), false).unwrap();
        send.send_data(&b"pushed"[..]).await.unwrap();
        send.finish().unwrap();
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        send.send_data(&b"asked"[..]).await.unwrap();
        send.send_trailers(HeaderMap::from_iter([("a".parse().unwrap(), "b".parse().unwrap())])).unwrap();
    });
    let (mut requests, connection) = client::handshake_with(near, Config::default().enable_push(true));
    let driving = tokio::spawn(connection);
    let (mut response, send) = requests.send_request(get(), true).unwrap();
    let informational = bounded(response.informational()).await.unwrap().unwrap();
    assert_eq!(informational.status(), 103);
    let mut promises = response.promises().unwrap();
    let (request, pushed) = bounded(promises.next()).await.unwrap();
    assert_eq!(request.uri(), "https://example.org/pushed");
    assert_eq!(all(bounded(pushed).await.unwrap().body_mut()).await, b"pushed");
    assert!(bounded(response.informational()).await.unwrap().is_none());
    let mut body = bounded(response).await.unwrap().into_body();
    assert_eq!(all(&mut body).await, b"asked");
    assert_eq!(bounded(body.trailers()).await.unwrap().unwrap()["a"], "b");
    assert!(bounded(promises.next()).await.is_none());
    drop((requests, send));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}

/// One that waits is opened as soon as another has ended: that one is told of its end all the same.
#[tokio::test]
async fn a_stream_that_is_replaced_has_ended() {
    let (near, far) = duplex(1 << 16);
    let serving = serve(far, Config::default().max_concurrent_streams(1), echo);
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    bounded(requests.settings()).await.unwrap();
    let mut before = requests.send_request(get(), false).unwrap();
    for round in 0..20 {
        let next = requests.send_request(get(), false).unwrap();
        let (response, mut send) = std::mem::replace(&mut before, next);
        send.send_data(&b"hello"[..]).await.unwrap();
        send.finish().unwrap();
        let mut body = bounded(response).await.unwrap().into_body();
        assert_eq!(all(&mut body).await, b"hello");
        // The next one has its place by now.
        bounded(requests.ready()).await.unwrap();
        let failed = bounded(send.failed()).await;
        assert!(matches!(failed, Error::Closed), "{round} {failed:?}");
    }
    drop((before, requests));
    bounded(driving).await.unwrap().unwrap();
    bounded(serving).await.unwrap().unwrap();
}
