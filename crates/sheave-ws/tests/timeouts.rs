//! Keepalive, idle, close, write and handshake timeouts, in virtual time.
#![cfg(feature = "tokio")]

mod support;

use std::time::Duration;

use sheave_ws::handshake::ClientRequest;
use sheave_ws::io::{Accept, Connect};
use sheave_ws::{CloseCode, Config, Error, Role, Timeout};
use support::{Got, Peer, Script, frame, polled, scripted, websocket, wire};
use tokio::time::{Instant, sleep, timeout};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The time that `future` takes, in whole seconds.
async fn timed<F: Future>(future: F) -> (u64, F::Output) {
    let start = Instant::now();
    let output = timeout(secs(100_000), future).await.expect("it waits for ever");
    (start.elapsed().as_secs(), output)
}

fn keepalive() -> Config {
    Config::default().keepalive_interval(secs(30)).keepalive_timeout(secs(10))
}

fn last(peer: &Peer) -> Got {
    peer.frames().pop().expect("a frame was sent")
}

#[tokio::test(start_paused = true)]
async fn an_answered_keepalive_ping_measures_the_round_trip() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &keepalive());
        let other = peer.clone();
        let answering = tokio::spawn(async move {
            for _ in 0..3 {
                sleep(secs(31)).await;
                let ping = last(&other);
                assert_eq!(ping.opcode, 9);
                sleep(Duration::from_millis(250)).await;
                other.send(wire(role, &[frame().pong(&ping.payload)]));
            }
            other.send(wire(role, &[frame().text("done")]));
        });
        assert_eq!(ws.rtt(), None);
        let (took, received) = timed(ws.recv()).await;
        assert_eq!(received.unwrap(), Some("done".into()));
        assert!((92..96).contains(&took), "{took}");
        let rtt = ws.rtt().unwrap();
        assert!((Duration::from_millis(200)..secs(2)).contains(&rtt), "{rtt:?}");
        answering.await.unwrap();
        let pings: Vec<Vec<u8>> = peer.frames().into_iter().map(|frame| frame.payload).collect();
        assert_eq!(pings.len(), 3);
        assert!(pings[0] != pings[1] && pings[1] != pings[2], "each can be told from the others");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_keepalive_ping_is_a_timeout() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &keepalive());
        let (took, received) = timed(ws.recv()).await;
        assert!(matches!(received, Err(Error::Timeout(Timeout::Keepalive))), "{received:?}");
        assert_eq!(took, 40);
        assert_eq!(peer.frames().len(), 1);
        assert!(ws.recv().await.unwrap().is_none());
        assert!(matches!(ws.send("x").await, Err(Error::Closed)));

        let (ws, _peer) = scripted(role, &keepalive());
        let (mut sender, mut receiver) = ws.split();
        let (took, received) = timed(receiver.recv()).await;
        assert!(matches!(received, Err(Error::Timeout(Timeout::Keepalive))));
        assert_eq!(took, 40);
        assert!(matches!(sender.send("x").await, Err(Error::Closed)), "the sender is told");
    }
}

#[tokio::test(start_paused = true)]
async fn any_sign_of_life_answers_a_keepalive_ping() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &keepalive());
        let other = peer.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                sleep(secs(35)).await;
                // Not even a whole frame.
                other.send(&wire(role, &[frame().pong("")])[..1]);
                sleep(secs(3)).await;
                other.send(&wire(role, &[frame().pong("")])[1..]);
            }
            other.end();
        });
        let (took, received) = timed(ws.recv()).await;
        assert!(matches!(received, Err(Error::Disconnected)), "{received:?}");
        assert_eq!(took, 20 * 38);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_is_not_pinged() {
    let (mut ws, peer) = scripted(Role::Server, &keepalive());
    let other = peer.clone();
    tokio::spawn(async move {
        for _ in 0..20 {
            sleep(secs(20)).await;
            other.send(wire(Role::Server, &[frame().text("x")]));
        }
        other.end();
    });
    while let Ok(Some(_)) = ws.recv().await {}
    assert!(peer.frames().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_to_be_read_counts() {
    let (mut ws, peer) = scripted(Role::Server, &keepalive());
    let _ = timeout(secs(31), ws.recv()).await;
    assert_eq!(last(&peer).opcode, 9);
    // The user is busy elsewhere while the Pong arrives.
    peer.send(wire(Role::Server, &[frame().pong(&last(&peer).payload)]));
    sleep(secs(100)).await;
    let (_, received) = timed(timeout(secs(20), ws.recv())).await;
    assert!(received.is_err(), "still open: {received:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_websocket_is_closed_with_1001() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &Config::default().idle_timeout(secs(60)));
        peer.end_later(role, secs(61));
        let (took, received) = timed(ws.recv()).await;
        assert!(matches!(received, Err(Error::Timeout(Timeout::Idle))), "{received:?}");
        assert!((60..=61).contains(&took), "{took}");
        assert_eq!(peer.frames().last().unwrap().close_code(), Some(1001));
        assert!(peer.is_shut_down());
        assert!(ws.recv().await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_keep_an_idle_websocket_open() {
    let config = keepalive().idle_timeout(secs(100));
    let (mut ws, peer) = scripted(Role::Server, &config);
    let other = peer.clone();
    let talking = tokio::spawn(async move {
        loop {
            sleep(secs(7)).await;
            other.send(wire(Role::Server, &[frame().ping("x")]));
        }
    });
    let (took, received) = timed(ws.recv()).await;
    talking.abort();
    assert!(matches!(received, Err(Error::Timeout(Timeout::Idle))), "{received:?}");
    assert!((100..=105).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn messages_in_either_direction_are_no_idleness() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &Config::default().idle_timeout(secs(60)));
        for _ in 0..10 {
            assert!(timeout(secs(50), ws.recv()).await.is_err());
            ws.send("x").await.unwrap();
        }
        peer.send(wire(role, &[frame().text("x")]));
        assert!(ws.recv().await.unwrap().is_some());
        let (took, received) = timed(ws.recv()).await;
        assert!(matches!(received, Err(Error::Timeout(Timeout::Idle))));
        assert!(took >= 60, "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_in_either_direction_are_no_idleness_when_split() {
    for role in ROLES {
        let (ws, peer) = scripted(role, &Config::default().idle_timeout(secs(60)));
        let (mut sender, mut receiver) = ws.split();
        let start = Instant::now();
        let receiving = tokio::spawn(async move {
            while receiver.recv().await?.is_some() {}
            Ok::<(), Error>(())
        });
        for _ in 0..5 {
            sleep(secs(50)).await;
            sender.send("x").await.unwrap();
        }
        // Now only the peer talks; the sender's last message is long ago.
        for _ in 0..5 {
            sleep(secs(50)).await;
            peer.send(wire(role, &[frame().text("x")]));
        }
        sleep(secs(50)).await;
        assert!(!sender.is_closed());
        peer.end_later(role, secs(11));
        let (_, received) = timed(receiving).await;
        assert!(matches!(received.unwrap(), Err(Error::Timeout(Timeout::Idle))));
        assert!((560..570).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_ever() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &Config::default().close_timeout(secs(5)));
        let (took, closed) = timed(ws.close(CloseCode::NORMAL)).await;
        assert!(matches!(closed, Err(Error::Timeout(Timeout::Close))), "{closed:?}");
        assert_eq!(took, 5);
        assert_eq!(last(&peer).close_code(), Some(1000));
        assert!(ws.close(CloseCode::NORMAL).await.is_ok(), "it is closed");
    }
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_ever_for_a_peer_that_talks_on() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &Config::default().close_timeout(secs(5)));
        let talking = tokio::spawn(async move {
            loop {
                sleep(Duration::from_millis(100)).await;
                peer.send(wire(role, &[frame().text("and another thing"), frame().ping("?")]));
            }
        });
        let (took, closed) = timed(ws.close(CloseCode::NORMAL)).await;
        talking.abort();
        assert!(matches!(closed, Err(Error::Timeout(Timeout::Close))), "{closed:?}");
        assert_eq!(took, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_the_peer_does_not_take_is_given_up() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &Config::default().close_timeout(secs(5)));
        peer.take(0);
        peer.send(wire(role, &[frame().close(1000, "")]));
        let (took, received) = timed(ws.recv()).await;
        // The peer has said all that it had to say.
        assert_eq!(received.unwrap(), None);
        assert_eq!(took, 5);
    }
}

/// A peer that takes so many bytes a second, and answers each Ping that it has taken.
fn reader(role: Role, peer: &Peer, each_second: usize) {
    peer.take(0);
    let peer = peer.clone();
    tokio::spawn(async move {
        let mut answered = 0;
        loop {
            sleep(secs(1)).await;
            peer.take(each_second);
            let (frames, _) = peer.some_frames();
            for ping in frames.iter().skip(answered).filter(|frame| frame.opcode == 9) {
                peer.send(wire(role, &[frame().pong(&ping.payload)]));
            }
            answered = frames.len();
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_keepalive_ping_waits_for_what_the_peer_is_still_taking() {
    for role in ROLES {
        for apart in [false, true] {
            let (mut ws, peer) = scripted(role, &keepalive());
            reader(role, &peer, 100);
            let message = vec![7; 10_000];
            // The message takes 100 s, and after that the peer is alive for as long as anybody looks.
            if apart {
                let (mut sender, mut receiver) = ws.split();
                let sending = tokio::spawn(async move { sender.send(message).await.map(|()| sender) });
                assert!(timeout(secs(300), receiver.recv()).await.is_err(), "{role:?}");
                assert!(sending.await.unwrap().is_ok());
            } else {
                ws.feed(message).await.unwrap();
                assert!(timeout(secs(300), ws.recv()).await.is_err(), "{role:?}");
            }
            assert!(peer.frames().len() > 2, "the message and Pings");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_taking_is_a_keepalive_timeout() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &keepalive().write_timeout(None));
        peer.take(0);
        let other = peer.clone();
        tokio::spawn(async move {
            sleep(secs(35)).await;
            other.take(10);
        });
        ws.feed("x".repeat(100)).await.unwrap();
        // The Ping is due at 30, by 40 the peer has taken something, by 50 nothing more.
        let (took, received) = timed(ws.recv()).await;
        assert!(matches!(received, Err(Error::Timeout(Timeout::Keepalive))), "{received:?}");
        assert_eq!(took, 50);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_what_the_peer_is_still_taking() {
    for role in ROLES {
        for theirs in [false, true] {
            let (mut ws, peer) = scripted(role, &Config::default().close_timeout(secs(5)));
            reader(role, &peer, 1000);
            ws.feed(vec![7; 10_000]).await.unwrap();
            if theirs {
                peer.send(wire(role, &[frame().close(1000, "")]));
                assert_eq!(timed(ws.recv()).await.1.unwrap(), None);
            } else {
                // The peer takes all, but never answers.
                let (took, closed) = timed(ws.close(CloseCode::NORMAL)).await;
                assert!(matches!(closed, Err(Error::Timeout(Timeout::Close))), "{closed:?}");
                assert!((15..=20).contains(&took), "{took}");
            }
            let frames = peer.frames();
            assert_eq!(frames.iter().map(|frame| frame.opcode).collect::<Vec<_>>(), [2, 8]);
            assert_eq!(frames[0].payload.len(), 10_000);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_without_progress_is_a_timeout() {
    for role in ROLES {
        let config = Config::default().write_timeout(secs(60));
        let (mut ws, peer) = scripted(role, &config);
        peer.take(10);
        let (took, sent) = timed(ws.send("x".repeat(100))).await;
        assert!(matches!(sent, Err(Error::Timeout(Timeout::Write))), "{sent:?}");
        assert_eq!(took, 60);
        assert!(matches!(ws.send("x").await, Err(Error::Closed)));

        let (mut ws, peer) = scripted(role, &config);
        peer.take(10);
        ws.feed("x".repeat(100)).await.unwrap();
        let (took, received) = timed(ws.recv()).await;
        assert!(matches!(received, Err(Error::Timeout(Timeout::Write))), "{received:?}");
        assert_eq!(took, 60);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_write_is_no_timeout() {
    for role in ROLES {
        let (mut ws, peer) = scripted(role, &Config::default().write_timeout(secs(60)));
        peer.take(1);
        tokio::spawn(async move {
            loop {
                sleep(secs(59)).await;
                peer.take(1);
            }
        });
        let (_, sent) = timed(ws.send("x".repeat(100))).await;
        sent.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_meanwhile_is_no_progress() {
    let (mut ws, peer) = scripted(Role::Server, &Config::default().write_timeout(secs(60)));
    peer.take(1);
    tokio::spawn(async move {
        loop {
            sleep(secs(20)).await;
            peer.send(wire(Role::Server, &[frame().ping("?")]));
        }
    });
    ws.feed("stuck").await.unwrap();
    let (took, received) = timed(ws.recv()).await;
    assert!(matches!(received, Err(Error::Timeout(Timeout::Write))), "{received:?}");
    assert_eq!(took, 60);
}

#[tokio::test(start_paused = true)]
async fn far_away_times_do_not_panic() {
    for long in [Duration::MAX, Duration::MAX / 2, secs(u64::MAX >> 1), secs(1 << 40)] {
        for role in ROLES {
            let config = Config::default()
                .keepalive_interval(long)
                .keepalive_timeout(long)
                .idle_timeout(long)
                .close_timeout(long)
                .write_timeout(long);
            let (mut ws, peer) = scripted(role, &config);
            peer.take(0);
            assert!(polled(3, ws.send("x")).await.is_none());
            assert!(polled(3, ws.recv()).await.is_none());
            assert!(polled(3, ws.close(CloseCode::NORMAL)).await.is_none());
            let (ws, peer) = scripted(role, &config);
            let (mut sender, mut receiver) = ws.split();
            peer.take(0);
            assert!(polled(3, sender.send("x")).await.is_none());
            assert!(polled(3, receiver.recv()).await.is_none());
            assert!(polled(3, sender.close(CloseCode::NORMAL)).await.is_none());
            assert!(polled(3, receiver.recv()).await.is_none());
        }
        let (script, _peer) = Script::new();
        assert!(polled(3, Accept::default().timeout(long).accept(script)).await.is_none());
        let (script, _peer) = Script::new();
        let request: ClientRequest = "ws://h/".parse().unwrap();
        assert!(polled(3, Connect::default().timeout(long).connect(&request, script)).await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn no_time_at_all_is_no_panic() {
    let config = Config::default()
        .keepalive_interval(Duration::ZERO)
        .keepalive_timeout(Duration::ZERO)
        .close_timeout(Duration::ZERO)
        .write_timeout(Duration::ZERO);
    let (mut ws, _peer) = scripted(Role::Server, &config);
    let (_, received) = timed(ws.recv()).await;
    assert!(matches!(received, Err(Error::Timeout(Timeout::Keepalive))), "{received:?}");
    let (mut ws, peer) = scripted(Role::Server, &config);
    peer.take(0);
    let (_, sent) = timed(ws.send("x")).await;
    assert!(matches!(sent, Err(Error::Timeout(Timeout::Write))));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_takes_ten_seconds_at_most() {
    for said in ["", "GET / HTTP/1.1\r\nHost: h\r\n"] {
        let (script, peer) = Script::new();
        peer.send(said);
        let (took, accepted) = timed(sheave_ws::io::accept(script)).await;
        assert!(matches!(accepted, Err(Error::Timeout(Timeout::Handshake))));
        assert_eq!(took, 10);
    }
    for said in ["", "HTTP/1.1 101 Switching"] {
        let (script, peer) = Script::new();
        peer.send(said);
        let (took, connected) = timed(sheave_ws::io::connect("ws://h/", script)).await;
        assert!(matches!(connected, Err(Error::Timeout(Timeout::Handshake))));
        assert_eq!(took, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_and_a_slow_answer_share_the_handshakes_time() {
    let (script, peer) = Script::new();
    peer.take(0);
    let other = peer.clone();
    tokio::spawn(async move {
        sleep(secs(9)).await;
        other.send(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
    });
    let (took, accepted) = timed(sheave_ws::io::accept(script)).await;
    assert!(matches!(accepted, Err(Error::Timeout(Timeout::Handshake))));
    assert_eq!(took, 10);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_whose_body_never_ends_is_still_a_rejection() {
    let (script, peer) = Script::new();
    peer.send("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\n\r\ncome back");
    let (took, connected) = timed(sheave_ws::io::connect("ws://h/", script)).await;
    let Err(Error::Rejected(rejection)) = connected else { panic!("{connected:?}") };
    assert_eq!(took, 10);
    assert_eq!(rejection.status(), 503);
    assert_eq!(rejection.headers()["retry-after"], "5");
    assert_eq!(&rejection.body()[..], b"come back");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_reads_nothing_is_given_up() {
    let (script, peer) = Script::new();
    peer.take(0);
    peer.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let (took, accepted) = timed(sheave_ws::io::accept(script)).await;
    assert!(matches!(accepted, Err(Error::Refused(_))));
    assert_eq!(took, 5);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_needs_no_timer_gets_none() {
    let (script, _peer) = Script::new();
    let mut ws = websocket(script, Role::Server, &Config::default());
    assert!(timeout(secs(1_000_000), ws.recv()).await.is_err(), "nothing ends an open WebSocket by default");
}
