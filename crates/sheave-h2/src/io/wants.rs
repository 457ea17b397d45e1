//! What a stream's handles ask of its connection.

use std::sync::Arc;

use http::{HeaderMap, request, response};

use super::cell::Cell;
use crate::chunks::Chunks;
use crate::error::Error;
use crate::error_code::ErrorCode;
use crate::few::Few;
use crate::streams::StreamKey;

/// What the connection is asked to do.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// How much was read.
    pub(super) released: usize,
    pub(super) content: Chunks,
    /// What is seldom wanted.
    pub(super) more: Option<Box<More>>,
}

/// In the order of the fields; the content is sent behind the sections.
#[derive(Debug, Default)]
pub(super) struct More {
    pub(super) sections: Few<Section>,
    pub(super) end: Option<End>,
    pub(super) stop: Option<ErrorCode>,
    pub(super) reset: Option<ErrorCode>,
}

/// What was wanted by now.
#[derive(Debug)]
pub(super) enum Taken {
    /// What is often wanted: content, and perhaps its end, which the connection has got, with this result; so much was read,
    /// and perhaps nothing more is wanted of the peer.
    Content { key: StreamKey, sent: Result<(), Error>, released: usize, stops: bool },
    /// This, of a stream that may not be opened yet.
    All(Option<StreamKey>, Wants),
}

impl Wants {
    pub(super) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(super) fn take_more(&mut self) -> More {
        self.more.take().map_or_else(More::default, |more| *more)
    }

    /// Whether it begins with a request.
    pub(super) fn is_request(&self) -> bool {
        let more = self.more.as_ref();
        more.is_some_and(|more| matches!(more.sections.first(), Some(Section::Request(..))))
    }

    /// Whether it is a request that nobody waits for any more, and that nothing is sent with.
    pub(super) fn is_taken_back(&self) -> bool {
        self.more.as_ref().is_some_and(|more| {
            let ended = matches!(more.sections.first(), Some(Section::Request(_, true)));
            more.reset.is_some() || ended && more.stop.is_some()
        })
    }
}

/// Fields to send; with `true`, nothing follows.
#[derive(Debug)]
pub(super) enum Section {
    Request(Box<request::Parts>, bool),
    Response(Box<response::Parts>, bool),
    Promise(Box<request::Parts>, Arc<Cell>),
}

#[derive(Debug)]
pub(super) enum End {
    Finish,
    Trailers(Box<HeaderMap>),
}
