//! How tunnels end (RFC 9113 §8.5, RFC 8441 §5): one that is over on this side is reset late, and only if its peer does
//! not end it.

mod common;

use std::time::Duration;

use bytes::Buf;
use common::Wire;
use http::Request;
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::{Config, ErrorCode, Protocol, StreamKey};

const CONNECT: [(&str, &str); 5] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":authority", "example.org"),
    (":path", "/"),
];
const LINGER: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

fn config() -> Config {
    Config::default().enable_connect_protocol(true).settings_timeout(None)
}

/// A server's tunnel.
fn tunnel(wire: &mut Wire, id: u32) -> StreamKey {
    wire.headers(id, &CONNECT, 0);
    wire.answer(id, 200, false);
    wire.events();
    wire.frames();
    wire.stream(id)
}

/// The server sends `last`, ends its half, and reads no more.
fn end(wire: &mut Wire, key: StreamKey, last: &'static [u8]) {
    wire.connection.send(key, last.into()).unwrap();
    wire.connection.finish(key).unwrap();
    wire.connection.stop(key, ErrorCode::NO_ERROR);
}

/// Time passes, with all that is due on the way. What is sent by it.
fn pass(wire: &mut Wire, time: Duration) -> Vec<String> {
    let until = wire.now + time;
    let mut frames = wire.frames();
    while let Some(due) = wire.connection.timeout().filter(|due| *due <= until) {
        wire.now = wire.now.max(due);
        wire.connection.handle_timeout(wire.now).unwrap();
        frames.extend(wire.frames());
    }
    wire.now = until;
    frames
}

/// The times from the end until nothing is left of the tunnel.
#[test]
fn it_is_reset_once_its_time_is_over() {
    for time in [Duration::ZERO, MOMENT, LINGER, Duration::from_secs(60)] {
        let mut wire = Wire::server(config().tunnel_linger(time));
        let key = tunnel(&mut wire, 1);
        end(&mut wire, key, b"bye");
        assert_eq!(wire.frames(), ["DATA 1 bye END_STREAM"]);
        assert_eq!(wire.connection.timeout(), Some(wire.now + time));
        if let Some(before) = time.checked_sub(MOMENT) {
            assert_eq!(pass(&mut wire, before), [""; 0]);
            assert_eq!(wire.connection.open_streams(), 1);
        }
        assert_eq!(pass(&mut wire, MOMENT), ["RST_STREAM 1 NO_ERROR"], "{time:?}");
        assert_eq!(wire.connection.open_streams(), 0);
        assert_eq!(wire.connection.timeout(), None);
        // What was on its way means nothing.
        wire.data(1, b"late", 0);
        wire.data(1, b"", END_STREAM);
        assert_eq!((wire.frames(), wire.events()), (vec![], vec![]));
    }
    let default = Config::default().enable_connect_protocol(true);
    let mut wire = Wire::server(default);
    let key = tunnel(&mut wire, 1);
    end(&mut wire, key, b"bye");
    wire.frames();
    assert_eq!(wire.connection.timeout(), Some(wire.now + LINGER), "the default");

    let mut wire = Wire::server(config().tunnel_linger(Duration::MAX));
    let key = tunnel(&mut wire, 1);
    end(&mut wire, key, b"bye");
    wire.frames();
    assert_eq!(wire.connection.timeout(), None);
    assert_eq!(wire.connection.open_streams(), 1);
}

#[test]
fn the_peer_has_the_time_to_end_it() {
    // With the frame that ends it, and what a client may have sent before.
    type Ending = fn(&mut Wire);
    let endings: [Ending; 4] = [
        |wire| wire.data(1, b"", END_STREAM),
        |wire| {
            wire.data(1, b"more", 0);
            wire.data(1, b"last", END_STREAM);
        },
        |wire| wire.reset(1, ErrorCode::CANCEL),
        |wire| wire.reset(1, ErrorCode::NO_ERROR),
    ];
    for ending in endings {
        let mut wire = Wire::server(config());
        let key = tunnel(&mut wire, 1);
        end(&mut wire, key, b"bye");
        assert_eq!(pass(&mut wire, LINGER - MOMENT), ["DATA 1 bye END_STREAM"]);
        ending(&mut wire);
        assert_eq!(wire.connection.open_streams(), 0);
        assert_eq!(pass(&mut wire, 2 * LINGER), [""; 0]);
    }
    // Who has ended before has nothing to wait for.
    let mut wire = Wire::server(config());
    let key = tunnel(&mut wire, 1);
    wire.data(1, b"", END_STREAM);
    end(&mut wire, key, b"bye");
    assert_eq!(wire.frames(), ["DATA 1 bye END_STREAM"]);
    assert_eq!((wire.connection.open_streams(), wire.connection.timeout()), (0, None));
}

/// A connection that rests does not wake for tunnels that the peer has ended.
#[test]
fn a_time_that_is_not_needed_is_forgotten() {
    let mut wire = Wire::server(config());
    let key = tunnel(&mut wire, 1);
    end(&mut wire, key, b"bye");
    wire.frames();
    wire.data(1, b"", END_STREAM);
    assert_eq!(wire.connection.open_streams(), 0);
    wire.connection.shrink();
    assert_eq!(wire.connection.timeout(), None);
}

/// In whatever order it ends and is not read any more.
#[test]
fn its_time_begins_when_both_is_so() {
    let mut wire = Wire::server(config());
    let key = tunnel(&mut wire, 1);
    wire.connection.finish(key).unwrap();
    assert_eq!(pass(&mut wire, 60 * LINGER), ["DATA 1  END_STREAM"]);
    wire.connection.stop(key, ErrorCode::CANCEL);
    assert_eq!(pass(&mut wire, LINGER - MOMENT), [""; 0]);
    assert_eq!(pass(&mut wire, MOMENT), ["RST_STREAM 1 CANCEL"]);

    let key = tunnel(&mut wire, 3);
    wire.connection.stop(key, ErrorCode::CANCEL);
    assert_eq!(pass(&mut wire, 60 * LINGER), [""; 0]);
    wire.connection.finish(key).unwrap();
    assert_eq!(pass(&mut wire, LINGER - MOMENT), ["DATA 3  END_STREAM"]);
    assert_eq!(pass(&mut wire, MOMENT), ["RST_STREAM 3 CANCEL"]);
}

/// The last of it may have to wait for a window.
#[test]
fn its_time_begins_when_all_of_it_is_sent() {
    let mut wire = Wire::server(config());
    wire.settings(&[(4, 2)]);
    let key = tunnel(&mut wire, 1);
    end(&mut wire, key, b"bye");
    assert_eq!(pass(&mut wire, 60 * LINGER), ["DATA 1 by"]);
    wire.window_update(1, 1);
    assert_eq!(pass(&mut wire, LINGER - MOMENT), ["DATA 1 e END_STREAM"]);
    assert_eq!(pass(&mut wire, MOMENT), ["RST_STREAM 1 NO_ERROR"]);
}

/// A transport that takes nothing for longer than that would have the reset come right behind the end.
#[test]
fn its_time_begins_when_its_end_is_written() {
    let mut wire = Wire::server(config());
    let (key, other) = (tunnel(&mut wire, 1), tunnel(&mut wire, 3));
    let take = |wire: &mut Wire, length: usize| {
        let output = wire.connection.transmit(wire.now);
        output.advance(length);
        output.remaining()
    };
    // One turn of the scheduler's.
    wire.connection.send(other, vec![0; 10_000].into()).unwrap();
    end(&mut wire, key, b"bye");
    let mut left = take(&mut wire, 0);
    assert!(left > 10_000);
    while left > 0 {
        wire.advance(60 * LINGER);
        assert_eq!(wire.connection.timeout(), None, "{left} are not written");
        left = take(&mut wire, left.min(1000));
    }
    assert!(!wire.connection.transmit(wire.now).has_remaining());
    assert_eq!(wire.connection.timeout(), Some(wire.now + LINGER));

    // Not later either, though there is always more behind it.
    let mut wire = Wire::server(config());
    let (key, other) = (tunnel(&mut wire, 1), tunnel(&mut wire, 3));
    end(&mut wire, key, b"bye");
    let whole = take(&mut wire, 0);
    let mut taken = 0;
    while wire.connection.timeout().is_none() {
        assert!(taken <= whole);
        wire.connection.send(other, vec![0; 100].into()).unwrap();
        assert!(take(&mut wire, 1) > 0);
        taken += 1;
    }
    assert_eq!(taken, whole + 1);
}

/// RFC 9113 §8.1: what is no tunnel, or has not become one, is only kept from sending for nothing.
#[test]
fn what_is_no_tunnel_is_reset_at_once() {
    let mut wire = Wire::server(config());
    let key = wire.request(1, 0);
    wire.respond(key, true);
    wire.connection.stop(key, ErrorCode::NO_ERROR);
    let frames = wire.frames();
    assert_eq!(frames, ["HEADERS 1 END_STREAM :status=200", "RST_STREAM 1 NO_ERROR"]);

    wire.headers(3, &CONNECT, 0);
    wire.answer(3, 403, true);
    let key = wire.stream(3);
    wire.connection.stop(key, ErrorCode::NO_ERROR);
    assert_eq!(wire.frames(), ["HEADERS 3 END_STREAM :status=403", "RST_STREAM 3 NO_ERROR"]);
    assert_eq!((wire.connection.open_streams(), wire.connection.timeout()), (0, None));
}

#[test]
fn a_clients_is_reset_late_as_well() {
    let mut wire = Wire::client(config());
    wire.settings(&[(8, 1)]);
    wire.frames();
    let connect =
        || Request::connect("https://example.org/").extension(Protocol::websocket()).body(()).unwrap();
    let key = wire.open_request(connect(), false).unwrap();
    wire.frames();
    wire.headers(1, &[(":status", "200")], 0);
    wire.connection.send(key, b"bye"[..].into()).unwrap();
    wire.connection.finish(key).unwrap();
    wire.connection.stop(key, ErrorCode::CANCEL);
    assert_eq!(pass(&mut wire, LINGER - MOMENT), ["DATA 1 bye END_STREAM"]);
    assert_eq!(pass(&mut wire, MOMENT), ["RST_STREAM 1 CANCEL"]);

    // One that the server has not answered yet is no other; one that it refuses is no tunnel any more.
    let (waiting, refused) =
        (wire.open_request(connect(), false).unwrap(), wire.open_request(connect(), false).unwrap());
    wire.connection.finish(waiting).unwrap();
    wire.connection.finish(refused).unwrap();
    wire.frames();
    wire.headers(5, &[(":status", "403")], 0);
    wire.connection.stop(waiting, ErrorCode::CANCEL);
    wire.connection.stop(refused, ErrorCode::CANCEL);
    assert_eq!(pass(&mut wire, LINGER - MOMENT), ["RST_STREAM 5 CANCEL"]);
    assert_eq!(pass(&mut wire, MOMENT), ["RST_STREAM 3 CANCEL"]);
}

/// Firefox does not end its half when we have ended ours. Its tunnels count until they are reset.
#[test]
fn it_counts_until_it_is_reset() {
    let mut wire = Wire::server(config().max_concurrent_streams(5));
    for id in [1, 3, 5, 7, 9] {
        let key = tunnel(&mut wire, id);
        end(&mut wire, key, b"");
        wire.frames();
    }
    wire.headers(11, &CONNECT, 0);
    assert_eq!(pass(&mut wire, LINGER - MOMENT), ["RST_STREAM 11 REFUSED_STREAM"]);
    let resets: Vec<_> = [1, 3, 5, 7, 9].map(|id| format!("RST_STREAM {id} NO_ERROR")).into();
    assert_eq!(pass(&mut wire, MOMENT), resets);
    for id in [13, 15, 17, 19, 21] {
        tunnel(&mut wire, id);
    }
    assert_eq!(wire.connection.open_streams(), 5);
}

#[test]
fn a_shutdown_waits_for_it() {
    let mut wire = Wire::server(config());
    let key = tunnel(&mut wire, 1);
    wire.connection.shutdown(wire.now);
    wire.frames();
    wire.pong();
    assert_eq!(wire.frames(), ["GOAWAY 1 NO_ERROR"]);
    end(&mut wire, key, b"bye");
    assert_eq!(pass(&mut wire, LINGER - MOMENT), ["DATA 1 bye END_STREAM"]);
    assert!(!wire.connection.is_finished());
    assert_eq!(pass(&mut wire, MOMENT), ["RST_STREAM 1 NO_ERROR"]);
    assert!(wire.connection.is_finished());

    // The client's GOAWAY changes as little.
    let mut wire = Wire::server(config());
    let key = tunnel(&mut wire, 1);
    end(&mut wire, key, b"bye");
    wire.frames();
    wire.goaway(0, ErrorCode::NO_ERROR);
    assert_eq!(pass(&mut wire, LINGER), ["RST_STREAM 1 NO_ERROR"]);
}

/// What is read of it goes on to be credited: the peer's last words are not held up, nor those of others.
#[test]
fn what_still_comes_takes_no_window() {
    let mut wire = Wire::server(config());
    let key = tunnel(&mut wire, 1);
    end(&mut wire, key, b"");
    wire.frames();
    let mut credited = 0;
    for _ in 0..100 {
        wire.data(1, &[0; 1 << 14], 0);
        assert_eq!(wire.code(), None);
        let updates = wire.frames();
        let own = updates.iter().filter_map(|update| update.strip_prefix("WINDOW_UPDATE 1 "));
        credited += own.map(|increment| increment.parse::<u32>().unwrap()).sum::<u32>();
    }
    assert!(credited >= 99 << 14);
}

/// What is kept is of those that are open at once, not of those that were.
#[test]
fn those_that_the_peer_ends_in_time_leave_nothing() {
    let mut wire = Wire::server(config().max_concurrent_streams(20));
    let begin = wire.now;
    let mut sizes = Vec::new();
    for round in 0..30_000 {
        let id = 1 + 2 * round;
        let key = tunnel(&mut wire, id);
        end(&mut wire, key, b"");
        assert_eq!(wire.frames().len(), 1);
        if round % 1500 == 1499 {
            sizes.push(format!("{:?}", wire.connection).len());
        }
        wire.data(id, b"", END_STREAM);
        while wire.connection.progress().is_some() {}
        wire.advance(Duration::from_micros(30));
    }
    assert!(wire.now < begin + LINGER);
    assert!(sizes[19] < 2 * sizes[0], "{sizes:?}");
    assert_eq!(pass(&mut wire, LINGER), [""; 0]);
    assert_eq!((wire.code(), wire.connection.timeout()), (None, None));
}

/// Behind a proxy the tunnels of many are on one connection, and whoever vanishes has his reset: that is no flood.
#[test]
fn tunnels_that_the_peer_resets_are_none_too_many() {
    let mut wire = Wire::server(config());
    for number in 0..5000 {
        let id = 2 * number + 1;
        tunnel(&mut wire, id);
        wire.reset(id, ErrorCode::CANCEL);
        assert_eq!(wire.events().len(), 1);
    }
    assert_eq!(wire.frames(), [""; 0]);
    assert_eq!(wire.connection.open_streams(), 0);
}
