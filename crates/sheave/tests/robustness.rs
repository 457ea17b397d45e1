//! Bytes that nobody should send never panic the server, and it serves on.

mod support;

use std::time::Duration;

use sheave::{Config, Server, ServerBuilder};
use support::raw::{self, Raw, upgrade};
use support::{mirror, soon, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// xorshift64*: the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

/// Nothing but noise; a good beginning with noise behind it; good parts in a bad order; a good one with
/// single bytes changed.
fn noise(random: &mut Random) -> Vec<u8> {
    let good = [
        upgrade(""),
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
    ];
    let mut bytes = good[random.below(good.len())].clone().into_bytes();
    match random.below(4) {
        0 => {
            let length = random.below(500);
            random.bytes(length)
        }
        1 => {
            let length = random.below(500);
            bytes.extend(random.bytes(length));
            bytes
        }
        2 => {
            let parts = [
                "GET / HTTP/1.1",
                "\r\n",
                "\r\n\r\n",
                "\n",
                "Host: a",
                "Upgrade: websocket",
                "Content-Length: 3",
                "Transfer-Encoding: chunked",
                "Expect: 100-continue",
                "Connection: close",
                "0\r\n\r\n",
                "HTTP/1.0",
                "POST * HTTP/1.1",
                "Sec-WebSocket-Version: 13",
                "Connection: upgrade",
                ": ",
                "ffffffffffffffff",
            ];
            (0..random.below(30)).flat_map(|_| random.pick(&parts).bytes()).collect()
        }
        _ => {
            bytes.extend(raw::frame(raw::TEXT, b"hello"));
            bytes.extend(raw::frame(raw::CLOSE, &raw::close(1000)));
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
            bytes
        }
    }
}

fn hasty(builder: ServerBuilder) -> ServerBuilder {
    // Only to be done sooner: no test waits for it to be up.
    let config = Config::default().close_timeout(Duration::from_millis(50));
    builder.config(config).handshake_timeout(Duration::from_millis(200))
}

#[tokio::test]
async fn noise_over_a_pipe() {
    let mut random = Random(0x5eed);
    for round in 0..2000 {
        let server = hasty(Server::detached()).build().await.unwrap();
        let bytes = noise(&mut random);
        let (near, far) = duplex(1 << 10);
        let task = tokio::spawn(async move { server.serve_connection(far, mirror).await });
        let (mut reader, mut writer) = tokio::io::split(near);
        let sent = bytes.clone();
        let writing = tokio::spawn(async move {
            let _ = writer.write_all(&sent).await;
            let _ = writer.shutdown().await;
        });
        let mut answer = Vec::new();
        let _ = soon(reader.read_to_end(&mut answer)).await;
        let panicked = soon(task).await.is_err();
        assert!(!panicked, "round {round}: {:?}", bytes.escape_ascii().to_string());
        let silent = answer.is_empty();
        assert!(silent || answer.starts_with(b"HTTP/1.1 "), "round {round}");
        soon(writing).await.unwrap();
    }
}

#[tokio::test]
async fn noise_over_tcp() {
    let mut random = Random(0xfeed);
    let (tls, client) = support::certificate();
    let plain = start(hasty, mirror).await;
    let secure = start(|builder| hasty(builder).tls(tls), mirror).await;
    for _ in 0..300 {
        let bytes = noise(&mut random);
        for server in [&plain, &secure] {
            let mut lost = server.raw().await;
            lost.push_only(&bytes).await;
            if random.below(2) == 0 {
                let _ = lost.io.shutdown().await;
                lost.until_gone().await;
            }
        }
    }
    for url in [plain.url("/"), format!("wss://{}", secure.address)] {
        let mut ws = soon(client.connect(url)).await.unwrap();
        soon(ws.send("still there")).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("still there".into()));
    }
    plain.stop().await;
    secure.stop().await;
}

/// The client's side: a server that answers with noise.
#[tokio::test]
async fn noise_at_a_client() {
    let mut random = Random(0xcafe);
    let client =
        sheave::Client::builder().handshake_timeout(Duration::from_millis(200)).max_redirects(2).build();
    for _ in 0..1000 {
        let parts = [
            "HTTP/1.1 101 Switching Protocols\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "Upgrade: websocket\r\n",
            "Connection: Upgrade\r\n",
            "Sec-WebSocket-Accept: x\r\n",
            "\r\n",
            "\r\n",
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n",
            "0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        ];
        let mut bytes: Vec<u8> = (0..random.below(12)).flat_map(|_| random.pick(&parts).bytes()).collect();
        let length = random.below(30);
        bytes.extend(random.bytes(length));
        let (near, far) = duplex(64 << 10);
        let mut server = Raw::new(far);
        server.push_only(&bytes).await;
        let _ = server.io.shutdown().await;
        assert!(soon(client.request("ws://example.org").connect_over(near)).await.is_err());
    }
}

/// Memory is not for the asking: a length that is only claimed costs nothing.
#[tokio::test]
async fn claims_are_not_believed() {
    let server = start(|builder| builder.max_body_size(usize::MAX), mirror).await;
    let mut open = Vec::new();
    for _ in 0..100 {
        let mut client = server.raw().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\nx", u64::MAX)).await;
        open.push(client);
    }
    for _ in 0..100 {
        let mut client = server.raw().await;
        assert_eq!(client.ask(upgrade("")).await.status, 101);
        // 16 MiB, the largest frame that is taken.
        client.send([0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).await;
        open.push(client);
    }
    let mut ws = server.connect().await;
    soon(ws.send("still there")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("still there".into()));
    drop((open, ws));
    server.stop().await;
}
