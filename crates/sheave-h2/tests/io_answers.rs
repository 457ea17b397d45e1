//! Answers that are given as a whole, and who waits for them to leave.
#![cfg(feature = "tokio")]

mod io_common;

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use io_common::{all, bounded, bytes, get, serve};
use sheave_h2::Config;
use sheave_h2::io::client::{self, ResponseFuture, SendRequest};
use sheave_h2::io::server::SendResponse;
use sheave_h2::io::{RecvStream, SendStream};
use tokio::io::duplex;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// A client, and the requests as the server gets them.
struct Between {
    requests: SendRequest,
    asked: mpsc::UnboundedReceiver<(Request<RecvStream>, SendResponse)>,
}

impl Between {
    fn new(client: Config, server: Config) -> Self {
        let (near, far) = duplex(1 << 20);
        let (tell, asked) = mpsc::unbounded_channel();
        serve(far, server, move |request, respond| {
            let tell = tell.clone();
            async move { tell.send((request, respond)).unwrap() }
        });
        let (requests, connection) = client::handshake_with(near, client);
        tokio::spawn(connection);
        Self { requests, asked }
    }

    async fn ask(&mut self) -> (ResponseFuture, Request<RecvStream>, SendResponse) {
        bounded(self.requests.ready()).await.unwrap();
        let (response, _) = self.requests.send_request(get(), true).unwrap();
        let (request, respond) = bounded(self.asked.recv()).await.unwrap();
        (response, request, respond)
    }

    /// The server has sent something, and so knows what it may send.
    async fn begun(mut self) -> Self {
        let (response, _, respond) = self.ask().await;
        drop(respond.send_response(Response::new(()), true).unwrap());
        bounded(response).await.unwrap();
        self
    }
}

fn whole(respond: SendResponse, content: &[u8]) -> SendStream {
    let mut content = Bytes::copy_from_slice(content);
    let stream = respond.send_whole(Response::new(()), &mut content).unwrap();
    assert!(content.is_empty());
    stream
}

async fn body(response: ResponseFuture) -> Vec<u8> {
    all(bounded(response).await.unwrap().body_mut()).await
}

#[tokio::test]
async fn content_of_any_length() {
    const QUEUE: usize = 20_000;
    let server = Config::default().max_send_queue(QUEUE);
    let mut between = Between::new(Config::default(), server);
    for length in [0, 1, 100, 8191, 8192, QUEUE - 1, QUEUE, QUEUE + 1, 3 * QUEUE] {
        let (response, _request, respond) = between.ask().await;
        let sent = bytes(length);
        let mut content = Bytes::from(sent.clone());
        let mut stream = respond.send_whole(Response::new(()), &mut content).unwrap();
        assert_eq!(content.len(), if length > QUEUE { length } else { 0 });
        if length > QUEUE {
            assert!(!stream.is_untried());
            let sending = tokio::spawn(async move {
                while !content.is_empty() {
                    poll_fn(|cx| stream.poll_send(cx, &mut content)).await.unwrap();
                }
                stream.finish().unwrap();
                stream
            });
            assert_eq!(body(response).await, sent);
            bounded(sending).await.unwrap();
        } else {
            assert!(stream.finish().is_err());
            assert_eq!(body(response).await, sent);
            bounded(poll_fn(|cx| stream.poll_sent(cx))).await.unwrap();
        }
    }
}

/// Where the windows have no room, whoever waits is told that it takes a while.
#[tokio::test]
async fn what_has_no_room_is_waited_for() {
    let client = Config::default().initial_window_size(50);
    let mut between = Between::new(client, Config::default()).begun().await;
    let (response, _request, respond) = between.ask().await;
    let mut stream = whole(respond, &bytes(120));
    assert!(stream.is_untried());
    let mut response = bounded(response).await.unwrap();
    // It is woken although nothing more can leave.
    let tried = poll_fn(|cx| {
        assert!(stream.poll_sent(cx).is_pending());
        if stream.is_untried() { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    });
    bounded(tried).await;
    assert_eq!(all(response.body_mut()).await, bytes(120));
    bounded(poll_fn(|cx| stream.poll_sent(cx))).await.unwrap();
}

/// With the last stream goes what was kept for streams, after a while; nothing waits for that.
#[tokio::test(start_paused = true)]
async fn a_connection_rests_and_goes_on() {
    let mut between = Between::new(Config::default(), Config::default()).begun().await;
    for pause in [0, 500, 999, 1000, 1001, 5000] {
        sleep(Duration::from_millis(pause)).await;
        let mut pending = Vec::new();
        for _ in 0..20 {
            pending.push(between.ask().await);
        }
        for (response, _request, respond) in pending {
            let _stream = whole(respond, &bytes(10));
            assert_eq!(timeout(Duration::from_millis(100), body(response)).await.unwrap(), bytes(10));
        }
    }
}
