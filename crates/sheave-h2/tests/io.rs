//! Connections over tokio streams.
#![cfg(feature = "tokio")]

use bytes::Bytes;
use http::{Request, Response};
use sheave_h2::io::{RecvStream, client, server};
use sheave_h2::{Config, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A server that answers each request with its content.
async fn echo(io: DuplexStream, config: Config) {
    let mut connection = server::handshake_with(io, config);
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted.unwrap();
        tokio::spawn(async move {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            let mut body = request.into_body();
            while let Some(data) = body.data().await {
                send.send_data(data.unwrap()).await.unwrap();
            }
            match body.trailers().await.unwrap() {
                Some(trailers) => send.send_trailers(trailers).unwrap(),
                None => send.finish().unwrap(),
            }
        });
    }
}

async fn all(body: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data.unwrap());
    }
    all
}

#[tokio::test]
async fn bodies_of_many_sizes_come_back() {
    let (near, far) = duplex(64 << 10);
    let serving = tokio::spawn(echo(far, Config::default()));
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    for length in [0, 1, 1000, 65_535, 65_536, 1 << 20, 5 << 20] {
        let body: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let request = Request::post("https://example.org/").body(()).unwrap();
        let (response, mut send) = requests.send_request(request, false).unwrap();
        let sent = Bytes::from(body.clone());
        let sending = tokio::spawn(async move {
            send.send_data(sent).await.unwrap();
            send.finish().unwrap();
        });
        let mut response = response.await.unwrap();
        assert_eq!(all(response.body_mut()).await, body);
        sending.await.unwrap();
    }
    drop(requests);
    driving.await.unwrap().unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn many_tunnels_at_once() {
    const TUNNELS: u32 = 500;
    let (near, far) = duplex(64 << 10);
    let config = Config::default().enable_connect_protocol(true).max_concurrent_streams(TUNNELS);
    let serving = tokio::spawn(echo(far, config));
    let (mut requests, connection) = client::handshake(near);
    let driving = tokio::spawn(connection);
    let mut tunnels = Vec::new();
    for _ in 0..TUNNELS {
        requests.ready().await.unwrap();
        let request = Request::connect("https://example.org/").extension(Protocol::websocket());
        tunnels.push(requests.send_request(request.body(()).unwrap(), false).unwrap());
    }
    let mut tasks = Vec::new();
    for (index, (response, mut send)) in tunnels.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            let mut receive = response.await.unwrap().into_body();
            for round in 0..20 {
                let message = format!("message {round} on {index}");
                send.write_all(message.as_bytes()).await.unwrap();
                let mut back = vec![0; message.len()];
                receive.read_exact(&mut back).await.unwrap();
                assert_eq!(back, message.as_bytes());
            }
            send.shutdown().await.unwrap();
            assert_eq!(receive.read(&mut [0; 1]).await.unwrap(), 0);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    drop(requests);
    driving.await.unwrap().unwrap();
    serving.await.unwrap();
}
