//! Frames, masks and UTF-8 (RFC 6455).

use std::hint::black_box;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use sheave::ws::{
    Config, Connection, Event, FrameHeader, MaskingKey, Message, OpCode, ReservedBits, Role, Utf8Validator,
    mask,
};

use crate::text::{octets, text};
use crate::{Case, Work};

pub(crate) const KEY: MaskingKey = [0x37, 0xfa, 0x21, 0x3d];
const BLOCK: usize = 65_536;

pub(crate) fn cases() -> Vec<Case> {
    let server = || Connection::new(Role::Server, &Config::default(), || Ok(KEY));
    let client = || Connection::new(Role::Client, &Config::default(), || Ok(KEY));
    let binary = |length| Message::Binary(octets(length).into());
    let text_message = || Message::from(text(1024));
    vec![
        Case::new("ws/decode-64", "message", 64, 500, move || decode(server(), binary(64), 64)),
        Case::new("ws/decode-1k", "message", 16, 500, move || decode(server(), binary(1024), 16)),
        Case::new("ws/decode-1k-text", "message", 16, 500, move || decode(server(), text_message(), 16)),
        Case::new("ws/decode-64k", "message", 1, 200, move || decode(server(), binary(BLOCK), 1)),
        Case::new("ws/encode-64", "message", 64, 500, move || encode(server(), binary(64), 64)),
        Case::new("ws/encode-1k", "message", 16, 500, move || encode(server(), binary(1024), 16)),
        Case::new("ws/encode-64k", "message", 1, 500, move || encode(server(), binary(BLOCK), 1)),
        Case::new("ws/encode-64-client", "message", 64, 500, move || encode(client(), binary(64), 64)),
        Case::new("ws/encode-1k-client", "message", 16, 500, move || encode(client(), binary(1024), 16)),
        Case::new("ws/encode-64k-client", "message", 1, 200, move || encode(client(), binary(BLOCK), 1)),
        Case::new("ws/unmask", "KiB", 64, 200, unmask),
        Case::new("ws/utf8", "KiB", 64, 200, || utf8(text(BLOCK))),
        Case::new("ws/utf8-ascii", "KiB", 64, 200, || utf8("a".repeat(BLOCK))),
    ]
}

/// A whole message in one frame, as the client sends it if `masked`.
pub(crate) fn frame(message: &Message, masked: bool) -> Vec<u8> {
    let (opcode, payload) = match message {
        Message::Text(text) => (OpCode::Text, text.as_bytes()),
        Message::Binary(binary) => (OpCode::Binary, &binary[..]),
    };
    any_frame(opcode, payload, masked)
}

pub(crate) fn any_frame(opcode: OpCode, payload: &[u8], masked: bool) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mask = masked.then_some(KEY);
    let length = payload.len() as u64;
    FrameHeader { fin: true, reserved: ReservedBits::default(), opcode, mask, length }.encode(&mut out);
    let start = out.len();
    out.put_slice(payload);
    if masked {
        mask::apply(KEY, 0, &mut out[start..]);
    }
    out.into()
}

/// Everything that `connection` makes of so many frames that came at once.
fn decode(mut connection: Connection, message: Message, count: usize) -> Work {
    let frames = frame(&message, true).repeat(count);
    let mut input = BytesMut::new();
    Box::new(move |passes| {
        for _ in 0..passes {
            input.extend_from_slice(&frames);
            for _ in 0..count {
                let event = connection.recv(&mut input).expect("the frames are right");
                let Some(Event::Message(found)) = black_box(event) else { panic!("no message") };
                assert_eq!(length(&found), length(&message));
            }
        }
    })
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(binary) => binary.len(),
    }
}

/// So many messages queued, and taken away at once.
fn encode(mut connection: Connection, message: Message, count: usize) -> Work {
    let role = connection_masks(&mut connection);
    let expected = count * frame(&message, role).len();
    Box::new(move |passes| {
        for _ in 0..passes {
            for _ in 0..count {
                connection.send(message.clone()).expect("the connection is open");
            }
            let output = connection.transmit();
            assert_eq!(output.remaining(), expected);
            while output.has_remaining() {
                let chunk = black_box(output.chunk()).len();
                output.advance(chunk);
            }
        }
    })
}

/// Whether what it sends is masked.
fn connection_masks(connection: &mut Connection) -> bool {
    connection.ping(Bytes::new()).expect("the connection is open");
    let output = connection.transmit();
    let frame = output.copy_to_bytes(output.remaining());
    frame[1] & 0x80 != 0
}

fn unmask() -> Work {
    let mut block = octets(BLOCK);
    Box::new(move |passes| {
        for _ in 0..passes {
            mask::apply(KEY, 1, black_box(&mut block));
        }
    })
}

fn utf8(text: String) -> Work {
    Box::new(move |passes| {
        for _ in 0..passes {
            let mut validator = Utf8Validator::default();
            validator.push(black_box(text.as_bytes())).expect("it is UTF-8");
            assert!(validator.is_complete());
        }
    })
}
