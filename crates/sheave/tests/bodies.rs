//! The bodies of ordinary requests (RFC 9112 §6, §7; RFC 9110 §10.1.1).

mod support;

use std::time::Duration;

use http::{Response, StatusCode};
use sheave::{Error, Request, ServerBuilder};
use support::raw::{self, Raw, Reply};
use support::{detached, mirror, path, soon, start};
use tokio::io::AsyncWriteExt;

/// What the server says to these bytes, and whether it then ends the connection.
async fn answer(configure: impl FnOnce(ServerBuilder) -> ServerBuilder, bytes: &str) -> (Reply, Vec<u8>) {
    let (near, task) = detached(configure, mirror).await;
    let mut client = Raw::new(near);
    let reply = client.push(bytes).await;
    client.io.shutdown().await.unwrap();
    let rest = client.rest().await;
    let _ = soon(task).await.unwrap();
    (reply, rest)
}

#[tokio::test]
async fn bodies_are_read() {
    for (head, body, expected) in [
        ("Content-Length: 5", "hello", "hello"),
        ("Content-Length: 0", "", ""),
        ("Content-Length: 5, 5", "hello", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("transfer-encoding: CHUNKED", "1\r\nh\r\n004;x=y\r\nello\r\n00\r\nTrailer: x\r\n\r\n", "hello"),
    ] {
        let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{body}{next}");
        let (reply, rest) = answer(|builder| builder, &bytes).await;
        assert_eq!((reply.status, reply.body), (200, format!("POST / {expected}")), "{head}");
        let rest = String::from_utf8(rest).unwrap();
        assert!(rest.starts_with("HTTP/1.1 200 ") && rest.ends_with("GET /next "), "{head}: {rest}");
    }
}

/// Where a body ends has to be plain, or somebody on the way may see another end than we do.
#[tokio::test]
async fn smuggling() {
    const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for (head, status) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", 400),
        ("Content-Length: 0\r\nContent-Length: 5", 400),
        ("Content-Length: 0, 5", 400),
        ("Content-Length: +0", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: 0x0", 400),
        ("Content-Length: ", 400),
        ("Content-Length: 99999999999999999999", 400),
        ("Content-Length : 0", 400),
        (" Content-Length: 0", 400),
        ("Content-Length: 0\r\n Transfer-Encoding: chunked", 400),
        ("Content-Length: 0\rTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: gzip", 501),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, gzip", 400),
        ("Transfer-Encoding: chunked, chunked", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding: chunked;q=1", 501),
        ("Transfer-Encoding: \u{b}chunked", 400),
        ("Transfer-Encoding: identity", 501),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{HIDDEN}");
        let (reply, rest) = answer(|builder| builder, &bytes).await;
        assert_eq!((reply.status, reply.closes()), (status, true), "{head:?}: {reply:?}");
        assert!(!reply.body.is_empty() && rest.is_empty(), "{head:?}: {rest:?}");
    }
    // HTTP/1.0 has no chunks.
    let bytes =
        format!("POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{HIDDEN}");
    let (reply, rest) = answer(|builder| builder, &bytes).await;
    assert_eq!((reply.status, rest.len()), (400, 0));
}

/// What a handler did not see of the body, it did not answer for.
#[tokio::test]
async fn malformed_chunks_are_the_clients_fault() {
    for body in
        ["x\r\n", "5\r\nhelloo\r\n", "5\nhello\r\n", "-1\r\n", "fffffffffffffffff\r\n", "5 x\r\nhello"]
    {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let (reply, rest) = answer(|builder| builder, &bytes).await;
        assert_eq!((reply.status, reply.closes(), rest.len()), (400, true, 0), "{body:?}: {reply:?}");
    }
    // Broken off, with our direction still open.
    for head in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let (near, task) = detached(|builder| builder, mirror).await;
        let mut client = Raw::new(near);
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n5\r\nhel")).await;
        client.io.shutdown().await.unwrap();
        assert_eq!(client.reply().await.status, 400, "{head}");
        assert!(soon(task).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn bodies_over_the_limit() {
    let small = |builder: ServerBuilder| builder.max_body_size(10);
    for (head, body, status) in [
        ("Content-Length: 10", "0123456789", 200),
        ("Content-Length: 11", "0123456789a", 413),
        ("Content-Length: 18446744073709551615", "", 413),
        ("Transfer-Encoding: chunked", "a\r\n0123456789\r\n0\r\n\r\n", 200),
        ("Transfer-Encoding: chunked", "a\r\n0123456789\r\n1\r\na\r\n0\r\n\r\n", 413),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{body}");
        let (reply, rest) = answer(small, &bytes).await;
        assert_eq!((reply.status, reply.closes()), (status, status == 413), "{head}: {body}");
        assert!(rest.is_empty());
    }
}

/// An error is not forgotten: no later call takes what is left for the body.
#[tokio::test]
async fn a_body_that_failed_stays_failed() {
    for (head, body) in [
        ("Transfer-Encoding: chunked", "a\r\n0123456789\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
        ("Content-Length: 5", "hel"),
        ("Transfer-Encoding: chunked", "2\r\nhexx"),
    ] {
        let (near, task) = detached(
            |builder| builder.max_body_size(10),
            |mut request: Request| async move {
                for _ in 0..3 {
                    assert!(request.body().await.is_err());
                }
                request.respond(Response::new("so it is")).await
            },
        )
        .await;
        let mut client = Raw::new(near);
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{body}")).await;
        client.io.shutdown().await.unwrap();
        let reply = client.reply().await;
        assert_eq!((&reply.body[..], reply.closes()), ("so it is", true));
        assert!(client.rest().await.is_empty());
        soon(task).await.unwrap().unwrap();
    }
}

/// RFC 9110 §10.1.1: a client that waits for 100 gets it when the body is asked for, and not before.
#[tokio::test]
async fn expectations() {
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
    let (near, task) = detached(|builder| builder.max_body_size(5), mirror).await;
    let mut client = Raw::new(near);
    client.send(POST).await;
    assert_eq!(client.head().await.status, 100);
    assert_eq!(client.ask("hello").await.body, "POST / hello");
    // Not for HTTP/1.0, nor where there is no body.
    client.send("GET /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.reply().await.body, "GET /a ");
    // Not for a body that is too long anyway.
    client.send(POST.replace("h: 5", "h: 6")).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.closes()), (413, true));
    client.io.shutdown().await.unwrap();
    assert!(client.rest().await.is_empty());
    assert!(matches!(soon(task).await.unwrap(), Err(Error::BodyTooLarge)));

    // Not asked for: no 100, and an end, for nobody knows whether the body will come.
    let (near, task) = detached(|builder| builder, path).await;
    let mut client = Raw::new(near);
    let reply = client.ask(POST).await;
    assert_eq!((reply.status, reply.closes()), (200, true));
    client.io.shutdown().await.unwrap();
    assert!(client.rest().await.is_empty());
    soon(task).await.unwrap().unwrap();
}

/// A body that nobody reads is never taken for the next request.
#[tokio::test]
async fn unread_bodies() {
    let server = start(|builder| builder, path).await;
    // A little is thrown away, and the connection goes on.
    let mut client = server.raw().await;
    for head in ["Content-Length: 37", "Transfer-Encoding: chunked"] {
        let body = "GET /hidden HTTP/1.1\r\nHost: hidden\r\n\r\n".split_at(37).0;
        let body = if head.starts_with('C') { body.to_owned() } else { format!("25\r\n{body}\r\n0\r\n\r\n") };
        client.send(format!("POST /a HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{body}")).await;
        assert_eq!(client.reply().await.body, "/a");
    }
    assert_eq!(client.ask("GET /b HTTP/1.1\r\nHost: a\r\n\r\n").await.body, "/b");
    // Much more is not: the answer says so and still arrives whole, though nobody read the body.
    for (head, chunk) in [("Content-Length: 500000", ""), ("Transfer-Encoding: chunked", "7a120\r\n")] {
        let mut client = server.raw().await;
        let mut bytes = format!("POST /c HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{chunk}").into_bytes();
        bytes.resize(bytes.len() + 500_000, b'\n');
        let reply = client.push(bytes).await;
        assert_eq!(reply.body, "/c");
        assert_eq!(reply.closes(), head.starts_with('C'), "only a length is known beforehand");
        assert!(client.rest().await.is_empty());
    }
    drop(client);
    server.stop().await;
}

/// A body that trickles in after the answer does not hold the connection for as long as it likes.
#[tokio::test(start_paused = true)]
async fn an_unread_body_has_its_time() {
    let (near, task) = detached(|builder| builder, path).await;
    let mut client = Raw::new(near);
    let begun = tokio::time::Instant::now();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n").await;
    assert_eq!(client.reply().await.body, "/a");
    let mut sent = 0;
    while !task.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = client.io.write_all(b"\n").await;
        sent += 1;
        assert!(sent < 60, "after {:?}", begun.elapsed());
    }
    soon(task).await.unwrap().unwrap();
}

/// 408 for a body that pauses; its time is that of the handshake.
#[tokio::test(start_paused = true)]
async fn a_body_that_pauses() {
    let begun = tokio::time::Instant::now();
    let (near, task) = detached(|builder| builder.handshake_timeout(Duration::from_secs(7)), mirror).await;
    let mut client = Raw::new(near);
    let reply = client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello").await;
    assert_eq!((reply.status, reply.closes(), begun.elapsed().as_secs()), (408, true, 7));
    assert!(client.rest().await.is_empty());
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
}

/// A request for a WebSocket with a body: what follows would be taken for frames.
#[tokio::test]
async fn an_upgrade_has_no_body() {
    for head in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let (reply, rest) = answer(|builder| builder, &raw::upgrade(head)).await;
        assert_eq!((reply.status, rest.len()), (400, 0), "{head}");
    }
    let (reply, _) = answer(|builder| builder, &raw::upgrade("Content-Length: 0\r\n")).await;
    assert_eq!(reply.status, 101);
}

/// Given up between the answer and the end of the unread body, the rest of it is no request.
#[tokio::test(start_paused = true)]
async fn an_answer_given_up_ends_the_connection() {
    let (near, task) = detached(
        |builder| builder,
        |request: Request| async move {
            let response = Response::new(request.path().to_owned());
            let answered = tokio::time::timeout(Duration::from_secs(1), request.respond(response)).await;
            assert!(answered.is_err(), "the body has not come");
            Ok(())
        },
    )
    .await;
    let mut client = Raw::new(near);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", hidden.len());
    assert_eq!(client.ask(head).await.body, "/a");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let _ = client.io.write_all(hidden.as_bytes()).await;
    let _ = client.io.shutdown().await;
    assert!(client.rest().await.is_empty());
    soon(task).await.unwrap().unwrap();
}

/// A handler that does not care how its answer fared does not keep a connection on which half of it waits.
#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads() {
    let begun = tokio::time::Instant::now();
    let (near, task) = detached(
        |builder| builder,
        |request: Request| async move {
            let answered = request.respond(Response::new(vec![b'x'; 1 << 20])).await;
            assert!(answered.is_err());
            Ok(())
        },
    )
    .await;
    let mut client = Raw::new(near);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3)).await;
    soon(task).await.unwrap().unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(2 * 10 + 2), "{:?}", begun.elapsed());
    let head = client.head().await;
    assert_eq!(head.status, StatusCode::OK.as_u16());
}

/// Slow is not stalled: who goes on reading gets all of it.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_slowly() {
    const SIZE: usize = 4 << 20;
    let (near, task) = detached(
        |builder| builder,
        |request: Request| async move { request.respond(Response::new(vec![b'x'; SIZE])).await },
    )
    .await;
    let mut client = Raw::new(near);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    let mut read = 0;
    while read < SIZE {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let part = (SIZE - read).min(100_000);
        read += client.take(part).await.len();
    }
    assert!(client.rest().await.is_empty());
    drop(client);
    soon(task).await.unwrap().unwrap();
}
