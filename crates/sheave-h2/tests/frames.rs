//! Frames as they are on the wire (RFC 9113 §4, §6; RFC 9218 §7.1).

mod common;

use std::path::{Path, PathBuf};
use std::{env, fs};

use bytes::BytesMut;
use common::{CUTS, GET, Wire};
use serde_json::{Value, json};
use sheave_h2::frame::flag::{ACK, END_HEADERS, END_STREAM, PADDED, PRIORITY};
use sheave_h2::frame::{
    Continuation, Data, Dependency, Frame, GoAway, Head, Headers, Kind, Ping, Priority, PriorityUpdate,
    PushPromise, RstStream, Setting, Settings, WindowUpdate,
};
use sheave_h2::{Config, ErrorCode, StreamId};

/// What a frame of these bytes is, where frames may be as large as without a setting.
fn read(wire: &[u8]) -> Result<Frame<'_>, ErrorCode> {
    let head = Head::read(wire).unwrap();
    if head.length > 16_384 {
        return Err(ErrorCode::FRAME_SIZE_ERROR);
    }
    let payload = &wire[Head::LENGTH..];
    assert_eq!(payload.len(), head.length as usize);
    Frame::read(head, payload).map_err(|violation| violation.code)
}

fn write(frame: Frame<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    match frame {
        Frame::Data(frame) => frame.write(&mut out),
        Frame::Headers(frame) => frame.write(&mut out),
        Frame::Priority(frame) => frame.write(&mut out),
        Frame::RstStream(frame) => frame.write(&mut out),
        Frame::Settings(frame) if frame.ack => Settings::write_ack(&mut out),
        Frame::Settings(frame) => Settings::write(&frame.iter().collect::<Vec<_>>(), &mut out),
        Frame::PushPromise(frame) => frame.write(&mut out),
        Frame::Ping(frame) => frame.write(&mut out),
        Frame::GoAway(frame) => frame.write(&mut out),
        Frame::WindowUpdate(frame) => frame.write(&mut out),
        Frame::Continuation(frame) => frame.write(&mut out),
        Frame::PriorityUpdate(frame) => frame.write(&mut out),
        other => panic!("{other:?} is not written"),
    }
    out
}

/// Every kind of frame, with and without whatever is optional.
fn frames() -> Vec<Frame<'static>> {
    let (stream, promised) = (StreamId::new(5), StreamId::MAX);
    let mut frames = vec![
        Frame::RstStream(RstStream { stream, code: ErrorCode::CANCEL }),
        Frame::RstStream(RstStream { stream: StreamId::MAX, code: ErrorCode::new(u32::MAX) }),
        Frame::Ping(Ping { ack: false, payload: *b"\0\x01 ping\xff" }),
        Frame::Ping(Ping { ack: true, payload: [0xff; 8] }),
        Frame::WindowUpdate(WindowUpdate { stream: StreamId::CONNECTION, increment: u32::MAX >> 1 }),
        Frame::WindowUpdate(WindowUpdate { stream, increment: 1 }),
        Frame::Settings(Settings::ACK),
        Frame::GoAway(GoAway { last_stream: promised, code: ErrorCode::NO_ERROR, debug_data: b"" }),
        Frame::GoAway(GoAway { last_stream: stream, code: ErrorCode::new(0x1234), debug_data: b"why" }),
        Frame::PriorityUpdate(PriorityUpdate { prioritized: stream, value: b"" }),
        Frame::PriorityUpdate(PriorityUpdate { prioritized: stream, value: b"u=1, i" }),
    ];
    let dependency = |exclusive, weight| Dependency { stream: StreamId::new(3), exclusive, weight };
    for dependency in [dependency(false, 0), dependency(true, 255)] {
        frames.push(Frame::Priority(Priority { stream, dependency }));
    }
    for content in [&b""[..], b"content"] {
        for end in [false, true] {
            frames.push(Frame::Continuation(Continuation { stream, end_headers: end, fragment: content }));
            for padding in [None, Some(0), Some(1), Some(255)] {
                frames.push(Frame::Data(Data { stream, end_stream: end, data: content, padding }));
                let promised = StreamId::new(2);
                frames.push(Frame::PushPromise(PushPromise {
                    stream,
                    promised,
                    end_headers: end,
                    fragment: content,
                    padding,
                }));
                for dependency in [None, Some(dependency(true, 7))] {
                    frames.push(Frame::Headers(Headers {
                        stream,
                        end_stream: end,
                        end_headers: !end,
                        dependency,
                        fragment: content,
                        padding,
                    }));
                }
            }
        }
    }
    frames
}

#[test]
fn what_is_written_is_what_is_read() {
    for frame in frames() {
        let wire = write(frame);
        assert_eq!(read(&wire), Ok(frame));
        // RFC 9113 §4.1: the reserved bit is ignored.
        let mut reserved = wire.clone();
        reserved[5] |= 0x80;
        assert_eq!(read(&reserved), Ok(frame));
    }
}

#[test]
fn settings_are_read_in_their_order() {
    let settings = [(1, 0), (0xffff, u32::MAX), (1, 4096)].map(|(id, value)| Setting { id, value });
    for settings in [&settings[..0], &settings] {
        let mut wire = BytesMut::new();
        Settings::write(settings, &mut wire);
        let Ok(Frame::Settings(read)) = read(&wire) else { panic!("no SETTINGS") };
        assert!(!read.ack);
        assert_eq!(read.iter().collect::<Vec<_>>(), settings);
    }
}

/// RFC 9113 §4.1: flags that mean nothing for a kind are ignored.
#[test]
fn flags_without_a_meaning() {
    for frame in frames() {
        let mut wire = write(frame);
        let known = match frame {
            Frame::Data(_) => END_STREAM | PADDED,
            Frame::Headers(_) => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            Frame::PushPromise(_) => END_HEADERS | PADDED,
            Frame::Continuation(_) => END_HEADERS,
            Frame::Settings(_) | Frame::Ping(_) => ACK,
            _ => 0,
        };
        wire[4] |= !known;
        assert_eq!(read(&wire), Ok(frame));
    }
}

/// No length of a payload, and no padding, is beyond what a reader bears.
#[test]
fn every_kind_at_every_short_length() {
    for kind in 0..=0x20 {
        for flags in 0..=u8::MAX {
            for length in 0..=16 {
                for byte in [0, 1, 7, 0xff] {
                    for stream in [0, 1, 2] {
                        let payload = vec![byte; length];
                        let head = Head {
                            length: length as u32,
                            kind: Kind::new(kind),
                            flags,
                            stream: StreamId::new(stream),
                        };
                        if let Ok(frame) = Frame::read(head, &payload)
                            && !matches!(frame, Frame::Unknown(_))
                        {
                            assert_eq!(read(&write(frame)), Ok(frame));
                        }
                    }
                }
            }
        }
    }
}

/// Which frames are wrong by themselves, and how that ends. `(what, kind, flags, stream, payload, ends, code)`.
#[test]
fn wrong_frames() {
    use ErrorCode as Code;
    let (size, protocol) = (Code::FRAME_SIZE_ERROR, Code::PROTOCOL_ERROR);
    let long = &[0; 16_385][..];
    let table: &[(Kind, u8, u32, &[u8], Code)] = &[
        // §4.2: above MAX_FRAME_SIZE, whatever it is.
        (Kind::DATA, 0, 1, long, size),
        (Kind::HEADERS, END_HEADERS, 3, long, size),
        (Kind::new(0xbe), 0, 1, long, size),
        // §6.1
        (Kind::DATA, 0, 0, b"x", protocol),
        (Kind::DATA, PADDED, 1, b"", size),
        (Kind::DATA, PADDED, 1, b"\x01", protocol),
        (Kind::DATA, PADDED, 1, b"\x05abcd", protocol),
        (Kind::DATA, PADDED, 1, b"\xffabcd", protocol),
        // §6.2
        (Kind::HEADERS, END_HEADERS, 0, b"\x82", protocol),
        (Kind::HEADERS, END_HEADERS | PADDED, 3, b"", size),
        (Kind::HEADERS, END_HEADERS | PADDED, 3, b"\x02\x82", protocol),
        (Kind::HEADERS, END_HEADERS | PRIORITY, 3, b"\0\0\0\0", size),
        (Kind::HEADERS, END_HEADERS | PADDED | PRIORITY, 3, b"\x00\0\0\0\0", size),
        (Kind::HEADERS, END_HEADERS | PADDED | PRIORITY, 3, b"\x01\0\0\0\0\x10", protocol),
        (Kind::HEADERS, END_HEADERS | PADDED | PRIORITY, 3, b"\x02\0\0\0\0\x10\x82", protocol),
        // §6.3
        (Kind::PRIORITY, 0, 0, b"\0\0\0\0\0", protocol),
        // §6.4
        (Kind::RST_STREAM, 0, 0, b"\0\0\0\x08", protocol),
        (Kind::RST_STREAM, 0, 1, b"\0\0\0", size),
        (Kind::RST_STREAM, 0, 1, b"\0\0\0\x08\0", size),
        // §6.5
        (Kind::SETTINGS, 0, 1, b"", protocol),
        (Kind::SETTINGS, ACK, 1, b"", protocol),
        (Kind::SETTINGS, 0, 0, b"\0\x01\0\0\0", size),
        (Kind::SETTINGS, 0, 0, b"\0\x01\0\0\0\0\0", size),
        (Kind::SETTINGS, ACK, 0, b"\0\x01\0\0\0\0", size),
        // §6.6
        (Kind::PUSH_PROMISE, END_HEADERS, 0, b"\0\0\0\x02", protocol),
        (Kind::PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0", size),
        (Kind::PUSH_PROMISE, END_HEADERS | PADDED, 1, b"\0\0\0\x02", size),
        (Kind::PUSH_PROMISE, END_HEADERS | PADDED, 1, b"\x01\0\0\0\x02", protocol),
        (Kind::PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x03", protocol),
        (Kind::PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\0", protocol),
        // §6.7
        (Kind::PING, 0, 1, b"12345678", protocol),
        (Kind::PING, 0, 0, b"1234567", size),
        (Kind::PING, ACK, 0, b"123456789", size),
        // §6.8
        (Kind::GOAWAY, 0, 1, b"\0\0\0\0\0\0\0\0", protocol),
        (Kind::GOAWAY, 0, 0, b"\0\0\0\0\0\0\0", size),
        // §6.9
        (Kind::WINDOW_UPDATE, 0, 0, b"\0\0\0", size),
        (Kind::WINDOW_UPDATE, 0, 1, b"\0\0\0\x01\0", size),
        (Kind::WINDOW_UPDATE, 0, 0, b"\0\0\0\0", protocol),
        (Kind::WINDOW_UPDATE, 0, 0, b"\x80\0\0\0", protocol),
        // §6.10
        (Kind::CONTINUATION, END_HEADERS, 0, b"", protocol),
        (Kind::CONTINUATION, END_HEADERS, 1, b"", protocol),
        // RFC 9218 §7.1
        (Kind::PRIORITY_UPDATE, 0, 1, b"\0\0\0\x01u=1", protocol),
        (Kind::PRIORITY_UPDATE, 0, 0, b"\0\0\0", size),
        (Kind::PRIORITY_UPDATE, 0, 0, b"\0\0\0\0u=1", protocol),
    ];
    for cut in CUTS {
        for &(kind, flags, id, payload, code) in table {
            let mut wire = Wire::server(Config::default()).cut(cut);
            wire.request(1, 0);
            wire.frame(kind, flags, id, payload);
            let what = format!("{kind:?} {flags:#x} on {id}, {} bytes, cut at {cut}", payload.len());
            assert_eq!(wire.code(), Some(code), "{what}");
            assert_eq!(wire.frames(), [format!("GOAWAY 1 {code}")], "{what}");
            assert!(wire.events().is_empty(), "{what}");
        }
    }
}

/// §4.2, §6.3, §6.9: those that end only the stream.
#[test]
fn wrong_frames_of_a_stream() {
    let table: &[(Kind, u32, &[u8], ErrorCode)] = &[
        (Kind::PRIORITY, 1, b"\0\0\0\0", ErrorCode::FRAME_SIZE_ERROR),
        (Kind::PRIORITY, 1, b"\0\0\0\0\0\0", ErrorCode::FRAME_SIZE_ERROR),
        (Kind::WINDOW_UPDATE, 1, b"\0\0\0\0", ErrorCode::PROTOCOL_ERROR),
        (Kind::WINDOW_UPDATE, 1, b"\x80\0\0\0", ErrorCode::PROTOCOL_ERROR),
    ];
    for cut in CUTS {
        for &(kind, id, payload, code) in table {
            let mut wire = Wire::server(Config::default()).cut(cut);
            wire.request(1, 0);
            wire.frame(kind, 0, id, payload);
            assert_eq!(wire.frames(), [format!("RST_STREAM {id} {code}")], "{kind:?}");
            assert_eq!(wire.events(), [format!("reset {id} {code}")], "{kind:?}");
            wire.headers(3, &GET, END_STREAM);
            assert_eq!(wire.events(), ["request 3 GET https://example.org/ end"]);

            // §6.4: RST_STREAM is nothing for an idle stream.
            wire.frame(kind, 0, 5, payload);
            assert_eq!(wire.frames(), [format!("GOAWAY 3 {code}")], "{kind:?}");
        }
    }
}

/// §4.1, §5.5: unknown frames mean nothing, wherever they come; §5.3: nor does PRIORITY.
#[test]
fn frames_that_mean_nothing() {
    for cut in CUTS {
        let mut wire = Wire::server(Config::default()).cut(cut);
        wire.request(1, 0);
        for id in [0, 1, 2, 3, 0x7fff_ffff] {
            for kind in [0xa, 0xf, 0x11, 0xbe, 0xff] {
                wire.frame(Kind::new(kind), 0xff, id, b"whatever");
                wire.frame(Kind::new(kind), 0, id, b"");
            }
            if id > 0 {
                wire.frame(Kind::PRIORITY, 0xff, id, &[&(id - 1).to_be_bytes()[..], b"\x10"].concat());
            }
        }
        assert_eq!((wire.frames(), wire.events()), (vec![], vec![]));
        // They have not opened what was idle.
        wire.headers(3, &GET, END_STREAM);
        assert_eq!(wire.events(), ["request 3 GET https://example.org/ end"]);
    }
}

/// §6.1, §6.2: what is padded is the same without, whatever the padding is.
#[test]
fn padding() {
    for cut in CUTS {
        for padding in [0, 1, 100, 255] {
            let mut wire = Wire::server(Config::default()).cut(cut);
            let block = wire.block(&GET);
            let mut payload = vec![padding, 0, 0, 0, 3, 9];
            payload.extend_from_slice(&block);
            payload.resize(payload.len() + usize::from(padding), 0xaa);
            wire.frame(Kind::HEADERS, END_HEADERS | PADDED | PRIORITY, 1, &payload);
            let mut payload = vec![padding];
            payload.extend_from_slice(b"content");
            payload.resize(payload.len() + usize::from(padding), 0xaa);
            wire.data(1, &payload, PADDED);
            // Nothing but padding.
            wire.data(1, &payload[..1].repeat(1 + usize::from(padding)), PADDED);
            wire.data(1, &payload, PADDED | END_STREAM);
            assert_eq!(
                wire.events(),
                ["request 1 GET https://example.org/", "data 1 content", "data 1 content end"]
            );
            assert_eq!(wire.frames(), [""; 0]);
        }
    }
}

/// §4.2: as large as MAX_FRAME_SIZE says, once it is acknowledged.
#[test]
fn as_large_as_it_may_be() {
    for cut in CUTS {
        for most in [16_384, 100_000] {
            let config = Config::default().max_frame_size(most).initial_window_size(1 << 20);
            let mut wire = Wire::server(config).cut(cut);
            wire.request(1, 0);
            wire.frames();
            wire.data(1, &vec![b'x'; most as usize], 0);
            assert_eq!(wire.events(), [format!("data 1 [{most}]")]);
            wire.frames();
            wire.data(1, &vec![b'x'; most as usize + 1], 0);
            assert_eq!(wire.frames(), ["GOAWAY 1 FRAME_SIZE_ERROR"]);
        }
    }
}

fn corpora() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpora = env::var_os("SHEAVE_CORPORA").map_or(root.join("../shared/corpora"), PathBuf::from);
    corpora.join("http2-frames")
}

/// Every case of http2jp's http2-frame-test-case, which is no part of the project.
#[test]
fn corpus() {
    let Ok(folders) = fs::read_dir(corpora()) else {
        println!("no corpora: {}", corpora().display());
        return;
    };
    let mut cases = 0;
    for folder in folders.map(|folder| folder.unwrap().path()).filter(|folder| folder.is_dir()) {
        for path in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let wire = hex(case["wire"].as_str().unwrap());
            match (read_as_corpus(&wire), case["error"].as_array()) {
                (Err(code), Some(codes)) => {
                    assert!(codes.contains(&json!(code.get())), "{}: {code}", path.display());
                }
                (Ok(frame), None) => {
                    // Whose bytes padding has is not kept.
                    let mut expected = case["frame"].clone();
                    let payload = expected["frame_payload"].as_object_mut().unwrap();
                    payload.remove("padding");
                    if frame["type"] == json!(Kind::PRIORITY.get()) {
                        payload.remove("padding_length");
                    }
                    assert_eq!(frame, expected, "{}", path.display());
                }
                (read, expected) => panic!("{}: {read:?} instead of {expected:?}", path.display()),
            }
            cases += 1;
        }
    }
    assert!(cases >= 34, "{cases} cases");
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The frame as the corpus tells it.
fn read_as_corpus(wire: &[u8]) -> Result<Value, ErrorCode> {
    let head = Head::read(wire).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let payload = match read(wire)? {
        Frame::Data(frame) => json!({"data": text(frame.data), "padding_length": frame.padding}),
        Frame::Headers(frame) => json!({
            "header_block_fragment": text(frame.fragment),
            "padding_length": frame.padding,
            "stream_dependency": frame.dependency.map(|dependency| dependency.stream.get()),
            "weight": frame.dependency.map(|dependency| u16::from(dependency.weight) + 1),
            "exclusive": frame.dependency.map(|dependency| dependency.exclusive),
        }),
        Frame::Priority(Priority { dependency, .. }) => json!({
            "stream_dependency": dependency.stream.get(),
            "weight": u16::from(dependency.weight) + 1,
            "exclusive": dependency.exclusive,
        }),
        Frame::RstStream(frame) => json!({"error_code": frame.code.get()}),
        Frame::Settings(frame) => {
            let settings: Vec<_> = frame.iter().map(|setting| json!([setting.id, setting.value])).collect();
            json!({ "settings": settings })
        }
        Frame::PushPromise(frame) => json!({
            "header_block_fragment": text(frame.fragment),
            "padding_length": frame.padding,
            "promised_stream_id": frame.promised.get(),
        }),
        Frame::Ping(frame) => json!({"opaque_data": text(&frame.payload)}),
        Frame::GoAway(frame) => json!({
            "last_stream_id": frame.last_stream.get(),
            "error_code": frame.code.get(),
            "additional_debug_data": text(frame.debug_data),
        }),
        Frame::WindowUpdate(frame) => json!({"window_size_increment": frame.increment}),
        Frame::Continuation(frame) => json!({"header_block_fragment": text(frame.fragment)}),
        other => panic!("{other:?} is not in the corpus"),
    };
    Ok(json!({
        "length": head.length,
        "type": head.kind.get(),
        "flags": head.flags,
        "stream_identifier": head.stream.get(),
        "frame_payload": payload,
    }))
}
