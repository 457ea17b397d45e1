//! Bytes to messages (RFC 6455 §5, §6.2): the receiving half of a connection.

use bytes::{Buf, Bytes, BytesMut};

use crate::close::CloseFrame;
use crate::config::{Config, Role};
use crate::error::{Error, Limit, ProtocolError};
use crate::extension::ReservedBits;
use crate::frame::{FrameHeader, OpCode};
use crate::mask;
use crate::message::{Message, Utf8Bytes};
use crate::outgoing::Control;
use crate::utf8::Utf8Validator;

/// Something that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole data message.
    Message(Message),
    /// A Ping; its Pong has been posted already.
    Ping(Bytes),
    /// A Pong.
    Pong(Bytes),
    /// The peer's Close, the last event; its answer has been posted already.
    Close(CloseFrame),
}

/// Where [`Incoming`] puts the control frames that it owes the peer.
pub trait Replies {
    /// Takes a frame to send as soon as possible. Of the Pongs that cannot leave yet only the newest counts
    /// (RFC 6455 §5.5.3); of several Closes only the first.
    fn post(&mut self, control: Control);
}

/// The receiving half: takes bytes, gives events, posts the replies that are owed.
#[derive(Debug)]
pub struct Incoming {
    role: Role,
    max_message_size: usize,
    max_frame_size: usize,
    max_fragments: usize,
    /// The frame whose payload is arriving.
    frame: Option<FrameHeader>,
    /// How much of that payload, at the start of the input, is unmasked and checked.
    ready: usize,
    /// The fragmented message that is open.
    fragments: Option<Fragments>,
    /// Checks the text message that is arriving.
    utf8: Utf8Validator,
    /// Set by a Close or an error: nothing that follows is looked at.
    ended: bool,
}

/// A message of which some frames have come.
#[derive(Debug)]
struct Fragments {
    text: bool,
    count: usize,
    payload: BytesMut,
}

impl Incoming {
    /// The receiving half of a fresh connection.
    pub fn new(role: Role, config: &Config) -> Self {
        Self {
            role,
            max_message_size: config.max_message_size,
            max_frame_size: config.max_frame_size,
            max_fragments: config.max_fragments,
            frame: None,
            ready: 0,
            fragments: None,
            utf8: Utf8Validator::default(),
            ended: false,
        }
    }

    /// Takes the next event from the start of `input`, or `None` if it needs more bytes.
    ///
    /// A frame that has not come whole stays in `input`, unmasked as far as it is there; the caller only
    /// appends. After a Close or an error all input is thrown away.
    ///
    /// # Errors
    /// What the peer did wrong, at the first byte that shows it. The Close that says so has been posted to
    /// `replies`.
    pub fn recv(&mut self, input: &mut BytesMut, replies: &mut impl Replies) -> Result<Option<Event>, Error> {
        if self.ended {
            input.clear();
            return Ok(None);
        }
        let result = self.next_event(input);
        match &result {
            Ok(Some(Event::Ping(payload))) => replies.post(Control::Pong(payload.clone())),
            // RFC 6455 §5.5.1: the answer "typically echos the status code".
            Ok(Some(Event::Close(frame))) => {
                self.ended = true;
                replies.post(Control::Close(frame.code().into()));
            }
            Err(error) => {
                self.ended = true;
                replies.post(Control::Close(error.close_frame()));
            }
            _ => {}
        }
        result
    }

    /// How many bytes the frame that is arriving still lacks beyond `input`; 0 if that is not known.
    ///
    /// The peer claimed this length. Reserve by it only in proportion to what has really arrived.
    pub fn missing(&self, input: &BytesMut) -> usize {
        self.frame.map_or(0, |frame| (frame.length as usize).saturating_sub(input.len()))
    }

    /// Whether a Close or an error has ended the receiving half.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => {
                    self.check_start(input)?;
                    let Some((frame, size)) = FrameHeader::decode(input)? else { return Ok(None) };
                    self.check(&frame)?;
                    input.advance(size);
                    self.frame = Some(frame);
                    frame
                }
            };
            // The header's length is within `max_frame_size`, or 125.
            let length = frame.length as usize;
            self.unmask(&frame, &mut input[..])?;
            if self.ready < length {
                return Ok(None);
            }
            self.frame = None;
            self.ready = 0;
            if let Some(event) = self.complete(&frame, input, length)? {
                return Ok(Some(event));
            }
        }
    }

    /// Checks what depends on the connection in a header's first bytes, as far as they are there; byte by
    /// byte, so that the verdict is the same however the input was cut.
    fn check_start(&self, input: &[u8]) -> Result<(), ProtocolError> {
        let Some(first) = input.first() else { return Ok(()) };
        // RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated".
        if ReservedBits::of_first_byte(*first) != ReservedBits::NONE {
            return Err(ProtocolError::ReservedBits);
        }
        FrameHeader::decode(&[*first])?;
        // RFC 6455 §5.1.
        match (self.role, input.get(1).map(|second| second & 0x80 != 0)) {
            (Role::Server, Some(false)) => Err(ProtocolError::Unmasked),
            (Role::Client, Some(true)) => Err(ProtocolError::Masked),
            _ => Ok(()),
        }
    }

    /// Checks what a header alone shows to be wrong, before any payload is waited for.
    fn check(&mut self, frame: &FrameHeader) -> Result<(), Error> {
        if frame.opcode.is_control() {
            return Ok(());
        }
        // RFC 6455 §5.4: fragments of one message are not interleaved with those of another.
        match (&self.fragments, frame.opcode) {
            (None, OpCode::Continuation) => return Err(ProtocolError::UnexpectedContinuation.into()),
            (Some(_), OpCode::Text | OpCode::Binary) => {
                return Err(ProtocolError::ExpectedContinuation.into());
            }
            _ => {}
        }
        let (before, count) = self.fragments.as_ref().map_or((0, 0), |open| (open.payload.len(), open.count));
        if frame.length > self.max_frame_size as u64 {
            return Err(Limit::FrameSize.into());
        }
        if frame.length > (self.max_message_size - before) as u64 {
            return Err(Limit::MessageSize.into());
        }
        if count >= self.max_fragments {
            return Err(Limit::Fragments.into());
        }
        Ok(())
    }

    /// Unmasks and checks what has newly come of the frame's payload, block by block while it is in cache.
    fn unmask(&mut self, frame: &FrameHeader, input: &mut [u8]) -> Result<(), ProtocolError> {
        const BLOCK: usize = 8 << 10;
        let text = match frame.opcode {
            OpCode::Text => true,
            OpCode::Continuation => self.fragments.as_ref().is_some_and(|open| open.text),
            _ => false,
        };
        let here = input.len().min(frame.length as usize);
        for block in input[self.ready..here].chunks_mut(BLOCK) {
            if let Some(key) = frame.mask {
                mask::apply(key, self.ready, block);
            }
            if text {
                self.utf8.push(block).map_err(|_| ProtocolError::InvalidUtf8)?;
            }
            self.ready += block.len();
        }
        // RFC 6455 §8.1: a message must not end inside a character.
        if text && frame.fin && self.ready == frame.length as usize && !self.utf8.is_complete() {
            return Err(ProtocolError::InvalidUtf8);
        }
        Ok(())
    }

    /// The event of a frame that is whole; `None` for a fragment that others will follow.
    fn complete(
        &mut self,
        frame: &FrameHeader,
        input: &mut BytesMut,
        length: usize,
    ) -> Result<Option<Event>, Error> {
        Ok(Some(match frame.opcode {
            OpCode::Ping => Event::Ping(take(input, length)),
            OpCode::Pong => Event::Pong(take(input, length)),
            OpCode::Close => Event::Close(CloseFrame::decode(&take(input, length))?),
            OpCode::Text | OpCode::Binary if frame.fin => {
                Event::Message(message(frame.opcode == OpCode::Text, take(input, length)))
            }
            _ => {
                let open = self.fragments.get_or_insert_with(|| Fragments {
                    text: frame.opcode == OpCode::Text,
                    count: 0,
                    payload: BytesMut::new(),
                });
                open.payload.extend_from_slice(&input[..length]);
                open.count += 1;
                input.advance(length);
                match self.fragments.take_if(|_| frame.fin) {
                    Some(whole) => Event::Message(message(whole.text, whole.payload.freeze())),
                    None => return Ok(None),
                }
            }
        }))
    }
}

fn message(text: bool, payload: Bytes) -> Message {
    if text { Message::Text(Utf8Bytes::validated(payload)) } else { Message::Binary(payload) }
}

/// Takes `length` bytes off the input: a copy of a small piece, so that one who keeps it does not keep the
/// whole read buffer; a large one shares the buffer.
fn take(input: &mut BytesMut, length: usize) -> Bytes {
    const LARGE: usize = 32 << 10;
    if length >= LARGE {
        return input.split_to(length).freeze();
    }
    let copy = Bytes::copy_from_slice(&input[..length]);
    input.advance(length);
    copy
}
