//! Messages to bytes (RFC 6455 §5, §6.1): the sending half of a connection.

use std::io;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::config::{Config, Role};
use crate::error::{Error, Usage};
use crate::extension::ReservedBits;
use crate::frame::{FrameHeader, MaskingKey, OpCode};
use crate::incoming::Replies;
use crate::mask;
use crate::message::Message;
use crate::output::Output;

/// Where a client's masking keys come from: "a strong source of entropy" (RFC 6455 §5.3).
pub type MaskingKeys = fn() -> io::Result<MaskingKey>;

/// A control frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A Ping of at most 125 bytes.
    Ping(Bytes),
    /// A Pong of at most 125 bytes.
    Pong(Bytes),
    /// The Close; nothing follows it.
    Close(CloseFrame),
}

/// The sending half: takes messages and control frames, gives bytes.
#[derive(Debug)]
pub struct Outgoing {
    role: Role,
    keys: MaskingKeys,
    high_water_mark: usize,
    output: Output,
    /// The newest Pong that found no room in the queue.
    owed_pong: Option<Bytes>,
    /// The newest Ping of those that ask for no room and found none.
    owed_ping: Option<Bytes>,
    /// The kind of the message of which some fragments have been queued.
    open: Option<OpCode>,
    /// A Close has been queued.
    closed: bool,
}

impl Outgoing {
    /// The sending half of a fresh connection. `keys` is asked once a frame if this is a client.
    pub fn new(role: Role, config: &Config, keys: MaskingKeys) -> Self {
        Self {
            role,
            keys,
            high_water_mark: config.high_water_mark,
            output: Output::default(),
            owed_pong: None,
            owed_ping: None,
            open: None,
            closed: false,
        }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`Error::Closed`] after a Close; [`Error::Usage`] inside a message sent in fragments; [`Error::Io`] if
    /// there are no masking keys.
    pub fn message(&mut self, message: Message) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        if self.open.is_some() {
            return Err(Usage::InsideMessage.into());
        }
        let opcode = kind(&message);
        self.frame(true, opcode, message.into_bytes())
    }

    /// Queues a fragment of a message; the first says whether it is text, `fin` that this is the last.
    ///
    /// # Errors
    /// As [`message`](Self::message); [`Error::Usage`] if it is not of the first one's kind.
    pub fn fragment(&mut self, fragment: Message, fin: bool) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let kind = kind(&fragment);
        let opcode = match self.open {
            None => kind,
            Some(open) if open == kind => OpCode::Continuation,
            Some(_) => return Err(Usage::InsideMessage.into()),
        };
        self.frame(fin, opcode, fragment.into_bytes())?;
        self.open = (!fin).then_some(kind);
        Ok(())
    }

    /// Queues a Ping.
    ///
    /// # Errors
    /// [`Error::Usage`] if the payload is over 125 bytes, [`Error::Closed`] after a Close,
    /// [`Error::Io`] if there are no masking keys.
    pub fn ping(&mut self, payload: Bytes) -> Result<(), Error> {
        check_ping(&payload)?;
        if self.closed {
            return Err(Error::Closed);
        }
        self.frame(true, OpCode::Ping, payload)
    }

    /// Queues the Close. A second one is ignored.
    pub fn close(&mut self, close: &CloseFrame) {
        if !self.closed {
            // Without masking keys nothing can be said any more; the connection ends without it.
            let _ = self.frame(true, OpCode::Close, close.encode());
            self.closed = true;
            self.owed_pong = None;
            self.owed_ping = None;
        }
    }

    /// Whether a Close has been queued: nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether there is room in the queue for a message; in an empty one there always is.
    pub fn has_room(&self) -> bool {
        self.output.is_empty() || self.output.len() < self.high_water_mark
    }

    /// The bytes to write next; empty if nothing is owed.
    pub fn transmit(&mut self) -> &mut Output {
        if self.has_room() {
            if let Some(payload) = self.owed_pong.take() {
                let _ = self.frame(true, OpCode::Pong, payload);
            }
            if let Some(payload) = self.owed_ping.take() {
                let _ = self.frame(true, OpCode::Ping, payload);
            }
        }
        &mut self.output
    }

    /// An empty one for the same connection.
    #[cfg(feature = "tokio")]
    pub(crate) fn fresh(&self) -> Self {
        Self { output: Output::default(), owed_pong: None, owed_ping: None, closed: false, ..*self }
    }

    /// Moves all that `other` has queued behind what is queued here.
    #[cfg(feature = "tokio")]
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.output.append(&mut other.output);
    }

    /// The transport is gone: throws away what is queued and takes nothing any more.
    pub fn abandon(&mut self) {
        self.closed = true;
        self.owed_pong = None;
        self.owed_ping = None;
        self.output.clear();
    }

    fn frame(&mut self, fin: bool, opcode: OpCode, payload: Bytes) -> Result<(), Error> {
        /// From this length on a payload is not copied into the header's buffer.
        const LARGE: usize = 8 << 10;
        // RFC 6455 §5.3: a fresh key for each frame.
        let mask = match self.role {
            Role::Client => Some((self.keys)()?),
            Role::Server => None,
        };
        let length = payload.len() as u64;
        let tail = self.output.tail();
        FrameHeader { fin, reserved: ReservedBits::NONE, opcode, mask, length }.encode(tail);
        if payload.len() < LARGE {
            let start = tail.len();
            tail.extend_from_slice(&payload);
            if let Some(key) = mask {
                mask::apply(key, 0, &mut tail[start..]);
            }
            return Ok(());
        }
        let Some(key) = mask else {
            self.output.push(payload);
            return Ok(());
        };
        // Masked in place if nobody else holds the payload, in a copy otherwise.
        let mut payload = payload.try_into_mut().unwrap_or_else(|shared| shared[..].into());
        mask::apply(key, 0, &mut payload);
        self.output.push(payload.freeze());
        Ok(())
    }
}

impl Replies for Outgoing {
    fn post(&mut self, control: Control) {
        match control {
            Control::Close(close) => self.close(&close),
            _ if self.closed => {}
            Control::Pong(payload) if !self.has_room() => self.owed_pong = Some(payload),
            Control::Ping(payload) if !self.has_room() => self.owed_ping = Some(payload),
            // A Pong that is newer than the one owed makes that one needless.
            Control::Pong(payload) => {
                self.owed_pong = None;
                let _ = self.frame(true, OpCode::Pong, payload);
            }
            Control::Ping(payload) => {
                self.owed_ping = None;
                let _ = self.frame(true, OpCode::Ping, payload);
            }
        }
    }
}

fn kind(message: &Message) -> OpCode {
    if message.is_text() { OpCode::Text } else { OpCode::Binary }
}

/// RFC 6455 §5.5: control frames carry at most 125 bytes.
pub(crate) fn check_ping(payload: &[u8]) -> Result<(), Usage> {
    if payload.len() > 125 { Err(Usage::ControlTooLong) } else { Ok(()) }
}
