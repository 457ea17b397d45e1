//! Bodies and answers over HTTP/2, and what is told of a request that was not answered (RFC 9110, RFC 9113 §8.1).

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use sheave::h2::{self, ErrorCode};
use sheave::{Error, Request, ServerBuilder, ws};
use support::frames::{Frames, GET, Seen, some, unmasked};
use support::raw::TEXT;
use support::{detached, echo, mirror, soon};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A server in memory, and a client of it that has an echo on stream 1.
struct Pair {
    client: Frames<DuplexStream>,
    task: JoinHandle<Result<(), Error>>,
    /// What became of the other requests, in the handlers' eyes.
    results: UnboundedReceiver<Result<(), Error>>,
}

impl Pair {
    async fn new<F>(
        configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
        settings: &[(u16, u32)],
        handler: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (sender, results) = unbounded_channel();
        let handler = Arc::new(handler);
        let (near, task) = detached(configure, move |request: Request| {
            let (handler, sender) = (Arc::clone(&handler), sender.clone());
            async move {
                if request.is_websocket() {
                    return echo(request).await;
                }
                let result = handler(request).await;
                let is_ok = result.is_ok();
                let _ = sender.send(result);
                if is_ok { Ok(()) } else { Err(Error::other("told already")) }
            }
        })
        .await;
        let mut client = Frames::begin_with(near, settings).await;
        client.open(1).await;
        Self { client, task, results }
    }

    async fn result(&mut self) -> Result<(), Error> {
        soon(self.results.recv()).await.unwrap()
    }

    /// The echo is as it was, and the connection ends in order.
    async fn end(mut self) {
        self.client.frame(1, TEXT, b"unharmed").await;
        assert_eq!(self.client.take(1, 10).await, unmasked(TEXT, b"unharmed"));
        self.client.data(1, b"", true).await;
        assert!(matches!(self.client.see().await, Seen::Reset(1, ErrorCode::CANCEL)));
        drop(self.client);
        soon(self.task).await.unwrap().unwrap();
    }
}

type Fields<'a> = &'a [(&'a str, &'a str)];

const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":authority", "example.org"), (":path", "/form")];

fn with<'a>(base: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = base.to_vec();
    for &(name, value) in more {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    fields
}

/// The rest is of no use to anybody once it was answered (RFC 9113 §8.1).
async fn is_stopped(client: &mut Frames<DuplexStream>, stream: u32) {
    assert_eq!(client.see().await, Seen::Reset(stream, ErrorCode::NO_ERROR));
}

#[tokio::test(start_paused = true)]
async fn without_an_answer() {
    let mut pair = Pair::new(
        |builder| builder,
        &[],
        |request: Request| async move {
            match request.path() {
                "/unanswered" => Ok(()),
                "/failed" => Err(Error::other("as asked")),
                "/panic" => panic!("as asked"),
                "/later" => {
                    tokio::task::yield_now().await;
                    panic!("as asked");
                }
                _ => request.respond(Response::new("fine")).await,
            }
        },
    )
    .await;
    let cases = [
        ("/unanswered", 404, "Not Found"),
        ("/failed", 500, "Internal Server Error"),
        ("/panic", 500, "Internal Server Error"),
        ("/later", 500, "Internal Server Error"),
        ("/fine", 200, "fine"),
    ];
    let mut stream = 3;
    for method in ["GET", "POST", "HEAD"] {
        for (path, status, body) in cases {
            pair.client.request(stream, &with(&GET, &[(":method", method), (":path", path)]), true).await;
            let (answered, headers, text) = pair.client.whole(stream).await;
            assert_eq!(
                (answered, headers["content-length"].to_str().unwrap()),
                (status, &body.len().to_string()[..])
            );
            let expected = if method == "HEAD" { "" } else { body };
            assert_eq!(text, expected.as_bytes(), "{method} {path}");
            assert!(headers.contains_key("date"));
            stream += 2;
        }
    }
    pair.end().await;
}

#[tokio::test(start_paused = true)]
async fn bodies_of_any_shape() {
    let mut pair = Pair::new(|builder| builder.max_body_size(300_000), &[], mirror).await;
    let large = "0123456789".repeat(30_000);
    let length = large.len().to_string();
    let cases: [(Fields<'_>, &str, usize); 6] = [
        (&[("content-length", "5")], "hello", 100),
        (&[], "hello", 1),
        (&[("content-length", "0")], "", 1),
        (&[], "", 1),
        // Far more than a window, in frames of any size.
        (&[("content-length", &length)], &large, 16_384),
        (&[], &large, 777),
    ];
    let mut connection = 65_535_i64;
    for (stream, (more, body, size)) in (3..).step_by(2).zip(cases) {
        pair.client.request(stream, &with(&POST, more), false).await;
        let mut window = 16_384_i64;
        for piece in body.as_bytes().chunks(size) {
            // Both windows are credited by reading.
            let needed = piece.len() as i64;
            for _ in 0..100 {
                for (of, credit) in pair.client.credits.drain(..) {
                    match of {
                        0 => connection += i64::from(credit),
                        of if of == stream => window += i64::from(credit),
                        of => panic!("credit on {of}"),
                    }
                }
                if needed <= window.min(connection) {
                    break;
                }
                pair.client.ping(*b"are you?").await;
                assert_eq!(pair.client.see().await, Seen::Pong(*b"are you?"));
            }
            assert!(needed <= window.min(connection), "the server holds us up: {window}");
            window -= piece.len() as i64;
            connection -= piece.len() as i64;
            pair.client.data(stream, piece, false).await;
        }
        pair.client.data(stream, b"", true).await;
        let (status, answer) = pair.client.answer(stream).await;
        assert_eq!(status, 200);
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.strip_prefix("POST http://example.org/form ").unwrap().len(), body.len());
        assert!(answer.ends_with(body));
        assert!(pair.result().await.is_ok());
    }
    pair.end().await;
}

#[tokio::test(start_paused = true)]
async fn trailers_end_a_body() {
    let mut pair = Pair::new(|builder| builder, &[], mirror).await;
    pair.client.request(3, &POST, false).await;
    pair.client.data(3, "body", false).await;
    pair.client.request(3, &[("x-checksum", "1")], true).await;
    assert_eq!(pair.client.answer(3).await, (200, b"POST http://example.org/form body".to_vec()));
    pair.end().await;
}

#[tokio::test(start_paused = true)]
async fn bodies_over_the_limit() {
    let mut pair = Pair::new(|builder| builder.max_body_size(10), &[], mirror).await;
    let cases: [(Fields<'_>, &[&str], u16); 5] = [
        (&[("content-length", "10")], &["0123456789"], 200),
        (&[("content-length", "11")], &[], 413),
        (&[("content-length", "18446744073709551615")], &[], 413),
        (&[], &["01234", "56789"], 200),
        (&[], &["01234", "567890"], 413),
    ];
    for (stream, (more, pieces, status)) in (3..).step_by(2).zip(cases) {
        pair.client.request(stream, &with(&POST, more), false).await;
        for piece in pieces {
            pair.client.data(stream, piece, false).await;
        }
        if status == 200 {
            pair.client.data(stream, "", true).await;
        }
        assert_eq!(pair.client.answer(stream).await.0, status, "{more:?}");
        let result = pair.result().await;
        if status == 413 {
            assert!(matches!(result, Err(Error::BodyTooLarge)), "{result:?}");
            is_stopped(&mut pair.client, stream).await;
        }
    }
    pair.end().await;
}

/// A body that pauses for too long, which is 10 s.
#[tokio::test(start_paused = true)]
async fn a_body_that_pauses() {
    let mut pair = Pair::new(|builder| builder, &[], mirror).await;
    pair.client.request(3, &with(&POST, &[("content-length", "10")]), false).await;
    for byte in b"012" {
        tokio::time::sleep(Duration::from_secs(9)).await;
        pair.client.data(3, [*byte], false).await;
    }
    // The others go on meanwhile.
    pair.client.frame(1, TEXT, b"meanwhile").await;
    assert_eq!(pair.client.see().await, some(1, &unmasked(TEXT, b"meanwhile")));
    let paused = Instant::now();
    assert_eq!(pair.client.answer(3).await.0, 408);
    let waited = paused.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_millis(10_100)).contains(&waited), "{waited:?}");
    is_stopped(&mut pair.client, 3).await;
    let result = pair.result().await;
    assert!(matches!(result, Err(Error::WebSocket(ws::Error::Timeout(_)))), "{result:?}");
    pair.end().await;
}

/// A body that breaks off, is reset, or is not as long as it says: a typed error, and no more than this stream.
#[tokio::test(start_paused = true)]
async fn bodies_that_break_off() {
    let mut pair = Pair::new(|builder| builder, &[], mirror).await;
    let client = &mut pair.client;
    for stream in [3, 5, 7] {
        client.request(stream, &with(&POST, &[("content-length", "10")]), false).await;
        client.data(stream, "01234", false).await;
    }
    client.ping(*b"are you?").await;
    assert_eq!(client.see().await, Seen::Pong(*b"are you?"));
    client.reset(3, ErrorCode::CANCEL).await;
    let error = pair.result().await.unwrap_err();
    assert_eq!(support::http2::reset_code(&error), Some(ErrorCode::CANCEL));
    for (stream, rest) in [(5, "5678"), (7, "567890")] {
        pair.client.data(stream, rest, true).await;
        assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::PROTOCOL_ERROR));
        let error = pair.result().await.unwrap_err();
        assert!(matches!(error, Error::Http2(h2::Error::Protocol(_))), "{error:?}");
    }
    pair.end().await;
}

/// A body that the handler does not look at does not hold up its answer, nor the connection.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_read() {
    let mut pair = Pair::new(|builder| builder, &[], support::path).await;
    for stream in [3, 5] {
        pair.client.request(stream, &with(&POST, &[("content-length", "1000000")]), false).await;
        pair.client.data(stream, [0; 16_000], false).await;
        assert_eq!(pair.client.answer(stream).await, (200, b"/form".to_vec()));
        is_stopped(&mut pair.client, stream).await;
        // It was on its way.
        pair.client.data(stream, [0; 16_000], false).await;
    }
    pair.end().await;
}

/// RFC 9110 §10.1.1: whoever waits for a 100 gets it once the body is wanted, and not otherwise.
#[tokio::test(start_paused = true)]
async fn expect_continue() {
    let mut pair = Pair::new(
        |builder| builder.max_body_size(10),
        &[],
        |request: Request| async move {
            match request.path() {
                "/form" => mirror(request).await,
                _ => support::path(request).await,
            }
        },
    )
    .await;
    let client = &mut pair.client;
    let expects = ("expect", "100-continue");
    client.request(3, &with(&POST, &[expects]), false).await;
    let Seen::Headers { stream: 3, status: 100, headers, end: false } = client.see().await else { panic!() };
    assert!(headers.is_empty(), "{headers:?}");
    client.data(3, "hello", true).await;
    assert_eq!(client.answer(3).await, (200, b"POST http://example.org/form hello".to_vec()));
    // Not wanted, too large, or there already.
    client.request(5, &with(&POST, &[expects, (":path", "/other")]), false).await;
    assert_eq!(client.answer(5).await, (200, b"/other".to_vec()));
    is_stopped(client, 5).await;
    client.request(7, &with(&POST, &[expects, ("content-length", "11")]), false).await;
    assert_eq!(client.answer(7).await.0, 413);
    is_stopped(client, 7).await;
    client.request(9, &with(&POST, &[expects]), true).await;
    assert_eq!(client.answer(9).await.0, 200);
    pair.end().await;
}

/// RFC 9110 §6.4.1, §8.6: answers that have no content.
#[tokio::test(start_paused = true)]
async fn answers_without_content() {
    let mut pair = Pair::new(
        |builder| builder,
        &[],
        |request: Request| async move {
            let (status, length) = request.path()[1..].split_once('/').unwrap();
            let status: StatusCode = status.parse().unwrap();
            let mut response = Response::new("four");
            *response.status_mut() = status;
            if !length.is_empty() {
                response.headers_mut().insert("content-length", length.parse().unwrap());
            }
            request.respond(response).await
        },
    )
    .await;
    let cases = [
        ("GET", "/200/", "four", Some("4")),
        // What is sent is what there is.
        ("GET", "/200/1000", "four", Some("4")),
        ("GET", "/200/1", "four", Some("4")),
        ("GET", "/204/4", "", None),
        ("GET", "/304/", "", Some("4")),
        ("GET", "/304/1000", "", Some("1000")),
        ("HEAD", "/200/", "", Some("4")),
        ("HEAD", "/200/1000", "", Some("1000")),
        ("HEAD", "/404/", "", Some("4")),
        ("HEAD", "/204/", "", None),
    ];
    for (stream, (method, path, body, length)) in (3..).step_by(2).zip(cases) {
        pair.client.request(stream, &with(&GET, &[(":method", method), (":path", path)]), true).await;
        let (status, headers, text) = pair.client.whole(stream).await;
        assert_eq!(status.to_string(), path[1..4]);
        assert_eq!(text, body.as_bytes(), "{method} {path}");
        let told = headers.get("content-length").map(|length| length.to_str().unwrap());
        assert_eq!(told, length, "{method} {path}");
    }
    pair.end().await;
}

const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;

async fn large(request: Request) -> Result<(), Error> {
    let length: usize = request.path()[1..].parse().unwrap();
    request.respond(Response::new(vec![7; length])).await
}

/// A client that takes nothing for longer than 10 s loses its answer, whatever of it waits where.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken() {
    // Of the window that is left after the echo's greeting nothing, or something.
    for window in [0, 1000] {
        for length in ["1", "2000", "1000000"] {
            if window == 1000 && length == "1" {
                continue;
            }
            let mut pair = Pair::new(|builder| builder, &[(INITIAL_WINDOW_SIZE, window)], large).await;
            pair.client.credit(1, 1000).await;
            let begun = Instant::now();
            pair.client.request(3, &with(&GET, &[(":path", &format!("/{length}"))]), true).await;
            let Seen::Headers { status: 200, headers, end: false, .. } = pair.client.see().await else {
                panic!()
            };
            assert_eq!(headers["content-length"], length);
            if window > 0 {
                assert_eq!(pair.client.take(3, 1000).await.len(), 1000);
            }
            // The others go on meanwhile.
            pair.client.frame(1, TEXT, b"meanwhile").await;
            assert_eq!(pair.client.see().await, some(1, &unmasked(TEXT, b"meanwhile")));
            assert_eq!(pair.client.see().await, Seen::Reset(3, ErrorCode::CANCEL));
            let waited = begun.elapsed();
            assert!((Duration::from_secs(10)..Duration::from_secs(21)).contains(&waited), "{waited:?}");
            let error = pair.result().await.unwrap_err();
            let is_timeout = matches!(error, Error::WebSocket(ws::Error::Timeout(ws::Timeout::Write)));
            assert!(is_timeout, "{error:?}");
            pair.end().await;
        }
    }
}

/// One that takes a little at a time does not, however long that takes.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_taken_slowly() {
    let mut pair = Pair::new(|builder| builder, &[(INITIAL_WINDOW_SIZE, 0)], large).await;
    pair.client.credit(1, 1000).await;
    pair.client.request(3, &with(&GET, &[(":path", "/100000")]), true).await;
    assert!(matches!(pair.client.see().await, Seen::Headers { status: 200, end: false, .. }));
    let mut all = 0;
    while all < 100_000 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        pair.client.credit(0, 1000).await;
        pair.client.credit(3, 1000).await;
        let Seen::Data { stream: 3, data, end } = pair.client.see().await else { panic!() };
        all += data.len();
        assert_eq!(end, all == 100_000);
    }
    assert!(pair.result().await.is_ok());
    pair.end().await;
}

/// An answer that the client does not take back, and a reset of one that waits, are the handler's errors.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_reset() {
    let mut pair = Pair::new(|builder| builder, &[(INITIAL_WINDOW_SIZE, 0)], large).await;
    pair.client.credit(1, 1000).await;
    pair.client.request(3, &with(&GET, &[(":path", "/1000")]), true).await;
    assert!(matches!(pair.client.see().await, Seen::Headers { status: 200, end: false, .. }));
    pair.client.reset(3, ErrorCode::NO_ERROR).await;
    let error = pair.result().await.unwrap_err();
    assert_eq!(support::http2::reset_code(&error), Some(ErrorCode::NO_ERROR), "{error:?}");
    pair.end().await;
}

/// More fields than the client takes cannot be sent: its stream is reset, and nothing else.
#[tokio::test(start_paused = true)]
async fn an_answer_with_too_many_fields() {
    let mut pair = Pair::new(
        |builder| builder,
        &[(MAX_HEADER_LIST_SIZE, 1000)],
        |request: Request| async move {
            let response = Response::builder().header("x-large", "x".repeat(2000));
            request.respond(response.body("body").unwrap()).await
        },
    )
    .await;
    pair.client.request(3, &GET, true).await;
    assert_eq!(pair.client.see().await, Seen::Reset(3, ErrorCode::INTERNAL_ERROR));
    pair.end().await;
}

/// Many at once, each with its own answer.
#[tokio::test(start_paused = true)]
async fn many_at_once() {
    let mut pair = Pair::new(
        |builder| builder,
        &[],
        |request: Request| async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            support::path(request).await
        },
    )
    .await;
    for stream in (3..803).step_by(2) {
        pair.client.request(stream, &with(&GET, &[(":path", &format!("/{stream}"))]), true).await;
    }
    let (mut heads, mut bodies) = (0, 0);
    while bodies < 400 {
        match pair.client.see().await {
            Seen::Headers { status: 200, .. } => heads += 1,
            Seen::Data { stream, data, end: true } => {
                assert_eq!(data, format!("/{stream}").as_bytes());
                bodies += 1;
            }
            seen => panic!("{seen:?}"),
        }
    }
    assert_eq!(heads, 400);
    pair.end().await;
}
