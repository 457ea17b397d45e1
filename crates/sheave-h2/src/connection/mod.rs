//! A connection (RFC 9113), without anything that carries it.

mod blocks;
mod budget;
mod end;
mod linger;
mod messages;
mod pings;
mod receive;
mod send;
mod settings;
mod transmit;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use sheave_hpack::{Decoder, Encoder, FieldList};

use self::blocks::Block;
use self::budget::Budget;
use self::end::Ends;
use self::linger::Lingering;
use self::pings::Pings;
use self::settings::LocalSettings;
use crate::bucket::Bucket;
use crate::chunks::Chunks;
use crate::config::Config;
use crate::error::{Error, Violation};
use crate::error_code::ErrorCode;
use crate::event::{Event, Progress};
use crate::flow::Window;
use crate::frame::RstStream;
use crate::priority::Priority;
use crate::scheduler::Scheduler;
use crate::settings::Settings;
use crate::stream::{Closed, Section, State};
use crate::stream_id::StreamId;
use crate::streams::{StreamKey, Streams};

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that makes requests.
    Client,
    /// The one that answers them.
    Server,
}

/// An HTTP/2 connection as a value: bytes in, events out, bytes out. It knows no socket and no clock.
///
/// * What was received goes to [`recv`](Self::recv), until it says that it needs more. Everything that the protocol
///   demands for an answer is sent by itself.
/// * Requests are made with [`open`](Self::open) and answered with [`respond`](Self::respond); content is sent with
///   [`send`](Self::send), [`finish`](Self::finish) and [`send_trailers`](Self::send_trailers), and received content is
///   given back with [`release`](Self::release).
/// * [`transmit`](Self::transmit) gives what is to be written; ask after each of the above, and until it is empty.
///   [`progress`](Self::progress) tells what came of it.
/// * [`handle_timeout`](Self::handle_timeout) has to be called at the time of [`timeout`](Self::timeout).
///
/// An error is final: write what [`transmit`](Self::transmit) still gives, which tells the peer, and end the transport.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Config,
    local: LocalSettings,
    remote: Settings,
    streams: Streams,
    /// How many of the streams that may be open at once each side has: ours, the peer's.
    open: [u32; 2],
    /// The next stream that we open. `None` when there are no more.
    next: Option<StreamId>,
    /// The highest stream that the peer has opened or promised.
    highest: StreamId,

    /// How much of the peer's preface is still to come.
    preface: &'static [u8],
    block: Option<Block>,
    /// Memory for the next block's fields.
    fields: Option<FieldList>,
    decoder: Decoder,
    budget: Budget,
    resets: Bucket,
    glitches: Bucket,
    /// How many frames may come for closed streams that were on their way when these were closed.
    late: u32,
    /// Priorities of streams that are still to come.
    announced: BTreeMap<StreamId, Priority>,
    events: VecDeque<Event>,

    encoder: Encoder,
    /// Where the field block that is sent next is put together.
    encoded: BytesMut,
    send_window: Window,
    scheduler: Scheduler,
    /// Frames that go first.
    control: BytesMut,
    /// How much of that answers what came, in bytes, and how many frames acknowledge something.
    answers: usize,
    acks: u32,
    /// Streams that have field sections to send, or only their end, in their order.
    heads: VecDeque<StreamKey>,
    /// Streams of which more was read.
    credits: Vec<StreamKey>,
    output: Chunks,
    progress: VecDeque<Progress>,
    lingering: Lingering,

    pings: Pings,
    ends: Ends,
}

/// What a client's connection begins with (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many frames for a stream may be on their way when it is closed, on the average, besides DATA with content: its end,
/// a reset, windows.
const MAX_LATE: u32 = 4;
/// Besides, there may be a WINDOW_UPDATE for each DATA frame that we have sent, and for so much of it, in bytes: of a stream that
/// has left as a whole they all come late.
const LATE_CREDIT: u32 = 1 << 10;

impl Connection {
    /// A connection that begins now.
    pub fn new(role: Role, config: Config, now: Instant) -> Self {
        let is_server = role == Role::Server;
        let mut connection = Self {
            local: LocalSettings::new(config.settings(is_server), &config, now),
            remote: Settings::default(),
            streams: Streams::default(),
            open: [0; 2],
            next: Some(StreamId::new(if is_server { 2 } else { 1 })),
            highest: StreamId::CONNECTION,
            preface: if is_server { PREFACE } else { &[] },
            block: None,
            fields: None,
            decoder: Decoder::default(),
            budget: Budget::new(config.connection_window_size),
            resets: Bucket::new(config.reset_rate(), now),
            glitches: Bucket::new(config.glitches, now),
            late: 0,
            announced: BTreeMap::new(),
            events: VecDeque::new(),
            encoder: Encoder::with_max_table_size(config.max_encoder_table_size as usize),
            encoded: BytesMut::new(),
            send_window: Window::new(Window::DEFAULT),
            scheduler: Scheduler::default(),
            control: BytesMut::new(),
            answers: 0,
            acks: 0,
            heads: VecDeque::new(),
            credits: Vec::new(),
            output: Chunks::default(),
            progress: VecDeque::new(),
            lingering: Lingering::default(),
            pings: Pings::new(&config, now),
            ends: Ends::default(),
            role,
            config,
        };
        connection.begin();
        connection
    }

    /// Which side it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What the peer lets us do. Until [`Event::Settings`] it is what goes without saying.
    pub fn peer_settings(&self) -> &Settings {
        &self.remote
    }

    /// Whether the peer has said what it lets us do.
    pub fn has_peer_settings(&self) -> bool {
        self.local.has_heard()
    }

    /// How many streams there are that are not closed.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// How long a round trip takes, as last measured.
    pub fn round_trip(&self) -> Option<Duration> {
        self.pings.round_trip()
    }

    /// Whether the peer has to wait until something is read: the connection holds as much unread content as it may.
    pub fn is_congested(&self) -> bool {
        self.budget.is_exhausted()
    }

    /// What has come of what was to be sent, since it was last asked. It is kept until it is asked for.
    pub fn progress(&mut self) -> Option<Progress> {
        self.progress.pop_front()
    }

    /// Gives back memory that is kept for what may come, when nothing has come for a while; but for a little, so that requests
    /// that come one by one do not take it each anew.
    pub fn shrink(&mut self) {
        /// In bytes.
        const LITTLE: usize = 256;
        const FEW_FIELDS: usize = 1 << 10;
        if self.streams.shrink() {
            self.scheduler.shrink();
            self.heads.shrink_to_fit();
            self.credits.shrink_to_fit();
            self.events.shrink_to_fit();
            self.progress.shrink_to_fit();
            self.fields = None;
        }
        self.lingering.shrink(&self.streams);
        self.fields.take_if(|fields| fields.capacity() > FEW_FIELDS);
        if self.encoded.capacity() > LITTLE {
            self.encoded = BytesMut::new();
        }
        if self.control.is_empty() && self.control.capacity() > LITTLE {
            self.control = BytesMut::new();
        }
        if self.output.is_empty() {
            self.output = Chunks::default();
        }
    }

    fn is_server(&self) -> bool {
        self.role == Role::Server
    }

    /// Whether the peer opens streams of this number.
    fn is_remote(&self, id: StreamId) -> bool {
        id.is_client_initiated() == self.is_server()
    }

    /// Whether nothing was ever sent or received on the stream (RFC 9113 §5.1).
    fn is_idle(&self, id: StreamId) -> bool {
        if self.is_remote(id) {
            return id > self.highest;
        }
        let unsent = |key| self.streams.get(key).is_some_and(|stream| stream.state == State::Idle);
        self.next.is_some_and(|next| id >= next) || self.streams.key(id).is_some_and(unsent)
    }

    /// Whether the peer may know of the stream.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_announced(&self, key: StreamKey) -> bool {
        !self.is_idle(key.id())
    }

    /// How many of those that may be open at once there are of whoever opens streams of this number.
    fn open_beside(&mut self, id: StreamId) -> &mut u32 {
        let remote = self.is_remote(id);
        &mut self.open[usize::from(remote)]
    }

    /// The stream is closed.
    fn close(&mut self, key: StreamKey, closed: Closed) {
        let Some(stream) = self.streams.remove(key, closed) else { return };
        if stream.is_counted {
            *self.open_beside(key.id()) -= 1;
        }
        self.budget.shrank(stream.receiving.growth(self.local.acknowledged().initial_window_size));
        self.progress.push_back(Progress::Closed(key));
        self.late = self.late.saturating_add(MAX_LATE);
        for section in stream.sending.sections {
            if let Section::Promise(promise) = section {
                // The peer never hears of it.
                self.close(promise.0, closed);
            }
        }
    }

    /// Ends a stream by the peer's fault (RFC 9113 §5.4.2).
    fn stream_error(&mut self, violation: Violation, now: Instant) -> Result<Option<Event>, Violation> {
        let Violation { stream: id, code, reason } = violation;
        if self.is_idle(id) {
            // RFC 9113 §6.4: an idle stream cannot be reset.
            return Err(Violation::connection(code, reason));
        }
        tracing::debug!(stream = id.get(), %violation, "a stream is reset");
        self.count_reset(now)?;
        let Some(stream) = self.streams.key(id) else {
            // RFC 9113 §5.4.2: "an endpoint SHOULD NOT send more than one RST_STREAM frame for any stream".
            if self.streams.closed(id) != Closed::ResetHere {
                RstStream { stream: id, code }.write(&mut self.control);
                self.streams.remember(id, Closed::ResetHere);
            }
            return Ok(None);
        };
        RstStream { stream: id, code }.write(&mut self.control);
        self.close(stream, Closed::ResetHere);
        Ok(Some(Event::Reset { stream, error: Error::Protocol(violation) }))
    }

    /// A stream ends before its time, by the peer's doing.
    fn count_reset(&mut self, now: Instant) -> Result<(), Violation> {
        match self.resets.take(now) {
            true => Ok(()),
            false => Err(Violation::connection(ErrorCode::ENHANCE_YOUR_CALM, "too many streams reset")),
        }
    }

    /// DATA was sent, which may be credited when its stream is closed.
    fn sent_data(&mut self, length: usize) {
        self.late = self.late.saturating_add(1 + length as u32 / LATE_CREDIT);
    }

    /// A frame for a stream that is closed. It may have been on its way: many streams can close at once.
    fn late(&mut self, now: Instant) -> Result<(), Violation> {
        match self.late.checked_sub(1) {
            Some(left) => self.late = left,
            None => self.glitch(now)?,
        }
        Ok(())
    }

    /// A frame that is allowed and does nothing.
    fn glitch(&mut self, now: Instant) -> Result<(), Violation> {
        match self.glitches.take(now) {
            true => Ok(()),
            false => Err(Violation::connection(ErrorCode::ENHANCE_YOUR_CALM, "too many frames for nothing")),
        }
    }
}
