//! How much the transport has to do.
#![cfg(feature = "tokio")]

mod io_common;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use io_common::{Counted, Echo, all, bounded, bytes, taken};
use sheave_h2::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Both sides, with what they count.
fn counted(config: Config) -> (Echo, [Arc<AtomicUsize>; 4]) {
    let (near, far) = duplex(1 << 20);
    let (near, far) = (Counted::new(near), Counted::new(far));
    let counts = [&near.writes, &far.writes, &near.reads, &far.reads].map(Arc::clone);
    (Echo::on(near, far, config), counts)
}

#[tokio::test]
async fn messages_on_many_streams_leave_together() {
    const STREAMS: u32 = 200;
    let (mut echo, [near_writes, far_writes, ..]) =
        counted(Config::default().max_concurrent_streams(STREAMS));
    let mut tunnels = Vec::new();
    for _ in 0..STREAMS {
        tunnels.push(echo.tunnel().await);
    }
    let message = [b'm'; 512];
    for _ in 0..3 {
        taken(&near_writes);
        taken(&far_writes);
        for (send, _) in &mut tunnels {
            send.send_data(&message[..]).await.unwrap();
        }
        for (_, receive) in &mut tunnels {
            bounded(receive.read_exact(&mut [0; 512])).await.unwrap();
        }
        let (near, far) = (taken(&near_writes), taken(&far_writes));
        assert!(near <= 8 && far <= 8, "{near} and {far} writes");
    }
    drop(tunnels);
    echo.end().await;
}

#[tokio::test]
async fn a_large_message_takes_few_reads() {
    const MESSAGES: usize = 64;
    let config = Config::default().initial_window_size(1 << 20).max_send_queue(1 << 20);
    let (mut echo, [.., near_reads, far_reads]) = counted(config);
    let (mut send, mut receive) = echo.tunnel().await;
    taken(&near_reads);
    taken(&far_reads);
    let message = Bytes::from(bytes(64 << 10));
    let sending = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            send.send_data(message.clone()).await.unwrap();
        }
        send.shutdown().await.unwrap();
    });
    assert_eq!(all(&mut receive).await.len(), MESSAGES * (64 << 10));
    bounded(sending).await.unwrap();
    let (near, far) = (taken(&near_reads), taken(&far_reads));
    assert!(near < MESSAGES && far < MESSAGES, "{near} and {far} reads for {MESSAGES} messages");
    echo.end().await;
}
