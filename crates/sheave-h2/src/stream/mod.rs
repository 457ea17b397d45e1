//! One stream (RFC 9113 §5).

mod receiving;
mod sending;
mod state;

pub(crate) use self::receiving::{Expects, Receiving};
pub(crate) use self::sending::{Ending, Listed, Section, Sending};
pub(crate) use self::state::{Closed, Frame, Received, State};

use crate::stream_id::StreamId;

/// A stream that is not closed.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    /// What was sent and received so far; not what is still queued.
    pub(crate) state: State,
    /// Whether it carries what another protocol makes of it: a CONNECT (RFC 9113 §8.5, RFC 8441).
    pub(crate) is_tunnel: bool,
    /// Whether it is counted as one of those that may be open at once (RFC 9113 §5.1.2).
    pub(crate) is_counted: bool,
    pub(crate) sending: Sending,
    pub(crate) receiving: Receiving,
}

impl Stream {
    pub(crate) fn new(id: StreamId, send_window: u32, receive_window: u32) -> Self {
        Self {
            id,
            state: State::Idle,
            is_tunnel: false,
            is_counted: false,
            sending: Sending::new(send_window),
            receiving: Receiving::new(receive_window),
        }
    }
}
