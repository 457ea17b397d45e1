use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use super::Connection;
use super::pings::Purpose;
use crate::error::{Error, GoAwayReason, Timeout, Violation};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::frame::{GoAway, Ping};
use crate::stream::Closed;
use crate::stream_id::StreamId;

/// How the connection ends, if it does.
#[derive(Debug, Default)]
pub(super) struct Ends {
    failed: Option<Error>,
    /// What our last GOAWAY said.
    pub(super) sent: Option<StreamId>,
    /// When the last GOAWAY of a shutdown is sent, if the peer does not answer; or when a server looks whether a client
    /// that has taken its leave has still streams.
    deadline: Option<Instant>,
    /// What the peer's last GOAWAY said.
    pub(super) received: Option<(StreamId, GoAwayReason)>,
}

/// How long a peer that does not answer PING may still open streams during a shutdown, and a client after its own GOAWAY.
const GRACE: Duration = Duration::from_secs(5);
/// How much of what a peer says for people is kept, in bytes.
const MAX_DEBUG_DATA: usize = 1024;

impl Connection {
    /// Ends the connection once the streams that there are have ended (RFC 9113 §6.8). No more are opened. Those of the peer
    /// are taken for one more round trip, so that what was on its way is not lost. [`is_finished`](Self::is_finished) then
    /// tells when the transport can be ended. May be called again.
    pub fn shutdown(&mut self, now: Instant) {
        if self.ends.sent.is_some() {
            return;
        }
        if self.is_server() || self.local.told().enable_push {
            self.write_goaway(StreamId::MAX, ErrorCode::NO_ERROR, "");
            self.write_ping(Purpose::End, now);
            self.ends.deadline = now.checked_add(GRACE);
        } else {
            self.write_goaway(self.highest, ErrorCode::NO_ERROR, "");
        }
    }

    /// Ends the connection at once, and all streams with it. The peer is told why.
    pub fn abort(&mut self, code: ErrorCode) {
        self.fail(Error::Closed, code, "");
    }

    /// The transport has failed: there is nobody to tell.
    #[cfg(feature = "tokio")]
    pub(crate) fn fail_silently(&mut self, error: Error) {
        self.ends.failed.get_or_insert(error);
    }

    /// The transport has ended. An error if that cut something off.
    ///
    /// # Errors
    ///
    /// That of the peer's GOAWAY, or else [`Error::Io`] with `UnexpectedEof`.
    pub fn recv_end(&mut self) -> Result<(), Error> {
        if let Some(error) = &self.ends.failed {
            return Err(error.clone());
        }
        let error = match &self.ends.received {
            Some((_, reason)) if reason.code != ErrorCode::NO_ERROR => Error::GoAway(reason.clone()),
            _ if self.streams.len() == 0 && self.block.is_none() => Error::Closed,
            _ => io::Error::from(io::ErrorKind::UnexpectedEof).into(),
        };
        match self.ends.failed.insert(error) {
            Error::Closed => Ok(()),
            error => Err(error.clone()),
        }
    }

    /// Whether the connection has served its purpose: it takes no new streams, and none is left. The transport can be ended
    /// once everything is written.
    pub fn is_finished(&self) -> bool {
        let takes_no_more = match self.ends.sent {
            Some(sent) => sent != StreamId::MAX,
            None => !self.is_server() && self.ends.received.is_some(),
        };
        self.ends.failed.is_some() || takes_no_more && self.streams.len() == 0 && self.block.is_none()
    }

    /// Whether new streams can be opened, but for the number of those that are open.
    pub fn takes_streams(&self) -> bool {
        let ending = self.ends.failed.is_some() || self.ends.received.is_some() || self.ends.sent.is_some();
        !ending && self.next.is_some()
    }

    /// Why it has failed, if it has.
    pub fn error(&self) -> Option<&Error> {
        self.ends.failed.as_ref()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called. `None`: never.
    pub fn timeout(&self) -> Option<Instant> {
        if self.ends.failed.is_some() {
            return None;
        }
        let settings = self.local.timeout().map(|(deadline, _)| deadline);
        let timeouts = [settings, self.pings.timeout(), self.ends.deadline, self.lingering.timeout()];
        timeouts.into_iter().flatten().min()
    }

    /// Does what is due by now.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if the peer has taken too long for something.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(error) = &self.ends.failed {
            return Err(error.clone());
        }
        if let Some((_, timeout)) = self.local.timeout().filter(|(deadline, _)| *deadline <= now) {
            // RFC 9113 §6.5.3
            return Err(self.fail(
                Error::Timeout(timeout),
                ErrorCode::SETTINGS_TIMEOUT,
                "no SETTINGS in time",
            ));
        }
        if self.pings.is_overdue(now) {
            let error = Error::Timeout(Timeout::KeepAlive);
            return Err(self.fail(error, ErrorCode::NO_ERROR, "no answer to PING in time"));
        }
        if self.pings.timeout().is_some_and(|timeout| timeout <= now) {
            self.write_ping(Purpose::KeepAlive, now);
        }
        if self.ends.deadline.is_some_and(|deadline| deadline <= now) {
            match self.ends.sent {
                Some(_) => self.end_shutdown(),
                None if self.streams.len() == 0 => self.shutdown(now),
                None => self.ends.deadline = now.checked_add(GRACE),
            }
        }
        self.end_lingering(now);
        Ok(())
    }

    /// Asks for a sign of life; [`Event::Pong`] tells of it. False if 16 are on their way already.
    pub fn ping(&mut self, now: Instant) -> bool {
        self.write_ping(Purpose::Asked, now)
    }

    pub(super) fn write_ping(&mut self, purpose: Purpose, now: Instant) -> bool {
        let payload = self.pings.send(purpose, now);
        if let Some(payload) = payload {
            Ping { ack: false, payload }.write(&mut self.control);
        }
        payload.is_some()
    }

    /// A PING was answered.
    pub(super) fn receive_pong(
        &mut self,
        payload: [u8; 8],
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        match self.pings.answered(payload, now) {
            None => self.glitch(now)?,
            Some((Purpose::Asked, round_trip)) => return Ok(Some(Event::Pong { round_trip })),
            Some((Purpose::End, _)) => self.end_shutdown(),
            Some((Purpose::KeepAlive | Purpose::RoundTrip, _)) => {}
        }
        Ok(None)
    }

    /// Whether we have said of a stream of the peer's that nothing is done with it (RFC 9113 §6.8). It stays idle: what our
    /// last GOAWAY says is not to be exceeded by the next.
    pub(super) fn leaves_out(&self, id: StreamId) -> bool {
        self.is_remote(id) && self.ends.sent.is_some_and(|last| id > last)
    }

    /// From here on no stream of the peer's is taken.
    fn end_shutdown(&mut self) {
        self.ends.deadline = None;
        if self.ends.sent == Some(StreamId::MAX) {
            self.write_goaway(self.highest, ErrorCode::NO_ERROR, "");
        }
    }

    /// The peer takes no new streams.
    pub(super) fn receive_goaway(
        &mut self,
        frame: GoAway<'_>,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        let GoAway { mut last_stream, code, mut debug_data } = frame;
        if let Some((before, _)) = &self.ends.received {
            // RFC 9113 §6.8: it does not increase.
            last_stream = last_stream.min(*before);
            self.glitch(now)?;
        }
        debug_data = &debug_data[..debug_data.len().min(MAX_DEBUG_DATA)];
        let reason = GoAwayReason { code, debug_data: Bytes::copy_from_slice(debug_data) };
        tracing::debug!(%code, last_stream = last_stream.get(), "GOAWAY received");
        self.ends.received = Some((last_stream, reason.clone()));
        // RFC 9113 §6.8: those, and what we have not opened yet, since we "MUST NOT open additional streams".
        let left_out = |id| !self.is_remote(id) && (id > last_stream || self.is_idle(id));
        let mut left_out: Vec<_> = self.streams.keys().filter(|key| left_out(key.id())).collect();
        left_out.sort_by_key(|key| key.id());
        for stream in left_out {
            self.close(stream, Closed::ResetThere);
            self.events.push_back(Event::Reset { stream, error: Error::Unprocessed });
        }
        if self.is_server() && self.ends.sent.is_none() {
            self.ends.deadline = now.checked_add(GRACE);
        }
        Ok(Some(Event::GoAway { last_stream, reason }))
    }

    /// The connection fails by the peer's fault (RFC 9113 §5.4.1).
    pub(super) fn connection_error(&mut self, violation: Violation) -> Error {
        self.fail(Error::Protocol(violation), violation.code, violation.reason)
    }

    fn fail(&mut self, error: Error, code: ErrorCode, reason: &str) -> Error {
        if self.ends.failed.is_none() {
            tracing::debug!(%error, "the connection fails");
            self.ends.failed = Some(error.clone());
            // What was to be sent is not: a GOAWAY that the peer does not read for long is of no use.
            self.control.clear();
            self.heads.clear();
            self.write_goaway(self.highest, code, reason);
            self.transmit_control();
        }
        error
    }

    fn write_goaway(&mut self, last_stream: StreamId, code: ErrorCode, reason: &str) {
        tracing::debug!(%code, last_stream = last_stream.get(), "GOAWAY sent");
        self.ends.sent = Some(last_stream);
        GoAway { last_stream, code, debug_data: reason.as_bytes() }.write(&mut self.control);
    }

    /// What has to be read of a frame that is not whole yet, in bytes: a hint for how much to read.
    pub fn missing(&self, input: &impl Buf) -> usize {
        match crate::frame::Head::read(input.chunk()) {
            Some(head) if self.preface.is_empty() => {
                let length = head.length.min(self.local.acknowledged().max_frame_size) as usize;
                (crate::frame::Head::LENGTH + length).saturating_sub(input.remaining())
            }
            _ => 0,
        }
    }
}
