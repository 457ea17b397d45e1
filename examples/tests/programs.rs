//! The examples as a user runs them: programs with arguments, input and output.

mod common;

use std::process::Stdio;
use std::time::Duration;

use common::bridge::{bounded, bridge};
use common::{LIMIT, start};
use sheave::{Client, CloseCode, Config, DeflateConfig, Message, Versions, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A program that serves, and its URL.
async fn serve(program: &str, arguments: &[&str]) -> (Child, String) {
    start(program, &[&["--addr", "127.0.0.1:0"], arguments].concat()).await
}

async fn text(ws: &mut WebSocket) -> String {
    let message = timeout(LIMIT, ws.recv()).await.expect("it hangs").unwrap().expect("it closed");
    message.as_text().unwrap().to_owned()
}

#[tokio::test]
async fn echo_server_on_one_thread_echoes_and_has_a_page() {
    let (_server, url) = serve(env!("CARGO_BIN_EXE_echo_server"), &["--threads", "1"]).await;
    let mut ws = sheave::connect(format!("{url}/any/path")).await.unwrap();
    for message in [Message::from("text"), Message::from(vec![0, 255])] {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(timeout(LIMIT, ws.recv()).await.unwrap().unwrap(), Some(message));
    }
    let address = url.strip_prefix("ws://").unwrap();
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    timeout(LIMIT, plain.read_to_string(&mut page)).await.unwrap().unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("echoes"), "{page}");
}

#[tokio::test]
async fn echo_client_sends_lines_and_prints_replies_over_tls() {
    let folder = std::env::temp_dir().join(format!("sheave-programs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ca = folder.join("ca.pem");
    let ca = ca.to_str().unwrap();
    let (_server, url) = serve(env!("CARGO_BIN_EXE_echo_server"), &["--tls", "--ca-out", ca]).await;
    for arguments in [vec!["--ca", ca, &url], vec!["--insecure", &url]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_echo_client"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut client = command.spawn().unwrap();
        let mut input = client.stdin.take().unwrap();
        input.write_all("first\nzweite Zeile: ä\n".as_bytes()).await.unwrap();
        drop(input);
        let output = timeout(LIMIT, client.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "first\nzweite Zeile: ä\n");
    }
    // Without either, a certificate that nobody vouches for is refused.
    let mut command = Command::new(env!("CARGO_BIN_EXE_echo_client"));
    let refused = timeout(LIMIT, command.arg(&url).stdin(Stdio::null()).output()).await.unwrap().unwrap();
    assert!(!refused.status.success());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn chat_keeps_rooms_apart_and_tells_the_slow() {
    let (_server, url) = serve(env!("CARGO_BIN_EXE_chat"), &[]).await;
    let join = |room: &str| sheave::connect(format!("{url}/{room}"));
    let (mut ann, mut bob, mut slow) =
        (join("a").await.unwrap(), join("a").await.unwrap(), join("a").await.unwrap());
    let mut elsewhere = join("b").await.unwrap();

    // Until everybody is in, a message may find nobody: it is repeated.
    for waiting in [&mut bob, &mut slow] {
        loop {
            ann.send("hello").await.unwrap();
            if timeout(Duration::from_millis(100), text(waiting)).await.is_ok() {
                break;
            }
        }
    }
    // Far more than its queue and what the sockets take; nobody else waits for it.
    let line = "x".repeat(32 << 10);
    for _ in 0..2_000 {
        ann.send(&line[..]).await.unwrap();
    }
    ann.send("the end").await.unwrap();
    while text(&mut bob).await != "the end" {}
    let mut lines = 0;
    loop {
        let text = text(&mut slow).await;
        if text.starts_with("* you are too slow") {
            break;
        }
        lines += 1;
        assert!(lines < 2_000, "nothing was left out");
    }
    elsewhere.close(CloseCode::NORMAL).await.unwrap();
    assert_eq!(elsewhere.peer_close().unwrap().code(), CloseCode::NORMAL);
}

#[tokio::test]
async fn servers_end_in_order_when_their_input_does() {
    for program in [env!("CARGO_BIN_EXE_echo_server"), env!("CARGO_BIN_EXE_interop_server")] {
        let (mut server, url) = serve(program, &["--until-stdin-ends"]).await;
        let mut ws = sheave::connect(url).await.unwrap();
        ws.send("still there").await.unwrap();
        assert_eq!(text(&mut ws).await, "still there");

        drop(server.stdin.take());
        assert_eq!(timeout(LIMIT, ws.recv()).await.unwrap().unwrap(), None);
        assert_eq!(ws.peer_close().unwrap().code(), CloseCode::GOING_AWAY, "{program}");
        assert!(timeout(LIMIT, server.wait()).await.unwrap().unwrap().success(), "{program}");
    }
}

#[tokio::test]
async fn chat_closes_on_a_message_beyond_its_bound() {
    let (_server, url) = serve(env!("CARGO_BIN_EXE_chat"), &[]).await;
    let mut ws = sheave::connect(format!("{url}/a")).await.unwrap();
    ws.send("x".repeat((64 << 10) + 1)).await.unwrap();
    assert_eq!(timeout(LIMIT, ws.recv()).await.unwrap().unwrap(), None);
    assert_eq!(ws.peer_close().unwrap().code(), CloseCode::TOO_BIG);
}

#[tokio::test]
async fn manual_h2_websocket_echoes_and_closes() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manual_h2_websocket"));
    let output = timeout(LIMIT, command.kill_on_drop(true).output()).await.unwrap().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let of = |side: &str| lines.lines().filter_map(|line| line.strip_prefix(side)).collect::<Vec<_>>();
    assert_eq!(of("server: "), ["CONNECT /talk for websocket", "closed with 1000"]);
    assert_eq!(
        of("client: "),
        [
            "200 OK on stream 1, chat.v1, permessage-deflate",
            "3 bytes \"one\"",
            "3 bytes \"two\"",
            "34000 bytes \"and one that is worth compressing and on\"",
            "closed with 1000",
        ]
    );
}

/// HTTP/1.1 in front and behind, and HTTP/2 over TLS between.
#[tokio::test]
async fn two_bridges_in_a_row_pass_everything() {
    let folder = std::env::temp_dir().join(format!("sheave-bridges-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ca = folder.join("ca.pem");
    let ca = ca.to_str().unwrap();
    let server = env!("CARGO_BIN_EXE_interop_server");
    let (_server, url) = start(server, &["--deflate", "default", "--until-stdin-ends"]).await;
    let (mut back, url) = bridge(&["--to-http1", "--tls", "--ca-out", ca, "--until-stdin-ends", &url]).await;
    let (mut front, url) = bridge(&["--to-h2", "--ca", ca, "--until-stdin-ends", &url]).await;
    std::fs::remove_dir_all(folder).unwrap();

    let config = Config::default().deflate(DeflateConfig::default());
    let client = Client::builder().config(config).versions(Versions::Http1Only).build();
    let mut ws = bounded(client.connect(format!("{url}/echo"))).await.unwrap();
    assert_eq!(ws.extensions()[0].name(), "permessage-deflate");
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        for message in [Message::from(examples::octets(size)), Message::from(examples::letters(size))] {
            ws.send(message.clone()).await.unwrap();
            assert!(bounded(ws.recv()).await.unwrap() == Some(message), "{size}");
        }
    }
    for code in [1000, 1001, 3000, 4999].map(|code| CloseCode::new(code).unwrap()) {
        // Ours, and theirs.
        bounded(ws.close(code)).await.unwrap();
        assert_eq!(ws.peer_close().unwrap().code(), code);
        ws = bounded(client.connect(format!("{url}/close/{}", code.get()))).await.unwrap();
        assert_eq!(bounded(ws.recv()).await.unwrap(), None);
        assert_eq!(ws.peer_close().unwrap().code(), code);
        ws = bounded(client.connect(format!("{url}/echo"))).await.unwrap();
    }
    drop(ws);

    let mut client = Command::new(env!("CARGO_BIN_EXE_echo_client"));
    client.arg(format!("{url}/echo")).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut client = client.spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    input.write_all(b"first\nsecond\n").await.unwrap();
    drop(input);
    let output = bounded(client.wait_with_output()).await.unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"first\nsecond\n");

    // Both end in order.
    for bridge in [&mut front, &mut back] {
        drop(bridge.stdin.take());
        assert!(bounded(bridge.wait()).await.unwrap().success());
    }
}

#[tokio::test]
async fn arguments_that_contradict_each_other_are_refused() {
    let h2_bridge = env!("CARGO_BIN_EXE_h2_bridge");
    let table: [(&str, &[&str], &str); 8] = [
        (
            env!("CARGO_BIN_EXE_echo_client"),
            &["--ca", "ca.pem", "--insecure", "wss://localhost"],
            "--insecure",
        ),
        (env!("CARGO_BIN_EXE_echo_client"), &[], "URL"),
        (env!("CARGO_BIN_EXE_echo_server"), &["--ca-out", "ca.pem"], "--tls"),
        (env!("CARGO_BIN_EXE_interop_server"), &["--ca-out", "ca.pem"], "--tls"),
        (h2_bridge, &["--listen", "127.0.0.1:0", "http://localhost"], "--to-h2"),
        (h2_bridge, &["--to-h2", "http://localhost"], "--listen"),
        (h2_bridge, &["--to-h2", "--tls", "--listen", "127.0.0.1:0", "http://localhost"], "--tls"),
        (h2_bridge, &["--to-http1", "--listen", "127.0.0.1:0", "ws://localhost/path"], "path"),
    ];
    for (program, arguments, why) in table {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(LIMIT, command.output()).await.unwrap().unwrap();
        assert!(!output.status.success(), "{program} {arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{program} {arguments:?}");
    }
}

/// A line is echoed, a round trip measured, and the close answered.
#[tokio::test]
async fn interactive_client_speaks_the_version_that_it_is_told() {
    let server = env!("CARGO_BIN_EXE_echo_server");
    let cases: [(&[&str], &[&str], Option<&str>); 9] = [
        (&[], &[], Some("HTTP/1.1")),
        (&[], &["--http1"], Some("HTTP/1.1")),
        (&[], &["--h2c"], Some("HTTP/2.0")),
        (&["--h2c"], &["--http1"], None),
        (&["--tls"], &["--insecure"], Some("HTTP/2.0")),
        (&["--tls"], &["--insecure", "--http1"], Some("HTTP/1.1")),
        (&["--tls", "--http1"], &["--insecure"], Some("HTTP/1.1")),
        (&["--tls", "--http1"], &["--insecure", "--http2"], None),
        (&["--tls", "--http2"], &["--insecure", "--http2"], Some("HTTP/2.0")),
    ];
    for (served, asked, expected) in cases {
        let (_server, url) = serve(server, served).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_interactive_client"));
        command.args(asked).arg(&url).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut client = command.spawn().unwrap();
        let mut input = client.stdin.take().unwrap();
        // It may be gone already.
        let _ = input.write_all(b"/help\nhello\n/close 4000 done\n").await;
        let output = timeout(LIMIT, client.wait_with_output()).await.unwrap().unwrap();
        let output = (output.status.success(), String::from_utf8(output.stdout).unwrap());
        let Some(version) = expected else {
            assert!(!output.0, "{served:?} {asked:?}: {}", output.1);
            continue;
        };
        let lines: Vec<&str> = output.1.lines().collect();
        assert!(
            output.0 && lines[0].starts_with(&format!("* connected by {version}")),
            "{served:?} {asked:?}: {lines:?}"
        );
        assert!(lines.contains(&"< hello") && lines.iter().any(|line| line.contains("/ping")), "{lines:?}");
        assert!(lines.last().is_some_and(|last| last.starts_with("* closed: 4000")), "{lines:?}");
    }
}
