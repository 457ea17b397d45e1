//! The half of a stream that we send.

use http::{HeaderMap, request, response};

use crate::chunks::Chunks;
use crate::error::Usage;
use crate::error_code::ErrorCode;
use crate::few::Few;
use crate::flow::Window;
use crate::priority::Priority;
use crate::streams::StreamKey;

/// What is to be sent, in the order of the fields.
#[derive(Debug)]
pub(crate) struct Sending {
    /// Field sections that come before the content: seldom more than one.
    pub(crate) sections: Few<Section>,
    /// The content.
    pub(crate) queue: Chunks,
    /// How much more is to come, if that is known: by `content-length`, or none for a response that has no content.
    pub(crate) content_left: Option<u64>,
    /// Whether the final response is among what was said; a client's stream has none.
    pub(crate) is_answered: bool,
    /// How it ends, once the content is sent. `None`: more comes, or it has ended.
    pub(crate) ending: Option<Ending>,
    pub(crate) has_ended: bool,
    /// With which code the stream is reset once all that is sent, if the peer goes on to send.
    pub(crate) then_reset: Option<ErrorCode>,
    pub(crate) window: Window,
    pub(crate) priority: Priority,
    /// Whether the peer said so: it alone can have a stream go before others of its urgency.
    pub(crate) is_prioritized: bool,
    /// How much it may still send before it is the next one's turn, in bytes.
    pub(crate) deficit: i32,
    pub(crate) listed: Listed,
}

/// A field section on its way.
#[derive(Debug)]
pub(crate) enum Section {
    Request(Box<request::Parts>),
    /// Of any status.
    Response(Box<response::Parts>),
    /// Of this stream.
    Promise(Box<(StreamKey, request::Parts)>),
}

#[derive(Debug)]
pub(crate) enum Ending {
    /// With what is sent last.
    EndStream,
    Trailers(Box<HeaderMap>),
}

/// Where the [scheduler](crate::scheduler) has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Listed {
    #[default]
    No,
    /// It goes before others, one by one.
    Whole,
    /// It has just got something to send.
    New,
    /// It takes turns.
    Old,
}

impl Sending {
    pub(super) fn new(window: u32) -> Self {
        Self {
            sections: Few::default(),
            queue: Chunks::default(),
            content_left: None,
            is_answered: false,
            ending: None,
            has_ended: false,
            then_reset: None,
            window: Window::new(window),
            priority: Priority::default(),
            is_prioritized: false,
            deficit: 0,
            listed: Listed::No,
        }
    }

    /// So much more content is to be sent: not more than `content-length` says (RFC 9113 §8.1.1).
    pub(crate) fn count(&mut self, length: usize) -> Result<(), Usage> {
        if let Some(left) = &mut self.content_left {
            *left = left.checked_sub(length as u64).ok_or(Usage::ContentLength)?;
        }
        Ok(())
    }

    /// Whether there is content that the stream's window lets leave.
    pub(crate) fn is_ready(&self) -> bool {
        self.sections.is_empty() && !self.queue.is_empty() && self.window.available() > 0
    }
}
