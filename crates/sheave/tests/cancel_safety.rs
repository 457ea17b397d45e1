//! What may be dropped at any await point, dropped at every one.

mod support;

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use http::Response;
use sheave::{Error, Request, Server};
use support::raw::{Raw, upgrade};
use support::stream::Trickle;
use support::{detached, mirror, path, soon};
use tokio::io::{AsyncWriteExt, duplex};

/// Reads the body with a future that is made anew for every poll; how often it was.
async fn body_in_pieces(request: &mut Request) -> Result<(Vec<u8>, usize), Error> {
    let mut polls = 0;
    let body = poll_fn(|cx| {
        polls += 1;
        pin!(request.body()).poll(cx)
    })
    .await?;
    Ok((body.to_vec(), polls))
}

#[tokio::test(start_paused = true)]
async fn a_body_dropped_at_every_poll() {
    for (head, body) in [
        ("Content-Length: 11", "hello world"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n6;x\r\n world\r\n0\r\nX: y\r\n\r\n"),
        ("Content-Length: 11\r\nExpect: 100-continue", "hello world"),
    ] {
        let server = Server::detached().build().await.unwrap();
        let (near, far) = duplex(64 << 10);
        let task = tokio::spawn(async move {
            let handler = |mut request: Request| async move {
                let (body, polls) = body_in_pieces(&mut request).await?;
                assert!(polls > 10, "only {polls}");
                request.respond(Response::new(body)).await
            };
            server.serve_connection(Trickle(far), handler).await
        });
        let mut client = Raw::new(near);
        // Twice: what follows the body is not taken for it.
        for _ in 0..2 {
            client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n")).await;
            for byte in body.bytes() {
                tokio::time::sleep(Duration::from_millis(1)).await;
                client.send([byte]).await;
            }
            // One 100 and no more, however often it was begun.
            if head.contains("100") {
                assert_eq!(client.head().await.status, 100);
            }
            let reply = client.reply().await;
            assert_eq!((reply.status, &reply.body[..]), (200, "hello world"), "{head}");
        }
        client.io.shutdown().await.unwrap();
        assert!(client.rest().await.is_empty());
        soon(task).await.unwrap().unwrap();
    }
}

/// A timeout of the handler's own, and another try.
#[tokio::test(start_paused = true)]
async fn a_body_given_up_and_read_again() {
    let (near, task) = detached(
        |builder| builder,
        |mut request: Request| async move {
            let mut tries = 0;
            let body = loop {
                tries += 1;
                match tokio::time::timeout(Duration::from_millis(10), request.body()).await {
                    Ok(body) => break body?,
                    Err(_) => continue,
                }
            };
            assert!(tries > 2);
            request.respond(Response::new(body)).await
        },
    )
    .await;
    let mut client = Raw::new(near);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await;
    for byte in b"0123456789" {
        tokio::time::sleep(Duration::from_millis(7)).await;
        client.send([*byte]).await;
    }
    assert_eq!(client.reply().await.body, "0123456789");
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// Half read and then answered, the rest of the body is not the next request.
#[tokio::test(start_paused = true)]
async fn a_body_given_up_for_good() {
    let (near, task) = detached(
        |builder| builder,
        |mut request: Request| async move {
            let _ = tokio::time::timeout(Duration::from_millis(10), request.body()).await;
            path(request).await
        },
    )
    .await;
    let mut client = Raw::new(near);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    client
        .send(format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\nx", hidden.len() + 1))
        .await;
    assert_eq!(client.reply().await.body, "/a");
    client.send(hidden).await;
    assert_eq!(client.ask("GET /b HTTP/1.1\r\nHost: a\r\n\r\n").await.body, "/b");
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// An acceptance given up ends the connection, wherever it stood.
#[tokio::test(start_paused = true)]
async fn an_acceptance_given_up() {
    let server = Server::detached().build().await.unwrap();
    let (near, far) = duplex(16);
    let task = tokio::spawn(async move {
        let handler = |request: Request| async move {
            let accepted = tokio::time::timeout(Duration::from_secs(1), request.accept()).await;
            assert!(accepted.is_err(), "nobody reads it");
            Ok(())
        };
        server.serve_connection(far, handler).await
    });
    let mut client = Raw::new(near);
    client.send(upgrade("")).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(client.head().await.status, 101);
    assert!(client.rest().await.is_empty());
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// A client that gives up leaves nothing at the server.
#[tokio::test]
async fn an_attempt_given_up() {
    let (near, far) = duplex(64 << 10);
    let attempt = tokio::spawn(sheave::Client::default().request("ws://example.org").connect_over(near));
    let mut server = Raw::new(far);
    assert!(!server.take(1).await.is_empty());
    attempt.abort();
    server.until_gone().await;
    assert!(soon(attempt).await.unwrap_err().is_cancelled());

    // The same at a server of ours.
    let (near, task) = detached(|builder| builder, mirror).await;
    let mut attempt = Box::pin(sheave::Client::default().request("ws://example.org").connect_over(near));
    let begun = poll_fn(|cx| std::task::Poll::Ready(attempt.as_mut().poll(cx).is_pending())).await;
    assert!(begun);
    drop(attempt);
    let _ = soon(task).await.unwrap();
}

/// What one connection's task holds, whatever parts it goes through.
#[tokio::test]
async fn futures_are_small() {
    let server = Server::detached().build().await.unwrap();
    let (_near, far) = duplex(1);
    let size = size_of_val(&server.serve_connection(far, path));
    assert!(size < 2048, "{size}");
    let size = size_of_val(&sheave::connect("ws://127.0.0.1:1"));
    assert!(size < 8192, "{size}");
}
