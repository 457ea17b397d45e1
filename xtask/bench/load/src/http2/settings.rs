//! RFC 9113 §6.5: what we ask for, and what the server does.

use std::io;

use super::windows::{self, WINDOW};
use super::{frame, number};
use crate::bad;

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;
/// §4.2: what either side may send until the other allows more. We do not.
pub(crate) const MAX_FRAME: usize = 16 << 10;

/// The server's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) initial_window: u32,
    pub(crate) max_frame: usize,
    pub(crate) table: u32,
    pub(crate) streams: u32,
    pub(crate) connect: bool,
}

impl Settings {
    /// Those before any have come.
    pub(crate) fn new() -> Self {
        Self {
            initial_window: windows::INITIAL,
            max_frame: MAX_FRAME,
            table: 4096,
            streams: u32::MAX,
            connect: false,
        }
    }

    /// Takes a payload of SETTINGS.
    pub(crate) fn receive(&mut self, payload: &[u8]) -> io::Result<()> {
        for setting in payload.chunks(6) {
            let [a, b, value @ ..] = setting else { return Err(bad("half a setting")) };
            let value = number(value)?;
            match u16::from_be_bytes([*a, *b]) {
                HEADER_TABLE_SIZE => self.table = value,
                MAX_CONCURRENT_STREAMS => self.streams = value,
                INITIAL_WINDOW_SIZE => self.initial_window = value,
                MAX_FRAME_SIZE => self.max_frame = value as usize,
                ENABLE_CONNECT_PROTOCOL => self.connect = value == 1,
                _ => {}
            }
        }
        Ok(())
    }
}

pub(crate) fn put_ours(output: &mut Vec<u8>) {
    let settings = [(ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, WINDOW)];
    frame::put_head(output, 6 * settings.len(), frame::SETTINGS, 0, 0);
    for (name, value) in settings {
        output.extend(name.to_be_bytes());
        output.extend(value.to_be_bytes());
    }
}
