//! The heads of requests: what is refused, how, and when (RFC 9112 §2 to §5).

mod support;

use std::time::Duration;

use sheave::ServerBuilder;
use sheave::ws::handshake::HeadLimits;
use support::raw::{Raw, upgrade};
use support::{detached, mirror, soon, start};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

#[tokio::test]
async fn bad_heads() {
    let server = start(|builder| builder, mirror).await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /#part HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}", 400),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", 400),
    ] {
        let mut client = server.raw().await;
        let reply = client.ask(head).await;
        assert_eq!((reply.status, reply.closes()), (status, true), "{head:?}: {reply:?}");
        assert!(!reply.body.is_empty() && reply.header("content-type").is_some(), "{head:?}");
        assert!(client.rest().await.is_empty());
    }
    server.stop().await;
}

/// RFC 9112 §3.2: the same for ordinary requests and for those for a WebSocket.
#[tokio::test]
async fn a_host_that_was_none_passed_in_an_ordinary_request() {
    let server = start(|builder| builder, mirror).await;
    for host in
        ["[nonsense]", "[::1]x", "[::1", "[]", ":80", "a:b", "a:65536", "a:80:80", "%zz", "a,b:c", "<a>"]
    {
        for request in [
            format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n"),
            format!("GET http://a/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            upgrade("").replace("Host: example.org", &format!("Host: {host}")),
        ] {
            let mut client = server.raw().await;
            let reply = client.ask(&request).await;
            assert_eq!((reply.status, reply.closes()), (400, true), "{request}");
            assert!(client.rest().await.is_empty());
        }
    }
    server.stop().await;
}

/// RFC 9110 §9.3.6: a 2xx to it would make a tunnel of the connection, and there is none.
#[tokio::test]
async fn a_connect_was_answered_as_if_there_were_a_tunnel() {
    let server = start(|builder| builder, |_| async { panic!("no handler is given it") }).await;
    for head in [
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        &upgrade("").replace("GET /", "CONNECT example.org:80"),
    ] {
        let mut client = server.raw().await;
        let reply = client.ask(head).await;
        assert_eq!((reply.status, reply.closes()), (501, true), "{head}");
        assert!(client.rest().await.is_empty());
    }
    server.stop().await;
}

#[tokio::test]
async fn good_heads() {
    let server = start(|builder| builder, mirror).await;
    for (head, body) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\r\nHost: a_b.example\r\n\r\n", "GET / "),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / "),
        ("GET / HTTP/1.1\nHost: a\n\n", "GET / "),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / "),
        ("GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/b?c "),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * "),
        ("BREW /tea HTTP/1.1\r\nHost: a\r\n\r\n", "BREW /tea "),
    ] {
        let mut client = server.raw().await;
        for _ in 0..2 {
            let reply = client.ask(head).await;
            assert_eq!((reply.status, &reply.body[..]), (200, body), "{head:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn limits() {
    let server = start(|builder| builder, mirror).await;
    for (headers, status) in [(99, 200), (100, 431), (200, 431)] {
        let mut client = server.raw().await;
        let reply =
            client.push(format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(headers))).await;
        assert_eq!(reply.status, status, "{headers} and Host");
        assert_eq!(reply.closes(), status != 200);
    }
    for (length, status) in [(60_000, 200), (66_000, 431), (10_000_000, 431)] {
        let mut client = server.raw().await;
        let reply =
            client.push(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(length))).await;
        assert_eq!(reply.status, status, "{length}");
    }
    server.stop().await;

    let limits = HeadLimits::default().bytes(100).headers(2);
    let server = start(|builder| builder.head_limits(limits), mirror).await;
    for (head, status) in [
        ("Host: a\r\nX: y\r\n".to_owned(), 200),
        ("Host: a\r\nX: y\r\nX: z\r\n".to_owned(), 431),
        (format!("Host: a\r\nX: {}\r\n", "y".repeat(100)), 431),
    ] {
        let reply = server.raw().await.push(format!("GET / HTTP/1.1\r\n{head}\r\n")).await;
        assert_eq!(reply.status, status, "{head}");
    }
    server.stop().await;
}

fn seven(builder: ServerBuilder) -> ServerBuilder {
    builder.handshake_timeout(Duration::from_secs(7)).keep_alive_timeout(Duration::from_secs(20))
}

/// One that dribbles is told.
#[tokio::test(start_paused = true)]
async fn slow_heads() {
    let begun = Instant::now();
    let (near, task) = detached(seven, mirror).await;
    let mut client = Raw::new(near);
    // Three seconds of nothing first: the head's time begins with its first byte.
    for byte in "GET / HTTP/1.1\r\n".bytes() {
        tokio::time::sleep(Duration::from_secs(3)).await;
        if client.io.write_all(&[byte]).await.is_err() || begun.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.closes()), (408, true));
    drop(client);
    assert!(soon(task).await.unwrap().is_err());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn silent_connections() {
    let begun = Instant::now();
    let (near, task) = detached(seven, mirror).await;
    let mut client = Raw::new(near);
    assert!(client.rest().await.is_empty());
    assert!(soon(task).await.unwrap().is_err());
    assert_eq!(begun.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn connections_kept_for_nothing() {
    let (near, task) = detached(seven, mirror).await;
    let mut client = Raw::new(near);
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let begun = Instant::now();
    assert!(client.rest().await.is_empty());
    assert_eq!(begun.elapsed().as_secs(), 20);
    drop(client);
    soon(task).await.unwrap().unwrap();
}

/// RFC 9112 §2.2: old clients send one after a body.
#[tokio::test(start_paused = true)]
async fn an_empty_line_after_a_body_was_a_request_under_way() {
    for line in ["\r\n", "\n", "\r", "\r\n\r\n"] {
        let (near, task) = detached(seven, mirror).await;
        let mut client = Raw::new(near);
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(client.ask(format!("{post}{line}")).await.body, "POST / abc");
        let begun = Instant::now();
        assert!(client.rest().await.is_empty());
        assert_eq!(begun.elapsed().as_secs(), 20, "{line:?}");
        drop(client);
        soon(task).await.unwrap().unwrap();
    }
}

/// Nor does one say that a request is to come.
#[tokio::test(start_paused = true)]
async fn an_empty_line_was_the_first_byte_of_a_request() {
    let begun = Instant::now();
    let (near, task) = detached(seven, mirror).await;
    let mut client = Raw::new(near);
    client.send("\r\n").await;
    assert!(client.rest().await.is_empty());
    assert!(soon(task).await.unwrap().is_err());
    assert_eq!(begun.elapsed().as_secs(), 7);
}

/// TLS that never comes.
#[tokio::test(start_paused = true)]
async fn silent_connections_with_tls() {
    let begun = Instant::now();
    let (tls, _) = support::certificate();
    let (near, task) = detached(|builder| seven(builder).tls(tls), mirror).await;
    let mut client = Raw::new(near);
    assert!(client.rest().await.is_empty());
    assert!(soon(task).await.unwrap().is_err());
    assert_eq!(begun.elapsed().as_secs(), 7);
}

/// A client that asks, and asks, and reads nothing.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read() {
    let begun = Instant::now();
    let (near, task) = detached(seven, mirror).await;
    let mut client = Raw::new(near);
    let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(10_000));
    let flood = tokio::spawn(async move {
        while client.io.write_all(request.as_bytes()).await.is_ok() {}
        client
    });
    assert!(soon(task).await.unwrap().is_err());
    // It took a part at first.
    assert!(begun.elapsed() <= Duration::from_secs(2 * 7 + 2), "{:?}", begun.elapsed());
    drop(soon(flood).await);
}

/// The answer to a request for a WebSocket is not waited for longer either.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_101() {
    let server = seven(sheave::Server::detached()).build().await.unwrap();
    let (near, far) = tokio::io::duplex(16);
    let task = tokio::spawn(async move { server.serve_connection(far, mirror).await });
    let begun = Instant::now();
    let mut client = Raw::new(near);
    client.send(upgrade("")).await;
    assert!(soon(task).await.unwrap().is_err());
    assert!(begun.elapsed() <= Duration::from_secs(2 * 7 + 2), "{:?}", begun.elapsed());
}
