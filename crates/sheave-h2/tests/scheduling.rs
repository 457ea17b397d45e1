//! Whose content goes next (RFC 9113 §5.2, RFC 9218 §10).

mod common;

use bytes::{Buf, Bytes};
use common::{GET, Wire};
use sheave_h2::frame::flag::END_STREAM;
use sheave_h2::frame::{Head, Kind};
use sheave_h2::{Config, ErrorCode, Progress};

/// The most that a stream sends before it is another's turn.
const QUANTUM: usize = 16_384;
/// The most that is made ready at once.
const BATCH: usize = 128 << 10;

/// A server whose client reads all, with so many requests to which a response has begun.
fn server(streams: u32) -> Wire {
    let mut wire = with_windows(1 << 30);
    for stream in 0..streams {
        answer(&mut wire, 1 + 2 * stream, &[]);
    }
    wire
}

fn with_windows(size: u32) -> Wire {
    let config = Config::default().max_concurrent_streams(20_000).enable_connect_protocol(true);
    let mut wire = Wire::server(config);
    wire.settings(&[(4, size)]);
    wire.window_update(0, (1 << 31) - 65_536);
    wire.frames();
    wire
}

/// A request with these fields more, and the beginning of its response.
fn answer(wire: &mut Wire, id: u32, fields: &[(&str, &str)]) {
    let request: Vec<_> = GET.into_iter().chain(fields.iter().copied()).collect();
    wire.headers(id, &request, END_STREAM);
    wire.answer(id, 200, false);
    wire.frames();
    wire.events();
}

fn tunnel(wire: &mut Wire, id: u32, fields: &[(&str, &str)]) {
    let request = [(":method", "CONNECT"), GET[1], GET[2], GET[3], (":protocol", "websocket")];
    let request: Vec<_> = request.into_iter().chain(fields.iter().copied()).collect();
    wire.headers(id, &request, 0);
    wire.answer(id, 200, false);
    wire.frames();
    wire.events();
}

fn send(wire: &mut Wire, id: u32, length: usize) {
    let key = wire.stream(id);
    wire.connection.send(key, Bytes::from(vec![0; length])).unwrap();
}

/// The next write: the frames in it, by kind, stream and length.
fn batch(wire: &mut Wire) -> Vec<(Kind, u32, usize)> {
    let output = wire.connection.transmit(wire.now);
    let length = output.remaining();
    let mut bytes = output.copy_to_bytes(length);
    let mut frames = Vec::new();
    while let Some(head) = Head::read(&bytes) {
        bytes.advance(Head::LENGTH + head.length as usize);
        frames.push((head.kind, head.stream.get(), head.length as usize));
    }
    frames
}

/// The streams and lengths of all DATA that is sent now.
fn data(wire: &mut Wire) -> Vec<(u32, usize)> {
    let mut all = Vec::new();
    loop {
        let batch = batch(wire);
        if batch.is_empty() {
            return all;
        }
        all.extend(
            batch.into_iter().filter(|frame| frame.0 == Kind::DATA).map(|(_, id, length)| (id, length)),
        );
    }
}

fn ids(data: &[(u32, usize)]) -> Vec<u32> {
    data.iter().map(|(id, _)| *id).collect()
}

#[test]
fn small_writes_become_one_frame() {
    let mut wire = server(1);
    for _ in 0..1000 {
        send(&mut wire, 1, 10);
    }
    assert_eq!(data(&mut wire), [(1, 10_000)]);
    let key = wire.stream(1);
    assert_eq!(wire.progress(), [Progress::Sent(key, 10_000)]);
    // Large ones and small ones too.
    for _ in 0..10 {
        send(&mut wire, 1, 10);
        send(&mut wire, 1, 5000);
    }
    assert_eq!(data(&mut wire), [(1, QUANTUM), (1, QUANTUM), (1, QUANTUM), (1, 50_100 - 3 * QUANTUM)]);
}

#[test]
fn many_streams_leave_in_few_writes() {
    for length in [255, 256, 512] {
        let mut wire = server(200);
        for stream in 0..200 {
            send(&mut wire, 1 + 2 * stream, length);
        }
        // 200 × 521 bytes: less than a batch.
        assert_eq!(batch(&mut wire).len(), 200, "{length}");
        assert_eq!(batch(&mut wire), []);
    }
    let mut wire = server(1000);
    for stream in 0..1000 {
        send(&mut wire, 1 + 2 * stream, 512);
    }
    let mut batches = 0;
    while !batch(&mut wire).is_empty() {
        batches += 1;
    }
    assert_eq!(batches, (1000 * 521_usize).div_ceil(BATCH));
}

/// What one write holds does not grow with what is queued.
#[test]
fn a_batch_is_limited() {
    let mut wire = server(4);
    for stream in 0..4 {
        send(&mut wire, 1 + 2 * stream, 1 << 20);
    }
    let length: usize = batch(&mut wire).iter().map(|frame| frame.2 + Head::LENGTH).sum();
    assert!((BATCH..BATCH + QUANTUM + Head::LENGTH).contains(&length), "{length}");
}

#[test]
fn control_goes_first() {
    let mut wire = server(2);
    send(&mut wire, 1, 1 << 20);
    assert_eq!(batch(&mut wire)[0].1, 1);
    wire.ping(0, *b"12345678");
    wire.settings(&[]);
    let key = wire.stream(3);
    wire.connection.reset(key, ErrorCode::CANCEL);
    wire.headers(5, &GET, END_STREAM);
    wire.answer(5, 204, true);
    let kinds: Vec<_> = batch(&mut wire).iter().map(|frame| frame.0).collect();
    let first = [Kind::PING, Kind::SETTINGS, Kind::RST_STREAM, Kind::HEADERS, Kind::DATA];
    assert_eq!(kinds[..5], first);
}

#[test]
fn two_share_evenly() {
    let mut wire = server(2);
    for id in [1, 3] {
        send(&mut wire, id, 1 << 20);
    }
    let data = data(&mut wire);
    assert_eq!(data.len(), 2 * (1 << 20) / QUANTUM);
    for pair in data.chunks(2) {
        assert!(matches!(pair, [(1, QUANTUM), (3, QUANTUM)] | [(3, QUANTUM), (1, QUANTUM)]), "{pair:?}");
    }
    // By bytes, not by frames: the one that gets windows of 1 000 bytes sends more often.
    let mut wire = server(2);
    send(&mut wire, 1, 10 << 20);
    let mut sent = [0; 2];
    for _ in 0..200 {
        send(&mut wire, 3, 1000);
        for (kind, id, length) in batch(&mut wire) {
            assert_eq!(kind, Kind::DATA);
            sent[id as usize / 2] += length;
        }
        if sent[0] == 10 << 20 {
            break;
        }
    }
    assert_eq!(sent, [10 << 20, sent[1]]);
    assert!(sent[1] > 70_000, "{sent:?}");
}

/// What is short is not held up by what is long.
#[test]
fn short_ones_beside_a_long_one() {
    let mut wire = server(100);
    send(&mut wire, 1, 10 << 20);
    batch(&mut wire);
    for stream in 1..100 {
        send(&mut wire, 1 + 2 * stream, 100);
    }
    // A frame of the long one at most is in between.
    let frames = batch(&mut wire);
    let place = frames.iter().rposition(|frame| frame.1 != 1).unwrap();
    assert_eq!(frames[..=place].iter().filter(|frame| frame.1 != 1).count(), 99);
    assert!(frames[..=place].iter().filter(|frame| frame.1 == 1).count() <= 1, "{frames:?}");
}

/// Who gets something again and again waits as others do.
#[test]
fn a_stream_that_is_refilled_starves_nobody() {
    let mut wire = server(3);
    send(&mut wire, 1, 4 << 20);
    send(&mut wire, 3, 4 << 20);
    let mut sent = [0; 3];
    while wire.connection.transmit(wire.now).has_remaining() {
        let frames = batch(&mut wire);
        // Always something short to send, before the next write.
        send(&mut wire, 5, 60_000);
        for (_, id, length) in frames {
            sent[id as usize / 2] += length;
        }
        if sent[0] + sent[1] > 6 << 20 {
            break;
        }
    }
    assert!(sent[0].abs_diff(sent[1]) <= 2 * QUANTUM, "{sent:?}");
    assert!(sent[2] <= sent[0] + 2 * QUANTUM, "{sent:?}");
}

/// RFC 9113 §5.2: a stream without a window.
#[test]
fn a_stream_that_is_not_read_slows_nobody() {
    let mut wire = with_windows(100_000);
    for stream in 0..10 {
        answer(&mut wire, 1 + 2 * stream, &[]);
    }
    for stream in 0..10 {
        send(&mut wire, 1 + 2 * stream, 1 << 20);
    }
    // All windows are used up.
    assert_eq!(data(&mut wire).iter().map(|(_, length)| length).sum::<usize>(), 10 * 100_000);
    // Nine are read, one is not.
    for round in 0..9 {
        for stream in 1..10 {
            wire.window_update(1 + 2 * stream, 100_000);
        }
        let data = data(&mut wire);
        assert!(data.iter().all(|(id, _)| *id != 1));
        assert_eq!(data.iter().map(|(_, length)| length).sum::<usize>(), 900_000, "{round}");
    }
    wire.window_update(1, 1);
    assert_eq!(data(&mut wire), [(1, 1)]);
}

/// The connection's window is shared, too.
#[test]
fn little_by_little() {
    let mut wire = Wire::server(Config::default());
    wire.settings(&[(4, 1 << 20)]);
    for stream in 0..3 {
        answer(&mut wire, 1 + 2 * stream, &[]);
    }
    send(&mut wire, 1, 65_535);
    assert_eq!(data(&mut wire).iter().map(|(_, length)| length).sum::<usize>(), 65_535);
    for id in [1, 3, 5] {
        send(&mut wire, id, 1 << 20);
    }
    let mut sent = [0; 3];
    for _ in 0..300 {
        wire.window_update(0, 1000);
        for (id, length) in data(&mut wire) {
            sent[id as usize / 2] += length;
        }
    }
    assert_eq!(sent.iter().sum::<usize>(), 300_000);
    assert!(sent.iter().all(|sent| sent.abs_diff(100_000) <= 2 * QUANTUM), "{sent:?}");
}

/// RFC 9218 §4.1: "The smaller the value, the higher the precedence."
#[test]
fn the_urgent_go_first() {
    let mut wire = server(0);
    for (id, priority) in [(1, "u=7"), (3, "u=0, i"), (5, "u=5, i"), (7, "u=0, i")] {
        answer(&mut wire, id, &[("priority", priority)]);
    }
    answer(&mut wire, 9, &[]);
    for id in [1, 3, 5, 7, 9] {
        send(&mut wire, id, 5 * QUANTUM);
    }
    let ids = ids(&data(&mut wire));
    assert_eq!(ids.len(), 25);
    // But for what keeps the others from starving.
    let last = |id: u32| ids.iter().rposition(|&sent| sent == id).unwrap();
    assert!(last(3) < last(9) && last(7) < last(9) && last(9) < last(5) && last(5) < last(1), "{ids:?}");
    assert!(ids[..10].iter().filter(|&&id| id == 3 || id == 7).count() >= 9, "{ids:?}");
}

/// RFC 9218 §10.1: "servers SHOULD allocate some amount of bandwidths to streams acting as tunnels".
#[test]
fn the_urgent_starve_nobody() {
    let mut wire = server(0);
    answer(&mut wire, 1, &[("priority", "u=0")]);
    answer(&mut wire, 3, &[("priority", "u=1, i")]);
    tunnel(&mut wire, 5, &[]);
    send(&mut wire, 1, 100 << 20);
    send(&mut wire, 3, 100 << 20);
    batch(&mut wire);
    send(&mut wire, 5, 10);
    let mut before = 0;
    while !batch(&mut wire).iter().any(|frame| frame.1 == 5) {
        before += 1;
    }
    assert!(before * BATCH < 4 << 20, "{before} batches");
}

/// RFC 9218 §10: "in ascending order of the stream ID".
#[test]
fn what_is_of_no_use_in_part_goes_one_by_one() {
    let mut wire = server(0);
    for id in [1, 3, 5, 7] {
        answer(&mut wire, id, &[("priority", "u=2")]);
    }
    for id in [5, 1, 3] {
        send(&mut wire, id, 3 * QUANTUM);
    }
    assert_eq!(ids(&data(&mut wire)), [1, 1, 1, 3, 3, 3, 5, 5, 5]);
    // Beside one that is of use in part, and one whose client did not say.
    answer(&mut wire, 9, &[("priority", "u=2, i")]);
    for id in [3, 9, 7] {
        send(&mut wire, id, 3 * QUANTUM);
    }
    let ids = ids(&data(&mut wire));
    assert_eq!(ids.iter().copied().filter(|&id| id != 9).collect::<Vec<_>>(), [3, 3, 3, 7, 7, 7]);
    let last = ids.iter().rposition(|&id| id == 9).unwrap();
    assert!(last <= 6, "{ids:?}");
}

/// Streams that get a little again and again, each just when it has nothing, do not go ahead for ever (RFC 8290 §4.2).
#[test]
fn what_is_short_again_and_again_holds_nobody_up() {
    let mut wire = Wire::server(Config::default());
    wire.settings(&[(4, 1 << 30)]);
    for id in [1, 3, 5] {
        answer(&mut wire, id, &[]);
    }
    send(&mut wire, 1, 1 << 20);
    data(&mut wire);
    let mut lengths = [0; 6];
    for round in 0..200 {
        send(&mut wire, if round % 2 == 0 { 3 } else { 5 }, 1000);
        wire.window_update(0, 1000);
        for (id, length) in data(&mut wire) {
            lengths[id as usize] += length;
        }
    }
    // A third is one's share.
    assert!(lengths[1] >= 60_000, "{lengths:?}");
}

/// RFC 9218 §11
#[test]
fn a_tunnel_always_shares() {
    let mut wire = server(0);
    for id in [1, 3] {
        tunnel(&mut wire, id, &[("priority", "u=2")]);
    }
    for id in [1, 3] {
        send(&mut wire, id, 3 * QUANTUM);
    }
    let ids = ids(&data(&mut wire));
    assert!(ids == [1, 3, 1, 3, 1, 3] || ids == [3, 1, 3, 1, 3, 1], "{ids:?}");
}

fn priority_update(wire: &mut Wire, id: u32, value: &str) {
    let payload = [&id.to_be_bytes()[..], value.as_bytes()].concat();
    wire.frame(Kind::PRIORITY_UPDATE, 0, 0, &payload);
}

/// RFC 9218 §7
#[test]
fn priority_update_frames() {
    // Behind the request, while it is being sent.
    let mut wire = server(3);
    for id in [1, 3, 5] {
        send(&mut wire, id, 4 << 20);
    }
    batch(&mut wire);
    priority_update(&mut wire, 5, "u=1");
    let frames = batch(&mut wire);
    assert!(frames.iter().filter(|frame| frame.1 != 5).count() <= 1, "{frames:?}");
    // "Omitting a priority parameter is a signal to use its default value."
    priority_update(&mut wire, 5, "");
    priority_update(&mut wire, 1, "u=6");
    priority_update(&mut wire, 3, "u=7, i");
    let frames = batch(&mut wire);
    assert!(frames.iter().filter(|frame| frame.1 != 5).count() <= 1, "{frames:?}");
    // Before the request, whose own field counts for less; the last one counts.
    let mut wire = server(1);
    priority_update(&mut wire, 3, "u=7");
    priority_update(&mut wire, 3, "u=1, i");
    answer(&mut wire, 3, &[("priority", "u=6")]);
    send(&mut wire, 1, 4 << 20);
    send(&mut wire, 3, 4 << 20);
    let frames = batch(&mut wire);
    assert!(frames.iter().filter(|frame| frame.1 != 3).count() <= 1, "{frames:?}");
    // Of a stream that is skipped: not of the next.
    let mut wire = server(1);
    priority_update(&mut wire, 3, "u=1, i");
    answer(&mut wire, 5, &[]);
    send(&mut wire, 1, 4 << 20);
    send(&mut wire, 5, 4 << 20);
    let frames = batch(&mut wire);
    assert!(frames.iter().filter(|frame| frame.1 == 1).count() >= 3, "{frames:?}");
    // Of a stream that is closed: nothing.
    let mut wire = server(3);
    for id in [1, 3] {
        send(&mut wire, id, 4 << 20);
    }
    let key = wire.stream(3);
    wire.connection.reset(key, ErrorCode::CANCEL);
    priority_update(&mut wire, 3, "u=0");
    assert!(wire.error.is_none());
    assert!(batch(&mut wire)[1..].iter().all(|frame| frame.1 == 1));
}

/// Several lines are one dictionary (RFC 9110 §5.3, RFC 8941 §4.2).
#[test]
fn a_priority_in_several_lines() {
    let mut wire = server(1);
    answer(&mut wire, 3, &[("priority", "u=1"), ("priority", "i")]);
    answer(&mut wire, 5, &[("priority", "u=1"), ("priority", "i")]);
    for id in [1, 3, 5] {
        send(&mut wire, id, 3 * QUANTUM);
    }
    let ids = ids(&data(&mut wire));
    assert!(ids[1..7] == [3, 5, 3, 5, 3, 5] || ids[..6] == [3, 5, 3, 5, 3, 5], "{ids:?}");
}

/// A client's requests share as well.
#[test]
fn a_client() {
    let mut wire = Wire::client(Config::default());
    wire.settings(&[(4, 1 << 20)]);
    wire.window_update(0, 1 << 20);
    let keys = [(); 2].map(|()| wire.open(false));
    for key in keys {
        wire.connection.send(key, Bytes::from(vec![0; 4 * QUANTUM])).unwrap();
    }
    let ids = ids(&data(&mut wire));
    assert!(ids == [1, 3].repeat(4) || ids == [3, 1].repeat(4), "{ids:?}");
}
