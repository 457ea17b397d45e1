//! Signs of life over HTTP/2, and connections on which nothing happens.

mod support;

use std::time::Duration;

use sheave::h2::{self, ErrorCode};
use sheave::{Config, Error, Request, ServerBuilder, stream_error, ws};
use support::frames::{Frames, GET, Seen, last, some, unmasked};
use support::raw::{self, CLOSE, TEXT, close};
use support::{detached, mirror, soon};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn keeping(builder: ServerBuilder) -> ServerBuilder {
    builder.keepalive(20 * SECOND)
}

/// Whether `time` is this long, but for what it takes to look.
fn is_about(time: Duration, seconds: u32) -> bool {
    (seconds * SECOND..seconds * SECOND + SECOND / 10).contains(&time)
}

/// One PING of the connection serves all of its WebSockets, and none of them has one of its own.
#[tokio::test(start_paused = true)]
async fn one_ping_for_all() {
    let (near, task) = detached(keeping, mirror).await;
    let mut client = Frames::begin(near).await;
    for stream in (1..20).step_by(2) {
        client.open(stream).await;
    }
    let seen = timeout(105 * SECOND, client.see()).await;
    assert!(seen.is_err(), "{seen:?}");
    assert_eq!(client.pings, 5);
    // What else comes is a sign of life as well.
    for _ in 0..10 {
        sleep(10 * SECOND).await;
        client.frame(1, TEXT, b"here").await;
        assert_eq!(client.see().await, some(1, &unmasked(TEXT, b"here")));
    }
    assert_eq!(client.pings, 5);
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// A peer that is dead ends them all, each with an error that says why.
#[tokio::test(start_paused = true)]
async fn a_dead_peer() {
    let (errors, mut told) = unbounded_channel();
    let (near, task) = detached(keeping, move |request: Request| {
        let errors = errors.clone();
        async move {
            if !request.is_websocket() {
                // Its answer is not waited for.
                sleep(30 * SECOND).await;
                return mirror(request).await;
            }
            let mut ws = request.accept().await?;
            errors.send(ws.recv().await.unwrap_err()).unwrap();
            Ok(())
        }
    })
    .await;
    let mut client = Frames::begin(near).await;
    client.answers_pings = false;
    for stream in (1..20).step_by(2) {
        client.open(stream).await;
    }
    let begun = Instant::now();
    // Nothing that is read is a sign of life.
    let seen = client.see().await;
    assert_eq!(seen, Seen::GoAway(19, ErrorCode::NO_ERROR));
    assert_eq!(client.pings, 1);
    assert!(is_about(begun.elapsed(), 40), "{:?}", begun.elapsed());
    for _ in 0..10 {
        let error = soon(told.recv()).await.unwrap();
        let is_timeout = matches!(stream_error(&error), Some(h2::Error::Timeout(h2::Timeout::KeepAlive)));
        assert!(is_timeout, "{error:?}");
    }
    drop(client);
    let error = soon(task).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Timeout(h2::Timeout::KeepAlive))), "{error:?}");
}

/// A connection that has failed is let go of, whatever its handlers are still about.
#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_on_does_not_hold_a_dead_connection() {
    let config = Config::default().write_timeout(5 * SECOND);
    let (near, task) = detached(
        |builder| keeping(builder).config(config),
        |request: Request| async move {
            if request.path() == "/page" {
                sleep(1000 * SECOND).await;
                return Ok(());
            }
            let mut ws = request.accept().await?;
            // More than the transport takes.
            while ws.send(vec![0; 10_000]).await.is_ok() {}
            Ok(())
        },
    )
    .await;
    let mut client = Frames::begin(near).await;
    client.request(1, &GET, true).await;
    client.open(3).await;
    client.credit(0, 1 << 30).await;
    client.credit(3, 1 << 30).await;
    // Nothing of that is read, until long after.
    sleep(100 * SECOND).await;
    let mut rest = Vec::new();
    timeout(SECOND, client.io.read_to_end(&mut rest)).await.expect("the connection is let go of").unwrap();
    assert!(!task.is_finished());
    let error = timeout(1000 * SECOND, task).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Http2(h2::Error::Timeout(h2::Timeout::Write))), "{error:?}");
}

/// A WebSocket with an interval of its own pings by itself.
#[tokio::test(start_paused = true)]
async fn an_interval_of_its_own() {
    let (near, task) = detached(keeping, |request: Request| async move {
        let config = Config::default().keepalive_interval(7 * SECOND);
        let mut ws = request.accepting().config(config).accept().await?;
        while ws.recv().await?.is_some() {}
        Ok(())
    })
    .await;
    let mut client = Frames::begin(near).await;
    client.open(1).await;
    let begun = Instant::now();
    let Seen::Data { stream: 1, data, .. } = client.see().await else { panic!() };
    assert_eq!(data[0], 0x89);
    assert!(is_about(begun.elapsed(), 7), "{:?}", begun.elapsed());
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// Without messages for too long a WebSocket is closed, and its neighbours and PINGs have nothing to do with that.
#[tokio::test(start_paused = true)]
async fn the_idle_timeout_is_each_ones_own() {
    let (near, task) =
        detached(|builder| keeping(builder.config(Config::default().idle_timeout(45 * SECOND))), mirror)
            .await;
    let mut client = Frames::begin(near).await;
    client.open(1).await;
    client.open(3).await;
    sleep(30 * SECOND).await;
    client.frame(3, TEXT, b"here").await;
    assert_eq!(client.see().await, some(3, &unmasked(TEXT, b"here")));
    let spoken = Instant::now();
    let Seen::Data { stream: 1, data, .. } = client.see().await else { panic!() };
    assert_eq!((data[0], &data[2..4]), (0x88, &close(1001)[..]));
    assert!(is_about(spoken.elapsed(), 15), "{:?}", spoken.elapsed());
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// Nothing is asked for, nothing comes, for as long as there is a stream.
#[tokio::test(start_paused = true)]
async fn without_a_keepalive() {
    let (near, task) = detached(|builder| builder, mirror).await;
    let mut client = Frames::begin(near).await;
    client.open(1).await;
    for _ in 0..1000 {
        let seen = timeout(100 * SECOND, client.next_but_settings()).await;
        assert!(seen.is_err(), "{seen:?}");
    }
    client.frame(1, TEXT, b"here").await;
    assert_eq!(client.see().await, some(1, &unmasked(TEXT, b"here")));
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// A connection without a stream is kept for 60 s, from its begin or the last stream's end.
#[tokio::test(start_paused = true)]
async fn a_connection_without_streams() {
    let (near, task) = detached(|builder| builder, mirror).await;
    let mut client = Frames::begin(near).await;
    let begun = Instant::now();
    assert!(matches!(client.see().await, Seen::GoAway(_, ErrorCode::NO_ERROR)));
    assert!(is_about(begun.elapsed(), 60), "{:?}", begun.elapsed());
    assert!(matches!(client.see().await, Seen::GoAway(0, ErrorCode::NO_ERROR)));
    assert_eq!(client.try_see().await, None);
    drop(client);
    soon(task).await.unwrap().unwrap();

    let (near, task) = detached(|builder| builder, mirror).await;
    let mut client = Frames::begin(near).await;
    client.open(1).await;
    sleep(50 * SECOND).await;
    assert_eq!(client.get(3).await.0, 200);
    sleep(100 * SECOND).await;
    client.data(1, raw::frame(CLOSE, &close(1000)), true).await;
    assert_eq!(client.see().await, last(1, &unmasked(CLOSE, &close(1000))));
    sleep(50 * SECOND).await;
    assert_eq!(client.get(5).await.0, 200);
    let begun = Instant::now();
    assert!(matches!(client.see().await, Seen::GoAway(_, ErrorCode::NO_ERROR)));
    assert!(is_about(begun.elapsed(), 60), "{:?}", begun.elapsed());
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// A request that comes while such a connection ends is answered still.
#[tokio::test(start_paused = true)]
async fn a_request_that_crosses_the_end() {
    let (near, task) = detached(|builder| builder, mirror).await;
    let mut client = Frames::begin(near).await;
    client.answers_pings = false;
    assert!(matches!(client.see().await, Seen::GoAway(_, ErrorCode::NO_ERROR)));
    client.open(1).await;
    assert!(matches!(client.see().await, Seen::GoAway(1, ErrorCode::NO_ERROR)));
    // And the WebSocket lives for as long as it wants.
    sleep(1000 * SECOND).await;
    client.frame(1, TEXT, b"here").await;
    assert_eq!(client.see().await, some(1, &unmasked(TEXT, b"here")));
    client.data(1, raw::frame(CLOSE, &close(1000)), true).await;
    assert_eq!(client.see().await, last(1, &unmasked(CLOSE, &close(1000))));
    assert_eq!(client.try_see().await, None);
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// The shortest and the longest time to keep one.
#[tokio::test(start_paused = true)]
async fn the_extremes_of_keeping_a_connection() {
    let (near, task) = detached(|builder| builder.keep_alive_timeout(Duration::ZERO), mirror).await;
    let mut client = Frames::begin(near).await;
    // It has time for a first request, and a WebSocket lives for as long as it wants.
    sleep(9 * SECOND).await;
    client.open(1).await;
    sleep(1000 * SECOND).await;
    assert_eq!(client.get(3).await.0, 200);
    client.data(1, raw::frame(CLOSE, &close(1000)), true).await;
    assert_eq!(client.see().await, last(1, &unmasked(CLOSE, &close(1000))));
    let begun = Instant::now();
    assert!(matches!(client.see().await, Seen::GoAway(_, ErrorCode::NO_ERROR)));
    assert!(is_about(begun.elapsed(), 0), "{:?}", begun.elapsed());
    drop(client);
    soon(task).await.unwrap().unwrap();

    let (near, task) = detached(|builder| builder.keep_alive_timeout(Duration::MAX), mirror).await;
    let mut client = Frames::begin(near).await;
    for _ in 0..1000 {
        let seen = timeout(100 * SECOND, client.next_but_settings()).await;
        assert!(seen.is_err(), "{seen:?}");
    }
    assert_eq!(client.get(1).await.0, 200);
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// A client that neither answers nor ends its direction does not keep such a connection up.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_care() {
    // Nothing; a frame that is never whole; a field block that is never whole; DATA for nobody now and then.
    for (length, begun) in [(0, "nothing"), (9, "a head"), (20, "a frame"), (1000, "a block")] {
        let (near, task) = detached(|builder| builder, mirror).await;
        let mut client = Frames::begin(near).await;
        client.answers_pings = false;
        let mut frame = client.headers(1, &GET, true);
        // END_HEADERS is still to come.
        frame[4] &= !4;
        let length = length.min(frame.len());
        client.send(&frame[..length]).await;
        let ended = timeout(200 * SECOND, task).await;
        assert!(ended.is_ok(), "{begun}");
    }
}

/// The same, with the pings of a keepalive.
#[tokio::test(start_paused = true)]
async fn errors_of_the_keepalive_are_typed() {
    let (errors, mut told) = unbounded_channel();
    let (near, _task) = detached(keeping, move |request: Request| {
        let errors = errors.clone();
        async move {
            let (mut sender, mut receiver) = request.accept().await?.split();
            errors.send(receiver.recv().await.unwrap_err()).unwrap();
            errors.send(sender.send("too late").await.unwrap_err()).unwrap();
            Ok(())
        }
    })
    .await;
    let mut client = Frames::begin(near).await;
    client.answers_pings = false;
    client.open(1).await;
    assert!(matches!(client.see().await, Seen::GoAway(1, _)));
    let error = soon(told.recv()).await.unwrap();
    assert!(matches!(Error::from(error), Error::Http2(h2::Error::Timeout(h2::Timeout::KeepAlive))));
    let error = soon(told.recv()).await.unwrap();
    assert!(matches!(error, ws::Error::Closed), "{error:?}");
}
