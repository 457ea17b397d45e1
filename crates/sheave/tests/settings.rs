//! Settings of clients and servers reach the connection.

use std::time::Duration;

use sheave::tls::DevCertificate;
use sheave::ws::handshake::{HandshakeError, HeadLimits};
use sheave::ws::{self, Limit, Timeout};
use sheave::{Client, ClientBuilder, Config, Error, Request, Server, ServerBuilder, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The time that `future` takes, in whole seconds.
async fn timed<F: Future>(future: F) -> (u64, F::Output) {
    let start = Instant::now();
    let output = timeout(secs(100_000), future).await.expect("it waits for ever");
    (start.elapsed().as_secs(), output)
}

/// What a client makes of a connection.
async fn connect(builder: ClientBuilder, io: DuplexStream) -> Result<WebSocket, Error> {
    builder.build().request("ws://localhost/").connect_over(io).await
}

/// A client connected to a server of these settings that runs `handler`, each over its end of a connection.
async fn together<F>(
    client: ClientBuilder,
    server: ServerBuilder,
    handler: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static,
) -> WebSocket
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let server = server.build().await.unwrap();
    let (near, far) = duplex(1 << 20);
    tokio::spawn(async move {
        let handler = move |request: Request| {
            let handler = handler.clone();
            async move { handler(request.accept().await?).await }
        };
        let _ = server.serve_connection(far, handler).await;
    });
    connect(client, near).await.unwrap()
}

/// Waits for ever.
async fn forever(_: WebSocket) -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_clients_handshake_timeout() {
    let (near, _far) = duplex(10_000);
    let (took, connected) = timed(connect(Client::builder().handshake_timeout(secs(3)), near)).await;
    assert!(matches!(connected, Err(Error::WebSocket(ws::Error::Timeout(Timeout::Handshake)))));
    assert_eq!(took, 3);
}

#[tokio::test]
async fn the_clients_head_limits() {
    let heads = [
        (HeadLimits::default().bytes(100), format!("X: {}\r\n", "x".repeat(200))),
        (HeadLimits::default().headers(3), "X: y\r\n".repeat(4)),
    ];
    for (limits, headers) in heads {
        let (near, mut far) = duplex(10_000);
        let head = format!("HTTP/1.1 404 Not Found\r\n{headers}Content-Length: 0\r\n\r\n");
        far.write_all(head.as_bytes()).await.unwrap();
        let connected =
            timeout(secs(60), connect(Client::builder().head_limits(limits), near)).await.unwrap();
        let Err(Error::WebSocket(ws::Error::Handshake(error))) = connected else { panic!("{connected:?}") };
        assert!(
            matches!(error, HandshakeError::HeadTooLarge { .. } | HandshakeError::TooManyHeaders { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_clients_config() {
    let client = Client::builder().config(Config::default().max_message_size(10));
    let mut ws = together(client, Server::detached(), |mut ws| async move {
        ws.send("x".repeat(11)).await?;
        forever(ws).await
    })
    .await;
    let received = timeout(secs(60), ws.recv()).await.unwrap();
    assert!(matches!(received, Err(ws::Error::Limit(Limit::MessageSize))), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn keepalive_of_either_side() {
    // The client pings a server that does not read.
    let client = Client::builder().keepalive(secs(30));
    let mut ws = together(client, Server::detached(), forever).await;
    let (took, received) = timed(ws.recv()).await;
    assert!(matches!(received, Err(ws::Error::Timeout(Timeout::Keepalive))), "{received:?}");
    assert_eq!(took, 50);

    // The server pings a client that does not read.
    let (report, reported) = tokio::sync::oneshot::channel();
    let report = std::sync::Arc::new(std::sync::Mutex::new(Some(report)));
    let server = Server::detached().keepalive(secs(30));
    let ws = together(Client::builder(), server, move |mut ws| {
        let report = report.lock().unwrap().take().unwrap();
        async move {
            let _ = report.send(ws.recv().await);
            Ok(())
        }
    });
    let _ws = ws.await;
    let (took, received) = timed(reported).await;
    assert!(matches!(received.unwrap(), Err(ws::Error::Timeout(Timeout::Keepalive))));
    assert_eq!(took, 50);
}

/// What rustls has taken but not written is no sign of a peer that takes nothing.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_no_write_timeout_over_tls_either() {
    for encrypted in [false, true] {
        let certificate = DevCertificate::generate(&["localhost"]).unwrap();
        let mut server = Server::detached().config(Config::default().write_timeout(secs(5)));
        if encrypted {
            server = server.tls(certificate.server_config_builder().build().unwrap());
        }
        let server = server.build().await.unwrap();
        let (mut towards_server, far) = duplex(2048);
        let (near, mut towards_client) = duplex(1 << 20);
        // Passes 1 KiB each quarter of a second to the client, once the handshakes are done.
        let passing = tokio::spawn(async move {
            let (mut down, mut up, mut passed) = ([0; 1024], [0; 4096], 0);
            loop {
                tokio::select! {
                    read = towards_client.read(&mut up) => match read {
                        Ok(count @ 1..) => towards_server.write_all(&up[..count]).await.unwrap(),
                        _ => return,
                    },
                    read = towards_server.read(&mut down) => match read {
                        Ok(count @ 1..) => {
                            passed += count;
                            if towards_client.write_all(&down[..count]).await.is_err() {
                                return;
                            }
                            if passed > 6000 {
                                sleep(Duration::from_millis(250)).await;
                            }
                        }
                        _ => return,
                    },
                }
            }
        });
        tokio::spawn(async move {
            let handler = |request: Request| async move {
                let mut ws = request.accept().await?;
                ws.send(vec![7; 60_000]).await?;
                forever(ws).await
            };
            let _ = server.serve_connection(far, handler).await;
        });
        let client = Client::builder().tls(certificate.client_config_builder().build().unwrap()).build();
        let url = if encrypted { "wss://localhost/" } else { "ws://localhost/" };
        let mut ws = client.request(url).connect_over(near).await.unwrap();
        let (took, received) = timed(ws.recv()).await;
        assert_eq!(received.unwrap().map(|message| message.len()), Some(60_000), "encrypted: {encrypted}");
        assert!(took > 10, "{took}");
        passing.abort();
    }
}
