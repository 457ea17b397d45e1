//! Windows (RFC 9113 §5.2, §6.9).

mod common;

use std::time::Duration;

use common::{CUTS, Wire};
use sheave_h2::frame::Kind;
use sheave_h2::frame::flag::{ACK, END_STREAM, PADDED};
use sheave_h2::{Config, ErrorCode, StreamKey};

const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// How much DATA was sent on a stream since the last time, in bytes.
fn sent(wire: &mut Wire, id: u32) -> usize {
    wire.lengths();
    let frames = wire.frames();
    let data = |frame: &String| frame.starts_with(&format!("DATA {id} "));
    frames
        .iter()
        .zip(wire.lengths())
        .filter(|(frame, _)| data(frame))
        .map(|(_, length)| length as usize)
        .sum()
}

/// A server that has this much to send on stream 1, and what else the peer said of windows.
fn sender(length: usize, cut: usize, settings: &[(u16, u32)], connection: u32) -> (Wire, StreamKey) {
    let mut wire = Wire::server(Config::default()).cut(cut);
    wire.settings(settings);
    if connection > 0 {
        wire.window_update(0, connection);
    }
    let key = wire.request(1, END_STREAM);
    wire.respond(key, false);
    wire.connection.send(key, vec![b'x'; length].into()).unwrap();
    (wire, key)
}

// What we send.

/// §6.9.1: neither window is exceeded.
#[test]
fn both_windows_hold() {
    for cut in CUTS {
        for (stream, connection, expected) in [
            (65_535, 0, 65_535),
            (100, 0, 100),
            (0, 0, 0),
            (100_000, 0, 65_535),
            (100_000, 1, 65_536),
            (100_000, 1 << 20, 100_000),
            (MAX_WINDOW, MAX_WINDOW - 65_535, 200_000),
        ] {
            let (mut wire, _) = sender(200_000, cut, &[(INITIAL_WINDOW_SIZE, stream)], connection);
            assert_eq!(sent(&mut wire, 1), expected, "{stream} {connection}");
            assert_eq!(sent(&mut wire, 1), 0);
            assert!(wire.error.is_none());
        }
    }
}

#[test]
fn window_update_lets_more_leave() {
    for cut in CUTS {
        let (mut wire, key) = sender(100_000, cut, &[(INITIAL_WINDOW_SIZE, 10)], 0);
        assert_eq!(sent(&mut wire, 1), 10);
        wire.window_update(1, 5);
        assert_eq!(sent(&mut wire, 1), 5);
        wire.window_update(0, 5);
        assert_eq!(sent(&mut wire, 1), 0);
        wire.window_update(1, 100_000);
        assert_eq!(sent(&mut wire, 1), 65_535 + 5 - 15);
        wire.window_update(0, 100_000);
        assert_eq!(sent(&mut wire, 1), 100_000 - 65_540);
        // §6.9.1: "Frames with zero length with the END_STREAM flag set MAY be sent if there is no available space".
        wire.connection.send(key, vec![b'x'; 60_000].into()).unwrap();
        sent(&mut wire, 1);
        wire.settings(&[(INITIAL_WINDOW_SIZE, 0)]);
        let other = wire.request(3, END_STREAM);
        wire.respond(other, false);
        wire.frames();
        wire.connection.finish(other).unwrap();
        assert_eq!(wire.frames(), ["DATA 3  END_STREAM"]);
    }
}

/// §6.9.1: a window above 2^31 - 1 ends what it is of.
#[test]
fn windows_overflow() {
    let flow = ErrorCode::FLOW_CONTROL_ERROR;
    for cut in CUTS {
        // The connection's begins with 65 535.
        for increments in [&[MAX_WINDOW][..], &[MAX_WINDOW - 65_535, 1], &[1 << 30, 1 << 30]] {
            let mut wire = Wire::server(Config::default()).cut(cut);
            for &increment in increments {
                wire.window_update(0, increment);
            }
            assert_eq!(wire.code(), Some(flow), "{increments:?}");
            assert_eq!(wire.frames(), ["GOAWAY 0 FLOW_CONTROL_ERROR"]);
        }
        let mut wire = Wire::server(Config::default()).cut(cut);
        wire.window_update(0, MAX_WINDOW - 65_535);
        wire.request(1, 0);
        wire.window_update(1, MAX_WINDOW - 65_535);
        assert_eq!(wire.frames(), [""; 0]);
        wire.window_update(1, 1);
        assert_eq!(wire.frames(), ["RST_STREAM 1 FLOW_CONTROL_ERROR"]);
        assert_eq!(wire.events(), ["reset 1 FLOW_CONTROL_ERROR"]);
        // §6.9.2: by a setting, it is the connection's.
        wire.request(3, 0);
        wire.window_update(3, 1);
        wire.settings(&[(INITIAL_WINDOW_SIZE, MAX_WINDOW)]);
        assert_eq!(wire.frames(), ["GOAWAY 3 FLOW_CONTROL_ERROR"]);
    }
}

/// §6.9.2: a setting changes the windows of all streams, to below zero if need be, and not the connection's.
#[test]
fn settings_change_windows() {
    for cut in CUTS {
        // The example of the RFC, in kilobytes: 64, of which 60 are sent, then 16.
        let kilo = 1000;
        let (mut wire, _) = sender(200 * kilo, cut, &[(INITIAL_WINDOW_SIZE, 60_000)], 1 << 20);
        assert_eq!(sent(&mut wire, 1), 60 * kilo);
        wire.settings(&[(INITIAL_WINDOW_SIZE, 16_000)]);
        assert_eq!(sent(&mut wire, 1), 0);
        wire.window_update(1, 44_000);
        assert_eq!(sent(&mut wire, 1), 0, "it is 0 now");
        wire.window_update(1, 1);
        assert_eq!(sent(&mut wire, 1), 1);
        // Back, in two steps of one frame.
        wire.settings(&[(INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 16_100)]);
        assert_eq!(sent(&mut wire, 1), 100);
        // New streams begin with it.
        let key = wire.request(3, END_STREAM);
        wire.respond(key, false);
        wire.connection.send(key, vec![b'x'; 20_000].into()).unwrap();
        assert_eq!(sent(&mut wire, 3), 16_100);
        // As low and as high as can be.
        wire.settings(&[(INITIAL_WINDOW_SIZE, 0)]);
        wire.settings(&[(INITIAL_WINDOW_SIZE, MAX_WINDOW - 44_001)]);
        assert!(wire.error.is_none());
        wire.settings(&[(INITIAL_WINDOW_SIZE, 0)]);
        wire.window_update(1, 1);
        assert_eq!(sent(&mut wire, 1), 0);
    }
}

// What we receive.

/// §6.9.1: "MUST be treated as" an error if it exceeds a window, of the stream or the connection. Padding counts.
#[test]
fn windows_are_exceeded() {
    let config = || Config::default().max_frame_size(1 << 20).initial_window_size(1000);
    for cut in CUTS {
        for (padding, content, fits) in
            [(None, 1000, true), (None, 1001, false), (Some(99), 900, true), (Some(100), 900, false)]
        {
            let mut wire = Wire::server(config()).cut(cut);
            wire.releases = false;
            wire.request(1, 0);
            wire.request(3, 0);
            let mut payload: Vec<u8> = padding.into_iter().collect();
            payload.resize(payload.len() + content + usize::from(padding.unwrap_or(0)), 0);
            wire.data(1, &payload, if padding.is_some() { PADDED } else { 0 });
            if fits {
                assert_eq!(wire.events(), [format!("data 1 [{content}]")]);
                wire.data(1, b"", 0);
                assert_eq!(wire.frames(), [""; 0]);
                wire.data(1, b"x", 0);
            }
            assert_eq!(wire.frames(), ["RST_STREAM 1 FLOW_CONTROL_ERROR"], "{padding:?} {content}");
            // The other has its own.
            wire.events();
            wire.data(3, &[0; 1000], END_STREAM);
            assert_eq!(wire.events(), ["data 3 [1000] end"]);
        }
        // The same of the connection's.
        for (padding, flags) in [(None, 0), (Some(100), PADDED)] {
            for (length, fits) in [(65_535, true), (65_536, false)] {
                let mut wire =
                    Wire::server(config().initial_window_size(1 << 20).connection_window_size(65_535));
                wire.cut = cut;
                wire.releases = false;
                wire.request(1, 0);
                let mut payload: Vec<u8> = padding.into_iter().collect();
                payload.resize(length, 0);
                wire.data(1, &payload, flags);
                assert_eq!(wire.code(), (!fits).then_some(ErrorCode::FLOW_CONTROL_ERROR));
            }
        }
    }
}

/// §6.9.2, §6.5.3: what we let the peer send changes when it acknowledges that, on open streams too.
#[test]
fn our_settings_change_windows() {
    for cut in CUTS {
        for acknowledged in [false, true] {
            let mut wire = Wire::server(Config::default().max_frame_size(1 << 20)).cut(cut);
            wire.releases = false;
            wire.request(1, 0);
            wire.data(1, &[0; 1000], 0);
            let now = wire.now;
            wire.connection.set_initial_window_size(2000, now);
            assert_eq!(wire.frames(), ["SETTINGS 4=2000"]);
            wire.events();
            if acknowledged {
                wire.settings_ack();
            }
            wire.data(1, &[0; 1001], 0);
            let expected = if acknowledged { "reset 1 FLOW_CONTROL_ERROR" } else { "data 1 [1001]" };
            assert_eq!(wire.events(), [expected]);
            wire.headers(3, &common::GET, 0);
            wire.data(3, &[0; 2001], 0);
            let expected = if acknowledged { "reset 3 FLOW_CONTROL_ERROR" } else { "data 3 [2001]" };
            assert_eq!(wire.events()[1..], [expected]);
        }
    }
}

/// What was read of a large window is told when the window is made a small one: the peer, which owes more than the new
/// window, could not send anything else to bring it about.
#[test]
fn a_smaller_window_does_not_stall() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        wire.request(1, 0);
        wire.data(1, &[0; 15_000], 0);
        wire.data(1, &[0; 5000], 0);
        assert!(!wire.frames().iter().any(|frame| frame.starts_with("WINDOW_UPDATE 1 ")));
        let now = wire.now;
        wire.connection.set_initial_window_size(10_000, now);
        assert_eq!(wire.frames(), ["SETTINGS 4=10000"]);
        wire.settings_ack();
        assert_eq!(wire.frames(), ["WINDOW_UPDATE 1 20000"]);
        wire.events();
        wire.data(1, &[0; 10_000], 0);
        assert_eq!(wire.events(), ["data 1 [10000]"]);
    }
}

/// A stream's window is credited when its content is read, in halves.
#[test]
fn a_stream_is_credited_as_it_is_read() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default().initial_window_size(10_000)).cut(cut);
        wire.releases = false;
        let key = wire.request(1, 0);
        wire.data(1, &[0; 10_000], 0);
        wire.frames();
        let now = wire.now;
        wire.connection.release(key, 4999, now);
        assert_eq!(wire.frames(), [""; 0]);
        wire.connection.release(key, 1, now);
        assert_eq!(wire.frames(), ["PING", "WINDOW_UPDATE 1 5000"]);
        wire.connection.release(key, 5000, now);
        assert_eq!(wire.frames(), ["WINDOW_UPDATE 1 5000"]);
        // Padding is nobody's to read.
        let mut padded = vec![255];
        padded.resize(256, 0);
        for _ in 0..19 {
            wire.data(1, &padded, PADDED);
        }
        assert_eq!(wire.frames(), [""; 0]);
        wire.data(1, &padded, PADDED);
        assert_eq!(wire.frames(), ["WINDOW_UPDATE 1 5120"]);
        // §5.1: nothing is said once the peer has ended its half.
        wire.data(1, &[0; 9000], END_STREAM);
        wire.connection.release(key, 9000, now);
        assert_eq!(wire.frames(), [""; 0]);
    }
}

/// DATA that nobody gets counts, and is credited to the connection: of streams that are reset, closed, or above what
/// GOAWAY said (§5.1, §6.8).
#[test]
fn what_is_ignored_is_credited() {
    for cut in CUTS {
        let config = Config::default().connection_window_size(65_535).enable_connect_protocol(false);
        let mut wire = Wire::server(config).cut(cut);
        wire.releases = false;
        let key = wire.request(1, 0);
        wire.connection.reset(key, ErrorCode::CANCEL);
        wire.request(3, 0);
        wire.reset(3, ErrorCode::CANCEL);
        wire.connection.shutdown(wire.now);
        wire.advance(Duration::from_secs(60));
        wire.connection.handle_timeout(wire.now).unwrap();
        wire.frames();
        let mut credited = 0;
        for id in [1, 3, 5].into_iter().cycle().take(60) {
            wire.data(id, &[0; 10_000], 0);
            assert_eq!(wire.code(), None, "{id}");
            credited += connection_credit(&mut wire);
        }
        assert!(credited > 60 * 10_000 - 65_535, "{credited}");
    }
}

/// How much the connection's window was enlarged by since the last time.
fn connection_credit(wire: &mut Wire) -> usize {
    let frames = wire.frames();
    let credits = frames.iter().filter_map(|frame| frame.strip_prefix("WINDOW_UPDATE 0 "));
    credits.map(|credit| credit.parse::<usize>().unwrap()).sum()
}

/// The connection's window is a budget of memory: one stream that nobody reads does not stop another, and the most that
/// is ever held is twice the window.
#[test]
fn the_connection_is_a_budget() {
    let size = 100_000;
    for cut in [usize::MAX, 7] {
        let config = Config::default().connection_window_size(size as u32).initial_window_size(1 << 20);
        let mut wire = Wire::server(config).cut(cut);
        wire.releases = false;
        let key = wire.request(1, 0);
        wire.request(3, 0);
        let mut window = size;
        let mut unread = 0;
        while window >= 1000 && unread < 3 * size {
            wire.data(if unread % 3000 == 0 { 3 } else { 1 }, &[0; 1000], 0);
            unread += 1000;
            window -= 1000;
            window += connection_credit(&mut wire);
            assert!(wire.error.is_none());
        }
        assert!(wire.connection.is_congested());
        assert!((size..=2 * size).contains(&unread), "{unread}");
        // Reading helps, down to the size and then byte by byte.
        let now = wire.now;
        wire.connection.release(key, unread - size - 1000, now);
        assert!(wire.connection.is_congested());
        assert_eq!(connection_credit(&mut wire), 0);
        wire.connection.release(key, 1000, now);
        assert!(!wire.connection.is_congested());
        window += connection_credit(&mut wire);
        assert_eq!(window, size);
        // A stream that ends gives back what is released of it later.
        wire.reset(3, ErrorCode::CANCEL);
        wire.connection.reset(key, ErrorCode::CANCEL);
        wire.connection.release(key, size, now);
        wire.request(5, 0);
        wire.releases = true;
        for _ in 0..10 * size / 10_000 {
            wire.data(5, &[0; 10_000], 0);
            wire.frames();
            assert!(wire.error.is_none());
        }
    }
}

/// A budget as small as can be, and one as large.
#[test]
fn budgets_at_their_bounds() {
    for (size, first) in
        [(0, ""), (65_536, ""), (100_000, "WINDOW_UPDATE 0 34465"), (u32::MAX, "WINDOW_UPDATE 0 2147418112")]
    {
        let config = Config::default().connection_window_size(size).initial_window_size(1 << 20);
        let mut wire = Wire::new(sheave_h2::Role::Server, config);
        let frames = wire.frames();
        assert_eq!(frames.get(1).map_or("", |frame| &frame[..]), first);
        wire.bytes(sheave_h2::PREFACE);
        wire.settings(&[]);
        wire.settings_ack();
        wire.request(1, 0);
        for _ in 0..1000 {
            wire.data(1, &[0; 16_384], 0);
            wire.frames();
            assert!(wire.error.is_none());
        }
    }
}

/// How much may be sent on each stream after a while, if it takes a round trip until it comes, and `pause` until it is read
/// then.
fn grown(config: Config, pause: Duration, streams: u32) -> (Wire, Vec<usize>) {
    let mut wire = Wire::server(config);
    wire.releases = false;
    let windows = grow(&mut wire, 1, pause, streams);
    (wire, windows)
}

/// The same of new streams, of which this is the first.
fn grow(wire: &mut Wire, first: u32, pause: Duration, streams: u32) -> Vec<usize> {
    let mut windows = vec![65_535; streams as usize];
    for stream in 0..streams {
        wire.request(first + 2 * stream, 0);
    }
    for _ in 0..30 {
        wire.frames();
        wire.advance(TRIP);
        wire.pong();
        send_all(wire, first, &mut windows);
        wire.advance(pause);
        for (key, length) in std::mem::take(&mut wire.unreleased) {
            wire.connection.release(key, length, wire.now);
        }
        assert!(wire.error.is_none());
        for frame in wire.frames() {
            let update = frame.strip_prefix("WINDOW_UPDATE ").and_then(|update| update.split_once(' '));
            if let Some((id, increment)) = update.filter(|(id, _)| *id != "0") {
                let id: u32 = id.parse().unwrap();
                windows[(id - first) as usize / 2] += increment.parse::<usize>().unwrap();
            }
        }
    }
    windows
}

const TRIP: Duration = Duration::from_millis(100);

/// What windows have grown by is free again once their streams are closed.
#[test]
fn growth_is_given_back() {
    let config = Config::default().max_window_size(1 << 20).connection_window_size(2 << 20);
    let (mut wire, windows) = grown(config, Duration::ZERO, 1);
    assert_eq!(windows, [1 << 20]);
    for round in 0..4 {
        wire.reset(2 * round + 1, ErrorCode::CANCEL);
        let windows = grow(&mut wire, 2 * round + 3, Duration::ZERO, 1);
        assert_eq!(windows, [1 << 20], "{round}");
    }
}

/// The peer sends as much as it may on each of these streams. Nothing is read.
fn send_all(wire: &mut Wire, first: u32, windows: &mut [usize]) {
    for (window, id) in windows.iter_mut().zip((first..).step_by(2)) {
        while *window > 0 {
            let length = (*window).min(16_384);
            wire.data(id, &vec![0; length], 0);
            *window -= length;
            // This is for the connection's window.
            wire.frames();
        }
    }
}

/// A window grows, up to a cap, when its reader empties it within two round trips; and the windows of all streams in all
/// by no more than half of the connection's budget.
#[test]
fn windows_grow() {
    let config = || Config::default().max_window_size(1 << 20).connection_window_size(16 << 20);
    assert_eq!(grown(config(), Duration::ZERO, 1).1, [1 << 20]);
    assert_eq!(grown(config().max_window_size(0), Duration::ZERO, 1).1, [65_535]);
    // A reader that is slower than the window needs no larger one.
    assert_eq!(grown(config(), 2 * TRIP, 1).1, [65_535]);
    // Not beyond what is held for all.
    let (_, windows) = grown(config().connection_window_size(2 << 20), Duration::ZERO, 4);
    assert_eq!(windows.iter().map(|window| window - 65_535).sum::<usize>(), 1 << 20, "{windows:?}");
}

/// However far windows have grown, and however many readers stop then: by default they do not stop another.
#[test]
fn readers_that_stop_leave_room_for_others() {
    const STREAMS: usize = 100;
    let (mut wire, mut windows) = grown(Config::default(), Duration::ZERO, STREAMS as u32);
    assert!(windows.iter().sum::<usize>() > 8 << 20, "{windows:?}");
    send_all(&mut wire, 1, &mut windows[..STREAMS - 1]);
    assert!(wire.error.is_none() && !wire.connection.is_congested());
    wire.releases = true;
    for _ in 0..4096 {
        wire.data(2 * STREAMS as u32 - 1, &[0; 16_384], 0);
        wire.frames();
        assert!(wire.error.is_none() && !wire.connection.is_congested());
    }
}

/// §6.9.1: neither growth nor a setting, nor both, ever make a window that the peer must not accept.
#[test]
fn windows_do_not_outgrow_what_can_be() {
    // Before and after it has grown.
    for changed in [0, 20] {
        windows_stay_below_the_maximum(changed);
    }
}

fn windows_stay_below_the_maximum(changed: u32) {
    let config = Config::default()
        .initial_window_size(1 << 20)
        .max_window_size(u32::MAX)
        .connection_window_size(u32::MAX);
    let mut wire = Wire::server(config);
    wire.request(1, 0);
    wire.frames();
    let mut windows: i64 = 1 << 20;
    let mut initial: i64 = 1 << 20;
    for round in 0..40 {
        for _ in 0..64 {
            wire.data(1, &[0; 16_384], 0);
            windows -= 16_384;
            assert!(wire.error.is_none(), "{:?}", wire.error);
        }
        wire.events();
        if round == changed {
            let now = wire.now;
            wire.connection.set_initial_window_size(u32::MAX, now);
        }
        wire.advance(Duration::from_millis(10));
        for frame in wire.frames() {
            match frame.split(' ').collect::<Vec<_>>()[..] {
                ["PING"] => wire.pong(),
                ["WINDOW_UPDATE", "1", increment] => windows += increment.parse::<i64>().unwrap(),
                ["SETTINGS", setting] => {
                    let size: i64 = setting.strip_prefix("4=").unwrap().parse().unwrap();
                    windows += size - initial;
                    initial = size;
                    // The acknowledgement comes late.
                }
                ["WINDOW_UPDATE", "0", _] => {}
                ref other => panic!("{other:?}"),
            }
            assert!(windows <= i64::from(MAX_WINDOW), "{windows} in round {round}");
        }
        if round == changed + 10 {
            wire.settings_ack();
        }
    }
    assert!(initial > 1 << 30);
}

/// Who gives back more than there was makes no window that cannot be.
#[test]
fn more_is_released_than_came() {
    let mut wire = Wire::server(Config::default());
    let key = wire.request(1, 0);
    wire.data(1, b"x", 0);
    wire.frames();
    for _ in 0..3 {
        wire.connection.release(key, usize::MAX, wire.now);
        wire.pong();
        assert!(!wire.frames().iter().any(|frame| frame.starts_with("WINDOW_UPDATE")));
    }
}

/// §6.9: WINDOW_UPDATE of another length, or of nothing.
#[test]
fn wrong_window_updates() {
    for cut in CUTS {
        for (id, payload, code) in [
            (0, &b"\0\0\0\0"[..], ErrorCode::PROTOCOL_ERROR),
            (3, b"\0\0\0\0", ErrorCode::PROTOCOL_ERROR),
            (3, b"\0\0\0\x01", ErrorCode::PROTOCOL_ERROR),
            (1, b"\0\0\x01", ErrorCode::FRAME_SIZE_ERROR),
        ] {
            let mut wire = Wire::server(Config::default()).cut(cut);
            wire.request(1, 0);
            wire.frame(Kind::WINDOW_UPDATE, ACK, id, payload);
            assert_eq!(wire.code(), Some(code));
        }
    }
}
