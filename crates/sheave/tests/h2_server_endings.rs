//! How WebSockets over HTTP/2 end at the server, whoever ends them and however (RFC 8441 §5).
//!
//! The numbers of the interop points are those of what real programs were seen to do.

mod support;

use std::time::Duration;

use sheave::h2::{self, ErrorCode};
use sheave::{
    CloseCode, CloseFrame, Config, Error, Message, Request, ServerBuilder, WebSocket, stream_error, ws,
};
use support::frames::{CONNECT, Frames, Seen, last, some, unmasked};
use support::raw::{self, BINARY, CLOSE, TEXT, close};
use support::{detached, soon};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// What a handler saw.
#[derive(Debug)]
enum Told {
    Message(Message),
    /// The end: the peer's code, if it closed.
    Ended(Option<u16>),
    Failed(ws::Error),
}

type Teller = UnboundedSender<Told>;

/// Receives to the end, telling of it.
async fn listen(ws: &mut WebSocket, told: &Teller) -> Result<(), Error> {
    loop {
        match ws.recv().await {
            Ok(Some(message)) => told.send(Told::Message(message)).unwrap(),
            Ok(None) => {
                let code = ws.peer_close().map(|close| close.code().get());
                told.send(Told::Ended(code)).unwrap();
                return Ok(());
            }
            Err(error) => {
                told.send(Told::Failed(error)).unwrap();
                return Err(Error::other("told already"));
            }
        }
    }
}

/// By its path.
async fn handler(request: Request, told: Teller) -> Result<(), Error> {
    let path = request.path().to_owned();
    if path == "/echo" {
        return support::echo(request).await;
    }
    let mut ws = request.accept().await?;
    match &path[..] {
        "/listen" => listen(&mut ws, &told).await,
        // What has come by then is there still.
        "/late" => {
            sleep(Duration::from_secs(1)).await;
            listen(&mut ws, &told).await
        }
        "/ok" => Ok(()),
        "/error" => Err(Error::other("as asked")),
        "/panic" => panic!("as asked"),
        "/speak" => {
            ws.send("the last word").await?;
            Ok(())
        }
        "/close" => {
            let closed = ws.close(CloseFrame::new(CloseCode::new(4000).unwrap(), "bye").unwrap()).await;
            let code = ws.peer_close().map(|close| close.code().get());
            told.send(closed.map_or_else(Told::Failed, |()| Told::Ended(code))).unwrap();
            Ok(())
        }
        "/moved" => {
            tokio::spawn(async move {
                while let Ok(Some(message)) = ws.recv().await {
                    if message == Message::from("drop") {
                        break;
                    }
                    if ws.send(message).await.is_err() {
                        break;
                    }
                }
                let _ = told.send(Told::Ended(None));
            });
            Ok(())
        }
        "/sender" => {
            // The receiver is gone.
            let (mut sender, _) = ws.split();
            for text in ["one", "two"] {
                sender.send(text).await?;
                sleep(Duration::from_secs(1)).await;
            }
            let result = sender.send("three").await;
            // Dropped at once, it would be reset before that has left.
            sleep(Duration::from_secs(1)).await;
            told.send(result.map_or_else(Told::Failed, |()| Told::Ended(None))).unwrap();
            Ok(())
        }
        "/receiver" => {
            // The sender is gone.
            let (mut sender, mut receiver) = ws.split();
            sender.feed("left by the sender").await?;
            drop(sender);
            while let Some(message) = receiver.recv().await? {
                told.send(Told::Message(message)).unwrap();
            }
            told.send(Told::Ended(receiver.peer_close().map(|close| close.code().get()))).unwrap();
            Ok(())
        }
        "/halves" => {
            let (mut sender, mut receiver) = ws.split();
            let sending = tokio::spawn(async move {
                sender.close(CloseCode::new(4001).unwrap()).await.unwrap();
            });
            while let Some(message) = receiver.recv().await? {
                told.send(Told::Message(message)).unwrap();
            }
            sending.await.unwrap();
            told.send(Told::Ended(receiver.peer_close().map(|close| close.code().get()))).unwrap();
            Ok(())
        }
        "/cut" => {
            drop(ws.split());
            Ok(())
        }
        _ => unreachable!("{path}"),
    }
}

/// A server in memory, and a client of it that has an echo on stream 1.
struct Pair {
    client: Frames<DuplexStream>,
    task: JoinHandle<Result<(), Error>>,
    told: UnboundedReceiver<Told>,
    next: u32,
}

impl Pair {
    async fn new() -> Self {
        Self::with(|builder| builder, &[]).await
    }

    async fn with(configure: impl FnOnce(ServerBuilder) -> ServerBuilder, settings: &[(u16, u32)]) -> Self {
        let (teller, told) = unbounded_channel();
        let (near, task) = detached(configure, move |request| handler(request, teller.clone())).await;
        let client = Frames::begin_with(near, settings).await;
        let mut pair = Self { client, task, told, next: 1 };
        pair.open("/echo").await;
        pair
    }

    async fn open(&mut self, path: &str) -> u32 {
        let stream = self.ask(path).await;
        self.client.is_opened(stream).await;
        stream
    }

    async fn ask(&mut self, path: &str) -> u32 {
        let stream = self.next;
        self.next += 2;
        let mut fields = CONNECT;
        fields[4].1 = path;
        self.client.request(stream, &fields, false).await;
        stream
    }

    async fn told(&mut self) -> Told {
        soon(self.told.recv()).await.unwrap()
    }

    async fn is_told_ended(&mut self, code: Option<u16>) {
        let told = self.told().await;
        assert!(matches!(told, Told::Ended(ended) if ended == code), "{told:?}");
    }

    async fn is_told_message(&mut self, message: &str) {
        let told = self.told().await;
        assert!(matches!(&told, Told::Message(told) if *told == message.into()), "{told:?}");
    }

    async fn is_told_reset(&mut self, code: ErrorCode) {
        let Told::Failed(error) = self.told().await else { panic!() };
        assert!(matches!(stream_error(&error), Some(h2::Error::Reset(told)) if *told == code), "{error:?}");
        assert_eq!(support::http2::reset_code(&error.into()), Some(code));
    }

    /// Everything that comes of other streams for so long, in virtual time.
    async fn quiet(&mut self, time: Duration) {
        let seen = tokio::time::timeout(time, self.client.see()).await;
        assert!(seen.is_err(), "{seen:?}");
    }

    async fn neighbour_is_unharmed(&mut self) {
        self.client.frame(1, TEXT, b"unharmed").await;
        assert_eq!(self.client.see().await, some(1, &unmasked(TEXT, b"unharmed")));
    }

    async fn end(mut self) {
        self.neighbour_is_unharmed().await;
        self.client.data(1, raw::frame(CLOSE, &close(1000)), true).await;
        assert_eq!(self.client.see().await, last(1, &unmasked(CLOSE, &close(1000))));
        drop(self.client);
        soon(self.task).await.unwrap().unwrap();
    }
}

/// How long the end of the peer's half is waited for.
const LINGER: Duration = Duration::from_secs(1);
const NEARLY: Duration = Duration::from_millis(990);

/// Interop point 8: we end the stream, on our Close itself; whoever waits for that waits for nothing else.
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_close_ends_the_stream() {
    let mut pair = Pair::new().await;
    let stream = pair.open("/listen").await;
    pair.client.frame(stream, TEXT, b"before").await;
    pair.client.frame(stream, CLOSE, &close(4321)).await;
    assert_eq!(pair.client.see().await, last(stream, &unmasked(CLOSE, &close(4321))));
    pair.is_told_message("before").await;
    pair.is_told_ended(Some(4321)).await;
    // It ends its own half in time, and nothing else is said of it.
    sleep(NEARLY).await;
    pair.client.data(stream, b"", true).await;
    pair.quiet(10 * LINGER).await;
    pair.end().await;
}

/// Interop points 9 and 10: Firefox never ends its half. The stream is reset, but not so early that anybody between could drop
/// our Close for it.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_ends() {
    let one_more = h2::Config::default().max_concurrent_streams(2);
    let mut pair = Pair::with(|builder| builder.http2(one_more), &[]).await;
    for _ in 0..5 {
        let stream = pair.open("/listen").await;
        pair.client.frame(stream, CLOSE, &close(1000)).await;
        assert_eq!(pair.client.see().await, last(stream, &unmasked(CLOSE, &close(1000))));
        pair.is_told_ended(Some(1000)).await;
        pair.quiet(NEARLY).await;
        let waited = Instant::now();
        assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::NO_ERROR));
        assert!(waited.elapsed() < LINGER / 10);
        // What it says late hurts nobody.
        pair.client.frame(stream, TEXT, b"late").await;
        pair.client.data(stream, b"", true).await;
        pair.client.reset(stream, ErrorCode::CANCEL).await;
        pair.neighbour_is_unharmed().await;
    }
    pair.end().await;
}

/// Interop point 11: Chromium ends its half with its Close. That is an end in order.
#[tokio::test(start_paused = true)]
async fn a_close_that_ends_the_stream() {
    let mut pair = Pair::new().await;
    for path in ["/listen", "/late"] {
        let stream = pair.open(path).await;
        pair.client.frame(stream, TEXT, b"before").await;
        pair.client.data(stream, raw::frame(CLOSE, &close(1000)), true).await;
        assert_eq!(pair.client.see().await, last(stream, &unmasked(CLOSE, &close(1000))));
        pair.is_told_message("before").await;
        pair.is_told_ended(Some(1000)).await;
        pair.quiet(10 * LINGER).await;
    }
    // With END_STREAM on a frame of its own, empty or not.
    let stream = pair.open("/late").await;
    pair.client.frame(stream, CLOSE, b"").await;
    pair.client.data(stream, b"rubbish", true).await;
    assert_eq!(pair.client.see().await, last(stream, &unmasked(CLOSE, b"")));
    pair.is_told_ended(Some(1005)).await;
    pair.quiet(10 * LINGER).await;
    pair.end().await;
}

/// Interop point 8, the other way: we close first, and end the stream once the peer has closed as well.
#[tokio::test(start_paused = true)]
async fn our_close_waits_for_the_peers() {
    let mut pair = Pair::new().await;
    for ends in [false, true] {
        let stream = pair.open("/close").await;
        let bye = unmasked(CLOSE, b"\x0f\xa0bye");
        assert_eq!(pair.client.see().await, some(stream, &bye));
        pair.quiet(Duration::from_secs(4)).await;
        // Messages may still come before it.
        pair.client.frame(stream, BINARY, &[0; 1000]).await;
        pair.client.data(stream, raw::frame(CLOSE, &close(4000)), ends).await;
        assert_eq!(pair.client.see().await, last(stream, b""));
        pair.is_told_ended(Some(4000)).await;
        if ends {
            pair.quiet(10 * LINGER).await;
        } else {
            pair.quiet(NEARLY).await;
            assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::NO_ERROR));
        }
    }
    pair.end().await;
}

/// A peer that never answers our Close is waited for within the close timeout.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_closes() {
    let mut pair = Pair::new().await;
    let stream = pair.open("/close").await;
    assert!(matches!(pair.client.see().await, Seen::Data { end: false, .. }));
    pair.quiet(Duration::from_millis(4990)).await;
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));
    let told = pair.told().await;
    assert!(matches!(told, Told::Failed(ws::Error::Timeout(ws::Timeout::Close))), "{told:?}");
    // Nor the one after a handler.
    let stream = pair.open("/ok").await;
    assert_eq!(pair.client.see().await, some(stream, &unmasked(CLOSE, &close(1000))));
    pair.quiet(Duration::from_millis(4990)).await;
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));
    // One that ends its half, or resets the stream, need not be waited for.
    let stream = pair.open("/close").await;
    assert!(matches!(pair.client.see().await, Seen::Data { end: false, .. }));
    pair.client.data(stream, b"", true).await;
    let told = pair.told().await;
    assert!(matches!(told, Told::Failed(ws::Error::Disconnected)), "{told:?}");
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));
    let stream = pair.open("/close").await;
    assert!(matches!(pair.client.see().await, Seen::Data { end: false, .. }));
    pair.client.reset(stream, ErrorCode::CANCEL).await;
    pair.is_told_reset(ErrorCode::CANCEL).await;
    pair.end().await;
}

/// Interop point 12: the end of the stream without a Close is that of a TCP connection without one.
#[tokio::test(start_paused = true)]
async fn an_end_without_a_close() {
    let mut pair = Pair::new().await;
    for path in ["/listen", "/late"] {
        for (rest, whole) in
            [(&b""[..], false), (&raw::frame(TEXT, b"half")[..7], false), (&raw::frame(TEXT, b"last"), true)]
        {
            let stream = pair.open(path).await;
            pair.client.frame(stream, TEXT, b"before").await;
            pair.client.data(stream, rest, true).await;
            pair.is_told_message("before").await;
            if whole {
                pair.is_told_message("last").await;
            }
            let told = pair.told().await;
            assert!(matches!(told, Told::Failed(ws::Error::Disconnected)), "{told:?}");
            assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));
        }
    }
    pair.end().await;
}

/// Interop point 12: a reset is a typed error with its code, whatever came before is delivered, and nobody else is hurt, nor by
/// what comes after it.
#[tokio::test(start_paused = true)]
async fn resets() {
    let mut pair = Pair::new().await;
    for path in ["/listen", "/late"] {
        for code in
            [ErrorCode::CANCEL, ErrorCode::NO_ERROR, ErrorCode::INTERNAL_ERROR, ErrorCode::new(0xbeef)]
        {
            let stream = pair.open(path).await;
            // Small and large, and half of one more.
            pair.client.frame(stream, TEXT, b"before").await;
            pair.client.frame(stream, TEXT, &[b'x'; 10_000]).await;
            pair.client.data(stream, &raw::frame(TEXT, b"half")[..7], false).await;
            pair.client.reset(stream, code).await;
            pair.is_told_message("before").await;
            pair.is_told_message(&"x".repeat(10_000)).await;
            pair.is_told_reset(code).await;
            pair.neighbour_is_unharmed().await;
        }
    }
    // REFUSED_STREAM says that nothing was done, which a client cannot know: it is a reset all the same.
    let stream = pair.open("/listen").await;
    pair.client.reset(stream, ErrorCode::REFUSED_STREAM).await;
    let Told::Failed(error) = pair.told().await else { panic!() };
    assert!(matches!(stream_error(&error), Some(h2::Error::Unprocessed)), "{error:?}");
    // Behind a Close it is none: the closing handshake was done.
    for path in ["/listen", "/late"] {
        let stream = pair.open(path).await;
        pair.client.frame(stream, CLOSE, &close(1000)).await;
        pair.client.reset(stream, ErrorCode::CANCEL).await;
        pair.is_told_ended(Some(1000)).await;
    }
    pair.quiet(10 * LINGER).await;
    pair.end().await;
}

/// Interop point 13: what breaks RFC 6455 has a Close that says so, and the end of the stream for our part; and then a grace.
#[tokio::test(start_paused = true)]
async fn violations() {
    let config = Config::default().max_message_size(1000).max_frame_size(800);
    let mut pair = Pair::with(|builder| builder.config(config), &[]).await;
    let masked = |start: &[u8], payload: &[u8]| [start, &[0; 4], payload].concat();
    let large = [&[0x82, 0x80 | 126, 3, 0x21, 0, 0, 0, 0][..], &[0; 801]].concat();
    let mut fragments = Vec::new();
    for first in [0x02, 0x00] {
        fragments.extend_from_slice(&[&[first, 0x80 | 126, 2, 0x58, 0, 0, 0, 0][..], &[0; 600]].concat());
    }
    let cases: &[(&str, Vec<u8>, u16)] = &[
        ("unmasked", vec![0x81, 1, b'x'], 1002),
        ("RSV1", masked(&[0xc1, 0x81], b"x"), 1002),
        ("RSV2", masked(&[0xa1, 0x81], b"x"), 1002),
        ("RSV3", masked(&[0x91, 0x81], b"x"), 1002),
        ("opcode 3", masked(&[0x83, 0x81], b"x"), 1002),
        ("opcode 11", masked(&[0x8b, 0x81], b"x"), 1002),
        ("a fragmented Ping", masked(&[0x09, 0x81], b"x"), 1002),
        ("a long Ping", masked(&[0x89, 0x80 | 126, 0, 126], &[0; 126]), 1002),
        ("a continuation of nothing", masked(&[0x80, 0x81], b"x"), 1002),
        ("a message in a message", [masked(&[0x01, 0x81], b"x"), masked(&[0x81, 0x81], b"x")].concat(), 1002),
        ("a length that is not the shortest", masked(&[0x82, 0x80 | 126, 0, 1], b"x"), 1002),
        ("a Close of one byte", masked(&[0x88, 0x81], &[3]), 1002),
        ("a Close with 1005", masked(&[0x88, 0x82], &close(1005)), 1002),
        ("a Close with 999", masked(&[0x88, 0x82], &close(999)), 1002),
        ("text that is none", masked(&[0x81, 0x82], b"\xc3\x28"), 1007),
        ("a reason that is none", masked(&[0x88, 0x84], b"\x03\xe8\xc3\x28"), 1007),
        ("a long frame", large, 1009),
        ("a long message", fragments, 1009),
        ("a length beyond all", masked(&[0x82, 0x80 | 127, 0x7f, 0, 0, 0, 0, 0, 0, 0], b""), 1009),
    ];
    for (what, bytes, code) in cases {
        let stream = pair.open("/listen").await;
        pair.client.frame(stream, TEXT, b"before").await;
        pair.client.data(stream, bytes, false).await;
        let Seen::Data { stream: of, data, end: true } = pair.client.see().await else { panic!("{what}") };
        assert_eq!((of, data[0]), (stream, 0x88), "{what}");
        assert_eq!(data[2..4], close(*code), "{what}");
        pair.is_told_message("before").await;
        let told = pair.told().await;
        let is_typed = match code {
            1009 => matches!(told, Told::Failed(ws::Error::Limit(_))),
            _ => matches!(told, Told::Failed(ws::Error::Protocol(_))),
        };
        assert!(is_typed, "{what}: {told:?}");
        pair.quiet(NEARLY).await;
        assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::NO_ERROR), "{what}");
    }
    pair.end().await;
}

/// The handler's end says the code, and the closing handshake is gone through behind it.
#[tokio::test(start_paused = true)]
async fn a_handler_that_drops_it() {
    let mut pair = Pair::new().await;
    for (path, code) in [("/ok", 1000), ("/error", 1011), ("/panic", 1011), ("/speak", 1000)] {
        let stream = pair.open(path).await;
        let mut expected = unmasked(CLOSE, &close(code));
        if path == "/speak" {
            expected.splice(0..0, unmasked(TEXT, b"the last word"));
        }
        assert_eq!(pair.client.take(stream, expected.len()).await, expected, "{path}");
        pair.client.frame(stream, BINARY, &[0; 5000]).await;
        pair.client.frame(stream, CLOSE, &close(code)).await;
        assert_eq!(pair.client.see().await, last(stream, b""), "{path}");
        pair.client.data(stream, b"", true).await;
        pair.quiet(10 * LINGER).await;
    }
    pair.end().await;
}

/// A WebSocket in another task lives as long as that wants; dropped there, it is cut.
#[tokio::test(start_paused = true)]
async fn a_websocket_that_was_moved() {
    let mut pair = Pair::new().await;
    let stream = pair.open("/moved").await;
    sleep(Duration::from_secs(30)).await;
    pair.client.frame(stream, TEXT, b"hello").await;
    assert_eq!(pair.client.see().await, some(stream, &unmasked(TEXT, b"hello")));
    pair.client.frame(stream, TEXT, b"drop").await;
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));
    pair.is_told_ended(None).await;
    // Closed by the client, it ends in order.
    let stream = pair.open("/moved").await;
    pair.client.frame(stream, CLOSE, &close(1000)).await;
    assert_eq!(pair.client.see().await, last(stream, &unmasked(CLOSE, &close(1000))));
    pair.is_told_ended(None).await;
    pair.client.data(stream, b"", true).await;
    pair.end().await;
}

/// Each half lives on alone.
#[tokio::test(start_paused = true)]
async fn halves() {
    let mut pair = Pair::new().await;
    let stream = pair.open("/receiver").await;
    assert_eq!(pair.client.see().await, some(stream, &unmasked(TEXT, b"left by the sender")));
    pair.client.frame(stream, TEXT, b"hello").await;
    pair.is_told_message("hello").await;
    pair.client.frame(stream, CLOSE, &close(1000)).await;
    assert_eq!(pair.client.see().await, last(stream, &unmasked(CLOSE, &close(1000))));
    pair.is_told_ended(Some(1000)).await;
    pair.quiet(NEARLY).await;
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::NO_ERROR));

    // Nobody receives, and what comes is passed over; so the peer can send more than a window.
    let stream = pair.open("/sender").await;
    assert_eq!(pair.client.see().await, some(stream, &unmasked(TEXT, b"one")));
    pair.client.credits.clear();
    pair.client.frame(stream, BINARY, &[0; 16_000]).await;
    assert_eq!(pair.client.see().await, some(stream, &unmasked(TEXT, b"two")));
    assert!(pair.client.credits.iter().any(|(of, _)| *of == stream), "{:?}", pair.client.credits);
    assert_eq!(pair.client.see().await, some(stream, &unmasked(TEXT, b"three")));
    pair.is_told_ended(None).await;
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));

    let stream = pair.open("/halves").await;
    assert_eq!(pair.client.see().await, some(stream, &unmasked(CLOSE, &close(4001))));
    pair.client.frame(stream, TEXT, b"on its way").await;
    pair.client.frame(stream, CLOSE, &close(4001)).await;
    assert_eq!(pair.client.see().await, last(stream, b""));
    pair.is_told_message("on its way").await;
    pair.is_told_ended(Some(4001)).await;
    pair.client.data(stream, b"", true).await;

    // At once, before its answer has left.
    let stream = pair.ask("/cut").await;
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::CANCEL));
    pair.end().await;
}

/// Pings are answered in between, and neither they nor messages behind a Close are heeded.
#[tokio::test(start_paused = true)]
async fn pings_and_what_follows_a_close() {
    let mut pair = Pair::new().await;
    let stream = pair.open("/listen").await;
    pair.client.frame(stream, 9, b"are you?").await;
    assert_eq!(pair.client.see().await, some(stream, &unmasked(10, b"are you?")));
    let mut bytes = raw::frame(CLOSE, &close(1000));
    bytes.extend_from_slice(&raw::frame(9, b"?"));
    bytes.extend_from_slice(&raw::frame(TEXT, b"late"));
    pair.client.data(stream, bytes, true).await;
    assert_eq!(pair.client.see().await, last(stream, &unmasked(CLOSE, &close(1000))));
    pair.is_told_ended(Some(1000)).await;
    pair.end().await;
}

/// A client that vanishes, or breaks HTTP/2 itself, ends all of its WebSockets.
#[tokio::test(start_paused = true)]
async fn connections_that_end() {
    for fails in [false, true] {
        let mut pair = Pair::new().await;
        for _ in 0..3 {
            pair.open("/listen").await;
        }
        if fails {
            // DATA on a stream that was never opened.
            pair.client.data(99, b"x", false).await;
            assert_eq!(pair.client.see().await, Seen::GoAway(7, ErrorCode::PROTOCOL_ERROR));
        }
        drop(pair.client);
        for _ in 0..3 {
            match soon(pair.told.recv()).await.unwrap() {
                // As with a TCP connection of its own.
                Told::Failed(ws::Error::Disconnected) if !fails => {}
                Told::Failed(error) => {
                    assert!(matches!(stream_error(&error), Some(h2::Error::Protocol(_))), "{error:?}");
                }
                told => panic!("{told:?}"),
            }
        }
        let error = soon(pair.task).await.unwrap().unwrap_err();
        match fails {
            false => assert!(matches!(error, Error::Http2(h2::Error::Io(_))), "{error:?}"),
            true => assert!(matches!(error, Error::Http2(h2::Error::Protocol(_))), "{error:?}"),
        }
    }
}

/// RFC 9113 §8.5: a tunnel has no trailers.
#[tokio::test(start_paused = true)]
async fn trailers() {
    let mut pair = Pair::new().await;
    let stream = pair.open("/listen").await;
    pair.client.request(stream, &[("x-trailer", "1")], true).await;
    assert_eq!(pair.client.see().await, Seen::Reset(stream, ErrorCode::PROTOCOL_ERROR));
    let Told::Failed(error) = pair.told().await else { panic!() };
    assert!(matches!(stream_error(&error), Some(h2::Error::Protocol(_))), "{error:?}");
    pair.end().await;
}
