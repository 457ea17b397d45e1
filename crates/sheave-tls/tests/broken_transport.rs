//! Peers that go away, that do not speak TLS, and callers that give up.
#![cfg(feature = "dev-certificates")]

mod common;

use std::cell::Cell;
use std::io::ErrorKind;

use common::{DropAfter, bounded, connected, handshake_error, localhost, rustls};
use sheave_tls::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

fn assert_eof<T>(result: Result<T, Error>, at: usize) {
    match result {
        Err(Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {}
        Err(other) => panic!("cut at {at}: {other:?}"),
        Ok(_) => panic!("cut at {at}: the handshake succeeded"),
    }
}

#[tokio::test]
async fn server_sees_the_client_hello_cut_at_every_byte() {
    let dev = localhost();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();
    let (near, mut raw) = duplex(64 * 1024);
    let mut hello = vec![0; 64 * 1024];
    let length = bounded(async {
        tokio::select! {
            _ = client.connect("localhost", near) => unreachable!("nobody answers"),
            read = raw.read(&mut hello) => read.unwrap(),
        }
    })
    .await;
    for cut in 0..=length {
        let (mut raw, far) = duplex(64 * 1024);
        raw.write_all(&hello[..cut]).await.unwrap();
        raw.shutdown().await.unwrap();
        assert_eof(bounded(server.accept(far)).await, cut);
    }
}

#[tokio::test]
async fn client_sees_the_answer_cut() {
    let dev = localhost();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();
    // The certificate and more come after these; the whole answer has some 700 bytes.
    for cut in (0..500).step_by(7) {
        let (near, mut client_side) = duplex(64 * 1024);
        let (mut server_side, far) = duplex(64 * 1024);
        let relay = async move {
            let mut hello = vec![0; 64 * 1024];
            let length = client_side.read(&mut hello).await.unwrap();
            server_side.write_all(&hello[..length]).await.unwrap();
            let mut answer = vec![0; cut];
            server_side.read_exact(&mut answer).await.unwrap();
            client_side.write_all(&answer).await.unwrap();
        };
        let (near, far, ()) =
            bounded(async { tokio::join!(client.connect("localhost", near), server.accept(far), relay) })
                .await;
        // Who writes before reading finds a broken pipe instead of the end.
        assert!(matches!(near, Err(Error::Io(_))), "{cut}: {near:?}");
        assert!(matches!(far, Err(Error::Io(_))), "{cut}: {far:?}");
    }
}

#[tokio::test]
async fn not_tls() {
    let dev = localhost();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();

    let (mut raw, far) = duplex(64 * 1024);
    raw.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let error = handshake_error(bounded(server.accept(far)).await);
    assert!(matches!(error, rustls::Error::InvalidMessage(_)), "{error:?}");

    let (near, mut raw) = duplex(64 * 1024);
    raw.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = handshake_error(bounded(client.connect("localhost", near)).await);
    assert!(matches!(error, rustls::Error::InvalidMessage(_)), "{error:?}");
}

#[tokio::test]
async fn either_side_gives_up_at_every_poll() {
    let dev = localhost();
    let client = dev.client_config_builder().build().unwrap();
    let server = dev.server_config_builder().build().unwrap();
    for client_gives_up in [true, false] {
        let mut polls = 0;
        loop {
            let finished = Cell::new(false);
            // A narrow pipe: many polls. What the server still sends after the handshake has to be read.
            let (near, far) = duplex(50);
            let connect = async {
                let mut stream = client.connect("localhost", near).await?;
                finished.set(true);
                let _ = stream.read(&mut [0; 1]).await;
                Ok(())
            };
            let accept = async { server.accept(far).await.map(drop) };
            let gave_up: Option<Result<(), Error>> = bounded(async {
                if client_gives_up {
                    let connect = DropAfter { future: Some(Box::pin(connect)), polls };
                    let (connect, accept) = tokio::join!(connect, accept);
                    connect.is_none().then_some(accept)
                } else {
                    let accept = DropAfter { future: Some(Box::pin(accept)), polls };
                    let (connect, accept) = tokio::join!(connect, accept);
                    accept.is_none().then_some(connect)
                }
            })
            .await;
            match gave_up {
                Some(Ok(())) => assert!(finished.get()),
                Some(Err(error)) => assert!(matches!(error, Error::Io(_)), "{polls}: {error:?}"),
                None => break,
            }
            polls += 1;
        }
        assert!(polls > 5, "{polls}");
        connected(&client, "localhost", &server).await;
    }
}
