//! Bytes to messages (RFC 6455 §5, §6.2; RFC 7692 §6.2): the receiving half of a connection.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use sheave_deflate::Decompressor;

use crate::close::CloseFrame;
use crate::config::{Config, Role};
use crate::error::{Error, Limit, ProtocolError};
use crate::frame::OpCode;
use crate::frames::{Data, Frames, Next, Rules, Short};
use crate::limits::Limits;
use crate::message::{Message, Utf8Bytes};
use crate::outgoing::Control;

/// Something that arrived: a data message, or what stands for one, or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<T = Message> {
    /// A whole data message; of [`Incoming::start`] its beginning, of [`Incoming::read`] a part of it.
    Message(T),
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

impl<T> Event<T> {
    /// The same with another kind of message.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Event<U> {
        match self {
            Self::Message(message) => Event::Message(change(message)),
            Self::Ping(payload) => Event::Ping(payload),
            Self::Pong(payload) => Event::Pong(payload),
            Self::Close(close) => Event::Close(close),
        }
    }
}

/// The receiving half: takes bytes, gives events, posts the replies that are owed.
///
/// There are three ways to take a message: whole with [`recv`](Self::recv), lent with [`lend`](Self::lend), in
/// parts with [`start`](Self::start) and [`read`](Self::read). All of them take the bytes from the start of
/// `input` and give `None` if they need more; the caller only appends. A frame that has not come whole may
/// stay there, unmasked as far as it is. After a Close or an error all input is thrown away.
///
/// Their errors are what the peer did wrong, at the first byte that shows it. The Close that says so has been
/// posted to `replies`.
#[derive(Debug)]
pub struct Incoming {
    rules: Rules,
    limits: Arc<Limits>,
    inflate: Option<Box<Decompressor>>,
    /// It was used since [`age`](Self::age) was last called.
    inflated: bool,
    /// What is not [short](Rules::short), once there was something.
    arriving: Option<Box<Arriving>>,
    /// How much at the start of the input the last call has lent.
    lent: usize,
    /// Set by a Close or an error: nothing that follows is looked at.
    ended: bool,
}

/// A message that is arriving.
#[derive(Debug, Default)]
struct Arriving {
    frames: Frames,
    /// What has come of it and is not in the input any more.
    assembled: Vec<u8>,
    /// How much has been read of it, if it is read in parts.
    reading: Option<u64>,
}

/// A message that [`Incoming::lend`] has lent: see [`Incoming::lent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lent {
    text: bool,
    /// Where it is in the input; else it was assembled.
    input: Option<(usize, usize)>,
}

impl Incoming {
    /// The receiving half of a fresh connection.
    pub fn new(role: Role, config: &Config) -> Self {
        Self {
            rules: Rules { role, deflate: false, no_masking: false },
            limits: Limits::of(config),
            inflate: None,
            inflated: false,
            arriving: None,
            lent: 0,
            ended: false,
        }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes compressed messages from now on, as was agreed on (RFC 7692).
    pub fn set_decompressor(&mut self, decompressor: Decompressor) {
        self.rules.deflate = true;
        self.inflate = Some(Box::new(decompressor));
    }

    /// Takes frames of a client that are not masked from now on.
    pub fn set_no_masking(&mut self) {
        self.rules.no_masking = true;
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// See [`Incoming`].
    pub fn recv(&mut self, input: &mut BytesMut, replies: &mut impl Replies) -> Result<Option<Event>, Error> {
        if let Some(message) = self.recv_short(input, replies)? {
            return Ok(Some(Event::Message(message)));
        }
        let event = self.lend_any(input, replies)?;
        Ok(event.map(|event| event.map(|lent| self.keep(input, lent))))
    }

    /// As [`recv`](Self::recv), but a message is not copied: [`lent`](Self::lent) gives it until the next call.
    ///
    /// # Errors
    /// See [`Incoming`].
    #[inline]
    pub fn lend(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
    ) -> Result<Option<Event<Lent>>, Error> {
        match self.short(input) {
            Ok(Some(Short { text, start, end })) => {
                self.lent = end;
                Ok(Some(Event::Message(Lent { text, input: Some((start, end)) })))
            }
            Ok(None) if self.needs_more(input) => Ok(None),
            Ok(None) => self.lend_any(input, replies),
            Err(error) => Err(self.fail(error.into(), replies)),
        }
    }

    /// Whether nothing can be taken before more input has come.
    #[inline]
    pub(crate) fn needs_more(&self, input: &BytesMut) -> bool {
        // Of what is inflated bit by bit there may be more.
        input.is_empty() && self.reading().is_none()
    }

    /// The next message, if it comes [short](Rules::short). For this is the way of most, it is as straight as can be.
    #[inline]
    pub(crate) fn recv_short(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
    ) -> Result<Option<Message>, Error> {
        self.short_message(input, replies, copy)
    }

    /// The same, of input of which nothing was taken: a message that is all of its memory is not copied.
    #[cfg(feature = "tokio")]
    pub(crate) fn recv_whole(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
    ) -> Result<Option<Message>, Error> {
        /// More may be part of a larger buffer, which it would hold: as sheave-h2 gives it.
        const MOST: usize = 2 << 10;
        self.short_message(input, replies, |input, start, end| {
            if end < input.capacity() || end > MOST {
                return copy(input, start, end);
            }
            let mut whole = std::mem::take(input);
            whole.advance(start);
            whole.freeze()
        })
    }

    #[inline]
    fn short_message(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
        payload: impl FnOnce(&mut BytesMut, usize, usize) -> Bytes,
    ) -> Result<Option<Message>, Error> {
        match self.short(input) {
            Ok(Some(Short { text, start, end })) => Ok(Some(message(text, payload(input, start, end)))),
            Ok(None) => Ok(None),
            Err(error) => Err(self.fail(error.into(), replies)),
        }
    }

    #[inline]
    fn short(&mut self, input: &mut BytesMut) -> Result<Option<Short>, ProtocolError> {
        self.take_back(input);
        let is_idle = |arriving: &Arriving| arriving.reading.is_none() && arriving.frames.is_idle();
        if input.is_empty() || self.ended || !self.arriving.as_deref().is_none_or(is_idle) {
            return Ok(None);
        }
        self.rules.short(input, self.limits.max_frame_size.min(self.limits.max_message_size))
    }

    /// As [`lend`](Self::lend), whatever comes.
    fn lend_any(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
    ) -> Result<Option<Event<Lent>>, Error> {
        self.next(input, replies, |this, data, input| match this.reading() {
            Some(_) => this.skip(data, input),
            None => this.gather(data, input),
        })
    }

    /// The message that [`lend`](Self::lend) has just lent, and whether it is text. `input` is as that left it.
    pub fn lent<'a>(&'a self, input: &'a [u8], lent: Lent) -> (bool, &'a [u8]) {
        (lent.text, lent.input.map_or(self.assembled(), |(start, end)| &input[start..end]))
    }

    /// Takes the start of the next message: whether it is text. What nobody has [read](Self::read) of the one
    /// before is skipped.
    ///
    /// # Errors
    /// See [`Incoming`].
    pub fn start(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
    ) -> Result<Option<Event<bool>>, Error> {
        self.take_back(input);
        self.next(input, replies, |this, data, input| match this.reading() {
            Some(_) => this.skip(data, input),
            None => {
                this.arriving().reading = Some(0);
                Ok(Step::Done(data.message.text))
            }
        })
    }

    /// Takes what has come of the message that [`start`](Self::start) began into `output`, which must not be
    /// empty. Gives how much that is, and 0 at its end. [`Config::max_streamed_size`] is the limit.
    ///
    /// # Errors
    /// See [`Incoming`].
    pub fn read(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
        output: &mut [u8],
    ) -> Result<Option<Event<usize>>, Error> {
        if self.reading().is_none() && !self.ended {
            return Ok(Some(Event::Message(0)));
        }
        self.next(input, replies, |this, data, input| this.pull(data, input, output))
    }

    /// How many bytes beyond `input` have to come before anything can be taken; 0 if that is not known.
    ///
    /// The peer claimed this length. Reserve by it only in proportion to what has really arrived.
    pub fn missing(&self, input: &BytesMut) -> usize {
        let Some(Arriving { frames, reading, .. }) = self.arriving.as_deref() else { return 0 };
        let compressed = frames.message().is_some_and(|message| message.compressed);
        if compressed || reading.is_some() { 0 } else { frames.missing(input) }
    }

    /// Whether a Close or an error has ended the receiving half.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Takes back what was lent, and gives back the memory that only a next message needs: for when that is to
    /// be waited for.
    pub fn rest(&mut self, input: &mut BytesMut) {
        self.take_back(input);
        if let Some(arriving) = &mut self.arriving
            && arriving.assembled.is_empty()
        {
            arriving.assembled = Vec::new();
            self.arriving.take_if(|arriving| arriving.reading.is_none() && arriving.frames.is_idle());
        }
    }

    /// Gives the memory for inflating back, if no compressed message has come since the last call. Tells whether
    /// some is held still.
    pub fn age(&mut self) -> bool {
        let is_between = self.arriving.as_ref().is_none_or(|arriving| arriving.frames.message().is_none());
        let Some(inflate) = &mut self.inflate else { return false };
        if !std::mem::take(&mut self.inflated) && is_between {
            inflate.release();
        }
        inflate.is_holding()
    }

    /// Whether there is memory for [`age`](Self::age) to give back.
    pub fn is_holding(&self) -> bool {
        self.inflate.as_ref().is_some_and(|inflate| inflate.is_holding())
    }

    fn arriving(&mut self) -> &mut Arriving {
        self.arriving.get_or_insert_default()
    }

    fn reading(&self) -> Option<u64> {
        self.arriving.as_ref()?.reading
    }

    fn assembled(&self) -> &[u8] {
        self.arriving.as_ref().map_or(&[], |arriving| &arriving.assembled)
    }

    /// Makes a lent message one's own.
    #[inline]
    pub(crate) fn keep(&mut self, input: &mut BytesMut, lent: Lent) -> Message {
        let payload = match lent.input {
            Some((start, end)) => {
                self.lent = 0;
                take(input, start, end)
            }
            None if self.assembled().len() < LARGE => Bytes::copy_from_slice(self.assembled()),
            None => std::mem::take(&mut self.arriving().assembled).into(),
        };
        message(lent.text, payload)
    }

    #[inline]
    fn take_back(&mut self, input: &mut BytesMut) {
        if self.lent > 0 {
            input.advance(std::mem::take(&mut self.lent));
        }
        if let Some(arriving) = &mut self.arriving
            && arriving.frames.message().is_none()
        {
            arriving.assembled.clear();
        }
    }

    /// The next event, with what it owes the peer.
    #[inline]
    fn next<T>(
        &mut self,
        input: &mut BytesMut,
        replies: &mut impl Replies,
        data: impl FnMut(&mut Self, Data, &mut BytesMut) -> Result<Step<T>, Error>,
    ) -> Result<Option<Event<T>>, Error> {
        if self.ended {
            input.clear();
            return Ok(None);
        }
        let result = self.next_event(input, data);
        match &result {
            Ok(Some(Event::Ping(payload))) => replies.post(Control::Pong(payload.clone())),
            // RFC 6455 §5.5.1: the answer "typically echos the status code".
            Ok(Some(Event::Close(frame))) => {
                self.ended = true;
                replies.post(Control::Close(frame.code().into()));
            }
            _ => {}
        }
        result.map_err(|error| self.fail(error, replies))
    }

    /// It ends with what the peer did wrong.
    #[cold]
    fn fail(&mut self, error: Error, replies: &mut impl Replies) -> Error {
        self.ended = true;
        replies.post(Control::Close(error.close_frame()));
        error
    }

    /// Goes from frame to frame: gives control frames out, and data frames to `data` until that is done.
    #[inline]
    fn next_event<T>(
        &mut self,
        input: &mut BytesMut,
        mut data: impl FnMut(&mut Self, Data, &mut BytesMut) -> Result<Step<T>, Error>,
    ) -> Result<Option<Event<T>>, Error> {
        let rules = self.rules;
        loop {
            let step = match self.arriving().frames.next(rules, input)? {
                None => return Ok(None),
                Some(Next::Control(OpCode::Ping, payload)) => return Ok(Some(Event::Ping(payload))),
                Some(Next::Control(OpCode::Close, payload)) => {
                    return Ok(Some(Event::Close(CloseFrame::decode(&payload)?)));
                }
                Some(Next::Control(_, payload)) => return Ok(Some(Event::Pong(payload))),
                Some(Next::Data(frame)) => data(self, frame, input)?,
            };
            match step {
                Step::Next => {}
                Step::Wait => return Ok(None),
                Step::Done(value) => return Ok(Some(Event::Message(value))),
            }
        }
    }

    /// Takes what has come of a data frame, up to a whole message.
    #[inline]
    fn gather(&mut self, data: Data, input: &mut BytesMut) -> Result<Step<Lent>, Error> {
        let Data { message, left, fin, .. } = data;
        let most = self.limits.max_message_size;
        let Self { arriving, inflate, inflated, .. } = self;
        let arriving = arriving.get_or_insert_default();
        if data.length > self.limits.max_frame_size as u64 {
            return Err(Limit::FrameSize.into());
        }
        if message.frames > self.limits.max_fragments {
            return Err(Limit::Fragments.into());
        }
        if !message.compressed && left > (most - arriving.assembled.len()) as u64 {
            return Err(Limit::MessageSize.into());
        }
        let Arriving { frames, assembled, .. } = &mut **arriving;
        let ready = frames.unmask(input)?;
        let whole = ready as u64 == left;
        match inflate {
            Some(inflate) if message.compressed => {
                *inflated = true;
                let mut piece = |piece: &[u8]| {
                    if piece.len() > most - assembled.len() {
                        return Err(Limit::MessageSize.into());
                    }
                    if message.text {
                        frames.utf8.push(piece).map_err(|_| ProtocolError::InvalidUtf8)?;
                    }
                    append(assembled, piece, most);
                    Ok::<(), Error>(())
                };
                inflate.decompress_with(&input[..ready], &mut piece)?;
                if whole && fin {
                    inflate.finish_with(&mut piece)?;
                }
            }
            _ if !whole => return Ok(Step::Wait),
            _ if data.only => {
                self.lent = ready;
                frames.end_message();
                return Ok(Step::Done(Lent { text: message.text, input: Some((0, ready)) }));
            }
            _ => append(assembled, &input[..ready], most),
        }
        frames.take(input, ready);
        if !whole {
            return Ok(Step::Wait);
        }
        if !fin {
            frames.end_frame();
            return Ok(Step::Next);
        }
        self.end_message()?;
        Ok(Step::Done(Lent { text: message.text, input: None }))
    }

    /// Takes what has come of a data frame into `output`.
    fn pull(&mut self, data: Data, input: &mut BytesMut, output: &mut [u8]) -> Result<Step<usize>, Error> {
        let Data { message, left, fin, .. } = data;
        let read = self.reading().unwrap_or_default();
        let assembled = &mut self.arriving().assembled;
        if !assembled.is_empty() {
            // Somebody began to receive it whole.
            let rest = &assembled[read as usize..];
            let count = output.len().min(rest.len());
            output[..count].copy_from_slice(&rest[..count]);
            if count == rest.len() {
                assembled.clear();
            }
            self.count(count)?;
            return Ok(Step::Done(count));
        }
        if !message.compressed && left > self.limits.max_streamed_size.saturating_sub(read) {
            return Err(Limit::MessageSize.into());
        }
        let frames = &mut self.arriving.get_or_insert_default().frames;
        let ready = frames.unmask(input)?;
        let mut written = output.len().min(ready);
        let left = match &mut self.inflate {
            Some(inflate) if message.compressed => {
                self.inflated = true;
                let progress = inflate.decompress(&input[..ready], output)?;
                let left = frames.take(input, progress.read);
                written = progress.written;
                if left == 0 && fin && written < output.len() {
                    // If that is not all, the output is full.
                    let (more, _) = inflate.finish(&mut output[written..])?;
                    written += more;
                }
                if message.text {
                    frames.utf8.push(&output[..written]).map_err(|_| ProtocolError::InvalidUtf8)?;
                }
                left
            }
            _ => {
                output[..written].copy_from_slice(&input[..written]);
                frames.take(input, written)
            }
        };
        self.count(written)?;
        if written < output.len() && left == 0 {
            if fin {
                self.end_message()?;
            } else {
                self.arriving().frames.end_frame();
            }
        }
        Ok(match written {
            0 if left > 0 => Step::Wait,
            0 if !fin => Step::Next,
            written => Step::Done(written),
        })
    }

    /// As [`pull`](Self::pull), of a message that nobody reads any more.
    fn skip<T>(&mut self, data: Data, input: &mut BytesMut) -> Result<Step<T>, Error> {
        const SKIPPED: usize = 4 << 10;
        let step = self.pull(data, input, &mut [0; SKIPPED])?;
        Ok(if matches!(step, Step::Wait) { Step::Wait } else { Step::Next })
    }

    /// So much of a message has been read.
    fn count(&mut self, written: usize) -> Result<(), Error> {
        if let Some(read) = self.arriving.as_mut().and_then(|arriving| arriving.reading.as_mut()) {
            *read += written as u64;
            if *read > self.limits.max_streamed_size {
                return Err(Limit::MessageSize.into());
            }
        }
        Ok(())
    }

    fn end_message(&mut self) -> Result<(), Error> {
        // RFC 6455 §8.1: a message must not end inside a character.
        let arriving = self.arriving();
        if !arriving.frames.utf8.is_complete() {
            return Err(ProtocolError::InvalidUtf8.into());
        }
        arriving.frames.end_message();
        arriving.reading = None;
        Ok(())
    }
}

/// How far a data frame took us.
enum Step<T> {
    /// More bytes are needed.
    Wait,
    /// To the next frame.
    Next,
    /// To something to give out.
    Done(T),
}

/// From this size on a message is not copied out of where it lies.
const LARGE: usize = 32 << 10;

/// A message of this kind; if it is text, that has been checked.
#[inline]
fn message(text: bool, payload: Bytes) -> Message {
    if text { Message::Text(Utf8Bytes::validated(payload)) } else { Message::Binary(payload) }
}

/// Appends, growing by doubling, but never beyond `most`.
fn append(assembled: &mut Vec<u8>, bytes: &[u8], most: usize) {
    let length = assembled.len() + bytes.len();
    if length > assembled.capacity() {
        let capacity = (2 * assembled.capacity()).clamp(length, most.max(length));
        assembled.reserve_exact(capacity - assembled.len());
    }
    assembled.extend_from_slice(bytes);
}

/// Takes everything up to `end` off the input, and gives what is behind `start`: a copy of a small piece, so that one
/// who keeps it does not keep the whole read buffer; a large one shares the buffer.
#[inline]
fn take(input: &mut BytesMut, start: usize, end: usize) -> Bytes {
    if end - start >= LARGE {
        return input.split_to(end).freeze().split_off(start);
    }
    copy(input, start, end)
}

/// As [`take`], always a copy.
#[inline]
fn copy(input: &mut BytesMut, start: usize, end: usize) -> Bytes {
    let copy = Bytes::copy_from_slice(&input[start..end]);
    input.advance(end);
    copy
}
